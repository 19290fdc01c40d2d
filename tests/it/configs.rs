//! `perchd check`, over each file of `tests/configs`: a good one passes; a bad one says in its first line what is told.

use crate::board::{Folder, command};
use std::fs;
use std::path::{Path, PathBuf};

fn check(file: &Path) -> (Option<i32>, String, String) {
    let output = command().arg("check").arg(file).env("XDG_STATE_HOME", "/nonexistent/state").output().unwrap();
    (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
}

fn files(prefix: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs");
    let is_meant = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().starts_with(prefix);
    let files: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).filter(is_meant).collect();
    assert!(files.len() > 2, "{prefix}");
    files
}

#[test]
fn a_good_configuration_is_printed() {
    for file in files("good-") {
        let (code, stdout, stderr) = check(&file);
        assert_eq!((code, stderr.as_str()), (Some(0), ""), "{}", file.display());
        assert!(stdout.contains(file.to_str().unwrap()) && stdout.contains("system:read"), "{stdout}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_line_and_a_remedy() {
    for file in files("bad-") {
        let text = fs::read_to_string(&file).unwrap();
        let told = text.lines().next().unwrap().strip_prefix("# ").unwrap();
        let (line, what) = told.strip_prefix("line ").map_or((None, told), |told| {
            let (line, what) = told.split_once(": ").unwrap();
            (Some(line), what)
        });
        let (code, stdout, stderr) = check(&file);
        assert_eq!((code, stdout.as_str()), (Some(78), ""), "{}: {stderr}", file.display());
        let place = line.map_or_else(|| file.display().to_string(), |line| format!("{}:{line}: ", file.display()));
        assert!(stderr.starts_with(&format!("perchd: {place}")), "{}: {stderr}", file.display());
        assert!(stderr.contains(what) && stderr.contains("\n  "), "{}: {stderr}", file.display());
        assert!(!stderr.contains("hunter2") && !stderr.contains("$pbkdf2"), "{stderr}");
    }
}

#[test]
fn everything_that_holds_is_shown() {
    let (_, stdout, _) = check(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/configs/good-lan.toml"));
    for line in [
        "Board          Greenhouse",
        "Listens on     0.0.0.0:8787",
        "Listens on     [::1]:8787",
        "TLS            certificate of the board's own CA, plain HTTP is allowed as well",
        "Reached as     https://greenhouse.example.org",
        "Reached as     https://greenhouse.local:8787",
        "Reached as     https://192.168.1.20:8787",
        "State          /var/lib/perchd",
        "Signing in     users, pairing",
        "  user         anna: everything",
        "  user         ben@example.org: system:read",
        "  connections              64",
        "  connections_per_address  16",
        "  streams_per_subject      8",
        "  sessions                 16",
        "  header_bytes             8192",
        "  outbox_bytes             131072",
    ] {
        assert!(stdout.lines().any(|shown| shown == line), "{line}:\n{stdout}");
    }
}

#[test]
fn every_example_of_the_manual_is_good() {
    let folder = Folder::new();
    for (name, text) in
        [("configuration", include_str!("../../src/manual/configuration.md")), ("README", include_str!("../../README.md"))]
    {
        let blocks: Vec<_> = text.split("```toml\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect();
        assert!(!blocks.is_empty(), "{name}");
        for block in blocks {
            let file = folder.path().join("example.toml");
            fs::write(&file, block).unwrap();
            let (code, _, stderr) = check(&file);
            assert_eq!((code, stderr.as_str()), (Some(0), ""), "{name}: {block}");
        }
    }
}

/// systemd is not on every machine.
#[test]
fn the_example_of_services_is_good() {
    let text = include_str!("../../src/manual/configuration.md");
    let mut blocks = text.split("```toml programs-elsewhere\n").skip(1).map(|rest| rest.split_once("```").unwrap().0);
    let (block, folder) = (blocks.next().unwrap(), Folder::new());
    assert!(block.starts_with("[services]") && blocks.next().is_none());
    let file = folder.path().join("example.toml");
    fs::write(&file, format!("{block}systemctl = \"/usr/bin/true\"\njournalctl = \"/usr/bin/true\"\n")).unwrap();
    let (code, stdout, stderr) = check(&file);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    for line in ["services:read", "services:write (writes)"] {
        assert!(stdout.lines().any(|shown| shown.ends_with(line)), "{stdout}");
    }
}

/// What a recipe runs is not on every machine, and neither is a certificate.
#[test]
fn every_recipe_of_the_manual_is_good() {
    let folder = Folder::new();
    let pages = [
        ("getting-started", include_str!("../../src/manual/getting-started.md"), 1),
        ("clients", include_str!("../../src/manual/clients.md"), 2),
        ("fleet", include_str!("../../src/manual/fleet.md"), 1),
        ("recipes", include_str!("../../src/manual/recipes.md"), 12),
        ("commands", include_str!("../../src/manual/commands.md"), 2),
        ("approval", include_str!("../../src/manual/approval.md"), 2),
        ("library", include_str!("../../src/manual/library.md"), 1),
    ];
    for (page, text, least) in pages {
        let blocks: Vec<_> =
            text.split("```toml").skip(1).map(|rest| rest.split_once("```").unwrap().0.split_once('\n').unwrap()).collect();
        assert!(blocks.len() >= least, "{page}: {}", blocks.len());
        for (mark, block) in blocks.into_iter().filter(|(mark, _)| mark.trim() != "no-configuration") {
            let file = folder.path().join("example.toml");
            let here = elsewhere(mark.trim(), block);
            fs::write(&file, &here).unwrap();
            let (code, _, stderr) = check(&file);
            if mark.trim() == "certificate-elsewhere" {
                // All else of it is good: the certificate is looked for.
                assert!(code == Some(78) && stderr.contains("/etc/perchd/board.pem: "), "{page}: {stderr}");
            } else {
                assert_eq!((code, stderr.as_str()), (Some(0), ""), "{page}: {here}");
            }
        }
    }
}

/// An example with programs that are here in place of those that it names.
fn elsewhere(mark: &str, block: &str) -> String {
    let mut here = String::new();
    for line in block.lines() {
        let program = ["run = [\"", "dry_run = [\""].iter().find_map(|start| line.strip_prefix(start)?.split('"').next());
        match (mark, program) {
            ("programs-elsewhere", Some(program)) => here += &line.replacen(program, "/usr/bin/true", 1),
            ("" | "programs-elsewhere" | "certificate-elsewhere", _) => here += line,
            (other, _) => panic!("{other}"),
        }
        here.push('\n');
        if mark == "programs-elsewhere" && line == "[services]" {
            here += "systemctl = \"/usr/bin/true\"\njournalctl = \"/usr/bin/true\"\n";
        }
    }
    here
}

#[test]
fn a_file_that_is_not_there_is_named() {
    let folder = Folder::new();
    let file = folder.path().join("none.toml");
    let (code, _, stderr) = check(&file);
    assert_eq!(code, Some(78));
    assert!(stderr.contains(file.to_str().unwrap()) && stderr.contains("--config"), "{stderr}");
}
