//! The commands for the server that runs, as a person types them: each over its socket, and without a server where that can be.

use crate::board::{Board, Folder, command, is_root};
use crate::sign_in::{Browser, Client, Form, Redirect, Tokens, bearer};
use crate::wire::{Wire, ask, request};
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

const PAIRING: &str = "[auth]\nmode = \"pairing\"\n";

/// How a command ended, and what it said.
#[derive(Debug)]
pub(crate) struct Told {
    pub(crate) code: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a command to its end, with this on its stdin.
pub(crate) fn finish(mut command: Command, stdin: &str) -> Told {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // One that reads nothing may be gone already.
    let _ = child.stdin.take().unwrap().write_all(stdin.as_bytes());
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Told { code: output.status.code().unwrap_or(-1), stdout: text(output.stdout), stderr: text(output.stderr) }
}

pub(crate) fn run_with(state: &Path, words: &str, stdin: &str) -> Told {
    let mut command = command();
    command.args(words.split_whitespace()).arg("--state").arg(state);
    let file = state.join("perchd.toml");
    if file.exists() {
        command.arg("--config").arg(file);
    }
    finish(command, stdin)
}

fn run(state: &Path, words: &str) -> Told {
    run_with(state, words, "")
}

/// What a command prints that must succeed.
fn good(state: &Path, words: &str) -> String {
    let told = run(state, words);
    assert_eq!(told.code, 0, "{words}: {told:?}");
    told.stdout
}

fn mint(state: &Path, name: &str) -> String {
    good(state, &format!("token new --scope math --ttl 1h --name {name}")).trim().to_owned()
}

fn is_good(board: &Board, token: &str) -> bool {
    Tokens { access: token.to_owned(), refresh: String::new(), scope: String::new() }.is_good(board.port)
}

/// Signs in with a pairing code.
fn pair(board: &Board, client: &Client, code: &str) -> Option<Tokens> {
    let mut browser = Browser::new(board.port);
    let form = Form::read(&browser.open(&client.address()));
    let reply = browser.submit(&form, &[("code", code), ("action", "pair")]);
    (reply.body.contains("name=\"scope\"")).then(|| {
        let approved = browser.approve(&Form::read(&reply), &["math", "system:read"]);
        Tokens::read(&client.exchange(&Redirect::read(&approved).one("code")))
    })
}

/// Ends a server without warning; its state stays.
fn stopped(mut board: Board) -> Board {
    board.terminate();
    board.wait();
    board
}

#[test]
fn a_server_that_does_not_run_is_missed() {
    let folder = Folder::new();
    for words in ["pair", "health", "health --quiet"] {
        let told = run(folder.path(), words);
        assert_eq!(told.code, 69, "{told:?}");
        assert!(told.stderr.contains("no perchd runs with this state") && told.stderr.contains("perchd serve"), "{told:?}");
        assert!(told.stderr.contains(folder.path().to_str().unwrap()) && told.stdout.is_empty(), "{told:?}");
    }
    for words in ["token new --scope math --ttl 1h --name x", "revoke --all", "keys rotate", "keys export"] {
        let told = run(folder.path(), words);
        assert_eq!(told.code, 78, "{told:?}");
        assert!(told.stderr.contains("there is no key ring") && told.stderr.contains("perchd init"), "{told:?}");
    }
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was made");
}

#[test]
fn wrong_words_are_told_with_the_remedy() {
    let board = Board::configured(PAIRING);
    for (words, what) in [
        ("pair more", "unexpected argument \"more\""),
        ("pair --nonsense", "there is no option --nonsense"),
        ("pair --scope root", "there is no scope `root`\n  Name some of these: math system:read."),
        ("token", "`token` is followed by"),
        ("token new --ttl 1h --name x", "a token without a scope"),
        ("token new --scope math --name x", "--ttl is missing"),
        ("token new --scope math --ttl 1h", "--name is missing"),
        ("token new --scope root --ttl 1h --name x", "there is no scope `root`"),
        ("token new --scope math --ttl soon --name x", "--ttl soon: this is no time that a token can last\n  Write days"),
        ("token new --scope math --ttl 0 --name x", "this is no time"),
        ("token new --scope math --ttl 9999d --name x", "at most 366d"),
        ("token inspect", "there is no token on stdin"),
        ("token inspect one two", "takes one token"),
        ("revoke", "takes one of"),
        ("revoke --all --user anna", "takes one of"),
        ("revoke --client anna", "there is no such client"),
        ("revoke --token", "there is no token on stdin"),
        ("keys", "`keys` is followed by"),
        ("keys turn", "`keys` is followed by"),
        ("keys rotate --force", "there is no option --force"),
        ("keys import", "needs a file"),
        ("tools --scope root", "there is no scope `root`"),
        ("call", "followed by the name of a tool"),
        ("call nothing", "there is no tool `nothing`\n  See what there is: perchd tools"),
        ("call add a", "write NAME=VALUE"),
        ("call add c=1", "`add` has no argument `c`\n  It takes: a, b."),
        ("health now", "unexpected argument"),
        ("passwd anna --nonsense", "there is no option --nonsense"),
    ] {
        let told = run(board.state(), words);
        assert_eq!(told.code, 64, "{words}: {told:?}");
        assert!(told.stderr.contains(what) && told.stderr.contains("\n  ") && told.stdout.is_empty(), "{words}: {told:?}");
    }
}

#[test]
fn an_option_without_its_value_is_named() {
    for words in ["pair --user", "pair --state", "token new --ttl", "revoke --client", "tools --scope", "init --listen"] {
        let mut command = command();
        command.args(words.split_whitespace());
        let told = finish(command, "");
        assert_eq!(told.code, 64, "{told:?}");
        assert!(told.stderr.contains("missing argument for option"), "{told:?}");
    }
}

#[test]
fn every_command_has_help_that_fits_a_terminal() {
    for verb in ["init", "serve", "check", "tools", "call", "passwd", "polkit", "pair", "token", "revoke", "keys", "health"] {
        for option in ["--help", "-h"] {
            let mut command = command();
            command.args([verb, option]);
            let told = finish(command, "");
            assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{verb}");
            assert!(told.stdout.contains(&format!("perchd {verb}")) || verb == "serve", "{verb}: {}", told.stdout);
            assert!(told.stdout.lines().all(|line| line.chars().count() <= 80), "{verb}: {}", told.stdout);
        }
        let mut all = command();
        all.arg("--help");
        assert!(finish(all, "").stdout.contains(&format!("  {verb}")), "{verb}");
    }
}

#[test]
fn whoever_has_the_code_signs_in_once() {
    let board = Board::configured(PAIRING);
    let client = Client::register(board.port);
    let code = good(board.state(), "pair --user guest --scope math").trim().to_owned();
    assert!(code.len() == 9 && code.as_bytes()[4] == b'-', "{code}");
    let tokens = pair(&board, &client, &code).unwrap();
    assert_eq!(tokens.scope, "math");
    assert!(tokens.is_good(board.port));
    assert!(pair(&board, &client, &code).is_none(), "a second time");
    let told = board.told();
    assert!(told.contains(r#""event":"pairing_offered","subject":"guest""#) && told.contains(r#""way":"pairing""#), "{told}");
    assert!(!told.contains(&code) && !told.contains(&code.replace('-', "")), "{told}");
}

#[test]
fn a_server_that_knows_no_codes_says_how_to_let_people_in_by_them() {
    let board = Board::start("demo");
    let told = run(board.state(), "pair");
    assert_eq!((told.code, told.stdout.as_str()), (78, ""), "{told:?}");
    assert!(told.stderr.contains("mode = \"pairing\""), "{told:?}");
}

#[test]
fn a_token_made_by_hand_works_whether_a_server_ran_or_not() {
    // What names the audience, whatever the port is.
    let board = Board::configured(&format!("{PAIRING}audience = \"home\"\n"));
    let told = run(board.state(), "token new --scope math --ttl 90d --name meter --user anna");
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stderr.contains("90 days") && told.stderr.contains("perchd revoke --name 'meter'"), "{told:?}");
    let (token, lines) = (told.stdout.trim(), told.stdout.lines().count());
    assert!(lines == 1 && is_good(&board, token), "{told:?}");
    let board = stopped(board);
    let other = mint(board.state(), "clock");
    let board = board.power_cut();
    assert!(is_good(&board, token) && is_good(&board, &other));
    assert!(!is_good(&board, &token[1..]));
    let log = board.told();
    assert!(!log.contains(token) && !log.contains(&other), "{log}");
}

#[test]
fn a_token_is_taken_apart_and_is_no_longer_good_when_it_is_not() {
    let board = Board::configured(PAIRING);
    let token = mint(board.state(), "meter");
    let inspect = |text: &str| run_with(board.state(), "token inspect", text);
    for (words, stdin) in [("token inspect", token.clone()), ("token inspect -", format!("  {token}\n"))] {
        let told = run_with(board.state(), words, &stdin);
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
        for line in ["It is    access token", "State    good", "User     owner", "Scopes   math"] {
            assert!(told.stdout.lines().any(|shown| shown == line), "{line}: {told:?}");
        }
        assert!(told.stdout.contains("Ends     20") && !told.stdout.contains(&token), "{told:?}");
    }
    let mut warned = command();
    warned.args(["token", "inspect", &token, "--state"]).arg(board.state());
    let warned = finish(warned, "");
    assert!(warned.stderr.contains("everybody on this machine can read") && !warned.stderr.contains(&token), "{warned:?}");
    let client = Client::register(board.port);
    let told = inspect(&client.id);
    assert!(told.code == 0 && told.stdout.contains("client id"), "{told:?}");
    for text in ["nonsense", &token[1..], &"A".repeat(1024)] {
        let told = inspect(text);
        assert_eq!((told.code, told.stdout.as_str()), (65, ""), "{told:?}");
        assert!(told.stderr.contains("nothing of this server"), "{told:?}");
    }
    assert_eq!(inspect(&"A".repeat(1025)).code, 64);
    good(board.state(), "revoke --name meter");
    let told = inspect(&token);
    assert_eq!(told.code, 65, "{told:?}");
    assert!(told.stdout.contains("State    revoked") && told.stderr.contains("no longer good"), "{told:?}");
    let board = stopped(board);
    assert_eq!(run_with(board.state(), "token inspect", &token).code, 65, "without the server as well");
}

#[test]
fn what_is_revoked_is_dead_at_once_and_after_a_power_cut_and_the_rest_lives() {
    let mut board = Board::configured(PAIRING);
    let client = Client::register(board.port);
    for is_running in [true, false] {
        let signed_in = |board: &Board, user: &str| {
            let code = good(board.state(), &format!("pair --user {user}"));
            pair(board, &client, code.trim()).unwrap()
        };
        let (annas, bens, meter, clock) =
            (signed_in(&board, "anna"), signed_in(&board, "ben"), mint(board.state(), "meter"), mint(board.state(), "clock"));
        let alive = |board: &Board| [&annas.access, &bens.access, &meter, &clock].map(|token| is_good(board, token));
        assert_eq!(alive(&board), [true; 4]);
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "GET /sse", &[&bearer(&annas.access)], "")).unwrap();
        assert!(wire.event().is_err() || wire.head().is_ok());
        for (words, stdin, left) in [
            ("revoke --user anna", "", [false, true, true, true]),
            ("revoke --name meter", "", [false, true, false, true]),
            ("revoke --token", clock.as_str(), [false, true, false, false]),
            ("revoke --all", "", [false; 4]),
        ] {
            if !is_running {
                board = stopped(board);
            }
            let told = run_with(board.state(), words, stdin);
            assert!(told.code == 0 && told.stdout.contains("dead"), "{words}: {told:?}");
            if !is_running {
                board = board.power_cut();
            }
            assert_eq!(alive(&board), left, "{words}");
        }
        assert_eq!(client.refresh(&bens.refresh).status, 400);
        board = board.power_cut();
        assert_eq!(alive(&board), [false; 4]);
    }
}

#[test]
fn a_client_is_revoked_by_its_whole_id_and_by_the_name_that_the_log_gives_it() {
    let board = Board::configured(PAIRING);
    for is_whole in [true, false] {
        let client = Client::register(board.port);
        let code = good(board.state(), "pair");
        let tokens = pair(&board, &client, code.trim()).unwrap();
        let told = run_with(board.state(), "token inspect", &tokens.access).stdout;
        let tag = told.lines().find_map(|line| line.strip_prefix("Client   ")).unwrap();
        good(board.state(), &format!("revoke --client {}", if is_whole { &client.id } else { tag }));
        assert!(!tokens.is_good(board.port));
    }
}

#[test]
fn a_token_of_somebody_else_is_not_revoked() {
    let board = Board::configured(PAIRING);
    let told = run_with(board.state(), "revoke --token", "nonsense");
    assert_eq!(told.code, 64, "{told:?}");
    assert!(told.stderr.contains("no token of this server") && !told.stderr.contains("nonsense"), "{told:?}");
}

#[test]
fn a_rotation_ends_nothing_until_the_key_falls_out() {
    let mut board = Board::configured(PAIRING);
    let client = Client::register(board.port);
    let code = good(board.state(), "pair");
    let tokens = pair(&board, &client, code.trim()).unwrap();
    let meter = mint(board.state(), "meter");
    let hello = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let authorization = bearer(&tokens.access);
    let json = "content-type: application/json";
    let session = ask(board.port, "POST /mcp", &[&authorization, json], hello);
    let session = format!("mcp-session-id: {}", session.header("mcp-session-id").unwrap());
    let keys = board.state().join("keys");
    for round in 1..=3 {
        let before = std::fs::read_to_string(&keys).unwrap();
        // The second one while no server runs.
        if round == 2 {
            board = stopped(board);
        }
        let told = good(board.state(), "keys rotate");
        if round == 2 {
            board = board.power_cut();
        }
        assert!(told.contains(&format!("the ring has {}", round + 1)) && told.contains("nobody signs in again"), "{told}");
        let after = std::fs::read_to_string(&keys).unwrap();
        assert_ne!(before.lines().nth(1), after.lines().nth(1));
        assert_eq!(before.lines().nth(1), after.lines().nth(2), "the former key still opens");
        assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(tokens.is_good(board.port) && is_good(&board, &meter));
        let list = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list"}"#;
        assert_eq!(ask(board.port, "POST /mcp", &[&authorization, &session, json], list).status, 200);
        assert!(!told.contains(after.lines().nth(1).unwrap()));
    }
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    let told = good(board.state(), "keys rotate");
    assert!(told.contains("The oldest has fallen out"), "{told}");
    assert!(!is_good(&board, &meter) && !tokens.is_good(board.port), "made by the first key");
    assert!(next.is_good(board.port), "made by a later one");
    let log = board.told();
    assert!(log.contains(r#""event":"keys_replaced","how":"rotated","keys":4"#), "{log}");
}

#[test]
fn boards_with_one_ring_and_one_audience_accept_each_others_tokens() {
    let fleet = "[auth]\nmode = \"pairing\"\naudience = \"home\"\n";
    let [one, two] = [Board::configured(fleet), Board::configured(fleet)];
    let stranger = Board::configured(PAIRING);
    let token = mint(one.state(), "meter");
    let former = mint(two.state(), "meter");
    assert!(is_good(&one, &token) && !is_good(&two, &token));
    let ring = good(one.state(), "keys export");
    let told = run_with(two.state(), "keys import -", &ring);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("--force") && told.stderr.contains("signs in again"), "{told:?}");
    assert!(is_good(&two, &former), "nothing happened");
    for board in [&two, &stranger] {
        let told = run_with(board.state(), "keys import --force -", &ring);
        assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
    }
    assert!(is_good(&two, &token) && !is_good(&two, &former));
    assert!(!is_good(&stranger, &token), "its audience is another");
    assert!(run_with(two.state(), "keys import -", &ring).stdout.contains("already"));
    let two = two.power_cut();
    assert!(is_good(&two, &token));
    let log = two.told();
    assert!(!log.contains(ring.lines().nth(1).unwrap()), "{log}");
}

#[test]
fn a_ring_goes_into_a_file_for_its_owner_alone_and_a_broken_one_is_refused() {
    let board = Board::configured(PAIRING);
    let file = board.state().join("ring");
    let export = format!("keys export {}", file.display());
    let told = run(board.state(), &export);
    assert!(told.code == 0 && told.stdout.is_empty() && told.stderr.contains("for you alone"), "{told:?}");
    assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(run(board.state(), &export).code, 71, "it is not written over");
    let ring = std::fs::read_to_string(&file).unwrap();
    for bad in ["nonsense", &ring[..60], &ring.replace("ring 1", "ring 2")] {
        let told = run_with(board.state(), "keys import --force -", bad);
        assert_eq!(told.code, 78, "{told:?}");
        assert!(!told.stderr.contains(ring.lines().nth(1).unwrap().split(' ').nth(2).unwrap()), "{told:?}");
    }
    assert_eq!(run_with(board.state(), "keys import --force -", &"x".repeat(5000)).code, 64);
    assert_eq!(run(board.state(), "keys import --force /nonexistent").code, 78);
    // On a board that has none, it is the first; no server runs there.
    let fresh = Folder::new();
    let told = run(fresh.path(), &format!("keys import {}", file.display()));
    assert_eq!(told.code, 0, "{told:?}");
    assert_eq!(std::fs::read_to_string(fresh.path().join("keys")).unwrap(), ring);
}

#[test]
fn health_tells_a_server_that_answers_from_one_that_does_not() {
    let board = Board::configured(PAIRING);
    let told = good(board.state(), "health");
    assert!(told.starts_with(concat!("perchd ", env!("CARGO_PKG_VERSION"), " serves: 0 connections, up for ")), "{told}");
    assert_eq!(good(board.state(), "health --quiet"), "");
    let socket = board.state().join("control");
    // Killed, it leaves the socket behind, which the next one replaces.
    let board = board.power_cut();
    assert!(socket.exists());
    good(board.state(), "health");
    let board = stopped(board);
    assert!(!socket.exists(), "who ends in peace takes it along");
    assert_eq!(run(board.state(), "health").code, 69);
}

#[test]
fn two_servers_do_not_share_a_state() {
    let board = Board::configured(PAIRING);
    let before = std::fs::read(board.state().join("keys")).unwrap();
    let told = run(board.state(), "serve --listen 127.0.0.1:0");
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("another perchd uses this state folder") && told.stderr.contains("--state"), "{told:?}");
    assert_eq!(std::fs::read(board.state().join("keys")).unwrap(), before);
    good(board.state(), "health");
}

#[test]
fn servers_in_one_runtime_directory_are_told_apart_by_their_state() {
    let runtime = Folder::new();
    std::fs::set_permissions(runtime.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let start = |state: &Path| {
        let mut command = command();
        command.env("XDG_RUNTIME_DIR", runtime.path()).args(["serve", "--auth", "demo", "--listen", "127.0.0.1:0", "--state"]);
        let mut child = command.arg(state).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = [0; 16];
        child.stdout.as_mut().unwrap().read_exact(&mut said).unwrap();
        child
    };
    let [one, two] = [Folder::new(), Folder::new()];
    let mut servers = [start(one.path()), start(two.path())];
    let socket = runtime.path().join("perchd/control");
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&socket), mode(socket.parent().unwrap())), (0o600, 0o700));
    for (state, server) in [&one, &two].into_iter().zip(&servers) {
        let mut health = command();
        health.env("XDG_RUNTIME_DIR", runtime.path()).args(["health", "--state"]).arg(state.path());
        let told = finish(health, "");
        assert!(told.stdout.contains(&format!("process {}", server.id())), "{told:?}");
    }
    for server in &mut servers {
        server.kill().unwrap();
        server.wait().unwrap();
    }
}

#[test]
fn the_socket_outlives_whoever_sends_nonsense_or_nothing() {
    let board = Board::configured(PAIRING);
    let socket = board.state().join("control");
    let say = |bytes: &[u8]| {
        let mut socket = UnixStream::connect(&socket).unwrap();
        let _ = socket.write_all(bytes);
        let _ = socket.shutdown(std::net::Shutdown::Write);
        let mut answer = String::new();
        let _ = socket.read_to_string(&mut answer);
        answer
    };
    let endless = vec![b'x'; 20_000];
    for nonsense in [&b""[..], b"\n", b"{}\n", b"[]", b"{\"state\":\"/\",\"request\":\"nonsense\"}\n", b"\xff\xfe\n", &endless] {
        let answer = say(nonsense);
        assert!(answer.is_empty() || answer.contains("does not know this request"), "{answer}");
    }
    assert!(say(b"{\"state\":\"/\",\"request\":\"health\"}\n").contains("elsewhere"));
    // Who says nothing is waited for a while, and others after him.
    let _silent = UnixStream::connect(&socket).unwrap();
    let began = Instant::now();
    good(board.state(), "health");
    assert!(began.elapsed() < Duration::from_secs(perchd::limits::CONTROL_SECS * 3));
}

#[test]
fn another_user_is_not_answered() {
    let board = Board::configured(PAIRING);
    if !is_root() {
        // Only root can be somebody else; the rule itself has a test beside it.
        return;
    }
    let program = board.state().join("perchd-copy");
    // By another process: one that has it open for writing, if only by a fork in between, keeps it from being run.
    let copied = Command::new("cp").arg(env!("CARGO_BIN_EXE_perchd")).arg(&program).status().unwrap();
    assert!(copied.success());
    let ask = || {
        let mut command = Command::new("setpriv");
        command.args(["--reuid=65534", "--regid=65534", "--clear-groups"]).arg(&program);
        command.args(["health", "--state"]).arg(board.state()).env_remove("XDG_RUNTIME_DIR");
        finish(command, "")
    };
    let told = ask();
    assert_eq!(told.code, 77, "{told:?}");
    assert!(told.stderr.contains("sudo perchd"), "{told:?}");
    // Even where the file would let him in.
    std::fs::set_permissions(board.state().join("control"), std::fs::Permissions::from_mode(0o666)).unwrap();
    let told = ask();
    assert_eq!(told.code, 77, "{told:?}");
    assert!(told.stderr.contains("belongs to another user"), "{told:?}");
    assert!(board.told().contains("the control socket is not for user Some(65534)"));
}

#[test]
fn tools_are_listed_with_what_they_need() {
    let folder = Folder::new();
    let all = good(folder.path(), "tools");
    assert!(all.starts_with("TOOL"), "{all}");
    for (tool, scope) in [("add", "math"), ("board_health", "system:read")] {
        let line = all.lines().find(|line| line.starts_with(tool)).unwrap();
        assert!(line.contains(scope) && line.contains("reads"), "{line}");
    }
    assert!(all.lines().all(|line| line.chars().count() <= 80), "{all}");
    let math = good(folder.path(), "tools --scope math");
    assert!(math.contains("add") && !math.contains("board_health"), "{math}");
    std::fs::write(folder.path().join("perchd.toml"), "[tools]\nhide = [\"add\"]\n").unwrap();
    assert!(!good(folder.path(), "tools").contains("add "));
}

/// The tools that `perchd call` is tried on.
const CALLED: &str = r#"
[auth]
mode = "pairing"

[[tool]]
name = "copy"
about = "Copies"
effect = "write"
progress = true
run = ["/bin/sh", "SCRIPT", "{what}"]
args.what = { type = "string", max_length = 8 }

[[tool]]
name = "picture"
about = "Draws"
effect = "read"
output = "image/png"
run = ["/usr/bin/printf", '\211PNG']

[[tool]]
name = "reboot"
about = "Reboots"
effect = "destructive"
confirm = "page"
run = ["/usr/bin/touch", "MARK"]
"#;

fn called(folder: &Folder, words: &str) -> (i32, Vec<u8>, String) {
    let (script, config) = (folder.path().join("script"), folder.path().join("perchd.toml"));
    std::fs::write(&script, "echo '1/2 half' >&2; [ \"$1\" = bad ] && exit 3; echo \"copied $1\"\n").unwrap();
    let mark = folder.path().join("mark");
    let toml = CALLED.replace("SCRIPT", script.to_str().unwrap()).replace("MARK", mark.to_str().unwrap());
    std::fs::write(&config, toml).unwrap();
    let mut command = command();
    let told = command.arg("call").args(words.split(' ')).arg("--config").arg(config).output().unwrap();
    (told.status.code().unwrap(), told.stdout, String::from_utf8(told.stderr).unwrap())
}

#[test]
fn a_call_from_the_terminal_is_checked_runs_and_says_whether_it_failed() {
    let folder = Folder::new();
    let told = |words: &str| {
        let (code, stdout, stderr) = called(&folder, words);
        (code, String::from_utf8_lossy(&stdout).into_owned(), stderr)
    };
    let (code, stdout, stderr) = told("copy what=a=b");
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (0, "copied a=b\n", "1/2 half\n"));
    let (code, stdout, stderr) = told("copy what=bad");
    assert!(code == 1 && stdout.is_empty() && stderr.contains("exit code 3"), "{stderr}");
    for (words, what) in
        [("copy", "`what` is missing"), ("copy what=123456789", "8"), ("copy what=-x", "hyphen"), ("add a=x b=1", "number")]
    {
        let (code, stdout, stderr) = told(words);
        assert!(code == 1 && stdout.is_empty() && stderr.contains(what), "{words}: {stderr}");
    }
    assert_eq!(told("add a=2 b=3").0, 0);
    let (code, stdout, _) = called(&folder, "picture");
    assert_eq!((code, stdout.as_slice()), (0, b"\x89PNG".as_slice()));
}

#[test]
fn what_needs_approval_does_not_run_where_nobody_sits_at_a_terminal() {
    let folder = Folder::new();
    let (code, _, stderr) = called(&folder, "reboot");
    assert!(code == 1 && stderr.contains("nobody sits at a terminal") && stderr.contains("did not run"), "{stderr}");
    assert!(!folder.path().join("mark").exists());
}
