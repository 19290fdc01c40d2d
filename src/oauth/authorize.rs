//! `GET /authorize` (RFC 6749 4.1.1): from a query to a sign-in page. It changes nothing, as clients and browsers look
//! at the address before a person does.

use super::client::Client;
use super::form::Parameters;
use super::page::Step;
use super::pkce::Challenge;
use super::redirect::RedirectUri;
use super::resource::Target;
use super::transaction::{Asker, Browser, Request, Transaction, refusal};
use super::{Authority, Base, Error, Mode, scope};
use crate::audit::Event;
use crate::limits;
use crate::principal::Scopes;
use crate::world::World;

/// Who is told of an error. RFC 6749 4.1.2.1: the client, by a redirect, but only once client and address are proved.
enum Refused {
    Here(Error),
    There(Error, String),
}

impl From<Error> for Refused {
    fn from(error: Error) -> Self {
        Refused::Here(error)
    }
}

impl Authority {
    /// `GET /authorize`. `browser` is the value of the cookie, where there is one.
    ///
    /// The answer is [`Step::Refuse`], [`Step::Redirect`] or [`Step::SignIn`].
    pub fn authorize(&self, world: &World<'_>, base: &Base, query: &str, browser: Option<&str>) -> Step {
        let refused = |error: &Error| world.audit.record(&Event::AuthorizationRefused { reason: error.reason() });
        match self.request(base, query) {
            Ok(request) => {
                let browser = Browser::known_or_new(world, browser);
                self.sign_in_page(&Transaction::begin(world, self.boot, browser, request), None)
            }
            Err(Refused::Here(error)) => {
                refused(&error);
                Step::Refuse(error)
            }
            Err(Refused::There(error, redirect)) => {
                refused(&error);
                Step::Redirect(redirect)
            }
        }
    }

    fn request(&self, base: &Base, query: &str) -> Result<Request, Refused> {
        if self.settings().mode == Mode::Open {
            return Err(Error::nobody_signs_in().into());
        }
        let parameters = Parameters::parse(query.as_bytes(), limits::QUERY_BYTES)?;
        let client_id = parameters.one("client_id")?.unwrap_or_default();
        let client =
            Client::open(&self.ring(), client_id).map_err(|_| Error::unknown_client("This client is not registered here."))?;
        let redirect_uri = parameters.required("redirect_uri", "redirect_uri is missing.")?;
        let redirect_uri = RedirectUri::parse(redirect_uri, &self.settings().redirect_uris).map_err(Error::unknown_client)?;
        if !client.has(&redirect_uri) {
            return Err(Error::unknown_client("The client is not registered with this redirect URI.").into());
        }
        // A state that cannot be given back as it came would be worse than none.
        let state = parameters.one("state")?.map(str::to_owned);
        if state.as_ref().is_some_and(|state| state.len() > limits::STATE_BYTES) {
            return Err(Error::invalid_request("state is too long.").into());
        }
        match self.asked(base, &parameters) {
            Ok((challenge, target, scopes)) => {
                let asker = Asker::Browser { redirect_uri, state, challenge };
                Ok(Request { client: client.tag, client_name: client.name, scopes, target, asker })
            }
            Err(error) => Err(Refused::There(error, refusal(&redirect_uri, state.as_deref(), &base.origin, error))),
        }
    }

    fn asked(&self, base: &Base, parameters: &Parameters<'_>) -> Result<(Challenge, Target, Scopes), Error> {
        if parameters.required("response_type", "response_type is missing.")? != "code" {
            return Err(Error::unsupported_response_type());
        }
        if parameters.one("response_mode")?.is_some_and(|mode| mode != "query") {
            return Err(Error::invalid_request("response_mode must be query."));
        }
        let challenge = Challenge::parse(parameters.one("code_challenge")?, parameters.one("code_challenge_method")?)?;
        let target = self.target(base, parameters)?;
        Ok((challenge, target, scope::offered(&self.scopes(), parameters.one("scope")?)))
    }

    /// What the tokens will be for. RFC 8707 2.
    pub(super) fn target(&self, base: &Base, parameters: &Parameters<'_>) -> Result<Target, Error> {
        let mut resources = parameters.all("resource").filter(|resource| !resource.is_empty());
        match (resources.next(), resources.next()) {
            (None, _) => Ok(Target::whole(base)),
            (Some(resource), None) => Target::named(resource, self.settings().bases(base)),
            (Some(_), Some(_)) => Err(Error::invalid_target("A token is for one resource.")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, CHALLENGE, query};

    fn refuse(bench: &Bench, query: &str) -> Error {
        match bench.authority.authorize(&bench.world(), &bench.base, query, None) {
            Step::Refuse(error) => error,
            other => panic!("{query:.200}: {other:?}"),
        }
    }

    fn redirect(bench: &Bench, query: &str) -> String {
        match bench.authority.authorize(&bench.world(), &bench.base, query, None) {
            Step::Redirect(uri) => uri,
            other => panic!("{query:.200}: {other:?}"),
        }
    }

    fn page(bench: &Bench, query: &str) -> Box<super::super::Page> {
        match bench.authority.authorize(&bench.world(), &bench.base, query, None) {
            Step::SignIn(page) => page,
            other => panic!("{query:.200}: {other:?}"),
        }
    }

    #[test]
    fn an_unknown_client_is_never_redirected() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        let long = "A".repeat(5000);
        let code = bench.code();
        for bad in ["", "forged", &client_id[..20], &long, &code] {
            let error = refuse(&bench, &query(bad, &[]));
            assert_eq!((error.status(), error.error()), (400, "invalid_client"), "{bad:.50}");
        }
        assert!(bench.audit.has("AuthorizationRefused"));
    }

    #[test]
    fn a_foreign_redirect_uri_is_never_redirected_to() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        for uri in [
            "http://localhost:3335/other",
            "http://localhost:3335/callback/",
            "http://127.0.0.1:3335/callback",
            "http://[::1]:3335/callback",
            "http://127.0.0.1.evil.example/callback",
            "https://evil.example/callback",
            "https://claude.ai/api/mcp/auth_callback",
            "javascript:alert(1)",
            "http://localhost:3335/callback#",
        ] {
            let error = refuse(&bench, &query(&client_id, &[("redirect_uri", uri)]));
            assert_eq!((error.status(), error.error()), (400, "invalid_client"), "{uri}");
        }
        assert_eq!(refuse(&bench, &query(&client_id, &[("redirect_uri", "")])).error(), "invalid_request");
    }

    #[test]
    fn an_https_redirect_uri_must_have_the_port_that_was_registered() {
        let bench = Bench::new();
        let client_id = bench.register(&["https://claude.ai/api/mcp/auth_callback"]);
        page(&bench, &query(&client_id, &[("redirect_uri", "https://claude.ai/api/mcp/auth_callback")]));
        refuse(&bench, &query(&client_id, &[("redirect_uri", "https://claude.ai:8443/api/mcp/auth_callback")]));
    }

    #[test]
    fn doubled_parameters_are_refused() {
        let bench = Bench::new();
        let good = query(&bench.client_id(), &[]);
        for name in ["client_id", "redirect_uri", "state"] {
            assert_eq!(refuse(&bench, &format!("{good}&{name}=x")).error(), "invalid_request", "{name}");
        }
        for name in ["response_type", "code_challenge", "code_challenge_method", "scope"] {
            assert!(redirect(&bench, &format!("{good}&{name}=x&{name}=x")).contains("error=invalid_request"), "{name}");
        }
    }

    #[test]
    fn what_is_wrong_after_that_is_told_to_the_client_with_state_and_iss() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        let challenge = CHALLENGE;
        for (name, value, error) in [
            ("response_type", "", "invalid_request"),
            ("response_type", "token", "unsupported_response_type"),
            ("response_type", "code token", "unsupported_response_type"),
            ("response_mode", "fragment", "invalid_request"),
            ("code_challenge", "", "invalid_request"),
            ("code_challenge", &challenge[1..], "invalid_request"),
            ("code_challenge", &format!("{challenge}A"), "invalid_request"),
            ("code_challenge_method", "", "invalid_request"),
            ("code_challenge_method", "plain", "invalid_request"),
            ("code_challenge_method", "S512", "invalid_request"),
            ("resource", "https://evil.example/mcp", "invalid_target"),
            ("resource", "http://localhost:8787/mcp#x", "invalid_target"),
        ] {
            let uri = redirect(&bench, &query(&client_id, &[(name, value)]));
            assert!(uri.starts_with(&format!("http://localhost:3335/callback?error={error}&")), "{name}={value}: {uri}");
            assert!(uri.ends_with("&iss=http%3A%2F%2Flocalhost%3A8787&state=st%2Bate"), "{uri}");
        }
        let two =
            format!("{}&resource=http://localhost:8787/sse", query(&client_id, &[("resource", "http://localhost:8787/mcp")]));
        assert!(redirect(&bench, &two).contains("error=invalid_target"));
    }

    #[test]
    fn a_state_or_query_that_is_too_long_is_refused() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        page(&bench, &query(&client_id, &[("state", &"s".repeat(limits::STATE_BYTES))]));
        for length in [limits::STATE_BYTES + 1, 10_000, 1 << 20] {
            let error = refuse(&bench, &query(&client_id, &[("state", &"s".repeat(length))]));
            assert_eq!(error.error(), "invalid_request");
        }
    }

    #[test]
    fn nobody_signs_in_on_an_open_server() {
        let bench = Bench::open();
        assert_eq!(refuse(&bench, &query(&bench.client_id(), &[])).status(), 404);
    }

    #[test]
    fn the_page_shows_who_asks_for_what_and_where_it_leads() {
        let bench = Bench::new();
        let page = page(&bench, &query(&bench.client_id(), &[("scope", "openid math")]));
        assert_eq!((page.client_name.as_str(), page.redirect_host.as_str()), ("A client", "localhost:3335"));
        assert_eq!((page.redirect_origin.as_str(), page.is_loopback), ("http://localhost:3335", true));
        assert_eq!(page.scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(), ["math"]);
        assert!(page.subject.is_none() && page.message.is_none());
    }

    #[test]
    fn the_port_of_a_loopback_redirect_is_free() {
        let bench = Bench::new();
        let client_id = bench.client_id();
        assert_eq!(
            page(&bench, &query(&client_id, &[("redirect_uri", "http://localhost:49150/callback")])).redirect_host,
            "localhost:49150"
        );
    }

    #[test]
    fn a_browser_that_is_known_keeps_its_cookie() {
        let bench = Bench::new();
        let query = query(&bench.client_id(), &[]);
        let first = page(&bench, &query);
        match bench.authority.authorize(&bench.world(), &bench.base, &query, Some(&first.cookie)) {
            Step::SignIn(second) => assert_eq!(second.cookie, first.cookie),
            other => panic!("{other:?}"),
        }
        assert_ne!(page(&bench, &query).cookie, first.cookie);
    }
}
