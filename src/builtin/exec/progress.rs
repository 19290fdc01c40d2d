//! Lines by which a command says how far it has got: `40%`, `40% copying`, `2/5`, `2/5 copying`.

use crate::json;
use crate::limits;
use crate::tool::Call;
use std::time::{Duration, Instant};

/// The longest line that is looked at.
const LINE_BYTES: usize = 512;

/// What a line says.
#[derive(Debug, PartialEq)]
struct Report<'a> {
    progress: f64,
    total: f64,
    message: Option<&'a str>,
}

impl<'a> Report<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let line = line.trim();
        let (progress, rest) = number(line)?;
        let (total, rest) = match rest.strip_prefix('%') {
            Some(rest) => (100.0, rest),
            None => number(rest.strip_prefix('/')?)?,
        };
        let message = rest.trim_start();
        // `3/5ths` is a word, `50%!` is not a message.
        if (!rest.is_empty() && message.len() == rest.len()) || progress > total {
            return None;
        }
        Some(Report { progress, total, message: (!message.is_empty()).then_some(message) })
    }
}

/// A number at the beginning, without a sign.
fn number(text: &str) -> Option<(f64, &str)> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let number = json::number(&text[..end]).filter(|_| end < 16)?;
    Some((number, &text[end..]))
}

/// Hands what a command says to its caller.
pub(super) struct Reports {
    call: Call,
    line: Vec<u8>,
    /// What was reported last, and when.
    last: Option<(f64, Instant)>,
}

impl Reports {
    pub(super) fn to(call: Call) -> Self {
        Reports { call, line: Vec::new(), last: None }
    }

    /// Takes what comes, and gives back to `other` each line that is no report.
    pub(super) fn take(&mut self, bytes: &[u8], mut other: impl FnMut(&[u8])) {
        for byte in bytes {
            // Programs that draw a bar go back to the beginning of the line.
            if matches!(byte, b'\n' | b'\r') {
                self.end_line(&mut other);
            } else {
                self.line.push(*byte);
                if self.line.len() > LINE_BYTES {
                    other(&std::mem::take(&mut self.line));
                }
            }
        }
    }

    /// The last line need not have an end.
    pub(super) fn end_line(&mut self, mut other: impl FnMut(&[u8])) {
        let mut line = std::mem::take(&mut self.line);
        match std::str::from_utf8(&line).ok().and_then(Report::parse) {
            Some(report) => self.send(&report),
            None if line.is_empty() => {}
            None => {
                line.push(b'\n');
                other(&line);
            }
        }
    }

    /// Progress only grows (MCP 2025-11-25, basic/utilities/progress), and a client is not flooded.
    fn send(&mut self, report: &Report<'_>) {
        let share = report.progress / report.total;
        let pause = Duration::from_millis(limits::PROGRESS_MS);
        // 0/0 is no share.
        let is_news = share.is_finite() && self.last.is_none_or(|(last, at)| share > last && at.elapsed() >= pause);
        if is_news {
            self.last = Some((share, Instant::now()));
            self.call.progress(report.progress, Some(report.total), report.message);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_report_is_left_alone() {
        for line in
            ["", "%", "a 40%", "-1%", "101%", "40", "40 %", "40%done", "6/5", "1/", "/5", "1/2/3", "1.2.3%", "2/5ths", "0x1/2"]
        {
            assert_eq!(Report::parse(line), None, "{line}");
        }
    }

    #[test]
    fn reports_are_shares_with_or_without_words() {
        let report = |progress, total, message| Some(Report { progress, total, message });
        assert_eq!(Report::parse("40%"), report(40.0, 100.0, None));
        assert_eq!(Report::parse("  12.5% copying files "), report(12.5, 100.0, Some("copying files")));
        assert_eq!(Report::parse("2/5"), report(2.0, 5.0, None));
        assert_eq!(Report::parse("2/5 photos"), report(2.0, 5.0, Some("photos")));
    }
}
