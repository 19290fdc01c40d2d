//! Two servers with one key ring behind HAProxy, as the manual has it: either one may be gone, and nobody signs in again.

use crate::board::{Board, Folder};
use crate::oauth::{HELLO, SCOPES};
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::wire::{Reply, Wire, ask, request};
use std::fs;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

const MANUAL: &str = include_str!("../../src/manual/balancer.md");
const TOML: &str = "[auth]\nmode = \"demo\"\naudience = \"boards\"\n";
/// What the log says of each call.
const CALLED: &str = r#""event":"tool_called""#;
const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3}}}"#;
const STATELESS: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":2,"b":3},"_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientCapabilities":{}}}}"#;

/// The recipe of the manual.
fn recipe() -> &'static str {
    MANUAL.split_once("```haproxy\n").unwrap().1.split_once("```").unwrap().0
}

/// A HAProxy that runs by it.
struct Balancer {
    child: Child,
    port: u16,
    _folder: Folder,
}

impl Balancer {
    fn start(boards: &[Board; 2]) -> Balancer {
        let folder = Folder::new();
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut text = recipe().to_owned();
        // TLS has its own tests; the servers are here, and so is the client.
        for (there, here) in [
            (":443 ssl crt /etc/haproxy/boards.pem".to_owned(), format!("127.0.0.1:{port}")),
            ("192.0.2.1:8787".to_owned(), format!("127.0.0.1:{}", boards[0].port)),
            ("192.0.2.2:8787".to_owned(), format!("127.0.0.1:{}", boards[1].port)),
        ] {
            assert!(text.contains(&there), "{there}");
            text = text.replace(&there, &here);
        }
        let file = folder.path().join("haproxy.cfg");
        fs::write(&file, text).unwrap();
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(&file).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = command.spawn().expect("haproxy, of Debian's package");
        let balancer = Balancer { child, port, _folder: folder };
        until("HAProxy is there", || TcpStream::connect(("127.0.0.1", port)).is_ok());
        until("it knows its servers", || ask(port, "GET /", &[], "").status == 200);
        balancer
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < Duration::from_secs(20), "{what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

fn boards() -> [Board; 2] {
    let one = Board::configured(TOML);
    let two = Board::configured(TOML);
    fs::copy(one.state().join("keys"), two.state().join("keys")).unwrap();
    [one, two.power_cut()]
}

fn is_five(reply: &Reply) -> bool {
    reply.status == 200 && reply.body.contains(r#""text":"5""#)
}

/// Calls in both dialects, with one sealed session and without, each over a connection of its own.
fn calls(port: u16, tokens: &Tokens, session: &str) {
    let bearer = bearer(&tokens.access);
    for n in 0..20 {
        let with = ask(port, "POST /mcp", &[JSON, &bearer, session], ADD);
        assert!(is_five(&with), "{n}: {with:?}");
        let headers = [
            JSON,
            &bearer,
            "accept: application/json, text/event-stream",
            "mcp-protocol-version: 2026-07-28",
            "mcp-method: tools/call",
            "mcp-name: add",
        ];
        let without = ask(port, "POST /mcp", &headers, STATELESS);
        assert!(is_five(&without), "{n}: {without:?}");
    }
}

fn stream(port: u16, tokens: &Tokens) -> (Wire, String) {
    let mut wire = Wire::open(port);
    wire.send(&request(port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
    assert_eq!(wire.head().unwrap().status, 200);
    let endpoint = wire.event().unwrap().unwrap();
    (wire, endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned())
}

/// A call over `/sse`, and its answer.
fn call_over(port: u16, tokens: &Tokens, (wire, path): &mut (Wire, String)) {
    assert_eq!(ask(port, &format!("POST {path}"), &[JSON, &bearer(&tokens.access)], ADD).status, 202);
    assert!(wire.event().unwrap().unwrap().contains(r#""text":"5""#));
}

#[test]
fn either_server_is_killed_and_nobody_signs_in_again() {
    let mut boards = boards();
    let balancer = Balancer::start(&boards);
    let port = balancer.port;
    let client = Client::register(port);
    let mut tokens = client.sign_in("ada", SCOPES);
    let session = format!("mcp-session-id: {}", tokens.rpc(port, HELLO).header("mcp-session-id").unwrap());
    calls(port, &tokens, &session);
    // What they say of it comes a moment later.
    until("each server has its share of 40 calls", || boards.iter().all(|board| board.times(CALLED) >= 15));
    for gone in [0, 1] {
        let mut on_stream = stream(port, &tokens);
        call_over(port, &tokens, &mut on_stream);
        boards[gone].kill();
        calls(port, &tokens, &session);
        // Its stream is there still, or broke and is opened anew.
        let mut again = stream(port, &tokens);
        call_over(port, &tokens, &mut again);
        tokens = Tokens::read(&client.refresh(&tokens.refresh));
        calls(port, &tokens, &session);
        let [one, two] = boards;
        boards = if gone == 0 { [one.power_cut(), two] } else { [one, two.power_cut()] };
        let revived = &boards[gone];
        until("the balancer has noticed", || {
            assert!(tokens.is_good(port));
            calls(port, &tokens, &session);
            revived.times(CALLED) > 0
        });
    }
}

/// As it stands in the manual, with a certificate where it says so.
#[test]
fn the_recipe_is_good_as_it_stands() {
    let board = Board::configured("[auth]\nmode = \"open\"\n[tls]\nmode = \"own\"\n");
    let read = |name: &str| fs::read_to_string(board.state().join(name)).unwrap();
    let folder = Folder::new();
    let (pem, file) = (folder.path().join("boards.pem"), folder.path().join("haproxy.cfg"));
    fs::write(&pem, read("server.pem") + &read("server.key")).unwrap();
    fs::write(&file, recipe().replace("/etc/haproxy/boards.pem", pem.to_str().unwrap())).unwrap();
    let output = Command::new("haproxy").args(["-c", "-f"]).arg(&file).output().unwrap();
    assert!(output.status.success(), "{output:?}");
}
