//! What is in a file: a part of it, the end of it, as text or as bytes.

use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};

/// A part of a file.
#[derive(Debug, PartialEq)]
pub(super) enum Part {
    /// Text; where it was cut within a character, without the beginning of that.
    Text(String),
    /// Anything else.
    Bytes(Vec<u8>),
}

impl Part {
    /// How much of the file it is.
    pub(super) fn len(&self) -> u64 {
        match self {
            Part::Text(text) => text.len() as u64,
            Part::Bytes(bytes) => bytes.len() as u64,
        }
    }
}

/// At most `most` bytes from `offset` on.
pub(super) fn read(file: &mut File, offset: u64, most: usize) -> io::Result<Part> {
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(offset))?;
    file.take(most as u64).read_to_end(&mut bytes)?;
    let is_cut = bytes.len() == most;
    Ok(text(bytes, is_cut).map_or_else(Part::Bytes, Part::Text))
}

/// The bytes as text, if they are some: UTF-8 without control characters, but for those of terminals and line ends.
fn text(mut bytes: Vec<u8>, is_cut: bool) -> Result<String, Vec<u8>> {
    if let Err(error) = std::str::from_utf8(&bytes) {
        if !is_cut || error.error_len().is_some() || error.valid_up_to() == 0 {
            return Err(bytes);
        }
        bytes.truncate(error.valid_up_to());
    }
    let is_text = |byte: &u8| *byte >= 0x20 || b"\t\n\r\x0c\x1b".contains(byte);
    if bytes.iter().all(is_text) { String::from_utf8(bytes).map_err(std::string::FromUtf8Error::into_bytes) } else { Err(bytes) }
}

/// The last lines of a file.
#[derive(Debug, PartialEq)]
pub(super) struct Tail {
    pub(super) text: String,
    pub(super) lines: usize,
    /// Whether there are lines before them.
    pub(super) is_truncated: bool,
}

/// At most `lines` whole lines from the end, and `most` bytes; of a line that is longer than that, its end. What is no text is
/// replaced: a log with one bad byte is still a log.
pub(super) fn tail(file: &mut File, size: u64, lines: usize, most: usize) -> io::Result<Tail> {
    let start = size.saturating_sub(most as u64);
    let mut bytes = Vec::new();
    file.seek(SeekFrom::Start(start))?;
    file.take(most as u64).read_to_end(&mut bytes)?;
    let mut rest = bytes.as_slice();
    let first_end = rest.iter().position(|byte| *byte == b'\n').filter(|end| start > 0 && end + 1 < rest.len());
    if let Some(end) = first_end {
        rest = &rest[end + 1..];
    }
    let ends = rest.strip_suffix(b"\n").unwrap_or(rest);
    let begin = ends.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').nth(lines.saturating_sub(1));
    let shown = begin.map_or(rest, |(at, _)| &rest[at + 1..]);
    let text = String::from_utf8_lossy(shown);
    let text: String = text.chars().map(|c| if c == '\0' { '\u{fffd}' } else { c }).collect();
    let count = text.lines().count();
    Ok(Tail { text, lines: count, is_truncated: start > 0 || shown.len() < rest.len() })
}

/// What kind of bytes these are.
pub(super) fn mime_type(bytes: &[u8]) -> Cow<'static, str> {
    let kinds: [(&[u8], &str); 6] = [
        (b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"\xff\xd8\xff", "image/jpeg"),
        (b"GIF8", "image/gif"),
        (b"%PDF-", "application/pdf"),
        (b"\x1f\x8b", "application/gzip"),
        (b"PK\x03\x04", "application/zip"),
    ];
    let kind = kinds.iter().find(|(start, _)| bytes.starts_with(start)).map(|(_, kind)| *kind);
    Cow::Borrowed(kind.unwrap_or("application/octet-stream"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::builtin::tree::Tree;

    fn file(bytes: &[u8]) -> (Tree, File) {
        let tree = Tree::new(&[]);
        tree.write("/file", bytes);
        let file = File::open(tree.0.place("/file")).unwrap();
        (tree, file)
    }

    #[test]
    fn a_text_that_is_cut_within_a_character_is_still_a_text() {
        let (_tree, mut file) = file("aé€".as_bytes());
        let mut part = |offset, most| read(&mut file, offset, most).unwrap();
        assert_eq!(part(0, 2), Part::Text("a".into()));
        assert_eq!(part(0, 5), Part::Text("aé".into()));
        assert_eq!(part(1, 100), Part::Text("é€".into()));
        assert_eq!(part(100, 100), Part::Text(String::new()));
        assert_eq!(part(2, 100), Part::Bytes("aé€".as_bytes()[2..].to_vec()));
    }

    #[test]
    fn a_nul_or_a_byte_that_is_no_utf_8_makes_it_bytes() {
        for bytes in [&b"a\0b"[..], b"\xff", b"text \xe2\x82", b"\x01"] {
            let (_tree, mut file) = file(bytes);
            assert_eq!(read(&mut file, 0, 100).unwrap(), Part::Bytes(bytes.to_vec()));
        }
        assert_eq!(mime_type(b"\xff\xd8\xff\xe0"), "image/jpeg");
        assert_eq!(mime_type(b""), "application/octet-stream");
    }

    #[test]
    fn the_end_of_a_log_is_its_last_lines() {
        let (_tree, mut file) = file(b"one\ntwo\nthr\xffee\n");
        let mut last = |lines, most| tail(&mut file, 15, lines, most).unwrap();
        assert_eq!(last(1, 100), Tail { text: "thr\u{fffd}ee\n".into(), lines: 1, is_truncated: true });
        assert_eq!(last(2, 100).text, "two\nthr\u{fffd}ee\n");
        assert_eq!(last(3, 100), Tail { text: "one\ntwo\nthr\u{fffd}ee\n".into(), lines: 3, is_truncated: false });
        assert_eq!(last(9, 100).lines, 3);
        // Half a line is not shown where a whole one is.
        assert_eq!(last(9, 12), Tail { text: "two\nthr\u{fffd}ee\n".into(), lines: 2, is_truncated: true });
        assert_eq!(last(9, 4), Tail { text: "\u{fffd}ee\n".into(), lines: 1, is_truncated: true });
    }

    #[test]
    fn an_empty_file_and_one_of_a_single_line_have_an_end() {
        let (_tree, mut empty) = file(b"");
        assert_eq!(tail(&mut empty, 0, 5, 100).unwrap(), Tail { text: String::new(), lines: 0, is_truncated: false });
        let (_tree, mut long) = file(&[b'x'; 5000]);
        assert_eq!(tail(&mut long, 5000, 5, 100).unwrap().text.len(), 100);
    }
}
