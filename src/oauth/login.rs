//! `POST /authorize`: who is it?
//!
//! An [`Attempt`] is verified to a [`Verified`], and only one that passed holds a [`Subject`]; without a subject there is
//! no consent page, and without a consent no code. Verifying may be slow, so that it is a step of its own, which the
//! caller runs where slowness hurts nobody.

use super::client::is_visible;
use super::form::Parameters;
use super::page::Step;
use super::transaction::Transaction;
use super::{Authority, Base, Error, Mode};
use crate::audit::Event;
use crate::limits;
use crate::seal::{Forged, Reader};
use crate::world::World;
use std::ops::Deref;

/// Somebody who has signed in. Only [`Attempt::verify`] makes one, and the sealed form of the consent page keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject(heapless::String<{ limits::SUBJECT_BYTES }>);

impl Subject {
    /// Out of a sealed transaction, where only a subject was written.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, Forged> {
        heapless::String::try_from(fields.text()?).map(Subject).map_err(|_| Forged)
    }

    #[cfg(test)]
    pub(super) fn named(name: &str) -> Result<Self, &'static str> {
        named(name)
    }
}

impl Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// Whether an attempt passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person.
    Passed(Subject),
    /// It is not; what to tell.
    Failed(&'static str),
}

/// An attempt to sign in, not yet verified. It can be sent to another thread.
#[derive(Debug)]
pub struct Attempt {
    transaction: Box<Transaction>,
    mode: Mode,
    email: String,
}

/// An attempt and its verdict.
#[derive(Debug)]
pub struct Verified {
    transaction: Box<Transaction>,
    verdict: Verdict,
}

impl Attempt {
    /// Decides. In a demo whatever is entered is believed; the password is not even looked at.
    pub fn verify(self) -> Verified {
        let verdict = match self.mode {
            Mode::Demo => named(&self.email).map_or_else(Verdict::Failed, Verdict::Passed),
            Mode::Open | Mode::Own { .. } => Verdict::Failed("Nobody signs in on this server."),
        };
        Verified { transaction: self.transaction, verdict }
    }
}

fn named(email: &str) -> Result<Subject, &'static str> {
    let email = email.trim();
    if email.is_empty() {
        return Err("Please enter your e-mail address.");
    }
    if !email.chars().all(is_visible) {
        return Err("The e-mail address has characters that cannot be seen.");
    }
    heapless::String::try_from(email).map(Subject).map_err(|_| "The e-mail address is too long.")
}

impl Authority {
    /// `POST /authorize`: the form of the sign-in page. `browser` is the value of the cookie.
    ///
    /// # Errors
    /// The next step, where there is nothing to verify: [`Step::Refuse`] or, when the person says no, [`Step::Redirect`].
    pub fn sign_in(&self, world: &World<'_>, base: &Base, form: &[u8], browser: Option<&str>) -> Result<Attempt, Step> {
        let attempt = self.attempt(world, base, form, browser);
        attempt.map_err(|(reason, step)| {
            world.audit.record(&Event::SignInRefused { reason });
            step
        })
    }

    fn attempt(
        &self,
        world: &World<'_>,
        base: &Base,
        form: &[u8],
        browser: Option<&str>,
    ) -> Result<Attempt, (&'static str, Step)> {
        let refuse = |error: Error| (error.reason(), Step::Refuse(error));
        let parameters = Parameters::parse(form, limits::FORM_BYTES).map_err(refuse)?;
        let text = parameters.required("transaction", "The form has no transaction.").map_err(refuse)?;
        let transaction = self.open_sign_in(world, text, browser).map_err(refuse)?;
        if parameters.one("action").map_err(refuse)? == Some("reject") {
            return Err(("the person said no", self.turned_away(world, base, &transaction.request)));
        }
        let email = parameters.one("email").map_err(refuse)?.unwrap_or_default().to_owned();
        Ok(Attempt { transaction: Box::new(transaction), mode: self.settings().mode, email })
    }

    /// What follows a verdict: the consent page, or the sign-in page once more.
    pub fn signed_in(&self, world: &World<'_>, verified: Verified) -> Step {
        let Verified { transaction, verdict } = verified;
        match verdict {
            Verdict::Failed(message) => {
                world.audit.record(&Event::SignInRefused { reason: message });
                self.sign_in_page(&transaction, Some(message))
            }
            Verdict::Passed(subject) => {
                world.audit.record(&Event::SignedIn { subject: &subject, client: transaction.request.client });
                // The consent has an id of its own, that is spent, and time of its own: passwords may take long to find.
                let consent = Transaction::begin(world, self.boot, transaction.browser, transaction.request);
                self.consent_page(&consent, &subject, None)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Page;
    use crate::oauth::testing::{Bench, form};

    fn send(bench: &Bench, page: &Page, fields: &[(&str, &str)], cookie: Option<&str>) -> Step {
        let body = form(&[&[("transaction", page.transaction.as_str())], fields].concat());
        match bench.authority.sign_in(&bench.world(), &bench.base, body.as_bytes(), cookie) {
            Ok(attempt) => bench.authority.signed_in(&bench.world(), attempt.verify()),
            Err(step) => step,
        }
    }

    #[test]
    fn no_cookie_or_that_of_another_browser_is_refused() {
        let bench = Bench::new();
        let (page, other) = (bench.sign_in_page(), bench.sign_in_page());
        for cookie in [None, Some(other.cookie.as_str()), Some("")] {
            assert!(matches!(send(&bench, &page, &[("email", "me")], cookie), Step::Refuse(error) if error.status() == 400));
        }
        assert!(bench.audit.has("SignInRefused"));
    }

    #[test]
    fn a_page_that_is_too_old_or_of_an_earlier_boot_is_refused() {
        let mut bench = Bench::new();
        let page = bench.sign_in_page();
        bench.pass(limits::LOGIN_SECS - 1);
        assert!(matches!(send(&bench, &page, &[("email", "me")], Some(&page.cookie)), Step::Consent(_)));
        bench.pass(1);
        assert!(matches!(send(&bench, &page, &[("email", "me")], Some(&page.cookie)), Step::Refuse(_)));
        let page = bench.sign_in_page();
        bench.restart();
        assert!(matches!(send(&bench, &page, &[("email", "me")], Some(&page.cookie)), Step::Refuse(_)));
    }

    #[test]
    fn a_form_that_is_forged_doubled_or_too_long_is_refused() {
        let bench = Bench::new();
        let page = bench.sign_in_page();
        let transaction = &page.transaction;
        let tampered = transaction.replace(&transaction[40..44], "AAAA");
        for body in [
            String::new(),
            "transaction=".to_owned(),
            form(&[("transaction", &tampered), ("email", "me")]),
            form(&[("transaction", transaction), ("transaction", transaction), ("email", "me")]),
            form(&[("transaction", transaction), ("email", "me"), ("email", "you")]),
            form(&[("transaction", transaction), ("email", &"x".repeat(1 << 20))]),
        ] {
            let step = bench.authority.sign_in(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie)).err();
            assert!(matches!(step, Some(Step::Refuse(_))), "{body:.100}");
        }
    }

    #[test]
    fn a_name_that_is_empty_too_long_or_cannot_be_seen_gets_the_page_again() {
        let bench = Bench::new();
        let page = bench.sign_in_page();
        let long = "x".repeat(limits::SUBJECT_BYTES + 1);
        for email in ["", " ", "a\nb", "a\0b", "a\u{202e}b", "a\tb", &long] {
            match send(&bench, &page, &[("email", email), ("password", "secret")], Some(&page.cookie)) {
                Step::SignIn(again) => {
                    assert!(again.message.is_some(), "{email:?}");
                    assert!(matches!(send(&bench, &again, &[("email", "me")], Some(&page.cookie)), Step::Consent(_)));
                }
                other => panic!("{email:?}: {other:?}"),
            }
        }
        assert!(matches!(send(&bench, &page, &[], Some(&page.cookie)), Step::SignIn(_)));
    }

    #[test]
    fn who_says_no_goes_back_with_state_and_iss() {
        let bench = Bench::new();
        let page = bench.sign_in_page();
        match send(&bench, &page, &[("action", "reject"), ("email", "me")], Some(&page.cookie)) {
            Step::Redirect(uri) => {
                assert!(uri.starts_with("http://localhost:3335/callback?error=access_denied&"), "{uri}");
                assert!(uri.ends_with("&iss=http%3A%2F%2Flocalhost%3A8787&state=st%2Bate"), "{uri}");
            }
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn in_a_demo_any_name_passes_with_any_password() {
        let bench = Bench::new();
        let page = bench.sign_in_page();
        let longest = "x".repeat(limits::SUBJECT_BYTES);
        for email in ["me@example.com", " me@example.com ", "a:b,c|d e", "<script>", "é", &longest] {
            match send(&bench, &page, &[("email", email), ("password", "")], Some(&page.cookie)) {
                Step::Consent(consent) => assert_eq!(consent.subject.as_deref(), Some(email.trim())),
                other => panic!("{email}: {other:?}"),
            }
        }
    }

    #[test]
    fn an_attempt_can_be_verified_on_another_thread() {
        fn is_send<T: Send>() {}
        is_send::<Attempt>();
        is_send::<Verified>();
    }

    #[test]
    fn a_password_is_neither_logged_nor_shown() {
        let bench = Bench::new();
        let page = bench.sign_in_page();
        for email in ["me", ""] {
            let step = send(&bench, &page, &[("email", email), ("password", "hunter2")], Some(&page.cookie));
            assert!(!format!("{step:?}").contains("hunter2"));
        }
        assert!(bench.audit.has("SignedIn") && !bench.audit.has("hunter2"));
    }
}
