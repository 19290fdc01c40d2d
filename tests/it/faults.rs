//! Faults around the server: it is told to stop under load, it is killed, its disk is full or cannot be written to.

use crate::board::{Board, Folder};
use crate::elsewhere::alone;
use crate::oauth::{HELLO, SCOPES, sse};
use crate::sign_in::{Client, JSON, bearer};
use crate::wire::{Wire, ask, request};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const TOML: &str = "[auth]\nmode = \"open\"\n[[tool]]\nname = \"slow\"\nabout = \"Takes its time\"\neffect = \"read\"\n\
                    run = [\"/bin/sleep\", \"0.3\"]\nconcurrency = 64\n";
const SLOW: &str = r#"{"jsonrpc":"2.0","id":"s","method":"tools/call","params":{"name":"slow","arguments":{}}}"#;
const ADD: &str = r#"{"jsonrpc":"2.0","id":"a","method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}"#;

/// Calls over one connection until it ends; when the last call was sent that was not answered, if one was.
fn call(port: u16, body: &str, answered: &AtomicUsize, over: &AtomicBool) -> Option<Instant> {
    let mut wire = Wire::open(port);
    while !over.load(Ordering::Relaxed) {
        let sent = Instant::now();
        if wire.send(&request(port, "POST /mcp", &[JSON], body)).is_err() {
            return Some(sent);
        }
        let Ok(head) = wire.head() else { return Some(sent) };
        let is_last = head.header("connection") == Some("close");
        let reply = wire.body(head).expect("a reply that was begun is lost");
        assert!(reply.status == 200 && reply.body.contains("\"isError\":false"), "{reply:?}");
        answered.fetch_add(1, Ordering::Relaxed);
        if is_last {
            assert!(wire.is_closed());
            return None;
        }
    }
    None
}

#[test]
fn sigterm_under_load_loses_no_reply_that_was_begun() {
    let mut board = Board::configured(TOML);
    let (answered, over) = (AtomicUsize::new(0), AtomicBool::new(false));
    let port = board.port;
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..40)
            .map(|n| {
                let (answered, over) = (&answered, &over);
                scope.spawn(move || call(port, if n % 2 == 0 { SLOW } else { ADD }, answered, over))
            })
            .collect();
        std::thread::sleep(Duration::from_secs(1));
        let before = answered.load(Ordering::Relaxed);
        let told = Instant::now();
        board.terminate();
        let (code, took, stderr) = board.wait();
        over.store(true, Ordering::Relaxed);
        assert_eq!(code, Some(0), "{stderr}");
        let lost: Vec<_> = callers.into_iter().filter_map(|caller| caller.join().unwrap()).collect();
        let early = lost.iter().filter(|sent| **sent < told).count();
        let after = answered.load(Ordering::Relaxed);
        println!(
            "fault: SIGTERM under load: {before} answered before it, {} after it, {early} lost; ended in {took:?}",
            after - before
        );
        assert_eq!(early, 0, "requests that were sent before the signal are not answered");
        assert!(after - before >= 20 && took < Duration::from_secs(5));
    });
}

#[test]
fn clients_go_on_after_a_kill() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let session = format!("mcp-session-id: {}", tokens.rpc(board.port, HELLO).header("mcp-session-id").unwrap());
    let (mut stream, _) = sse(&board, &tokens);
    let board = board.power_cut();
    assert!(stream.event().is_err(), "the stream broke");
    let reply = ask(board.port, "POST /mcp", &[JSON, &bearer(&tokens.access), &session], ADD);
    assert!(reply.status == 200 && reply.body.contains(r#""text":"5""#), "{reply:?}");
    let (mut stream, path) = sse(&board, &tokens);
    assert_eq!(ask(board.port, &format!("POST {path}"), &[JSON, &bearer(&tokens.access)], ADD).status, 202);
    assert!(stream.event().unwrap().unwrap().contains(r#""text":"5""#));
    assert_eq!(client.refresh(&tokens.refresh).status, 200);
}

/// A server whose state is on a disk of 256 KiB, and what a client of curl does there: `call` prints a status.
const SMALL: &str = r#"
mount -t tmpfs -o size=256k tmpfs /mnt
state=/mnt/state
serve "$PERCHD" serve --auth demo --listen 127.0.0.1:8787 --state $state
base=http://localhost:8787
until_so far $base/
token() { "$PERCHD" token new --state $state --scope math --ttl 1h --name $1 2>/dev/null; }
call() { far -o /dev/null -w '%{http_code}\n' -H "authorization: Bearer $1" -H 'content-type: application/json' \
    -d '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}' $base/mcp; }
register() { far -o /dev/null -w '%{http_code}\n' -H 'content-type: application/json' \
    -d '{"redirect_uris":["http://localhost:1/callback"]}' $base/register; }
revoke() { "$PERCHD" revoke --state $state --name $1 >/dev/null 2>&1 && echo revoked || echo "not kept"; }
one=$(token one)
two=$(token two)
call $one
"#;

/// What was revoked meanwhile is written when there is room, and holds in the next life of the server.
const AGAIN: &str = r#"
for _ in $(seq 300); do test -s $state/revoked && break; sleep 0.2; done
stop
serve "$PERCHD" serve --auth demo --listen 127.0.0.1:8787 --state $state
until_so far $base/
call $one
call $two
"#;

#[test]
fn a_full_disk_hinders_nobody_and_a_revocation_is_written_later() {
    let full = "dd if=/dev/zero of=/mnt/filler bs=4k 2>/dev/null || true\n";
    let room = "rm /mnt/filler\n";
    let told =
        alone(&Folder::new(), &format!("{SMALL}{full}call $two\nregister\nrevoke one\ncall $one\ncall $two\n{room}{AGAIN}"));
    assert_eq!(told, ["200", "200", "201", "not kept", "401", "200", "401", "200"]);
}

#[test]
fn a_state_that_cannot_be_written_hinders_nobody_and_a_revocation_is_written_later() {
    let read_only = "mount -o remount,ro /mnt\n";
    let writable = "mount -o remount,rw /mnt\n";
    let told = alone(
        &Folder::new(),
        &format!("{SMALL}{read_only}call $two\nregister\nrevoke one\ncall $one\ncall $two\n{writable}{AGAIN}"),
    );
    assert_eq!(told, ["200", "200", "201", "not kept", "401", "200", "401", "200"]);
}

#[test]
fn a_state_that_cannot_be_written_still_starts() {
    let script = "mount -o remount,ro /mnt\nstop\nserve \"$PERCHD\" serve --auth demo --listen 127.0.0.1:8787 --state $state\n\
                  until_so far $base/\ncall $one\nregister\n";
    assert_eq!(alone(&Folder::new(), &format!("{SMALL}{script}")), ["200", "200", "201"]);
}
