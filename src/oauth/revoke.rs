//! `POST /revoke` (RFC 7009): a client gives its tokens back. And the owner takes them: one, those of a user or of a client,
//! or all. And the list of what was revoked, for the one who keeps it.

use super::claims::{Allowance, Code, Token};
use super::client::Client;
use super::denied::Denied;
use super::form::Parameters;
use super::{Authority, Error};
use crate::audit::Event;
use crate::limits;
use crate::principal::{ClientTag, GrantId, Standing};
use crate::seal::{Fault, Forged, Purpose};
use crate::world::World;

impl Authority {
    /// `POST /revoke`: a refresh token ends its grant, an access token itself and those before it of the same grant.
    /// What is no token of this client's has no effect, and the answer is 200 without a body all the same.
    ///
    /// # Errors
    /// Only for a client that is none, and for a request without a token. RFC 7009 2.2.1.
    pub fn revoke(&self, world: &World<'_>, form: &[u8], authorization: Option<&[u8]>) -> Result<(), Error> {
        let revoked = self.revoked(world, form, authorization);
        revoked.inspect_err(|error| world.audit.record(&Event::TokenRefused { reason: error.reason() }))
    }

    fn revoked(&self, world: &World<'_>, form: &[u8], authorization: Option<&[u8]>) -> Result<(), Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let client = Client::authenticate(&self.ring(), &parameters, authorization)?;
        let text = parameters.required("token", "token is missing.")?.as_bytes();
        // RFC 7009 2.1: token_type_hint saves a search, and there is none.
        for purpose in [Purpose::Refresh, Purpose::Access] {
            let Ok(opened) = self.ring().open(purpose, text) else { continue };
            let Ok(token) = Token::read(&opened) else { continue };
            let is_own = token.allowance.client == client.tag;
            // One that is dead already takes no room on the list.
            if is_own && !token.life.is_over(world.now, self.boot) && self.stands(&token.allowance).is_ok() {
                self.give_back(world, purpose, &token);
            }
        }
        Ok(())
    }

    fn give_back(&self, world: &World<'_>, purpose: Purpose, token: &Token<'_>) {
        let grant = token.allowance.grant;
        world.audit.record(&Event::Revoked { grant });
        if purpose == Purpose::Refresh {
            return self.end(world, grant, token.life.end_unix);
        }
        let until = token.life.ends_unix_latest(world.now, self.boot).max(world.now.unix + limits::ACCESS_SECS_MAX);
        let epoch = self.denied.borrow_mut().deny_access(world.now, grant, token.counter, until);
        told(world, epoch);
    }

    /// Ends a grant. `end_unix` is when the token ends that is at hand; others may have been given since, and longer ones
    /// when the owner allowed longer ones, so that the grant stays on the list for as long as any can last.
    pub(super) fn end(&self, world: &World<'_>, grant: GrantId, end_unix: u64) {
        self.families.borrow_mut().forget(grant);
        let until = end_unix.max(world.now.unix + limits::REFRESH_SECS_MAX) + limits::ACCESS_SECS_MAX;
        let epoch = self.denied.borrow_mut().deny(world.now, grant, until);
        told(world, epoch);
    }

    /// Ends every token that was ever issued, as the owner wishes.
    pub fn revoke_everything(&self, world: &World<'_>) {
        let epoch = self.denied.borrow_mut().deny_all();
        told(world, Some(epoch));
    }

    /// Ends every token of a user, as the owner wishes. He may sign in again.
    pub fn revoke_user(&self, world: &World<'_>, subject: &str) {
        world.audit.record(&Event::UserRevoked { subject });
        let epoch = self.denied.borrow_mut().deny_user(subject);
        told(world, epoch);
    }

    /// Ends every token of a client, whoever uses it, as the owner wishes. It may ask again.
    pub fn revoke_client(&self, world: &World<'_>, client: ClientTag) {
        world.audit.record(&Event::ClientRevoked { client });
        let epoch = self.denied.borrow_mut().deny_client(client);
        told(world, epoch);
    }

    /// Ends one sign-in, as the one who signed in wishes.
    pub fn revoke_grant(&self, world: &World<'_>, grant: GrantId) {
        world.audit.record(&Event::Revoked { grant });
        self.end(world, grant, world.now.unix);
    }

    /// Ends the sign-in that a token or a code belongs to, or a token that was made by hand, as the owner wishes.
    ///
    /// # Errors
    /// [`Forged`] for what is none of ours.
    pub fn revoke_token(&self, world: &World<'_>, text: &str) -> Result<GrantId, Forged> {
        for purpose in [Purpose::Access, Purpose::Refresh, Purpose::Code] {
            let Ok(opened) = self.ring().open(purpose, text.as_bytes()) else { continue };
            if purpose == Purpose::Code {
                let Code { allowance, .. } = Code::read(&opened)?;
                self.take(world, &allowance, world.now.unix);
                return Ok(allowance.grant);
            }
            let Token { allowance, life, .. } = Token::read(&opened)?;
            self.take(world, &allowance, life.ends_unix_latest(world.now, self.boot));
            return Ok(allowance.grant);
        }
        Err(Forged)
    }

    fn take(&self, world: &World<'_>, allowance: &Allowance<'_>, end_unix: u64) {
        if self.stands(allowance).is_ok() {
            world.audit.record(&Event::Revoked { grant: allowance.grant });
            self.end(world, allowance.grant, end_unix);
        }
    }

    /// The present epoch. It grows when more than one grant is revoked at once.
    pub fn epoch(&self) -> u32 {
        self.denied.borrow().epoch()
    }

    /// Whether every token of a sign-in was ended: for those who hold a stream open.
    pub fn is_over(&self, standing: &Standing<'_>) -> bool {
        self.denied.borrow().has(standing)
    }

    /// What to write to a file (0600, by rename), if something was revoked since the last call.
    pub fn denied_text(&self) -> Option<String> {
        self.denied.borrow_mut().text_if_changed()
    }

    /// The text could not be written: [`Authority::denied_text`] gives it out once more.
    pub fn denied_unwritten(&self) {
        self.denied.borrow_mut().is_unwritten();
    }

    /// Reads that file again, at the start.
    ///
    /// # Errors
    /// The first line that is not as it should be. To go on without the list would bring revoked tokens back to life.
    pub fn restore(&self, world: &World<'_>, text: &str) -> Result<(), Fault> {
        *self.denied.borrow_mut() = Denied::parse(text, world.now)?;
        Ok(())
    }
}

fn told(world: &World<'_>, epoch: Option<u32>) {
    if let Some(epoch) = epoch {
        world.audit.record(&Event::AllRevoked { epoch });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Endpoint;
    use crate::oauth::testing::{Bench, form};

    fn revoke(bench: &Bench, client: &str, token: &str) -> Result<(), Error> {
        let body = form(&[("token", token), ("token_type_hint", "refresh_token"), ("client_id", client)]);
        bench.authority.revoke(&bench.world(), body.as_bytes(), None)
    }

    fn pair(bench: &Bench) -> (String, String) {
        let tokens = bench.tokens();
        let text = |member: &str| tokens[member].as_str().unwrap().to_owned();
        (text("access_token"), text("refresh_token"))
    }

    fn is_alive(bench: &Bench, access: &str) -> bool {
        bench.bearer(access, Endpoint::Mcp).is_ok()
    }

    #[test]
    fn a_client_that_is_none_is_refused() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        assert_eq!(revoke(&bench, "forged", &refresh).unwrap_err().status(), 401);
        assert_eq!(revoke(&bench, &bench.client, "").unwrap_err().error(), "invalid_request");
        assert!(is_alive(&bench, &access));
    }

    #[test]
    fn what_is_no_token_or_that_of_another_client_has_no_effect() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        for text in ["x", &access[1..], &refresh[..20], &bench.client, &bench.code(), &"A".repeat(5000)] {
            assert_eq!(revoke(&bench, &bench.client, text), Ok(()), "{text:.50}");
        }
        let other = bench.client_id();
        assert_eq!(revoke(&bench, &other, &refresh), Ok(()));
        assert_eq!(revoke(&bench, &other, &access), Ok(()));
        assert!(is_alive(&bench, &access) && bench.refresh(&bench.client, &refresh, &[]).is_ok());
        assert_eq!(bench.authority.denied_text(), None);
    }

    #[test]
    fn a_refresh_token_takes_the_access_tokens_along() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        revoke(&bench, &bench.client, &refresh).unwrap();
        assert!(!is_alive(&bench, &access));
        assert_eq!(bench.refresh(&bench.client, &refresh, &[]).unwrap_err().error(), "invalid_grant");
        assert!(bench.audit.has("Revoked"));
    }

    #[test]
    fn an_access_token_leaves_the_refresh_token() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        revoke(&bench, &bench.client, &access).unwrap();
        assert!(!is_alive(&bench, &access));
        let next = bench.refresh(&bench.client, &refresh, &[]).unwrap();
        assert!(is_alive(&bench, next["access_token"].as_str().unwrap()));
    }

    #[test]
    fn a_revocation_survives_a_restart() {
        let mut bench = Bench::new();
        let (access, refresh) = pair(&bench);
        let alive = bench.tokens_of(&bench.client_id());
        revoke(&bench, &bench.client, &refresh).unwrap();
        let text = bench.authority.denied_text().unwrap();
        assert_eq!(bench.authority.denied_text(), None);
        bench.restart();
        bench.authority.restore(&bench.world(), &text).unwrap();
        assert!(!is_alive(&bench, &access));
        assert!(bench.refresh(&bench.client, &refresh, &[]).is_err());
        assert!(is_alive(&bench, alive["access_token"].as_str().unwrap()));
    }

    #[test]
    fn a_broken_list_is_not_taken_for_an_empty_one() {
        let bench = Bench::new();
        assert!(bench.authority.restore(&bench.world(), "").is_err());
    }

    #[test]
    fn the_same_token_takes_no_more_room_the_second_time() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        revoke(&bench, &bench.client, &refresh).unwrap();
        assert!(bench.authority.denied_text().is_some());
        for token in [&access, &refresh] {
            revoke(&bench, &bench.client, token).unwrap();
            assert_eq!(bench.authority.denied_text(), None);
        }
    }

    #[test]
    fn a_token_of_an_earlier_epoch_takes_no_room() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        bench.authority.revoke_everything(&bench.world());
        assert!(bench.authority.denied_text().is_some());
        for token in [&access, &refresh] {
            revoke(&bench, &bench.client, token).unwrap();
            assert_eq!(bench.authority.denied_text(), None);
        }
    }

    #[test]
    fn a_full_list_ends_every_token_and_new_ones_are_good() {
        let bench = Bench::new();
        let bystander = bench.tokens_of(&bench.client_id());
        for n in 0..=limits::DENIED {
            let mut id = [0xee; 16];
            id[..size_of::<usize>()].copy_from_slice(&n.to_be_bytes());
            bench.authority.end(&bench.world(), GrantId(id), 0);
        }
        assert!(bench.audit.has("AllRevoked"));
        assert_eq!(bench.authority.epoch(), 1);
        assert!(!is_alive(&bench, bystander["access_token"].as_str().unwrap()));
        assert!(bench.authority.is_over(&Standing {
            subject: "x",
            client: ClientTag([1; 8]),
            grant: GrantId([1; 16]),
            epoch: 0
        }));
        assert!(is_alive(&bench, &pair(&bench).0));
    }

    #[test]
    fn the_owner_can_end_everything() {
        let mut bench = Bench::new();
        let (access, refresh) = pair(&bench);
        let code = bench.code();
        bench.authority.revoke_everything(&bench.world());
        assert!(!is_alive(&bench, &access) && bench.refresh(&bench.client, &refresh, &[]).is_err());
        assert_eq!(bench.exchange(&bench.client, &code, &[]).unwrap_err().error(), "invalid_grant");
        let text = bench.authority.denied_text().unwrap();
        bench.restart();
        bench.authority.restore(&bench.world(), &text).unwrap();
        assert!(!is_alive(&bench, &access));
    }

    #[test]
    fn the_owner_can_end_the_tokens_of_one_user() {
        let mut bench = Bench::new();
        let (access, refresh) = pair(&bench);
        let code = bench.code();
        let minted = bench.mint("meter", "someone else", 3600);
        bench.authority.revoke_user(&bench.world(), "me@example.com");
        assert!(!is_alive(&bench, &access) && bench.refresh(&bench.client, &refresh, &[]).is_err());
        assert_eq!(bench.exchange(&bench.client, &code, &[]).unwrap_err().error(), "invalid_grant");
        assert!(is_alive(&bench, &minted));
        let anew = pair(&bench).0;
        let text = bench.authority.denied_text().unwrap();
        bench.restart();
        bench.authority.restore(&bench.world(), &text).unwrap();
        assert!(!is_alive(&bench, &access) && is_alive(&bench, &anew));
        assert!(bench.audit.has("UserRevoked"));
    }

    #[test]
    fn the_owner_can_end_the_tokens_of_one_client() {
        let bench = Bench::new();
        let (access, refresh) = pair(&bench);
        let other = bench.client_id();
        let bystander = bench.tokens_of(&other);
        let client = bench.bearer(&access, Endpoint::Mcp).unwrap().client;
        bench.authority.revoke_client(&bench.world(), client);
        assert!(!is_alive(&bench, &access) && bench.refresh(&bench.client, &refresh, &[]).is_err());
        assert!(is_alive(&bench, bystander["access_token"].as_str().unwrap()));
        assert!(is_alive(&bench, &pair(&bench).0), "it may ask again");
        assert!(bench.audit.has("ClientRevoked"));
    }

    #[test]
    fn the_owner_can_end_one_sign_in_by_any_of_its_texts() {
        for which in 0..3 {
            let bench = Bench::new();
            let code = bench.code();
            let tokens = bench.exchange(&bench.client, &code, &[]).unwrap();
            let [access, refresh] = ["access_token", "refresh_token"].map(|member| tokens[member].as_str().unwrap().to_owned());
            let text = [&access, &refresh, &code][which];
            let grant = bench.authority.revoke_token(&bench.world(), text).unwrap();
            assert_eq!(bench.authority.revoke_token(&bench.world(), text), Ok(grant));
            assert!(!is_alive(&bench, &access) && bench.refresh(&bench.client, &refresh, &[]).is_err());
        }
        let bench = Bench::new();
        for text in ["", "x", &bench.client] {
            assert_eq!(bench.authority.revoke_token(&bench.world(), text), Err(Forged));
        }
        assert_eq!(bench.authority.denied_text(), None);
    }

    #[test]
    fn a_token_made_by_hand_that_was_revoked_stays_so_until_it_ends_whatever_the_clock_does() {
        let mut bench = Bench::new();
        let token = bench.mint("meter", "meter", limits::STATIC_SECS);
        bench.step(200 * 24 * 3600);
        bench.authority.revoke_token(&bench.world(), &token).unwrap();
        bench.pass(limits::STATIC_SECS - 1);
        // Another revocation clears the list of what is out of date.
        bench.authority.end(&bench.world(), GrantId([9; 16]), 0);
        assert!(!is_alive(&bench, &token));
        assert_eq!(bench.bearer(&token, Endpoint::Mcp).unwrap_err().reason(), "token revoked");
    }
}
