//! Event streams as they come over the socket.

use crate::board::Board;
use crate::wire::{Wire, ask, request, rpc};
use std::time::Duration;

const HELLO: &str = r#"{"jsonrpc":"2.0","id":0,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;

fn session(board: &Board) -> String {
    format!("mcp-session-id: {}", rpc(board.port, HELLO).header("mcp-session-id").unwrap())
}

fn stream(board: &Board, line: &str, headers: &[&str]) -> Wire {
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, line, headers, "")).unwrap();
    let head = wire.head().unwrap();
    assert_eq!(head.status, 200, "{head:?}");
    assert_eq!(head.header("content-type"), Some("text/event-stream"));
    assert_eq!(head.header("x-accel-buffering"), Some("no"));
    wire
}

#[test]
fn a_silent_stream_is_kept_alive() {
    let board = Board::start("open");
    let session = session(&board);
    let mut streams = [stream(&board, "GET /sse", &[]), stream(&board, "GET /mcp", &["accept: text/event-stream", &session])];
    streams[0].event().unwrap();
    for stream in &mut streams {
        stream.patience(Duration::from_secs(25));
        assert_eq!(stream.chunk().unwrap().unwrap(), b": keep-alive\n\n");
    }
}

#[test]
fn a_newer_stream_of_a_session_replaces_the_older() {
    let board = Board::start("open");
    let session = session(&board);
    let mut older = stream(&board, "GET /mcp", &["accept: text/event-stream", &session]);
    let mut newer = stream(&board, "GET /mcp", &["accept: text/event-stream", &session]);
    assert_eq!(older.event().unwrap(), None);
    assert_eq!(ask(board.port, "DELETE /mcp", &[&session], "").status, 204);
    assert_eq!(newer.event().unwrap(), None, "the end of a session ends its stream");
}

#[test]
fn a_client_that_comes_back_for_what_is_gone_is_told_to_stop_and_keeps_its_stream() {
    let board = Board::start("open");
    let session = session(&board);
    let mut stream = stream(&board, "GET /mcp", &["accept: text/event-stream", &session]);
    let again = ask(board.port, "GET /mcp", &["accept: text/event-stream", &session, "last-event-id: ab-1"], "");
    assert_eq!((again.status, again.header("allow")), (405, Some("POST, DELETE")));
    stream.patience(Duration::from_millis(300));
    assert!(stream.event().is_err(), "it is open and silent");
}

#[test]
fn a_session_of_sse_ends_with_its_stream() {
    let board = Board::start("open");
    let mut wire = stream(&board, "GET /sse", &[]);
    let endpoint = wire.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let post = || ask(board.port, &format!("POST {path}"), &["content-type: application/json"], HELLO).status;
    assert_eq!(post(), 202);
    drop(wire);
    let gone = (0..50).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        post() == 404
    });
    assert!(gone, "the session of a closed stream still answers");
}

#[test]
fn an_old_http_client_gets_a_stream_without_chunks() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.send(b"GET /sse HTTP/1.0\r\nhost: localhost\r\n\r\n").unwrap();
    let head = wire.head().unwrap();
    assert_eq!((head.status, head.header("transfer-encoding")), (200, None));
}

#[test]
fn a_page_of_this_machine_may_read_a_stream() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "GET /sse", &["origin: http://localhost:6274"], "")).unwrap();
    assert_eq!(wire.head().unwrap().header("access-control-allow-origin"), Some("http://localhost:6274"));
}

#[test]
fn a_head_request_gets_no_stream() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "HEAD /sse", &[], "")).unwrap();
    let head = wire.head().unwrap();
    assert_eq!((head.status, head.header("content-type")), (200, Some("text/event-stream")));
}
