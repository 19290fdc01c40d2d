//! Clients that do their worst, each kind with a figure. While each is at it, a well-behaved client's calls succeed, and soon.

use crate::board::Board;
use crate::oauth::SCOPES;
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::tls::{ca, over_tls, trusting};
use crate::wire::{Wire, connect_from, request};
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// From everywhere, one address may have as many connections as it has by default from another machine.
const DEMO: &str = "[auth]\nmode = \"demo\"\n[limits]\nconnections_per_address = 160\n";
/// Whence they come; the well-behaved client comes from 127.0.0.1.
const BAD: &str = "127.0.0.2";
const P99: Duration = Duration::from_millis(250);
const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}"#;
/// How long each kind goes on at least.
const LONG: Duration = Duration::from_secs(3);

/// What a well-behaved client saw.
struct Seen {
    took: Vec<Duration>,
    wrong: Vec<String>,
}

impl Seen {
    fn percentile(&self, percent: usize) -> Duration {
        let mut took = self.took.clone();
        took.sort_unstable();
        took[(took.len() - 1) * percent / 100]
    }
}

/// How a client connects.
type Connect<'a> = &'a (dyn Fn() -> Wire + Sync);

/// Calls until it is told to stop; every fourth time over a connection of its own if there may be one more.
fn behave(connect: Connect<'_>, port: u16, tokens: &Tokens, connects_anew: bool, over: &AtomicBool) -> Seen {
    let mut seen = Seen { took: Vec::new(), wrong: Vec::new() };
    let bytes = request(port, "POST /mcp", &[JSON, &bearer(&tokens.access)], ADD);
    let mut kept = connect();
    while !over.load(Ordering::Relaxed) || seen.took.len() < 100 {
        let began = Instant::now();
        let mut fresh = (connects_anew && seen.took.len() % 4 == 3).then(connect);
        let wire = fresh.as_mut().unwrap_or(&mut kept);
        let answer = wire.send(&bytes).and_then(|()| wire.reply());
        seen.took.push(began.elapsed());
        match answer {
            Ok(reply) if reply.status == 200 && reply.body.contains(r#""text":"5""#) => {}
            other => {
                seen.wrong.push(format!("{other:?}"));
                kept = connect();
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    seen
}

/// Has a well-behaved client call while `attack` goes on, and prints what came of both.
fn while_under(what: &str, board: &Board, connects_anew: bool, attack: impl Fn(&Tokens) -> String) {
    let port = board.port;
    let connect = || Wire::open(port);
    while_under_by(what, board, &connect, connects_anew, attack);
}

fn while_under_by(what: &str, board: &Board, connect: Connect<'_>, connects_anew: bool, attack: impl Fn(&Tokens) -> String) {
    let tokens = Client::register(board.port).sign_in("ada", SCOPES);
    let port = board.port;
    let once = || {
        let over = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let good = scope.spawn(|| behave(connect, port, &tokens, connects_anew, &over));
            // Who behaves is in before the others come.
            std::thread::sleep(Duration::from_millis(100));
            let ending = Ending(&over);
            let figure = attack(&tokens);
            drop(ending);
            let seen = good.join().unwrap();
            let (calls, p50, p99) = (seen.took.len(), seen.percentile(50), seen.percentile(99));
            println!(
                "abuse: {what}: {figure}; beside it {calls} calls, {} wrong, p50 {:.1} ms, p99 {:.1} ms; at most {} KiB resident",
                seen.wrong.len(),
                p50.as_secs_f64() * 1e3,
                p99.as_secs_f64() * 1e3,
                board.peak_kib()
            );
            assert!(seen.wrong.is_empty(), "{what}: {:?}", &seen.wrong[..seen.wrong.len().min(5)]);
            p99
        })
    };
    // Another program may have had the processors: once more, before it is the server's fault.
    let p99 = once();
    assert!(p99 < P99 || once() < P99, "{what}: {p99:?}");
    assert!(tokens.is_good(port));
}

/// Ends what goes on beside an attack, also when the attack fails.
struct Ending<'a>(&'a AtomicBool);

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// So many sockets of one address, or, with none named, of two hundred.
fn sockets(count: usize, address: Option<&str>, port: u16) -> Vec<TcpStream> {
    let of = |n: usize| address.map_or_else(|| format!("127.0.1.{}", n % 200 + 1), str::to_owned);
    (0..count).filter_map(|n| connect_from(&of(n), port).ok()).collect()
}

/// How many of them were turned away with 503 and `Retry-After`, and how many are ended one way or the other.
fn turned_away(sockets: &mut [TcpStream]) -> (usize, usize) {
    let (mut refused, mut ended) = (0, 0);
    for socket in sockets {
        socket.set_nonblocking(true).unwrap();
        let mut head = [0; 256];
        match socket.read(&mut head) {
            Ok(0) => ended += 1,
            Ok(read) => {
                let text = String::from_utf8_lossy(&head[..read]);
                assert!(text.starts_with("HTTP/1.1 503") && text.contains("retry-after: 5"), "{text}");
                refused += 1;
            }
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => ended += 1,
        }
    }
    (refused, ended)
}

/// Does something again and again for as long as a kind goes on.
fn for_long(mut act: impl FnMut()) {
    let began = Instant::now();
    while began.elapsed() < LONG {
        act();
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn two_thousand_slow_heads() {
    let board = Board::configured(DEMO);
    while_under("2,000 slow heads of one address", &board, true, |_| {
        let mut bad = sockets(2000, Some(BAD), board.port);
        let mut sent = 0;
        for_long(|| {
            sent += bad.iter_mut().filter_map(|socket| socket.write(b"G").ok()).sum::<usize>();
        });
        let (refused, ended) = turned_away(&mut bad);
        let held = bad.len() - refused - ended;
        assert!(held <= 160 && refused >= 1000, "{held} held, {refused} refused, {ended} ended");
        format!("{held} held, {refused} answered 503, {ended} reset, {sent} bytes of heads")
    });
}

#[test]
fn two_thousand_slow_heads_of_many_addresses() {
    let board = Board::configured(DEMO);
    // All places are taken: who is in goes on, nobody comes in.
    while_under("2,000 slow heads of 200 addresses", &board, false, |_| {
        let mut bad = sockets(2000, None, board.port);
        for_long(|| bad.iter_mut().for_each(|socket| drop(socket.write(b"G"))));
        let (refused, ended) = turned_away(&mut bad);
        let held = bad.len() - refused - ended;
        assert!(held < 320 && refused >= 1000, "{held} held, {refused} refused, {ended} ended");
        format!("{held} held, {refused} answered 503, {ended} reset")
    });
}

#[test]
fn slow_bodies() {
    let board = Board::configured(DEMO);
    while_under("slow bodies", &board, true, |tokens| {
        let head = request(board.port, "POST /mcp", &[JSON, &bearer(&tokens.access), "content-length: 1000000"], "");
        let mut bad = sockets(160, Some(BAD), board.port);
        for socket in &mut bad {
            socket.write_all(&head).unwrap();
        }
        let mut sent = 0;
        for_long(|| sent += bad.iter_mut().filter_map(|socket| socket.write(b" ").ok()).sum::<usize>());
        format!("{} of them, {sent} bytes", bad.len())
    });
}

/// A stream of its own socket, and where to post to it.
fn stream(board: &Board, tokens: &Tokens) -> (Wire, String) {
    let mut wire = Wire::from(BAD, board.port);
    wire.send(&request(board.port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
    assert_eq!(wire.head().unwrap().status, 200);
    let endpoint = wire.event().unwrap().unwrap();
    (wire, endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned())
}

#[test]
fn slow_readers_of_sse() {
    let board = Board::configured(DEMO);
    while_under("100 readers of /sse that do not read", &board, true, |tokens| {
        let streams: Vec<_> = (0..100).map(|_| stream(&board, tokens)).collect();
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let mut wire = Wire::open(board.port);
        let (mut taken, mut cut) = (0, 0);
        for _ in 0..60 {
            for (_, path) in &streams {
                wire.send(&request(board.port, &format!("POST {path}"), &[JSON, &bearer(&tokens.access)], list)).unwrap();
                match wire.reply().unwrap().status {
                    202 => taken += 1,
                    404 => cut += 1,
                    status => panic!("{status}"),
                }
            }
        }
        format!("{taken} lists taken for them, {cut} refused as they were cut off")
    });
    assert!(board.peak_kib() < 64 * 1024, "{} KiB", board.peak_kib());
}

#[test]
fn ten_thousand_messages_to_a_stream_that_nobody_reads() {
    let board = Board::configured(DEMO);
    while_under("10,000 messages to a stream that nobody reads", &board, true, |tokens| {
        let (_stream, path) = stream(&board, tokens);
        let list = r#"{"jsonrpc":"2.0","id":1,"method":"tools/list"}"#;
        let bytes = request(board.port, &format!("POST {path}"), &[JSON, &bearer(&tokens.access)], list);
        let mut wire = Wire::open(board.port);
        let mut taken = 0;
        for _ in 0..10_000 {
            wire.send(&bytes).unwrap();
            taken += usize::from(wire.reply().unwrap().status == 202);
        }
        assert!(taken < 10_000, "it is never cut off");
        format!("cut off after {taken}")
    });
    assert!(board.peak_kib() < 16 * 1024, "{} KiB", board.peak_kib());
}

#[test]
fn half_open_sockets() {
    let board = Board::configured(DEMO);
    while_under("2,000 half-open sockets", &board, true, |_| {
        let mut ended = 0;
        for _ in 0..20 {
            let mut bad = sockets(100, Some(BAD), board.port);
            for socket in &mut bad {
                let _ = socket.write_all(b"POST /mcp HTTP/1.1\r\nhost: loc");
                let _ = socket.shutdown(Shutdown::Write);
            }
            // Who will send nothing more is not waited for.
            for socket in &mut bad {
                socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
                let read = socket.read_to_end(&mut Vec::new());
                ended += usize::from(read.is_ok() || read.is_err_and(|error| error.kind() != std::io::ErrorKind::WouldBlock));
            }
        }
        assert_eq!(ended, 2000);
        format!("{ended} ended by the server")
    });
}

#[test]
fn connections_beyond_the_cap() {
    let board = Board::configured(DEMO);
    while_under("1,000 connections of 200 addresses, three times", &board, false, |_| {
        let mut figures = Vec::new();
        for _ in 0..3 {
            let mut bad = sockets(1000, None, board.port);
            // The last of them have been accepted when they are refused.
            bad.last_mut().unwrap().set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            assert!(bad.last_mut().unwrap().peek(&mut [0]).unwrap() > 0);
            let (refused, ended) = turned_away(&mut bad);
            assert!((680..=700).contains(&refused) && ended == 0, "{refused} refused, {ended} ended");
            figures.push(refused.to_string());
            drop(bad);
            std::thread::sleep(Duration::from_millis(300));
        }
        format!("{} answered 503", figures.join(", "))
    });
}

#[test]
fn no_file_is_left() {
    let under = ["sh", "-c", "ulimit -n 64; exec \"$0\" \"$@\""].map(str::to_owned);
    let board = Board::under(under.into(), "[auth]\nmode = \"demo\"\n");
    while_under("500 connections under ulimit -n 64", &board, false, |_| {
        let mut bad = sockets(500, Some(BAD), board.port);
        std::thread::sleep(LONG);
        let most = board.files();
        let (refused, ended) = turned_away(&mut bad);
        assert!(refused >= 400 && most < 64, "{refused} refused, {ended} ended, {most} files");
        format!("{refused} answered 503, {most} files open")
    });
    // And recovers.
    let free = (0..500).any(|_| {
        std::thread::sleep(Duration::from_millis(20));
        let mut wire = Wire::open(board.port);
        let _ = wire.send(&request(board.port, "GET /", &[], ""));
        wire.head().is_ok_and(|head| head.status == 200)
    });
    assert!(free);
}

#[test]
fn ten_thousand_registrations() {
    let board = Board::configured(DEMO);
    while_under("10,000 registrations", &board, true, |_| {
        let before = board.resident_kib();
        let body = r#"{"client_name":"bad","redirect_uris":["http://localhost:1/callback"]}"#;
        let bytes = request(board.port, "POST /register", &[JSON], body);
        let mut wire = Wire::from(BAD, board.port);
        let (mut made, mut refused) = (0, 0);
        for _ in 0..10_000 {
            wire.send(&bytes).unwrap();
            let reply = wire.reply().unwrap();
            match reply.status {
                201 => made += 1,
                429 | 503 => refused += usize::from(reply.header("retry-after").is_some()),
                status => panic!("{status}"),
            }
        }
        let grown = board.resident_kib().saturating_sub(before);
        assert!(made + refused == 10_000 && grown < 1024, "{made} made, {refused} refused, {grown} KiB");
        format!("{made} made, {refused} told when to try again, {grown} KiB grown")
    });
}

#[test]
fn a_flood_of_garbage_tokens() {
    let board = Board::configured(DEMO);
    while_under("40,000 garbage tokens over 4 connections", &board, true, |tokens| {
        let began = Instant::now();
        std::thread::scope(|scope| {
            for worker in 0..4 {
                let (port, good) = (board.port, &tokens.access);
                scope.spawn(move || {
                    let mut wire = Wire::from(BAD, port);
                    for n in 0..10_000_usize {
                        // One that is nearly good, and one that is nothing.
                        let near = format!("{}{}", &good[..good.len() - 1 - n % 40], "A".repeat(n % 40 + 1));
                        let token = if n % 2 == worker % 2 { near } else { "x".repeat(n % 2000 + 1) };
                        wire.send(&request(port, "POST /mcp", &[JSON, &bearer(&token)], ADD)).unwrap();
                        let status = wire.reply().unwrap().status;
                        assert!(status == 401 || token == *good, "{status}");
                    }
                });
            }
        });
        format!("refused in {:.1} s", began.elapsed().as_secs_f64())
    });
}

#[test]
fn a_body_of_a_hundred_megabytes_in_chunks() {
    let board = Board::configured(DEMO);
    while_under("100 MB in chunks, with a token and without", &board, true, |tokens| {
        let before = board.resident_kib();
        let chunk = [&b"10000\r\n"[..], " ".repeat(0x10000).as_bytes(), b"\r\n"].concat();
        let send = |headers: &[&str]| {
            let mut socket = connect_from(BAD, board.port).unwrap();
            let headers = [&[JSON, "transfer-encoding: chunked"], headers].concat();
            socket.write_all(&request(board.port, "POST /mcp", &headers, "")).unwrap();
            (0..1600).take_while(|_| socket.write_all(&chunk).is_ok()).count() * 64
        };
        let (with, without) = (send(&[&bearer(&tokens.access)]), send(&[]));
        let grown = board.peak_kib().saturating_sub(before);
        assert!(with < 20_000 && without < 20_000, "{with} KiB and {without} KiB were taken");
        assert!(grown < 4096, "{grown} KiB");
        format!("ended after {with} KiB and {without} KiB, {grown} KiB grown")
    });
}

#[test]
fn header_bombs() {
    let board = Board::configured(DEMO);
    let bomb = |kind: usize| match kind {
        0 => format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}\r\n", "x: y\r\n".repeat(100_000)),
        1 => format!("GET / HTTP/1.1\r\nhost: localhost\r\nx: {}\r\n\r\n", "y".repeat(600_000)),
        2 => format!("GET /{} HTTP/1.1\r\nhost: localhost\r\n\r\n", "y".repeat(600_000)),
        _ => format!("GET / HTTP/1.1\r\nhost: localhost\r\n{}: y\r\n\r\n", "x".repeat(600_000)),
    };
    let bombs: Vec<String> = (0..4).map(bomb).collect();
    while_under("400 header bombs of 600 KB", &board, true, |_| {
        let mut refused = 0;
        for bomb in bombs.iter().cycle().take(400) {
            let mut socket = connect_from(BAD, board.port).unwrap();
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let _ = socket.write_all(bomb.as_bytes());
            let mut told = Vec::new();
            let _ = socket.read_to_end(&mut told);
            let told = String::from_utf8_lossy(&told);
            assert!(told.is_empty() || told.starts_with("HTTP/1.1 431") || told.starts_with("HTTP/1.1 414"), "{told}");
            refused += 1;
        }
        format!("{refused} refused")
    });
    assert!(board.peak_kib() < 16 * 1024, "{} KiB", board.peak_kib());
}

#[test]
fn pipelining() {
    let board = Board::configured(DEMO);
    while_under("pipelining", &board, true, |tokens| {
        let bytes = request(board.port, "POST /mcp", &[JSON, &bearer(&tokens.access)], ADD).repeat(10_000);
        let socket = connect_from(BAD, board.port).unwrap();
        let mut writer = socket.try_clone().unwrap();
        let mut wire = Wire::over(socket, |socket| Box::new(socket));
        let answered = std::thread::scope(|scope| {
            scope.spawn(|| writer.write_all(&bytes).unwrap());
            (0..10_000).filter(|_| wire.reply().is_ok_and(|reply| reply.body.contains(r#""text":"5""#))).count()
        });
        assert_eq!(answered, 10_000);
        // And one who reads nothing of it: the server does not go on for ever.
        let mut deaf = connect_from(BAD, board.port).unwrap();
        deaf.set_write_timeout(Some(Duration::from_secs(2))).unwrap();
        let mut sent = 0;
        while let Ok(written) = deaf.write(&bytes[sent % bytes.len()..]) {
            sent += written;
            assert!(sent < 200_000_000, "it takes requests whose answers nobody reads");
        }
        format!("{answered} answered in their order; who reads nothing is stopped after {} KB", sent / 1000)
    });
    assert!(board.peak_kib() < 16 * 1024, "{} KiB", board.peak_kib());
}

#[test]
fn floods_of_tls_handshakes() {
    let board = Board::configured(&format!("{DEMO}[tls]\nmode = \"own\"\n"));
    let trusting = trusting(&ca(&board));
    let port = board.port;
    let connect = || over_tls(&trusting, "localhost", port);
    while_under_by("TLS handshakes", &board, &connect, true, |_| {
        let mut whole = 0;
        let mut begun = 0;
        let began = Instant::now();
        while began.elapsed() < LONG {
            // The head of a handshake, and no more of it.
            let mut bad = sockets(100, Some(BAD), board.port);
            begun += bad.iter_mut().filter_map(|socket| socket.write_all(&[22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]).ok()).count();
            for _ in 0..20 {
                let mut wire = over_tls(&trusting, "localhost", board.port);
                whole += usize::from(wire.send(b"GET / HTTP/1.0\r\n\r\n").is_ok());
            }
        }
        assert!(begun > 100 && whole > 20);
        format!("{begun} begun and left, {whole} completed")
    });
}

#[test]
fn streams_beyond_the_cap() {
    let board = Board::configured("[auth]\nmode = \"demo\"\n");
    while_under("300 streams", &board, true, |tokens| {
        let open = || {
            let mut wire = Wire::open(board.port);
            wire.send(&request(board.port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
            (wire.head().unwrap().status, wire)
        };
        let before = board.resident_kib();
        let held: Vec<_> = (0..300).map(|_| open()).collect();
        let opened = held.iter().filter(|(status, _)| *status == 200).count();
        assert!(opened == 256 && held.iter().all(|(status, _)| [200, 503].contains(status)), "{opened}");
        let grown = board.resident_kib().saturating_sub(before);
        std::thread::sleep(LONG);
        format!("{opened} opened, the rest answered 503, {grown} KiB grown")
    });
}
