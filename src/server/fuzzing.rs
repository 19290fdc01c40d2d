//! A server without a port, for the fuzz targets; there only when they are built.

use crate::audit::Nothing;
use crate::config::{Auth, Config};
use crate::http::{Link, Service};
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
}

impl Bench {
    #[allow(clippy::expect_used)] // A fuzz target that cannot start must say so.
    pub(crate) fn new() -> Self {
        let state = std::env::temp_dir().join(format!("perchd-fuzz-{}", std::process::id()));
        let config = Config { auth: Auth::Open, ..Config::with_state(state) };
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, 8787));
        let service = Server::new(config).builtin().service(&[address], Box::new(Nothing)).expect("a server").service;
        Bench { runtime: runtime().expect("a runtime"), service }
    }

    #[allow(clippy::expect_used)]
    pub(crate) fn converse(&self, bytes: &[u8]) -> Vec<u8> {
        let (mut near, far) = StdStream::pair().expect("a pair of sockets");
        near.write_all(&bytes[..bytes.len().min(BYTES)]).expect("room in the socket");
        near.shutdown(Shutdown::Write).expect("an end");
        let stop = Rc::new(Stop::default());
        let ticket = stop.ticket().expect("a place");
        self.runtime.block_on(async {
            far.set_nonblocking(true).expect("a socket");
            let far = UnixStream::from_std(far).expect("a socket");
            let served = tokio::task::spawn_local(conn::serve(far, Link::LOOPBACK, Rc::clone(&self.service), stop, ticket));
            let _ = tokio::time::timeout(std::time::Duration::from_secs(5), served).await.expect("an end");
        });
        let mut answers = Vec::new();
        near.set_nonblocking(true).expect("a socket");
        let _ = near.read_to_end(&mut answers);
        answers
    }
}
