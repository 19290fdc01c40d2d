//! What a command prints: kept up to its share, read on beyond it so that the command does not stand still.

use crate::builtin::exec::progress::Reports;
use crate::limits;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::net::unix::pipe::Receiver;
use tokio::time::Sleep;

/// What was kept.
pub(super) struct Capture {
    stdout: Vec<u8>,
    most_bytes: usize,
    /// Whether more came than was kept.
    is_cut: bool,
    is_stopped_when_full: bool,
    /// The end of what came.
    stderr: Vec<u8>,
    reports: Option<Reports>,
    /// What was thrown away since the last rest.
    spilled: usize,
    rest: Option<Pin<Box<Sleep>>>,
}

impl Capture {
    /// Keeps up to `most_bytes`. A command that `is_stopped_when_full` need not go on to print what nobody reads.
    pub(super) fn new(most_bytes: usize, is_stopped_when_full: bool) -> Self {
        Capture {
            stdout: Vec::new(),
            most_bytes,
            is_cut: false,
            is_stopped_when_full,
            stderr: Vec::new(),
            reports: None,
            spilled: 0,
            rest: None,
        }
    }

    /// Takes lines of stderr for reports.
    pub(super) fn report(&mut self, reports: Reports) {
        self.reports = Some(reports);
    }

    /// Whether the command may end here.
    pub(super) fn is_full(&self) -> bool {
        self.is_cut && self.is_stopped_when_full
    }

    /// Stdout, whether it is cut, and the end of stderr.
    pub(super) fn into_parts(mut self) -> (Vec<u8>, bool, Vec<u8>) {
        if let Some(mut reports) = self.reports.take() {
            reports.end_line(|line| keep_end(&mut self.stderr, line));
        }
        (self.stdout, self.is_cut, self.stderr)
    }

    /// Reads what there is; ready when nothing more will come.
    pub(super) fn poll(&mut self, pipes: &mut Pipes, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Some(rest) = &mut self.rest {
                ready!(rest.as_mut().poll(context));
                self.rest = None;
            }
            let out = poll_read(&mut pipes.stdout, context, |bytes| self.take_stdout(bytes));
            let err = poll_read(&mut pipes.stderr, context, |bytes| self.take_stderr(bytes));
            // A command that prints without end must not keep everybody else waiting.
            if self.spilled > limits::SPILL_KIB * 1024 {
                self.spilled = 0;
                self.rest = Some(Box::pin(tokio::time::sleep(Duration::from_millis(1))));
            } else if pipes.are_closed() {
                return Poll::Ready(());
            } else if out.is_pending() && err.is_pending() {
                return Poll::Pending;
            }
        }
    }

    fn take_stdout(&mut self, bytes: &[u8]) {
        let room = self.most_bytes - self.stdout.len();
        self.stdout.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if bytes.len() > room {
            self.is_cut = true;
            self.spilled += bytes.len() - room;
        }
    }

    fn take_stderr(&mut self, bytes: &[u8]) {
        self.spilled += bytes.len();
        match &mut self.reports {
            None => keep_end(&mut self.stderr, bytes),
            Some(reports) => reports.take(bytes, |line| keep_end(&mut self.stderr, line)),
        }
    }
}

/// Adds to the end, and drops the beginning.
fn keep_end(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.extend_from_slice(&bytes[bytes.len().saturating_sub(limits::STDERR_BYTES)..]);
    kept.drain(..kept.len().saturating_sub(limits::STDERR_BYTES));
}

/// Where a command prints to; one that is closed is gone.
pub(super) struct Pipes {
    pub(super) stdout: Option<Receiver>,
    pub(super) stderr: Option<Receiver>,
}

impl Pipes {
    fn are_closed(&self) -> bool {
        self.stdout.is_none() && self.stderr.is_none()
    }
}

/// Reads once; pending where nothing is there and where nothing will come.
fn poll_read(pipe: &mut Option<Receiver>, context: &mut Context<'_>, take: impl FnOnce(&[u8])) -> Poll<()> {
    let Some(open) = pipe else { return Poll::Pending };
    let mut bytes = [0; 8192];
    let mut buffer = ReadBuf::new(&mut bytes);
    let read = ready!(Pin::new(open).poll_read(context, &mut buffer));
    match (read, buffer.filled()) {
        (Ok(()), filled) if !filled.is_empty() => take(filled),
        _ => *pipe = None,
    }
    Poll::Ready(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stdout_is_kept_from_its_beginning_and_stderr_to_its_end() {
        let mut capture = Capture::new(10, true);
        capture.take_stdout(b"0123456");
        capture.take_stdout(b"789");
        assert!(!capture.is_full(), "what just fits is whole");
        capture.take_stdout(b"x");
        assert!(capture.is_full());
        capture.take_stderr(&vec![b'a'; limits::STDERR_BYTES]);
        capture.take_stderr(b"the end");
        capture.take_stderr(&vec![b'b'; 3 * limits::STDERR_BYTES]);
        capture.take_stderr(b"the end");
        let (stdout, is_cut, stderr) = capture.into_parts();
        assert_eq!((stdout.as_slice(), is_cut, stderr.len()), (b"0123456789".as_slice(), true, limits::STDERR_BYTES));
        assert!(stderr.ends_with(b"bbthe end") && stderr.starts_with(b"b"));
    }
}
