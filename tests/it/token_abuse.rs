//! The endpoints of programs, asked wrongly: forms of another shape, and tokens that come another way.

use crate::board::Board;
use crate::oauth::{HELLO, SCOPES};
use crate::oauth_abuse::{error, flipped, goes_on, told};
use crate::sign_in::{Client, FORM, JSON, Tokens, encoded};
use crate::wire::{Wire, ask, request};

#[test]
fn a_parameter_that_comes_twice_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let code = client.code("bob", SCOPES);
    for index in 0..client.exchanges(&code).len() {
        let mut fields = client.exchanges(&code);
        fields.push(fields[index].clone());
        assert_eq!(error(&client.post("/token", &fields)), told(400, "invalid_request"), "{}", fields[index].0);
    }
    let twice = [("client_id", client.id.as_str()), ("token", &tokens.refresh), ("token", &tokens.refresh)];
    assert_eq!(error(&client.post("/revoke", &twice)), told(400, "invalid_request"));
    assert!(tokens.is_good(board.port));
    Tokens::read(&client.exchange(&code));
}

#[test]
fn a_body_of_another_type_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let own = format!("origin: http://localhost:{}", board.port);
    let form = encoded(&[("grant_type", "refresh_token"), ("client_id", &client.id)]);
    for kinds in [
        &[][..],
        &["content-type: text/plain"],
        &["content-type: multipart/form-data; boundary=x"],
        &["content-type:"],
        &[JSON, FORM],
        &[FORM, FORM],
        &["content-type: application/x-www-form-urlencoded, application/json"],
        &["content-type: \u{e9}"],
    ] {
        for path in ["/token", "/revoke", "/device_authorization"] {
            // A program gets JSON, whatever it says that it likes.
            let reply = ask(board.port, &format!("POST {path}"), &[kinds, &["accept: text/html"]].concat(), &form);
            assert_eq!(
                (error(&reply), reply.header("cache-control")),
                (told(400, "invalid_request"), Some("no-store")),
                "{kinds:?}"
            );
        }
        for path in ["/authorize", "/consent", "/device"] {
            let reply = ask(board.port, &format!("POST {path}"), &[kinds, &[&own]].concat(), &form);
            assert_eq!(error(&reply), told(400, "invalid_request"), "{kinds:?}");
            let page = ask(board.port, &format!("POST {path}"), &[kinds, &[&own, "accept: text/html"]].concat(), &form);
            assert_eq!((page.status, page.header("x-frame-options")), (400, Some("DENY")), "{kinds:?}");
        }
    }
    for kinds in [&[][..], &[FORM], &[JSON, JSON], &[JSON, FORM], &["content-type: application/jsonp"]] {
        let reply = ask(board.port, "POST /register", kinds, r#"{"redirect_uris":["http://localhost/"]}"#);
        assert_eq!(error(&reply), told(415, "invalid_client_metadata"), "{kinds:?}");
    }
    goes_on(board);
}

#[test]
fn a_body_that_is_too_long_is_refused_with_and_without_its_length() {
    let board = Board::start("demo");
    let own = format!("origin: http://localhost:{}", board.port);
    let long = "x".repeat(perchd::limits::FORM_BYTES + 1);
    for (path, kind) in [
        ("/register", JSON),
        ("/token", FORM),
        ("/revoke", FORM),
        ("/authorize", FORM),
        ("/consent", FORM),
        ("/device", FORM),
        ("/device_authorization", FORM),
    ] {
        let line = format!("POST {path}");
        assert_eq!(error(&ask(board.port, &line, &[kind, &own], &long)), told(413, "invalid_request"), "{path}");
        let mut chunked = request(board.port, &line, &[kind, &own, "transfer-encoding: chunked"], "");
        long.as_bytes().chunks(1000).for_each(|chunk| {
            chunked.extend(format!("{:x}\r\n", chunk.len()).bytes().chain(chunk.iter().copied()).chain(*b"\r\n"));
        });
        let mut wire = Wire::open(board.port);
        wire.send(&chunked).unwrap();
        assert_eq!(error(&wire.reply().unwrap()), told(413, "invalid_request"), "{path}");
    }
    let page = ask(board.port, "POST /consent", &[FORM, &own, "accept: text/html"], &long);
    assert_eq!((page.status, page.header("content-type")), (413, Some("text/html; charset=utf-8")));
    goes_on(board);
}

#[test]
fn a_wrong_method_is_told_the_right_ones() {
    let board = Board::start("demo");
    for (path, allow) in [
        ("/authorize", "GET, POST"),
        ("/device", "GET, POST"),
        ("/device_authorization", "POST"),
        ("/consent", "POST"),
        ("/register", "POST"),
        ("/token", "POST"),
        ("/revoke", "POST"),
        ("/.well-known/oauth-authorization-server", "GET"),
        ("/.well-known/oauth-protected-resource/mcp", "GET"),
    ] {
        for method in ["PUT", "DELETE", "PATCH", "TRACE", "BREW"] {
            let reply = ask(board.port, &format!("{method} {path}"), &[], "");
            assert_eq!((error(&reply).0, reply.header("allow")), (405, Some(allow)), "{method} {path}");
        }
    }
    goes_on(board);
}

#[test]
fn a_client_without_a_secret_may_name_itself_in_the_header_and_no_more() {
    use base64::Engine;
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let basic = |text: String| format!("authorization: Basic {}", base64::engine::general_purpose::STANDARD.encode(text));
    let good = basic(format!("{}:", client.id));
    let form = encoded(&[("grant_type", "refresh_token"), ("refresh_token", &tokens.refresh)]);
    let post = |headers: &[&str]| ask(board.port, "POST /token", &[&[FORM], headers].concat(), &form);
    let wrong = [
        basic(format!("{}:secret", client.id)),
        basic(client.id.clone()),
        basic("x:".to_owned()),
        "authorization: Basic !".to_owned(),
    ];
    for wrong in wrong.iter().map(String::as_str).chain(["authorization: Bearer x", "authorization: Basic", "authorization:"]) {
        let reply = post(&[wrong]);
        assert_eq!(error(&reply), told(401, "invalid_client"), "{wrong}");
        assert_eq!(reply.header("www-authenticate"), Some("Basic realm=\"perchd\""), "{wrong}");
    }
    assert_eq!(error(&post(&[&good, &good])), told(401, "invalid_client"), "which of the two holds is anybody's guess");
    let both = encoded(&[
        ("grant_type", "refresh_token"),
        ("client_id", &client.id),
        ("client_secret", "x"),
        ("refresh_token", &tokens.refresh),
    ]);
    assert_eq!(error(&ask(board.port, "POST /token", &[FORM], &both)), told(401, "invalid_client"));
    Tokens::read(&post(&[&good]));
}

#[test]
fn a_token_that_comes_another_way_opens_nothing() {
    let board = Board::start("demo");
    let tokens = Client::register(board.port).sign_in("ada", SCOPES);
    let token = &tokens.access;
    let status =
        |path: &str, headers: &[&str]| ask(board.port, &format!("POST {path}"), &[&[JSON], headers].concat(), HELLO).status;
    let good = format!("authorization: Bearer {token}");
    for header in [
        format!("authorization: Basic {token}"),
        format!("authorization: {token}"),
        format!("authorization: Bearer{token}"),
        format!("authorization: Bearer {token},{token}"),
        format!("authorization: Bearer \"{token}\""),
        format!("authorization: Bearer {token} {token}"),
        format!("x-authorization: Bearer {token}"),
        format!("cookie: perchd={token}; access_token={token}"),
    ] {
        assert_eq!(status("/mcp", &[&header]), 401, "{header}");
    }
    for header in [&good, &"authorization: Bearer x".to_owned(), &"authorization: Basic x".to_owned()] {
        assert_eq!(status("/mcp", &[&good, header]), 401, "two headers");
    }
    assert_eq!(status(&format!("/mcp?access_token={token}"), &[]), 401);
    for token in flipped(token) {
        assert_eq!(status("/mcp", &[&format!("authorization: Bearer {token}")]), 401, "{token}");
    }
    assert_eq!(status("/mcp", &[&format!("authorization: Bearer {}", "A".repeat(10_000))]), 401);
    for good in [format!("authorization: bearer {token}"), format!("AUTHORIZATION: BEARER   {token}"), good] {
        assert_eq!(status("/mcp", &[&good]), 200);
    }
    goes_on(board);
}
