//! Diagnostics and the audit, to stderr: where systemd reads, in its form; else as plain lines.

use crate::audit::{Audit, Event, Strangers};
use crate::world::Clock;
use env_logger::Target;
use log::Level;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};

/// A pipe that is ready takes 4,096 bytes at once (pipe(7), `PIPE_BUF`): a line, and word of those that were dropped.
const LINE_BYTES: usize = 4000;

/// Lines that nobody took.
static DROPPED: AtomicU32 = AtomicU32::new(0);

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
        .target(Target::Pipe(Box::new(Line)))
        .init();
}

/// Writes one line to stderr, but does not wait for who reads there: the server goes on, and what he misses is counted.
fn write_line(line: &[u8]) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let is_ready = poll(&mut ready, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
    if !is_ready {
        DROPPED.fetch_add(1, Ordering::Relaxed);
        return;
    }
    // A closed stderr must not stop the server either.
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        let _ = writeln!(stderr.lock(), "warn: {dropped} lines were dropped here: nobody took them");
    }
    let _ = stderr.lock().write_all(&line[..line.len().min(LINE_BYTES)]);
}

/// What `env_logger` writes to: it hands over whole lines.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        write_line(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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

/// Writes each event as one line of JSON to stderr. No log level hides it; of those that strangers can bring about, so many
/// a minute are written.
#[derive(Debug)]
pub struct Stderr {
    prefix: &'static str,
    clock: Clock,
    strangers: RefCell<Strangers>,
    line: RefCell<Vec<u8>>,
}

impl Stderr {
    /// An audit on the stderr of this process.
    pub fn new() -> Self {
        let prefix = if is_journal() { "<5>audit: " } else { "audit: " };
        Stderr { prefix, clock: Clock::start(0), strangers: RefCell::default(), line: RefCell::default() }
    }

    fn write(&self, event: &Event<'_>) {
        let mut line = self.line.borrow_mut();
        line.clear();
        line.extend_from_slice(self.prefix.as_bytes());
        event.write(&mut line);
        line.push(b'\n');
        write_line(&line);
    }
}

impl Default for Stderr {
    fn default() -> Self {
        Self::new()
    }
}

impl Audit for Stderr {
    fn record(&self, event: &Event<'_>) {
        if event.is_of_strangers() {
            self.catch_up();
        }
        if self.strangers.borrow_mut().admits(event) {
            self.write(event);
        }
    }

    fn catch_up(&self) {
        let uptime_ms = u64::try_from(self.clock.uptime().as_millis()).unwrap_or(u64::MAX);
        self.strangers.borrow_mut().left_out(uptime_ms).for_each(|event| self.write(&event));
    }
}
