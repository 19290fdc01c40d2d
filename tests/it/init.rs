//! `perchd init` and `perchd passwd`: from nothing to a board that people sign in to.

use crate::board::{Board, Folder, command};
use crate::commands::{Told, finish};
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Stdio;

/// Runs it with all of its files in this folder.
fn init(folder: &Path, options: &[&str]) -> Told {
    let mut command = command();
    command.arg("init").arg("--config").arg(folder.join("perchd.toml")).arg("--state").arg(folder.join("state"));
    finish(
        {
            command.args(options);
            command
        },
        "",
    )
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

#[test]
fn what_is_there_is_kept_and_said() {
    let folder = Folder::new();
    let file = folder.path().join("perchd.toml");
    fs::write(&file, "name = \"Mine\"\n").unwrap();
    let first = init(folder.path(), &[]);
    assert_eq!(first.code, 0, "{first:?}");
    assert!(first.stdout.contains("Configuration  kept") && first.stdout.contains("Key ring       made"), "{first:?}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "name = \"Mine\"\n");
    let keys = fs::read(folder.path().join("state/keys")).unwrap();
    let second = init(folder.path(), &[]);
    assert!(second.code == 0 && second.stdout.contains("Key ring       kept"), "{second:?}");
    assert_eq!(fs::read(folder.path().join("state/keys")).unwrap(), keys);
}

#[test]
fn a_configuration_that_is_wrong_is_told_with_its_line() {
    let folder = Folder::new();
    fs::write(folder.path().join("perchd.toml"), "\nnonsense = 1\n").unwrap();
    let told = init(folder.path(), &[]);
    assert_eq!((told.code, told.stdout.as_str()), (78, ""), "{told:?}");
    assert!(told.stderr.contains("perchd.toml:2: "), "{told:?}");
    assert!(!folder.path().join("state").exists());
}

#[test]
fn a_place_that_cannot_be_written_to_is_named() {
    let folder = Folder::new();
    fs::write(folder.path().join("file"), "").unwrap();
    let told = init(&folder.path().join("file"), &[]);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("cannot write the configuration") && told.stderr.contains("--config"), "{told:?}");
    assert_eq!(init(folder.path(), &["--listen", "8787"]).code, 64);
    assert_eq!(init(folder.path(), &["more"]).code, 64);
}

#[test]
fn everything_that_a_board_needs_is_made_and_it_can_be_pasted() {
    let folder = Folder::new();
    let told = init(folder.path(), &["--listen", "0.0.0.0:18787"]);
    assert_eq!((told.code, told.stderr.as_str()), (0, ""), "{told:?}");
    assert_eq!(mode(&folder.path().join("perchd.toml")), 0o600);
    for (name, wanted) in [("keys", 0o600), ("ca.key", 0o600), ("ca.pem", 0o644), ("server.pem", 0o644), ("server.key", 0o600)] {
        assert_eq!(mode(&folder.path().join("state").join(name)), wanted, "{name}");
    }
    for part in [":18787/mcp", "mcp-remote", "claude mcp add", "NODE_EXTRA_CA_CERTS", "SHA-256", "perchd pair", "perchd serve"] {
        assert!(told.stdout.contains(part), "{part}: {}", told.stdout);
    }
    let json = told.stdout.find("  {\n").map(|start| &told.stdout[start..]).unwrap();
    let json: serde_json::Value = serde_json::from_str(&json[..json.find("\n  }\n").unwrap() + 4]).unwrap();
    assert!(json["mcpServers"].is_object());
    let mut check = command();
    check.arg("check").arg(folder.path().join("perchd.toml"));
    let told = finish(check, "");
    assert_eq!(told.code, 0, "{told:?}");
    for line in ["Listens on     0.0.0.0:18787", "TLS            certificate of the board's own CA", "Signing in     pairing"] {
        assert!(told.stdout.lines().any(|shown| shown == line), "{line}: {}", told.stdout);
    }
    assert!(told.stdout.contains(&format!("State          {}", folder.path().join("state").display())), "{}", told.stdout);
}

#[test]
fn force_makes_it_anew_and_keeps_the_old_and_the_ca() {
    let folder = Folder::new();
    init(folder.path(), &[]);
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    fs::write(folder.path().join("perchd.toml"), "name = \"Mine\"\n[tls]\nmode = \"own\"\n").unwrap();
    let (keys, ca) = (read("state/keys"), read("state/ca.pem"));
    let told = init(folder.path(), &["--force"]);
    assert!(told.stdout.contains("Configuration  made") && told.stdout.contains("Key ring       made"), "{told:?}");
    assert!(told.stdout.contains("CA             kept"), "{told:?}");
    assert!(read("perchd.toml.old").contains("Mine") && read("perchd.toml").contains("Every key is here"));
    assert!(read("state/keys.old") == keys && read("state/keys") != keys && read("state/ca.pem") == ca);
    assert_eq!(mode(&folder.path().join("state/keys.old")), 0o600);
}

#[test]
fn the_first_code_is_shown_where_a_server_runs_and_its_ring_stays() {
    let board = Board::configured("[auth]\nmode = \"pairing\"\n");
    let run = |options: &[&str]| {
        let mut command = command();
        command.arg("init").arg("--config").arg(board.state().join("perchd.toml")).arg("--state").arg(board.state());
        command.args(options);
        finish(command, "")
    };
    let told = run(&[]);
    assert_eq!(told.code, 0, "{told:?}");
    let code = told.stdout.lines().last().unwrap();
    assert!(told.stdout.contains("A code to sign in with") && code.len() == 9 && code.as_bytes()[4] == b'-', "{told:?}");
    let keys = fs::read(board.state().join("keys")).unwrap();
    let told = run(&["--force"]);
    assert_eq!(told.code, 78, "{told:?}");
    assert!(told.stderr.contains("a server uses this key ring") && told.stderr.contains("perchd keys rotate"), "{told:?}");
    assert_eq!(fs::read(board.state().join("keys")).unwrap(), keys);
}

#[test]
fn the_example_is_good_as_it_stands_and_with_every_key_in_force() {
    let example = include_str!("../../systemd/perchd.toml");
    let shapes = include_str!("../../src/config/file.rs");
    let folder = Folder::new();
    let check = |text: &str| {
        let file = folder.path().join("example.toml");
        fs::write(&file, text).unwrap();
        let mut command = command();
        command.arg("check").arg(&file).env("XDG_STATE_HOME", "/nonexistent/state");
        finish(command, "")
    };
    assert_eq!(check(example).code, 0);
    let is_key =
        |line: &str| line.starts_with('[') || line.split_once(" = ").is_some_and(|(key, _)| !key.contains([' ', '`', ':']));
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        // A certificate is said in place of a mode.
        Some(key) if is_key(key) && !key.starts_with("certificate") && !key.starts_with("key =") => key.to_owned(),
        _ => line.to_owned(),
    };
    let all: Vec<_> = example.lines().map(uncommented).collect();
    let told = check(&all.join("\n").replace("mode = \"pairing\"", "mode = [\"users\", \"pairing\"]"));
    assert_eq!(told.code, 0, "{told:?}");
    assert!(told.stdout.contains("anna: math system:read") && told.stdout.contains("Board          Greenhouse"), "{told:?}");
    let keys: Vec<_> = shapes.lines().filter_map(|line| line.trim().strip_prefix("pub(super) ")?.split_once(':')).collect();
    assert!(keys.len() > 15);
    for (key, _) in keys.iter().filter(|(key, _)| key.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')) {
        let is_there = |line: &str| {
            let line = line.trim_start_matches("# ");
            line.starts_with(&format!("{key} = "))
                || line.starts_with(&format!("[{key}]"))
                || line.starts_with(&format!("[[{key}]]"))
                || line.starts_with(&format!("[{key}."))
                || line.contains(&format!(".{key}."))
        };
        assert!(example.lines().any(is_there), "{key}");
    }
    assert!(example.lines().all(|line| line.chars().count() <= 80 || line.contains("$pbkdf2")));
}

fn passwd(words: &[&str], stdin: &str) -> Told {
    let mut command = command();
    command.arg("passwd").args(words).env("XDG_CONFIG_HOME", "/nonexistent");
    finish(command, stdin)
}

#[test]
fn a_password_that_is_none_or_a_name_is_refused() {
    for (words, stdin, what) in [
        (&["anna", "--stdin"][..], "", "there is no password on stdin"),
        (&["anna", "--stdin"], "short\n", "a password has 8 to 256 bytes"),
        (&["anna", "--stdin"], &"x".repeat(300), "there is no password on stdin"),
        (&["an na", "--stdin"], "correct horse", "the name of a user"),
        (&["anna"], "correct horse\ncorrect horse\n", "stdin is no terminal"),
        (&[], "", "needs the name of a user"),
        (&["anna", "correct horse"], "", "unexpected argument"),
    ] {
        let told = passwd(words, stdin);
        assert_eq!((told.code, told.stdout.as_str()), (64, ""), "{words:?}: {told:?}");
        assert!(told.stderr.contains(what) && told.stderr.contains("\n  "), "{words:?}: {told:?}");
        assert!(stdin.len() < 3 || !told.stderr.contains(stdin.trim()), "{told:?}");
    }
}

#[test]
fn the_lines_of_passwd_let_the_user_in() {
    for (name, header) in [("anna", "[auth.users.anna]"), ("ben@example.org", "[auth.users.\"ben@example.org\"]")] {
        let told = passwd(&[name, "--stdin"], "correct horse\n");
        assert_eq!(told.code, 0, "{told:?}");
        let lines: Vec<_> = told.stdout.lines().collect();
        assert_eq!((lines.len(), lines[0]), (2, header), "{told:?}");
        assert!(
            lines[1].starts_with("password = \"$pbkdf2-sha256$i=") && told.stderr.contains("Put these lines into"),
            "{told:?}"
        );
        assert!(!told.stdout.contains("correct") && !told.stderr.contains("correct"));
        let again = passwd(&[name, "--stdin"], "correct horse\n");
        assert_ne!(told.stdout, again.stdout, "each has a salt of its own");
        let board = Board::configured(&format!("[auth]\nmode = \"users\"\n{}", told.stdout));
        let client = crate::sign_in::Client::register(board.port);
        let mut browser = crate::sign_in::Browser::new(board.port);
        let form = crate::sign_in::Form::read(&browser.open(&client.address()));
        for (password, is_right) in [("correct horsf", false), ("correct horse", true)] {
            let reply = browser.submit(&form, &[("email", name), ("password", password), ("action", "sign_in")]);
            assert_eq!(reply.body.contains("name=\"scope\""), is_right, "{reply:?}");
        }
    }
}

/// Types at a terminal, each line when its question has come; all that the terminal showed, and how it ended.
fn type_in(dialogue: &[(&str, &str)]) -> (String, bool) {
    let mut command = std::process::Command::new("script");
    let program = format!("{} passwd anna", env!("CARGO_BIN_EXE_perchd"));
    command.args(["--quiet", "--return", "--command", &program, "/dev/null"]).env("XDG_CONFIG_HOME", "/nonexistent");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let (mut stdin, mut stdout) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
    let mut shown = String::new();
    for (question, line) in dialogue {
        let mut byte = [0];
        while !shown.ends_with(question) {
            assert!(stdout.read(&mut byte).unwrap() > 0, "{shown}");
            shown.push(char::from(byte[0]));
        }
        // The terminal falls silent just after the question.
        std::thread::sleep(std::time::Duration::from_millis(200));
        stdin.write_all(line.as_bytes()).unwrap();
    }
    stdout.read_to_string(&mut shown).unwrap();
    (shown, child.wait().unwrap().success())
}

#[test]
fn at_a_terminal_a_password_is_asked_for_twice_and_never_shown() {
    let (shown, is_good) = type_in(&[("Password for anna: ", "correct horsf\x7fe\n"), ("Once more: ", "correct horse\n")]);
    assert!(is_good && shown.contains("[auth.users.anna]"), "{shown}");
    assert!(!shown.contains("corr"), "{shown}");
    let (shown, is_good) = type_in(&[("Password for anna: ", "correct horse\n"), ("Once more: ", "battery staple\n")]);
    assert!(!is_good && shown.contains("the two passwords differ") && !shown.contains("$pbkdf2"), "{shown}");
    let (shown, is_good) = type_in(&[("Password for anna: ", "correct\x03")]);
    assert!(!is_good && shown.contains("given up"), "{shown}");
}
