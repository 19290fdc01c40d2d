//! What the server says, and who does not listen.

use crate::board::Board;
use crate::board::{Folder, command};
use crate::wire::rpc;
use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

#[test]
fn a_stderr_that_nobody_reads_does_not_stop_the_server() {
    let folder = Folder::new();
    let mut child = command()
        .args(["serve", "--auth", "open", "--listen", "127.0.0.1:0", "--state"])
        .arg(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut first).unwrap();
    let port = first.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:")).unwrap().parse().unwrap();
    // A pipe holds 16 pieces of at most 4 KiB, each of them as much as was written at once; each call is a line.
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;
    for _ in 0..2000 {
        assert_eq!(rpc(port, call).status, 200);
    }
    let mut stderr = child.stderr.take().unwrap();
    let mut some = vec![0; 30_000];
    stderr.read_exact(&mut some).unwrap();
    assert_eq!(rpc(port, call).status, 200);
    std::thread::sleep(10 * std::time::Duration::from_millis(perchd::limits::AUDIT_HOLD_MS));
    child.kill().unwrap();
    child.wait().unwrap();
    let mut rest = String::new();
    stderr.read_to_string(&mut rest).unwrap();
    let told = String::from_utf8(some).unwrap() + &rest;
    assert!(told.contains("lines were dropped here"), "{}", &told[told.len() - 300..]);
    assert!(told.lines().all(|line| line.starts_with("audit: {") || line.starts_with("info: ") || line.starts_with("warn: ")));
}

/// A line about what was only read may wait for others, but not for long, and not behind one that is written at once.
#[test]
fn a_call_is_told_of_though_nobody_calls_after_it() {
    let board = Board::start("demo");
    let client = crate::sign_in::Client::register(board.port);
    let tokens = client.sign_in("ada", crate::oauth::SCOPES);
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;
    let calls = 500;
    for _ in 0..calls {
        assert_eq!(tokens.rpc(board.port, call).status, 200);
    }
    let begun = std::time::Instant::now();
    while board.times("\"event\":\"tool_called\"") < calls {
        assert!(begun.elapsed().as_secs() < 10, "{} lines", board.times("tool_called"));
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(tokens.rpc(board.port, call).status, 200);
    assert_eq!(client.revoke(&tokens.refresh).status, 200);
    let told = board.told();
    let events: Vec<_> = told.lines().filter_map(|line| line.split("\"event\":\"").nth(1)?.split('"').next()).collect();
    assert_eq!(events[events.len() - 2..], ["tool_called", "revoked"], "{events:?}");
}

/// Whoever floods the server with requests that it refuses does not flood its log, nor hide what others do.
#[test]
fn a_flood_of_refusals_is_a_few_lines_and_a_sign_in_is_among_them() {
    let board = Board::start("demo");
    let mut wire = crate::wire::Wire::open(board.port);
    for number in 0..500 {
        let forged = format!("authorization: Bearer forged{number}");
        wire.send(&crate::wire::request(board.port, "GET /mcp", &[&forged], "")).unwrap();
        assert_eq!(wire.reply().unwrap().status, 401);
    }
    let client = crate::sign_in::Client::register(board.port);
    assert!(client.sign_in("ada", crate::oauth::SCOPES).is_good(board.port));
    let told = board.told();
    let count = |event: &str| told.matches(&format!("\"event\":\"{event}\"")).count();
    assert_eq!(count("bearer_refused"), perchd::limits::STRANGERS_LINES as usize, "{told}");
    assert_eq!(["registered", "signed_in", "approved", "token_issued"].map(count), [1; 4]);
}
