//! What the system tells the server.

use tokio::runtime::LocalRuntime;
use tokio::signal::unix::{Signal, SignalKind, signal};

/// What the system sends. It is listened to before anybody is told that the server is there: until then, each of these
/// would end the process on the spot.
#[derive(Debug)]
pub(super) struct Signals {
    pub(super) terminate: Signal,
    pub(super) interrupt: Signal,
    /// Only where there is something to reload; else a terminal that is closed ends the server.
    pub(super) hangup: Option<Signal>,
}

impl Signals {
    pub(super) fn listen(runtime: &LocalRuntime, has_reload: bool) -> std::io::Result<Self> {
        let _within = runtime.handle().enter();
        let hangup = has_reload.then(|| signal(SignalKind::hangup())).transpose()?;
        Ok(Signals { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())?, hangup })
    }
}
