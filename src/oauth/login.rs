//! `POST /authorize`: who is it?
//!
//! An [`Attempt`] is verified to a [`Verified`], and only one that passed holds a [`Subject`]; without a subject there is
//! no consent page, and without a consent no code. Verifying may be slow, so that it is a step of its own, which the
//! caller runs where slowness hurts nobody.

use super::client::is_visible;
use super::form::Parameters;
use super::page::Step;
use super::password::Check;
use super::throttle::Source;
use super::transaction::{Asker, Transaction};
use super::{Authority, Base, Error, Mode};
use crate::audit::Event;
use crate::limits;
use crate::principal::Scopes;
use crate::seal::{Forged, Reader, Writer};
use crate::world::World;
use std::ops::Deref;
use zeroize::Zeroizing;

type Name = heapless::String<{ limits::SUBJECT_BYTES }>;

/// Somebody who has signed in. Only [`Attempt::verify`] makes one, and the sealed form of the consent page keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    name: Name,
    way: Way,
}

/// How somebody signed in. What was given to him is good only as long as the owner lets people in that way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// He said so.
    Demo,
    /// With a password.
    Password,
    /// With a code from the board.
    Pairing,
    /// Not at all: the owner made the token.
    Made,
}

impl Way {
    pub(super) const fn number(self) -> u8 {
        match self {
            Way::Demo => 0,
            Way::Password => 1,
            Way::Pairing => 2,
            Way::Made => 3,
        }
    }

    pub(super) const fn numbered(number: u8) -> Result<Self, Forged> {
        match number {
            0 => Ok(Way::Demo),
            1 => Ok(Way::Password),
            2 => Ok(Way::Pairing),
            3 => Ok(Way::Made),
            _ => Err(Forged),
        }
    }

    const fn as_str(self) -> &'static str {
        match self {
            Way::Demo => "demo",
            Way::Password => "password",
            Way::Pairing => "pairing",
            Way::Made => "made",
        }
    }
}

impl Subject {
    /// How he signed in.
    pub(super) fn way(&self) -> Way {
        self.way
    }

    /// Into a sealed transaction.
    pub(super) fn write<const N: usize>(&self, fields: Writer<N>) -> Writer<N> {
        fields.u8(self.way.number()).text(&self.name)
    }

    /// Out of a sealed transaction, where only a subject was written.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, Forged> {
        let way = Way::numbered(fields.u8()?)?;
        Ok(Subject { way, name: Name::try_from(fields.text()?).map_err(|_| Forged)? })
    }

    #[cfg(test)]
    pub(super) fn named(name: &str) -> Result<Self, &'static str> {
        named(name).map_err(|failure| failure.message)
    }
}

impl Deref for Subject {
    type Target = str;

    fn deref(&self) -> &str {
        &self.name
    }
}

/// Whether an attempt passed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is this person.
    Passed(Subject),
    /// It is not.
    Failed(Failure),
}

/// Why somebody did not get in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What to tell him.
    message: &'static str,
    /// What to tell the audit log.
    reason: &'static str,
}

impl Failure {
    const fn new(message: &'static str) -> Self {
        Failure { message, reason: message }
    }

    /// Nobody learns which of the two it was.
    const WRONG: Failure = Failure { reason: "wrong name or password", ..Failure::new("The name or the password is wrong.") };
}

/// What somebody tried to sign in with: the page that he sees once more is about that.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tried {
    /// With a name, which he need not type again, and a password.
    Password {
        /// The name; empty if it is no user's for sure.
        name: String,
    },
    /// With a code from the board.
    Code,
}

/// Why the sign-in page is shown once more.
#[derive(Debug)]
pub(super) struct Again {
    pub(super) message: &'static str,
    pub(super) tried: Tried,
    /// Where he has to wait.
    pub(super) error: Option<Error>,
}

/// An attempt to sign in, not yet verified. It can be sent to another thread.
pub struct Attempt {
    transaction: Box<Transaction>,
    source: Source,
    tried: Tried,
    /// What the client asked for, before any limit.
    asked: Scopes,
    proof: Proof,
}

enum Proof {
    /// Nothing is left to be done.
    Decided(Verdict),
    Password {
        name: String,
        check: Check,
        password: Zeroizing<String>,
    },
}

/// Not what was typed.
impl std::fmt::Debug for Attempt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Attempt").field("is_slow", &self.is_slow()).finish_non_exhaustive()
    }
}

/// An attempt and its verdict.
#[derive(Debug)]
pub struct Verified {
    transaction: Box<Transaction>,
    source: Source,
    tried: Tried,
    asked: Scopes,
    verdict: Verdict,
}

impl Attempt {
    /// Whether it takes long to verify: not on the thread that serves everybody, and one at a time.
    pub fn is_slow(&self) -> bool {
        matches!(self.proof, Proof::Password { .. })
    }

    /// Decides.
    pub fn verify(self) -> Verified {
        let verdict = match self.proof {
            Proof::Decided(verdict) => verdict,
            Proof::Password { name, check, password } => {
                let name = Name::try_from(name.as_str()).ok().filter(|_| check.passes(&password));
                name.map_or(Verdict::Failed(Failure::WRONG), |name| Verdict::Passed(Subject { name, way: Way::Password }))
            }
        };
        Verified { transaction: self.transaction, source: self.source, tried: self.tried, asked: self.asked, verdict }
    }
}

/// In a demo whatever is entered is believed; the password is not even looked at.
fn named(email: &str) -> Result<Subject, Failure> {
    let email = email.trim();
    if email.is_empty() {
        return Err(Failure::new("Please enter your e-mail address."));
    }
    if !email.chars().all(is_visible) {
        return Err(Failure::new("The e-mail address has characters that cannot be seen."));
    }
    let name = Name::try_from(email).map_err(|_| Failure::new("The e-mail address is too long."))?;
    Ok(Subject { name, way: Way::Demo })
}

/// A name as the page gives it back.
fn shown(name: &str) -> String {
    let is_name = name.len() <= limits::SUBJECT_BYTES && name.chars().all(is_visible);
    if is_name { name.trim().to_owned() } else { String::new() }
}

impl Authority {
    /// `POST /authorize`: a form of the sign-in page. `browser` is the value of the cookie.
    ///
    /// # Errors
    /// The next step, where there is nothing to verify: [`Step::Refuse`] or, when the person says no, [`Step::Redirect`].
    pub fn sign_in(
        &self,
        world: &World<'_>,
        base: &Base,
        form: &[u8],
        browser: Option<&str>,
        source: Source,
    ) -> Result<Attempt, Step> {
        let attempt = self.attempt(world, base, form, browser, source);
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
        source: Source,
    ) -> Result<Attempt, (&'static str, Step)> {
        let refuse = |error: Error| (error.reason(), Step::Refuse(error));
        let parameters = Parameters::parse(form, limits::FORM_BYTES).map_err(refuse)?;
        let text = parameters.required("transaction", "The form has no transaction.").map_err(refuse)?;
        let transaction = self.open_sign_in(world, text, browser).map_err(refuse)?;
        let action = parameters.one("action").map_err(refuse)?;
        if action == Some("reject") {
            self.rejected.borrow_mut().insert(transaction.id);
            return Err(("the person said no", self.turned_away(world, base, &transaction.request)));
        }
        let mut transaction = Box::new(transaction);
        let mode = self.settings().mode;
        let tried = match mode {
            Mode::Own { users, pairing } if pairing && (action == Some("pair") || !users) => Tried::Code,
            _ => Tried::Password { name: shown(parameters.one("email").map_err(refuse)?.unwrap_or_default()) },
        };
        let asked = transaction.request.scopes.clone();
        let proof = match mode {
            Mode::Open => return Err(refuse(Error::nobody_signs_in())),
            Mode::Demo => {
                let email = parameters.one("email").map_err(refuse)?.unwrap_or_default();
                Proof::Decided(named(email).map_or_else(Verdict::Failed, Verdict::Passed))
            }
            Mode::Own { .. } if tried == Tried::Code => {
                let code = parameters.one("code").map_err(refuse)?.unwrap_or_default();
                let verdict = self.pairing(world, code, &mut transaction, source);
                Proof::Decided(verdict.map_err(|error| self.not_tried(&transaction, tried.clone(), error))?)
            }
            Mode::Own { .. } => {
                let proof = self.password(world, &parameters, source);
                proof.map_err(|error| self.not_tried(&transaction, tried.clone(), error))?
            }
        };
        Ok(Attempt { transaction, source, tried, asked, proof })
    }

    /// Who must wait gets the page that he can go on with then: a browser does not go back to the answer to a form.
    fn not_tried(&self, transaction: &Transaction, tried: Tried, error: Error) -> (&'static str, Step) {
        let step = match error.retry_secs() {
            Some(_) => self.sign_in_page(transaction, Some(Again { message: error.description(), tried, error: Some(error) })),
            None => Step::Refuse(error),
        };
        (error.reason(), step)
    }

    /// The attempt of somebody with a password. It is the same for those who are users and those who are not.
    fn password(&self, world: &World<'_>, parameters: &Parameters<'_>, source: Source) -> Result<Proof, Error> {
        let name = parameters.one("email")?.unwrap_or_default().trim();
        let password = Zeroizing::new(parameters.one("password")?.unwrap_or_default().to_owned());
        if name.is_empty() || password.is_empty() {
            return Ok(Proof::Decided(Verdict::Failed(Failure::new("Please enter your name and your password."))));
        }
        self.passwords.borrow_mut().take(world.now, source)?;
        Ok(Proof::Password { name: name.to_owned(), check: self.settings().check(name), password })
    }

    /// The verdict on a pairing code; it limits what can be allowed.
    fn pairing(&self, world: &World<'_>, code: &str, transaction: &mut Transaction, source: Source) -> Result<Verdict, Error> {
        self.try_code(world, source)?;
        let paired = match self.paired(world, code) {
            Ok(paired) => paired,
            Err((message, reason)) => return Ok(Verdict::Failed(Failure { message, reason })),
        };
        self.code_was_right(source);
        if let Some(limit) = &paired.scopes {
            transaction.request.scopes = transaction.request.scopes.intersection(limit);
        }
        let name = Name::try_from(paired.subject.as_str());
        Ok(name.map_or(Verdict::Failed(Failure::WRONG), |name| Verdict::Passed(Subject { name, way: Way::Pairing })))
    }

    /// Counts one more short code that `source` tries: at the sign-in page, or of a device.
    ///
    /// # Errors
    /// 429, when it has tried too many.
    pub(super) fn try_code(&self, world: &World<'_>, source: Source) -> Result<(), Error> {
        self.codes.borrow_mut().take(world.now, source)
    }

    /// The code was no guess.
    pub(super) fn code_was_right(&self, source: Source) {
        self.codes.borrow_mut().give_back(source);
    }

    /// What follows a verdict: the consent page, or the sign-in page once more.
    pub fn signed_in(&self, world: &World<'_>, verified: Verified) -> Step {
        let Verified { mut transaction, source, tried, asked, verdict } = verified;
        let subject = match verdict {
            // It may have taken a while, and the configuration may be another one.
            Verdict::Passed(subject) if self.admits(subject.way, &subject) => subject,
            Verdict::Passed(_) => return self.failed(world, &transaction, tried, Failure::WRONG),
            Verdict::Failed(failure) => return self.failed(world, &transaction, tried, failure),
        };
        if subject.way == Way::Password {
            self.passwords.borrow_mut().give_back(source);
        }
        let (client, way) = (transaction.request.client, subject.way.as_str());
        world.audit.record(&Event::SignedIn { subject: &subject, client, way });
        transaction.request.scopes = self.settings().limited(&subject, transaction.request.scopes.as_str());
        if let Asker::Person(place) = transaction.request.asker {
            return self.entered_place(world, &transaction, &subject, place).unwrap_or_else(Step::Refuse);
        }
        // The consent has time of its own: passwords may take long to find.
        let transaction = transaction.renewed(world, self.boot);
        let mut step = self.consent_page(&transaction, &subject, None);
        if let Step::Consent(page) = &mut step {
            let is_withheld = |scope: &&str| !transaction.request.scopes.contains(scope);
            page.withheld = asked.iter().filter(is_withheld).map(str::to_owned).collect();
        }
        step
    }

    fn failed(&self, world: &World<'_>, transaction: &Transaction, tried: Tried, failure: Failure) -> Step {
        world.audit.record(&Event::SignInRefused { reason: failure.reason });
        self.sign_in_page(transaction, Some(Again { message: failure.message, tried, error: None }))
    }

    /// Whether the owner lets in who signed in this way: then, and still.
    pub(super) fn admits(&self, way: Way, subject: &str) -> bool {
        let settings = self.settings();
        match (settings.mode, way) {
            (_, Way::Made) | (Mode::Demo, Way::Demo) | (Mode::Own { .. }, Way::Pairing) => true,
            (Mode::Own { users: true, .. }, Way::Password) => settings.user(subject).is_some(),
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, HERE, form, parameter, people};
    use crate::oauth::{Endpoint, Page};
    use crate::principal::Scopes;

    fn send(bench: &Bench, page: &Page, fields: &[(&str, &str)], cookie: Option<&str>) -> Step {
        bench.send(page, fields, cookie, HERE)
    }

    /// Sends the sign-in form with its own cookie.
    fn sign_in(bench: &Bench, page: &Page, name: &str, password: &str) -> Step {
        let fields = [("action", "sign_in"), ("email", name), ("password", password)];
        send(bench, page, &fields, Some(&page.cookie))
    }

    fn message(step: Step) -> &'static str {
        match step {
            Step::SignIn(page) => page.message.unwrap(),
            other => panic!("{other:?}"),
        }
    }

    // ── users ──────────────────────────────────────────────────────────────────────────────────────────────────────

    #[test]
    fn a_wrong_password_and_an_unknown_user_get_the_same_page_to_the_byte() {
        let bench = Bench::own(true, true);
        let page = bench.sign_in_page();
        let [wrong, unknown] = [("anna", "bob-secret"), ("nobody", "bob-secret")]
            .map(|(name, password)| format!("{:?}", sign_in(&bench, &page, name, password)).replace(name, "NAME"));
        assert!(wrong.contains("The name or the password is wrong."), "{wrong}");
        assert_eq!(wrong, unknown);
        assert!(bench.audit.has("wrong name or password") && !bench.audit.has("SignedIn"));
    }

    #[test]
    fn a_user_name_is_the_whole_name_with_every_separator_in_it() {
        let mut bench = Bench::own(true, false);
        let names =
            ["Anna", "ann", "anna:bob", "anna,bob", "anna;", "anna\nbob", "anna\0", "anna bob", "anna/", "", " ", "%61nna"];
        for name in names {
            let page = bench.sign_in_page();
            assert!(matches!(sign_in(&bench, &page, name, "anna-secret"), Step::SignIn(_)), "{name:?}");
            bench.pass(limits::PASSWORD_TRIES.1);
        }
    }

    #[test]
    fn an_empty_user_or_password_is_asked_for_and_is_no_guess() {
        let bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        for _ in 0..=limits::PASSWORD_TRIES.0 {
            for (name, password) in [("", "anna-secret"), ("anna", ""), (" ", ""), ("", "")] {
                assert_eq!(message(sign_in(&bench, &page, name, password)), "Please enter your name and your password.");
            }
        }
    }

    #[test]
    fn a_user_signs_in_and_the_log_says_how() {
        let bench = Bench::own(true, true);
        for name in ["anna", " anna "] {
            match sign_in(&bench, &bench.sign_in_page(), name, "anna-secret") {
                Step::Consent(page) => assert_eq!(page.subject.as_deref(), Some("anna")),
                other => panic!("{other:?}"),
            }
        }
        assert!(bench.audit.has("SignedIn { subject: \"anna\"") && bench.audit.has("way: \"password\""));
    }

    #[test]
    fn who_guesses_passwords_waits_and_one_who_knows_his_does_not() {
        let mut bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        (0..8).for_each(|_| drop(sign_in(&bench, &page, "anna", "anna-secret")));
        for _ in 0..limits::PASSWORD_TRIES.0 {
            message(sign_in(&bench, &page, "anna", "x"));
        }
        for password in ["x", "anna-secret"] {
            let Step::SignIn(again) = sign_in(&bench, &page, "anna", password) else { panic!() };
            let error = again.error.unwrap();
            assert_eq!((error.status(), error.retry_secs()), (429, Some(limits::PASSWORD_TRIES.1)));
        }
        let fields = [("email", "anna"), ("password", "anna-secret")];
        let elsewhere = Source::new([2; 16]);
        assert!(matches!(bench.send(&page, &fields, Some(&page.cookie), elsewhere), Step::Consent(_)));
        bench.pass(limits::PASSWORD_TRIES.1);
        assert!(matches!(sign_in(&bench, &page, "anna", "anna-secret"), Step::Consent(_)));
    }

    #[test]
    fn an_attempt_costs_the_same_whoever_it_is_and_is_slow() {
        let bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        for name in ["anna", "bob", "nobody"] {
            let body = form(&[("transaction", &page.transaction), ("email", name), ("password", "x")]);
            let world = bench.world();
            let attempt = bench.authority.sign_in(&world, &bench.base, body.as_bytes(), Some(&page.cookie), HERE).unwrap();
            let Proof::Password { check, .. } = &attempt.proof else { panic!() };
            assert_eq!((check.cost(), attempt.is_slow()), (limits::PASSWORD_ITERATIONS_MIN, true));
            assert_eq!(format!("{attempt:?}"), "Attempt { is_slow: true, .. }");
        }
    }

    #[test]
    fn a_user_is_offered_what_he_may_allow_and_no_more() {
        let bench = Bench::own(true, false);
        let Step::Consent(page) = sign_in(&bench, &bench.sign_in_page(), "bob", "bob-secret") else { panic!() };
        assert_eq!(page.scopes.iter().map(|scope| scope.name.as_str()).collect::<Vec<_>>(), ["math"]);
        let body = form(&[("transaction", &page.transaction), ("action", "approve"), ("scope", "gpio:write"), ("scope", "math")]);
        let step = bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie));
        let Step::Redirect(uri) = step else { panic!("{step:?}") };
        let tokens = bench.exchange(&bench.client, &parameter(&uri, "code"), &[]).unwrap();
        assert_eq!(tokens["scope"], "math");
    }

    #[test]
    fn who_may_do_less_since_does_less_from_then_on() {
        let bench = Bench::own(true, false);
        let tokens = bench.tokens_by(&[("email", "anna"), ("password", "anna-secret")]);
        let access = tokens["access_token"].as_str().unwrap();
        assert_eq!(bench.bearer(access, Endpoint::Mcp).unwrap().scopes.as_str(), "math system:read gpio:write");
        let mut users = people();
        users[0].scopes = Some(Scopes::parse("system:read", |_| true));
        bench.set_users(users);
        assert_eq!(bench.bearer(access, Endpoint::Mcp).unwrap().scopes.as_str(), "system:read");
        let refresh = tokens["refresh_token"].as_str().unwrap();
        assert!(bench.refresh(&bench.client, refresh, &[("scope", "math")]).is_err());
        assert_eq!(bench.refresh(&bench.client, refresh, &[]).unwrap()["scope"], "system:read");
    }

    #[test]
    fn who_is_no_longer_a_user_is_out_at_once() {
        let bench = Bench::own(true, true);
        let tokens = bench.tokens_by(&[("email", "anna"), ("password", "anna-secret")]);
        let code = bench.authority.pair(&bench.world(), "anna", None).unwrap().code;
        let paired = bench.tokens_by(&[("action", "pair"), ("code", &code)]);
        let text = |tokens: &serde_json::Value, name: &str| tokens[name].as_str().unwrap().to_owned();
        bench.set_users(people().split_off(1));
        assert!(bench.bearer(&text(&tokens, "access_token"), Endpoint::Mcp).is_err());
        assert!(bench.refresh(&bench.client, &text(&tokens, "refresh_token"), &[]).is_err());
        // Who came in with a code of the owner's is another matter.
        assert!(bench.bearer(&text(&paired, "access_token"), Endpoint::Mcp).is_ok());
    }

    #[test]
    fn who_signed_in_to_a_demo_is_nobody_to_an_owner() {
        let bench = Bench::new();
        let demo = bench.tokens()["access_token"].as_str().unwrap().to_owned();
        assert!(bench.bearer(&demo, Endpoint::Mcp).is_ok());
        let owned = bench.owned();
        let header = format!("Bearer {demo}");
        assert!(owned.bearer(&bench.world(), [header.as_bytes()], Endpoint::Mcp.into()).is_err());
    }

    #[test]
    fn who_lost_his_place_while_his_password_was_hashed_does_not_get_in() {
        let bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        let body = form(&[("transaction", &page.transaction), ("email", "anna"), ("password", "anna-secret")]);
        let attempt = bench.authority.sign_in(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie), HERE).unwrap();
        let verified = attempt.verify();
        bench.set_users(Vec::new());
        assert_eq!(message(bench.authority.signed_in(&bench.world(), verified)), "The name or the password is wrong.");
    }

    // ── every way ──────────────────────────────────────────────────────────────────────────────────────────────────

    #[test]
    fn what_was_said_no_to_cannot_be_approved() {
        let bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        assert!(matches!(send(&bench, &page, &[("action", "reject")], Some(&page.cookie)), Step::Redirect(_)));
        assert!(matches!(sign_in(&bench, &page, "anna", "anna-secret"), Step::Refuse(error) if error.status() == 400));
    }

    #[test]
    fn one_request_comes_to_one_decision_however_often_somebody_signs_in_to_it() {
        let mut bench = Bench::own(true, false);
        let page = bench.sign_in_page();
        let Step::Consent(first) = sign_in(&bench, &page, "anna", "anna-secret") else { panic!() };
        bench.pass(limits::LOGIN_SECS - 1);
        let Step::Consent(second) = sign_in(&bench, &page, "anna", "anna-secret") else { panic!() };
        let decide = |bench: &Bench, page: &Page, action| {
            let body = form(&[("transaction", &page.transaction), ("action", action), ("scope", "math")]);
            bench.authority.consent(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie))
        };
        bench.pass(1);
        assert!(matches!(decide(&bench, &first, "reject"), Step::Refuse(_)), "it is too old");
        assert!(matches!(decide(&bench, &second, "approve"), Step::Redirect(_)));
        bench.pass(limits::LOGIN_SECS - 1);
        for page in [&first, &second] {
            assert!(matches!(decide(&bench, page, "approve"), Step::Refuse(_)));
        }
        assert!(matches!(sign_in(&bench, &page, "anna", "anna-secret"), Step::Refuse(_)));
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
            let step = bench.authority.sign_in(&bench.world(), &bench.base, body.as_bytes(), Some(&page.cookie), HERE).err();
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
