//! The event streams that are open, of both transports, and the sessions that hang on them.

use crate::config::Limits;
use crate::http::event::{Event, Outbox};
use crate::http::run::Owner;
use crate::limits;
use crate::mcp::{Peer, Revision, Subscription, change_notification};
use crate::principal::{ClientTag, GrantId, Principal, Standing};
use crate::tool::Change;
use bytes::Bytes;
use heapless::String as Bounded;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};

/// What a stream is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
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
    /// Nobody else may use it, and when his sign-in is over, so is the stream.
    opener: Opener,
    /// What is known of the client; told by `initialize` on `/sse`.
    pub(crate) peer: RefCell<Peer>,
}

/// The open streams.
#[derive(Default)]
pub(crate) struct Streams {
    /// By name.
    open: RefCell<Vec<Rc<Stream>>>,
    /// Which session watches which resource.
    watches: RefCell<Vec<(Name, String)>>,
    listeners: RefCell<Vec<Listener>>,
    /// Answers that are streams of their own, and need their keep-alive too.
    answers: RefCell<Vec<Weak<Outbox>>>,
    limits: Cell<Limits>,
    is_closing: Cell<bool>,
}

/// Who opened a stream: by which sign-in, and in which epoch of revocation.
#[derive(Debug)]
struct Opener {
    subject: Bounded<{ limits::SUBJECT_BYTES }>,
    client: ClientTag,
    grant: GrantId,
    epoch: u32,
}

impl Opener {
    fn new(principal: &Principal, epoch: u32) -> Self {
        let Principal { subject, client, grant, .. } = principal;
        Opener { subject: subject.clone(), client: *client, grant: *grant, epoch }
    }

    fn standing(&self) -> Standing<'_> {
        Standing { subject: &self.subject, client: self.client, grant: self.grant, epoch: self.epoch }
    }
}

impl Streams {
    /// Opens no more than so many at once. Those that are open stay.
    pub(crate) fn limit(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// How many are open.
    pub(crate) fn count(&self) -> usize {
        let listening = self.listeners.borrow().iter().filter(|listener| !listener.outbox.is_closed()).count();
        self.open.borrow().len() + listening
    }

    /// Whether one more may be opened by this person; if not, why.
    fn room(&self, subject: &str) -> Result<(), &'static str> {
        let (open, mut listeners) = (self.open.borrow(), self.listeners.borrow_mut());
        listeners.retain(|listener| !listener.outbox.is_closed());
        if open.len() + listeners.len() >= self.limits.get().streams {
            return Err("All event streams are taken");
        }
        let openers = open.iter().map(|stream| &stream.opener).chain(listeners.iter().map(|listener| &listener.opener));
        if openers.filter(|opener| opener.subject == subject).count() >= self.limits.get().streams_per_subject {
            return Err("This user has as many event streams as one may have");
        }
        Ok(())
    }

    /// Opens a stream. One of the same name that is open already ends: the client has lost it.
    ///
    /// # Errors
    /// When there are as many as there may be: what there are too many of.
    pub(crate) fn open(&self, name: Name, principal: &Principal, epoch: u32) -> Result<Rc<Stream>, &'static str> {
        let place = self.place(name);
        if place.is_err() {
            self.room(&principal.subject)?;
        }
        let stream = Rc::new(Stream {
            name,
            outbox: Rc::new(self.outbox()),
            opener: Opener::new(principal, epoch),
            peer: RefCell::new(Peer::stranger(Revision::V2024_11_05)),
        });
        let mut open = self.open.borrow_mut();
        match place {
            Ok(place) => std::mem::replace(&mut open[place], Rc::clone(&stream)).outbox.close(),
            Err(place) => open.insert(place, Rc::clone(&stream)),
        }
        Ok(stream)
    }

    /// An outbox of the size that holds now.
    pub(crate) fn outbox(&self) -> Outbox {
        Outbox::new(self.limits.get().outbox_bytes)
    }

    /// Where a stream of this name is, or would be.
    fn place(&self, name: Name) -> Result<usize, usize> {
        self.open.borrow().binary_search_by_key(&name, |stream| stream.name)
    }

    /// The stream `name`, if it belongs to the sign-in of `principal`.
    pub(crate) fn find(&self, name: Name, principal: &Principal) -> Option<Rc<Stream>> {
        let place = self.place(name).ok()?;
        self.open.borrow().get(place).filter(|stream| stream.opener.grant == principal.grant).cloned()
    }

    /// The stream on which this owner's calls hang.
    #[cfg(feature = "tasks")]
    pub(crate) fn of(&self, owner: Owner) -> Option<Rc<Stream>> {
        self.open.borrow().iter().find(|stream| stream.name.owner() == owner).cloned()
    }

    /// Forgets a stream that has ended, unless a newer one has taken its name.
    pub(crate) fn forget(&self, stream: &Rc<Stream>) {
        self.open.borrow_mut().retain(|newest| !Rc::ptr_eq(newest, stream));
    }

    /// Ends a stream from this side.
    pub(crate) fn end(&self, name: Name) {
        if let Ok(place) = self.place(name) {
            self.open.borrow_mut().remove(place).outbox.close();
        }
    }

    /// Keeps an answer awake that takes its time.
    pub(crate) fn watch_answer(&self, outbox: &Rc<Outbox>) {
        self.answers.borrow_mut().push(Rc::downgrade(outbox));
    }

    /// One round of keep-alive, every [`limits::KEEP_ALIVE_SECS`].
    pub(crate) fn keep_alive(&self) {
        self.open.borrow().iter().for_each(|stream| stream.outbox.keep_alive());
        self.answers.borrow_mut().retain(|outbox| {
            outbox.upgrade().is_some_and(|outbox| {
                outbox.keep_alive();
                !outbox.is_closed()
            })
        });
    }

    /// Begins or ends watching a resource. When as many are watched as may be, that of the oldest watch is forgotten.
    pub(crate) fn watch(&self, name: Name, uri: String, begins: bool) {
        let mut watches = self.watches.borrow_mut();
        watches.retain(|watch| watch.0 != name || watch.1 != uri);
        if !begins {
            return;
        }
        let mine = watches.iter().filter(|watch| watch.0 == name).count();
        let is_full = watches.len() >= limits::WATCHES;
        if let Some(oldest) = watches
            .iter()
            .position(|watch| is_full || (mine >= limits::WATCHED && watch.0 == name))
            .filter(|_| is_full || mine >= limits::WATCHED)
        {
            watches.remove(oldest);
        }
        watches.push((name, uri));
    }

    /// Forgets what a session watched.
    pub(crate) fn forget_watches(&self, name: Name) {
        self.watches.borrow_mut().retain(|watch| watch.0 != name);
    }

    /// Opens a stream for word of changes.
    ///
    /// # Errors
    /// When there are as many as there may be: what there are too many of.
    pub(crate) fn listen(
        &self,
        subscription: Subscription,
        principal: &Principal,
        epoch: u32,
    ) -> Result<Rc<Outbox>, &'static str> {
        self.room(&principal.subject)?;
        let outbox = Rc::new(self.outbox());
        outbox.push(Event::Message(subscription.acknowledged().into()));
        self.watch_answer(&outbox);
        let opener = Opener::new(principal, epoch);
        self.listeners.borrow_mut().push(Listener { subscription, opener, outbox: Rc::clone(&outbox) });
        Ok(outbox)
    }

    /// Tells everybody who wants to know of a change.
    pub(crate) fn tell(&self, change: &Change) {
        let message = Bytes::from(change_notification(change));
        for stream in self.open.borrow().iter() {
            let is_wanted = match change {
                Change::Resource(uri) => {
                    self.watches.borrow().iter().any(|(name, watched)| *name == stream.name && watched == uri)
                }
                _ => true,
            };
            if is_wanted {
                stream.outbox.push(Event::Message(message.clone()));
            }
        }
        for listener in self.listeners.borrow().iter() {
            if let Some(message) = listener.subscription.message(change) {
                listener.outbox.push(Event::Message(message.into()));
            }
        }
    }

    /// Ends the streams of whom `is_over` says so.
    pub(crate) fn end_where(&self, is_over: impl Fn(&Standing<'_>) -> bool) {
        for stream in self.open.borrow().iter().filter(|stream| is_over(&stream.opener.standing())) {
            stream.outbox.close();
        }
        for listener in self.listeners.borrow().iter().filter(|listener| is_over(&listener.opener.standing())) {
            listener.end();
        }
    }

    /// Ends every stream, letting out what waits; and each that is busy when [`Streams::rest`] says so.
    pub(crate) fn close(&self, is_busy: impl Fn(Owner) -> bool) {
        self.is_closing.set(true);
        self.open.borrow().iter().filter(|stream| !is_busy(stream.name.owner())).for_each(|stream| stream.outbox.close());
        self.listeners.borrow().iter().for_each(Listener::end);
    }

    /// The last call on this stream is over.
    pub(crate) fn rest(&self, outbox: &Outbox) {
        if self.is_closing.get() {
            outbox.close();
        }
    }
}

/// One who waits for word of changes.
struct Listener {
    subscription: Subscription,
    opener: Opener,
    outbox: Rc<Outbox>,
}

impl Listener {
    fn end(&self) {
        self.outbox.push(Event::Message(self.subscription.end().into()));
        self.outbox.close();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::Scopes;

    fn by(grant: u8) -> Principal {
        Principal { grant: GrantId([grant; 16]), ..Principal::anonymous(Scopes::none()) }
    }

    fn ada() -> Principal {
        by(1)
    }

    #[test]
    fn a_stream_ends_with_the_sign_in_that_opened_it() {
        let streams = Streams::default();
        let (first, second) = (streams.open(Name::Mcp(1), &ada(), 0).unwrap(), streams.open(Name::Mcp(2), &ada(), 1).unwrap());
        streams.end_where(|standing| standing.epoch < 1);
        assert!(first.outbox.is_closed() && !second.outbox.is_closed());
    }

    #[test]
    fn a_stream_more_than_the_bound_is_refused() {
        let streams = Streams::default();
        let held: Vec<_> = (0..limits::STREAMS as u64).map(|n| streams.open(Name::Mcp(n), &ada(), 0).unwrap()).collect();
        assert_eq!(streams.open(Name::Mcp(u64::MAX), &ada(), 0).unwrap_err(), "All event streams are taken");
        streams.forget(&held[7]);
        assert!(streams.open(Name::Mcp(u64::MAX), &ada(), 0).is_ok());
    }

    #[test]
    fn one_person_leaves_streams_for_others() {
        let streams = Streams::default();
        streams.limit(Limits { streams: 4, streams_per_subject: 2, ..Limits::default() });
        let mut bob = ada();
        bob.subject = "bob".try_into().unwrap();
        let _held = [1, 2].map(|n| streams.open(Name::Mcp(n), &ada(), 0).unwrap());
        let refused = streams.open(Name::Mcp(3), &ada(), 0).unwrap_err();
        assert_eq!(refused, "This user has as many event streams as one may have");
        assert!(streams.open(Name::Mcp(2), &ada(), 0).is_ok(), "in the place of one that he has");
        assert!(streams.open(Name::Sse([3; 16]), &bob, 0).is_ok());
    }

    #[test]
    fn a_stream_answers_only_to_the_sign_in_that_opened_it() {
        let streams = Streams::default();
        streams.open(Name::Sse([1; 16]), &ada(), 0).unwrap();
        assert!(streams.find(Name::Sse([1; 16]), &by(2)).is_none());
        assert!(streams.find(Name::Sse([2; 16]), &ada()).is_none());
        assert!(streams.find(Name::Sse([1; 16]), &ada()).is_some());
    }

    #[test]
    fn a_newer_stream_replaces_the_older() {
        let streams = Streams::default();
        let older = streams.open(Name::Mcp(1), &ada(), 0).unwrap();
        let newer = streams.open(Name::Mcp(1), &ada(), 0).unwrap();
        assert!(older.outbox.is_closed() && !newer.outbox.is_closed());
        streams.forget(&older);
        assert!(Rc::ptr_eq(&streams.find(Name::Mcp(1), &ada()).unwrap(), &newer));
    }
}
