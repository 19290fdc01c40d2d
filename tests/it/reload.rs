//! SIGHUP: another configuration comes into force, and nobody is cut off.

use crate::board::Board;
use crate::wire::{Wire, ask, request, rpc};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

const LEAST: &str = "[auth]\nmode = \"open\"\n";
const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

fn tools(board: &Board) -> Vec<String> {
    let listed = rpc(board.port, r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#).json();
    listed["result"]["tools"].as_array().unwrap().iter().map(|tool| tool["name"].as_str().unwrap().to_owned()).collect()
}

/// A signal takes its time to arrive.
fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(5), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_tool_that_is_hidden_is_gone_and_clients_hear_of_it() {
    let board = Board::configured(LEAST);
    let hello = rpc(board.port, HELLO);
    assert_eq!(hello.json()["result"]["capabilities"]["tools"], json!({"listChanged": true}));
    let session = format!("mcp-session-id: {}", hello.header("mcp-session-id").unwrap());
    let mut stream = Wire::open(board.port);
    stream.send(&request(board.port, "GET /mcp", &["accept: text/event-stream", &session], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    assert!(tools(&board).contains(&"add".to_owned()));

    board.reconfigure(&format!("{LEAST}[tools]\nhide = [\"add\"]\n"));
    let event = stream.event().unwrap().unwrap();
    assert!(event.contains("notifications/tools/list_changed"), "{event}");
    assert!(!tools(&board).contains(&"add".to_owned()));
    let call = r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;
    assert_eq!(rpc(board.port, call).json()["error"]["code"], -32602);
    // The session is still there.
    let ping = ask(
        board.port,
        "POST /mcp",
        &["content-type: application/json", &session],
        r#"{"jsonrpc":"2.0","id":3,"method":"ping"}"#,
    );
    assert_eq!((ping.status, ping.json()["result"].clone()), (200, json!({})));
}

#[test]
fn what_is_wrong_leaves_the_old_one_in_force_and_is_logged() {
    let board = Board::configured(LEAST);
    let session = format!("mcp-session-id: {}", rpc(board.port, HELLO).header("mcp-session-id").unwrap());
    let mut stream = Wire::open(board.port);
    stream.send(&request(board.port, "GET /mcp", &["accept: text/event-stream", &session], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    for bad in ["listen = 1\n", "[tools]\nhide = [\"nonsense\"]\n", "listen = \"0.0.0.0:1\"\n[auth]\nmode = \"demo\"\n", "\u{0}"]
    {
        board.reconfigure(bad);
    }
    assert!(tools(&board).contains(&"add".to_owned()));
    board.reconfigure(&format!("{LEAST}[tools]\nhide = [\"add\"]\n"));
    assert!(!tools(&board).contains(&"add".to_owned()), "the next good one counts");
    // The first word on the stream is of that one: it was open all the while, and heard of none of the others.
    let event = stream.event().unwrap().unwrap();
    assert!(event.contains("notifications/tools/list_changed"), "{event}");
    let told = board.told();
    assert!(told.contains("SIGHUP: the configuration stays as it was") && told.contains("perchd.toml:1: "), "{told}");
    assert!(told.contains("SIGHUP: the configuration was read anew"), "{told}");
}

#[test]
fn fewer_connections_are_let_in_and_those_that_are_there_stay() {
    let board = Board::configured(LEAST);
    let mut there = Wire::open(board.port);
    board.reconfigure(&format!("{LEAST}[limits]\nconnections = 1\n"));
    until("one more is turned away", || ask_raw(&board) == 503);
    there.send(&request(board.port, "GET /", &[], "")).unwrap();
    assert_eq!(there.reply().unwrap().status, 200);
}

fn ask_raw(board: &Board) -> u16 {
    let mut wire = Wire::open(board.port);
    let _ = wire.send(&request(board.port, "GET /", &["connection: close"], ""));
    wire.head().map_or(0, |reply| reply.status)
}

#[test]
fn names_and_pages_that_are_allowed_anew_are_answered() {
    let board = Board::configured(LEAST);
    let get = |host: &str, origin: &str| {
        let mut wire = Wire::open(board.port);
        let request = format!("GET / HTTP/1.1\r\nhost: {host}\r\n{origin}connection: close\r\n\r\n");
        wire.send(request.as_bytes()).unwrap();
        wire.reply().unwrap().status
    };
    assert_eq!(get("board.example.org", ""), 421);
    assert_eq!(get("localhost", "origin: https://app.example.org\r\n"), 403);
    board.reconfigure(&format!(
        "names = [\"greenhouse.local\"]\npublic = [\"https://board.example.org\"]\norigins = [\"https://app.example.org\"]\n{LEAST}"
    ));
    until("it is read", || get("board.example.org", "") == 200);
    assert_eq!(get("Greenhouse.local:8787", ""), 200);
    assert_eq!(get("localhost", "origin: https://app.example.org\r\n"), 200);
    assert_eq!(get("evil.example", ""), 421);
}

#[test]
fn behind_a_proxy_every_document_names_the_public_address() {
    let board = Board::configured("public = [\"https://board.example.org\"]\n");
    let mut wire = Wire::open(board.port);
    let path = "/.well-known/oauth-authorization-server";
    wire.send(format!("GET {path} HTTP/1.1\r\nhost: board.example.org\r\nconnection: close\r\n\r\n").as_bytes()).unwrap();
    let metadata: Value = wire.reply().unwrap().json();
    assert_eq!(metadata["issuer"], "https://board.example.org");
    assert_eq!(metadata["token_endpoint"], "https://board.example.org/token");
}
