//! The two grants: a code is exchanged for tokens (RFC 6749 4.1.3), a refresh token for the next ones (RFC 6749 6).

use super::claims::{Allowance, Code, Token};
use super::client::Client;
use super::family::{Holder, Presented};
use super::form::Parameters;
use super::life::Life;
use super::replay::Unspendable;
use super::token::Issue;
use super::{Authority, Base, Error, redirect, scope};
use crate::audit::Event;
use crate::limits;
use crate::principal::{GrantId, Scopes};
use crate::seal::Purpose;
use crate::world::World;

impl Authority {
    /// `grant_type=authorization_code`. Nothing is spent before everything else held, the proof key last.
    pub(super) fn exchange(
        &self,
        world: &World<'_>,
        base: &Base,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<u8>, Error> {
        let text = parameters.required("code", "code is missing.")?;
        let redirect_uri = parameters.required("redirect_uri", "redirect_uri is missing.")?;
        let verifier = parameters.required("code_verifier", "code_verifier is missing.")?;
        let opened =
            self.ring().open(Purpose::Code, text.as_bytes()).map_err(|_| Error::invalid_grant("code not sealed here"))?;
        let code = Code::read(&opened).map_err(|_| Error::invalid_grant("code of another shape"))?;
        if code.deadline.is_past(world.now, self.boot) {
            return Err(Error::invalid_grant("code expired or of an earlier boot"));
        }
        if code.allowance.client != client.tag {
            return Err(Error::invalid_grant("code of another client"));
        }
        if code.redirect_uri != redirect::exact(redirect_uri) {
            return Err(Error::invalid_grant("redirect_uri is not that of the code"));
        }
        let target = code.allowance.target.narrowed(parameters.one("resource")?, self.settings().bases(base))?;
        if !code.challenge.is_met_by(verifier) {
            return Err(Error::invalid_grant("code_verifier does not fit"));
        }
        self.stands(&code.allowance)?;
        self.spend(world, &code)?;
        let (allowance, life) = self.begin(world, code.allowance);
        let access = Allowance { target, ..allowance };
        self.issue(world, &Issue { base, life, counter: 0, allowance, access, grant_type: "authorization_code" })
    }

    /// `grant_type=refresh_token`. The token keeps what was allowed; the access token may get less.
    pub(super) fn refresh(
        &self,
        world: &World<'_>,
        base: &Base,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<u8>, Error> {
        let text = parameters.required("refresh_token", "refresh_token is missing.")?;
        if !base.is_protected() {
            return Err(Error::invalid_grant("refresh token over plain HTTP"));
        }
        let opened = self
            .ring()
            .open(Purpose::Refresh, text.as_bytes())
            .map_err(|_| Error::invalid_grant("refresh token not sealed here"))?;
        let token = Token::read(&opened).map_err(|_| Error::invalid_grant("refresh token of another shape"))?;
        let allowance = token.allowance;
        if allowance.client != client.tag {
            return Err(Error::invalid_grant("refresh token of another client"));
        }
        if token.life.is_over(world.now, self.boot) {
            return Err(Error::invalid_grant("refresh token expired"));
        }
        // What was revoked at the other is not known here; and where this board went by another name before, what comes of it
        // would be refused by the bearer check, so that the client would refresh for ever.
        if !self.settings().bases(base).any(|base| base.audience == allowance.target.audience) {
            return Err(Error::invalid_grant("refresh token of another server"));
        }
        self.stands(&allowance)?;
        let target = allowance.target.narrowed(parameters.one("resource")?, self.settings().bases(base))?;
        let scopes = scope::narrowed(&self.scopes(), &self.limited(&allowance), parameters.one("scope")?)?;
        let (grant, holder, most_secs) = (allowance.grant, holder(&allowance), self.settings().lifetimes.refresh_secs);
        let presented = Presented { grant, holder, counter: token.counter, life: token.life, most_secs };
        let successor = self.families.borrow_mut().successor(world.now, self.boot, &presented);
        let Some((counter, life)) = successor else {
            self.end_reused(world, allowance.grant, token.life.end_unix);
            return Err(Error::invalid_grant("refresh token used again"));
        };
        let access = Allowance { target, scopes: scopes.as_str(), ..allowance };
        self.issue(world, &Issue { base, life, counter, allowance, access, grant_type: "refresh_token" })
    }

    /// Whether what a person allowed still stands.
    pub(super) fn stands(&self, allowance: &Allowance<'_>) -> Result<(), Error> {
        if self.denied.borrow().has(&allowance.standing()) {
            return Err(Error::invalid_grant("grant revoked"));
        }
        if !self.admits(allowance.way, allowance.subject) {
            return Err(Error::invalid_grant("grant of somebody who is no longer let in"));
        }
        Ok(())
    }

    /// What of the scopes that a person allowed he still may.
    pub(super) fn limited(&self, allowance: &Allowance<'_>) -> Scopes {
        self.settings().limited(allowance.subject, allowance.scopes)
    }

    /// RFC 6749 4.1.2: a code is good once, and when it comes again, what came of it ends.
    fn spend(&self, world: &World<'_>, code: &Code<'_>) -> Result<(), Error> {
        let grant = code.allowance.grant;
        let spent = self.spent.borrow_mut().spend(world.now, grant.0, code.deadline.uptime_ms);
        spent.map_err(|unspendable| match unspendable {
            Unspendable::Twice => {
                self.end_reused(world, grant, world.now.unix);
                Error::invalid_grant("code used twice")
            }
            Unspendable::Full => unspendable.into(),
        })
    }

    /// Begins a grant now, and ends the older ones of this person with this client, as far as they are known.
    pub(super) fn begin<'a>(&self, world: &World<'_>, allowance: Allowance<'a>) -> (Allowance<'a>, Life) {
        let holder = holder(&allowance);
        loop {
            let older = self.families.borrow_mut().take_other(holder, allowance.grant);
            let Some((grant, life)) = older else { break };
            world.audit.record(&Event::Superseded { grant });
            let until = life.ends_unix_latest(world.now, self.boot) + limits::ACCESS_SECS_MAX;
            self.denied.borrow_mut().supersede(world.now, grant, until);
        }
        let life = Life::lasting(self.settings().lifetimes.refresh_secs, world.now, self.boot);
        self.families.borrow_mut().begin(world.now, allowance.grant, holder, life);
        (Allowance { epoch: self.denied.borrow().epoch(), ..allowance }, life)
    }

    fn end_reused(&self, world: &World<'_>, grant: GrantId, end_unix: u64) {
        world.audit.record(&Event::ReuseDetected { grant });
        self.end(world, grant, end_unix);
    }
}

fn holder(allowance: &Allowance<'_>) -> Holder {
    Holder::new(allowance.client, allowance.subject)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Endpoint;
    use crate::oauth::testing::{Bench, VERIFIER};
    use serde_json::Value;

    fn error(answer: Result<Value, Error>) -> &'static str {
        let error = answer.unwrap_err();
        assert_eq!(error.status(), 400);
        error.error()
    }

    fn text(answer: &Value, member: &str) -> String {
        answer[member].as_str().unwrap().to_owned()
    }

    fn is_alive(bench: &Bench, answer: &Value) -> bool {
        bench.bearer(answer["access_token"].as_str().unwrap(), Endpoint::Mcp).is_ok()
    }

    // ── the code ───────────────────────────────────────────────────────────────────────────────────────────────────

    #[test]
    fn a_wrong_verifier_is_refused_and_the_right_one_works_after_it() {
        let bench = Bench::new();
        let code = bench.code();
        for verifier in [&VERIFIER.replace('d', "e"), &VERIFIER[..42], &"a".repeat(129), "plain"] {
            assert_eq!(error(bench.exchange(&bench.client, &code, &[("code_verifier", verifier)])), "invalid_grant");
        }
        assert_eq!(error(bench.exchange(&bench.client, &code, &[("code_verifier", "")])), "invalid_request");
        assert!(bench.exchange(&bench.client, &code, &[]).is_ok());
    }

    #[test]
    fn a_wrong_or_absent_redirect_uri_is_refused() {
        let bench = Bench::new();
        let code = bench.code();
        for uri in ["http://localhost:3336/callback", "http://localhost/callback", "http://127.0.0.1:3335/callback", "x"] {
            assert_eq!(error(bench.exchange(&bench.client, &code, &[("redirect_uri", uri)])), "invalid_grant", "{uri}");
        }
        assert_eq!(error(bench.exchange(&bench.client, &code, &[("redirect_uri", "")])), "invalid_request");
        assert!(bench.exchange(&bench.client, &code, &[]).is_ok());
    }

    #[test]
    fn a_code_of_another_client_is_refused_and_not_spent() {
        let bench = Bench::new();
        let code = bench.code();
        assert_eq!(error(bench.exchange(&bench.client_id(), &code, &[])), "invalid_grant");
        assert!(bench.exchange(&bench.client, &code, &[]).is_ok());
    }

    #[test]
    fn a_foreign_resource_is_refused_and_does_not_spend_the_code() {
        let bench = Bench::new();
        let code = bench.code_for(&[("resource", "http://localhost:8787/mcp")]);
        for resource in ["https://evil.example/mcp", "http://localhost:8787/sse", "https://pi.local/mcp"] {
            assert_eq!(error(bench.exchange(&bench.client, &code, &[("resource", resource)])), "invalid_target", "{resource}");
        }
        assert!(bench.exchange(&bench.client, &code, &[("resource", "http://localhost:8787/mcp")]).is_ok());
    }

    #[test]
    fn a_code_that_comes_twice_ends_what_came_of_it() {
        let bench = Bench::new();
        let code = bench.code();
        let tokens = bench.exchange(&bench.client, &code, &[]).unwrap();
        assert!(is_alive(&bench, &tokens));
        assert_eq!(error(bench.exchange(&bench.client, &code, &[])), "invalid_grant");
        assert!(!is_alive(&bench, &tokens));
        assert_eq!(error(bench.refresh(&bench.client, &text(&tokens, "refresh_token"), &[])), "invalid_grant");
        assert!(bench.audit.has("ReuseDetected"));
    }

    #[test]
    fn a_used_code_kills_nothing_without_its_proof_or_its_verifier() {
        let bench = Bench::new();
        let code = bench.code();
        let tokens = bench.exchange(&bench.client, &code, &[]).unwrap();
        let tail = if code.ends_with('A') { "E" } else { "A" };
        assert_eq!(error(bench.exchange(&bench.client, &format!("{}{tail}", &code[..code.len() - 1]), &[])), "invalid_grant");
        assert_eq!(error(bench.exchange(&bench.client, &code, &[("code_verifier", &"x".repeat(43))])), "invalid_grant");
        assert_eq!(error(bench.exchange(&bench.client_id(), &code, &[])), "invalid_grant");
        assert!(is_alive(&bench, &tokens));
    }

    #[test]
    fn a_code_lasts_a_minute_whatever_the_clock_does() {
        let mut bench = Bench::new();
        let (code, late) = (bench.code(), bench.code());
        bench.pass(limits::CODE_SECS - 1);
        bench.step(40 * 24 * 3600);
        assert!(bench.exchange(&bench.client, &code, &[]).is_ok());
        bench.step(-41 * 24 * 3600);
        bench.pass(1);
        assert_eq!(error(bench.exchange(&bench.client, &late, &[])), "invalid_grant");
    }

    #[test]
    fn a_code_of_an_earlier_boot_is_refused() {
        let mut bench = Bench::new();
        let code = bench.code();
        bench.restart();
        assert_eq!(error(bench.exchange(&bench.client, &code, &[])), "invalid_grant");
    }

    #[test]
    fn what_is_no_code_is_refused() {
        let bench = Bench::new();
        let tokens = bench.tokens();
        let code = bench.code();
        let (access, refresh) = (text(&tokens, "access_token"), text(&tokens, "refresh_token"));
        for garbage in ["x", "*", &code[1..], &code[..code.len() - 1], &access, &refresh, &bench.client, &"A".repeat(5000)] {
            assert_eq!(error(bench.exchange(&bench.client, garbage, &[])), "invalid_grant", "{garbage:.50}");
        }
        assert_eq!(error(bench.exchange(&bench.client, "", &[])), "invalid_request");
        assert_eq!(error(bench.refresh(&bench.client, &code, &[])), "invalid_grant");
    }

    #[test]
    fn a_full_table_refuses_the_code_and_does_not_lose_it() {
        let mut bench = Bench::new();
        let code = bench.code();
        for n in 1..limits::SPENT {
            let mut id = [0xee; 16];
            id[..size_of::<usize>()].copy_from_slice(&n.to_be_bytes());
            bench.authority.spent.borrow_mut().spend(bench.world().now, id, 30_000).unwrap();
        }
        let error = bench.exchange(&bench.client, &code, &[]).unwrap_err();
        assert_eq!((error.status(), error.error()), (503, "temporarily_unavailable"));
        bench.pass(30);
        assert!(bench.exchange(&bench.client, &code, &[]).is_ok());
    }

    // ── the refresh token ──────────────────────────────────────────────────────────────────────────────────────────

    #[test]
    fn the_predecessor_gets_the_same_successor_twice() {
        let mut bench = Bench::new();
        let first = text(&bench.tokens(), "refresh_token");
        let second = bench.refresh(&bench.client, &first, &[]).unwrap();
        bench.pass(limits::REFRESH_GRACE_SECS);
        bench.step(3);
        let again = bench.refresh(&bench.client, &first, &[]).unwrap();
        assert_eq!(again["refresh_token"], second["refresh_token"]);
        assert!(is_alive(&bench, &second) && is_alive(&bench, &again));
        bench.pass(1);
        assert_eq!(error(bench.refresh(&bench.client, &first, &[])), "invalid_grant");
        assert!(!is_alive(&bench, &second));
    }

    #[test]
    fn one_that_is_two_generations_old_ends_the_family() {
        let bench = Bench::new();
        let first = text(&bench.tokens(), "refresh_token");
        let second = text(&bench.refresh(&bench.client, &first, &[]).unwrap(), "refresh_token");
        let third = bench.refresh(&bench.client, &second, &[]).unwrap();
        assert_eq!(error(bench.refresh(&bench.client, &first, &[])), "invalid_grant");
        assert!(bench.audit.has("ReuseDetected"));
        assert!(!is_alive(&bench, &third));
        assert_eq!(error(bench.refresh(&bench.client, &text(&third, "refresh_token"), &[])), "invalid_grant");
    }

    #[test]
    fn another_client_cannot_refresh_and_harms_nothing() {
        let bench = Bench::new();
        let tokens = bench.tokens();
        assert_eq!(error(bench.refresh(&bench.client_id(), &text(&tokens, "refresh_token"), &[])), "invalid_grant");
        assert!(bench.refresh(&bench.client, &text(&tokens, "refresh_token"), &[]).is_ok());
    }

    #[test]
    fn a_refresh_asks_for_no_more_than_was_allowed() {
        let bench = Bench::new();
        let code = bench.code_for(&[("scope", "math system:read"), ("resource", "http://localhost:8787/mcp")]);
        let mut refresh = text(&bench.exchange(&bench.client, &code, &[]).unwrap(), "refresh_token");
        assert_eq!(error(bench.refresh(&bench.client, &refresh, &[("scope", "gpio:write")])), "invalid_scope");
        for resource in ["https://evil.example/mcp", "http://localhost:8787/sse"] {
            assert_eq!(error(bench.refresh(&bench.client, &refresh, &[("resource", resource)])), "invalid_target");
        }
        for (asked, scope) in [
            ("math gpio:write", "math"),
            ("system:read", "system:read"),
            ("", "math system:read"),
            ("openid", "math system:read"),
        ] {
            let answer = bench.refresh(&bench.client, &refresh, &[("scope", asked)]).unwrap();
            assert_eq!(answer["scope"], scope, "{asked}");
            refresh = text(&answer, "refresh_token");
        }
    }

    #[test]
    fn a_refresh_token_ends_thirty_days_after_the_sign_in_however_often_it_is_used() {
        let mut bench = Bench::new();
        let mut refresh = text(&bench.tokens(), "refresh_token");
        for _ in 0..29 {
            bench.pass(24 * 3600);
            refresh = text(&bench.refresh(&bench.client, &refresh, &[]).unwrap(), "refresh_token");
        }
        bench.pass(24 * 3600 - 1);
        refresh = text(&bench.refresh(&bench.client, &refresh, &[]).unwrap(), "refresh_token");
        bench.pass(1);
        assert_eq!(error(bench.refresh(&bench.client, &refresh, &[])), "invalid_grant");
    }

    #[test]
    fn after_a_newer_sign_in_the_older_grant_is_over() {
        let bench = Bench::new();
        let (older, newer) = (bench.tokens(), bench.tokens());
        assert!(!is_alive(&bench, &older) && is_alive(&bench, &newer));
        assert_eq!(error(bench.refresh(&bench.client, &text(&older, "refresh_token"), &[])), "invalid_grant");
        assert!(bench.refresh(&bench.client, &text(&newer, "refresh_token"), &[]).is_ok());
        assert!(bench.audit.has("Superseded"));
    }

    #[test]
    fn the_same_program_on_two_computers_keeps_both_grants() {
        let bench = Bench::new();
        let one = bench.tokens();
        let client = bench.client_id();
        let two = bench.exchange(&client, &bench.code_of(&client, &[]), &[]).unwrap();
        assert!(is_alive(&bench, &one) && is_alive(&bench, &two));
    }

    #[test]
    fn after_a_restart_tokens_are_good_and_reuse_is_still_seen() {
        let mut bench = Bench::new();
        let tokens = bench.tokens();
        let first = text(&tokens, "refresh_token");
        let second = text(&bench.refresh(&bench.client, &first, &[]).unwrap(), "refresh_token");
        let third = text(&bench.refresh(&bench.client, &second, &[]).unwrap(), "refresh_token");
        bench.restart();
        assert!(is_alive(&bench, &tokens));
        // A thief is faster, with an old one: it is believed, as nothing is known, until the owner comes.
        let stolen = bench.refresh(&bench.client, &first, &[]).unwrap();
        assert_eq!(error(bench.refresh(&bench.client, &third, &[])), "invalid_grant");
        assert!(!is_alive(&bench, &stolen));
    }

    #[test]
    fn a_clock_that_is_set_after_the_sign_in_ends_nothing() {
        let mut bench = Bench::new();
        let tokens = bench.tokens();
        bench.step(40 * 24 * 3600);
        assert!(is_alive(&bench, &tokens));
        let next = bench.refresh(&bench.client, &text(&tokens, "refresh_token"), &[]).unwrap();
        bench.restart();
        assert!(is_alive(&bench, &next));
        assert!(bench.refresh(&bench.client, &text(&next, "refresh_token"), &[]).is_ok());
    }

    #[test]
    fn a_clock_that_goes_back_a_day_ends_nothing() {
        let mut bench = Bench::new();
        let tokens = bench.tokens();
        bench.step(-24 * 3600);
        assert!(is_alive(&bench, &tokens));
        bench.restart();
        assert!(is_alive(&bench, &tokens));
        assert!(bench.refresh(&bench.client, &text(&tokens, "refresh_token"), &[]).is_ok());
    }
}
