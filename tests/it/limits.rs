//! Whatever a stranger can make grow has a bound, and here it is reached.

use crate::board::Board;
use crate::oauth::{HELLO, SCOPES};
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::wire::{Reply, Wire, ask, request, rpc};
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
fn a_body_is_answered_however_it_comes() {
    let board = Board::start("open");
    let kind = "content-type: application/json";
    let whole = request(board.port, "POST /mcp", &[kind], PING);
    let head = request(board.port, "POST /mcp", &[kind, &format!("content-length: {}", PING.len())], "");
    let asking =
        request(board.port, "POST /mcp", &[kind, &format!("content-length: {}", PING.len()), "expect: 100-continue"], "");
    let chunked = request(board.port, "POST /mcp", &[kind, "transfer-encoding: chunked"], "");
    let (first, rest) = PING.split_at(9);
    let chunk = |part: &str| format!("{:x}\r\n{part}\r\n", part.len()).into_bytes();
    let (first_chunk, rest_chunk) = (chunk(first), chunk(rest));
    let ways: [&[&[u8]]; 9] = [
        &[&whole],
        &[&head, PING.as_bytes()],
        &[&[&*head, first.as_bytes()].concat(), rest.as_bytes()],
        &[&head[..40], &head[40..], first.as_bytes(), rest.as_bytes()],
        &[&[&*chunked, &first_chunk, &rest_chunk, b"0\r\n\r\n"].concat()],
        &[&[&*chunked, &first_chunk].concat(), &rest_chunk, b"0\r\n", b"\r\n"],
        &[&chunked, &first_chunk, &[&*rest_chunk, b"0\r\n\r\n"].concat()],
        &[&asking, PING.as_bytes()],
        &[&asking, first.as_bytes(), rest.as_bytes()],
    ];
    let mut wire = Wire::open(board.port);
    wire.patience(Duration::from_secs(5));
    for (way, parts) in ways.into_iter().enumerate() {
        for part in parts {
            // So long that what comes before it is read by itself.
            std::thread::sleep(Duration::from_millis(30));
            wire.send(part).unwrap();
        }
        assert_eq!(wire.reply().unwrap().status, 200, "way {way}");
    }
    // As many at once as hyper answers in one go, and more.
    wire.send(&whole.repeat(50)).unwrap();
    assert!((0..50).all(|_| wire.reply().unwrap().status == 200));
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

/// A server that anybody may call, with these limits.
fn limited(limits: &str) -> Board {
    Board::configured(&format!("[auth]\nmode = \"open\"\n[limits]\n{limits}"))
}

fn post(wire: &mut Wire, port: u16, body: &str) -> Reply {
    wire.send(&request(port, "POST /mcp", &["content-type: application/json"], body)).unwrap();
    wire.reply().unwrap()
}

#[test]
fn one_address_is_turned_away_and_others_come_in() {
    let board = limited("connections = 8\nconnections_per_address = 3\n");
    let mut held: Vec<_> = (0..3).map(|_| Wire::from("127.0.0.2", board.port)).collect();
    assert_eq!(post(&mut held[2], board.port, PING).status, 200);
    let head = Wire::from("127.0.0.2", board.port).head().unwrap();
    assert_eq!((head.status, head.header("retry-after")), (503, Some("5")));
    assert_eq!(rpc(board.port, PING).status, 200);
    assert_eq!(post(&mut held[0], board.port, PING).status, 200);
    drop(held);
    until("the places are free again", || post(&mut Wire::from("127.0.0.2", board.port), board.port, PING).status == 200);
}

#[test]
fn one_user_is_refused_a_stream_and_others_get_theirs() {
    let toml = "[auth]\nmode = \"demo\"\n[limits]\nstreams_per_subject = 2\n";
    let board = Board::configured(toml);
    let client = Client::register(board.port);
    let (ada, bob) = (client.sign_in("ada", SCOPES), client.sign_in("bob", SCOPES));
    let open = |tokens: &Tokens| {
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
        (wire.head().unwrap(), wire)
    };
    let mut held: Vec<_> = (0..2).map(|_| open(&ada)).collect();
    let (head, _wire) = open(&ada);
    assert_eq!((head.status, head.header("retry-after")), (503, Some("5")));
    // One of the stateless dialect is a stream as well.
    let listen = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{"notifications":{"toolsListChanged":true},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let headers = [
        JSON,
        &bearer(&ada.access),
        "accept: application/json, text/event-stream",
        "mcp-protocol-version: 2026-07-28",
        "mcp-method: subscriptions/listen",
    ];
    assert_eq!(ask(board.port, "POST /mcp", &headers, listen).status, 503);
    let (head, mut bobs) = open(&bob);
    assert_eq!(head.status, 200);
    assert!(bobs.event().unwrap().unwrap().contains("endpoint"));
    assert!(held[0].1.event().unwrap().unwrap().contains("endpoint"));
    board.reconfigure(&toml.replace("= 2", "= 3"));
    held.push(open(&ada));
    assert_eq!(held[2].0.status, 200, "what is read anew holds at once");
}

#[test]
fn bodies_and_heads_are_as_large_as_the_owner_says() {
    let board = limited("body_bytes = 8192\nheader_bytes = 8192\n");
    let padded = |bytes: usize| format!("{PING}{}", " ".repeat(bytes - PING.len()));
    let mut there = Wire::open(board.port);
    assert_eq!(post(&mut there, board.port, &padded(8192)).status, 200);
    let refused = rpc(board.port, &padded(8193));
    assert_eq!(refused.status, 413);
    assert!(refused.body.contains("8192 bytes"), "{refused:?}");
    let long = |bytes: usize| ask(board.port, "GET /", &[&format!("x-long: {}", "x".repeat(bytes))], "").status;
    assert_eq!((long(7000), long(20_000)), (200, 431));
    board.reconfigure("[auth]\nmode = \"open\"\n[limits]\nbody_bytes = 2097152\nheader_bytes = 32768\n");
    assert_eq!(rpc(board.port, &padded(2 * 1024 * 1024)).status, 200);
    assert_eq!((long(20_000), long(80_000)), (200, 431));
    assert_eq!(post(&mut there, board.port, PING).status, 200, "who was there before goes on");
}

/// How much was sent to a reader who takes nothing, before he was cut off.
fn until_cut(outbox_bytes: usize) -> usize {
    let board = limited(&format!("outbox_bytes = {outbox_bytes}\n"));
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "GET /sse", &[], "")).unwrap();
    wire.head().unwrap();
    let endpoint = wire.event().unwrap().unwrap();
    let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
    let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
    let post = || ask(board.port, &format!("POST {path}"), &["content-type: application/json"], list).status == 202;
    let posted = (0..40_000).take_while(|_| post()).count();
    assert!(posted < 40_000, "nothing ends a stream that nobody reads");
    assert_eq!(rpc(board.port, PING).status, 200, "others are served");
    posted
}

#[test]
fn what_waits_for_a_reader_is_as_much_as_the_owner_says() {
    let (little, much) = (until_cut(32 * 1024), until_cut(4 * 1024 * 1024));
    assert!(much > little + 500, "{little} lists, {much} lists");
}

#[test]
fn sessions_that_ended_are_remembered_as_far_as_the_owner_says() {
    let board = limited("sessions = 2\n");
    let header = |_| format!("mcp-session-id: {}", rpc(board.port, HELLO).header("mcp-session-id").unwrap());
    let sessions: Vec<_> = (0..4).map(header).collect();
    let status = |session: &str| ask(board.port, "POST /mcp", &["content-type: application/json", session], PING).status;
    for session in &sessions[..3] {
        assert_eq!(ask(board.port, "DELETE /mcp", &[session], "").status, 204);
    }
    let seen: Vec<_> = sessions.iter().map(|session| status(session)).collect();
    assert_eq!(seen, [200, 404, 404, 200], "the oldest is forgotten, and nobody else's is touched");
}

/// Under `ulimit -n 64`: connections are turned away before the files are gone, so that tools still open theirs.
#[test]
fn few_files_are_few_connections_and_tools_still_run() {
    let under = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""].map(str::to_owned);
    let board = Board::under(under.into(), "[auth]\nmode = \"open\"\n");
    let mut held: Vec<_> = (0..100).map(|_| Wire::open(board.port)).collect();
    let heads = held.iter_mut().skip(64 - perchd::limits::FILES_SPARED).map(|wire| wire.head().unwrap());
    let heads: Vec<_> = heads.map(|head| (head.status, head.header("retry-after").map(str::to_owned))).collect();
    assert_eq!(heads, vec![(503, Some("5".to_owned())); 60]);
    let health = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"board_health","arguments":{}}}"#;
    let reply = post(&mut held[0], board.port, health);
    assert_eq!((reply.status, &reply.json()["result"]["isError"]), (200, &serde_json::Value::Bool(false)), "{reply:?}");
    drop(held);
    until("it takes connections again", || {
        let mut wire = Wire::open(board.port);
        let _ = wire.send(&request(board.port, "GET /", &[], ""));
        wire.head().is_ok_and(|head| head.status == 200)
    });
    assert!(board.told().contains("only 40 connections instead of 320"));
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
