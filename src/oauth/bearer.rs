//! The check that every request of a client passes (RFC 6750), and the challenge of the one that does not.
//!
//! What passes takes nothing from the heap: one HMAC, and a look at the list of what was revoked.

use super::claims::Token;
use super::metadata::RESOURCE_METADATA_PATH;
use super::{Authority, Base, Endpoint, Endpoints, Mode};
use crate::audit::Event;
use crate::principal::{Principal, Scopes};
use crate::seal::{Forged, Purpose};
use crate::world::World;

/// A request without a token, or with one that is not good: 401.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refusal {
    reason: Option<&'static str>,
}

impl Refusal {
    /// RFC 6750 3.1: who brought no token is told how to get one, not that something is wrong.
    const MISSING: Refusal = Refusal { reason: None };

    const fn because(reason: &'static str) -> Self {
        Refusal { reason: Some(reason) }
    }

    /// Whether a token came with the request.
    pub fn is_presented(&self) -> bool {
        self.reason.is_some()
    }

    /// What the audit log is told, and the client is not.
    pub fn reason(&self) -> &'static str {
        self.reason.unwrap_or("no token")
    }
}

impl From<Forged> for Refusal {
    fn from(_: Forged) -> Self {
        Refusal::because("token not sealed here")
    }
}

impl Authority {
    /// Who is calling, by the `Authorization` headers of a request (all of them) to an endpoint.
    ///
    /// At `/messages` a token for either endpoint will do: [`Endpoints::ANY`].
    ///
    /// # Errors
    /// 401 with the [`challenge`].
    pub fn bearer<'h>(
        &self,
        world: &World<'_>,
        authorization: impl IntoIterator<Item = &'h [u8]>,
        endpoints: Endpoints,
    ) -> Result<Principal, Refusal> {
        if self.settings().mode == Mode::Open {
            return Ok(Principal::anonymous(self.scopes()));
        }
        let principal = presented(authorization).and_then(|text| self.principal(world, text, endpoints));
        // Every client begins without a token: that is no event.
        if let Err(Refusal { reason: Some(reason) }) = principal {
            world.audit.record(&Event::BearerRefused { reason });
        }
        principal
    }

    fn principal(&self, world: &World<'_>, text: &[u8], endpoints: Endpoints) -> Result<Principal, Refusal> {
        let ring = self.ring();
        let opened = ring.known(Purpose::Access, text)?;
        let Token { life, counter, allowance } = Token::read(&opened)?;
        // `iat` is not looked at: a token from the future was made before the clock was set back.
        if life.is_over(world.now, self.boot) {
            return Err(Refusal::because("token expired"));
        }
        if !self.settings().bases.iter().any(|base| base.audience == allowance.target.audience) {
            return Err(Refusal::because("token for another server"));
        }
        if allowance.target.endpoints.intersection(endpoints).is_none() {
            return Err(Refusal::because("token for another endpoint"));
        }
        if !self.admits(allowance.way, allowance.subject) {
            return Err(Refusal::because("token of somebody who is no longer let in"));
        }
        if self.denied.borrow().has_access(&allowance.standing(), counter) {
            return Err(Refusal::because("token revoked"));
        }
        Ok(Principal {
            subject: heapless::String::try_from(allowance.subject).map_err(|_| Forged)?,
            client: allowance.client,
            grant: allowance.grant,
            scopes: self.limited(&allowance),
        })
    }
}

/// The token in the headers: one header, of the form `Bearer token` (RFC 6750 2.1; RFC 9110 11.1 for upper and lower case).
fn presented<'h>(authorization: impl IntoIterator<Item = &'h [u8]>) -> Result<&'h [u8], Refusal> {
    let mut headers = authorization.into_iter();
    let header = headers.next().ok_or(Refusal::MISSING)?;
    if headers.next().is_some() {
        return Err(Refusal::because("two Authorization headers"));
    }
    let (scheme, rest) = header.split_at_checked("Bearer".len()).ok_or(Refusal::MISSING)?;
    // All clients of note write it so.
    if scheme != b"Bearer" && !scheme.eq_ignore_ascii_case(b"bearer") {
        return Err(Refusal::MISSING);
    }
    match rest {
        [] | [b' ', ..] => Ok(rest.trim_ascii()),
        _ => Err(Refusal::MISSING),
    }
}

/// The `WWW-Authenticate` of a 401: where to read how to sign in (RFC 9728 5.1), and which scopes there are.
pub fn challenge(base: &Base, endpoint: Endpoint, scopes: &Scopes, refusal: &Refusal) -> String {
    let mut value = format!("Bearer {}", pointers(base, endpoint, scopes));
    if refusal.is_presented() {
        value.push_str(", error=\"invalid_token\", error_description=\"The access token is not valid (any more).\"");
    }
    value
}

/// The `WWW-Authenticate` of a 403: `scopes` are those that it takes. RFC 6750 3.1.
pub fn insufficient_scope(base: &Base, endpoint: Endpoint, scopes: &Scopes) -> String {
    format!("Bearer error=\"insufficient_scope\", {}", pointers(base, endpoint, scopes))
}

fn pointers(base: &Base, endpoint: Endpoint, scopes: &Scopes) -> String {
    let metadata = format!("resource_metadata=\"{}{RESOURCE_METADATA_PATH}{}\"", base.origin, endpoint.path());
    if scopes.is_empty() { metadata } else { format!("{metadata}, scope=\"{}\"", scopes.as_str()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::oauth::testing::Bench;

    fn access(bench: &Bench) -> String {
        bench.tokens()["access_token"].as_str().unwrap().to_owned()
    }

    fn headers(bench: &Bench, headers: &[&str]) -> Result<Principal, Refusal> {
        bench.authority.bearer(&bench.world(), headers.iter().map(|header| header.as_bytes()), Endpoint::Mcp.into())
    }

    #[test]
    fn no_token_is_not_a_bad_token() {
        let bench = Bench::new();
        let token = access(&bench);
        for header in ["", "Basic eDp5", "Bear", &token, &format!("Bearer{token}"), &format!("Bearer\t{token}"), "Bearers x"] {
            assert_eq!(headers(&bench, &[header]), Err(Refusal::MISSING), "{header:.20}");
        }
        assert_eq!(headers(&bench, &[]), Err(Refusal::MISSING));
        assert!(!bench.audit.has("BearerRefused"));
    }

    #[test]
    fn a_flipped_bit_in_any_part_is_refused() {
        let bench = Bench::new();
        let token = access(&bench);
        for position in 0..token.len() {
            let mut flipped = token.clone().into_bytes();
            flipped[position] ^= 1;
            let header = [b"Bearer ", flipped.as_slice()].concat();
            let answer = bench.authority.bearer(&bench.world(), [header.as_slice()], Endpoint::Mcp.into());
            assert!(answer.is_err_and(|refusal| refusal.is_presented()), "{position}");
        }
        assert!(bench.audit.has("BearerRefused"));
    }

    #[test]
    fn what_is_no_access_token_is_refused() {
        let bench = Bench::new();
        let tokens = bench.tokens();
        let refresh = tokens["refresh_token"].as_str().unwrap();
        let session = bench.ring.seal(Purpose::Session, b"session");
        let odd = bench.ring.seal(Purpose::Access, b"odd");
        for text in
            ["", "x", "*", refresh, &bench.code(), &bench.client, &session, &odd, &"A".repeat(10_000), &"A".repeat(1 << 20)]
        {
            assert!(headers(&bench, &[&format!("Bearer {text}")]).is_err_and(|refusal| refusal.is_presented()), "{text:.20}");
        }
    }

    #[test]
    fn two_headers_are_refused_though_both_are_good() {
        let bench = Bench::new();
        let header = format!("Bearer {}", access(&bench));
        assert_eq!(headers(&bench, &[&header, &header]).unwrap_err().reason(), "two Authorization headers");
        let list = format!("{header}, {header}");
        assert!(headers(&bench, &[&list]).is_err());
    }

    #[test]
    fn one_that_expired_a_second_ago_is_refused() {
        let mut bench = Bench::new();
        let token = access(&bench);
        bench.pass(limits::ACCESS_SECS - 1);
        assert!(bench.bearer(&token, Endpoint::Mcp).is_ok());
        bench.pass(1);
        assert_eq!(bench.bearer(&token, Endpoint::Mcp).unwrap_err().reason(), "token expired");
    }

    #[test]
    fn after_a_restart_one_expires_by_the_calendar() {
        let mut bench = Bench::new();
        let token = access(&bench);
        bench.restart();
        bench.step(i64::try_from(limits::ACCESS_SECS).unwrap() - 1);
        assert!(bench.bearer(&token, Endpoint::Mcp).is_ok());
        bench.step(1);
        assert_eq!(bench.bearer(&token, Endpoint::Mcp).unwrap_err().reason(), "token expired");
    }

    #[test]
    fn one_from_the_future_is_good() {
        let mut bench = Bench::new();
        bench.step(40 * 24 * 3600);
        let token = access(&bench);
        bench.restart();
        bench.step(-40 * 24 * 3600);
        assert!(bench.bearer(&token, Endpoint::Mcp).is_ok());
    }

    #[test]
    fn one_for_another_endpoint_is_refused_but_not_at_messages() {
        let bench = Bench::new();
        let code = bench.code_for(&[("resource", "http://localhost:8787/sse")]);
        let tokens = bench.exchange(&bench.client, &code, &[]).unwrap();
        let token = tokens["access_token"].as_str().unwrap();
        assert_eq!(bench.bearer(token, Endpoint::Mcp).unwrap_err().reason(), "token for another endpoint");
        assert!(bench.bearer(token, Endpoint::Sse).is_ok());
        assert!(bench.bearer(token, Endpoints::ANY).is_ok());
    }

    #[test]
    fn one_for_both_endpoints_is_good_at_both() {
        let bench = Bench::new();
        for resource in ["", "http://localhost:8787", "http://localhost:8787/"] {
            let code = bench.code_for(&[("resource", resource)]);
            let tokens = bench.exchange(&bench.client, &code, &[]).unwrap();
            for endpoint in Endpoint::ALL {
                assert!(bench.bearer(tokens["access_token"].as_str().unwrap(), endpoint).is_ok(), "{resource} {endpoint:?}");
            }
        }
    }

    #[test]
    fn one_of_another_server_with_the_same_keys_is_refused() {
        let bench = Bench::new();
        let token = access(&bench);
        let sibling = bench.sibling(&["http://other.local:8787"]);
        let header = format!("Bearer {token}");
        let refusal = sibling.bearer(&bench.world(), [header.as_bytes()], Endpoint::Mcp.into()).unwrap_err();
        assert_eq!(refusal.reason(), "token for another server");
        let same = bench.sibling(&["http://127.0.0.1:8787"]);
        assert!(same.bearer(&bench.world(), [header.as_bytes()], Endpoint::Mcp.into()).is_ok());
    }

    #[test]
    fn the_scheme_may_be_in_lower_case() {
        let bench = Bench::new();
        let token = access(&bench);
        for scheme in ["Bearer", "bearer", "BEARER"] {
            let principal = headers(&bench, &[&format!("{scheme} {token}")]).unwrap();
            assert_eq!(principal.subject, "me@example.com");
            assert_eq!(principal.scopes.as_str(), "math system:read gpio:write");
        }
    }

    #[test]
    fn on_an_open_server_everybody_is_anonymous() {
        let bench = Bench::open();
        let principal = headers(&bench, &["Bearer x", "Bearer y"]).unwrap();
        assert_eq!((principal.subject.as_str(), principal.scopes.as_str()), ("anonymous", "math system:read gpio:write"));
    }

    #[test]
    fn a_challenge_points_to_the_metadata_and_names_the_scopes() {
        let bench = Bench::new();
        let scopes = Scopes::parse("math system:read", |_| true);
        let bare = challenge(&bench.base, Endpoint::Sse, &scopes, &Refusal::MISSING);
        assert_eq!(
            bare,
            "Bearer resource_metadata=\"http://localhost:8787/.well-known/oauth-protected-resource/sse\", scope=\"math system:read\""
        );
        let bad = challenge(&bench.base, Endpoint::Sse, &scopes, &Refusal::because("token expired"));
        assert!(bad.starts_with(&bare) && bad.contains("error=\"invalid_token\"") && !bad.contains("expired"), "{bad}");
        let none = challenge(&bench.base, Endpoint::Mcp, &Scopes::none(), &Refusal::MISSING);
        assert!(!none.contains("scope"), "{none}");
    }

    #[test]
    fn a_missing_scope_is_named() {
        let bench = Bench::new();
        assert_eq!(
            insufficient_scope(&bench.base, Endpoint::Mcp, &Scopes::parse("gpio:write", |_| true)),
            "Bearer error=\"insufficient_scope\", \
             resource_metadata=\"http://localhost:8787/.well-known/oauth-protected-resource/mcp\", scope=\"gpio:write\""
        );
    }
}
