//! The event streams that are open, of both transports, and the sessions that hang on them.

use crate::http::event::Outbox;
use crate::http::run::Owner;
use crate::limits;
use crate::mcp::{Peer, Revision};
use crate::principal::{GrantId, Principal};
use heapless::String as Bounded;
use heapless::index_map::FnvIndexMap;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// What a stream is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Name {
    /// `GET /sse`: the session that lives and dies with it.
    Sse([u8; 16]),
    /// `GET /mcp`: the session that it belongs to.
    Mcp(u64),
}

impl Name {
    /// Whose calls run under this name.
    pub(crate) fn owner(self) -> Owner {
        match self {
            Name::Sse(id) => Owner(id),
            Name::Mcp(nonce) => Owner(u128::from(nonce).to_be_bytes()),
        }
    }
}

/// One open stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) name: Name,
    pub(crate) outbox: Rc<Outbox>,
    /// Who opened it; nobody else may use it.
    pub(crate) subject: Bounded<{ limits::SUBJECT_BYTES }>,
    /// By which sign-in, and in which epoch of revocation: when either is over, so is the stream.
    pub(crate) grant: GrantId,
    pub(crate) epoch: u32,
    /// What is known of the client; told by `initialize` on `/sse`.
    pub(crate) peer: Cell<Peer>,
    /// Whether a write has been waiting for the reader since the last keep-alive.
    pub(crate) stall: Cell<Stall>,
}

/// How a stream's writer gets on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Stall {
    /// Nothing waits.
    #[default]
    Flowing,
    /// A write waits for the reader.
    Waiting,
    /// It has waited since the last round; at the next one the stream is cut.
    Warned,
}

/// The open streams, by name.
#[derive(Default)]
pub(crate) struct Streams {
    open: RefCell<FnvIndexMap<Name, Rc<Stream>, { limits::STREAMS }>>,
    /// Answers that are streams of their own, and need their keep-alive too.
    answers: RefCell<Vec<Weak<Outbox>>>,
}

impl Streams {
    /// Opens a stream. One of the same name that is open already ends: the client has lost it.
    ///
    /// `None` when there are as many as there may be.
    pub(crate) fn open(&self, name: Name, principal: &Principal, epoch: u32) -> Option<Rc<Stream>> {
        let stream = Rc::new(Stream {
            name,
            outbox: Rc::default(),
            subject: principal.subject.clone(),
            grant: principal.grant,
            epoch,
            peer: Cell::new(Peer::stranger(Revision::V2024_11_05)),
            stall: Cell::default(),
        });
        let older = self.open.borrow_mut().insert(name, Rc::clone(&stream)).ok()?;
        if let Some(older) = older {
            older.outbox.close();
        }
        Some(stream)
    }

    /// The stream `name`, if `subject` opened it.
    pub(crate) fn find(&self, name: Name, subject: &str) -> Option<Rc<Stream>> {
        self.open.borrow().get(&name).filter(|stream| stream.subject == subject).cloned()
    }

    /// Forgets a stream that has ended, unless a newer one has taken its name.
    pub(crate) fn forget(&self, stream: &Rc<Stream>) {
        let mut open = self.open.borrow_mut();
        if open.get(&stream.name).is_some_and(|newest| Rc::ptr_eq(newest, stream)) {
            open.swap_remove(&stream.name);
        }
    }

    /// Ends a stream from this side.
    pub(crate) fn end(&self, name: Name) {
        if let Some(stream) = self.open.borrow_mut().swap_remove(&name) {
            stream.outbox.close();
        }
    }

    /// Keeps an answer awake that takes its time.
    pub(crate) fn watch(&self, outbox: &Rc<Outbox>) {
        self.answers.borrow_mut().push(Rc::downgrade(outbox));
    }

    /// One round of keep-alive, every [`limits::KEEP_ALIVE_SECS`]: a comment on each idle stream, and an end for those
    /// whose reader has taken nothing for a whole round.
    pub(crate) fn keep_alive(&self) {
        for stream in self.open.borrow().values() {
            match stream.stall.get() {
                Stall::Flowing => stream.outbox.keep_alive(),
                Stall::Waiting => stream.stall.set(Stall::Warned),
                Stall::Warned => stream.outbox.cut(),
            }
        }
        self.answers.borrow_mut().retain(|outbox| {
            outbox.upgrade().is_some_and(|outbox| {
                outbox.keep_alive();
                !outbox.is_closed()
            })
        });
    }

    /// Ends the streams of whom `is_over` says so.
    pub(crate) fn end_where(&self, is_over: impl Fn(GrantId, u32) -> bool) {
        for stream in self.open.borrow().values().filter(|stream| is_over(stream.grant, stream.epoch)) {
            stream.outbox.close();
        }
    }

    /// Ends every stream, letting out what waits.
    pub(crate) fn close(&self) {
        for stream in self.open.borrow().values() {
            stream.outbox.close();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Scopes;

    fn ada() -> Principal {
        Principal { subject: Bounded::try_from("ada").unwrap(), ..Principal::anonymous(Scopes::none()) }
    }

    #[test]
    fn a_stream_ends_with_the_sign_in_that_opened_it() {
        let streams = Streams::default();
        let (first, second) = (streams.open(Name::Mcp(1), &ada(), 0).unwrap(), streams.open(Name::Mcp(2), &ada(), 1).unwrap());
        streams.end_where(|_, epoch| epoch < 1);
        assert!(first.outbox.is_closed() && !second.outbox.is_closed());
    }

    #[test]
    fn a_stream_more_than_the_bound_is_refused() {
        let streams = Streams::default();
        let held: Vec<_> = (0..limits::STREAMS as u64).map(|n| streams.open(Name::Mcp(n), &ada(), 0).unwrap()).collect();
        assert!(streams.open(Name::Mcp(u64::MAX), &ada(), 0).is_none());
        streams.forget(&held[7]);
        assert!(streams.open(Name::Mcp(u64::MAX), &ada(), 0).is_some());
    }

    #[test]
    fn a_stream_answers_only_to_who_opened_it() {
        let streams = Streams::default();
        streams.open(Name::Sse([1; 16]), &ada(), 0).unwrap();
        assert!(streams.find(Name::Sse([1; 16]), "bob").is_none());
        assert!(streams.find(Name::Sse([2; 16]), "ada").is_none());
        assert!(streams.find(Name::Sse([1; 16]), "ada").is_some());
    }

    #[test]
    fn a_newer_stream_replaces_the_older() {
        let streams = Streams::default();
        let older = streams.open(Name::Mcp(1), &ada(), 0).unwrap();
        let newer = streams.open(Name::Mcp(1), &ada(), 0).unwrap();
        assert!(older.outbox.is_closed() && !newer.outbox.is_closed());
        streams.forget(&older);
        assert!(Rc::ptr_eq(&streams.find(Name::Mcp(1), "ada").unwrap(), &newer));
    }

    #[test]
    fn a_reader_that_takes_nothing_for_a_round_is_cut_off() {
        let streams = Streams::default();
        let stream = streams.open(Name::Mcp(1), &ada(), 0).unwrap();
        stream.stall.set(Stall::Waiting);
        streams.keep_alive();
        assert!(!stream.outbox.is_closed());
        streams.keep_alive();
        assert!(stream.outbox.is_closed());
    }
}
