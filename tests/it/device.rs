//! The device grant over the wire (RFC 8628), and what holds over plain HTTP on a network.

use crate::board::Board;
use crate::oauth::{HELLO, LIST, SCOPES};
use crate::sign_in::{Browser, Client, FORM, Form, JSON, Tokens, bearer, encoded};
use crate::wire::{Reply, ask};
use serde_json::{Value, json};

const GRANT_TYPE: &str = "urn:ietf:params:oauth:grant-type:device_code";
const SIGN_IN: &[(&str, &str)] = &[("email", "ada"), ("password", "secret"), ("action", "sign_in")];
const APPROVE: &[(&str, &str)] = &[("scope", "math"), ("action", "approve")];

/// A device that has asked, at a board of this name.
pub(crate) struct Device {
    port: u16,
    host: String,
    pub(crate) id: String,
    pub(crate) code: String,
    pub(crate) user_code: String,
    answer: Value,
}

impl Device {
    pub(crate) fn asking(port: u16) -> Device {
        Device::at(port, &format!("localhost:{port}"))
    }

    fn at(port: u16, host: &str) -> Device {
        let header = format!("host: {host}");
        let body = json!({"client_name": "A device", "grant_types": [GRANT_TYPE]}).to_string();
        let reply = ask(port, "POST /register", &[JSON, &header], &body);
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = reply.json()["client_id"].as_str().unwrap().to_owned();
        let reply = ask(port, "POST /device_authorization", &[FORM, &header], &encoded(&[("client_id", &id)]));
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{reply:?}");
        let answer = reply.json();
        let text = |member: &str| answer[member].as_str().unwrap().to_owned();
        let (code, user_code) = (text("device_code"), text("user_code"));
        Device { port, host: host.to_owned(), id, code, user_code, answer }
    }

    pub(crate) fn poll(&self) -> Reply {
        self.poll_as(&self.id, &self.code)
    }

    fn poll_as(&self, id: &str, device_code: &str) -> Reply {
        let fields = [("grant_type", GRANT_TYPE), ("client_id", id), ("device_code", device_code)];
        ask(self.port, "POST /token", &[FORM, &format!("host: {}", self.host)], &encoded(&fields))
    }

    fn browser(&self) -> Browser {
        let mut browser = Browser::new(self.port);
        browser.host.clone_from(&self.host);
        browser
    }

    /// A person opens the page and types the code, up to the page that asks who he is.
    fn sign_in_page(&self, browser: &mut Browser) -> Reply {
        let page = Form::read(&browser.open("/device"));
        assert_eq!(page.action, "/device");
        browser.submit(&page, &[("user_code", &self.user_code)])
    }

    /// The whole way through the pages.
    pub(crate) fn decide(&self, fields: &[(&str, &str)]) -> Reply {
        let mut browser = self.browser();
        let page = Form::read(&self.sign_in_page(&mut browser));
        let consent = Form::read(&browser.submit(&page, SIGN_IN));
        browser.submit(&consent, fields)
    }
}

fn error(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("cache-control"), Some("no-store"));
    (reply.status, reply.json()["error"].as_str().unwrap().to_owned())
}

fn told(error: &str) -> (u16, String) {
    (400, error.to_owned())
}

#[test]
fn a_device_shows_a_code_and_gets_its_tokens_once() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let base = format!("http://localhost:{}", board.port);
    assert_eq!(device.answer["verification_uri"], format!("{base}/device"));
    assert_eq!(device.answer["verification_uri_complete"], format!("{base}/device?user_code={}", device.user_code));
    assert_eq!(error(&device.poll()), told("authorization_pending"));
    let done = device.decide(APPROVE);
    assert_eq!((done.status, done.header("location")), (200, None));
    assert!(done.body.contains("A device") && done.body.contains("<h1>Allowed</h1>"), "{}", done.body);
    let tokens = Tokens::read(&device.poll());
    assert_eq!(tokens.scope, "math");
    assert!(tokens.is_good(board.port));
    assert_eq!(error(&device.poll()), told("invalid_grant"));
    assert!(tokens.is_good(board.port));
}

#[test]
fn a_device_that_asks_at_once_again_is_told_to_slow_down() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    assert_eq!(error(&device.poll()), told("authorization_pending"));
    assert_eq!([(); 2].map(|()| error(&device.poll())), [(); 2].map(|()| told("slow_down")));
    device.decide(APPROVE);
    assert!(Tokens::read(&device.poll()).is_good(board.port));
}

#[test]
fn who_rejects_gives_nothing_and_the_device_hears_of_it() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let done = device.decide(&[("scope", "math"), ("action", "reject")]);
    assert_eq!((done.status, done.header("location"), done.body.contains("<h1>Rejected</h1>")), (200, None, true));
    assert_eq!(error(&device.poll()), told("access_denied"));
    assert_eq!(error(&device.poll()), told("invalid_grant"));
}

#[test]
fn what_is_no_device_code_or_that_of_another_device_is_refused() {
    let board = Board::start("demo");
    let (device, other) = (Device::asking(board.port), Device::asking(board.port));
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    for text in ["garbage", &device.user_code, &device.code[1..], &code, &device.id] {
        assert_eq!(error(&device.poll_as(&device.id, text)), told("invalid_grant"), "{text:.30}");
    }
    assert_eq!(error(&device.poll_as(&other.id, &device.code)), told("invalid_grant"));
    assert_eq!(error(&device.poll_as(&device.id, "")), told("invalid_request"));
    assert_eq!(error(&device.poll_as("forged", &device.code)), (401, "invalid_client".to_owned()));
    assert_eq!(error(&client.exchange(&device.code)), told("invalid_grant"));
    assert_eq!(error(&device.poll()), told("authorization_pending"));
}

#[test]
fn a_code_of_an_earlier_life_is_expired() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let board = board.power_cut();
    assert_eq!(error(&device.poll()), told("expired_token"));
    let mut browser = device.browser();
    let again = device.sign_in_page(&mut browser);
    assert_eq!(Form::read(&again).action, "/device");
    assert!(again.body.contains("No device waits with this code"), "{}", again.body);
    drop(board);
}

#[test]
fn a_client_that_is_registered_for_one_way_cannot_go_the_other() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let fields = [("client_id", client.id.as_str())];
    assert_eq!(error(&client.post("/device_authorization", &fields)), told("unauthorized_client"));
    let device = Device::asking(board.port);
    let client = Client { id: device.id, ..client };
    let reply = ask(board.port, &format!("GET {}", client.address()), &[], "");
    assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some("invalid_client")));
}

#[test]
fn the_page_of_the_code_belongs_to_its_browser_and_to_this_board() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let mut browser = device.browser();
    let page = Form::read(&browser.open("/device"));
    let fields = [("user_code", device.user_code.as_str())];
    let own = format!("origin: http://localhost:{}", board.port);
    for (headers, status) in [
        (&["origin: http://evil.example", "sec-fetch-site: cross-site"][..], 403),
        (&["origin: null"], 403),
        (&[own.as_str(), "sec-fetch-site: cross-site"], 403),
    ] {
        assert_eq!(browser.submit_with(&page, &fields, headers).status, status, "{headers:?}");
    }
    let cookie = browser.cookie.take();
    assert_eq!(browser.submit(&page, &fields).status, 400, "no cookie");
    let mut other = device.browser();
    other.open("/device");
    assert_eq!(other.submit(&page, &fields).status, 400, "the cookie of another browser");
    browser.cookie = cookie;
    let tampered = page.with("transaction", &page.transaction().replace(&page.transaction()[20..24], "AAAA"));
    assert_eq!(browser.submit(&tampered, &fields).status, 400);
    let sign_in = browser.submit(&page, &fields);
    assert_eq!(Form::read(&sign_in).action, "/authorize");
    assert!(sign_in.body.contains(&device.user_code) && sign_in.body.contains("A device"), "{}", sign_in.body);
}

#[test]
fn a_code_in_the_address_is_shown_for_comparison_and_decides_nothing() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let mut browser = device.browser();
    let page = browser.open(&format!("/device?user_code={}", device.user_code));
    assert!(page.body.contains(&format!("value=\"{}\"", device.user_code)) && page.body.contains("Compare"), "{}", page.body);
    assert_eq!(Form::read(&page).action, "/device");
    let odd = browser.open("/device?user_code=%22%3E%3Cscript%3E");
    assert!(!odd.body.contains("script>"), "{}", odd.body);
    assert_eq!(error(&device.poll()), told("authorization_pending"));
}

#[test]
fn who_lets_too_many_devices_ask_waits_and_those_that_wait_go_on() {
    let board = Board::start("demo");
    let (tries, secs) = perchd::limits::DEVICE_REQUESTS;
    let devices: Vec<_> = (0..tries).map(|_| Device::asking(board.port)).collect();
    let reply = ask(board.port, "POST /device_authorization", &[FORM], &encoded(&[("client_id", &devices[0].id)]));
    let retry_secs: u64 = reply.header("retry-after").unwrap().parse().unwrap();
    assert_eq!((reply.status, (1..=secs).contains(&retry_secs)), (429, true), "{reply:?}");
    assert_eq!(devices[0].decide(APPROVE).status, 200, "who waits already is not concerned");
    assert!(Tokens::read(&devices[0].poll()).is_good(board.port));
}

#[test]
fn who_guesses_codes_waits() {
    let board = Board::start("demo");
    let device = Device::asking(board.port);
    let mut browser = device.browser();
    let page = Form::read(&browser.open("/device"));
    let mut guess = |user_code: &str| browser.submit(&page, &[("user_code", user_code)]);
    for _ in 0..perchd::limits::CODE_TRIES.0 {
        assert_eq!(Form::read(&guess("BCDF-GHJK")).action, "/device");
    }
    let reply = guess(&device.user_code);
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (429, true), "{reply:?}");
    assert_eq!(error(&device.poll()), told("authorization_pending"));
}

#[test]
fn over_plain_http_under_a_name_of_the_network_there_is_no_refresh_token() {
    let board = Board::configured("names = [\"board.test\"]\n");
    let host = format!("board.test:{}", board.port);
    let device = Device::at(board.port, &host);
    let metadata = ask(board.port, "GET /.well-known/oauth-authorization-server", &[&format!("host: {host}")], "").json();
    assert_eq!(metadata["grant_types_supported"], json!(["authorization_code", GRANT_TYPE]));
    assert_eq!(metadata["device_authorization_endpoint"], format!("http://{host}/device_authorization"));
    assert_eq!(device.answer["verification_uri"], format!("http://{host}/device"));
    let mut browser = device.browser();
    let page = device.sign_in_page(&mut browser);
    assert!(page.body.contains("Not encrypted."), "{}", page.body);
    let consent = browser.submit(&Form::read(&page), SIGN_IN);
    assert!(consent.body.contains("Not encrypted."), "{}", consent.body);
    assert!(browser.open("/").body.contains("Not encrypted."));
    browser.submit(&Form::read(&consent), APPROVE);
    let tokens = device.poll().json();
    assert_eq!((&tokens["expires_in"], tokens.get("refresh_token")), (&json!(24 * 3600), None));
    let access = bearer(tokens["access_token"].as_str().unwrap());
    assert_eq!(ask(board.port, "POST /mcp", &[JSON, &access, &format!("host: {host}")], LIST).status, 200);
    // On this computer it is as before, and what was given there is not taken over the network.
    let client = Client::register(board.port);
    let own = client.sign_in("ada", SCOPES);
    assert!(!Browser::new(board.port).open("/").body.contains("Not encrypted."));
    let fields = encoded(&[("grant_type", "refresh_token"), ("client_id", &client.id), ("refresh_token", &own.refresh)]);
    let reply = ask(board.port, "POST /token", &[FORM, &format!("host: {host}")], &fields);
    assert_eq!(error(&reply), told("invalid_grant"));
    assert!(Tokens::read(&client.refresh(&own.refresh)).rpc(board.port, HELLO).status == 200);
}
