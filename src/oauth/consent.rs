//! `POST /consent`: may it? Asked every time, as a client's name proves nothing.

use super::claims::{Allowance, Code};
use super::form::Parameters;
use super::life::Deadline;
use super::login::Subject;
use super::page::{Decision, Step};
use super::transaction::{Asker, Request, Transaction, refusal};
use super::waiting::{Granted, State};
use super::{Authority, Base, Error};
use crate::audit::Event;
use crate::limits;
use crate::principal::{GrantId, Scopes};
use crate::world::World;

impl Authority {
    /// `POST /consent`: the form of the consent page. `browser` is the value of the cookie.
    ///
    /// The answer is [`Step::Redirect`] with a code or `access_denied`, [`Step::Consent`] once more when nothing was
    /// ticked (most likely by mistake: who means no has a button for it), or [`Step::Refuse`].
    pub fn consent(&self, world: &World<'_>, base: &Base, form: &[u8], browser: Option<&str>) -> Step {
        self.decided(world, base, form, browser).unwrap_or_else(|error| {
            world.audit.record(&Event::AuthorizationRefused { reason: error.reason() });
            Step::Refuse(error)
        })
    }

    fn decided(&self, world: &World<'_>, base: &Base, form: &[u8], browser: Option<&str>) -> Result<Step, Error> {
        let parameters = Parameters::parse(form, limits::FORM_BYTES)?;
        let text = parameters.required("transaction", "The form has no transaction.")?;
        let (transaction, subject) = self.open_consent(world, text, browser)?;
        let request = &transaction.request;
        match parameters.one("action")? {
            Some("approve") => {
                let mut scopes = Scopes::none();
                parameters.all("scope").filter(|name| request.scopes.contains(name)).for_each(|name| scopes.insert(name));
                if scopes.is_empty() && !request.scopes.is_empty() {
                    return Ok(self.consent_page(&transaction, &subject, Some("Tick what you want to allow, or reject.")));
                }
                self.approved(world, base, &transaction, &subject, &scopes)
            }
            Some("reject") => {
                self.spend_transaction(world, &transaction)?;
                world.audit.record(&Event::Rejected { subject: &subject, client: request.client });
                Ok(self.turned_away(world, base, request))
            }
            _ => Err(Error::invalid_request("action is approve or reject.")),
        }
    }

    fn approved(
        &self,
        world: &World<'_>,
        base: &Base,
        transaction: &Transaction,
        subject: &Subject,
        scopes: &Scopes,
    ) -> Result<Step, Error> {
        let request = &transaction.request;
        self.spend_transaction(world, transaction)?;
        let allowance = Allowance {
            grant: GrantId(world.bytes()),
            epoch: self.denied.borrow().epoch(),
            client: request.client,
            target: request.target,
            way: subject.way(),
            subject,
            scopes: scopes.as_str(),
        };
        let step = match &request.asker {
            Asker::Browser { redirect_uri, state, challenge } => {
                let deadline = Deadline::after(limits::CODE_SECS, world.now, self.boot);
                let code = Code { deadline, redirect_uri: redirect_uri.exact(), challenge: *challenge, allowance };
                let code = code.seal(&self.ring())?;
                let granted = [("code", code.as_str()), ("iss", &base.origin)];
                let parameters: Vec<_> = granted.into_iter().chain(state.as_deref().map(|state| ("state", state))).collect();
                Step::Redirect(redirect_uri.with(&parameters))
            }
            // There is no client that could be allowed anything.
            Asker::Person(_) => return Err(Error::invalid_request("This form was not made here.")),
            Asker::Device { id, .. } => {
                let Allowance { grant, epoch, .. } = allowance;
                let granted = Granted { grant, epoch, way: subject.way(), subject: subject.to_string(), scopes: scopes.clone() };
                if !self.waiting.borrow_mut().decide(world.now, *id, State::Allowed(Box::new(granted))) {
                    return Err(Error::invalid_request("The device does not wait any more. Let it show a new code."));
                }
                Step::Done(Decision { client_name: request.client_name.as_str().to_owned(), is_allowed: true })
            }
        };
        let (client, name) = (request.client, request.client_name.as_str());
        world.audit.record(&Event::Approved { subject, client, name, scopes: scopes.as_str() });
        Ok(step)
    }

    /// The person said no: whoever asked is told.
    pub(super) fn turned_away(&self, world: &World<'_>, base: &Base, request: &Request) -> Step {
        match &request.asker {
            Asker::Browser { redirect_uri, state, .. } => {
                Step::Redirect(refusal(redirect_uri, state.as_deref(), &base.origin, Error::access_denied()))
            }
            Asker::Person(_) => Step::Redirect("/".to_owned()),
            Asker::Device { id, .. } => {
                self.waiting.borrow_mut().decide(world.now, *id, State::Denied);
                Step::Done(Decision { client_name: request.client_name.as_str().to_owned(), is_allowed: false })
            }
        }
    }

    /// A request is decided once. Its sign-in page may still be open and lead here anew: by then that is too old, too.
    fn spend_transaction(&self, world: &World<'_>, transaction: &Transaction) -> Result<(), Error> {
        let until_ms = world.now.uptime_ms + limits::LOGIN_SECS * 1000;
        Ok(self.spent.borrow_mut().spend(world.now, transaction.id, until_ms)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Page;
    use crate::oauth::testing::{Bench, form, parameter};

    fn send(bench: &Bench, page: &Page, fields: &[(&str, &str)]) -> Step {
        let body = form(&[&[("transaction", page.transaction.as_str())], fields].concat());
        bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie))
    }

    const APPROVE: &[(&str, &str)] = &[("action", "approve"), ("scope", "math")];

    #[test]
    fn a_consent_is_given_once() {
        let bench = Bench::new();
        let page = bench.consent_page();
        assert!(matches!(send(&bench, &page, APPROVE), Step::Redirect(uri) if uri.contains("?code=")));
        assert!(matches!(send(&bench, &page, APPROVE), Step::Refuse(_)));
    }

    #[test]
    fn no_cookie_or_that_of_another_browser_is_refused() {
        let bench = Bench::new();
        let (page, other) = (bench.consent_page(), bench.consent_page());
        let body = form(&[&[("transaction", page.transaction.as_str())], APPROVE].concat());
        for cookie in [None, Some(other.cookie.as_str())] {
            let step = bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), cookie);
            assert!(matches!(step, Step::Refuse(_)), "{cookie:?}");
        }
        assert!(matches!(send(&bench, &page, APPROVE), Step::Redirect(_)));
    }

    #[test]
    fn a_page_that_is_too_old_or_of_an_earlier_boot_is_refused() {
        let mut bench = Bench::new();
        let page = bench.consent_page();
        bench.pass(limits::LOGIN_SECS);
        assert!(matches!(send(&bench, &page, APPROVE), Step::Refuse(_)));
        let page = bench.consent_page();
        bench.restart();
        assert!(matches!(send(&bench, &page, APPROVE), Step::Refuse(_)));
    }

    #[test]
    fn the_form_of_the_sign_in_page_is_no_consent() {
        let bench = Bench::new();
        assert!(matches!(send(&bench, &bench.sign_in_page(), APPROVE), Step::Refuse(_)));
    }

    #[test]
    fn what_is_neither_approve_nor_reject_is_refused() {
        let bench = Bench::new();
        let page = bench.consent_page();
        for fields in [&[][..], &[("action", "")], &[("action", "login_approve")], &[("action", "approve"), ("action", "reject")]]
        {
            assert!(matches!(send(&bench, &page, fields), Step::Refuse(_)), "{fields:?}");
        }
    }

    #[test]
    fn reject_does_what_it_says() {
        let bench = Bench::new();
        match send(&bench, &bench.consent_page(), &[("action", "reject"), ("scope", "math")]) {
            Step::Redirect(uri) => {
                assert!(uri.starts_with("http://localhost:3335/callback?error=access_denied&"), "{uri}");
                assert!(uri.ends_with("&iss=http%3A%2F%2Flocalhost%3A8787&state=st%2Bate"), "{uri}");
                assert!(!uri.contains("code="));
            }
            other => panic!("{other:?}"),
        }
        assert!(bench.audit.has("Rejected"));
    }

    #[test]
    fn what_was_rejected_cannot_be_approved_and_what_was_approved_not_rejected() {
        let bench = Bench::new();
        let page = bench.consent_page();
        assert!(matches!(send(&bench, &page, &[("action", "reject")]), Step::Redirect(_)));
        for fields in [APPROVE, &[("action", "reject")]] {
            assert!(matches!(send(&bench, &page, fields), Step::Refuse(error) if error.status() == 400));
        }
        let page = bench.consent_page();
        assert!(matches!(send(&bench, &page, APPROVE), Step::Redirect(_)));
        assert!(matches!(send(&bench, &page, &[("action", "reject")]), Step::Refuse(_)));
    }

    #[test]
    fn nothing_ticked_asks_again_and_spends_nothing() {
        let bench = Bench::new();
        let page = bench.consent_page();
        for fields in [&[("action", "approve")][..], &[("action", "approve"), ("scope", "root"), ("scope", "")]] {
            assert!(matches!(send(&bench, &page, fields), Step::Consent(again) if again.message.is_some()));
        }
        assert!(matches!(send(&bench, &page, APPROVE), Step::Redirect(_)));
    }

    #[test]
    fn only_what_was_offered_can_be_allowed() {
        let bench = Bench::new();
        let page = bench.consent_page_for(&[("scope", "math system:read")]);
        let fields = [("action", "approve"), ("scope", "gpio:write"), ("scope", "system:read"), ("scope", "root")];
        let Step::Redirect(uri) = send(&bench, &page, &fields) else { panic!() };
        let answer = bench.exchange(&bench.client, &parameter(&uri, "code"), &[]).unwrap();
        assert_eq!(answer["scope"], "system:read");
    }

    #[test]
    fn a_full_table_refuses_until_it_empties() {
        let mut bench = Bench::new();
        for _ in 0..limits::SPENT {
            assert!(matches!(send(&bench, &bench.consent_page(), APPROVE), Step::Redirect(_)));
        }
        let page = bench.consent_page();
        assert!(matches!(send(&bench, &page, APPROVE), Step::Refuse(error) if error.status() == 503));
        bench.pass(limits::LOGIN_SECS);
        assert!(matches!(send(&bench, &bench.consent_page(), APPROVE), Step::Redirect(_)));
    }

    #[test]
    fn the_client_gets_a_code_its_state_and_the_issuer() {
        let bench = Bench::new();
        let Step::Redirect(uri) = send(&bench, &bench.consent_page(), APPROVE) else { panic!() };
        assert!(uri.starts_with("http://localhost:3335/callback?code="), "{uri}");
        assert_eq!(parameter(&uri, "state"), "st+ate");
        assert_eq!(parameter(&uri, "iss"), "http://localhost:8787");
        assert!(bench.audit.has("Approved") && bench.audit.has("scopes: \"math\""));
    }
}
