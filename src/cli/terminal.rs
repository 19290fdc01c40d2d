//! A person at a terminal: what is typed without being shown, and pictures for a telephone.

use crate::cli::remark;
use crate::error::{Error, Exit};
use crate::limits;
use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};
use rustix::termios::{self, LocalModes, OptionalActions, Termios};
use std::env;
use std::fmt::Write;
use std::io::{self, BufRead, IsTerminal, Stdin};
use zeroize::Zeroizing;

/// Asks for something that is not shown while it is typed. `None` where nobody sits at a terminal.
pub(super) fn hidden(question: &str) -> Result<Option<Zeroizing<String>>, Error> {
    let stdin = io::stdin();
    if !stdin.is_terminal() {
        return Ok(None);
    }
    let failed = |error: io::Error| Error::new(Exit::System, "cannot read from the terminal").because(error);
    remark(question);
    let silent = Silent::begin(&stdin).map_err(failed)?;
    let typed = typed(stdin.lock());
    drop(silent);
    remark("\n");
    match typed {
        Ok(Some(typed)) => Ok(Some(typed)),
        Ok(None) => Err(Error::new(Exit::Usage, "given up")),
        Err(error) => Err(failed(error)),
    }
}

/// A terminal that shows nothing, and leaves every key to us: Ctrl-C must not end us while it is like this.
struct Silent<'a> {
    stdin: &'a Stdin,
    before: Termios,
}

impl<'a> Silent<'a> {
    fn begin(stdin: &'a Stdin) -> io::Result<Self> {
        let before = termios::tcgetattr(stdin)?;
        let mut silent = before.clone();
        silent.local_modes &= !(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG);
        termios::tcsetattr(stdin, OptionalActions::Flush, &silent)?;
        Ok(Silent { stdin, before })
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        let _ = termios::tcsetattr(self.stdin, OptionalActions::Now, &self.before);
    }
}

/// A line, as it was corrected while it was typed. `None` if it was given up.
fn typed(input: impl BufRead) -> io::Result<Option<Zeroizing<String>>> {
    let mut line = Zeroizing::new(Vec::with_capacity(limits::PASSWORD_BYTES_MAX + 1));
    for byte in input.bytes() {
        match byte? {
            // Ctrl-C, Ctrl-\, and Ctrl-D on an empty line; on another it ends the line.
            0x03 | 0x1c => return Ok(None),
            0x04 if line.is_empty() => return Ok(None),
            b'\n' | b'\r' | 0x04 => break,
            // Backspace, in either of its forms: a whole character.
            0x08 | 0x7f => while line.pop().is_some_and(|byte| byte & 0xc0 == 0x80) {},
            // Ctrl-U.
            0x15 => line.clear(),
            // What is too long stays too long, so that it is told.
            byte if line.len() <= limits::PASSWORD_BYTES_MAX => line.push(byte),
            _ => {}
        }
    }
    let text = std::str::from_utf8(&line).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
    Ok(Some(Zeroizing::new(text.to_owned())))
}

/// What takes more than a second, told to whoever waits at a terminal, and taken back when it is over. Nothing goes into a pipe.
#[must_use]
pub(super) struct Waiting(bool);

impl Waiting {
    pub(super) fn begin(what: &str) -> Self {
        let is_seen = io::stderr().is_terminal();
        if is_seen {
            remark(what);
        }
        Waiting(is_seen)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.0 {
            // Back to the beginning of the line, and the line empty.
            remark("\r\x1b[K");
        }
    }
}

/// A text for the camera of a telephone: black on white, whatever the colours of the terminal, unless `NO_COLOR` (no-color.org)
/// says otherwise. `None` where it has no room.
pub(super) fn qr(text: &str) -> Option<String> {
    let code = QrCode::with_error_correction_level(text, EcLevel::L).ok()?;
    // It draws light on dark, as most terminals are: here both colours are said.
    let picture = code.render::<Dense1x2>().quiet_zone(true).build();
    let (on, off) =
        if env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty()) { ("", "") } else { ("\x1b[30;107m", "\x1b[0m") };
    let mut lines = String::new();
    for line in picture.lines() {
        // Writing to a String does not fail.
        let _ = writeln!(lines, "  {on}{line}{off}");
    }
    (picture.lines().next()?.chars().count() <= 76).then_some(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(keys: &[u8]) -> Option<String> {
        typed(keys).unwrap().map(|line| line.to_string())
    }

    #[test]
    fn who_gives_up_has_typed_nothing() {
        for keys in ["abc\x03", "\x04", "abc\x1cdef\n"] {
            assert_eq!(line(keys.as_bytes()), None, "{keys:?}");
        }
    }

    #[test]
    fn what_is_typed_can_be_corrected() {
        for (keys, meant) in [
            ("secret\n", "secret"),
            ("secret\rmore", "secret"),
            ("secrets\x7f\n", "secret"),
            ("\x7f\x08secret\x04", "secret"),
            ("wrong\x15right\n", "right"),
            ("sä\u{20ac}\x7f\x7fecret\n", "secret"),
            ("two words \n", "two words "),
        ] {
            assert_eq!(line(keys.as_bytes()).as_deref(), Some(meant), "{keys:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_not_cut_to_something_else() {
        let keys = "x".repeat(5000) + "\n";
        assert_eq!(line(keys.as_bytes()).unwrap().len(), limits::PASSWORD_BYTES_MAX + 1);
        assert!(typed(&b"\xff\n"[..]).is_err());
    }

    #[test]
    fn an_address_is_a_picture_that_a_terminal_has_room_for() {
        let picture = qr("https://greenhouse.local:8787/device").unwrap();
        assert!(picture.lines().count() < 24 && picture.contains('█') || picture.contains('▀'));
        assert_eq!(qr(&"x".repeat(4000)), None);
    }
}
