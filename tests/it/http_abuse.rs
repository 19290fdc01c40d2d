//! HTTP, spoken wrongly: what comes is answered once and shortly, or the connection ends; what is behind it is never
//! taken for another request.

use crate::board::Board;
use crate::oauth::SCOPES;
use crate::sign_in::{Client, bearer};
use crate::wire::{Reply, Wire};
use std::io;
use std::time::{Duration, Instant};

/// Everything that the server answers to these bytes, and whether it closed the connection.
fn answers(port: u16, bytes: &[u8]) -> (Vec<Reply>, bool) {
    let mut wire = Wire::open(port);
    wire.patience(Duration::from_millis(500));
    // It may close before it has read everything.
    let _ = wire.send(bytes);
    let mut replies = Vec::new();
    loop {
        match wire.reply() {
            Ok(reply) => replies.push(reply),
            Err(error) => {
                let kinds = [io::ErrorKind::UnexpectedEof, io::ErrorKind::ConnectionReset, io::ErrorKind::BrokenPipe];
                return (replies, kinds.contains(&error.kind()));
            }
        }
    }
}

fn statuses(port: u16, bytes: &[u8]) -> (Vec<u16>, bool) {
    let (replies, is_closed) = answers(port, bytes);
    assert!(replies.iter().all(|reply| reply.status < 500), "{replies:?}");
    (replies.iter().map(|reply| reply.status).collect(), is_closed)
}

fn goes_on(board: Board) {
    assert!(Client::register(board.port).sign_in("ada", SCOPES).is_good(board.port));
    let told = board.told();
    assert!(!told.contains("panicked"), "{told}");
}

/// Asks for the home page, which nobody did: its 200 would be the answer to a smuggled request.
const RESIDUE: &str = "GET / HTTP/1.1\r\nhost: localhost\r\n\r\n";

#[test]
fn a_body_of_two_lengths_ends_the_connection() {
    let board = Board::start("demo");
    for (what, framing, body) in [
        ("both", "content-length: 4\r\ntransfer-encoding: chunked", "0\r\n\r\n"),
        ("both, the other way round", "transfer-encoding: chunked\r\ncontent-length: 4", "0\r\n\r\n"),
        ("both, and no length at all", "transfer-encoding: chunked\r\ncontent-length: 0", "0\r\n\r\n"),
        ("two lengths", "content-length: 4\r\ncontent-length: 5", "abcd"),
        ("two lengths in one", "content-length: 4, 5", "abcd"),
        ("a sign", "content-length: +4", "abcd"),
        ("less than nothing", "content-length: -1", ""),
        ("hexadecimal", "content-length: 0x4", "abcd"),
        ("a number too large", "content-length: 18446744073709551620", "abcd"),
        ("a space in the name", "content-length : 4", "abcd"),
        ("a folded line", "x: 1\r\n content-length: 4", "abcd"),
        ("the same kind twice", "transfer-encoding: chunked\r\ntransfer-encoding: identity", "0\r\n\r\n"),
        ("compressed, not chunked", "transfer-encoding: gzip", "abcd"),
        ("quoted", "transfer-encoding: \"chunked\"", "0\r\n\r\n"),
        ("a NUL in the value", "transfer-encoding: chunked\0", "0\r\n\r\n"),
        ("a NUL in a length", "content-length: 4\0", "abcd"),
        ("a folded length", "content-length:\r\n 4", "abcd"),
        ("a folded coding", "transfer-encoding:\r\n\tchunked", "0\r\n\r\n"),
        ("two lengths behind bare newlines", "x: 1\ncontent-length: 4\ncontent-length: 5", "abcd"),
        ("a name with a NUL", "content-length\0: 4", "abcd"),
        ("chunked is not the last", "transfer-encoding: chunked, identity", "0\r\n\r\n"),
        ("not chunked", "transfer-encoding: identity", "abcd"),
        ("not quite chunked", "transfer-encoding: xchunked", "0\r\n\r\n"),
        ("a vertical tab", "transfer-encoding: \x0bchunked", "0\r\n\r\n"),
        ("a carriage return", "x: y\rtransfer-encoding: chunked", "0\r\n\r\n"),
        ("a chunk without a number", "transfer-encoding: chunked", "x\r\n\r\n"),
        ("a negative chunk", "transfer-encoding: chunked", "-1\r\n\r\n"),
        ("a chunk that is too large", "transfer-encoding: chunked", "fffffffffffffffff\r\n\r\n"),
        ("a chunk longer than it says", "transfer-encoding: chunked", "2\r\nabcd\r\n0\r\n\r\n"),
        ("a bare newline behind a chunk", "transfer-encoding: chunked", "4\r\nabcd\n0\r\n\r\n"),
        ("a newline in an extension", "transfer-encoding: chunked", "4;x\nabcd\r\n0\r\n\r\n"),
    ] {
        // One endpoint reads bodies, one refuses before it does.
        for path in ["/token", "/mcp", "/nowhere"] {
            let kind = "content-type: application/x-www-form-urlencoded";
            let bytes = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\n{kind}\r\n{framing}\r\n\r\n{body}{RESIDUE}");
            let (statuses, is_closed) = statuses(board.port, bytes.as_bytes());
            assert!(is_closed, "{what}, {path}: {statuses:?} and the connection is open");
            assert!(statuses.len() <= 1 && !statuses.contains(&200), "{what}, {path}: {statuses:?}");
        }
    }
    goes_on(board);
}

#[test]
fn a_request_behind_another_is_answered_by_itself() {
    let board = Board::start("demo");
    for path in ["/token", "/mcp", "/nowhere", "/authorize"] {
        let refused = format!("POST {path} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n\r\n{RESIDUE}", RESIDUE.len());
        let (replies, is_closed) = answers(board.port, format!("{refused}{RESIDUE}").as_bytes());
        // The body is a body, whether it was read or not.
        assert!(replies[0].status >= 400 && replies.len() <= 2 && (replies.len() == 2 || is_closed), "{path}: {replies:?}");
    }
    let (statuses, _) = statuses(board.port, RESIDUE.repeat(3).as_bytes());
    assert_eq!(statuses, [200, 200, 200]);
    goes_on(board);
}

#[test]
fn what_is_no_http_ends_the_connection() {
    let board = Board::start("demo");
    for bytes in [
        &b"GET /\r\n\r\n"[..],
        b"GET / HTTP/0.9\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/2.0\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.2\r\nhost: localhost\r\n\r\n",
        b"GET / http/1.1\r\nhost: localhost\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
        b"\0\0\0\0\r\n\r\n",
        b"GET / extra HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET /\0 HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\nx: \0\r\n\r\n",
        b"GET / HTTP/1.1\r\nhost: localhost\r\n: x\r\n\r\n",
        b"G(T / HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\r\n\r\n",
        b" GET / HTTP/1.1\r\nhost: localhost\r\n\r\n",
    ] {
        let what = String::from_utf8_lossy(bytes).into_owned();
        let (statuses, is_closed) = statuses(board.port, &[bytes, RESIDUE.as_bytes()].concat());
        assert!(is_closed && (statuses.is_empty() || statuses == [400]), "{what}: {statuses:?}, closed: {is_closed}");
    }
    goes_on(board);
}

#[test]
fn a_request_for_another_host_is_misdirected() {
    let board = Board::start("demo");
    let port = board.port;
    let own = format!("localhost:{port}");
    let twice = format!("host: {own}\r\nhost: {own}\r\n");
    let one = format!("host: {own}\r\n");
    for (target, hosts, wanted) in [
        ("/", String::new(), 400),
        ("/", twice, 421),
        ("/", "host: evil.example\r\n".to_owned(), 421),
        ("/", "host:\r\n".to_owned(), 421),
        ("/", format!("host: {own}, evil.example\r\n"), 421),
        ("/", format!("host: evil.example@{own}\r\n"), 421),
        ("/", "host: localhost.\r\n".to_owned(), 421),
        ("/", "host: 0.0.0.0\r\n".to_owned(), 421),
        (&format!("http://{own}/"), one.clone(), 200),
        ("http://evil.example/", one.clone(), 421),
        (&format!("http://evil.example@{own}/"), one.clone(), 421),
        (&format!("http://{own}/"), "host: evil.example\r\n".to_owned(), 421),
        (&format!("http://{own}/"), String::new(), 400),
    ] {
        for path in ["", "mcp", ".well-known/oauth-authorization-server"] {
            let wanted = if wanted == 200 && path == "mcp" { 401 } else { wanted };
            let bytes = format!("GET {target}{path} HTTP/1.1\r\n{hosts}connection: close\r\n\r\n");
            assert_eq!(statuses(port, bytes.as_bytes()), (vec![wanted], true), "{bytes}");
        }
    }
    let tunnel = |target: &str| {
        statuses(port, format!("CONNECT {target} HTTP/1.1\r\nhost: {own}\r\nconnection: close\r\n\r\n").as_bytes())
    };
    assert_eq!((tunnel("evil.example:443"), tunnel(&own)), ((vec![421], true), (vec![404], true)));
    goes_on(board);
}

#[test]
fn a_path_is_what_it_says() {
    let board = Board::start("demo");
    let long = format!("/{}", "x".repeat(8000));
    for path in [
        "/../mcp",
        "/mcp/../sse",
        "/mcp/",
        "//mcp",
        "/./mcp",
        "/%6dcp",
        "/MCP",
        "/mcp%00",
        "/..",
        "/../../etc/passwd",
        "/keys",
        "/revoked",
        "/mcp;x",
        "/.well-known/../mcp",
        "/.well-known/oauth-protected-resource/../../mcp",
        "/authorize/",
        "/token/x",
        "/%",
        "/%zz",
        &long,
    ] {
        for method in ["GET", "POST", "BREW"] {
            let bytes = format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
            assert_eq!(statuses(board.port, bytes.as_bytes()), (vec![404], true), "{path}");
        }
    }
    let longer = format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "x".repeat(100_000));
    let (statuses, is_closed) = statuses(board.port, longer.as_bytes());
    assert!(is_closed && statuses.iter().all(|status| matches!(status, 414 | 431)), "{statuses:?}");
    goes_on(board);
}

/// The same with a token that is good, so that nothing but the framing is wrong.
#[test]
fn nothing_is_smuggled_behind_a_call_that_is_signed_in() {
    let board = Board::start("demo");
    let tokens = Client::register(board.port).sign_in("ada", SCOPES);
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    let (length, chunk) = (ping.len(), format!("{:x}\r\n{ping}\r\n0\r\n\r\n", ping.len()));
    let head = format!("POST /mcp HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n{}", bearer(&tokens.access));
    for (what, framing, body) in [
        ("both", format!("content-length: {length}\r\ntransfer-encoding: chunked"), chunk.as_str()),
        ("both, the length of the chunks", format!("content-length: {}\r\ntransfer-encoding: chunked", chunk.len()), &chunk),
        ("two lengths", format!("content-length: {length}\r\ncontent-length: 0"), ping),
        ("two codings", "transfer-encoding: chunked\r\ntransfer-encoding: identity".to_owned(), &chunk),
        ("a folded coding", format!("content-length: {length}\r\nx: y\r\n transfer-encoding: chunked"), ping),
        ("a space", format!("content-length: {length}\r\ntransfer-encoding : chunked"), ping),
        ("a vertical tab", format!("content-length: {length}\r\ntransfer-encoding: \x0bchunked"), ping),
    ] {
        let bytes = format!("{head}\r\n{framing}\r\n\r\n{body}{RESIDUE}");
        let (statuses, is_closed) = statuses(board.port, bytes.as_bytes());
        // At most the call is answered; what is behind it never is.
        assert!(is_closed && statuses.len() <= 1, "{what}: {statuses:?}, closed: {is_closed}");
    }
    // A second Authorization, whichever comes first, opens nothing, and what is behind it is a request of its own.
    for other in ["authorization: Bearer x", "authorization: Basic eDp5", "authorization:", "Authorization: bearer x"] {
        for both in [format!("{head}\r\n{other}"), head.replace("authorization:", &format!("{other}\r\nauthorization:"))] {
            let bytes = format!("{both}\r\ncontent-length: {length}\r\n\r\n{ping}{RESIDUE}");
            assert_eq!(statuses(board.port, bytes.as_bytes()).0, [401, 200], "{other}");
        }
    }
    // A bare newline ends a line (RFC 9112 2.2), here as anywhere in a head: it hides nothing.
    let bare = format!("{head}\r\ncontent-length: {length}\r\n\r\n{ping}").replace("\r\n", "\n");
    assert_eq!(statuses(board.port, format!("{bare}{RESIDUE}").as_bytes()).0, [200, 200]);
    goes_on(board);
}

#[test]
fn a_form_that_comes_too_slowly_is_given_up() {
    let board = Board::start("demo");
    let own = format!("origin: http://localhost:{}", board.port);
    let begin = |path: &str, framing: &str| {
        let mut wire = Wire::open(board.port);
        let kind = if path == "/register" { "application/json" } else { "application/x-www-form-urlencoded" };
        let head = format!("POST {path} HTTP/1.1\r\nhost: localhost:{}\r\n{own}\r\ncontent-type: {kind}\r\n", board.port);
        wire.send(format!("{head}{framing}").as_bytes()).unwrap();
        wire.patience(Duration::from_secs(perchd::limits::BODY_SECS + 5));
        wire
    };
    let paths = ["/register", "/token", "/revoke", "/authorize", "/consent", "/device", "/device_authorization"];
    let framings = ["content-length: 4000\r\n\r\na", "transfer-encoding: chunked\r\n\r\n1\r\na\r\n"];
    let mut wires: Vec<_> = paths.iter().flat_map(|path| framings.map(|framing| begin(path, framing))).collect();
    // A byte now and then does not buy more time.
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(perchd::limits::BODY_SECS - 4) {
        std::thread::sleep(Duration::from_secs(2));
        wires.iter_mut().step_by(2).for_each(|wire| wire.send(b"a").unwrap());
    }
    for wire in &mut wires {
        let reply = wire.reply().unwrap();
        assert_eq!((reply.status, reply.header("connection")), (408, Some("close")), "{reply:?}");
        assert!(wire.is_closed());
    }
    assert!(began.elapsed() < Duration::from_secs(perchd::limits::BODY_SECS + 3));
    goes_on(board);
}

#[test]
fn a_wish_that_cannot_be_met_holds_nothing_up() {
    let board = Board::start("demo");
    for lines in [
        "expect: 200-maybe",
        "upgrade: websocket\r\nconnection: upgrade",
        "upgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABkAAQAAP__",
    ] {
        let bytes = format!("GET /mcp HTTP/1.1\r\nhost: localhost\r\n{lines}\r\n\r\n");
        let (statuses, _) = statuses(board.port, bytes.as_bytes());
        assert_eq!(statuses, [401], "{lines}");
    }
    goes_on(board);
}
