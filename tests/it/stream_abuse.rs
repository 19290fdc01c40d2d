//! Streams and sessions, asked for wrongly, with a token that is good: whose they are, what they may be called, how much
//! may be sent to them, and from which page.

use crate::board::Board;
use crate::oauth::{HELLO, LIST, SCOPES, sse};
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::wire::{Reply, Wire, ask, request};
use std::time::Duration;

fn signed_in(board: &Board) -> (Tokens, String) {
    let tokens = Client::register(board.port).sign_in("ada", SCOPES);
    let bearer = bearer(&tokens.access);
    (tokens, bearer)
}

#[test]
fn a_session_that_nobody_opened_is_not_found() {
    let board = Board::start("demo");
    let (tokens, bearer) = signed_in(&board);
    let (_stream, path) = sse(&board, &tokens);
    let (address, id) = path.split_once('=').unwrap();
    let other = format!("{}{}", if id.starts_with('A') { "B" } else { "A" }, &id[1..]);
    let long = "A".repeat(6000);
    for session in ["", "x", "AAAAAAAAAAAAAAAAAAAAAA", &other, &id[1..], &format!("{id}="), &format!("{id}A"), &long] {
        let reply = ask(board.port, &format!("POST {address}={session}"), &[JSON, &bearer], LIST);
        assert_eq!((reply.status, reply.json()["error"]["code"].as_i64()), (404, Some(-32001)), "{session}: {reply:?}");
        let header = format!("mcp-session-id: {session}");
        if session.is_empty() {
            continue;
        }
        for line in ["POST /mcp", "GET /mcp", "DELETE /mcp"] {
            let body = if line == "POST /mcp" { LIST } else { "" };
            let reply = ask(board.port, line, &[JSON, "accept: text/event-stream", &bearer, &header], body);
            assert_eq!(reply.status, 404, "{line} {session}");
        }
    }
    let bare = ask(board.port, "POST /messages", &[JSON, &bearer], LIST);
    assert_eq!(bare.status, 404);
    assert_eq!(ask(board.port, &format!("POST {path}"), &[JSON, &bearer], HELLO).status, 202);
}

#[test]
fn a_client_does_not_choose_its_session() {
    let board = Board::start("demo");
    let (_, bearer) = signed_in(&board);
    let chosen = "AAAAAAAAAAAAAAAAAAAAAA";
    for query in [format!("session={chosen}"), format!("sessionId={chosen}")] {
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, &format!("GET /sse?{query}"), &[&bearer, &format!("mcp-session-id: {chosen}")], ""))
            .unwrap();
        assert_eq!(wire.head().unwrap().status, 200);
        let endpoint = wire.event().unwrap().unwrap();
        assert!(endpoint.contains("/messages?session=") && !endpoint.contains(chosen), "{endpoint}");
        assert_eq!(ask(board.port, &format!("POST /messages?{query}"), &[JSON, &bearer], HELLO).status, 404);
    }
    let reply = ask(board.port, "POST /mcp", &[JSON, &bearer, &format!("mcp-session-id: {chosen}")], HELLO);
    assert_ne!(reply.header("mcp-session-id"), Some(chosen));
}

#[test]
fn five_megabytes_in_chunks_are_too_much_for_a_session() {
    let board = Board::start("demo");
    let (tokens, bearer) = signed_in(&board);
    let (_stream, path) = sse(&board, &tokens);
    for line in [format!("POST {path}"), "POST /mcp".to_owned()] {
        let mut bytes = request(board.port, &line, &[JSON, &bearer, "transfer-encoding: chunked"], "");
        let chunk = [&b"10000\r\n"[..], " ".repeat(0x10000).as_bytes(), b"\r\n"].concat();
        (0..80).for_each(|_| bytes.extend(&chunk));
        let mut wire = Wire::open(board.port);
        // What is too much is read on for a while, so that its sender sees the answer.
        wire.send(&bytes).unwrap();
        let reply = wire.reply().unwrap();
        assert_eq!((reply.status, reply.header("connection")), (413, Some("close")), "{line}");
        assert!(wire.is_closed());
    }
    assert!(tokens.is_good(board.port));
}

/// Answers to a page elsewhere carry nothing that would let it read them.
fn is_unwelcome(reply: &Reply, what: &str) {
    assert_eq!((reply.status, reply.header("access-control-allow-origin")), (403, None), "{what}: {reply:?}");
    assert_eq!((reply.header("set-cookie"), reply.header("mcp-session-id")), (None, None), "{what}");
}

#[test]
fn a_page_elsewhere_is_refused_with_and_without_a_token() {
    let board = Board::start("demo");
    let (tokens, bearer) = signed_in(&board);
    let (_stream, path) = sse(&board, &tokens);
    let messages = format!("POST {path}");
    for origin in [
        "https://evil.example",
        "http://evil.example",
        "null",
        "",
        "localhost",
        "http://localhost.evil.example",
        "http://127.0.0.1.evil.example",
        "http://localhost:1@evil.example",
        "file://",
        "chrome-extension://abcdefghijklmnop",
        "http://0.0.0.0",
        "http://127.0.0.2",
        "http://localhost:x",
        "http://[::1",
    ] {
        let header = format!("origin: {origin}");
        for line in [
            "GET /sse",
            "POST /mcp",
            &messages,
            "OPTIONS /mcp",
            "GET /",
            "POST /register",
            "POST /token",
            "GET /.well-known/oauth-protected-resource",
        ] {
            let body = if line.starts_with("POST") { LIST } else { "" };
            for headers in
                [&[JSON, &header][..], &[JSON, &header, &bearer], &[JSON, &bearer, "origin: http://localhost:1", &header]]
            {
                is_unwelcome(&ask(board.port, line, headers, body), &format!("{line} {origin}"));
            }
        }
    }
    assert!(tokens.is_good(board.port));
}

#[test]
fn a_stream_that_is_over_takes_no_message() {
    let board = Board::start("demo");
    let (tokens, bearer) = signed_in(&board);
    let (stream, path) = sse(&board, &tokens);
    let post = || ask(board.port, &format!("POST {path}"), &[JSON, &bearer], HELLO).status;
    assert_eq!(post(), 202);
    drop(stream);
    let is_gone = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        post() == 404
    });
    assert!(is_gone);
}
