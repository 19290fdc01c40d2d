//! The pages of the sign-in over the wire: who may send their forms, what they tell a browser, and what nobody is told.

use crate::board::Board;
use crate::device::Device;
use crate::oauth::{HELLO, SCOPES, sse};
use crate::sign_in::{Browser, Client, Form, JSON, Redirect, STATE, Tokens, VERIFIER, bearer, encoded};
use crate::wire::{Reply, ask};

const SIGN_IN: &[(&str, &str)] = &[("email", "ada"), ("password", "secret"), ("action", "sign_in")];
const APPROVE: &[(&str, &str)] = &[("scope", "math"), ("action", "approve")];

/// Refused with a page, and the browser is sent nowhere.
fn is_refused(reply: &Reply, status: u16) {
    assert_eq!((reply.status, reply.header("location")), (status, None), "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{reply:?}");
    assert!(reply.body.contains("<h1>") && !reply.body.contains("<form"), "{reply:?}");
}

#[test]
fn who_rejects_is_sent_back_with_that_and_nothing_else() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let consent = browser.consent(&client.address(), "ada");
    for form in [page, consent] {
        let redirect = Redirect::read(&browser.submit(&form, &[("scope", "math"), ("action", "reject")]));
        assert_eq!(redirect.address, client.redirect_uri);
        assert_eq!(redirect.names(), ["error", "error_description", "iss", "state"]);
        let issuer = format!("http://localhost:{}", board.port);
        let told = ["error", "state", "iss"].map(|name| redirect.one(name));
        assert_eq!(told, ["access_denied", STATE, issuer.as_str()]);
    }
}

#[test]
fn a_form_without_its_browser_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let consent = browser.consent(&client.address(), "ada");
    let own = browser.cookie.clone();
    let mut other = Browser::new(board.port);
    other.open(&client.address());
    assert_ne!(own, other.cookie);
    for cookie in [None, other.cookie, Some("perchd=".to_owned()), Some("perchd=x".to_owned())] {
        browser.cookie = cookie;
        is_refused(&browser.submit(&page, SIGN_IN), 400);
        is_refused(&browser.submit(&consent, APPROVE), 400);
    }
    browser.cookie = own;
    Redirect::read(&browser.submit(&consent, APPROVE)).one("code");
}

#[test]
fn a_form_from_elsewhere_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let consent = browser.consent(&client.address(), "ada");
    let own = format!("origin: http://localhost:{}", board.port);
    let other_name = format!("origin: http://127.0.0.1:{}", board.port);
    let other_scheme = format!("origin: https://localhost:{}", board.port);
    for headers in [
        &[][..],
        &["origin: https://evil.example"],
        &["origin: https://evil.example", "sec-fetch-site: same-origin"],
        &["origin: http://localhost:1"],
        &["origin: null"],
        &["origin: null", "sec-fetch-site: cross-site"],
        &[&own, "sec-fetch-site: cross-site"],
        &[&own, "sec-fetch-site: same-site"],
        &[&own, "sec-fetch-site: none"],
        &[&own, &other_name],
        &[&other_name],
        &[&other_scheme],
    ] {
        is_refused(&browser.submit_with(&page, SIGN_IN, headers), 403);
        is_refused(&browser.submit_with(&consent, APPROVE, headers), 403);
    }
    // A browser that hides where a form comes from still vouches for it.
    for headers in [&["sec-fetch-site: same-origin"][..], &["origin: null", "sec-fetch-site: same-origin"], &[&own]] {
        assert_eq!(browser.submit_with(&page, SIGN_IN, headers).status, 200, "{headers:?}");
    }
}

#[test]
fn a_transaction_that_was_tampered_with_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let consent = browser.consent(&client.address(), "ada");
    for (form, fields, other) in [(&page, SIGN_IN, &consent), (&consent, APPROVE, &page)] {
        let text = form.transaction();
        let flipped = |at: usize| {
            let with = if text.as_bytes()[at] == b'A' { "B" } else { "A" };
            format!("{}{with}{}", &text[..at], &text[at + 1..])
        };
        let mut broken: Vec<_> = (0..text.len()).step_by(9).chain([text.len() - 1]).map(flipped).collect();
        broken.extend([String::new(), text[1..].to_owned(), format!("{text}A"), format!("{text}="), "A".repeat(6000)]);
        // A page that was not signed in to is no consent, and the other way round.
        broken.push(other.transaction().to_owned());
        for transaction in broken {
            is_refused(&browser.submit(&form.with("transaction", &transaction), fields), 400);
        }
        is_refused(&browser.submit(form, &[fields, &[("transaction", text)]].concat()), 400);
    }
    // What was asked for is not what the form says beside it.
    let moved = [APPROVE, &[("redirect_uri", "http://localhost:9/x"), ("state", "x"), ("client_id", "x")]].concat();
    let redirect = Redirect::read(&browser.submit(&consent, &moved));
    assert_eq!((redirect.address.as_str(), redirect.one("state").as_str()), (client.redirect_uri.as_str(), STATE));
}

#[test]
fn a_consent_is_given_once() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let consent = browser.consent(&client.address(), "ada");
    let code = Redirect::read(&browser.submit(&consent, APPROVE)).one("code");
    is_refused(&browser.submit(&consent, APPROVE), 400);
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port), "the first is good all the same");
}

#[test]
fn who_forgets_something_is_asked_again() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    for email in ["", " ", &"x".repeat(65), "a\u{202e}da"] {
        let again = browser.submit(&page, &[("email", email), ("password", "x"), ("action", "sign_in")]);
        assert!(again.body.contains("role=\"alert\""), "{email:?}");
        assert_eq!(Form::read(&again).action, "/authorize");
    }
    let consent = browser.consent(&client.address(), "ada");
    let again = Form::read(&browser.submit(&consent, &[("action", "approve")]));
    assert_eq!(again.action, "/consent");
    is_refused(&browser.submit(&consent, &[("scope", "math")]), 400);
    Redirect::read(&browser.submit(&again, APPROVE)).one("code");
}

#[test]
fn a_page_shows_names_as_text() {
    let board = Board::start("demo");
    let name = r#"<script>alert("1")</script>&"#;
    let body = serde_json::json!({ "client_name": name, "redirect_uris": ["http://[::1]:9/cb"] });
    let id = ask(board.port, "POST /register", &[JSON], &body.to_string()).json()["client_id"].clone();
    let client = Client { port: board.port, id: id.as_str().unwrap().to_owned(), redirect_uri: "http://[::1]:9/cb".to_owned() };
    let mut browser = Browser::new(board.port);
    let page = browser.open(&client.address());
    let consent = browser.submit(&Form::read(&page), &[("email", "<b>\"ada\"</b>"), ("password", "x"), ("action", "sign_in")]);
    for page in [&page, &consent] {
        assert!(!page.body.contains("<script") && !page.body.contains("<b>"), "{}", page.body);
        assert!(page.body.contains("&lt;script&gt;") && page.body.contains("[::1]:9"), "{}", page.body);
    }
}

#[test]
fn pages_tell_the_browser_to_be_careful() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = browser.open(&client.address());
    let consent = browser.submit(&Form::read(&page), SIGN_IN);
    let refusal = browser.open("/authorize?client_id=x");
    let home = browser.open("/");
    let device = browser.open("/device");
    for (page, form_action) in [
        (&device, "'self'"),
        (&page, "'self' http://localhost:3334"),
        (&consent, "'self' http://localhost:3334"),
        (&refusal, "'self'"),
        (&home, "'self'"),
    ] {
        let policy = page.header("content-security-policy").unwrap();
        for directive in
            ["default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", &format!("form-action {form_action}")]
        {
            assert!(policy.split("; ").any(|said| said == directive), "{directive}: {policy}");
        }
        assert!(!policy.contains("unsafe"), "{policy}");
        for (name, value) in [
            ("x-frame-options", "DENY"),
            ("x-content-type-options", "nosniff"),
            ("cache-control", "no-store"),
            ("referrer-policy", "same-origin"),
            ("content-type", "text/html; charset=utf-8"),
        ] {
            assert_eq!(page.header(name), Some(value), "{name}");
        }
    }
    for page in [&page, &consent, &device] {
        let cookie = page.header("set-cookie").unwrap();
        let attributes: Vec<_> = cookie.split("; ").skip(1).collect();
        assert_eq!(attributes, ["Path=/", "HttpOnly", "SameSite=Strict"]);
    }
    assert_eq!((refusal.header("set-cookie"), home.header("set-cookie")), (None, None));
    let sent = browser.submit(&Form::read(&consent), APPROVE);
    assert_eq!((sent.header("cache-control"), sent.header("referrer-policy")), (Some("no-store"), Some("no-referrer")));
    assert_eq!((sent.status, sent.body.as_str(), sent.header("set-cookie")), (303, "", None));
}

#[test]
fn a_client_that_looks_before_it_opens_a_browser_is_told_in_json() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for accept in [&[][..], &["accept: application/json"], &["accept: */*"]] {
        let reply = ask(board.port, "GET /authorize?client_id=x&redirect_uri=http://localhost/", accept, "");
        assert_eq!((reply.status, reply.header("content-type")), (400, Some("application/json")));
        assert_eq!(reply.json()["error"], "invalid_client");
        assert_eq!(ask(board.port, &format!("GET {}", client.address()), accept, "").status, 200);
    }
}

#[test]
fn a_page_elsewhere_on_this_machine_reads_documents_and_no_pages() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let origin = "http://localhost:6274";
    let readable = |path: &str| {
        let reply = ask(board.port, &format!("GET {path}"), &[&format!("origin: {origin}"), "accept: text/html"], "");
        reply.header("access-control-allow-origin").map(str::to_owned)
    };
    assert_eq!(readable("/.well-known/oauth-protected-resource"), Some(origin.to_owned()));
    assert_eq!(readable("/mcp"), Some(origin.to_owned()));
    assert_eq!(
        (readable(&client.address()), readable("/"), readable("/authorize"), readable("/device")),
        (None, None, None, None)
    );
}

/// Everything that a sign-in must keep to itself, from a sign-in that used all of it.
fn secrets(board: &Board) -> Vec<String> {
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let consent = Form::read(&browser.submit(&page, &[("email", "ada"), ("password", "hunter2-hunter2"), ("action", "sign_in")]));
    let code = Redirect::read(&browser.approve(&consent, SCOPES)).one("code");
    browser.approve(&consent, SCOPES);
    let tokens = Tokens::read(&client.exchange(&code));
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    let session = next.rpc(board.port, HELLO).header("mcp-session-id").unwrap().to_owned();
    let (stream, path) = sse(board, &next);
    // And what goes wrong: that is when logs talk.
    let broken = format!("{}x", next.access);
    for (name, value) in [("access_token", &next.access), ("code", &code), ("refresh_token", &next.refresh)] {
        ask(board.port, &format!("GET /mcp?{}", encoded(&[(name, value)])), &[&bearer(&broken)], "");
        ask(board.port, &format!("GET /nowhere/{value}"), &["host: evil.example"], "");
    }
    client.exchange(&code);
    client.revoke(&next.refresh);
    drop(stream);
    let cookie = browser.cookie.unwrap().split_once('=').unwrap().1.to_owned();
    let (_, sse_session) = path.split_once('=').unwrap();
    let forms = [page.transaction().to_owned(), consent.transaction().to_owned()];
    let tokens = [tokens.access, tokens.refresh, next.access, next.refresh, code, session, sse_session.to_owned(), cookie];
    let device = Device::asking(board.port);
    device.poll();
    device.decide(&[("scope", "math"), ("action", "approve")]);
    let of_device = Tokens::read(&device.poll());
    let device = [device.code, device.user_code, of_device.access, of_device.refresh];
    let words = ["hunter2-hunter2".to_owned(), VERIFIER.to_owned(), STATE.to_owned(), client.id];
    forms.into_iter().chain(tokens).chain(device).chain(words).collect()
}

#[test]
fn the_log_tells_no_secret_at_any_level() {
    let board = Board::telling("demo", "trace");
    let secrets = secrets(&board);
    let keys = std::fs::read_to_string(board.state().join("keys")).unwrap();
    let keys = keys.split_whitespace().filter(|word| word.len() > 30).map(str::to_owned);
    let secrets: Vec<_> = secrets.into_iter().chain(keys).collect();
    let told = board.told();
    assert!(told.contains("\"event\":\"token_issued\"") && told.contains("\"event\":\"reuse_detected\""), "{told}");
    for secret in secrets {
        // A piece of it is as bad as the whole.
        let piece = &secret[..secret.len().min(20)];
        assert!(!told.contains(piece), "{piece} in {told}");
    }
}
