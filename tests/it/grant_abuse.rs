//! What is exchanged for tokens, brought wrongly: ids, codes and refresh tokens that are broken, of another kind, of
//! another key, or asked for more than was allowed.

use crate::board::Board;
use crate::oauth::{HELLO, LIST, SCOPES};
use crate::oauth_abuse::{error, told};
use crate::sign_in::{Browser, Client, FORM, JSON, Redirect, Tokens, VERIFIER, bearer, encoded};
use crate::wire::{Wire, ask, request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use std::fs;

/// Each text that is one bit away from `token`, as bytes go; and with each other key id.
fn one_bit_away(token: &str) -> impl Iterator<Item = String> {
    let bytes = URL_SAFE_NO_PAD.decode(token).unwrap();
    let (bits, other_bytes) = (bytes.len() * 8, bytes.clone());
    let flipped = (0..bits).map(move |bit| {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        URL_SAFE_NO_PAD.encode(bytes)
    });
    let of_other_keys = (1..=255).map(move |id| {
        let mut bytes = other_bytes.clone();
        bytes[1] ^= id;
        URL_SAFE_NO_PAD.encode(bytes)
    });
    flipped.chain(of_other_keys)
}

/// Other spellings of `token`: padded, cut, and with bits behind the last byte.
fn misspelt(token: &str) -> Vec<String> {
    let alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (head, last) = token.split_at(token.len() - 1);
    let others = alphabet.chars().filter(|other| !last.contains(*other)).map(|other| format!("{head}{other}"));
    let tails = ["=", "==", "A", "AAAA", " ", "\n", "%3D"].map(|tail| format!("{token}{tail}"));
    others.chain(tails).chain([head.to_owned(), format!(" {token}"), "A".repeat(7000)]).collect()
}

/// The status of each request, all on one connection.
fn statuses(port: u16, requests: impl Iterator<Item = Vec<u8>>) -> Vec<(u16, String)> {
    let mut wire = Wire::open(port);
    let mut send = |bytes: Vec<u8>| {
        wire.send(&bytes).unwrap();
        error(&wire.reply().unwrap())
    };
    requests.map(&mut send).collect()
}

#[test]
fn a_flipped_bit_in_any_part_of_a_client_id_or_a_token_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let code = client.code("bob", SCOPES);
    let token = |fields: &[(&str, String)]| request(board.port, "POST /token", &[FORM], &encoded(fields));
    let ids = one_bit_away(&client.id).chain(misspelt(&client.id)).map(|id| {
        let mut fields = client.exchanges(&code);
        fields[1].1 = id;
        token(&fields)
    });
    assert!(statuses(board.port, ids).iter().all(|answer| *answer == told(401, "invalid_client")));
    let codes = one_bit_away(&code).chain(misspelt(&code)).map(|code| token(&client.exchanges(&code)));
    assert!(statuses(board.port, codes).iter().all(|answer| *answer == told(400, "invalid_grant")));
    let refresh = one_bit_away(&tokens.refresh).chain(misspelt(&tokens.refresh)).map(|refresh| {
        let fields = [("grant_type", "refresh_token".to_owned()), ("client_id", client.id.clone()), ("refresh_token", refresh)];
        token(&fields)
    });
    assert!(statuses(board.port, refresh).iter().all(|answer| *answer == told(400, "invalid_grant")));
    let access = one_bit_away(&tokens.access)
        .map(|access| request(board.port, "POST /mcp", &[JSON, &bearer(&access), "content-length: 0"], ""));
    assert!(statuses_of(board.port, access).iter().all(|status| *status == 401));
    // Nothing of that spent or ended anything.
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port) && tokens.is_good(board.port));
}

fn statuses_of(port: u16, requests: impl Iterator<Item = Vec<u8>>) -> Vec<u16> {
    let mut wire = Wire::open(port);
    let mut send = |bytes: Vec<u8>| {
        wire.send(&bytes).unwrap();
        wire.reply().unwrap().status
    };
    requests.map(&mut send).collect()
}

/// What ends within a character has bits to spare there, and room for padding: ids of three lengths in a row have both.
#[test]
fn an_id_has_one_spelling() {
    let board = Board::start("demo");
    for name in ["A", "AB", "ABC"] {
        let body = serde_json::json!({ "client_name": name, "redirect_uris": ["http://localhost/callback"] });
        let reply = ask(board.port, "POST /register", &[JSON], &body.to_string());
        let id = reply.json()["client_id"].as_str().unwrap().to_owned();
        let revoke = |id: &str| request(board.port, "POST /revoke", &[FORM], &encoded(&[("client_id", id), ("token", "x")]));
        let others = misspelt(&id).into_iter().map(|other| revoke(&other));
        assert!(statuses(board.port, others).iter().all(|answer| *answer == told(401, "invalid_client")), "{id}");
        let mut wire = Wire::open(board.port);
        wire.send(&revoke(&id)).unwrap();
        assert_eq!(wire.reply().unwrap().status, 200);
    }
}

#[test]
fn one_kind_of_token_does_not_pass_for_another() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let code = client.code("bob", SCOPES);
    let mut browser = Browser::new(board.port);
    let transaction = browser.consent(&client.address(), "carol").transaction().to_owned();
    for other in [&client.id, &tokens.access, &tokens.refresh, &transaction] {
        assert_eq!(error(&client.exchange(other)), told(400, "invalid_grant"), "as a code: {other}");
    }
    for other in [&client.id, &tokens.access, &code, &transaction] {
        assert_eq!(error(&client.refresh(other)), told(400, "invalid_grant"), "as a refresh token: {other}");
    }
    for other in [&client.id, &tokens.refresh, &code, &transaction] {
        assert_eq!(ask(board.port, "POST /mcp", &[JSON, &bearer(other)], HELLO).status, 401, "as an access token: {other}");
    }
    for other in [&tokens.access, &tokens.refresh, &code, &transaction] {
        let stranger = Client { port: board.port, id: other.clone(), redirect_uri: client.redirect_uri.clone() };
        assert_eq!(error(&stranger.refresh(&tokens.refresh)), told(401, "invalid_client"), "as a client: {other}");
        assert_eq!(error(&ask(board.port, &format!("GET {}", stranger.address()), &[], "")), told(400, "invalid_client"));
    }
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port));
}

#[test]
fn a_verifier_comes_with_every_code() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    let with = |verifier: Option<&str>| {
        let mut fields = client.exchanges(&code);
        fields.retain(|(name, _)| *name != "code_verifier");
        fields.extend(verifier.map(|verifier| ("code_verifier", verifier.to_owned())));
        error(&client.post("/token", &fields))
    };
    assert_eq!((with(None), with(Some(""))), (told(400, "invalid_request"), told(400, "invalid_request")));
    for verifier in [&VERIFIER[1..], &VERIFIER.to_uppercase(), &format!("{VERIFIER}+")] {
        assert_eq!(with(Some(verifier)), told(400, "invalid_grant"), "{verifier}");
    }
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port));
}

#[test]
fn a_verifier_that_is_none_is_refused_though_its_challenge_was_sent() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for (verifier, is_one) in [
        ("x".repeat(42), false),
        ("x".repeat(43), true),
        ("~".repeat(128), true),
        ("x".repeat(129), false),
        (format!("{}+", "x".repeat(50)), false),
        (format!("{} ", "x".repeat(50)), false),
        ("\u{e9}".repeat(30), false),
    ] {
        let mut asks = client.asks();
        asks[4].1 = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let mut browser = Browser::new(board.port);
        let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), "ada");
        let code = Redirect::read(&browser.approve(&consent, SCOPES)).one("code");
        let mut fields = client.exchanges(&code);
        fields[4].1.clone_from(&verifier);
        let reply = client.post("/token", &fields);
        if is_one {
            assert!(Tokens::read(&reply).is_good(board.port), "{verifier}");
        } else {
            assert_eq!(error(&reply), told(400, "invalid_grant"), "{verifier}");
        }
    }
}

#[test]
fn a_code_goes_with_the_redirect_uri_that_it_was_sent_to() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    for (uri, wanted) in [
        (None, "invalid_request"),
        (Some(""), "invalid_request"),
        (Some("http://localhost:3335/oauth/callback"), "invalid_grant"),
        (Some("http://localhost/oauth/callback"), "invalid_grant"),
        (Some("http://127.0.0.1:3334/oauth/callback"), "invalid_grant"),
        (Some("http://localhost:3334/oauth/callback/"), "invalid_grant"),
        (Some("https://claude.ai/api/mcp/auth_callback"), "invalid_grant"),
    ] {
        let mut fields = client.exchanges(&code);
        fields.retain(|(name, _)| *name != "redirect_uri");
        fields.extend(uri.map(|uri| ("redirect_uri", uri.to_owned())));
        assert_eq!(error(&client.post("/token", &fields)), told(400, wanted), "{uri:?}");
    }
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port));
}

/// A grant for `/mcp` and one scope, to ask more of.
fn narrow(board: &Board, client: &Client, email: &str) -> String {
    let mut asks = client.asks();
    asks.extend([("resource", format!("http://localhost:{}/mcp", board.port)), ("scope", "math".to_owned())]);
    let mut browser = Browser::new(board.port);
    let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), email);
    Redirect::read(&browser.approve(&consent, &["math"])).one("code")
}

#[test]
fn a_refresh_gives_no_more_than_was_allowed() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = Tokens::read(&client.exchange(&narrow(&board, &client, "ada")));
    let refresh = |name: &str, value: &str| {
        let fields = [("grant_type", "refresh_token"), ("client_id", &client.id), ("refresh_token", &tokens.refresh)];
        client.post("/token", &[&fields[..], &[(name, value)]].concat())
    };
    assert_eq!(error(&refresh("scope", "system:read")), told(400, "invalid_scope"));
    assert_eq!(Tokens::read(&refresh("scope", "math system:read admin")).scope, "math");
    let origin = format!("http://localhost:{}", board.port);
    let (sse, fragment) = (format!("{origin}/sse"), format!("{origin}/mcp#x"));
    for foreign in ["https://evil.example/mcp", "http://evil.example", &sse, &fragment, "x"] {
        assert_eq!(error(&refresh("resource", foreign)), told(400, "invalid_target"), "{foreign}");
    }
    assert!(Tokens::read(&refresh("resource", &format!("{origin}/mcp"))).is_good(board.port));
}

#[test]
fn a_code_gives_no_token_for_another_resource() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = narrow(&board, &client, "ada");
    let with = |resource: &str| {
        let mut fields = client.exchanges(&code);
        fields.push(("resource", resource.to_owned()));
        client.post("/token", &fields)
    };
    let origin = format!("http://localhost:{}", board.port);
    for foreign in ["https://evil.example/mcp", &format!("{origin}/sse"), &format!("{origin}/mcp#x")] {
        assert_eq!(error(&with(foreign)), told(400, "invalid_target"), "{foreign}");
    }
    let tokens = Tokens::read(&with(&format!("{origin}/mcp")));
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "HEAD /sse", &[&bearer(&tokens.access)], "")).unwrap();
    assert_eq!((wire.head().unwrap().status, tokens.is_good(board.port)), (401, true));
}

/// Writes another ring: the keys that are there are kept behind a new one, or not.
fn rotate(board: &Board, id: u8, keeps: bool) {
    let file = board.state().join("keys");
    let text = fs::read_to_string(&file).unwrap();
    let (header, keys) = text.split_once('\n').unwrap();
    let key = URL_SAFE_NO_PAD.encode([id; 32]);
    fs::write(&file, format!("{header}\n{id} 1795392000 {key}\n{}", if keeps { keys } else { "" })).unwrap();
}

#[test]
fn a_key_opens_what_it_sealed_until_it_leaves_the_ring() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    rotate(&board, 1, true);
    let board = board.power_cut();
    assert!(tokens.is_good(board.port));
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    let newer = Client::register(board.port);
    let newer_tokens = newer.sign_in("bob", SCOPES);
    assert_eq!(URL_SAFE_NO_PAD.decode(&newer.id).unwrap()[1], 1, "what is new is sealed with the new key");
    // The first key goes: what it sealed is what nobody sealed.
    rotate(&board, 1, false);
    let board = board.power_cut();
    assert_eq!(error(&client.refresh(&tokens.refresh)), told(401, "invalid_client"));
    assert_eq!(error(&ask(board.port, &format!("GET {}", client.address()), &[], "")), told(400, "invalid_client"));
    assert!(!tokens.is_good(board.port));
    assert_eq!(error(&newer.refresh(&tokens.refresh)), told(400, "invalid_grant"));
    assert!(next.is_good(board.port) && newer_tokens.is_good(board.port), "what the other sealed is good");
}

#[test]
fn every_parameter_of_a_request_comes_once() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut asks = client.asks();
    asks.extend([("scope", "math".to_owned()), ("response_mode", "query".to_owned())]);
    for (name, value) in asks.clone() {
        // The very same value, another, and none: which of the two holds is anybody's guess.
        for value in [value.as_str(), "x", ""] {
            let twice: Vec<_> = asks.iter().cloned().chain([(name, value.to_owned())]).collect();
            let reply = ask(board.port, &format!("GET /authorize?{}", encoded(&twice)), &[], "");
            if matches!(name, "client_id" | "redirect_uri" | "state") {
                assert_eq!(error(&reply), told(400, "invalid_request"), "{name}");
            } else {
                assert_eq!(Redirect::read(&reply).one("error"), "invalid_request", "{name}");
            }
        }
    }
}

#[test]
fn the_callbacks_of_claude_are_welcome_and_no_other_address_of_its_hosts() {
    let board = Board::start("demo");
    for (uri, others) in [
        ("https://claude.ai/api/mcp/auth_callback", ["https://claude.ai:8443/api/mcp/auth_callback", "https://claude.ai/x"]),
        ("https://claude.com/api/mcp/auth_callback", ["https://claude.com:443/api/mcp/auth_callback", "https://claude.com/"]),
    ] {
        let client = Client::with_redirect(board.port, uri);
        let redirect = client.approved("ada", SCOPES);
        assert_eq!(redirect.address, uri);
        assert!(Tokens::read(&client.exchange(&redirect.one("code"))).is_good(board.port));
        for other in others {
            let mut asks = client.asks();
            other.clone_into(&mut asks[2].1);
            let reply = ask(board.port, &format!("GET /authorize?{}", encoded(&asks)), &[], "");
            assert_eq!(error(&reply), told(400, "invalid_client"), "{other}");
        }
    }
}

#[test]
fn a_name_with_separators_is_one_name() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let session =
        |tokens: &Tokens| format!("mcp-session-id: {}", tokens.rpc(board.port, HELLO).header("mcp-session-id").unwrap());
    let names = ["ada", "ada:bob", "ada|bob", "ada\\bob", "ada,bob", "ada/../bob", "ada%00", "\"ada\"", "ada=bob&x=y"];
    let all: Vec<_> = names.iter().map(|name| client.sign_in(name, SCOPES)).collect();
    let sessions: Vec<_> = all.iter().map(session).collect();
    for (mine, tokens) in all.iter().enumerate() {
        assert!(tokens.is_good(board.port), "none ends another's: {}", names[mine]);
        for (whose, session) in sessions.iter().enumerate() {
            let status = ask(board.port, "POST /mcp", &[JSON, &bearer(&tokens.access), session], LIST).status;
            assert_eq!(status, if whose == mine { 200 } else { 404 }, "{} with the session of {}", names[mine], names[whose]);
        }
    }
}
