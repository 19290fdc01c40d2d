//! What a page carries from one form to the next, sealed: the form cannot change what was asked for.
//!
//! It is bound to the browser that opened the page, by a value that is in the transaction and in a cookie. A form that
//! another browser, or a page elsewhere, lays before a person does nothing.

use super::approver::Place;
use super::client::Name;
use super::life::{Boot, Deadline};
use super::login::Subject;
use super::pkce::Challenge;
use super::redirect::RedirectUri;
use super::replay::Unspendable;
use super::resource::{Audience, Endpoints, Target};
use super::user_code::UserCode;
use super::waiting::DeviceId;
use super::{Authority, Error};
use crate::limits;
use crate::principal::{ClientTag, Scopes};
use crate::seal::{Forged, Full, KeyRing, Purpose, Reader, Writer};
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// What a transaction of [`limits::TRANSACTION_BYTES`] characters holds.
const BYTES: usize = limits::TRANSACTION_BYTES / 4 * 3;

/// A browser, known by a value that it was given in a cookie. It means nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Browser([u8; 16]);

impl Browser {
    /// The browser that sent this cookie, or a new one where it is missing or not well formed.
    pub(super) fn known_or_new(world: &World<'_>, cookie: Option<&str>) -> Self {
        cookie.and_then(Browser::parse).unwrap_or_else(|| Browser(world.bytes()))
    }

    fn parse(cookie: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(cookie, &mut bytes).ok()?;
        (length == bytes.len()).then_some(Browser(bytes))
    }

    /// Into a payload.
    pub(super) fn write<const N: usize>(self, fields: Writer<N>) -> Writer<N> {
        fields.array(&self.0)
    }

    /// Out of a payload.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, Forged> {
        fields.array().map(Browser)
    }

    /// The value of the cookie.
    pub(super) fn cookie(self) -> String {
        URL_SAFE_NO_PAD.encode(self.0)
    }
}

/// A request for authorization in which everything is proved.
#[derive(Clone, Debug)]
pub(super) struct Request {
    pub(super) client: ClientTag,
    pub(super) client_name: Name,
    pub(super) scopes: Scopes,
    pub(super) target: Target,
    pub(super) asker: Asker,
}

/// Where the answer goes.
#[derive(Clone, Debug)]
pub(super) enum Asker {
    /// To the client, with the browser. RFC 6749 4.1.1.
    Browser { redirect_uri: RedirectUri, state: Option<String>, challenge: Challenge },
    /// Nowhere: the device comes for it. RFC 8628 3.1.
    Device { id: DeviceId, user_code: UserCode },
    /// Nowhere: a person wants to see this page.
    Person(Place),
}

impl Asker {
    fn write<const N: usize>(&self, fields: Writer<N>) -> Writer<N> {
        match self {
            Asker::Browser { redirect_uri, state, challenge } => {
                let fields = fields.u8(0).text(redirect_uri.as_str()).u8(state.is_some().into());
                fields.text(state.as_deref().unwrap_or_default()).array(&challenge.0)
            }
            Asker::Device { id, user_code } => fields.u8(1).array(id).array(&user_code.0),
            Asker::Person(Place::Approvals) => fields.u8(2),
            Asker::Person(Place::Owner) => fields.u8(3),
        }
    }

    fn read(fields: &mut Reader<'_>, allowed: &[String]) -> Result<Self, Forged> {
        match fields.u8()? {
            0 => {
                // Once more against the list: it may be another one than when the page was opened.
                let redirect_uri = RedirectUri::parse(fields.text()?, allowed).map_err(|_| Forged)?;
                let has_state = fields.u8()? != 0;
                let state = Some(fields.text()?.to_owned()).filter(|_| has_state);
                Ok(Asker::Browser { redirect_uri, state, challenge: Challenge(fields.array()?) })
            }
            1 => Ok(Asker::Device { id: fields.array()?, user_code: UserCode::known(fields.array()?).ok_or(Forged)? }),
            2 => Ok(Asker::Person(Place::Approvals)),
            3 => Ok(Asker::Person(Place::Owner)),
            _ => Err(Forged),
        }
    }
}

/// The redirect that tells a client of an error. RFC 6749 4.1.2.1; RFC 9207 2 for `iss`.
pub(super) fn refusal(redirect_uri: &RedirectUri, state: Option<&str>, issuer: &str, error: Error) -> String {
    let told = [("error", error.error()), ("error_description", error.description()), ("iss", issuer)];
    let parameters: Vec<_> = told.into_iter().chain(state.map(|state| ("state", state))).collect();
    redirect_uri.with(&parameters)
}

/// A request on its way through the pages.
#[derive(Clone, Debug)]
pub(super) struct Transaction {
    pub(super) id: [u8; 16],
    pub(super) browser: Browser,
    pub(super) deadline: Deadline,
    pub(super) request: Request,
}

impl Transaction {
    /// Begins now.
    pub(super) fn begin(world: &World<'_>, boot: Boot, browser: Browser, request: Request) -> Self {
        let deadline = Deadline::after(limits::LOGIN_SECS, world.now, boot);
        Transaction { id: world.bytes(), browser, deadline, request }
    }

    /// The same request with new time.
    pub(super) fn renewed(self, world: &World<'_>, boot: Boot) -> Self {
        Transaction { deadline: Deadline::after(limits::LOGIN_SECS, world.now, boot), ..self }
    }

    /// For the form of the sign-in page.
    pub(super) fn for_sign_in(&self, ring: &KeyRing) -> Result<String, Full> {
        Ok(ring.seal(Purpose::SignIn, &self.write().finish()?))
    }

    /// For the form of the consent page. Only who has signed in gets this far: there is no other way to a [`Subject`].
    pub(super) fn for_consent(&self, ring: &KeyRing, subject: &Subject) -> Result<String, Full> {
        Ok(ring.seal(Purpose::Consent, &subject.write(self.write()).finish()?))
    }

    fn write(&self) -> Writer<BYTES> {
        let request = &self.request;
        let fields = self.deadline.write(self.browser.write(Writer::new().array(&self.id)));
        let fields = request.asker.write(fields.array(&request.client.0).text(&request.client_name));
        fields.text(request.scopes.as_str()).array(&request.target.audience.0).u8(request.target.endpoints.bits())
    }

    fn read(fields: &mut Reader<'_>, allowed: &[String]) -> Result<Self, Forged> {
        let id = fields.array()?;
        let browser = Browser::read(fields)?;
        let deadline = Deadline::read(fields)?;
        let client = ClientTag(fields.array()?);
        let client_name = Name::try_from(fields.text()?).map_err(|_| Forged)?;
        let asker = Asker::read(fields, allowed)?;
        let scopes = Scopes::parse(fields.text()?, |_| true);
        let target = Target { audience: Audience(fields.array()?), endpoints: Endpoints::from_bits(fields.u8()?) };
        let request = Request { client, client_name, scopes, target, asker };
        Ok(Transaction { id, browser, deadline, request })
    }
}

impl Authority {
    /// The transaction of a sign-in form.
    pub(super) fn open_sign_in(&self, world: &World<'_>, text: &str, cookie: Option<&str>) -> Result<Transaction, Error> {
        self.open_transaction(Purpose::SignIn, text, |_| Ok(()))
            .and_then(|(transaction, ())| self.admit(world, cookie, transaction))
    }

    /// The transaction of a consent form, and who signed in.
    pub(super) fn open_consent(
        &self,
        world: &World<'_>,
        text: &str,
        cookie: Option<&str>,
    ) -> Result<(Transaction, Subject), Error> {
        let (transaction, subject) = self.open_transaction(Purpose::Consent, text, Subject::read)?;
        Ok((self.admit(world, cookie, transaction)?, subject))
    }

    fn open_transaction<T>(
        &self,
        purpose: Purpose,
        text: &str,
        rest: impl FnOnce(&mut Reader<'_>) -> Result<T, Forged>,
    ) -> Result<(Transaction, T), Error> {
        let read = || {
            let opened = self.ring().open_within::<BYTES>(purpose, text.as_bytes())?;
            let mut fields = Reader::new(&opened);
            let transaction = Transaction::read(&mut fields, &self.settings().redirect_uris)?;
            let rest = rest(&mut fields)?;
            fields.end()?;
            Ok((transaction, rest))
        };
        read().map_err(|Forged| Error::invalid_request("This form was not made here."))
    }

    fn admit(&self, world: &World<'_>, cookie: Option<&str>, transaction: Transaction) -> Result<Transaction, Error> {
        self.admit_page(world, transaction.deadline, transaction.browser, cookie)?;
        let is_rejected = self.rejected.borrow().has(transaction.id);
        if is_rejected || self.spent.borrow().has(world.now, transaction.id) {
            return Err(Unspendable::Twice.into());
        }
        Ok(transaction)
    }

    /// Whether the form of a page may be sent: in time, and by the browser that opened the page.
    pub(super) fn admit_page(
        &self,
        world: &World<'_>,
        deadline: Deadline,
        browser: Browser,
        cookie: Option<&str>,
    ) -> Result<(), Error> {
        if deadline.is_past(world.now, self.boot) {
            return Err(Error::invalid_request("This page is too old: it was good for ten minutes."));
        }
        if cookie.and_then(Browser::parse) != Some(browser) {
            return Err(Error::invalid_request("This page was opened in another browser, or the browser takes no cookies."));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Base;
    use crate::oauth::testing::Bench;

    fn largest(bench: &Bench) -> Transaction {
        let request = Request {
            client: ClientTag([1; 8]),
            client_name: Name::try_from("n".repeat(limits::CLIENT_NAME_BYTES).as_str()).unwrap(),
            asker: Asker::Browser {
                redirect_uri: RedirectUri::parse(
                    &format!("http://localhost/{}", "p".repeat(limits::REDIRECT_URI_BYTES - 17)),
                    &[],
                )
                .unwrap(),
                state: Some("s".repeat(limits::STATE_BYTES)),
                challenge: Challenge([2; 32]),
            },
            scopes: Scopes::parse(&"s".repeat(limits::SCOPES_BYTES - 1), |_| true),
            target: Target::whole(&Base::new("http://localhost:8787")),
        };
        Transaction::begin(&bench.world(), bench.authority.boot, Browser([3; 16]), request)
    }

    #[test]
    fn the_largest_request_has_room() {
        let bench = Bench::new();
        let subject = Subject::named(&"u".repeat(limits::SUBJECT_BYTES)).unwrap();
        let text = largest(&bench).for_consent(&bench.ring, &subject).unwrap();
        assert!(text.len() <= limits::TRANSACTION_BYTES);
        let cookie = Browser([3; 16]).cookie();
        let (read, signed_in) = bench.authority.open_consent(&bench.world(), &text, Some(&cookie)).unwrap();
        assert!(matches!(read.request.asker, Asker::Browser { state: Some(state), .. } if state.len() == limits::STATE_BYTES));
        assert_eq!(signed_in, subject);
    }

    #[test]
    fn a_transaction_that_was_tampered_with_is_refused() {
        let bench = Bench::new();
        let text = largest(&bench).for_sign_in(&bench.ring).unwrap();
        let cookie = Browser([3; 16]).cookie();
        assert!(bench.authority.open_sign_in(&bench.world(), &text, Some(&cookie)).is_ok());
        for position in (0..text.len()).step_by(7) {
            let mut tampered = text.clone().into_bytes();
            tampered[position] = if tampered[position] == b'A' { b'B' } else { b'A' };
            let tampered = String::from_utf8(tampered).unwrap();
            assert!(bench.authority.open_sign_in(&bench.world(), &tampered, Some(&cookie)).is_err(), "{position}");
        }
        assert!(bench.authority.open_sign_in(&bench.world(), &"A".repeat(1 << 20), Some(&cookie)).is_err());
    }

    #[test]
    fn the_form_of_one_page_is_not_that_of_the_other() {
        let bench = Bench::new();
        let cookie = Browser([3; 16]).cookie();
        let sign_in = largest(&bench).for_sign_in(&bench.ring).unwrap();
        assert!(bench.authority.open_consent(&bench.world(), &sign_in, Some(&cookie)).is_err());
        let consent = largest(&bench).for_consent(&bench.ring, &Subject::named("me").unwrap()).unwrap();
        assert!(bench.authority.open_sign_in(&bench.world(), &consent, Some(&cookie)).is_err());
    }

    #[test]
    fn another_browser_is_refused() {
        let bench = Bench::new();
        let text = largest(&bench).for_sign_in(&bench.ring).unwrap();
        let other = Browser([4; 16]).cookie();
        let own = Browser([3; 16]).cookie();
        for cookie in [None, Some(""), Some("x"), Some(other.as_str()), Some(&own[1..]), Some(&format!("{own}="))] {
            assert!(bench.authority.open_sign_in(&bench.world(), &text, cookie).is_err(), "{cookie:?}");
        }
    }

    #[test]
    fn a_browser_keeps_its_cookie_and_gets_one_where_it_has_none() {
        let bench = Bench::new();
        let cookie = Browser([3; 16]).cookie();
        assert_eq!(Browser::known_or_new(&bench.world(), Some(&cookie)), Browser([3; 16]));
        for bad in [None, Some(""), Some("AAAA"), Some("*"), Some(&*"A".repeat(1 << 20))] {
            assert_ne!(Browser::known_or_new(&bench.world(), bad), Browser::known_or_new(&bench.world(), bad));
        }
    }
}
