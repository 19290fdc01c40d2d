//! One request to one response.
//!
//! A request passes the guards in this order: Host and Origin, bearer token, method, session, body, message. What is
//! refused early costs little and learns little.

mod approvals;
mod bearer;
pub(crate) mod body;
pub(crate) mod connect;
mod cookie;
pub(crate) mod event;
mod guard;
mod hashing;
mod home;
mod live;
mod metrics;
mod oauth;
mod owner;
mod owner_page;
mod page;
mod replay;
mod reply;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod sse;
mod stateless;
pub(crate) mod stream;
mod streamable;
mod told;
mod watch;
mod way;

pub(crate) use body::Body;
pub(crate) use guard::origins;

use crate::approval::Approvals;
use crate::audit::Audit;
use crate::config::{Auth, Config, User};
use crate::error::{Error, Exit};
use crate::http::guard::Hosts;
use crate::http::hashing::Hashing;
use crate::http::live::Live;
use crate::http::replay::Replays;
use crate::http::run::{Calls, Owner};
use crate::http::stream::{Name, Streams};
use crate::http::watch::Watch;
use crate::http::way::Asks;
use crate::mcp::{Engine, Implementation, Peer, Session};
use crate::oauth::{Authority, Mode, REDIRECT_URIS, Settings};
use crate::seal::KeyRing;
use crate::tool::{Catalog, Changes, Level};
use crate::world::{Clock, Kernel, Moment, Turn, World};
use bytes::Bytes;
use std::cell::{Cell, OnceCell, RefCell};
use std::collections::VecDeque;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use zeroize::Zeroizing;

/// The connection that a request came by.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link {
    /// The other end.
    pub(crate) peer: IpAddr,
    /// This end: the address under which the board was called.
    pub(crate) local: IpAddr,
    /// Whether nobody on the way can read it.
    pub(crate) is_tls: bool,
}

impl Link {
    /// Within this machine.
    #[cfg(any(test, fuzzing))]
    pub(crate) const LOOPBACK: Link =
        Link { peer: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), local: IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), is_tls: false };
}

/// Remembers what was revoked, or says why it cannot.
pub(crate) type Keep = Box<dyn Fn(&str) -> Result<(), Error>>;

/// What a service is made of.
pub(crate) struct Parts {
    /// Where it listens.
    pub(crate) addresses: Vec<SocketAddr>,
    pub(crate) config: Config,
    pub(crate) ca: Option<OwnCa>,
    pub(crate) identity: Identity,
    pub(crate) catalog: Catalog,
    /// What waits for the approval of a person.
    pub(crate) approvals: Rc<Approvals>,
    pub(crate) keys: Rc<KeyRing>,
    pub(crate) boot: [u8; 16],
    /// What was revoked before this start, as [`Parts::keep`] was given it.
    pub(crate) revoked: Option<Zeroizing<String>>,
    pub(crate) clock: Clock,
    pub(crate) audit: Box<dyn Audit>,
    /// Remembers what was revoked.
    pub(crate) keep: Keep,
}

/// What a server says of itself, whatever it offers.
#[derive(Debug)]
pub(crate) struct Identity {
    pub(crate) implementation: Implementation,
    /// What the model of each client is told about the server.
    pub(crate) instructions: Option<String>,
    /// Tells of changes, if anything here changes.
    pub(crate) changes: Option<Changes>,
}

impl Identity {
    fn engine(&self, catalog: Catalog, keys: &Rc<KeyRing>) -> Engine {
        Engine::new(self.implementation.clone(), catalog, Rc::clone(keys))
            .instructions(self.instructions.clone())
            .tells_changes(self.changes.is_some())
    }
}

/// The board's own CA, as it is shown.
#[derive(Clone, Debug)]
pub(crate) struct OwnCa {
    /// Its certificate.
    pub(crate) pem: Bytes,
    /// The SHA-256 of it, for people to compare.
    pub(crate) fingerprint: String,
}

/// What every request of one server shares.
pub(crate) struct Service {
    config: RefCell<Rc<Config>>,
    ca: RefCell<Option<OwnCa>>,
    hosts: RefCell<Rc<Hosts>>,
    engine: RefCell<Rc<Engine>>,
    identity: Identity,
    addresses: Vec<SocketAddr>,
    hashing: Hashing,
    keys: RefCell<Rc<KeyRing>>,
    authority: Authority,
    /// Users who get another password next, and stay signed in.
    staying: RefCell<Vec<String>>,
    clock: Clock,
    moment: Moment,
    random: Kernel,
    /// The audit, and what is counted.
    watch: Watch,
    live: Live,
    /// How many connections are open.
    counting: OnceCell<Box<dyn Fn() -> usize>>,
    is_stopping: Cell<bool>,
    keep: Keep,
    approvals: Rc<Approvals>,
    streams: Streams,
    calls: Calls,
    asks: Asks,
    replays: Replays,
    /// From which level on sessions want lines for their log, where they have said so.
    levels: RefCell<VecDeque<(u64, Level)>>,
    next_call: Cell<u64>,
    ended: RefCell<VecDeque<u64>>,
}

impl Service {
    /// Puts a service together.
    ///
    /// # Errors
    /// When the list of what was revoked is damaged: without it, revoked tokens would come back to life.
    pub(crate) fn new(parts: Parts) -> Result<Rc<Self>, Error> {
        let hosts = Hosts::new(&parts.config, &parts.addresses);
        let settings = settings(&parts.config, &parts.catalog, &hosts);
        let changes = parts.identity.changes.clone();
        let service = Service {
            config: RefCell::new(Rc::new(parts.config)),
            ca: RefCell::new(parts.ca),
            hosts: RefCell::new(Rc::new(hosts)),
            engine: RefCell::new(Rc::new(parts.identity.engine(parts.catalog, &parts.keys))),
            identity: parts.identity,
            addresses: parts.addresses,
            hashing: Hashing::default(),
            authority: Authority::new(settings, Rc::clone(&parts.keys), parts.boot),
            staying: RefCell::default(),
            keys: RefCell::new(parts.keys),
            clock: parts.clock,
            moment: Moment::default(),
            random: Kernel::new(),
            watch: Watch::new(parts.audit, parts.clock),
            live: Live::default(),
            counting: OnceCell::new(),
            is_stopping: Cell::default(),
            keep: parts.keep,
            approvals: parts.approvals,
            streams: Streams::default(),
            calls: Calls::default(),
            asks: Asks::default(),
            replays: Replays::default(),
            levels: RefCell::default(),
            next_call: Cell::default(),
            ended: RefCell::default(),
        };
        if let Some(revoked) = parts.revoked {
            let restored = service.authority.restore(&service.world(), &revoked);
            restored.map_err(|fault| {
                let remedy =
                    "Put the file back from a copy. Or remove it together with the key ring: everybody signs in once more.";
                Error::new(Exit::Config, fault.to_string()).at("revoked").remedy(remedy)
            })?;
        }
        service.streams.limit(service.config().limits);
        let service = Rc::new(service);
        service.approvals.connect(approvals::Here(Rc::downgrade(&service)));
        if let Some(changes) = changes {
            let weak = Rc::downgrade(&service);
            changes.connect(move |change| {
                if let Some(service) = weak.upgrade() {
                    service.streams.tell(change);
                }
            });
        }
        Ok(service)
    }

    /// Puts another configuration in force, and what it offers. Streams and sessions go on.
    ///
    /// # Errors
    /// When it would let anybody in; then nothing changes.
    pub(crate) fn reload(&self, config: Config, catalog: Catalog, ca: Option<OwnCa>) -> Result<(), Error> {
        config.listen.iter().try_for_each(|address| config.check(*address))?;
        let hosts = Hosts::new(&config, &self.addresses);
        self.authority.reload(settings(&config, &catalog, &hosts));
        self.streams.limit(config.limits);
        self.hosts.replace(Rc::new(hosts));
        self.offer(catalog);
        let before = self.config.replace(Rc::new(config));
        self.ca.replace(ca);
        self.end_streams_since(&before);
        self.sign_out_since(&before);
        if let Some(changes) = &self.identity.changes {
            changes.tools();
            changes.resources();
            changes.prompts();
        }
        self.keep_revoked();
        Ok(())
    }

    /// Ends the streams of those who are not let in any more; others who are cut off come back at once.
    fn end_streams_since(&self, before: &Config) {
        let config = self.config();
        let is_gone = |name: &str| {
            let is_among = |users: &[User]| users.iter().any(|user| user.name == name);
            is_among(&before.users) && !is_among(&config.users)
        };
        self.streams.end_where(|standing| before.auth != config.auth || is_gone(standing.subject));
    }

    /// Offers this from now on, under the keys that hold now.
    fn offer(&self, mut catalog: Catalog) {
        catalog.count_on(self.engine().catalog());
        let engine = self.identity.engine(catalog, &self.keys());
        #[cfg(feature = "tasks")]
        let engine = engine.take_tasks(&self.engine());
        self.engine.replace(Rc::new(engine));
    }

    /// What holds now.
    pub(crate) fn config(&self) -> Rc<Config> {
        Rc::clone(&self.config.borrow())
    }

    /// The names under which the server answers.
    fn hosts(&self) -> Rc<Hosts> {
        Rc::clone(&self.hosts.borrow())
    }

    /// The keys that seal sessions.
    fn keys(&self) -> Rc<KeyRing> {
        Rc::clone(&self.keys.borrow())
    }

    /// What answers messages. A request that has begun goes on with the one that it began with.
    fn engine(&self) -> Rc<Engine> {
        Rc::clone(&self.engine.borrow())
    }

    /// What the engine knows of the client of a session.
    fn peer(&self, session: Session) -> Peer {
        let level = self.levels.borrow().iter().find(|(nonce, _)| *nonce == session.nonce).map(|(_, level)| *level);
        let peer = session.peer();
        Peer { log_level: level.or(peer.log_level), ..peer }
    }

    /// Remembers from which level on a session wants lines for its log.
    fn set_level(&self, nonce: u64, level: Level) {
        let mut levels = self.levels.borrow_mut();
        if let Some((_, known)) = levels.iter_mut().find(|(known, _)| *known == nonce) {
            *known = level;
            return;
        }
        remember(&mut levels, (nonce, level), self.config().limits.sessions);
    }

    /// An owner for one call, where there is no session to own it.
    fn next_owner(&self) -> Owner {
        self.next_call.set(self.next_call.get() + 1);
        Owner((u128::from(self.next_call.get()) << 64).to_be_bytes())
    }

    /// The world, at this moment.
    fn world(&self) -> World<'_> {
        World { now: self.moment.now(&self.clock), random: &self.random, audit: &self.watch }
    }

    /// The turn of a connection, which is of one moment.
    pub(crate) fn turn(&self) -> Turn<'_> {
        self.moment.last(&self.clock)
    }

    /// Writes down what was revoked by the request that ends now, if anything was, and ends its streams. A sign-in that a
    /// newer one has taken the place of is not written down, but its streams end as well.
    fn keep_revoked(&self) {
        if let Err(error) = self.kept_revoked() {
            log::error!("{error}");
        }
    }

    fn kept_revoked(&self) -> Result<(), Error> {
        let kept = self.authority.denied_text().map_or(Ok(()), |text| (self.keep)(&text));
        // A disk that is full now has room later: else what was revoked would come back to life with the next start.
        let kept = kept.inspect_err(|_| self.authority.denied_unwritten());
        self.end_revoked_streams();
        kept
    }

    fn end_revoked_streams(&self) {
        self.streams.end_where(|standing| self.authority.is_over(standing));
    }

    /// One round of keep-alive.
    pub(crate) fn keep_alive(&self) {
        self.keep_revoked();
        self.streams.keep_alive();
        self.replays.forget_old();
        #[cfg(feature = "tasks")]
        run::task::forget_old(self);
        self.watch.catch_up();
    }

    /// Ends every stream: the server stops. One on which somebody waits for an answer ends behind that.
    pub(crate) fn close_streams(&self) {
        self.is_stopping.set(true);
        self.live.close();
        self.streams.close(|owner| self.calls.is_any(owner));
    }

    /// Ends a session, with its stream.
    fn end_session(&self, nonce: u64) {
        self.streams.end(Name::Mcp(nonce));
        self.streams.forget_watches(Name::Mcp(nonce));
        remember(&mut self.ended.borrow_mut(), nonce, self.config().limits.sessions);
    }

    /// Whether a session was ended by its client.
    fn is_ended(&self, nonce: u64) -> bool {
        self.ended.borrow().iter().any(|ended| *ended == nonce)
    }
}

/// Puts one more into a table of at most so many; the oldest make room.
fn remember<T>(table: &mut VecDeque<T>, one: T, most: usize) {
    while table.len() >= most {
        table.pop_front();
    }
    table.push_back(one);
}

/// What the authorization server must know of a configuration.
fn settings(config: &Config, catalog: &Catalog, hosts: &Hosts) -> Settings {
    Settings {
        mode: match config.auth {
            Auth::Demo => Mode::Demo,
            Auth::Open => Mode::Open,
            Auth::Own { users, pairing } => Mode::Own { users, pairing },
        },
        users: config.users.clone(),
        scopes: catalog.scopes(),
        board: config.name.clone(),
        redirect_uris: REDIRECT_URIS.into_iter().map(str::to_owned).chain(config.redirect_uris.iter().cloned()).collect(),
        bases: vec![hosts.canonical()],
        lifetimes: config.tokens,
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("config", &self.config).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
