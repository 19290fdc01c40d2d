//! The device grant (RFC 8628): a device or a program without a browser shows a code, a person allows it elsewhere, and it
//! asks until it has its tokens. Over plain HTTP on a network it is the way in.

use super::claims::Allowance;
use super::client::Client;
use super::error::json;
use super::form::Parameters;
use super::life::Deadline;
use super::throttle::Source;
use super::token::Issue;
use super::user_code::UserCode;
use super::waiting::{Device, Granted, Pace, State, Told};
use super::{Authority, Base, Error, scope};
use crate::audit::Event;
use crate::limits;
use crate::principal::ClientTag;
use crate::seal::{Forged, Full, KeyRing, Purpose, Reader, Writer};
use crate::world::World;
use serde::Serialize;

/// RFC 8628 3.4.
pub(super) const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// RFC 8628 3.2.
#[derive(Serialize)]
struct Response<'a> {
    device_code: &'a str,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: String,
    expires_in: u64,
    interval: u64,
}

/// What a device asks with. It is sealed: no table is looked at for a guess.
struct DeviceCode {
    id: [u8; 16],
    client: ClientTag,
    deadline: Deadline,
}

impl DeviceCode {
    fn seal(&self, ring: &KeyRing) -> Result<String, Full> {
        let fields = self.deadline.write(Writer::<40>::new().array(&self.id).array(&self.client.0));
        Ok(ring.seal(Purpose::DeviceCode, &fields.finish()?))
    }

    fn open(ring: &KeyRing, text: &str) -> Result<Self, Forged> {
        let opened = ring.open(Purpose::DeviceCode, text.as_bytes())?;
        let mut fields = Reader::new(&opened);
        let code = DeviceCode { id: fields.array()?, client: ClientTag(fields.array()?), deadline: Deadline::read(&mut fields)? };
        fields.end().map(|()| code)
    }
}

impl Authority {
    /// `POST /device_authorization` (RFC 8628 3.1): the body of the 200 answer.
    ///
    /// # Errors
    /// As at the token endpoint; RFC 8628 3.2. Or 429: one more than `source` may.
    pub fn device_authorization(
        &self,
        world: &World<'_>,
        base: &Base,
        form: &[u8],
        authorization: Option<&[u8]>,
        source: Source,
    ) -> Result<Vec<u8>, Error> {
        let counted = self.devices.borrow_mut().take(world.now, source);
        let begun = counted.and_then(|()| {
            // One that is refused leaves nothing behind.
            self.begun(world, base, form, authorization).inspect_err(|_| self.devices.borrow_mut().give_back(source))
        });
        begun.inspect_err(|error| world.audit.record(&Event::AuthorizationRefused { reason: error.reason() }))
    }

    fn begun(&self, world: &World<'_>, base: &Base, form: &[u8], authorization: Option<&[u8]>) -> Result<Vec<u8>, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let client = Client::authenticate(&self.ring(), &parameters, authorization)?;
        if !client.is_device {
            return Err(Error::unauthorized_client());
        }
        let target = self.target(base, &parameters)?;
        let scopes = scope::offered(&self.scopes(), parameters.one("scope")?);
        let deadline = Deadline::after(limits::DEVICE_SECS, world.now, self.boot);
        let device = Device {
            id: world.bytes(),
            user_code: self.free_code(world),
            client: client.tag,
            client_name: client.name,
            scopes,
            target,
            until_ms: deadline.uptime_ms,
            pace: Pace::START,
            state: State::Open,
        };
        let (user_code, device_code) = (device.user_code, DeviceCode { id: device.id, client: client.tag, deadline });
        let device_code = device_code.seal(&self.ring())?;
        let begun = self.waiting.borrow_mut().begin(world.now, device);
        begun.map_err(|_| Error::temporarily_unavailable("too many devices wait"))?;
        Ok(json(&Response {
            device_code: &device_code,
            user_code: user_code.to_string(),
            verification_uri: format!("{}/device", base.origin),
            verification_uri_complete: format!("{}/device?user_code={user_code}", base.origin),
            expires_in: limits::DEVICE_SECS,
            interval: limits::DEVICE_POLL_SECS,
        }))
    }

    fn free_code(&self, world: &World<'_>) -> UserCode {
        let waiting = self.waiting.borrow();
        loop {
            let code = UserCode::new(world);
            if waiting.is_free(code) {
                return code;
            }
        }
    }

    /// `grant_type=urn:ietf:params:oauth:grant-type:device_code` (RFC 8628 3.4).
    pub(super) fn asked_by_device(
        &self,
        world: &World<'_>,
        base: &Base,
        client: &Client,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<u8>, Error> {
        let text = parameters.required("device_code", "device_code is missing.")?;
        let code = DeviceCode::open(&self.ring(), text).map_err(|Forged| Error::invalid_grant("device code not sealed here"))?;
        if code.client != client.tag {
            return Err(Error::invalid_grant("device code of another client"));
        }
        if code.deadline.is_past(world.now, self.boot) {
            return Err(Error::expired_token());
        }
        let told = self.waiting.borrow_mut().ask(world.now, code.id);
        match told {
            Told::Wait => Err(Error::authorization_pending()),
            Told::SlowDown => Err(Error::slow_down()),
            Told::Denied => Err(Error::access_denied()),
            Told::Unknown => Err(Error::invalid_grant("device code used, or replaced by a newer one")),
            Told::Allowed(what) => self.give(world, base, &what.0, &what.1, parameters),
        }
    }

    fn give(
        &self,
        world: &World<'_>,
        base: &Base,
        device: &Device,
        granted: &Granted,
        parameters: &Parameters<'_>,
    ) -> Result<Vec<u8>, Error> {
        let allowance = Allowance {
            grant: granted.grant,
            epoch: granted.epoch,
            client: device.client,
            target: device.target,
            way: granted.way,
            subject: &granted.subject,
            scopes: granted.scopes.as_str(),
        };
        self.stands(&allowance)?;
        let target = allowance.target.narrowed(parameters.one("resource")?, self.settings().bases(base))?;
        let (allowance, life) = self.begin(world, allowance);
        let access = Allowance { target, ..allowance };
        self.issue(world, &Issue { base, life, counter: 0, allowance, access, grant_type: "device_code" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, HERE, form};
    use crate::oauth::{Endpoint, Endpoints, Page, Step};
    use serde_json::Value;

    /// A device that has asked.
    struct Asked {
        client: String,
        device_code: String,
        user_code: String,
    }

    fn ask(bench: &Bench, client: &str, changes: &[(&str, &str)]) -> Result<Value, Error> {
        ask_from(bench, client, changes, HERE)
    }

    fn ask_from(bench: &Bench, client: &str, changes: &[(&str, &str)], source: Source) -> Result<Value, Error> {
        let body = form(&[&[("client_id", client)], changes].concat());
        let answer = bench.authority.device_authorization(&bench.world(), &bench.base, body.as_bytes(), None, source)?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn asked_for(bench: &Bench, changes: &[(&str, &str)]) -> Asked {
        let client = bench.device_client();
        let answer = ask(bench, &client, changes).unwrap();
        let text = |member: &str| answer[member].as_str().unwrap().to_owned();
        Asked { client, device_code: text("device_code"), user_code: text("user_code") }
    }

    fn asked(bench: &Bench) -> Asked {
        asked_for(bench, &[])
    }

    fn poll(bench: &Bench, asked: &Asked) -> Result<Value, Error> {
        bench.token_by(&[("grant_type", GRANT_TYPE), ("device_code", &asked.device_code), ("client_id", &asked.client)])
    }

    fn error(answer: Result<Value, Error>) -> &'static str {
        let error = answer.unwrap_err();
        assert_eq!(error.status(), 400);
        error.error()
    }

    fn code_page(bench: &Bench, query: &str) -> crate::oauth::CodePage {
        match bench.authority.device(&bench.world(), query, None) {
            Step::Code(page) => *page,
            other => panic!("{other:?}"),
        }
    }

    fn enter(bench: &Bench, user_code: &str) -> Step {
        let page = code_page(bench, "");
        let body = form(&[("transaction", &page.transaction), ("user_code", user_code)]);
        bench.authority.enter(&bench.world(), body.as_bytes(), Some(&page.cookie), HERE)
    }

    fn sign_in_page(bench: &Bench, user_code: &str) -> Box<Page> {
        match enter(bench, user_code) {
            Step::SignIn(page) => page,
            other => panic!("{other:?}"),
        }
    }

    /// A person goes through the pages.
    fn decide(bench: &Bench, user_code: &str, fields: &[(&str, &str)]) -> Step {
        let page = sign_in_page(bench, user_code);
        let Step::Consent(page) = bench.signed_in(&page) else { panic!() };
        let body = form(&[&[("transaction", page.transaction.as_str())], fields].concat());
        bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie))
    }

    const APPROVE: &[(&str, &str)] = &[("action", "approve"), ("scope", "math")];

    #[test]
    fn only_a_client_that_is_registered_for_it_may_ask() {
        let bench = Bench::new();
        for client in ["", "forged"] {
            let error = ask(&bench, client, &[]).unwrap_err();
            assert_eq!((error.status(), error.error()), (401, "invalid_client"), "{client}");
        }
        assert_eq!(error(ask(&bench, &bench.client, &[])), "unauthorized_client");
        let client = bench.device_client();
        assert_eq!(error(ask(&bench, &client, &[("resource", "https://evil.example")])), "invalid_target");
        assert_eq!(error(ask(&bench, &client, &[("client_id", &client)])), "invalid_request");
        assert!(bench.audit.has("AuthorizationRefused"));
    }

    #[test]
    fn the_answer_is_that_of_rfc_8628() {
        let bench = Bench::new();
        let answer = ask(&bench, &bench.device_client(), &[("scope", "math")]).unwrap();
        let user_code = answer["user_code"].as_str().unwrap();
        assert_eq!(answer["verification_uri"], "http://localhost:8787/device");
        assert_eq!(answer["verification_uri_complete"], format!("http://localhost:8787/device?user_code={user_code}"));
        assert_eq!((&answer["expires_in"], &answer["interval"]), (&600.into(), &5.into()));
        assert_eq!((user_code.len(), answer["device_code"].as_str().unwrap().len() < 200), (9, true));
    }

    #[test]
    fn a_device_code_that_is_none_or_of_another_client_is_refused() {
        let bench = Bench::new();
        let (one, other) = (asked(&bench), asked(&bench));
        let code = bench.code();
        for text in ["x", &one.device_code[1..], &one.user_code, &code, &bench.client, &"A".repeat(1 << 12)] {
            let asked = Asked { device_code: text.to_owned(), client: one.client.clone(), user_code: String::new() };
            assert_eq!(error(poll(&bench, &asked)), "invalid_grant", "{text:.30}");
        }
        assert_eq!(error(poll(&bench, &Asked { client: other.client, ..one })), "invalid_grant");
        let none = [("grant_type", GRANT_TYPE), ("client_id", bench.client.as_str())];
        assert_eq!(error(bench.token_by(&none)), "invalid_request");
    }

    #[test]
    fn a_device_waits_and_gets_its_tokens_once() {
        let mut bench = Bench::new();
        let asked = asked(&bench);
        assert_eq!(error(poll(&bench, &asked)), "authorization_pending");
        assert!(!bench.audit.has("TokenRefused"), "to ask is no event");
        let step = decide(&bench, &asked.user_code, APPROVE);
        assert!(matches!(step, Step::Done(decision) if decision.is_allowed && decision.client_name == "A device"));
        bench.pass(5);
        let tokens = poll(&bench, &asked).unwrap();
        assert_eq!((&tokens["scope"], &tokens["expires_in"]), (&"math".into(), &limits::ACCESS_SECS.into()));
        let principal = bench.bearer(tokens["access_token"].as_str().unwrap(), Endpoints::ANY).unwrap();
        assert_eq!(principal.subject, "me@example.com");
        assert!(bench.refresh(&asked.client, tokens["refresh_token"].as_str().unwrap(), &[]).is_ok());
        assert_eq!(error(poll(&bench, &asked)), "invalid_grant");
        assert!(bench.audit.has("grant_type: \"device_code\""));
    }

    #[test]
    fn one_that_asks_too_often_is_told_to_slow_down_and_gets_its_tokens_all_the_same() {
        let bench = Bench::new();
        let asked = asked(&bench);
        assert_eq!(error(poll(&bench, &asked)), "authorization_pending");
        assert_eq!(error(poll(&bench, &asked)), "slow_down");
        decide(&bench, &asked.user_code, APPROVE);
        assert!(poll(&bench, &asked).is_ok());
    }

    #[test]
    fn who_says_no_on_either_page_ends_it() {
        let bench = Bench::new();
        let asked_first = asked(&bench);
        let step = decide(&bench, &asked_first.user_code, &[("action", "reject"), ("scope", "math")]);
        assert!(matches!(step, Step::Done(decision) if !decision.is_allowed));
        assert_eq!(error(poll(&bench, &asked_first)), "access_denied");
        let asked_then = asked(&bench);
        let page = sign_in_page(&bench, &asked_then.user_code);
        let body = form(&[("transaction", page.transaction.as_str()), ("action", "reject")]);
        let step = bench.sign_in(&page, &body);
        assert!(matches!(step, Step::Done(decision) if !decision.is_allowed), "whoever cancels need not sign in");
        assert_eq!(error(poll(&bench, &asked_then)), "access_denied");
        assert!(bench.audit.has("Rejected"));
    }

    #[test]
    fn a_code_lasts_ten_minutes_whatever_the_clock_does_and_not_beyond_the_boot() {
        let mut bench = Bench::new();
        let (open, allowed) = (asked(&bench), asked(&bench));
        let page = sign_in_page(&bench, &open.user_code);
        decide(&bench, &allowed.user_code, APPROVE);
        bench.pass(limits::DEVICE_SECS - 1);
        bench.step(-400 * 24 * 3600);
        assert_eq!(error(poll(&bench, &open)), "authorization_pending");
        bench.pass(1);
        assert_eq!([&open, &allowed].map(|asked| error(poll(&bench, asked))), ["expired_token"; 2]);
        assert!(matches!(enter(&bench, &open.user_code), Step::Code(page) if page.message.is_some()));
        assert!(matches!(bench.signed_in(&page), Step::Refuse(_)));
        let asked = asked(&bench);
        bench.restart();
        assert_eq!(error(poll(&bench, &asked)), "expired_token");
    }

    #[test]
    fn a_consent_after_the_device_has_gone_is_refused() {
        let bench = Bench::new();
        let asked = asked(&bench);
        let page = sign_in_page(&bench, &asked.user_code);
        let Step::Consent(page) = bench.signed_in(&page) else { panic!() };
        ask(&bench, &asked.client, &[]).unwrap();
        let body = form(&[&[("transaction", page.transaction.as_str())], APPROVE].concat());
        let step = bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie));
        assert!(matches!(step, Step::Refuse(error) if error.status() == 400));
        assert!(!bench.audit.has("Approved"));
        assert_eq!(error(poll(&bench, &asked)), "invalid_grant");
    }

    #[test]
    fn a_full_table_refuses_for_now() {
        let mut bench = Bench::new();
        for n in 0..limits::DEVICES {
            ask_from(&bench, &bench.device_client(), &[], Source::new([u8::try_from(n).unwrap(); 16])).unwrap();
            bench.pass(limits::REGISTRATIONS.1);
        }
        let error = ask(&bench, &bench.device_client(), &[]).unwrap_err();
        assert_eq!((error.status(), error.error()), (503, "temporarily_unavailable"));
        bench.pass(limits::DEVICE_SECS);
        asked(&bench);
    }

    #[test]
    fn who_lets_too_many_devices_ask_waits_and_leaves_room_for_others() {
        let bench = Bench::new();
        let client = bench.device_client();
        let taken = (0..2 * limits::DEVICES).filter(|_| ask(&bench, &client, &[]).is_ok()).count();
        assert_eq!(taken, limits::DEVICE_REQUESTS.0 as usize);
        let error = ask(&bench, &client, &[]).unwrap_err();
        assert_eq!((error.status(), error.retry_secs()), (429, Some(limits::DEVICE_REQUESTS.1)));
        assert!(ask_from(&bench, &client, &[], Source::new([2; 16])).is_ok());
    }

    #[test]
    fn who_guesses_the_codes_of_devices_waits() {
        let mut bench = Bench::new();
        let asked = asked(&bench);
        for _ in 0..limits::CODE_TRIES.0 {
            assert!(matches!(enter(&bench, "BCDF-GHJK"), Step::Code(_)));
        }
        let Step::Code(again) = enter(&bench, &asked.user_code) else { panic!() };
        let error = again.error.unwrap();
        assert_eq!((error.status(), error.retry_secs()), (429, Some(limits::CODE_TRIES.1)));
        bench.pass(limits::CODE_TRIES.1);
        assert!(matches!(enter(&bench, &asked.user_code), Step::SignIn(_)));
    }

    #[test]
    fn the_pages_name_the_client_its_code_and_what_it_asks_for() {
        let bench = Bench::new();
        let asked = asked_for(&bench, &[("scope", "openid math")]);
        let page = sign_in_page(&bench, &asked.user_code.to_lowercase());
        assert_eq!((page.client_name.as_str(), page.user_code.as_deref()), ("A device", Some(asked.user_code.as_str())));
        assert_eq!((page.redirect_host.as_str(), page.redirect_origin.as_str()), ("", ""));
        assert_eq!(page.scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(), ["math"]);
    }

    #[test]
    fn a_code_in_the_address_stands_in_the_field_and_does_nothing_else() {
        let bench = Bench::new();
        let asked = asked(&bench);
        for (query, shown) in [
            (format!("user_code={}", asked.user_code), asked.user_code.as_str()),
            ("user_code=bcdfghjk".to_owned(), "BCDF-GHJK"),
            ("user_code=<script>".to_owned(), ""),
            ("user_code=BCDFGHJK&user_code=BCDFGHJK".to_owned(), ""),
            ("x".repeat(1 << 20), ""),
        ] {
            assert_eq!(code_page(&bench, &query).user_code, shown, "{query:.40}");
        }
        assert_eq!(error(poll(&bench, &asked)), "authorization_pending");
    }

    #[test]
    fn the_form_of_the_code_is_bound_to_its_browser_and_its_time() {
        let mut bench = Bench::new();
        let asked = asked(&bench);
        let (page, other) = (code_page(&bench, ""), code_page(&bench, ""));
        let enter = |bench: &Bench, transaction: &str, cookie: Option<&str>| {
            let body = form(&[("transaction", transaction), ("user_code", &asked.user_code)]);
            bench.authority.enter(&bench.world(), body.as_bytes(), cookie, HERE)
        };
        for cookie in [None, Some(other.cookie.as_str()), Some("")] {
            assert!(matches!(enter(&bench, &page.transaction, cookie), Step::Refuse(_)), "{cookie:?}");
        }
        let sign_in = bench.sign_in_page();
        for transaction in ["", "x", &page.transaction[1..], &sign_in.transaction] {
            assert!(matches!(enter(&bench, transaction, Some(&page.cookie)), Step::Refuse(_)), "{transaction:.20}");
        }
        assert!(matches!(enter(&bench, &page.transaction, Some(&page.cookie)), Step::SignIn(_)));
        bench.pass(limits::LOGIN_SECS);
        assert!(matches!(enter(&bench, &page.transaction, Some(&page.cookie)), Step::Refuse(_)));
    }

    #[test]
    fn an_unknown_code_gets_the_page_again_and_says_nothing_else() {
        let bench = Bench::new();
        let asked = asked(&bench);
        decide(&bench, &asked.user_code, APPROVE);
        for typed in ["", "BCDF-GHJK", "x", &asked.user_code, &asked.device_code] {
            let Step::Code(page) = enter(&bench, typed) else { panic!("{typed}") };
            assert!(page.message.is_some() && page.user_code.is_empty());
        }
    }

    #[test]
    fn a_newer_sign_in_of_the_same_device_ends_the_older() {
        let bench = Bench::new();
        let first = asked(&bench);
        decide(&bench, &first.user_code, APPROVE);
        let older = poll(&bench, &first).unwrap()["access_token"].as_str().unwrap().to_owned();
        let answer = ask(&bench, &first.client, &[]).unwrap();
        let text = |member: &str| answer[member].as_str().unwrap().to_owned();
        let second = Asked { client: first.client, device_code: text("device_code"), user_code: text("user_code") };
        decide(&bench, &second.user_code, APPROVE);
        assert!(bench.bearer(&older, Endpoint::Mcp).is_ok());
        poll(&bench, &second).unwrap();
        assert_eq!(bench.bearer(&older, Endpoint::Mcp).unwrap_err().reason(), "token revoked");
    }

    #[test]
    fn what_is_revoked_before_the_device_comes_for_it_is_not_given() {
        let bench = Bench::new();
        let asked = asked(&bench);
        decide(&bench, &asked.user_code, APPROVE);
        bench.authority.revoke_user(&bench.world(), "me@example.com");
        assert_eq!(error(poll(&bench, &asked)), "invalid_grant");
    }

    #[test]
    fn over_plain_http_on_a_network_there_is_no_refresh_token_and_a_day_of_access() {
        let mut bench = Bench::at("http://192.168.1.20:8787");
        let asked = asked(&bench);
        decide(&bench, &asked.user_code, APPROVE);
        let tokens = poll(&bench, &asked).unwrap();
        let members: Vec<_> = tokens.as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(members, ["access_token", "expires_in", "scope", "token_type"]);
        assert_eq!(tokens["expires_in"], limits::PLAIN_ACCESS_SECS);
        let access = tokens["access_token"].as_str().unwrap();
        bench.pass(limits::PLAIN_ACCESS_SECS - 1);
        assert!(bench.bearer(access, Endpoint::Mcp).is_ok());
        bench.pass(1);
        assert_eq!(bench.bearer(access, Endpoint::Mcp).unwrap_err().reason(), "token expired");
        let code = bench.code();
        assert!(bench.exchange(&bench.client, &code, &[]).unwrap().get("refresh_token").is_none());
    }

    #[test]
    fn a_refresh_token_that_comes_over_plain_http_is_refused() {
        let mut bench = Bench::new();
        let refresh = bench.tokens()["refresh_token"].as_str().unwrap().to_owned();
        bench.base = Base::new("http://192.168.1.20:8787");
        assert_eq!(error(bench.refresh(&bench.client, &refresh, &[])), "invalid_grant");
        bench.base = Base::new("http://localhost:8787");
        assert!(bench.refresh(&bench.client, &refresh, &[]).is_ok());
    }
}
