//! A board on the bench: its clocks are moved by hand, and a person signs in with one call.

use super::{
    Authority, Base, Endpoints, Error, Lifetimes, Mint, Mode, Page, Phc, REDIRECT_URIS, Refusal, Scope, Settings, Source, Step,
    User,
};
use crate::audit::{Audit, Event};
use crate::limits;
use crate::principal::{Principal, Scopes};
use crate::seal::KeyRing;
use crate::world::{Now, Random, World};
use serde_json::{Value, json};
use std::cell::{Cell, RefCell};
use std::fmt::Write as _;
use std::rc::Rc;
use std::sync::LazyLock;

/// RFC 7636, appendix B.
pub(super) const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub(super) const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

/// Where people sit.
pub(super) const HERE: Source = Source::new([1; 16]);

/// Never the same bytes twice.
#[derive(Default)]
struct Counter(Cell<u64>);

impl Random for Counter {
    fn fill(&self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            self.0.set(self.0.get() + 1);
            chunk.copy_from_slice(&self.0.get().wrapping_mul(0x9e37_79b9_7f4a_7c15).to_be_bytes()[..chunk.len()]);
        }
    }
}

/// Remembers every event as text.
#[derive(Default)]
pub(super) struct Memory(RefCell<String>);

impl Memory {
    pub(super) fn has(&self, text: &str) -> bool {
        self.0.borrow().contains(text)
    }
}

impl Audit for Memory {
    fn record(&self, event: &Event<'_>) {
        let _ = writeln!(self.0.borrow_mut(), "{event:?}");
    }
}

pub(super) struct Bench {
    pub(super) authority: Authority,
    pub(super) ring: Rc<KeyRing>,
    pub(super) base: Base,
    pub(super) audit: Memory,
    /// A client that is registered.
    pub(super) client: String,
    random: Counter,
    now: Now,
}

impl Bench {
    pub(super) fn new() -> Self {
        Bench::with(Mode::Demo)
    }

    pub(super) fn open() -> Self {
        Bench::with(Mode::Open)
    }

    /// A board that is reached at this address.
    pub(super) fn at(origin: &str) -> Self {
        let mut bench = Bench::new();
        bench.base = Base::new(origin);
        bench.authority = bench.sibling(&[origin]);
        bench
    }

    /// The owner lets in anna, who may allow everything, and bob, who may allow `math`; and whoever has a code.
    pub(super) fn own(users: bool, pairing: bool) -> Self {
        let bench = Bench::with(Mode::Own { users, pairing });
        bench.set_users(people());
        bench
    }

    pub(super) fn settings(&self) -> Settings {
        self.authority.settings().as_ref().clone()
    }

    /// The owner says who his users are now.
    pub(super) fn set_users(&self, users: Vec<User>) {
        self.authority.reload(Settings { users, ..self.settings() });
    }

    fn with(mode: Mode) -> Self {
        let (random, audit) = (Counter::default(), Memory::default());
        let now = Now { unix: limits::BUILD_UNIX_SECS + 1_000_000, uptime_ms: 1000 };
        let ring = Rc::new(KeyRing::generate(&World { now, random: &random, audit: &audit }));
        let authority = Authority::new(settings(mode, &["http://localhost:8787", "https://pi.local"]), Rc::clone(&ring), [1; 16]);
        let base = Base::new("http://localhost:8787");
        let mut bench = Bench { authority, ring, base, audit, client: String::new(), random, now };
        bench.client = bench.client_id();
        bench
    }

    pub(super) fn world(&self) -> World<'_> {
        World { now: self.now, random: &self.random, audit: &self.audit }
    }

    /// Time passes.
    pub(super) fn pass(&mut self, secs: u64) {
        self.now.uptime_ms += secs * 1000;
        self.now.unix += secs;
    }

    /// Somebody sets the clock.
    pub(super) fn step(&mut self, secs: i64) {
        self.now.unix = self.now.unix.saturating_add_signed(secs);
    }

    /// The power goes, and comes back.
    pub(super) fn restart(&mut self) {
        self.now.uptime_ms = 1000;
        let boot = self.world().bytes();
        self.authority = Authority::new(self.authority.settings().as_ref().clone(), Rc::clone(&self.ring), boot);
    }

    /// Another server with the same keys.
    pub(super) fn sibling(&self, origins: &[&str]) -> Authority {
        Authority::new(settings(Mode::Demo, origins), Rc::clone(&self.ring), [2; 16])
    }

    /// The same server, when its owner has settled who may sign in.
    pub(super) fn owned(&self) -> Authority {
        let mode = Mode::Own { users: true, pairing: true };
        let settings = Settings { mode, users: people(), ..self.settings() };
        Authority::new(settings, Rc::clone(&self.ring), [1; 16])
    }

    pub(super) fn register(&self, redirect_uris: &[&str]) -> String {
        let body = json!({"redirect_uris": redirect_uris, "client_name": "A client"}).to_string();
        let answer = self.authority.register(&self.world(), body.as_bytes(), HERE).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["client_id"].as_str().unwrap().to_owned()
    }

    /// Registers one more client.
    pub(super) fn client_id(&self) -> String {
        self.register(&["http://localhost/callback"])
    }

    pub(super) fn sign_in_page(&self) -> Box<Page> {
        self.sign_in_page_of(&self.client, &[])
    }

    fn sign_in_page_of(&self, client: &str, changes: &[(&str, &str)]) -> Box<Page> {
        match self.authority.authorize(&self.world(), &self.base, &query(client, changes), None) {
            Step::SignIn(page) => page,
            other => panic!("{other:?}"),
        }
    }

    /// Sends a form of the sign-in page.
    pub(super) fn send(&self, page: &Page, fields: &[(&str, &str)], cookie: Option<&str>, source: Source) -> Step {
        let body = form(&[&[("transaction", page.transaction.as_str())], fields].concat());
        match self.authority.sign_in(&self.world(), &self.base, body.as_bytes(), cookie, source) {
            Ok(attempt) => self.authority.signed_in(&self.world(), attempt.verify()),
            Err(step) => step,
        }
    }

    /// Signs in by these fields, and allows everything that is offered.
    pub(super) fn tokens_by(&self, fields: &[(&str, &str)]) -> Value {
        let page = self.sign_in_page();
        let Step::Consent(page) = self.send(&page, fields, Some(&page.cookie), HERE) else { panic!("not signed in") };
        let mut fields = vec![("transaction", page.transaction.as_str()), ("action", "approve")];
        fields.extend(page.scopes.iter().map(|scope| ("scope", scope.name.as_str())));
        match self.authority.consent(&self.world(), &self.base, form(&fields).as_bytes(), Some(&page.cookie)) {
            Step::Redirect(uri) => self.exchange(&self.client, &parameter(&uri, "code"), &[]).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn consent_page(&self) -> Box<Page> {
        self.consent_page_for(&[])
    }

    pub(super) fn consent_page_for(&self, changes: &[(&str, &str)]) -> Box<Page> {
        self.consent_page_of(&self.client, changes)
    }

    fn consent_page_of(&self, client: &str, changes: &[(&str, &str)]) -> Box<Page> {
        match self.signed_in(&self.sign_in_page_of(client, changes)) {
            Step::Consent(page) => page,
            other => panic!("{other:?}"),
        }
    }

    /// Sends the form of a sign-in page.
    pub(super) fn sign_in(&self, page: &Page, body: &str) -> Step {
        match self.authority.sign_in(&self.world(), &self.base, body.as_bytes(), Some(&page.cookie), HERE) {
            Ok(attempt) => self.authority.signed_in(&self.world(), attempt.verify()),
            Err(step) => step,
        }
    }

    /// A person signs in on a page.
    pub(super) fn signed_in(&self, page: &Page) -> Step {
        let fields = [("transaction", page.transaction.as_str()), ("email", "me@example.com"), ("password", "secret")];
        self.sign_in(page, &form(&fields))
    }

    pub(super) fn code(&self) -> String {
        self.code_for(&[])
    }

    pub(super) fn code_for(&self, changes: &[(&str, &str)]) -> String {
        self.code_of(&self.client, changes)
    }

    /// A person signs in and allows everything that was asked for.
    pub(super) fn code_of(&self, client: &str, changes: &[(&str, &str)]) -> String {
        let page = self.consent_page_of(client, changes);
        let mut fields = vec![("transaction", page.transaction.as_str()), ("action", "approve")];
        fields.extend(page.scopes.iter().map(|scope| ("scope", scope.name.as_str())));
        match self.authority.consent(&self.world(), &self.base, form(&fields).as_bytes(), Some(&page.cookie)) {
            Step::Redirect(uri) => parameter(&uri, "code"),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn exchange(&self, client: &str, code: &str, changes: &[(&str, &str)]) -> Result<Value, Error> {
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code),
            ("code_verifier", VERIFIER),
            ("redirect_uri", "http://localhost:3335/callback"),
            ("client_id", client),
        ];
        self.token(&changed(&fields, changes))
    }

    pub(super) fn refresh(&self, client: &str, token: &str, changes: &[(&str, &str)]) -> Result<Value, Error> {
        self.token(&changed(&[("grant_type", "refresh_token"), ("refresh_token", token), ("client_id", client)], changes))
    }

    /// Registers a client that has no browser.
    pub(super) fn device_client(&self) -> String {
        let grant_types = [super::device::GRANT_TYPE];
        let body = json!({"grant_types": grant_types, "client_name": "A device"}).to_string();
        let answer = self.authority.register(&self.world(), body.as_bytes(), HERE).unwrap();
        serde_json::from_slice::<Value>(&answer).unwrap()["client_id"].as_str().unwrap().to_owned()
    }

    pub(super) fn token_by(&self, fields: &[(&str, &str)]) -> Result<Value, Error> {
        self.token(&form(fields))
    }

    fn token(&self, body: &str) -> Result<Value, Error> {
        let answer = self.authority.token(&self.world(), &self.base, body.as_bytes(), None)?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    pub(super) fn tokens(&self) -> Value {
        self.tokens_of(&self.client)
    }

    pub(super) fn tokens_of(&self, client: &str) -> Value {
        self.exchange(client, &self.code_of(client, &[]), &[]).unwrap()
    }

    /// The owner makes a token by hand.
    pub(super) fn mint(&self, name: &str, subject: &str, secs: u64) -> String {
        let mint = Mint { name, subject, scopes: "math", secs };
        self.authority.mint(&self.world(), &mint).unwrap()
    }

    pub(super) fn bearer(&self, token: &str, endpoints: impl Into<Endpoints>) -> Result<Principal, Refusal> {
        let header = format!("Bearer {token}");
        self.authority.bearer(&self.world(), [header.as_bytes()], endpoints.into())
    }
}

/// Anna and bob, each with his name and `-secret` for a password.
pub(super) fn people() -> Vec<User> {
    static HASHES: LazyLock<[Phc; 2]> = LazyLock::new(|| ["anna-secret", "bob-secret"].map(|text| Phc::make(text, 0, [1; 16])));
    let user = |name: &str, password: &Phc, scopes: Option<&str>| User {
        name: name.to_owned(),
        password: password.clone(),
        scopes: scopes.map(|scopes| Scopes::parse(scopes, |_| true)),
    };
    vec![user("anna", &HASHES[0], None), user("bob", &HASHES[1], Some("math"))]
}

/// The query of a good request, but for the `changes`.
pub(super) fn query(client_id: &str, changes: &[(&str, &str)]) -> String {
    let fields = [
        ("response_type", "code"),
        ("client_id", client_id),
        ("code_challenge", CHALLENGE),
        ("code_challenge_method", "S256"),
        ("redirect_uri", "http://localhost:3335/callback"),
        ("state", "st+ate"),
    ];
    changed(&fields, changes)
}

pub(super) fn form(fields: &[(&str, &str)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}

/// The value of a parameter in a URI.
pub(super) fn parameter(uri: &str, name: &str) -> String {
    let query = uri.split_once('?').unwrap().1;
    form_urlencoded::parse(query.as_bytes()).find(|(key, _)| key == name).unwrap().1.into_owned()
}

fn changed(fields: &[(&str, &str)], changes: &[(&str, &str)]) -> String {
    let kept = fields.iter().filter(|(name, _)| !changes.iter().any(|(changed, _)| changed == name));
    form(&kept.chain(changes).copied().collect::<Vec<_>>())
}

fn settings(mode: Mode, origins: &[&str]) -> Settings {
    let scope = |name: &str, is_write| Scope { name: name.to_owned(), about: format!("use {name}"), is_write };
    Settings {
        mode,
        users: Vec::new(),
        scopes: vec![scope("math", false), scope("system:read", false), scope("gpio:write", true)],
        board: "pi".to_owned(),
        redirect_uris: REDIRECT_URIS.map(str::to_owned).into(),
        bases: origins.iter().map(|origin| Base::new(origin)).collect(),
        lifetimes: Lifetimes::default(),
    }
}
