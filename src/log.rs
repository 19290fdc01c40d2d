//! Diagnostics and the audit, to stderr: where systemd reads, in its form; else as plain lines.

use crate::audit::{Audit, Event};
use log::Level;
use std::cell::RefCell;
use std::io::{self, Write};

/// Sends diagnostics to stderr. `PERCHD_LOG` says how much: `warn`, `info` (where nothing is said), `debug`, `trace`, or
/// one for each room, such as `perchd::http=debug`.
pub fn start() {
    let is_journal = is_journal();
    env_logger::Builder::new()
        .parse_filters(&std::env::var("PERCHD_LOG").unwrap_or_else(|_| "info".to_owned()))
        .format(move |out, record| {
            if is_journal {
                // sd-daemon(3): the priority of a line.
                write!(out, "<{}>", priority(record.level()))?;
            }
            writeln!(out, "{}: {}", record.level().as_str().to_lowercase(), record.args())
        })
        .init();
}

fn is_journal() -> bool {
    std::env::var_os("JOURNAL_STREAM").is_some()
}

fn priority(level: Level) -> u8 {
    match level {
        Level::Error => 3,
        Level::Warn => 4,
        Level::Info => 6,
        Level::Debug | Level::Trace => 7,
    }
}

/// Writes each event as one line of JSON to stderr. No log level hides it.
#[derive(Debug)]
pub struct Stderr {
    prefix: &'static str,
    line: RefCell<Vec<u8>>,
}

impl Stderr {
    /// An audit on the stderr of this process.
    pub fn new() -> Self {
        Stderr { prefix: if is_journal() { "<5>audit: " } else { "audit: " }, line: RefCell::default() }
    }
}

impl Default for Stderr {
    fn default() -> Self {
        Self::new()
    }
}

impl Audit for Stderr {
    fn record(&self, event: &Event<'_>) {
        let mut line = self.line.borrow_mut();
        line.clear();
        line.extend_from_slice(self.prefix.as_bytes());
        // Text and numbers only: it cannot fail.
        let _ = serde_json::to_writer(&mut *line, event);
        line.push(b'\n');
        // One write, so that lines do not mix. A closed stderr must not stop the server.
        let _ = io::stderr().lock().write_all(&line);
    }
}
