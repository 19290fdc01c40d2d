//! What the server does from time to time, whoever calls.

use crate::errand;
use crate::http::Service;
use crate::limits;
use crate::log::{flush_due, rest};
use crate::server::tls::Tls;
use crate::systemd;
use std::rc::Rc;
use std::time::Duration;

/// Keeps the certificate good.
pub(crate) async fn look_after(tls: Rc<Tls>) {
    let mut rounds = tokio::time::interval(Duration::from_secs(limits::CERTIFICATE_SECS));
    loop {
        rounds.tick().await;
        tls.look_after();
    }
}

/// Keeps streams alive, and ends those that are over.
pub(crate) async fn keep_alive(service: Rc<Service>) {
    let mut rounds = tokio::time::interval(Duration::from_secs(limits::KEEP_ALIVE_SECS));
    rounds.tick().await;
    loop {
        rounds.tick().await;
        service.keep_alive();
    }
}

/// Has the lines of the audit written that wait: now, or in a moment.
pub(super) fn before_sleep() {
    if let Some(moment) = rest() {
        errand::begin(async move {
            tokio::time::sleep(moment).await;
            flush_due();
        });
    }
}

/// Tells systemd that the server is there, and then, as often as it wants to hear it, that its event loop turns. Spawned, it
/// begins when the server waits for the first time: by then all that it needs is held.
pub(super) async fn tell_systemd() {
    systemd::ready();
    let Some(patience) = systemd::watchdog() else { return };
    // Twice as often as needed, as `sd_watchdog_enabled(3)` asks.
    let mut rounds = tokio::time::interval(patience / 2);
    loop {
        rounds.tick().await;
        systemd::alive();
    }
}
