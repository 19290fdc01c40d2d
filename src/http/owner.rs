//! What the owner of the board does with a service from its terminal: no request reaches this.

use crate::audit::{Audit as _, Event};
use crate::config::Config;
use crate::error::{Error, Exit};
use crate::http::Service;
use crate::http::watch::Count;
use crate::oauth::{self, Inspection, Mint, Pairing};
use crate::principal::{ClientTag, GrantId, Scopes};
use crate::seal::{Forged, KeyRing};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

impl Service {
    /// The server under its first name, as other computers reach it.
    pub(crate) fn origin(&self) -> String {
        self.hosts().canonical().origin.into_string()
    }

    /// Where it listens.
    pub(crate) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// For how long it has been there.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.uptime()
    }

    /// How many connections are open.
    pub(crate) fn connections(&self) -> usize {
        self.counting.get().map_or(0, |counting| counting())
    }

    /// Learns from `counting` how many connections are open.
    pub(crate) fn counts_connections(&self, counting: impl Fn() -> usize + 'static) {
        let _ = self.counting.set(Box::new(counting));
    }

    /// A connection was one too many.
    pub(crate) fn turned_away(&self) {
        self.watch.add(Count::ConnectionsTurnedAway);
    }

    /// A code with which somebody may sign in once, and allow a client `scopes` at most.
    pub(crate) fn pair(&self, subject: &str, scopes: Option<&str>) -> Result<Pairing, Error> {
        let scopes = scopes.map(|scopes| self.known(scopes)).transpose()?;
        let paired = self.authority.pair(&self.world(), subject, scopes);
        paired.map_err(|error: oauth::Error| {
            let remedy = "Let people in by code: mode = \"pairing\" under [auth] in the configuration, then reload perchd.";
            Error::new(Exit::Config, error.description()).remedy(remedy)
        })
    }

    fn known(&self, names: &str) -> Result<Scopes, Error> {
        let all = self.authority.scopes();
        if let Some(unknown) = names.split_whitespace().find(|name| !all.contains(name)) {
            let remedy = format!("Name some of these: {}.", all.as_str());
            return Err(Error::new(Exit::Usage, format!("there is no scope `{unknown}`")).remedy(remedy));
        }
        Ok(Scopes::parse(names, |_| true))
    }

    /// A token made by hand.
    pub(crate) fn mint(&self, mint: &Mint<'_>) -> Result<String, Error> {
        self.authority.mint(&self.world(), mint)
    }

    /// What a sealed text says.
    pub(crate) fn inspect(&self, text: &str) -> Result<Inspection, Forged> {
        self.authority.inspect(&self.world(), text)
    }

    /// Ends every token; when it is written down, it is done.
    pub(crate) fn revoke_everything(&self) -> Result<(), Error> {
        self.authority.revoke_everything(&self.world());
        self.kept_revoked()
    }

    /// Ends every token of a user.
    pub(crate) fn revoke_user(&self, subject: &str) -> Result<(), Error> {
        self.authority.revoke_user(&self.world(), subject);
        self.kept_revoked()
    }

    /// A user gets another password, which the configuration is about to say. Every token of his ends: now, and those that the
    /// old password brings until then when it is read. Unless he is to stay signed in.
    pub(crate) fn new_password(&self, subject: &str, stays: bool) -> Result<(), Error> {
        let is_user = self.config().users.iter().any(|user| user.name == subject);
        let mut staying = self.staying.borrow_mut();
        staying.retain(|name| name != subject);
        if !stays {
            drop(staying);
            return self.revoke_user(subject);
        }
        if is_user {
            staying.push(subject.to_owned());
        }
        Ok(())
    }

    /// Ends every token of those who have another password than `before`, or are not there any more: who comes back later does
    /// not come back with what he had.
    pub(super) fn sign_out_since(&self, before: &Config) {
        let config = self.config();
        let mut staying = self.staying.borrow_mut();
        for old in &before.users {
            let now = config.users.iter().find(|user| user.name == old.name);
            if now.is_some_and(|user| user.password == old.password) {
                continue;
            }
            let stays = staying.iter().position(|name| *name == old.name).map(|index| staying.swap_remove(index));
            if now.is_none() || stays.is_none() {
                self.authority.revoke_user(&self.world(), &old.name);
            }
        }
    }

    /// Ends every token of a client.
    pub(crate) fn revoke_client(&self, client: ClientTag) -> Result<(), Error> {
        self.authority.revoke_client(&self.world(), client);
        self.kept_revoked()
    }

    /// Ends the sign-in that a token belongs to. `None` for what is no token of ours.
    pub(crate) fn revoke_token(&self, text: &str) -> Result<Option<GrantId>, Error> {
        let grant = self.authority.revoke_token(&self.world(), text).ok();
        self.kept_revoked().map(|()| grant)
    }

    /// The ring with a new key in front; it is not in force yet.
    pub(crate) fn rotated(&self) -> KeyRing {
        self.keys().rotated(&self.world())
    }

    /// How many keys the ring has.
    pub(crate) fn key_count(&self) -> usize {
        self.keys().count()
    }

    /// Seals with another ring from now on. What was sealed before is good as far as the new one opens it.
    pub(crate) fn rekey(&self, keys: KeyRing, how: &'static str) {
        let keys = Rc::new(keys);
        self.watch.record(&Event::KeysReplaced { how, keys: keys.count() });
        self.authority.rekey(Rc::clone(&keys));
        let catalog = self.engine().catalog().clone();
        self.keys.replace(keys);
        self.offer(catalog);
    }
}
