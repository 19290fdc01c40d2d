//! `POST /token` (RFC 6749 3.2): which client, which grant, and the answer.

use super::claims::{Allowance, Token};
use super::client::Client;
use super::error::json;
use super::form::Parameters;
use super::life::Life;
use super::{Authority, Base, Error, device};
use crate::audit::Event;
use crate::limits;
use crate::seal::Purpose;
use crate::world::World;
use serde::Serialize;

/// RFC 6749 5.1.
#[derive(Serialize)]
struct Response<'a> {
    access_token: &'a str,
    token_type: &'a str,
    expires_in: u64,
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    refresh_token: Option<&'a str>,
}

/// What is to be sealed: what was allowed, and how much of it the access token gets.
pub(super) struct Issue<'a> {
    /// Under which name the client has asked.
    pub(super) base: &'a Base,
    /// That of the refresh token.
    pub(super) life: Life,
    pub(super) counter: u32,
    pub(super) allowance: Allowance<'a>,
    pub(super) access: Allowance<'a>,
    pub(super) grant_type: &'static str,
}

impl Authority {
    /// `POST /token`: the body of the 200 answer. `form` is of type `application/x-www-form-urlencoded`, which the
    /// caller has checked; `authorization` is the value of that header.
    ///
    /// # Errors
    /// RFC 6749 5.2. The answer says `Cache-Control: no-store`, as the good one does.
    pub fn token(&self, world: &World<'_>, base: &Base, form: &[u8], authorization: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let issued = self.issued(world, base, form, authorization);
        issued.inspect_err(|error| {
            // A device asks and asks: that is no event.
            if !error.is_pending() {
                world.audit.record(&Event::TokenRefused { reason: error.reason() });
            }
        })
    }

    fn issued(&self, world: &World<'_>, base: &Base, form: &[u8], authorization: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let client = Client::authenticate(&self.ring(), &parameters, authorization)?;
        match parameters.required("grant_type", "grant_type is missing.")? {
            "authorization_code" => self.exchange(world, base, &client, &parameters),
            "refresh_token" => self.refresh(world, base, &client, &parameters),
            device::GRANT_TYPE => self.asked_by_device(world, base, &client, &parameters),
            _ => Err(Error::unsupported_grant_type()),
        }
    }

    /// Seals the answer to any grant.
    ///
    /// Over plain HTTP on a network there is no refresh token, and the access token lasts a day.
    pub(super) fn issue(&self, world: &World<'_>, issue: &Issue<'_>) -> Result<Vec<u8>, Error> {
        let Issue { base, life, counter, allowance, access, grant_type } = *issue;
        let is_protected = base.is_protected();
        let expires_in = if is_protected { self.settings().lifetimes.access_secs } else { limits::PLAIN_ACCESS_SECS };
        let token = Token { life: Life::lasting(expires_in, world.now, self.boot), counter, allowance: access };
        let access_token = token.seal(&self.ring(), Purpose::Access)?;
        let refresh =
            is_protected.then(|| Token { life, counter, allowance }.seal(&self.ring(), Purpose::Refresh)).transpose()?;
        let Allowance { subject, client, grant, scopes, .. } = access;
        world.audit.record(&Event::TokenIssued { subject, client, grant, grant_type });
        Ok(json(&Response {
            access_token: &access_token,
            token_type: "Bearer",
            expires_in,
            scope: scopes,
            refresh_token: refresh.as_deref(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use crate::limits;
    use crate::oauth::testing::{Bench, form};
    use crate::oauth::{Endpoint, Lifetimes, Settings};
    use crate::principal::GrantId;
    use serde_json::Value;

    #[test]
    fn an_unknown_client_is_401_so_that_it_registers_anew() {
        let bench = Bench::new();
        for client_id in ["", "forged", &bench.code()] {
            let body = form(&[("grant_type", "refresh_token"), ("refresh_token", "x"), ("client_id", client_id)]);
            let error = bench.authority.token(&bench.world(), &bench.base, body.as_bytes(), None).unwrap_err();
            assert_eq!((error.status(), error.error()), (401, "invalid_client"), "{client_id:.50}");
        }
        assert!(bench.audit.has("TokenRefused"));
    }

    #[test]
    fn tokens_last_as_long_as_the_owner_says_and_are_cut_when_he_says_less() {
        let mut bench = Bench::new();
        let says = |bench: &Bench, access_secs, refresh_secs| {
            let lifetimes = Lifetimes { access_secs, refresh_secs };
            bench.authority.reload(Settings { lifetimes, ..bench.settings() });
        };
        let refreshed =
            |bench: &Bench, token: &Value| bench.refresh(&bench.client, token["refresh_token"].as_str().unwrap(), &[]);
        let is_alive =
            |bench: &Bench, token: &Value| bench.bearer(token["access_token"].as_str().unwrap(), Endpoint::Mcp).is_ok();
        says(&bench, 600, 90 * 24 * 3600);
        let first = bench.tokens();
        assert_eq!(first["expires_in"], 600);
        bench.pass(599);
        assert!(is_alive(&bench, &first));
        bench.pass(1);
        assert!(!is_alive(&bench, &first));
        bench.pass(89 * 24 * 3600);
        let second = refreshed(&bench, &first).unwrap();
        assert_eq!(second["expires_in"], 600);
        bench.pass(24 * 3600 - 601);
        let third = refreshed(&bench, &second).unwrap();
        bench.pass(1);
        assert!(refreshed(&bench, &third).is_err(), "ninety days from the sign-in on, and not a second more");
        // He wants it shorter: what was given keeps its end until it is used.
        let long = bench.tokens();
        says(&bench, 3600, 7200);
        bench.pass(7201);
        let cut = refreshed(&bench, &long).unwrap();
        assert_eq!(cut["expires_in"], 3600);
        bench.pass(7200);
        assert!(refreshed(&bench, &cut).is_err());
    }

    #[test]
    fn a_grant_that_was_ended_stays_so_though_the_owner_allows_less_by_now() {
        for by in ["access_token", "refresh_token"] {
            let mut bench = Bench::new();
            let lifetimes = Lifetimes { refresh_secs: limits::REFRESH_SECS_MAX, ..Lifetimes::default() };
            bench.authority.reload(Settings { lifetimes, ..bench.settings() });
            let tokens = bench.tokens();
            bench.restart();
            bench.authority.reload(Settings { lifetimes: Lifetimes { refresh_secs: 3600, ..lifetimes }, ..bench.settings() });
            bench.authority.revoke_token(&bench.world(), tokens[by].as_str().unwrap()).unwrap();
            bench.pass(limits::REFRESH_SECS_MAX - 1);
            // Another revocation clears the list of what is out of date.
            bench.authority.end(&bench.world(), GrantId([9; 16]), 0);
            assert!(bench.refresh(&bench.client, tokens["refresh_token"].as_str().unwrap(), &[]).is_err(), "{by}");
        }
    }

    #[test]
    fn other_grants_are_unsupported_and_none_is_invalid() {
        let bench = Bench::new();
        for (grant_type, error) in [
            ("", "invalid_request"),
            ("password", "unsupported_grant_type"),
            ("client_credentials", "unsupported_grant_type"),
            ("Authorization_Code", "unsupported_grant_type"),
        ] {
            let body = form(&[("grant_type", grant_type), ("client_id", &bench.client)]);
            assert_eq!(
                bench.authority.token(&bench.world(), &bench.base, body.as_bytes(), None).unwrap_err().error(),
                error,
                "{grant_type}"
            );
        }
    }

    #[test]
    fn json_a_doubled_parameter_and_a_body_over_the_limit_are_refused() {
        let bench = Bench::new();
        let doubled = form(&[("grant_type", "refresh_token"), ("grant_type", "refresh_token"), ("client_id", &bench.client)]);
        let long = "a".repeat(1 << 20);
        for (body, error) in [
            (r#"{"grant_type":"refresh_token"}"#, "invalid_client"),
            (doubled.as_str(), "invalid_request"),
            (long.as_str(), "invalid_request"),
        ] {
            assert_eq!(
                bench.authority.token(&bench.world(), &bench.base, body.as_bytes(), None).unwrap_err().error(),
                error,
                "{body:.50}"
            );
        }
    }

    #[test]
    fn the_answer_is_that_of_rfc_6749() {
        let bench = Bench::new();
        let answer = bench.tokens();
        let members: Vec<_> = answer.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["access_token", "expires_in", "refresh_token", "scope", "token_type"]);
        assert_eq!((&answer["token_type"], &answer["expires_in"]), (&"Bearer".into(), &3600.into()));
        assert_eq!(answer["scope"], "math system:read gpio:write");
        assert!(answer["access_token"].as_str().unwrap().len() < 300);
    }
}
