//! A server without a port, for the fuzz targets; there only when they are built.

use crate::audit::Nothing;
use crate::config::{Auth, Config, Tls as Source};
use crate::http::{Link, Service};
use crate::server::tls::{First, Tls};
use crate::server::{Server, conn, runtime, stop::Stop};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr};
use std::os::unix::net::UnixStream as StdStream;
use std::rc::Rc;
use tokio::net::UnixStream;
use tokio::runtime::LocalRuntime;

/// More does not teach more, and must fit into the socket.
const BYTES: usize = 16 * 1024;

/// A server, and the runtime that it runs on.
pub(crate) struct Bench {
    runtime: LocalRuntime,
    service: Rc<Service>,
    tls: Rc<Tls>,
}

impl Bench {
    #[allow(clippy::expect_used)] // A fuzz target that cannot start must say so.
    pub(crate) fn new() -> Self {
        let state = std::env::temp_dir().join(format!("perchd-fuzz-{}", std::process::id()));
        let config = Config { auth: Auth::Open, tls: Source::Own, ..Config::with_state(state) };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8787));
        let tls = Tls::open(&config).expect("a certificate");
        let service =
            Server::new(config).builtin().service(&[address], tls.clone(), Box::new(Nothing)).expect("a server").service;
        let tls = tls.expect("TLS");
        Bench { runtime: runtime().expect("a runtime"), service, tls }
    }

    pub(crate) fn converse(&self, bytes: &[u8]) -> Vec<u8> {
        self.exchange(bytes, First::Plain)
    }

    pub(crate) fn greet(&self, bytes: &[u8]) -> (bool, Vec<u8>) {
        let first = bytes.first().map_or(First::Plain, |byte| First::of(*byte));
        (first == First::Handshake, self.exchange(bytes, first))
    }

    #[allow(clippy::expect_used)]
    fn exchange(&self, bytes: &[u8], first: First) -> Vec<u8> {
        let (mut near, far) = StdStream::pair().expect("a pair of sockets");
        near.write_all(&bytes[..bytes.len().min(BYTES)]).expect("room in the socket");
        near.shutdown(Shutdown::Write).expect("an end");
        let stop = Rc::new(Stop::default());
        let ticket = stop.ticket(Link::LOOPBACK.peer).expect("a place");
        self.runtime.block_on(async {
            far.set_nonblocking(true).expect("a socket");
            let far = UnixStream::from_std(far).expect("a socket");
            let (service, tls) = (Rc::clone(&self.service), Rc::clone(&self.tls));
            let served = tokio::task::spawn_local(async move {
                match first {
                    First::Plain => conn::serve(far, Link::LOOPBACK, service, stop, ticket).await,
                    First::Handshake => {
                        if let Ok(far) = tls.accept(far, Link::LOOPBACK.peer).await {
                            conn::serve(far, Link { is_tls: true, ..Link::LOOPBACK }, service, stop, ticket).await;
                        }
                    }
                }
            });
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), served).await.expect("an end");
        });
        let mut answers = Vec::new();
        near.set_nonblocking(true).expect("a socket");
        let _ = near.read_to_end(&mut answers);
        answers
    }
}
