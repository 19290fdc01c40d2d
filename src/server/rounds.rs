//! What the server does from time to time, whoever calls.

use crate::http::Service;
use crate::limits;
use crate::server::tls::Tls;
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
