//! Sign-in: the authorization server (OAuth 2.1), and the check of the tokens that come of it.
//!
//! An [`Authority`] answers one endpoint with one method. It is told the time and what came, and says what to answer; who
//! reads sockets and writes headers is somebody else.
//!
//! | endpoint | method | answer |
//! |---|---|---|
//! | `/.well-known/oauth-protected-resource…` | [`Authority::resource_metadata`] | JSON |
//! | `/.well-known/oauth-authorization-server` | [`Authority::server_metadata`] | JSON |
//! | `POST /register` | [`Authority::register`] | JSON, 201 |
//! | `GET /authorize` | [`Authority::authorize`] | [`Step`] |
//! | `POST /authorize` | [`Authority::sign_in`], [`Attempt::verify`], [`Authority::signed_in`] | [`Step`] |
//! | `POST /consent` | [`Authority::consent`] | [`Step`] |
//! | `POST /device_authorization` | [`Authority::device_authorization`] | JSON |
//! | `GET /device`, `POST /device` | [`Authority::device`], [`Authority::enter`] | [`Step`] |
//! | `GET /approvals`, `POST /approvals` | [`Authority::approver`], [`Authority::enter_place`], [`Authority::verb`] | [`Step`] |
//! | `GET /owner`, `POST /owner` | [`Authority::approver`], [`Authority::enter_place`], [`Authority::errand`] | [`Step`] |
//! | `POST /token` | [`Authority::token`] | JSON |
//! | `POST /revoke` | [`Authority::revoke`] | 200, no body |
//! | `/mcp`, `/sse`, `/messages` | [`Authority::bearer`] | [`Principal`](crate::principal::Principal), or 401 with a [`challenge`] |
//!
//! The owner has [`Authority::mint`], [`Authority::inspect`] and the `revoke_…` methods.
//!
//! Nothing is stored but what cannot be proved: what was spent (`replay`), which refresh token comes next (`family`), which
//! devices wait (`waiting`) and what was revoked (`denied`). These tables have bounds, and each says what it does when it is full.

mod approver;
mod authorize;
mod bearer;
mod claims;
mod client;
mod consent;
mod denied;
mod device;
mod device_page;
mod error;
mod family;
mod form;
#[cfg(fuzzing)]
pub(crate) mod fuzzing;
mod grant;
mod inspect;
mod life;
mod login;
mod metadata;
mod mint;
mod origin;
mod page;
mod pairing;
mod password;
mod pkce;
mod redirect;
mod register;
mod replay;
mod resource;
mod revoke;
mod scope;
#[cfg(test)]
mod testing;
mod throttle;
mod token;
mod transaction;
mod user;
mod user_code;
mod waiting;

pub use approver::{Approver, Errand, PLAN_ID_BYTES, Place, Verb};
pub use bearer::{Refusal, challenge, insufficient_scope};
pub use error::Error;
pub use inspect::{Inspection, Kind, State};
pub use life::Lifetimes;
pub use login::{Attempt, Subject, Tried, Verdict, Verified};
pub use metadata::RESOURCE_METADATA_PATH;
pub use mint::Mint;
pub use page::{CodePage, Decision, Page, Step};
pub use pairing::Pairing;
pub use password::Phc;
pub use redirect::RedirectUri;
pub use resource::{Audience, Base, Endpoint, Endpoints};
pub use scope::Scope;
pub use throttle::Source;
pub use user::User;

use crate::limits;
use crate::principal::Scopes;
use crate::seal::KeyRing;
use denied::Denied;
use family::Families;
use life::Boot;
use pairing::Pairings;
use replay::{Rejected, Spent};
use std::cell::RefCell;
use std::rc::Rc;
use throttle::Throttle;
use waiting::Waiting;

/// Who may sign in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Anybody, with any e-mail address and any password: to try things out, on one's own computer.
    Demo,
    /// Whom the owner lets in, by at least one of two ways.
    Own {
        /// Those in the configuration, with their passwords.
        users: bool,
        /// Whoever has a code that the owner made.
        pairing: bool,
    },
    /// Nobody signs in, and everybody may do everything: for test suites that cannot send a token.
    Open,
}

/// The https redirect URIs that are allowed where the owner says nothing: those of Claude.
pub const REDIRECT_URIS: [&str; 2] = ["https://claude.ai/api/mcp/auth_callback", "https://claude.com/api/mcp/auth_callback"];

/// What the owner decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Who may sign in.
    pub mode: Mode,
    /// Those who sign in with a password.
    pub users: Vec<User>,
    /// What a client may be allowed to do. Their names, with spaces between, have room in
    /// [`SCOPES_BYTES`](crate::limits::SCOPES_BYTES); what has no room is never offered.
    pub scopes: Vec<Scope>,
    /// The name of the board.
    pub board: String,
    /// The https redirect URIs that are allowed, to the byte. Loopback ones are always allowed.
    pub redirect_uris: Vec<String>,
    /// Every origin under which this server is reached.
    pub bases: Vec<Base>,
    /// How long tokens last. Those that were given before it was said anew keep theirs.
    pub lifetimes: Lifetimes,
}

impl Settings {
    /// The bases that a resource may name; the one of the request is always among them.
    fn bases<'a>(&'a self, base: &'a Base) -> impl Iterator<Item = &'a Base> {
        std::iter::once(base).chain(&self.bases)
    }
}

/// The authorization server of one board.
#[derive(Debug)]
pub struct Authority {
    settings: RefCell<Rc<Settings>>,
    ring: RefCell<Rc<KeyRing>>,
    boot: Boot,
    spent: RefCell<Spent>,
    families: RefCell<Families>,
    denied: RefCell<Denied>,
    waiting: RefCell<Waiting>,
    pairings: RefCell<Pairings>,
    rejected: RefCell<Rejected>,
    passwords: RefCell<Throttle>,
    codes: RefCell<Throttle>,
    registrations: RefCell<Throttle>,
    devices: RefCell<Throttle>,
}

impl Authority {
    /// An authority that nobody has asked anything yet. `boot` is random, and tells this run from all others.
    pub fn new(settings: Settings, ring: Rc<KeyRing>, boot: [u8; 16]) -> Self {
        let mut short = [0; 8];
        short.copy_from_slice(&boot[..8]);
        let throttle = |each, all| RefCell::new(Throttle::new(each, all));
        Authority {
            settings: RefCell::new(Rc::new(settings)),
            ring: RefCell::new(ring),
            boot: Boot(short),
            spent: RefCell::default(),
            families: RefCell::default(),
            denied: RefCell::default(),
            waiting: RefCell::default(),
            pairings: RefCell::default(),
            rejected: RefCell::default(),
            passwords: throttle(limits::PASSWORD_TRIES, limits::PASSWORD_TRIES_ALL),
            codes: throttle(limits::CODE_TRIES, limits::CODE_TRIES_ALL),
            registrations: throttle(limits::REGISTRATIONS, limits::REGISTRATIONS_ALL),
            devices: throttle(limits::DEVICE_REQUESTS, limits::DEVICE_REQUESTS_ALL),
        }
    }

    /// Who may sign in.
    pub fn mode(&self) -> Mode {
        self.settings().mode
    }

    /// Whether anybody must sign in.
    pub fn signs_in(&self) -> bool {
        self.settings().mode != Mode::Open
    }

    /// Every scope that this server knows.
    pub fn scopes(&self) -> Scopes {
        let mut scopes = Scopes::none();
        self.settings().scopes.iter().for_each(|scope| scopes.insert(&scope.name));
        scopes
    }

    /// Lets the owner decide anew. What was signed in to before goes on, as far as it is still allowed.
    pub fn reload(&self, settings: Settings) {
        self.settings.replace(Rc::new(settings));
    }

    /// Seals with another ring from now on. What the one before has sealed is good as far as the new one opens it.
    pub fn rekey(&self, ring: Rc<KeyRing>) {
        self.ring.replace(ring);
    }

    /// The ring that seals now.
    fn ring(&self) -> Rc<KeyRing> {
        Rc::clone(&self.ring.borrow())
    }

    /// What the owner has decided, as it stands now.
    fn settings(&self) -> Rc<Settings> {
        Rc::clone(&self.settings.borrow())
    }
}
