//! What systemd and the server tell each other: that it is there, that its event loop turns, and which sockets and secrets
//! are handed over. Where no systemd started the server, nothing of this is there, and nothing is said.

use crate::error::{Error, Exit};
use listenfd::ListenFd;
use rustix::time::{ClockId, clock_gettime};
use sd_notify::NotifyState;
use std::env;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

/// The server answers from now on. After [`reloading`]: with the new configuration, or with the old one.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The configuration is read anew.
pub(crate) fn reloading() {
    // With Type=notify-reload, systemd wants the time with it (`sd_notify(3)`). Not the time of sd-notify: on 32 bits, that one
    // overflows after 35 minutes.
    let now = clock_gettime(ClockId::Monotonic);
    let usec = i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000;
    tell(&[NotifyState::Reloading, NotifyState::MonotonicUsec(usec)]);
}

/// The server ends what was begun.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// The event loop turns.
pub(crate) fn alive() {
    tell(&[NotifyState::Watchdog]);
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        log::warn!("cannot tell systemd {state:?}: {error}");
    }
}

/// After how long without [`alive`] the server counts as hung; `None` where nobody watches.
pub(crate) fn watchdog() -> Option<Duration> {
    sd_notify::watchdog_enabled()
}

/// The sockets that were handed over, to be listened to in place of the configuration's addresses (`sd_listen_fds(3)`).
///
/// # Errors
/// When one of them is no TCP socket.
pub(crate) fn listeners() -> Result<Vec<TcpListener>, Error> {
    let mut handed = ListenFd::from_env();
    let count = handed.len();
    let take = |index| {
        let listener = handed.take_tcp_listener(index)?;
        listener.map(|listener| listener.set_nonblocking(true).map(|()| listener)).transpose()
    };
    let taken = (0..count).map(take).filter_map(Result::transpose).collect::<Result<_, _>>();
    taken.map_err(|error: std::io::Error| {
        let remedy = "perchd.socket may have nothing but ListenStream=PORT and ListenStream=ADDRESS:PORT.";
        Error::new(Exit::Config, "systemd hands over what is no TCP socket").because(error).remedy(remedy)
    })
}

/// Where perchd.socket listens for the system's server, as systemd has read it; nothing where there is no such unit.
pub(crate) fn socket_unit() -> Vec<SocketAddr> {
    let mut systemctl = Command::new("/usr/bin/systemctl");
    systemctl.args(["show", "--property=Listen", "--value", "perchd.socket"]).stdin(Stdio::null()).stderr(Stdio::null());
    systemctl.output().map_or_else(|_| Vec::new(), |told| streams(&String::from_utf8_lossy(&told.stdout)))
}

/// The addresses of a list such as `[::]:8787 (Stream)`, one a line.
fn streams(told: &str) -> Vec<SocketAddr> {
    told.lines().filter_map(|line| line.strip_suffix(" (Stream)")?.parse().ok()).collect()
}

/// The file of a secret that is handed over (systemd.exec(5), `LoadCredential`).
pub(crate) fn credential(name: &str) -> Option<PathBuf> {
    let path = PathBuf::from(env::var_os("CREDENTIALS_DIRECTORY")?).join(name);
    path.exists().then_some(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_socket_units_addresses_are_those_of_tcp() {
        let told = "[::]:8787 (Stream)\n127.0.0.1:9000 (Stream)\n/run/perchd.sock (Stream)\n[::]:53 (Datagram)\n";
        assert_eq!(streams(told), ["[::]:8787".parse().unwrap(), "127.0.0.1:9000".parse().unwrap()]);
        assert_eq!(streams("\n"), []);
    }
}
