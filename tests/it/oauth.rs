//! Sign-in over the wire: documents, challenges, the way to a token, and what the token opens.

use crate::board::Board;
use crate::sign_in::{Browser, Client, JSON, Redirect, STATE, Tokens, bearer, encoded};
use crate::wire::{Reply, Wire, ask, request};
use serde_json::json;

pub(crate) const SCOPES: &[&str] = &["math", "system:read"];
pub(crate) const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}"#;
const HEALTH: &str = r#"{"jsonrpc":"2.0","id":"h","method":"tools/call","params":{"name":"board_health","arguments":{}}}"#;
pub(crate) const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;

/// Every name of this machine, with the port.
fn hosts(board: &Board) -> [String; 3] {
    ["localhost", "127.0.0.1", "[::1]"].map(|host| format!("{host}:{}", board.port))
}

#[test]
fn the_documents_say_the_same_under_every_name() {
    let board = Board::start("demo");
    for host in hosts(&board) {
        let base = format!("http://{host}");
        let document = |path: &str| {
            let reply = ask(board.port, &format!("GET {path}"), &[&format!("host: {host}")], "");
            assert_eq!((reply.status, reply.header("content-type")), (200, Some("application/json")), "{reply:?}");
            reply.json()
        };
        for path in ["", "/mcp", "/sse"] {
            let mut metadata = document(&format!("/.well-known/oauth-protected-resource{path}"));
            // What the board is called is its owner's business.
            assert!(metadata.as_object_mut().unwrap().remove("resource_name").unwrap().is_string());
            let wanted = json!({
                "resource": format!("{base}{path}"), "authorization_servers": [base],
                "scopes_supported": SCOPES, "bearer_methods_supported": ["header"],
            });
            assert_eq!(metadata, wanted);
        }
        let wanted = json!({
            "issuer": base, "authorization_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
            "registration_endpoint": format!("{base}/register"), "revocation_endpoint": format!("{base}/revoke"),
            "response_types_supported": ["code"], "response_modes_supported": ["query"],
            "device_authorization_endpoint": format!("{base}/device_authorization"),
            "grant_types_supported": ["authorization_code", "urn:ietf:params:oauth:grant-type:device_code", "refresh_token"],
            "token_endpoint_auth_methods_supported": ["none"], "revocation_endpoint_auth_methods_supported": ["none"],
            "code_challenge_methods_supported": ["S256"], "scopes_supported": SCOPES,
            "authorization_response_iss_parameter_supported": true,
        });
        assert_eq!(document("/.well-known/oauth-authorization-server"), wanted);
    }
}

#[test]
fn there_is_no_document_that_would_lead_astray() {
    let board = Board::start("demo");
    for path in [
        "openid-configuration",
        "oauth-authorization-server/mcp",
        "oauth-authorization-server/sse",
        "oauth-protected-resource/messages",
        "oauth-protected-resource/",
        "oauth-protected-resource/mcp/",
    ] {
        let reply = ask(board.port, &format!("GET /.well-known/{path}"), &[], "");
        assert_eq!((reply.status, &reply.json()["error"]), (404, &json!("not_found")), "{path}");
    }
}

#[test]
fn without_a_token_everything_is_401_before_anything_else_is_looked_at() {
    let board = Board::start("demo");
    for host in hosts(&board) {
        let host = format!("host: {host}");
        for (path, metadata) in [("/mcp", "/mcp"), ("/sse", "/sse"), ("/messages", "/sse"), ("/messages?session=x", "/sse")] {
            for method in ["GET", "POST", "DELETE", "PUT", "PATCH", "NONSENSE"] {
                // No content type, an unknown session, an unknown revision, a body that is no JSON.
                let headers = [&host, "mcp-session-id: x", "mcp-protocol-version: 1999-01-01"];
                let reply = ask(board.port, &format!("{method} {path}"), &headers, "{");
                let origin = host.strip_prefix("host: ").unwrap();
                let wanted = format!(
                    "Bearer resource_metadata=\"http://{origin}/.well-known/oauth-protected-resource{metadata}\", scope=\"math system:read\""
                );
                assert_eq!((reply.status, reply.header("www-authenticate")), (401, Some(wanted.as_str())), "{method} {path}");
                assert_eq!((reply.header("content-type"), reply.header("set-cookie")), (Some("application/json"), None));
                assert_eq!(reply.json()["error"], "invalid_token");
            }
        }
    }
}

#[test]
fn a_token_that_is_none_is_401_and_is_called_invalid() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada@example.org", SCOPES);
    let code = client.code("bob", SCOPES);
    for token in ["", "garbage", &client.id, &code, &tokens.refresh, &tokens.access[1..], &format!("{}=", tokens.access)] {
        for path in ["/mcp", "/sse", "/messages"] {
            let reply = ask(board.port, &format!("POST {path}"), &[&bearer(token)], HELLO);
            assert_eq!(reply.status, 401, "{path} {token}");
            let challenge = reply.header("www-authenticate").unwrap();
            assert!(challenge.contains("error=\"invalid_token\", error_description=\""), "{challenge}");
            assert!(challenge.contains("resource_metadata=\"") && challenge.contains("scope=\""), "{challenge}");
        }
    }
    assert!(tokens.is_good(board.port));
}

#[test]
fn a_client_gets_from_nothing_to_a_call() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let consent = browser.consent(&client.address(), "ada@example.org");
    let boxes: Vec<_> = consent.boxes.iter().map(|(name, value, ticked)| (name.as_str(), value.as_str(), *ticked)).collect();
    assert_eq!(boxes, [("scope", "math", true), ("scope", "system:read", true)]);
    let redirect = Redirect::read(&browser.approve(&consent, SCOPES));
    assert_eq!(redirect.address, client.redirect_uri);
    assert_eq!(redirect.names(), ["code", "iss", "state"]);
    assert_eq!((redirect.one("state"), redirect.one("iss")), (STATE.to_owned(), format!("http://localhost:{}", board.port)));
    let reply = client.exchange(&redirect.one("code"));
    assert_eq!(reply.header("content-type"), Some("application/json"));
    let tokens = Tokens::read(&reply);
    assert_eq!(tokens.scope, "math system:read");
    let hello = tokens.rpc(board.port, HELLO);
    assert_eq!((hello.status, hello.header("set-cookie")), (200, None));
    let session = format!("mcp-session-id: {}", hello.header("mcp-session-id").unwrap());
    let sum = ask(board.port, "POST /mcp", &[JSON, &bearer(&tokens.access), &session], ADD);
    assert_eq!(sum.json()["result"]["content"][0]["text"], "5");
}

#[test]
fn the_issuer_is_the_name_that_the_browser_used() {
    let board = Board::start("demo");
    for host in hosts(&board) {
        let client = Client::register(board.port);
        let mut browser = Browser::new(board.port);
        browser.host.clone_from(&host);
        let consent = browser.consent(&client.address(), "ada");
        let redirect = Redirect::read(&browser.approve(&consent, SCOPES));
        assert_eq!(redirect.one("iss"), format!("http://{host}"));
        let tokens = Tokens::read(&client.exchange(&redirect.one("code")));
        assert!(tokens.is_good(board.port), "one server under three names: {host}");
    }
}

/// A stream of `/sse` and where to post to it.
pub(crate) fn sse(board: &Board, tokens: &Tokens) -> (Wire, String) {
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
    let head = wire.head().unwrap();
    assert_eq!((head.status, head.header("set-cookie")), (200, None), "{head:?}");
    let endpoint = wire.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap();
    (wire, path.to_owned())
}

#[test]
fn a_token_opens_a_stream_of_sse() {
    let board = Board::start("demo");
    let tokens = Client::register(board.port).sign_in("ada", &["math"]);
    let (mut stream, path) = sse(&board, &tokens);
    let post = |message| ask(board.port, &format!("POST {path}"), &[JSON, &bearer(&tokens.access)], message);
    assert_eq!(post(HELLO).status, 202);
    assert!(stream.event().unwrap().unwrap().contains("\"serverInfo\""));
    assert_eq!(post(ADD).status, 202);
    assert!(stream.event().unwrap().unwrap().contains("\"text\":\"5\""));
    assert_eq!(post(LIST).status, 202);
    let list = stream.event().unwrap().unwrap();
    assert!(list.contains("\"add\"") && !list.contains("board_health"), "{list}");
    is_beyond_scope(&board, &post(HEALTH), "/sse");
    assert!(stream.event().unwrap().unwrap().contains(r#""id":"h","error""#), "whoever reads the stream waits no longer");
}

fn is_beyond_scope(board: &Board, reply: &Reply, path: &str) {
    let wanted = format!(
        "Bearer error=\"insufficient_scope\", resource_metadata=\"http://localhost:{}/.well-known/oauth-protected-resource{path}\", scope=\"system:read\"",
        board.port
    );
    assert_eq!((reply.status, reply.header("www-authenticate")), (403, Some(wanted.as_str())));
    assert_eq!(reply.json()["id"], "h");
    assert!(reply.json()["error"]["message"].as_str().unwrap().contains("system:read"));
}

#[test]
fn a_token_lists_and_calls_what_its_scopes_cover() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for (scopes, names) in [
        (&["math"][..], &["add", "calculate"][..]),
        (&["system:read"], &["board_health", "board_network", "top_processes"]),
        (SCOPES, &["add", "calculate", "board_health", "board_network", "top_processes"]),
    ] {
        let tokens = client.sign_in(&format!("ada{}", scopes.len()), scopes);
        assert_eq!(tokens.scope, scopes.join(" "));
        let list = tokens.rpc(board.port, LIST).json();
        let listed: Vec<_> =
            list["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap()).collect();
        assert_eq!(listed, names);
        assert_eq!(tokens.rpc(board.port, ADD).status == 200, names.contains(&"add"));
        let health = tokens.rpc(board.port, HEALTH);
        if names.contains(&"board_health") {
            assert_eq!(health.status, 200);
        } else {
            is_beyond_scope(&board, &health, "/mcp");
        }
    }
}

#[test]
fn a_token_for_one_endpoint_opens_that_one() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    for (path, other) in [("/mcp", "/sse"), ("/sse", "/mcp")] {
        let mut asks = client.asks();
        asks.push(("resource", format!("http://localhost:{}{path}", board.port)));
        let mut browser = Browser::new(board.port);
        let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), "ada");
        let tokens = Tokens::read(&client.exchange(&Redirect::read(&browser.approve(&consent, SCOPES)).one("code")));
        let head = |path: &str| {
            let mut wire = Wire::open(board.port);
            wire.send(&request(board.port, &format!("HEAD {path}"), &[&bearer(&tokens.access)], "")).unwrap();
            wire.head().unwrap().status
        };
        assert_eq!((head(path), head(other)), (200, 401));
    }
}

#[test]
fn a_scope_that_was_not_asked_for_cannot_be_ticked() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut asks = client.asks();
    asks.push(("scope", "math openid".to_owned()));
    let mut browser = Browser::new(board.port);
    let consent = browser.consent(&format!("/authorize?{}", encoded(&asks)), "ada");
    assert_eq!(consent.boxes.len(), 1);
    let redirect = Redirect::read(&browser.approve(&consent, &["math", "system:read", "openid", "math"]));
    assert_eq!(Tokens::read(&client.exchange(&redirect.one("code"))).scope, "math");
}

#[test]
fn a_session_and_a_stream_answer_to_nobody_else() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let (ada, bob) = (client.sign_in("ada", SCOPES), client.sign_in("bob", SCOPES));
    let session = format!("mcp-session-id: {}", ada.rpc(board.port, HELLO).header("mcp-session-id").unwrap());
    let (_stream, path) = sse(&board, &ada);
    for (tokens, mcp, messages) in [(&bob, 404, 404), (&ada, 200, 202)] {
        let bearer = bearer(&tokens.access);
        let status = |line: &str, headers: &[&str]| ask(board.port, line, headers, LIST).status;
        assert_eq!(status("POST /mcp", &[JSON, &bearer, &session]), mcp);
        assert_eq!(status(&format!("POST {path}"), &[JSON, &bearer]), messages);
        if mcp == 404 {
            assert_eq!(status("GET /mcp", &["accept: text/event-stream", &bearer, &session]), 404);
            assert_eq!(status("DELETE /mcp", &[&bearer, &session]), 404);
        }
    }
}
