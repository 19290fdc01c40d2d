//! An authority that anything may be asked, for the fuzz targets; there only when they are built.

use super::throttle::Source;
use super::{Authority, Base, Lifetimes, Mode, REDIRECT_URIS, Scope, Settings, Step};
use crate::audit::Nothing;
use crate::limits;
use crate::seal::KeyRing;
use crate::world::{Now, Random, World};
use std::cell::Cell;
use std::rc::Rc;

const NOW: Now = Now { unix: limits::BUILD_UNIX_SECS + 1_000_000, uptime_ms: 1000 };
const REDIRECT_URI: &str = "http://localhost:3335/callback";
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

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

/// An authority, and what a client of it holds: `{client}`, `{verifier}`, `{code}` and `{refresh}` in an input stand for it.
pub(crate) struct Bench {
    authority: Authority,
    base: Base,
    random: Counter,
    client: String,
    code: String,
    refresh: String,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let random = Counter::default();
        let world = World { now: NOW, random: &random, audit: &Nothing };
        let ring = Rc::new(KeyRing::generate(&world));
        let base = Base::new("http://localhost:8787");
        let scope = |name: &str| Scope { name: name.to_owned(), about: String::new(), is_write: false };
        let settings = Settings {
            mode: Mode::Demo,
            users: Vec::new(),
            scopes: vec![scope("math"), scope("system:read")],
            board: "board".to_owned(),
            redirect_uris: REDIRECT_URIS.map(str::to_owned).into(),
            bases: vec![base.clone()],
            lifetimes: Lifetimes::default(),
        };
        let authority = Authority::new(settings, ring, world.bytes());
        let none = String::new;
        let mut bench = Bench { authority, base, random, client: none(), code: none(), refresh: none() };
        bench.client = bench.registered();
        let exchange = format!(
            "grant_type=authorization_code&client_id={}&code={}&code_verifier={VERIFIER}&redirect_uri={REDIRECT_URI}",
            bench.client,
            bench.signed_in("ada")
        );
        let world = bench.world();
        bench.refresh = member(&bench.authority.token(&world, &bench.base, exchange.as_bytes(), None), "refresh_token");
        bench.code = bench.signed_in("bob");
        bench
    }

    fn world(&self) -> World<'_> {
        World { now: NOW, random: &self.random, audit: &Nothing }
    }

    fn registered(&self) -> String {
        let body = format!(r#"{{"client_name":"A client","redirect_uris":["{REDIRECT_URI}"]}}"#);
        member(&self.authority.register(&self.world(), body.as_bytes(), Source::new([1; 16])), "client_id")
    }

    #[allow(clippy::panic)] // A fuzz target that cannot start must say so.
    fn signed_in(&self, name: &str) -> String {
        let (world, base) = (self.world(), &self.base);
        let query = format!(
            "response_type=code&client_id={}&code_challenge={CHALLENGE}&code_challenge_method=S256&redirect_uri={REDIRECT_URI}",
            self.client
        );
        let Step::SignIn(page) = self.authority.authorize(&world, base, &query, None) else { panic!("no sign-in page") };
        let form = format!("transaction={}&email={name}&password=x&action=sign_in", page.transaction);
        let Ok(attempt) = self.authority.sign_in(&world, base, form.as_bytes(), Some(&page.cookie), Source::new([1; 16])) else {
            panic!("no attempt")
        };
        let Step::Consent(page) = self.authority.signed_in(&world, attempt.verify()) else { panic!("no consent page") };
        let form = format!("transaction={}&scope=math&action=approve", page.transaction);
        let Step::Redirect(uri) = self.authority.consent(&world, base, form.as_bytes(), Some(&page.cookie)) else {
            panic!("no code")
        };
        parameters(&uri).into_iter().find(|(name, _)| name == "code").map(|(_, code)| code).unwrap_or_default()
    }

    fn filled(&self, text: &str) -> String {
        let text = text.replace("{client}", &self.client).replace("{verifier}", VERIFIER);
        text.replace("{code}", &self.code).replace("{refresh}", &self.refresh)
    }

    /// Any query of `/authorize`: a page of our own, or word to the client at the address that it registered, and no code.
    pub(crate) fn authorize(&self, query: &str) {
        match self.authority.authorize(&self.world(), &self.base, &self.filled(query), None) {
            Step::Refuse(error) => assert!((400..=503).contains(&error.status())),
            Step::SignIn(page) => {
                assert!(page.is_loopback && page.redirect_host.starts_with("localhost"), "{}", page.redirect_host);
                assert!(page.redirect_origin.starts_with("http://localhost"), "{}", page.redirect_origin);
                assert!(page.transaction.len() <= limits::TRANSACTION_BYTES);
            }
            Step::Redirect(uri) => {
                assert!(uri.starts_with("http://localhost") && uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
                let (address, _) = uri.split_once('?').unwrap_or_default();
                assert!(address.ends_with("/callback") && !address.contains('@'), "{uri}");
                for (name, value) in parameters(&uri) {
                    assert!(matches!(name.as_str(), "error" | "error_description" | "iss" | "state"), "{uri}");
                    assert!(name != "iss" || value == *self.base.origin, "{uri}");
                }
            }
            other => assert!(!matches!(other, Step::Consent(_)), "nobody has signed in"),
        }
    }

    /// Any form of `/token`: tokens only for who brings the code or the refresh token.
    pub(crate) fn token(&self, form: &str) {
        let filled = self.filled(form);
        match self.authority.token(&self.world(), &self.base, filled.as_bytes(), None) {
            Ok(answer) => {
                assert!(form.contains("{client}") && (form.contains("{code}") || form.contains("{refresh}")), "{form}");
                let answer = serde_json::from_slice::<serde_json::Value>(&answer).unwrap_or_default();
                assert!(answer["access_token"].is_string() && answer["scope"] == "math", "{answer}");
            }
            Err(error) => assert!(matches!(error.status(), 400 | 401 | 429 | 503), "{error:?}"),
        }
    }
}

fn parameters(uri: &str) -> Vec<(String, String)> {
    let query = uri.split_once('?').map_or("", |(_, query)| query);
    form_urlencoded::parse(query.as_bytes()).into_owned().collect()
}

fn member<E>(answer: &Result<Vec<u8>, E>, name: &str) -> String {
    let bytes = answer.as_ref().map(Vec::as_slice).unwrap_or_default();
    let json: serde_json::Value = serde_json::from_slice(bytes).unwrap_or_default();
    json[name].as_str().map(str::to_owned).unwrap_or_default()
}
