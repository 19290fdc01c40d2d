//! Whatever a stranger can make grow has a bound, and here it is reached.

use crate::board::Board;
use crate::wire::{Wire, ask, request, rpc};
use std::time::{Duration, Instant};

const PING: &str = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;

#[test]
fn streams_end_at_their_bound_and_others_go_on() {
    let board = Board::start("open");
    let open = || {
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "GET /sse", &[], "")).unwrap();
        (wire.head().unwrap(), wire)
    };
    let held: Vec<_> = (0..perchd::limits::STREAMS).map(|_| open()).collect();
    assert!(held.iter().all(|(head, _)| head.status == 200));
    let (head, _wire) = open();
    assert_eq!((head.status, head.header("retry-after")), (503, Some("5")));
    assert_eq!(rpc(board.port, PING).status, 200);
    drop(held);
    let free = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        open().0.status == 200
    });
    assert!(free, "the streams that were left are not free again");
}

#[test]
fn a_connection_too_many_is_turned_away_and_others_go_on() {
    let board = Board::start("open");
    let mut held: Vec<_> = (0..perchd::limits::CONNECTIONS).map(|_| Wire::open(board.port)).collect();
    // The last of them is served, so that all were accepted.
    let last = held.last_mut().unwrap();
    last.send(&request(board.port, "POST /mcp", &["content-type: application/json"], PING)).unwrap();
    assert_eq!(last.reply().unwrap().status, 200);
    let mut one_more = Wire::open(board.port);
    let head = one_more.head().unwrap();
    assert_eq!((head.status, head.header("retry-after")), (503, Some("5")));
    let first = &mut held[0];
    first.send(&request(board.port, "POST /mcp", &["content-type: application/json"], PING)).unwrap();
    assert_eq!(first.reply().unwrap().status, 200);
}

#[test]
fn a_body_too_long_is_refused_whether_it_says_its_length_or_not() {
    let board = Board::start("open");
    let long = "x".repeat(perchd::limits::BODY_BYTES + 1);
    let refused = |bytes: &[u8]| {
        let mut wire = Wire::open(board.port);
        // Who is still sending sees the answer, and that the connection ends with it.
        wire.send(bytes).unwrap();
        let reply = wire.reply().unwrap();
        assert_eq!(reply.header("connection"), Some("close"));
        assert!(wire.is_closed());
        reply
    };
    let reply = refused(&request(board.port, "POST /mcp", &["content-type: application/json"], &long));
    assert_eq!((reply.status, reply.json()["error"]["code"].as_i64()), (413, Some(-32000)));
    let mut chunked = request(board.port, "POST /mcp", &["content-type: application/json", "transfer-encoding: chunked"], "");
    for chunk in long.as_bytes().chunks(8192) {
        chunked.extend(format!("{:x}\r\n", chunk.len()).into_bytes());
        chunked.extend(chunk);
        chunked.extend(b"\r\n");
    }
    assert_eq!(refused(&chunked).status, 413);
    let just = format!("{PING}{}", " ".repeat(perchd::limits::BODY_BYTES - PING.len()));
    assert_eq!(rpc(board.port, &just).status, 200);
}

#[test]
fn a_head_too_large_is_refused() {
    let board = Board::start("open");
    let reply = ask(board.port, "GET /", &[&format!("x-long: {}", "x".repeat(perchd::limits::HEAD_BYTES))], "");
    assert_eq!(reply.status, 431);
    let many: Vec<String> = (0..200).map(|n| format!("x-{n}: 1")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    assert_eq!(ask(board.port, "GET /", &many, "").status, 431);
}

#[test]
fn a_slow_head_is_given_up() {
    let board = Board::start("open");
    let began = Instant::now();
    let mut wire = Wire::open(board.port);
    wire.patience(Duration::from_secs(perchd::limits::HEAD_SECS + 5));
    wire.send(b"GET / HTTP/1.1\r\nhost: loc").unwrap();
    assert!(wire.is_closed());
    assert!(began.elapsed() >= Duration::from_secs(perchd::limits::HEAD_SECS - 1), "{:?}", began.elapsed());
}

#[test]
fn a_slow_body_is_given_up() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.patience(Duration::from_secs(perchd::limits::BODY_SECS + 5));
    wire.send(b"POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n{").unwrap();
    assert_eq!(wire.reply().unwrap().status, 408);
}

#[test]
fn an_idle_connection_is_closed() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.patience(Duration::from_secs(perchd::limits::HEAD_SECS + 5));
    wire.send(&request(board.port, "POST /mcp", &["content-type: application/json"], PING)).unwrap();
    assert_eq!(wire.reply().unwrap().status, 200);
    assert!(wire.is_closed());
}

#[test]
fn a_reader_that_takes_nothing_does_not_hold_its_place() {
    let board = Board::start("open");
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    wire.head().unwrap();
    let endpoint = wire.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    // Kernel buffers and outbox together hold a few megabytes of lists that nobody reads.
    let is_cut_off =
        (0..20_000).any(|_| ask(board.port, &format!("POST {path}"), &["content-type: application/json"], list).status == 404);
    assert!(is_cut_off, "nothing ends a stream that nobody reads");
    assert_eq!(rpc(board.port, PING).status, 200);
}
