//! Accepting connections.

use crate::config::Limits;
use crate::error::{Error, Exit};
use crate::http::{Link, Service};
use crate::limits;
use crate::server::conn;
use crate::server::socket::Socket;
use crate::server::stop::{Stop, Ticket};
use crate::server::tls::{First, Tls};
use crate::systemd;
use rustix::process::{Resource, getrlimit};
use std::future::{Future, poll_fn};
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};

/// What a connection gets that is one too many. It is written without waiting: who cannot take it goes without.
const FULL: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 5\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// The sockets that systemd hands over; where it hands over none, these addresses.
pub(crate) fn all(addresses: &[SocketAddr]) -> Result<Vec<StdListener>, Error> {
    let handed = systemd::listeners()?;
    if handed.is_empty() {
        return addresses.iter().map(|address| bind(*address)).collect();
    }
    log::info!("listens where perchd.socket says, whatever `listen` in the configuration is");
    Ok(handed)
}

fn bind(address: SocketAddr) -> Result<StdListener, Error> {
    let listener = StdListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    listener.map_err(|error| {
        let remedy = match error.kind() {
            io::ErrorKind::AddrInUse => "Another program listens there, perhaps another perchd. Name another port with --listen.",
            io::ErrorKind::PermissionDenied => "Ports under 1024 belong to root. Name another with --listen.",
            _ => "Name an address of this machine with --listen.",
        };
        Error::new(Exit::System, "cannot listen").at(address).because(error).remedy(remedy)
    })
}

/// What `limits` come to where the system lets the process open only so many files: some are spared for tools and commands,
/// which would fail without. It is too late to refuse a connection when there is no file left to accept it with.
pub(crate) fn affordable(limits: Limits) -> Limits {
    let files = getrlimit(Resource::Nofile).current.and_then(|files| usize::try_from(files).ok()).unwrap_or(usize::MAX);
    let connections = limits.connections.min(files.saturating_sub(limits::FILES_SPARED).max(1));
    if connections < limits.connections {
        log::warn!(
            "only {connections} connections instead of {}: the process may open {files} files (LimitNOFILE=, ulimit -n)",
            limits.connections
        );
    }
    Limits { connections, ..limits }
}

/// Accepts connections until the server stops.
pub(crate) async fn accept(listener: TcpListener, service: Rc<Service>, tls: Option<Rc<Tls>>, stop: Rc<Stop>) {
    let mut stopping = pin!(stop.begun());
    loop {
        let accepted = poll_fn(|context| match stopping.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => listener.poll_accept(context).map(Some),
        });
        match accepted.await {
            None => return,
            Some(Ok((socket, peer))) => welcome(socket, peer, &service, tls.as_ref(), &stop),
            Some(Err(error)) => {
                // Out of file descriptors, most likely. Those that are open go on and will free some.
                log::warn!("cannot accept a connection: {error}");
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        }
    }
}

fn welcome(socket: TcpStream, peer: SocketAddr, service: &Rc<Service>, tls: Option<&Rc<Tls>>, stop: &Rc<Stop>) {
    let peer = peer.ip().to_canonical();
    let Some(ticket) = stop.ticket(peer) else {
        service.turned_away();
        log::warn!("as many connections are open as there may be: one more was turned away");
        let _ = socket.try_write(FULL);
        // What has come already is taken: else the end of the connection would be a reset, before the answer is seen.
        let _ = socket.try_read(&mut [0; 4096]);
        return;
    };
    // Answers are written whole: waiting for more to put into the same packet only delays them.
    let _ = socket.set_nodelay(true);
    // Gone already: nobody is there to be answered.
    let Ok(local) = socket.local_addr() else { return };
    let link = Link { peer, local: local.ip().to_canonical(), is_tls: false };
    let (service, stop) = (Rc::clone(service), Rc::clone(stop));
    match tls {
        None => tokio::task::spawn_local(conn::serve(Socket::Plain(socket), link, service, stop, ticket)),
        Some(tls) => tokio::task::spawn_local(either(Rc::clone(tls), socket, link, service, stop, ticket)),
    };
}

/// Serves a connection over TLS or plain, as it begins.
async fn either(tls: Rc<Tls>, socket: TcpStream, link: Link, service: Rc<Service>, stop: Rc<Stop>, ticket: Ticket) {
    let Some(socket) = begun(&tls, socket, link, &stop).await else { return };
    let link = Link { is_tls: matches!(socket, Socket::Tls(_)), ..link };
    // Boxed: a task is as large as the largest of its parts.
    Box::pin(conn::serve(socket, link, service, stop, ticket)).await;
}

/// The connection after its handshake, if it wants one; `None` where nothing comes of it.
async fn begun(tls: &Tls, socket: TcpStream, link: Link, stop: &Stop) -> Option<Socket> {
    let first = stop.unless_over(pin!(First::peek(&socket))).await?;
    match first.inspect_err(|error| log::debug!("a connection from {} broke: {error}", link.peer)).ok()? {
        First::Plain => Some(Socket::Plain(socket)),
        First::Handshake => {
            let agreed = stop.unless_over(Box::pin(tls.accept(socket, link.peer))).await?;
            agreed.inspect_err(|error| log::debug!("no TLS with {}: {error}", link.peer)).ok().map(Socket::Tls)
        }
    }
}
