//! What is installed beside the program says the same as the program.

use crate::board;
use std::fmt::Write;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Every command that has words of its own, in the order of `perchd --help`.
const VERBS: [&str; 11] = ["init", "serve", "check", "tools", "passwd", "polkit", "pair", "token", "revoke", "keys", "health"];

fn help(words: &[&str]) -> String {
    let output = board::command().args(words).arg("--help").output().unwrap();
    assert!(output.status.success());
    String::from_utf8(output.stdout).unwrap()
}

fn packed(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("cross").join(name)).unwrap()
}

/// Text as it is, in the language of man pages.
fn verbatim(text: &str) -> String {
    let mut page = String::from(".nf\n");
    for line in text.trim_end().lines() {
        let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
        // A dot at the beginning would be a request.
        let _ = writeln!(page, "{}{line}", if line.starts_with('.') { "\\&" } else { "" });
    }
    page.push_str(".fi\n");
    page
}

fn man_page() -> String {
    let mut page = format!(
        ".\\\" Made by the test `the_man_page_says_what_help_says`.\n.TH PERCHD 1 \"\" \"perchd {}\"\n",
        env!("CARGO_PKG_VERSION")
    );
    page.push_str(".SH NAME\nperchd \\- MCP server that makes a board reachable for assistants\n.SH SYNOPSIS\n.B perchd\n[\\fICOMMAND\\fR] [\\fIOPTIONS\\fR]\n.SH DESCRIPTION\n");
    page.push_str(&verbatim(&help(&[])));
    for verb in VERBS {
        let _ = write!(page, ".SH PERCHD {}\n{}", verb.to_ascii_uppercase(), verbatim(&help(&[verb])));
    }
    page.push_str(".SH FILES\n.TP\n.I /etc/perchd/perchd.toml\nThe configuration, with every key explained.\n.TP\n.I /var/lib/perchd\nKeys and certificates.\n");
    page
}

/// `PERCHD_WRITE=1 cargo test --test it package` writes it anew.
#[test]
fn the_man_page_says_what_help_says() {
    let page = man_page();
    if std::env::var_os("PERCHD_WRITE").is_some() {
        fs::write(Path::new(env!("CARGO_MANIFEST_DIR")).join("cross/perchd.1"), &page).unwrap();
    }
    assert!(packed("perchd.1") == page, "cross/perchd.1 is not of this --help: PERCHD_WRITE=1 cargo test --test it package");
}

#[test]
fn shells_complete_every_command_and_every_option() {
    let shells = ["completions/perchd.bash", "completions/_perchd", "completions/perchd.fish"].map(|name| (name, packed(name)));
    for verb in VERBS {
        assert!(help(&[]).contains(&format!("\n  {verb}")), "{verb} is a command");
        for word in help(&[verb]).split(|c: char| !(c.is_ascii_lowercase() || c == '-')).filter(|word| word.starts_with("--")) {
            let name = word.trim_start_matches('-');
            for (shell, text) in &shells {
                let option = if shell.ends_with("fish") { format!("-l {name} ") } else { format!("--{name}") };
                assert!(name.is_empty() || text.contains(&option), "{shell} knows no {word} of {verb}");
                assert!(text.contains(verb), "{shell} knows no {verb}");
            }
        }
    }
}

/// Of the standard library, clippy's `incompatible_msrv` holds the same.
#[test]
fn no_dependency_wants_a_newer_rust_than_the_manifest_names() {
    let version = |text: &str| text.split('.').map(|part| part.parse().unwrap()).chain([0; 3]).take(3).collect::<Vec<u32>>();
    for target in ["x86_64-unknown-linux-musl", "aarch64-unknown-linux-musl", "arm-unknown-linux-musleabihf"] {
        let words = ["metadata", "--locked", "--offline", "--format-version", "1", "--filter-platform", target];
        let output = Command::new(env!("CARGO")).args(words).current_dir(env!("CARGO_MANIFEST_DIR")).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let nodes = metadata["resolve"]["nodes"].as_array().unwrap();
        let built = |package: &&serde_json::Value| nodes.iter().any(|node| node["id"] == package["id"]);
        for package in metadata["packages"].as_array().unwrap().iter().filter(built) {
            let wanted = package["rust_version"].as_str().unwrap_or("1");
            let own = env!("CARGO_PKG_RUST_VERSION");
            assert!(version(wanted) <= version(own), "{} wants Rust {wanted}, Cargo.toml names {own}", package["name"]);
        }
    }
}
