//! Diagnostics and the audit, to stderr: where systemd reads, in its form; else as plain lines.

use crate::audit::{Audit, Event, Strangers};
use crate::limits;
use crate::world::Clock;
use env_logger::Target;
use log::Level;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{FileType, fstat};
use std::cell::RefCell;
use std::io::{self, Write};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

/// A pipe that is ready takes 4,096 bytes at once (pipe(7), `PIPE_BUF`): a line, and word of those that were dropped.
const LINE_BYTES: usize = 4000;
/// A file takes whatever it is given, and a socket that is ready, as the journal's, half of its buffer and more.
const LINES_BYTES: usize = 16_000;

/// Lines that nobody took.
static DROPPED: AtomicU32 = AtomicU32::new(0);

thread_local! {
    static HELD: RefCell<Held> = const { RefCell::new(Held { most: None, lines: Vec::new(), written: None, is_due: false }) };
}

/// Lines of the audit that wait a moment: a write for each would cost a busy server more than all else that a call takes from the
/// kernel.
struct Held {
    /// How many bytes may wait, so that stderr takes them at once; `None` where none may.
    most: Option<usize>,
    lines: Vec<u8>,
    /// When lines were last written.
    written: Option<Instant>,
    /// Whether somebody was told to call [`flush_due`].
    is_due: bool,
}

/// While it lives, lines about what was only read wait a moment, and all else is written at once as ever.
#[derive(Debug)]
pub(crate) struct Holding(());

impl Holding {
    /// From now on, on this thread, which must call [`rest`] whenever it goes to sleep.
    pub(crate) fn begin() -> Self {
        let is_roomy = fstat(io::stderr())
            .is_ok_and(|stat| matches!(FileType::from_raw_mode(stat.st_mode), FileType::RegularFile | FileType::Socket));
        HELD.with_borrow_mut(|held| held.most = Some(if is_roomy { LINES_BYTES } else { LINE_BYTES }));
        Holding(())
    }
}

impl Drop for Holding {
    fn drop(&mut self) {
        // Whoever was told to flush ends with the server.
        flush_due();
        HELD.with_borrow_mut(|held| held.most = None);
    }
}

/// Writes the lines that wait on this thread.
fn flush() {
    HELD.with_borrow_mut(Held::flush);
}

/// What is done before this thread sleeps: writes the lines that wait, where none were for a moment. Else they wait that long, and
/// who gets a time is to call [`flush_due`] after it.
pub(crate) fn rest() -> Option<Duration> {
    HELD.with_borrow_mut(Held::rest)
}

/// Writes the lines whose time [`rest`] has told.
pub(crate) fn flush_due() {
    HELD.with_borrow_mut(|held| {
        held.is_due = false;
        held.flush();
    });
}

impl Held {
    fn flush(&mut self) {
        if !self.lines.is_empty() {
            self.write(self.lines.len());
        }
    }

    /// So many bytes, which end with a line.
    fn write(&mut self, bytes: usize) {
        write_now(&self.lines[..bytes], self.most.unwrap_or(LINE_BYTES));
        self.lines.drain(..bytes);
        self.written = Some(Instant::now());
    }

    fn rest(&mut self) -> Option<Duration> {
        if self.lines.is_empty() || self.is_due {
            return None;
        }
        let moment = Duration::from_millis(limits::AUDIT_HOLD_MS);
        let left = self.written.and_then(|written| moment.checked_sub(written.elapsed()));
        self.is_due = left.is_some();
        if left.is_none() {
            self.flush();
        }
        left
    }

    fn add(&mut self, prefix: &str, event: &Event<'_>) {
        let before = self.lines.len();
        self.lines.extend_from_slice(prefix.as_bytes());
        event.write(&mut self.lines);
        self.lines.push(b'\n');
        if before > 0 && self.most.is_some_and(|most| self.lines.len() > most) {
            self.write(before);
        }
        if self.most.is_none() || !event.can_wait() {
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
            writeln!(out, "{}: {}", record.level().as_str().to_ascii_lowercase(), record.args())
        })
        .target(Target::Pipe(Box::new(Line)))
        .init();
}

/// Writes lines to stderr, `most` bytes of them, but does not wait for who reads there: the server goes on, and what he misses is
/// counted.
fn write_now(lines: &[u8], most: usize) {
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
    let _ = stderr.lock().write_all(&lines[..lines.len().min(most)]);
}

/// What `env_logger` writes to: it hands over whole lines.
struct Line;

impl Write for Line {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        flush();
        write_now(line, LINE_BYTES);
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::ClientTag;

    fn called(effect: &'static str) -> Event<'static> {
        let (subject, client, tool) = ("ada", ClientTag([0; 8]), "add");
        Event::ToolCalled { subject, client, tool, arguments: None, effect: Some(effect), outcome: "ok", ms: 0 }
    }

    #[test]
    fn the_first_line_is_written_before_the_thread_sleeps_and_the_next_ones_together() {
        let mut held = Held { most: Some(LINE_BYTES), lines: Vec::new(), written: None, is_due: false };
        held.add("", &called("reads"));
        assert!(!held.lines.is_empty());
        assert_eq!((held.rest(), held.lines.len()), (None, 0), "nothing was written lately");
        // No machine takes so long for a line.
        held.written = Some(Instant::now() + Duration::from_secs(10));
        held.add("", &called("reads"));
        assert!(held.rest().is_some_and(|left| left >= Duration::from_millis(limits::AUDIT_HOLD_MS)));
        held.add("", &called("reads"));
        assert_eq!(held.rest(), None, "it is told once");
        assert_eq!(held.lines.split(|byte| *byte == b'\n').count(), 3);
        held.add("", &called("writes"));
        assert_eq!(held.lines.len(), 0, "with what changes something, all is written");
    }

    #[test]
    fn who_serves_again_on_this_thread_is_told_again() {
        for _ in 0..2 {
            let holding = Holding::begin();
            HELD.with_borrow_mut(|held| {
                held.written = Some(Instant::now() + Duration::from_secs(10));
                held.add("", &called("reads"));
            });
            assert!(rest().is_some());
            assert_eq!(rest(), None);
            drop(holding);
            HELD.with_borrow(|held| assert!(held.lines.is_empty()));
        }
    }

    #[test]
    fn no_more_waits_than_stderr_takes_at_once() {
        let mut held = Held { most: Some(LINE_BYTES), lines: Vec::new(), written: None, is_due: false };
        for _ in 0..1000 {
            held.add("", &called("reads"));
            assert!(held.lines.len() <= LINE_BYTES && held.lines.ends_with(b"\n"));
        }
        assert!(held.lines.capacity() <= 2 * LINE_BYTES);
        held.most = None;
        held.add("", &called("reads"));
        assert_eq!(held.lines.len(), 0, "where nobody says that the thread sleeps, none waits");
    }
}
