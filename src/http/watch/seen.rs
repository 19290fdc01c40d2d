//! The clients that were let in. perchd keeps no list of them: what they hold proves itself. So these are the ones that have
//! come since the start.

use crate::audit::Event;
use crate::limits;
use crate::order;
use crate::principal::{ClientTag, GrantId, Principal, Scopes};
use heapless::String as Bounded;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// A client that acts for somebody.
#[derive(Debug)]
pub(crate) struct SeenClient {
    pub(crate) client: ClientTag,
    pub(crate) subject: Bounded<{ limits::SUBJECT_BYTES }>,
    /// What it calls itself; empty where it has not said, and may be a lie.
    pub(crate) name: RefCell<Bounded<{ limits::CLIENT_NAME_BYTES }>>,
    pub(crate) scopes: RefCell<Scopes>,
    /// Its last sign-in.
    pub(crate) grant: Cell<GrantId>,
    /// When it was heard of last.
    pub(crate) last_ms: Cell<u64>,
    /// Whether what it holds was revoked.
    pub(crate) is_revoked: Cell<bool>,
}

impl SeenClient {
    /// What it calls itself, unless that is known.
    pub(super) fn is_called(&self, program: &str) {
        if !program.is_empty() && self.name.borrow().is_empty() {
            self.named(program);
        }
    }

    fn named(&self, name: &str) {
        let mut bounded = Bounded::new();
        for c in name.chars() {
            if bounded.push(c).is_err() {
                break;
            }
        }
        self.name.replace(bounded);
    }
}

/// All of them. When there are too many, the one that was heard of longest ago is forgotten.
#[derive(Default)]
pub(super) struct Seen(RefCell<Vec<Rc<SeenClient>>>);

impl Seen {
    /// A good token came. Most come from the same client as the one before, which stands in front.
    pub(super) fn touch(&self, principal: &Principal, uptime_ms: u64) {
        if let Some(first) = self.0.borrow().first().filter(|first| first.grant.get() == principal.grant)
            && first.client == principal.client
        {
            first.last_ms.set(uptime_ms);
            first.is_revoked.set(false);
            return;
        }
        let known = self.entry(principal.client, &principal.subject);
        known.last_ms.set(uptime_ms);
        known.is_revoked.set(false);
        known.grant.set(principal.grant);
        known.scopes.replace(principal.scopes.clone());
    }

    /// The client, if it is still known.
    pub(super) fn of(&self, principal: &Principal) -> Option<Rc<SeenClient>> {
        let seen = self.0.borrow();
        seen.iter().find(|known| known.client == principal.client && known.subject == principal.subject).cloned()
    }

    /// Learns from an event.
    pub(super) fn hear(&self, event: &Event<'_>, uptime_ms: u64) {
        match *event {
            Event::Approved { subject, client, name, scopes } => self.entry(client, subject).allow(name, scopes, uptime_ms),
            Event::TokenMinted { name, subject, client, grant, scopes, .. } => {
                let known = self.entry(client, subject);
                known.allow(name, scopes, uptime_ms);
                known.grant.set(grant);
            }
            Event::TokenIssued { subject, client, grant, .. } => {
                let known = self.entry(client, subject);
                known.last_ms.set(uptime_ms);
                known.is_revoked.set(false);
                known.grant.set(grant);
            }
            Event::ClientRevoked { client } => self.revoke(|known| known.client == client),
            Event::UserRevoked { subject } => self.revoke(|known| known.subject == subject),
            Event::Revoked { grant } | Event::ReuseDetected { grant } => self.revoke(|known| known.grant.get() == grant),
            Event::AllRevoked { .. } => self.revoke(|_| true),
            _ => {}
        }
    }

    /// All, the last one heard of first.
    pub(super) fn clients(&self) -> Vec<Rc<SeenClient>> {
        let mut clients = self.0.borrow().clone();
        order::sort(&mut clients, |a, b| a.last_ms > b.last_ms);
        clients
    }

    fn revoke(&self, is_meant: impl Fn(&SeenClient) -> bool) {
        self.0.borrow().iter().filter(|known| is_meant(known)).for_each(|known| known.is_revoked.set(true));
    }

    /// The entry of this client, in front of the others.
    fn entry(&self, client: ClientTag, subject: &str) -> Rc<SeenClient> {
        let mut seen = self.0.borrow_mut();
        if let Some(place) = seen.iter().position(|known| known.client == client && known.subject == subject) {
            seen.swap(0, place);
            return Rc::clone(&seen[0]);
        }
        if seen.len() >= limits::SEEN
            && let Some(oldest) = (0..seen.len()).min_by_key(|place| seen[*place].last_ms.get())
        {
            seen.swap_remove(oldest);
        }
        let known = Rc::new(SeenClient {
            client,
            // A name that was let in has room.
            subject: Bounded::try_from(subject).unwrap_or_default(),
            name: RefCell::default(),
            scopes: RefCell::default(),
            grant: Cell::new(GrantId([0; 16])),
            last_ms: Cell::default(),
            is_revoked: Cell::default(),
        });
        seen.insert(0, Rc::clone(&known));
        known
    }
}

impl SeenClient {
    fn allow(&self, name: &str, scopes: &str, uptime_ms: u64) {
        self.named(name);
        self.scopes.replace(Scopes::parse(scopes, |_| true));
        self.last_ms.set(uptime_ms);
        self.is_revoked.set(false);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn principal(client: u8, subject: &str, grant: u8) -> Principal {
        let subject = Bounded::try_from(subject).unwrap();
        let scopes = Scopes::parse("math", |_| true);
        Principal { subject, client: ClientTag([client; 8]), grant: GrantId([grant; 16]), scopes }
    }

    fn told(seen: &Seen) -> Vec<(u8, String, bool)> {
        let told = |known: &Rc<SeenClient>| (known.client.0[0], known.subject.to_string(), known.is_revoked.get());
        seen.clients().iter().map(told).collect()
    }

    #[test]
    fn the_one_that_was_heard_of_longest_ago_is_forgotten() {
        let seen = Seen::default();
        for n in 0..=u8::try_from(limits::SEEN).unwrap() {
            seen.touch(&principal(n, "anna", n), u64::from(n) + 1);
            seen.touch(&principal(0, "anna", 0), u64::from(n) + 1);
        }
        let clients: Vec<u8> = told(&seen).iter().map(|(client, ..)| *client).collect();
        assert_eq!(clients.len(), limits::SEEN);
        assert!(clients.contains(&0) && !clients.contains(&1), "{clients:?}");
        assert!(seen.of(&principal(1, "anna", 1)).is_none());
    }

    #[test]
    fn what_was_revoked_is_told_until_it_is_let_in_again() {
        let seen = Seen::default();
        seen.touch(&principal(1, "anna", 1), 3);
        seen.touch(&principal(1, "ben", 2), 2);
        seen.touch(&principal(2, "anna", 3), 1);
        let revoked = |seen: &Seen| told(seen).iter().map(|(.., revoked)| *revoked).collect::<Vec<_>>();
        seen.hear(&Event::ClientRevoked { client: ClientTag([1; 8]) }, 4);
        assert_eq!(revoked(&seen), [true, true, false]);
        seen.touch(&principal(1, "anna", 4), 5);
        assert_eq!(revoked(&seen), [false, true, false]);
        seen.hear(&Event::UserRevoked { subject: "anna" }, 6);
        assert_eq!(revoked(&seen), [true, true, true]);
        seen.touch(&principal(1, "ben", 2), 7);
        assert_eq!(revoked(&seen), [false, true, true]);
        seen.hear(&Event::Revoked { grant: GrantId([2; 16]) }, 8);
        assert_eq!(revoked(&seen), [true, true, true]);
    }

    #[test]
    fn a_client_is_called_as_it_was_when_somebody_allowed_it() {
        let seen = Seen::default();
        let subject = "anna";
        let name = "Claude \u{1f426}".repeat(20);
        seen.hear(&Event::Approved { subject, client: ClientTag([1; 8]), name: &name, scopes: "math system:read" }, 1);
        seen.of(&principal(1, subject, 1)).unwrap().is_called("something else");
        let known = &seen.clients()[0];
        assert!(name.starts_with(known.name.borrow().as_str()) && !known.name.borrow().is_empty());
        assert_eq!(known.scopes.borrow().as_str(), "math system:read");
        seen.touch(&principal(2, subject, 2), 2);
        seen.of(&principal(2, subject, 2)).unwrap().is_called("curl");
        assert_eq!(seen.clients()[0].name.borrow().as_str(), "curl");
    }
}
