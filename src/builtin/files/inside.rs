//! Paths within a folder, as the model writes them.

use crate::limits;
use crate::tool::ToolError;
use std::ffi::{OsStr, OsString};
use std::fmt::Write;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

/// A path within a folder: names, none of which leads up. Of the folder itself, no names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Inside(pub(super) Vec<OsString>);

impl Inside {
    /// Reads a path as [`shown`] writes it.
    pub(super) fn parse(text: &str) -> Result<Self, ToolError> {
        let bytes = unescaped(text).ok_or("In a path, a backslash is written \\\\, and a byte that is no text \\xFF.")?;
        if bytes.len() > limits::PATH_BYTES || bytes.contains(&0) {
            return Err(format!("A path has at most {} bytes, and no NUL.", limits::PATH_BYTES).into());
        }
        if bytes.first() == Some(&b'/') {
            return Err("A path begins within its folder, without a slash.".into());
        }
        let names = bytes.split(|byte| *byte == b'/').filter(|name| !name.is_empty() && *name != b".");
        let names: Vec<OsString> = names.map(|name| OsString::from_vec(name.to_vec())).collect();
        if names.iter().any(|name| name == "..") {
            return Err("A path does not lead up: it has no `..`.".into());
        }
        Ok(Inside(names))
    }

    /// The folder that it is in, and its own name.
    pub(super) fn parent(&self) -> Option<(Inside, &OsStr)> {
        let (name, above) = self.0.split_last()?;
        Some((Inside(above.to_vec()), name))
    }

    /// As it is written for the model.
    pub(super) fn shown(&self) -> String {
        self.0.iter().map(|name| shown(name)).collect::<Vec<_>>().join("/")
    }

    /// Its URI.
    pub(super) fn uri(&self, folder: &str) -> String {
        let mut uri = format!("folder://{folder}");
        if self.0.is_empty() {
            return uri;
        }
        uri.push('/');
        for byte in self.shown().bytes() {
            // Writing to a String does not fail.
            let _ = match byte {
                b'-' | b'.' | b'_' | b'~' => write!(uri, "{}", char::from(byte)),
                byte if byte.is_ascii_alphanumeric() => write!(uri, "{}", char::from(byte)),
                byte => write!(uri, "%{byte:02X}"),
            };
        }
        uri
    }
}

/// A name as text from which it can be had back: a backslash is doubled; a byte that is no UTF-8, and one that would confuse a
/// terminal, is `\xFF`.
pub(super) fn shown(name: &OsStr) -> String {
    let mut text = String::new();
    for chunk in name.as_bytes().utf8_chunks() {
        for c in chunk.valid().chars() {
            // Writing to a String does not fail.
            let _ = match c {
                '\\' => write!(text, "\\\\"),
                c if c.is_ascii_control() => write!(text, "\\x{:02X}", u32::from(c)),
                c => write!(text, "{c}"),
            };
        }
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02X}");
        }
    }
    text
}

fn unescaped(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'\\', [b'\\', after @ ..]) => {
                bytes.push(b'\\');
                after
            }
            (b'\\', [b'x', high, low, after @ ..]) => {
                let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (b'\\', _) => return None,
            (byte, after) => {
                bytes.push(*byte);
                after
            }
        };
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leads_out_is_refused_however_it_is_written() {
        let long = "a/".repeat(3000);
        for text in
            ["/", "/etc", "..", "a/../b", "a/..", "../a", "\\x2e\\x2e/a", "\\x2Fetc", "a\\x2f../b", "a\0b", "a\\x00b", &long]
        {
            assert!(Inside::parse(text).is_err(), "{text}");
        }
        for text in ["\\", "\\x", "\\x4", "\\xzz", "\\n", "a\\"] {
            assert!(Inside::parse(text).unwrap_err().to_string().contains("backslash"), "{text}");
        }
    }

    #[test]
    fn a_name_comes_back_as_it_was_whatever_its_bytes() {
        for name in [&b"a b"[..], b"\xff\xfe", b"caf\xc3\xa9", b"back\\slash", b"\\xFF", b"line\nfeed\x1b[2J", b"%2F", b"..."] {
            let name = OsStr::from_bytes(name);
            let text = shown(name);
            assert!(!text.contains(char::is_control), "{text}");
            assert_eq!(Inside::parse(&text).unwrap().0, [name], "{text}");
        }
        assert_eq!(Inside::parse("./a//b/").unwrap().shown(), "a/b");
        assert!(Inside::parse("").unwrap().0.is_empty());
    }

    #[test]
    fn a_uri_has_nothing_reserved_behind_its_folder() {
        let inside = Inside::parse("log/a b\\xFF.txt").unwrap();
        assert_eq!(inside.uri("data"), "folder://data/log%2Fa%20b%5CxFF.txt");
        assert_eq!(Inside(Vec::new()).uri("data"), "folder://data");
    }
}
