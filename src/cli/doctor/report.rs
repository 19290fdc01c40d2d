//! What the doctor says, step by step, while it looks.

use crate::cli::{remark, say};
use crate::error::Error;
use std::cell::{Cell, RefCell};
use std::io::{self, IsTerminal};
use std::rc::Rc;
use std::time::{Duration, Instant};

/// As wide as a terminal.
const WIDTH: usize = 80;

/// The way ends here: it was said why.
#[derive(Debug)]
pub(super) struct Stop;

/// How a step went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mark {
    Ok,
    Failed,
    Unreached,
    /// There is nothing to look at.
    Absent,
}

/// What was said so far.
pub(super) struct Report {
    has_colours: bool,
    is_watched: bool,
    /// The step that is looked at, and since when.
    step: Cell<(&'static str, Instant)>,
    is_waiting: Cell<bool>,
    broken: RefCell<Vec<String>>,
}

impl Report {
    pub(super) fn new() -> Rc<Self> {
        let has_colours = io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
        Rc::new(Report {
            has_colours,
            is_watched: io::stderr().is_terminal(),
            step: Cell::new(("", Instant::now())),
            is_waiting: Cell::default(),
            broken: RefCell::default(),
        })
    }

    /// Says at a terminal what takes more than a second: the whole seconds of the step, each of them.
    pub(super) async fn watch(self: Rc<Self>) {
        if !self.is_watched {
            return;
        }
        let mut said = 0;
        loop {
            let (step, since) = self.step.get();
            // Counted from the step's own beginning, as naps of a second each would drift; and from what was said last, as who is woken
            // late would leave a second out.
            let seconds = said + 1;
            tokio::time::sleep_until((since + Duration::from_secs(seconds)).into()).await;
            if self.step.get() != (step, since) {
                said = 0;
                continue;
            }
            self.is_waiting.set(true);
            remark(&format!("\r\x1b[K...          {step}: {seconds} s"));
            said = seconds;
        }
    }

    pub(super) fn title(&self, text: &str) {
        self.print(&format!("{text}\n"));
    }

    /// A step begins.
    pub(super) fn begin(&self, step: &'static str) {
        self.step.set((step, Instant::now()));
    }

    /// The step that was looked at last.
    pub(super) fn step(&self) -> &'static str {
        self.step.get().0
    }

    pub(super) fn ok(&self, step: &str, what: &str) {
        self.line(Mark::Ok, step, what);
    }

    pub(super) fn absent(&self, step: &str, what: &str) {
        self.line(Mark::Absent, step, what);
    }

    /// Nothing is known to be wrong with it.
    pub(super) fn unreached(&self, step: &str, why: &str) -> Stop {
        self.line(Mark::Unreached, step, why);
        Stop
    }

    /// What is wrong, what to do, and the line of the shell that shows it.
    pub(super) fn failed(&self, step: &str, error: &Error, shown_by: &str) -> Stop {
        let told = error.to_string();
        let (cause, remedy) = told.split_once('\n').unwrap_or((&told, ""));
        self.line(Mark::Failed, step, cause);
        let mut text = String::new();
        let indent = " ".repeat(13);
        for line in wrapped(remedy, WIDTH - indent.len()) {
            text.extend([&indent, line.as_str(), "\n"]);
        }
        if !shown_by.is_empty() {
            text.extend([&indent, "$ ", shown_by, "\n"]);
        }
        self.print(&text);
        self.broken.borrow_mut().push(step.trim().to_owned());
        Stop
    }

    /// The steps that are broken.
    pub(super) fn broken(&self) -> String {
        self.broken.borrow().join(", ")
    }

    fn line(&self, mark: Mark, step: &str, what: &str) {
        let (word, colour) = match mark {
            Mark::Ok => ("ok", "32"),
            Mark::Failed => ("failed", "1;31"),
            Mark::Unreached => ("not reached", "33"),
            Mark::Absent => ("-", "2"),
        };
        let (on, off) = if self.has_colours { (format!("\x1b[{colour}m"), "\x1b[0m") } else { (String::new(), "") };
        let text = format!("{on}{word:<11}{off}  {step:<17}  {what}");
        self.print(&format!("{}\n", text.trim_end()));
    }

    fn print(&self, text: &str) {
        if self.is_waiting.take() {
            remark("\r\x1b[K");
        }
        let _ = say(text);
        self.step.set((self.step.get().0, Instant::now()));
    }
}

/// A text in lines of at most `width`, broken between words.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut().filter(|line| line.chars().count() + 1 + word.chars().count() <= width) {
            Some(line) => line.extend([" ", word]),
            None => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_remedy_is_broken_between_words() {
        assert_eq!(wrapped("Is it on?\n  Look there.", 10), ["Is it on?", "Look", "there."].map(str::to_owned));
        assert_eq!(wrapped("averylongword b", 4), ["averylongword", "b"]);
        assert!(wrapped("", 10).is_empty());
    }
}
