//! The end of a server, and its next life.

use crate::board::Board;
use crate::wire::{Wire, ask, request, rpc};
use std::time::Duration;

#[test]
fn sigterm_ends_streams_cleanly_and_soon() {
    let mut board = Board::start("open");
    let mut stream = Wire::open(board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    assert!(stream.event().unwrap().unwrap().starts_with("event: endpoint"));
    let mut idle = Wire::open(board.port);
    idle.send(&request(board.port, "GET /", &[], "")).unwrap();
    assert_eq!(idle.reply().unwrap().status, 200);
    board.terminate();
    assert_eq!(stream.event().unwrap(), None, "the stream ends with its last chunk");
    assert!(idle.is_closed());
    let (code, took, stderr) = board.wait();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert!(stderr.contains("SIGTERM"), "{stderr}");
}

#[test]
fn a_client_that_holds_on_is_cut_off_after_five_seconds() {
    let mut board = Board::start("open");
    let mut half = Wire::open(board.port);
    half.send(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{")
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    board.terminate();
    let (code, took, _) = board.wait();
    assert_eq!(code, Some(0));
    assert!(took > Duration::from_secs(4) && took < Duration::from_secs(7), "{took:?}");
}

#[test]
fn a_session_outlives_a_power_cut() {
    let board = Board::start("open");
    let hello = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
    let session = format!("mcp-session-id: {}", rpc(board.port, hello).header("mcp-session-id").unwrap());
    let board = board.power_cut();
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let reply = ask(board.port, "POST /mcp", &["content-type: application/json", &session], ping);
    assert_eq!((reply.status, reply.body.as_str()), (200, r#"{"jsonrpc":"2.0","id":1,"result":{}}"#));
    assert_eq!(ask(board.port, "DELETE /mcp", &[&session], "").status, 204);
    assert_eq!(ask(board.port, "POST /mcp", &["content-type: application/json", &session], ping).status, 404);
}

/// A tool that takes its time.
const SLOW: &str = "[auth]\nmode = \"open\"\n[[tool]]\nname = \"slow\"\nabout = \"Takes a second\"\neffect = \"read\"\n\
                    run = [\"/bin/sleep\", \"1\"]\n";
const CALL: &str = r#"{"jsonrpc":"2.0","id":"call","method":"tools/call","params":{"name":"slow","arguments":{}}}"#;

#[test]
fn who_waits_for_an_answer_on_a_stream_gets_it_though_the_server_stops() {
    let mut board = Board::configured(SLOW);
    let mut stream = Wire::open(board.port);
    stream.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    let endpoint = stream.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap();
    assert_eq!(ask(board.port, &format!("POST {path}"), &["content-type: application/json"], CALL).status, 202);
    board.terminate();
    let answer = stream.event().unwrap().unwrap_or_default();
    assert!(answer.contains(r#""id":"call","result""#), "{answer}");
    assert_eq!(stream.event().unwrap(), None, "behind it the stream ends with its last chunk");
    let (code, took, _) = board.wait();
    assert_eq!(code, Some(0));
    assert!(took < Duration::from_secs(3), "{took:?}");
}
