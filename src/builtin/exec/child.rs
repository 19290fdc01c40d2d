//! A command as a process group of its own: started without a shell, watched, and ended with all that it left behind.

use crate::builtin::exec::capture::{Capture, Pipes};
use crate::config::declared::Setting;
use crate::limits;
use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, WaitIdStatus, kill_process_group, test_kill_process_group, waitid};
use std::fmt;
use std::future::{Future, poll_fn};
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::pin::pin;
use std::process::{Command, Stdio};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::unix::pipe::Receiver;
use tokio::signal::unix::{Signal as Arrivals, SignalKind, signal};
use tokio::sync::oneshot::Sender;
use tokio::time::sleep;

/// Where programs look for others.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a command ended.
pub(crate) struct Ran {
    pub(crate) end: End,
    pub(crate) stdout: Vec<u8>,
    /// Whether it printed more than was kept.
    pub(crate) is_cut: bool,
    /// The end of what it wrote there.
    pub(crate) stderr: Vec<u8>,
}

/// Why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// By itself, with this code.
    Exited(i32),
    /// By a signal that we did not send.
    Killed(i32),
    /// Its time was up.
    Overdue,
    /// It had printed all that may be read.
    Full,
    /// Nobody waits for it any more.
    GivenUp,
}

/// A command that runs.
pub(super) struct Child {
    group: Group,
    pipes: Pipes,
    /// A child of this process ended, whichever.
    ends: Arrivals,
}

impl Child {
    /// Starts `argv`. Nothing of perchd's own environment and no file of it but the three pipes goes with it.
    pub(super) fn start(argv: &[String], setting: &Setting) -> io::Result<Self> {
        let (program, elements) = argv.split_first().ok_or(io::ErrorKind::InvalidInput)?;
        // Before the start, so that no end is missed.
        let ends = signal(SignalKind::child())?;
        let mut child = Command::new(program)
            .args(elements)
            .env_clear()
            .env("PATH", PATH)
            .env("LANG", "C.UTF-8")
            .envs(setting.env.iter().map(|(name, value)| (name, value)))
            .current_dir(&setting.cwd)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()?;
        let group = Group { pid: Pid::from_child(&child), is_over: false };
        let receiver = |fd: Option<OwnedFd>| fd.map(Receiver::from_owned_fd).transpose();
        let stdout = receiver(child.stdout.take().map(OwnedFd::from))?;
        let stderr = receiver(child.stderr.take().map(OwnedFd::from))?;
        Ok(Child { group, pipes: Pipes { stdout, stderr }, ends })
    }

    /// Sees it to its end, which comes at the latest when its time is up or nobody waits at `caller` any more.
    pub(super) async fn attend(&mut self, mut capture: Capture, timeout: Duration, caller: &mut Sender<Ran>) -> Ran {
        let end = self.watch(&mut capture, timeout, Some(caller)).await;
        if !matches!(end, End::Exited(_) | End::Killed(_)) {
            self.group.send(Signal::TERM);
            if self.watch(&mut capture, Duration::from_millis(limits::GRACE_MS), None).await == End::Overdue {
                self.group.send(Signal::KILL);
                self.watch(&mut capture, Duration::from_millis(limits::AFTERLIFE_MS), None).await;
            }
        }
        self.drain(&mut capture).await;
        let (stdout, is_cut, stderr) = capture.into_parts();
        Ran { end, stdout, is_cut, stderr }
    }

    /// Reads until it ends, or should. Without a caller there is nobody to give it up, and a full capture is no reason.
    async fn watch(&mut self, capture: &mut Capture, patience: Duration, mut caller: Option<&mut Sender<Ran>>) -> End {
        let mut patience = pin!(sleep(patience));
        poll_fn(|context| {
            let _ = capture.poll(&mut self.pipes, context);
            if let Poll::Ready(end) = self.poll_end(context) {
                return Poll::Ready(end);
            }
            if caller.as_mut().is_some_and(|caller| caller.poll_closed(context).is_ready()) {
                return Poll::Ready(End::GivenUp);
            }
            if caller.is_some() && capture.is_full() {
                return Poll::Ready(End::Full);
            }
            patience.as_mut().poll(context).map(|()| End::Overdue)
        })
        .await
    }

    /// Reads what is left. What the command started and left behind may hold its pipes open: for a moment only.
    async fn drain(&mut self, capture: &mut Capture) {
        let mut patience = pin!(sleep(Duration::from_millis(limits::AFTERLIFE_MS)));
        poll_fn(|context| match capture.poll(&mut self.pipes, context) {
            Poll::Ready(()) => Poll::Ready(()),
            Poll::Pending => patience.as_mut().poll(context),
        })
        .await;
    }

    /// Ends what it left behind in its group, and takes it off the table of processes.
    pub(super) async fn tidy(mut self) {
        (self.pipes.stdout, self.pipes.stderr) = (None, None);
        // While it is on that table, its number is its own: nobody else's group can be hit.
        self.group.send(Signal::TERM);
        poll_fn(|context| self.poll_end(context)).await;
        self.group.reap();
        for _ in 0..limits::GRACE_MS / 20 {
            if self.group.is_over {
                return;
            }
            sleep(Duration::from_millis(20)).await;
            self.group.reap();
        }
        self.group.send(Signal::KILL);
        sleep(Duration::from_millis(20)).await;
        self.group.reap();
        self.group.is_over = true;
    }

    fn poll_end(&mut self, context: &mut Context<'_>) -> Poll<End> {
        loop {
            if let Some(end) = self.group.end() {
                return Poll::Ready(end);
            }
            if self.ends.poll_recv(context).is_pending() {
                return Poll::Pending;
            }
        }
    }
}

/// A process group with the first of its processes, which has its number.
struct Group {
    pid: Pid,
    /// Whether none of its processes is left.
    is_over: bool,
}

impl Group {
    fn send(&self, signal: Signal) {
        // It may be gone already.
        let _ = kill_process_group(self.pid, signal);
    }

    /// How the first process ended; it stays on the table of processes.
    fn end(&self) -> Option<End> {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        match waitid(WaitId::Pid(self.pid), options) {
            Ok(None) | Err(Errno::INTR) => None,
            Ok(Some(status)) => Some(of_status(&status)),
            // Somebody else has reaped it: there is nothing more to learn.
            Err(_) => Some(End::Killed(0)),
        }
    }

    /// Takes those of its processes off the table that are children of ours: where perchd is the first process of a
    /// container, orphans are.
    fn reap(&mut self) {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG;
        // The first process may have gone over to another group.
        let _ = waitid(WaitId::Pid(self.pid), options);
        while let Ok(Some(_)) = waitid(WaitId::Pgid(Some(self.pid)), options) {}
        self.is_over = test_kill_process_group(self.pid).is_err();
    }
}

/// The server ends before the command does.
impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_over {
            self.send(Signal::KILL);
        }
    }
}

fn of_status(status: &WaitIdStatus) -> End {
    match (status.exit_status(), status.terminating_signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Killed(signal.unwrap_or_default()),
    }
}

/// The name of a signal, as manuals have it.
pub(super) struct SignalName(pub(super) i32);

impl fmt::Display for SignalName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match Signal::from_named_raw(self.0) {
            Some(Signal::ABORT) => f.write_str("SIGABRT"),
            Some(Signal::ALARM) => f.write_str("SIGALRM"),
            Some(signal) => write!(f, "SIG{}", format!("{signal:?}").trim_matches('"').trim_start_matches("Signal::")),
            None => write!(f, "signal {}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_have_the_names_of_the_manual() {
        for (signal, name) in [
            (Signal::KILL, "SIGKILL"),
            (Signal::TERM, "SIGTERM"),
            (Signal::SEGV, "SIGSEGV"),
            (Signal::ABORT, "SIGABRT"),
            (Signal::ALARM, "SIGALRM"),
        ] {
            assert_eq!(SignalName(signal.as_raw()).to_string(), name);
        }
        assert_eq!(SignalName(40).to_string(), "signal 40");
    }
}
