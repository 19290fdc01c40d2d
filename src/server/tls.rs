//! TLS and plain HTTP on one port, told apart by the first byte; and the certificate, which can be changed while it serves.

use crate::config::{Config, Tls as Source};
use crate::error::{Error, Exit};
use crate::http::OwnCa;
use crate::limits;
use crate::server::certificate::{self, Identity};
use crate::server::stop::neighbourhood;
use crate::world::{Clock, Now};
use heapless::Deque;
use rustls::crypto::ring::{Ticketer, default_provider, sign::any_supported_type};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert, ServerConfig, ServerConnection};
use rustls::sign::CertifiedKey;
use rustls::version::TLS13;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::io;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::rc::Rc;
use std::sync::{Arc, PoisonError, RwLock};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A connection begins with one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum First {
    /// A handshake of TLS.
    Handshake,
    /// Anything else, which is for HTTP to judge.
    Plain,
}

impl First {
    /// What begins with this byte: a record of type 22 is a handshake (RFC 8446 5.1), and no method of HTTP begins so.
    pub(crate) fn of(byte: u8) -> Self {
        if byte == 22 { First::Handshake } else { First::Plain }
    }

    /// What a connection begins with; its bytes stay where they are. Fails when it ends before its first byte, or keeps
    /// silent for as long as a request may.
    pub(crate) async fn peek(socket: &TcpStream) -> io::Result<Self> {
        let mut byte = [0];
        let patience = Duration::from_secs(limits::HEAD_SECS);
        match tokio::time::timeout(patience, socket.peek(&mut byte)).await?? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(First::of(byte[0])),
        }
    }
}

/// The TLS side of a server.
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    shown: Arc<Shown>,
    state: PathBuf,
    clock: Clock,
    loaded: RefCell<Loaded>,
    handshakes: Handshakes,
}

/// Where the certificate came from, and what must be known to tell when it should be changed.
struct Loaded {
    source: Source,
    names: Vec<String>,
    identity: Identity,
    ca: Option<OwnCa>,
    is_warned: Cell<bool>,
}

/// A certificate that was read, and may be shown.
pub(crate) struct Fresh {
    loaded: Loaded,
    key: Arc<CertifiedKey>,
}

impl Fresh {
    /// The board's own CA, if the certificate is of it.
    pub(crate) fn own_ca(&self) -> Option<OwnCa> {
        self.loaded.ca.clone()
    }
}

impl Tls {
    /// What `config` asks for; `None` where it wants no TLS.
    pub(crate) fn open(config: &Config) -> Result<Option<Rc<Self>>, Error> {
        if config.tls == Source::Off {
            return Ok(None);
        }
        let clock = Clock::start(0);
        let Fresh { loaded, key } = load(&config.tls, &config.state, &certificate::names(config), clock.now())?;
        let shown = Arc::new(Shown(RwLock::new(key)));
        let acceptor = TlsAcceptor::from(Arc::new(settings(&shown)?));
        let (loaded, handshakes) = (RefCell::new(loaded), Handshakes::default());
        Ok(Some(Rc::new(Tls { acceptor, shown, state: config.state.clone(), clock, loaded, handshakes })))
    }

    /// When the operator's certificate ends, in seconds since 1970; `None` where it is none of his. What is wrong with it
    /// would keep a server from starting, and another one from taking it.
    pub(crate) fn check(config: &Config) -> Result<Option<u64>, Error> {
        if !matches!(config.tls, Source::Files { .. }) {
            return Ok(None);
        }
        let fresh = load(&config.tls, &config.state, &certificate::names(config), Clock::start(0).now())?;
        Ok(Some(fresh.loaded.identity.ends()))
    }

    /// The board's own CA, if the certificate is of it.
    pub(crate) fn own_ca(&self) -> Option<OwnCa> {
        self.loaded.borrow().ca.clone()
    }

    /// Reads the certificate that `config` names anew, for [`Tls::take`].
    ///
    /// # Errors
    /// When there is no such certificate.
    pub(crate) fn read(&self, config: &Config) -> Result<Fresh, Error> {
        load(&config.tls, &self.state, &certificate::names(config), self.clock.now())
    }

    /// Shows another certificate from now on. Connections that are open go on.
    pub(crate) fn take(&self, fresh: Fresh) {
        self.shown.replace(fresh.key);
        self.loaded.replace(fresh.loaded);
    }

    /// Makes a new certificate of the own CA when the old one is due, or the board has got another address.
    pub(crate) fn look_after(&self) {
        let now = self.clock.now();
        let fresh = {
            let loaded = self.loaded.borrow();
            if loaded.source != Source::Own {
                return loaded.warn_of_end(now);
            }
            if !loaded.identity.is_due(&certificate::of_host(&loaded.names), now) {
                return;
            }
            load(&loaded.source, &self.state, &loaded.names, now)
        };
        match fresh {
            Ok(fresh) => self.take(fresh),
            Err(error) => log::error!("cannot renew the certificate: {error}"),
        }
    }

    /// The handshake of a connection that began with one. It ends in time, one way or the other.
    pub(crate) async fn accept<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        socket: S,
        peer: IpAddr,
    ) -> io::Result<Box<TlsStream<S>>> {
        let slot = self.handshakes.slot(peer);
        let limited = |connection: &mut ServerConnection| connection.set_buffer_limit(Some(limits::TLS_BUFFER_BYTES));
        let handshake = self.acceptor.accept_with(socket, limited);
        let mut handshake = pin!(tokio::time::timeout(Duration::from_secs(limits::HANDSHAKE_SECS), handshake));
        let mut pushed_out = pin!(slot.pushed_out());
        poll_fn(|context| match handshake.as_mut().poll(context) {
            // Boxed: it goes from hand to hand, each of which would have room for all of it.
            Poll::Ready(done) => Poll::Ready(done?.map(Box::new)),
            Poll::Pending => pushed_out.as_mut().poll(context).map(|()| Err(io::Error::other("too many handshakes"))),
        })
        .await
    }
}

impl std::fmt::Debug for Tls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tls").field("identity", &self.loaded.borrow().identity).finish_non_exhaustive()
    }
}

impl Loaded {
    /// Nobody but the operator can renew what is his.
    fn warn_of_end(&self, now: Now) {
        const SOON_SECS: u64 = 14 * 24 * 3600;
        if now.unix + SOON_SECS > self.identity.ends() && !self.is_warned.replace(true) {
            log::warn!("the certificate ends within two weeks; put a new one in its place and send SIGHUP");
        }
    }
}

fn load(source: &Source, state: &Path, names: &[String], now: Now) -> Result<Fresh, Error> {
    let (identity, ca) = match source {
        Source::Off => {
            let what = "TLS cannot be switched off while the server runs";
            return Err(Error::new(Exit::Config, what).at("[tls]").remedy("Start it anew: systemctl restart perchd"));
        }
        Source::Own => {
            let made = certificate::ensure(state, names, now)?;
            (made.identity, Some(OwnCa { pem: made.ca.into(), fingerprint: made.fingerprint }))
        }
        Source::Files { certificate, key } => (certificate::from_files(certificate, key, now)?, None),
    };
    let key = certified(source, &identity)?;
    let loaded = Loaded { source: source.clone(), names: names.to_owned(), identity, ca, is_warned: Cell::default() };
    loaded.warn_of_end(now);
    Ok(Fresh { loaded, key })
}

/// Puts certificate and key together.
fn certified(source: &Source, identity: &Identity) -> Result<Arc<CertifiedKey>, Error> {
    let place = match source {
        Source::Files { key, .. } => key.to_string(),
        _ => "server.key".to_owned(),
    };
    let refused = |what: &str| Error::new(Exit::Config, what).at(&place);
    let key = any_supported_type(&identity.key).map_err(|_| {
        refused("this kind of private key is not known").remedy("Take one of the kinds ECDSA P-256, P-384, Ed25519 or RSA.")
    })?;
    let key = CertifiedKey::new(identity.chain.clone(), key);
    key.keys_match().map_err(|_| {
        refused("the private key does not belong to the certificate")
            .remedy("Name the key that the certificate was requested with, and put the board's certificate first in its file.")
    })?;
    Ok(Arc::new(key))
}

fn settings(shown: &Arc<Shown>) -> Result<ServerConfig, Error> {
    let failed = |_| Error::new(Exit::Software, "cannot set up TLS");
    let builder = ServerConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_protocol_versions(&[&TLS13]).map_err(failed)?;
    let mut settings = builder.with_no_client_auth().with_cert_resolver(Arc::<Shown>::clone(shown));
    settings.alpn_protocols = vec![b"http/1.1".to_vec()];
    // The client keeps the session, sealed with a key that lives as long as this process: there is no table to fill.
    settings.session_storage = Arc::new(NoServerSessionStorage {});
    settings.ticketer = Ticketer::new().map_err(failed)?;
    settings.send_tls13_tickets = 1;
    Ok(settings)
}

/// The certificate of the moment.
#[derive(Debug)]
struct Shown(RwLock<Arc<CertifiedKey>>);

impl Shown {
    fn replace(&self, key: Arc<CertifiedKey>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = key;
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        // Whatever name the client asks for: all of them stand in the one certificate, or the client sees that they do not.
        Some(Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner)))
    }
}

/// The handshakes under way, from the oldest, and whence each comes.
#[derive(Default)]
struct Handshakes(RefCell<Deque<(IpAddr, Rc<Notify>), { limits::HANDSHAKES }>>);

/// One of them.
struct Slot<'a> {
    handshakes: &'a Handshakes,
    pushed_out: Rc<Notify>,
}

impl Handshakes {
    /// A place, if need be that of the oldest of whoever has the most.
    fn slot(&self, peer: IpAddr) -> Slot<'_> {
        let mut slots = self.0.borrow_mut();
        let of = |address: IpAddr| slots.iter().filter(|(other, _)| *other == address).count();
        if slots.is_full()
            // Of several that are equal, the last: so from the youngest to the oldest.
            && let Some((_, oldest)) = slots.iter().rev().max_by_key(|(address, _)| of(*address))
        {
            let oldest = Rc::clone(oldest);
            oldest.notify_one();
            slots.retain(|(_, slot)| !Rc::ptr_eq(slot, &oldest));
        }
        let pushed_out = Rc::<Notify>::default();
        let _ = slots.push_back((neighbourhood(peer), Rc::clone(&pushed_out)));
        Slot { handshakes: self, pushed_out }
    }
}

impl Slot<'_> {
    async fn pushed_out(&self) {
        self.pushed_out.notified().await;
    }
}

impl Drop for Slot<'_> {
    fn drop(&mut self) {
        self.handshakes.0.borrow_mut().retain(|(_, slot)| !Rc::ptr_eq(slot, &self.pushed_out));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_method_of_http_begins_like_a_handshake() {
        for byte in 0..=255 {
            let is_handshake = First::of(byte) == First::Handshake;
            assert_eq!(is_handshake, byte == 0x16);
            assert!(!(is_handshake && byte.is_ascii_graphic()));
        }
    }

    #[test]
    fn a_certificate_that_is_due_gives_way_while_it_is_shown() {
        let state = std::env::temp_dir().join(format!("perchd-tls-{}", std::process::id()));
        let config = Config { tls: Source::Own, ..Config::with_state(state.clone()) };
        let tls = Tls::open(&config).unwrap().unwrap();
        let shown = || tls.shown.0.read().unwrap().cert.clone();
        let first = shown();
        tls.look_after();
        assert_eq!(shown(), first);
        tls.loaded.borrow_mut().names.push("shed.local".to_owned());
        tls.look_after();
        let second = shown();
        assert_ne!(second, first);
        assert!(second[0].windows(10).any(|bytes| bytes == b"shed.local"));
        tls.look_after();
        assert_eq!(shown(), second);
        std::fs::remove_dir_all(state).unwrap();
    }

    #[test]
    fn tls_that_is_off_opens_nothing_and_cannot_be_switched_off_later() {
        let state = std::env::temp_dir().join(format!("perchd-tls-off-{}", std::process::id()));
        let off = Config::with_state(state.clone());
        assert!(Tls::open(&off).unwrap().is_none());
        assert!(!state.exists());
        let tls = Tls::open(&Config { tls: Source::Own, ..off.clone() }).unwrap().unwrap();
        assert!(tls.read(&off).err().unwrap().to_string().contains("cannot be switched off"));
        std::fs::remove_dir_all(state).unwrap();
    }

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    #[test]
    fn who_begins_many_handshakes_pushes_out_his_own() {
        let handshakes = Handshakes::default();
        let honest = handshakes.slot("192.0.2.1".parse().unwrap());
        let flood: Vec<_> = (0..3 * limits::HANDSHAKES).map(|_| handshakes.slot(ONE)).collect();
        let is_out = |slot: &Slot<'_>| {
            let waiting = std::pin::pin!(slot.pushed_out());
            waiting.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
        };
        assert!(!is_out(&honest) && is_out(&flood[0]) && !is_out(&flood[flood.len() - 1]));
    }

    #[test]
    fn the_oldest_handshake_makes_room() {
        let handshakes = Handshakes::default();
        let slots: Vec<_> = (0..limits::HANDSHAKES).map(|_| handshakes.slot(ONE)).collect();
        let is_out = |slot: &Slot<'_>| {
            let waiting = std::pin::pin!(slot.pushed_out());
            waiting.poll(&mut std::task::Context::from_waker(std::task::Waker::noop())).is_ready()
        };
        assert!(slots.iter().all(|slot| !is_out(slot)));
        let one_more = handshakes.slot(ONE);
        let out: Vec<_> = slots.iter().map(is_out).collect();
        assert!(out[0] && !out[1..].contains(&true) && !is_out(&one_more));
        drop(slots);
        assert_eq!(handshakes.0.borrow().len(), 1);
        drop(one_more);
        assert!(handshakes.0.borrow().is_empty());
    }
}
