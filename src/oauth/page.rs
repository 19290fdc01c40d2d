//! What the pages show. How they look is decided elsewhere.

use super::approver::Place;
use super::login::{Again, Subject, Tried};
use super::redirect::RedirectUri;
use super::scope::Scope;
use super::transaction::{Asker, Transaction};
use super::{Authority, Error, Mode};

/// The next step on the way to a code.
#[derive(Debug)]
pub enum Step {
    /// Nothing to go on with, and nowhere to send the browser: an error for the person, or as JSON for a client that
    /// looks before it opens a browser.
    Refuse(Error),
    /// Send the browser to the client with this URI: 303, as 307 would send the form along. RFC 9700 4.12.
    Redirect(String),
    /// Show the sign-in page. Its forms are posted to `/authorize` with `transaction` and `action`, which is `sign_in` with
    /// `email` and `password`, `pair` with `code`, or `reject` where the person says no.
    SignIn(Box<Page>),
    /// Show the consent page. Its form is posted to `/consent` with `transaction`, a `scope` for each box that is
    /// ticked, and `action`, which is `approve` or `reject`.
    Consent(Box<Page>),
    /// Show the page that asks for the code of a device. Its form is posted to `/device` with `transaction` and
    /// `user_code`.
    Code(Box<CodePage>),
    /// Let the browser keep this cookie, and send it to the page that the person wants to see.
    Entered {
        /// The cookie.
        cookie: String,
        /// The page.
        place: Place,
    },
    /// Show that the person has decided, and that the device knows.
    Done(Decision),
}

/// The page that asks for the code of a device.
#[derive(Debug)]
pub struct CodePage {
    /// What stands in the field already; the person has to compare it with what the device shows.
    pub user_code: String,
    /// Why the page is shown again.
    pub message: Option<&'static str>,
    /// The same where the person has to wait: status, and how long.
    pub error: Option<Error>,
    /// The field of this name, sealed.
    pub transaction: String,
    /// As in [`Page`].
    pub cookie: String,
}

/// What a person has decided on a device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// As in [`Page`].
    pub client_name: String,
    /// Whether the device gets what it asked for.
    pub is_allowed: bool,
}

/// What a page shows and what its form sends back. All texts are plain: they are to be escaped.
#[derive(Debug)]
pub struct Page {
    /// The name that the client gave itself; may be empty, and may be a lie.
    pub client_name: String,
    /// The code that the device shows, where one asks. There is then no redirect.
    pub user_code: Option<String>,
    /// Which page a person wants to see, where no client asks.
    pub place: Option<Place>,
    /// Host and port that the browser will be sent to.
    pub redirect_host: String,
    /// Scheme, host and port of the same, for `form-action` in the Content-Security-Policy: Chromium applies it to the
    /// redirect that follows the form.
    pub redirect_origin: String,
    /// Whether that is the person's own computer.
    pub is_loopback: bool,
    /// What the client asks for.
    pub scopes: Vec<Scope>,
    /// What it asks for and this person cannot allow: right after he signed in.
    pub withheld: Vec<String>,
    /// Who signed in: on the consent page.
    pub subject: Option<String>,
    /// The ways to sign in.
    pub mode: Mode,
    /// Why the page is shown again.
    pub message: Option<&'static str>,
    /// What was tried: on the sign-in page that is shown again.
    pub tried: Option<Tried>,
    /// The same where the person has to wait: status, and how long.
    pub error: Option<Error>,
    /// The field of this name, sealed.
    pub transaction: String,
    /// The value of the cookie that binds the form to this browser: `HttpOnly`, `SameSite=Strict`.
    pub cookie: String,
}

impl Authority {
    pub(super) fn sign_in_page(&self, transaction: &Transaction, again: Option<Again>) -> Step {
        let text = match transaction.for_sign_in(&self.ring()) {
            Ok(text) => text,
            Err(full) => return Step::Refuse(full.into()),
        };
        let mut page = self.page(transaction, text, None, again.as_ref().map(|again| again.message));
        if let Some(Again { tried, error, .. }) = again {
            (page.tried, page.error) = (Some(tried), error);
        }
        Step::SignIn(Box::new(page))
    }

    pub(super) fn consent_page(&self, transaction: &Transaction, subject: &Subject, message: Option<&'static str>) -> Step {
        match transaction.for_consent(&self.ring(), subject) {
            Ok(text) => Step::Consent(Box::new(self.page(transaction, text, Some(subject.to_string()), message))),
            Err(full) => Step::Refuse(full.into()),
        }
    }

    fn page(&self, transaction: &Transaction, text: String, subject: Option<String>, message: Option<&'static str>) -> Page {
        let request = &transaction.request;
        let (redirect_uri, user_code) = match &request.asker {
            Asker::Browser { redirect_uri, .. } => (Some(redirect_uri), None),
            Asker::Device { user_code, .. } => (None, Some(user_code.to_string())),
            Asker::Person(_) => (None, None),
        };
        let place = if let Asker::Person(place) = request.asker { Some(place) } else { None };
        Page {
            place,
            client_name: request.client_name.as_str().to_owned(),
            user_code,
            redirect_host: redirect_uri.map(RedirectUri::host).unwrap_or_default().to_owned(),
            redirect_origin: redirect_uri.map(RedirectUri::origin).unwrap_or_default().to_owned(),
            is_loopback: redirect_uri.is_some_and(RedirectUri::is_loopback),
            scopes: self.settings().scopes.iter().filter(|scope| request.scopes.contains(&scope.name)).cloned().collect(),
            withheld: Vec::new(),
            subject,
            mode: self.settings().mode,
            message,
            tried: None,
            error: None,
            transaction: text,
            cookie: transaction.browser.cookie(),
        }
    }
}
