//! One request to one response.
//!
//! A request passes the guards in this order: Host and Origin, bearer token, method, session, body, message. What is
//! refused early costs little and learns little.

mod body;
pub(crate) mod connect;
pub(crate) mod event;
mod guard;
mod home;
mod oauth;
mod page;
mod reply;
pub(crate) mod route;
pub(crate) mod run;
pub(crate) mod sse;
pub(crate) mod stream;
mod streamable;

pub(crate) use body::Body;

use crate::audit::Audit;
use crate::config::Auth;
use crate::error::{Error, Exit};
use crate::http::guard::Hosts;
use crate::http::run::Calls;
use crate::http::stream::{Name, Streams};
use crate::limits;
use crate::mcp::{Engine, Implementation};
use crate::oauth::{Authority, Mode, REDIRECT_URIS, Settings};
use crate::seal::KeyRing;
use crate::tool::Catalog;
use crate::world::{Clock, Kernel, World};
use heapless::Deque;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use zeroize::Zeroizing;

/// What a service is made of.
pub(crate) struct Parts {
    pub(crate) address: SocketAddr,
    pub(crate) name: String,
    pub(crate) auth: Auth,
    pub(crate) implementation: Implementation,
    pub(crate) catalog: Catalog,
    pub(crate) keys: Rc<KeyRing>,
    pub(crate) boot: [u8; 16],
    /// What was revoked before this start, as [`Parts::keep`] was given it.
    pub(crate) revoked: Option<Zeroizing<String>>,
    pub(crate) clock: Clock,
    pub(crate) audit: Box<dyn Audit>,
    /// Remembers what was revoked.
    pub(crate) keep: Box<dyn Fn(&str)>,
}

/// What every request of one server shares.
pub(crate) struct Service {
    name: String,
    is_demo: bool,
    hosts: Hosts,
    engine: Engine,
    keys: Rc<KeyRing>,
    authority: Authority,
    clock: Clock,
    random: Kernel,
    audit: Box<dyn Audit>,
    keep: Box<dyn Fn(&str)>,
    streams: Streams,
    calls: Calls,
    ended: RefCell<Deque<u64, { limits::ENDED_SESSIONS }>>,
}

impl Service {
    /// Puts a service together.
    ///
    /// # Errors
    /// When the list of what was revoked is damaged: without it, revoked tokens would come back to life.
    pub(crate) fn new(parts: Parts) -> Result<Rc<Self>, Error> {
        let hosts = Hosts::loopback(parts.address);
        let settings = Settings {
            mode: match parts.auth {
                Auth::Demo => Mode::Demo,
                Auth::Open => Mode::Open,
            },
            scopes: parts.catalog.scopes(),
            board: parts.name.clone(),
            redirect_uris: REDIRECT_URIS.map(str::to_owned).to_vec(),
            bases: vec![hosts.canonical()],
        };
        let service = Service {
            name: parts.name,
            is_demo: parts.auth == Auth::Demo,
            hosts,
            engine: Engine::new(parts.implementation, parts.catalog),
            authority: Authority::new(settings, Rc::clone(&parts.keys), parts.boot),
            keys: parts.keys,
            clock: parts.clock,
            random: Kernel::new(),
            audit: parts.audit,
            keep: parts.keep,
            streams: Streams::default(),
            calls: Calls::default(),
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
        Ok(Rc::new(service))
    }

    /// The world, at this moment.
    fn world(&self) -> World<'_> {
        World { now: self.clock.now(), random: &self.random, audit: &*self.audit }
    }

    /// Writes down what was revoked by the request that ends now, if anything was, and ends its streams. A sign-in that a
    /// newer one has taken the place of is not written down, but its streams end as well.
    fn keep_revoked(&self) {
        if let Some(text) = self.authority.denied_text() {
            (self.keep)(&text);
        }
        self.end_revoked_streams();
    }

    fn end_revoked_streams(&self) {
        self.streams.end_where(|grant, epoch| self.authority.is_over(grant, epoch));
    }

    /// One round of keep-alive.
    pub(crate) fn keep_alive(&self) {
        self.end_revoked_streams();
        self.streams.keep_alive();
    }

    /// Ends every stream: the server stops.
    pub(crate) fn close_streams(&self) {
        self.streams.close();
    }

    /// Ends a session, with its stream.
    fn end_session(&self, nonce: u64) {
        self.streams.end(Name::Mcp(nonce));
        let mut ended = self.ended.borrow_mut();
        if ended.is_full() {
            ended.pop_front();
        }
        let _ = ended.push_back(nonce);
    }

    /// Whether a session was ended by its client.
    fn is_ended(&self, nonce: u64) -> bool {
        self.ended.borrow().iter().any(|ended| *ended == nonce)
    }
}

impl std::fmt::Debug for Service {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Service").field("name", &self.name).field("hosts", &self.hosts).finish_non_exhaustive()
    }
}
