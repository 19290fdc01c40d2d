//! The command line, as a person or systemd sees it.

use crate::board::{Board, Folder, command};
use std::os::unix::fs::PermissionsExt;
use std::process::{Output, Stdio};
use std::time::Duration;

fn run(args: &[&str]) -> (i32, String, String) {
    let mut child = command()
        .args(args)
        .env("XDG_STATE_HOME", "/nonexistent/state")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let ended = (0..100).any(|_| {
        std::thread::sleep(Duration::from_millis(50));
        child.try_wait().unwrap().is_some()
    });
    if !ended {
        child.kill().unwrap();
    }
    let Output { status, stdout, stderr } = child.wait_with_output().unwrap();
    (status.code().expect("it ends by itself"), String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap())
}

#[test]
fn a_wrong_word_ends_with_64_and_says_where_to_look() {
    for (args, what) in [
        (&["nonsense"][..], "there is no command `nonsense`"),
        (&["serve", "more"], "unexpected argument \"more\""),
        (&["serve", "--nonsense"], "there is no option --nonsense"),
        (&["serve", "-x"], "invalid option '-x'"),
        (&["serve", "--listen"], "missing argument for option '--listen'"),
        (&["serve", "--listen", "8787"], "--listen 8787: not ADDRESS:PORT"),
        (&["serve", "--auth", "none"], "--auth none: not `demo`, `open`, `users` or `pairing`"),
    ] {
        let (code, stdout, stderr) = run(args);
        assert_eq!(code, 64, "{args:?}");
        assert!(stderr.contains(what) && stderr.contains("perchd --help"), "{args:?}: {stderr}");
        assert_eq!(stdout, "");
    }
}

#[test]
fn modes_that_let_anybody_in_stay_on_this_machine() {
    let folder = Folder::new();
    for auth in ["demo", "open"] {
        let state = folder.path().to_str().unwrap();
        let (code, _, stderr) = run(&["serve", "--auth", auth, "--listen", "0.0.0.0:0", "--state", state]);
        assert_eq!(code, 78, "{stderr}");
        assert!(stderr.contains(&format!("the mode `{auth}`")), "{stderr}");
        assert!(stderr.contains("--listen 127.0.0.1:8787"), "{stderr}");
    }
}

#[test]
fn a_taken_port_is_named_with_the_remedy() {
    let board = Board::start("open");
    let folder = Folder::new();
    let (code, _, stderr) =
        run(&["serve", "--listen", &format!("localhost:{}", board.port), "--state", folder.path().to_str().unwrap()]);
    assert_eq!(code, 71, "{stderr}");
    assert!(stderr.contains(&format!("127.0.0.1:{}: cannot listen", board.port)), "{stderr}");
    assert!(stderr.contains("--listen"), "{stderr}");
}

/// Of two pins, one would not count. An empty one, as a form leaves it, is none; what it refuses after that is the address.
#[test]
fn whom_a_bridge_trusts_is_said_once() {
    let folder = Folder::new();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n").unwrap();
    let pin = format!("--pin=sha256:{}", "0f".repeat(32));
    let ca = format!("--ca={}", file.display());
    let connect = |flags: [&str; 2]| run(&["connect", "http://board.local:8787/mcp", flags[0], flags[1]]);
    for both in [[&*pin, &*pin], [&*pin, &*ca], [&*ca, &*pin], [&*ca, &*ca]] {
        let (code, _, stderr) = connect(both);
        assert!(code == 64 && stderr.contains("whom to trust is said once"), "{both:?}: {stderr}");
    }
    for one in [[&*pin, "--ca="], ["--pin=", &*ca], ["--pin=", "--token-file="]] {
        let (code, _, stderr) = connect(one);
        assert!(code == 64 && stderr.contains("everybody on the way"), "{one:?}: {stderr}");
    }
}

#[test]
fn help_and_version_go_to_stdout() {
    let (code, help, _) = run(&["--help"]);
    assert_eq!(code, 0);
    for word in ["--listen", "--state", "--auth", "PERCHD_LOG", "demo", "open"] {
        assert!(help.contains(word), "{word}");
    }
    assert!(help.lines().all(|line| line.chars().count() <= 80), "a line is longer than a terminal");
    let (code, version, _) = run(&["--version"]);
    assert_eq!((code, version.as_str()), (0, concat!("perchd ", env!("CARGO_PKG_VERSION"), "\n")));
}

#[test]
fn a_key_ring_is_made_once_and_for_its_owner_alone() {
    let board = Board::start("demo");
    let keys = board.state().join("keys");
    let first = std::fs::read(&keys).unwrap();
    assert_eq!(std::fs::metadata(&keys).unwrap().permissions().mode() & 0o777, 0o600);
    let board = board.power_cut();
    assert_eq!(std::fs::read(board.state().join("keys")).unwrap(), first);
}

#[test]
fn a_key_ring_that_is_broken_or_open_to_others_is_refused() {
    let folder = Folder::new();
    let keys = folder.path().join("keys");
    let serve = || run(&["serve", "--listen", "127.0.0.1:0", "--state", folder.path().to_str().unwrap()]);
    std::fs::write(&keys, "nonsense\n").unwrap();
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o644)).unwrap();
    let (code, _, stderr) = serve();
    assert_eq!(code, 78);
    assert!(stderr.contains("others can read the key ring") && stderr.contains("chmod 600"), "{stderr}");
    std::fs::set_permissions(&keys, std::fs::Permissions::from_mode(0o600)).unwrap();
    let (code, _, stderr) = serve();
    assert_eq!(code, 78);
    assert!(stderr.contains("keys") && !stderr.contains("nonsense"), "{stderr}");
}

#[test]
fn without_a_home_the_remedy_is_named() {
    let output = command().env_remove("HOME").env_remove("XDG_STATE_HOME").args(["serve"]).output().unwrap();
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8(output.stderr).unwrap().contains("--state"));
}

#[test]
fn the_greeting_can_be_pasted() {
    let board = Board::start("demo");
    let origin = format!("http://localhost:{}", board.port);
    for part in [format!("Open {origin}/"), format!("{origin}/mcp"), "mcp-remote".into(), "claude mcp add".into(), "curl ".into()]
    {
        assert!(board.greeting.contains(&part), "{part}: {}", board.greeting);
    }
    let config = board.greeting.find("  {\n").map(|start| &board.greeting[start..]).unwrap();
    let config = &config[..config.find("\n  }\n").unwrap() + 4];
    let config: serde_json::Value = serde_json::from_str(config).unwrap();
    assert!(config["mcpServers"].is_object());
}

#[test]
fn debug_is_told_on_request_alone() {
    for (level, tells) in [("debug", true), ("info", false)] {
        let mut board = Board::telling("open", level);
        board.terminate();
        let (code, _, told) = board.wait();
        assert_eq!((code, told.contains("debug: all connections are closed")), (Some(0), tells), "{level}: {told}");
    }
}
