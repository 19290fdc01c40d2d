//! Sign-in, asked wrongly: each wrong thing gets its own answer, and the server goes on.

use crate::board::Board;
use crate::oauth::SCOPES;
use crate::sign_in::{Browser, Client, Form, JSON, Redirect, STATE, Tokens, encoded};
use crate::wire::{Reply, Wire, ask, request};
use serde_json::{Value, json};
use std::time::Instant;

/// The status of an answer, and the error that it names in JSON.
pub(crate) fn error(reply: &Reply) -> (u16, String) {
    assert_eq!(reply.header("content-type"), Some("application/json"), "{reply:?}");
    assert_eq!(reply.header("location"), None);
    let json = reply.json();
    assert!(json["error_description"].as_str().is_some_and(|text| !text.is_empty()), "{reply:?}");
    (reply.status, json["error"].as_str().unwrap().to_owned())
}

pub(crate) fn told(status: u16, error: &str) -> (u16, String) {
    (status, error.to_owned())
}

/// The same of `GET /authorize`, for a program; and that a person gets a page of the same status.
fn refused(port: u16, query: &str) -> (u16, String) {
    let line = format!("GET /authorize?{query}");
    let page = ask(port, &line, &["accept: text/html,application/xhtml+xml,*/*;q=0.8"], "");
    assert_eq!((page.header("content-type"), page.header("location")), (Some("text/html; charset=utf-8"), None), "{page:?}");
    let reply = ask(port, &line, &[], "");
    assert_eq!(reply.status, page.status);
    error(&reply)
}

/// What it said in the end, and that it served to the end.
pub(crate) fn goes_on(board: Board) -> String {
    assert!(Client::register(board.port).sign_in("ada", SCOPES).is_good(board.port));
    let told = board.told();
    assert!(!told.contains("panicked") && !told.contains("server_error"), "{told}");
    told
}

/// `text` with one character changed, at a place of each kind: key id, fields, each of the last bits.
pub(crate) fn flipped(text: &str) -> Vec<String> {
    let end = text.len() - 1;
    let places = [0, 1, 2, text.len() / 2, end - 43, end - 22, end - 1, end];
    let others = ["A", "a", "0", "-", "_", "+", "/", "=", ".", "~", " ", "\u{e9}", "%"];
    let changed =
        places.iter().flat_map(|at| others.iter().map(move |other| format!("{}{other}{}", &text[..*at], &text[at + 1..])));
    changed.filter(|changed| changed != text).collect()
}

/// What is no client id: unknown, forged, of another board, of another kind, too long.
fn foreign_ids(client: &Client, tokens: &Tokens) -> Vec<String> {
    let elsewhere = Board::start("demo");
    let mut ids = flipped(&client.id);
    ids.extend([Client::register(elsewhere.port).id, tokens.access.clone(), tokens.refresh.clone()]);
    ids.extend(["x", "https://claude.ai/client.json"].map(str::to_owned));
    ids.extend([client.id[1..].to_owned(), format!("{}A", client.id), "A".repeat(7000)]);
    ids
}

#[test]
fn an_id_that_was_not_given_here_is_no_client() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    for id in foreign_ids(&client, &tokens) {
        let mut asks = client.asks();
        asks[1].1.clone_from(&id);
        assert_eq!(refused(board.port, &encoded(&asks)), told(400, "invalid_client"), "{id}");
        let stranger = Client { port: board.port, id, redirect_uri: client.redirect_uri.clone() };
        for reply in [stranger.refresh(&tokens.refresh), stranger.exchange("x"), stranger.revoke(&tokens.refresh)] {
            assert_eq!(error(&reply), told(401, "invalid_client"), "{}", stranger.id);
            assert_eq!(reply.header("cache-control"), Some("no-store"));
        }
    }
    for fields in [&[("grant_type", "refresh_token")][..], &[("client_id", ""), ("grant_type", "refresh_token")]] {
        assert_eq!(error(&client.post("/token", fields)), told(401, "invalid_client"));
    }
    assert!(tokens.is_good(board.port));
    goes_on(board);
}

#[test]
fn a_redirect_uri_that_is_not_allowed_cannot_be_registered() {
    let board = Board::start("demo");
    let long = format!("http://localhost/{}", "x".repeat(513 - "http://localhost/".len()));
    let register = |uris: Value| {
        let body = json!({ "redirect_uris": uris }).to_string();
        let reply = ask(board.port, "POST /register", &[JSON], &body);
        assert_eq!(
            (error(&reply), reply.header("cache-control")),
            (told(400, "invalid_redirect_uri"), Some("no-store")),
            "{body}"
        );
    };
    for uri in [
        "",
        " ",
        "/callback",
        "callback",
        "//localhost/x",
        "javascript:alert(1)",
        "JaVaScRiPt:alert(1)",
        "java\tscript:alert(1)",
        "java\nscript:alert(1)",
        "\u{1}javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "file:///etc/passwd",
        "cursor://x/y",
        "http://localhost/x#",
        "http://localhost/x#y",
        "http://user@localhost/",
        "http://user:x@127.0.0.1/",
        "http://example.org/",
        "http://127.0.0.1.evil.example/",
        "http://localhost.evil.example/",
        "http://127.0.0.2/",
        "http://0.0.0.0/",
        "http://2130706433/",
        "http://localhost:0/",
        "http://localhost:99999/",
        "http://localhost:/",
        "http://localhost:80@evil.example/",
        "http://[::1/",
        "http://localhost\\@evil.example/",
        "https://evil.example/",
        "https://claude.ai.evil.example/api/mcp/auth_callback",
        "https://claude.ai/api/mcp/auth_callback?x",
        "https://claude.ai:444/api/mcp/auth_callback",
        "HTTP://localhost/",
        "http:/localhost/",
        "http://localhost/\u{e9}",
        "http://localhost/ x",
        "http://LOCALHOST/",
        &long,
    ] {
        register(json!([uri]));
        register(json!(["http://localhost/good", uri]));
    }
    register(json!([]));
    register(["http://localhost/"; 5].into());
    goes_on(board);
}

#[test]
fn a_registration_of_another_shape_is_refused() {
    let board = Board::start("demo");
    let uris = json!(["http://localhost/"]);
    for body in [
        json!({ "redirect_uris": "http://localhost/" }),
        json!({ "redirect_uris": [1] }),
        json!({ "redirect_uris": uris, "client_name": 1 }),
        json!({ "redirect_uris": uris, "token_endpoint_auth_method": "private_key_jwt" }),
        json!({ "redirect_uris": uris, "grant_types": ["client_credentials"] }),
        json!({ "redirect_uris": uris, "response_types": ["token"] }),
        json!([]),
        json!("x"),
        json!(null),
    ] {
        let reply = ask(board.port, "POST /register", &[JSON], &body.to_string());
        assert_eq!(error(&reply), told(400, "invalid_client_metadata"), "{body}");
    }
    for body in ["", "{", "{}x", &"[".repeat(5000), "{\"redirect_uris\":[\"\\ud800\"]}"] {
        let reply = ask(board.port, "POST /register", &[JSON], body);
        assert_eq!(error(&reply), told(400, "invalid_client_metadata"), "{body}");
    }
    goes_on(board);
}

#[test]
fn a_redirect_uri_that_was_not_registered_is_never_redirected_to() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for uri in [
        "http://localhost:3334/oauth/callback/",
        "http://localhost:3334/other",
        "http://localhost:3334/oauth/callback?x=1",
        "http://127.0.0.1:3334/oauth/callback",
        "http://[::1]:3334/oauth/callback",
        "https://localhost:3334/oauth/callback",
        "http://127.0.0.1.evil.example/oauth/callback",
        "http://localhost:3334@evil.example/oauth/callback",
        "javascript:alert(1)",
        "https://claude.ai/api/mcp/auth_callback",
        "http://localhost:3334/oauth/../oauth/callback",
        "",
    ] {
        // With a fault that would otherwise be told to the client.
        for response_type in ["code", "token"] {
            let mut asks = client.asks();
            (asks[0].1, asks[2].1) = (response_type.to_owned(), uri.to_owned());
            let wanted = if uri.is_empty() { "invalid_request" } else { "invalid_client" };
            assert_eq!(refused(board.port, &encoded(&asks)), told(400, wanted), "{uri}");
        }
    }
    let mut asks = client.asks();
    asks[2].1 = "http://localhost:51234/oauth/callback".to_owned();
    assert_eq!(ask(board.port, &format!("GET /authorize?{}", encoded(&asks)), &[], "").status, 200, "RFC 8252 7.3: any port");
    goes_on(board);
}

#[test]
fn what_else_is_wrong_with_a_request_is_told_to_the_client() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let here = format!("http://localhost:{}/mcp", board.port);
    let challenge = client.asks()[4].1.clone();
    for (name, values, wanted) in [
        ("response_type", &[][..], "invalid_request"),
        ("response_type", &["token"], "unsupported_response_type"),
        ("response_type", &["code", "code"], "invalid_request"),
        ("code_challenge", &[], "invalid_request"),
        ("code_challenge", &["short"], "invalid_request"),
        ("code_challenge", &[&challenge[1..]], "invalid_request"),
        ("code_challenge", &[&challenge, &challenge], "invalid_request"),
        ("code_challenge_method", &[], "invalid_request"),
        ("code_challenge_method", &["plain"], "invalid_request"),
        ("code_challenge_method", &["s256"], "invalid_request"),
        ("resource", &["https://evil.example/mcp"], "invalid_target"),
        ("resource", &[&format!("{here}#x")], "invalid_target"),
        ("resource", &[&here, &here], "invalid_target"),
        ("scope", &["math", "math"], "invalid_request"),
        ("response_mode", &["form_post"], "invalid_request"),
    ] {
        let mut asks = client.asks();
        asks.retain(|(other, _)| *other != name);
        asks.extend(values.iter().map(|value| (name, (*value).to_owned())));
        let redirect = Redirect::read(&ask(board.port, &format!("GET /authorize?{}", encoded(&asks)), &[], ""));
        assert_eq!((redirect.address.as_str(), redirect.one("error").as_str()), (client.redirect_uri.as_str(), wanted), "{name}");
        assert_eq!((redirect.one("state"), redirect.names().contains(&"iss")), (STATE.to_owned(), true));
        assert!(!redirect.names().contains(&"code"));
    }
    for (name, value) in [("client_id", &client.id), ("redirect_uri", &client.redirect_uri), ("state", &"x".to_owned())] {
        let mut asks = client.asks();
        asks.push((name, value.clone()));
        assert_eq!(refused(board.port, &encoded(&asks)), told(400, "invalid_request"), "{name} twice");
    }
    for state in ["x".repeat(2049), "x".repeat(10_000)] {
        let mut asks = client.asks();
        asks[3].1 = state;
        assert_eq!(refused(board.port, &encoded(&asks)), told(400, "invalid_request"));
    }
    for query in ["", "&&&", "=", "client_id", "%ff=%ff", "client_id=%00"] {
        assert_eq!(refused(board.port, query).0, 400, "{query}");
    }
    goes_on(board);
}

#[test]
fn a_state_comes_back_as_it_was() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for state in ["\r\nset-cookie: x=1", "\0", "\"><script>", "&code=x", "#x", "%0d%0a", " ", "\u{1f426}", "a+b"] {
        let mut asks = client.asks();
        asks[3].1 = state.to_owned();
        let mut browser = Browser::new(board.port);
        let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), "ada");
        let reply = browser.approve(&consent, SCOPES);
        let redirect = Redirect::read(&reply);
        assert_eq!((redirect.one("state"), redirect.names()), (state.to_owned(), vec!["code", "iss", "state"]));
        assert_eq!(reply.header("set-cookie"), None);
    }
    goes_on(board);
}

/// A state as long as it may be goes through the whole sign-in, and comes back as it was.
#[test]
fn the_longest_request_goes_all_the_way() {
    let board = Board::start("demo");
    let uri = format!("http://localhost:65535/{}", "x".repeat(512 - "http://localhost:65535/".len()));
    let client = Client::with_redirect(board.port, &uri);
    let mut asks = client.asks();
    asks[3].1 = "~".repeat(2048);
    let mut browser = Browser::new(board.port);
    let email = "\u{e9}".repeat(32);
    let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), &email);
    let redirect = Redirect::read(&browser.approve(&consent, SCOPES));
    assert_eq!((redirect.address.as_str(), redirect.one("state")), (uri.as_str(), asks[3].1.clone()));
    assert!(Tokens::read(&client.exchange(&redirect.one("code"))).is_good(board.port));
}

#[test]
fn a_thousand_registrations_a_minute_are_too_many_and_take_no_memory() {
    let board = Board::start("demo");
    let began = Instant::now();
    let client = Client::register(board.port);
    let mut wire = Wire::open(board.port);
    let mut taken = 1;
    let mut register = |number: usize| {
        let body = json!({ "client_name": format!("client {number}"), "redirect_uris": ["http://localhost/cb"] }).to_string();
        wire.send(&request(board.port, "POST /register", &[JSON], &body)).unwrap();
        let reply = wire.reply().unwrap();
        match reply.status {
            201 => taken += 1,
            429 => {
                let wait: u64 = reply.header("retry-after").unwrap().parse().unwrap();
                assert!((1..=perchd::limits::REGISTRATIONS.1).contains(&wait), "{reply:?}");
                assert_eq!(reply.json()["error"], "temporarily_unavailable");
            }
            _ => panic!("{reply:?}"),
        }
    };
    (0..200).for_each(&mut register);
    let before = board.resident_kib();
    (0..1000).for_each(&mut register);
    let after = board.resident_kib();
    assert!(after <= before + 1024, "from {before} to {after} KiB");
    let mut browser = Browser::new(board.port);
    let allowed = u64::from(perchd::limits::REGISTRATIONS.0) + 1 + began.elapsed().as_secs() / perchd::limits::REGISTRATIONS.1;
    assert!(taken >= perchd::limits::REGISTRATIONS.0 && u64::from(taken) <= allowed, "{taken} of {allowed}");
    let pages: Vec<Form> = (0..300).map(|_| Form::read(&browser.open(&client.address()))).collect();
    assert!(board.resident_kib() <= after + 1024, "a page that was opened is no memory either: {}", pages.len());
    assert!(client.sign_in("ada", SCOPES).is_good(board.port), "who is registered goes on");
    assert!(!board.told().contains("panicked"));
}
