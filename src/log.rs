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

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held { is_on: false, lines: Vec::new() }) };
}

/// Lines of the audit that wait until their thread has nothing else to do: a write for each would cost a busy server more
/// than all else that a call takes from the kernel.
struct Held {
    is_on: bool,
    /// At most [`LINE_BYTES`], so that a pipe takes them at once.
    lines: Vec<u8>,
}

/// While it lives, what was only read is written when [`flush`] is called, and all else at once as ever.
#[derive(Debug)]
pub(crate) struct Holding(());

impl Holding {
    /// From now on, on this thread, which must call [`flush`] whenever it goes to sleep.
    pub(crate) fn begin() -> Self {
        HELD.with_borrow_mut(|held| held.is_on = true);
        Holding(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        flush();
        HELD.with_borrow_mut(|held| held.is_on = false);
    }
}

/// Writes the lines that wait on this thread.
pub(crate) fn flush() {
    HELD.with_borrow_mut(Held::flush);
}

impl Held {
    fn flush(&mut self) {
        if !self.lines.is_empty() {
            write_now(&self.lines);
            self.lines.clear();
        }
    }

    fn add(&mut self, prefix: &str, event: &Event<'_>) {
        let before = self.lines.len();
        self.lines.extend_from_slice(prefix.as_bytes());
        event.write(&mut self.lines);
        self.lines.push(b'\n');
        if self.lines.len() > LINE_BYTES && before > 0 {
            write_now(&self.lines[..before]);
            self.lines.drain(..before);
        }
        if !(self.is_on && event.can_wait()) {
            self.flush();
        }
    }
}

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

/// Writes lines to stderr, but does not wait for who reads there: the server goes on, and what he misses is counted.
fn write_now(lines: &[u8]) {
    let stderr = io::stderr();
    let mut ready = [PollFd::new(&stderr, PollFlags::OUT)];
    let is_ready = poll(&mut ready, Some(&Timespec::default())).is_ok_and(|ready| ready > 0);
    if !is_ready {
        let count = lines.split(|byte| *byte == b'\n').count() - 1;
        DROPPED.fetch_add(u32::try_from(count).unwrap_or(u32::MAX), Ordering::Relaxed);
        return;
    }
    // A closed stderr must not stop the server either.
    let dropped = DROPPED.swap(0, Ordering::Relaxed);
    if dropped > 0 {
        let _ = writeln!(stderr.lock(), "warn: {dropped} lines were dropped here: nobody took them");
    }
    let _ = stderr.lock().write_all(&lines[..lines.len().min(LINE_BYTES)]);
}

/// What `env_logger` writes to: it hands over whole lines.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        flush();
        write_now(line);
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
}

impl Stderr {
    /// An audit on the stderr of this process.
    pub fn new() -> Self {
        let prefix = if is_journal() { "<5>audit: " } else { "audit: " };
        Stderr { prefix, clock: Clock::start(0), strangers: RefCell::default() }
    }

    fn write(&self, event: &Event<'_>) {
        HELD.with_borrow_mut(|held| held.add(self.prefix, event));
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
        let uptime_ms = self.clock.uptime_ms();
        self.strangers.borrow_mut().left_out(uptime_ms).for_each(|event| self.write(&event));
    }
}
