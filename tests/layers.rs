//! The house rules of the source tree: imports go down, pure rooms see no world, no room is undeclared, no file is long.
//!
//! Each rule is a function over text, with a test that shows it refuse. `the_house_stands` runs them over `src/`.

use std::fmt;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Whether a room may see the world: clocks, sockets, files, the environment, a runtime.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Sight {
    /// It is told what it must know.
    Pure,
    /// It reads the clock and the random source, and nothing else.
    Clock,
    /// It may look.
    World,
}

/// Every room, from the ground up. A room imports from those above it in this table, and from no other.
const ROOMS: &[(&str, Sight)] = &[
    // Ground: words that every room may use.
    ("limits", Sight::Pure),
    ("error", Sight::Pure),
    ("json", Sight::Pure),
    ("date", Sight::Pure),
    ("order", Sight::Pure),
    ("principal", Sight::Pure),
    ("audit", Sight::Pure),
    ("world", Sight::Clock),
    ("tool", Sight::Pure),
    // The pure floor.
    ("seal", Sight::Pure),
    ("oauth", Sight::Pure),
    ("mcp", Sight::Pure),
    // The edge.
    ("errand", Sight::World),
    ("config", Sight::World),
    ("approval", Sight::World),
    ("builtin", Sight::World),
    ("systemd", Sight::World),
    ("log", Sight::World),
    ("client", Sight::World),
    ("bridge", Sight::World),
    ("http", Sight::World),
    // The roof.
    ("server", Sight::World),
    ("cli", Sight::World),
];

/// Files of no room: the two doors may name everything, the manual is text.
const DOORS: &[&str] = &["fuzzing", "lib", "main", "manual"];

/// Rooms that do not know each other, though one stands above the other in the table.
const STRANGERS: &[(&str, &str)] = &[("oauth", "mcp")];

/// What a pure room does not name.
const WORLD: &[&str] = &[
    "std::time",
    "std::net",
    "std::fs",
    "std::path",
    "std::env",
    "std::process",
    "std::thread",
    "std::os",
    "std::io::stdin",
    "std::io::stdout",
    "std::io::stderr",
    "core::time",
    "core::net",
    "ring::rand",
    "tokio",
    "hyper",
    "hyper_util",
    "http_body",
    "rustix",
    "rcgen",
    "rustls",
    "tokio_rustls",
    "env_logger",
    "lexopt",
    "gpiocdev",
    "sd_notify",
    "listenfd",
    "httparse",
];

/// What of it is no more than a value.
const VALUES: &[&str] = &[
    "std::time::Duration",
    "core::time::Duration",
    "std::net::IpAddr",
    "std::net::Ipv4Addr",
    "std::net::Ipv6Addr",
    "std::net::SocketAddr",
    "core::net::IpAddr",
    "core::net::Ipv4Addr",
    "core::net::Ipv6Addr",
    "core::net::SocketAddr",
];

/// What the room that reads clock and random source may name of it.
const CLOCKS: &[&str] = &["std::time", "ring::rand"];

/// The longest file, without its tests.
const LINES: usize = 400;

/// Rooms without a purpose of their own.
const VAGUE: &[&str] = &["util", "utils", "helper", "helpers", "common", "misc", "shared", "stuff"];

/// A rule broken.
#[derive(Debug, PartialEq)]
struct Fault {
    line: usize,
    text: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.line, self.text)
    }
}

fn fault(line: usize, text: impl Into<String>) -> Fault {
    Fault { line, text: text.into() }
}

/// Every fault of the file `name`, which is relative to `src/`.
fn faults(name: &str, text: &str) -> Vec<Fault> {
    let Some(home) = room(name) else {
        let text =
            "this room is not declared. Put it into the table of tests/layers.rs and into the house of lib.rs, at its floor";
        return vec![fault(1, text)];
    };
    let code = bare(text);
    let paths = paths(untested(&code));
    let mut faults = vague_names(name, &code);
    faults.extend(unsafe_code(&code));
    faults.extend(length(text, &code));
    if !DOORS.contains(&home) && !is_test_file(name) {
        faults.extend(imports(name, home, &paths));
        faults.extend(sights(home, &paths));
    }
    faults
}

// ── the rules ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// The room that a file is in; `None` if nobody declared it.
fn room(name: &str) -> Option<&str> {
    let first = name.split('/').next()?.trim_end_matches(".rs");
    (DOORS.contains(&first) || height(first).is_some()).then_some(first)
}

fn height(room: &str) -> Option<usize> {
    ROOMS.iter().position(|(name, _)| *name == room)
}

/// `tests.rs` is compiled for tests alone.
fn is_test_file(name: &str) -> bool {
    name.rsplit('/').next() == Some("tests.rs")
}

/// Imports go down.
fn imports(name: &str, home: &str, paths: &[(usize, String)]) -> Vec<Fault> {
    let found = paths.iter().filter_map(|(line, path)| {
        let target = target(name, path)?;
        let text = match (height(home), height(target)) {
            _ if target == home => return None,
            (_, None) => format!("`{path}` is not named by its room. Write `crate::room::Thing`"),
            (Some(here), Some(there)) if there > here => {
                format!("`{home}` imports `{target}`, which is not below it. Hand in what `{home}` needs, or move it down")
            }
            _ if STRANGERS.iter().any(|pair| *pair == (home, target) || *pair == (target, home)) => {
                format!("`{home}` and `{target}` do not know each other. Let them meet in `http`")
            }
            _ => return None,
        };
        Some(fault(*line, text))
    });
    found.collect()
}

/// Which room of the house a path leads to; `None` where it stays in its own or leaves the house.
fn target<'a>(name: &str, path: &'a str) -> Option<&'a str> {
    let mut words = path.split("::");
    let depth = name.split('/').count() - usize::from(name.ends_with("/mod.rs"));
    let climbed = path.split("::").take_while(|word| *word == "super").count();
    match words.next() {
        Some("crate") => words.next(),
        Some("super") if climbed >= depth => Some(words.nth(climbed - 1).unwrap_or("*")),
        _ => None,
    }
}

/// Pure rooms are told, they do not look.
fn sights(home: &str, paths: &[(usize, String)]) -> Vec<Fault> {
    let sight = ROOMS.iter().find(|(name, _)| *name == home).map_or(Sight::Pure, |(_, sight)| *sight);
    let is_within = |path: &str, set: &[&str]| set.iter().any(|name| path == *name || path.starts_with(&format!("{name}::")));
    let is_seen =
        |path: &str| is_within(path, WORLD) && !is_within(path, VALUES) && !(sight == Sight::Clock && is_within(path, CLOCKS));
    let found = paths.iter().filter(|(_, path)| sight != Sight::World && is_seen(path));
    let text = |path: &str| format!("`{path}` in the pure room `{home}`. Have the caller hand in what it says, as `World` does");
    found.map(|(line, path)| fault(*line, text(path))).collect()
}

/// A room's name says what is in it.
fn vague_names(name: &str, code: &str) -> Vec<Fault> {
    let text = |word: &str| format!("`{word}` says nothing. Move each function to its one caller or to a type");
    let own = name.split('/').map(|part| part.trim_end_matches(".rs")).filter(|part| VAGUE.contains(part));
    let mut faults: Vec<Fault> = own.map(|part| fault(1, text(part))).collect();
    for pair in words(code).windows(2) {
        if pair[0].1 == "mod" && VAGUE.contains(&pair[1].1) {
            faults.push(fault(pair[1].0, text(pair[1].1)));
        }
    }
    faults
}

/// No `unsafe`, not even in tests.
fn unsafe_code(code: &str) -> Vec<Fault> {
    let words = words(code);
    let found = words.iter().filter(|(_, word)| *word == "unsafe");
    found.map(|(line, _)| fault(*line, "`unsafe`. Find a crate that has it behind a safe interface")).collect()
}

/// Files are short enough to be read.
fn length(text: &str, code: &str) -> Option<Fault> {
    let lines = text[..untested(code).len()].lines().count();
    (lines > LINES).then(|| fault(lines, format!("{lines} lines before the tests, at most {LINES}. Split it by nouns")))
}

// ── reading Rust ───────────────────────────────────────────────────────────────────────────────────────────────────

/// The code before its unit tests: before the first `mod` with a body that is compiled for tests alone.
fn untested(code: &str) -> &str {
    let is_tests = |after: &str| {
        let line = after.lines().find(|line| !line.starts_with("#["));
        line.is_some_and(|line| words(line).iter().any(|(_, word)| *word == "mod") && line.trim_end().ends_with('{'))
    };
    let mark = "\n#[cfg(test)]\n";
    let end = code.match_indices(mark).find(|(at, _)| is_tests(&code[at + mark.len()..]));
    end.map_or(code, |(at, _)| &code[..=at])
}

/// `text` with each byte of its comments and literals made a space, so that lines and places stay.
fn bare(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut code = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = at + opaque(&bytes[at..], at.checked_sub(1).map(|before| bytes[before]));
        for byte in &mut code[at..end] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&code).into_owned()
}

/// How long the comment or literal is that `rest` begins with; 0 if it begins with code.
fn opaque(rest: &[u8], before: Option<u8>) -> usize {
    let find = |from: usize, needle: &[u8]| {
        let found = rest[from..].windows(needle.len()).position(|window| window == needle);
        found.map_or(rest.len(), |index| from + index + needle.len())
    };
    let is_word = before.is_some_and(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match rest {
        [b'/', b'/', ..] => rest.iter().position(|byte| *byte == b'\n').unwrap_or(rest.len()),
        [b'/', b'*', ..] => block_comment(rest),
        [b'"', ..] => quoted(rest, b'"'),
        [b'r', ..] if !is_word || before == Some(b'b') => {
            let hashes = rest[1..].iter().take_while(|byte| **byte == b'#').count();
            let close = [&b"\""[..], &b"#".repeat(hashes)].concat();
            if rest.get(1 + hashes) == Some(&b'"') { find(2 + hashes, &close) } else { 0 }
        }
        // A character, not a lifetime: `'a'`, `'\n'`, `'ä'`.
        [b'\'', b'\\', ..] => quoted(rest, b'\''),
        [b'\'', first, third, ..] if *third == b'\'' || !first.is_ascii() => quoted(rest, b'\''),
        _ => 0,
    }
}

/// Block comments nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        match &rest[at..] {
            [b'/', b'*', ..] => (depth, at) = (depth + 1, at + 2),
            [b'*', b'/', ..] if depth == 1 => return at + 2,
            [b'*', b'/', ..] => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
    }
    at
}

fn quoted(rest: &[u8], quote: u8) -> usize {
    let mut at = 1;
    while at < rest.len() && rest[at] != quote {
        at += if rest[at] == b'\\' { 2 } else { 1 };
    }
    (at + 1).min(rest.len())
}

/// Words and signs with their lines; `::` is one sign.
fn words(code: &str) -> Vec<(usize, &str)> {
    let mut words = Vec::new();
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    for (index, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let length = match first {
                c if is_word(c) => rest.find(|c| !is_word(c)).unwrap_or(rest.len()),
                _ if rest.starts_with("::") => 2,
                c => c.len_utf8(),
            };
            words.push((index + 1, &rest[..length]));
            rest = rest[length..].trim_start();
        }
    }
    words
}

/// Every path in the code with its line, those in braces spelled out.
fn paths(code: &str) -> Vec<(usize, String)> {
    let words = words(code);
    let mut paths = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let is_import = words[at].1 == "use";
        let is_path = is_name(words[at].1) && words.get(at + 1).is_some_and(|(_, sign)| *sign == "::");
        match (is_import, is_path) {
            (true, _) => at = path(&words, at + 1, String::new(), &mut paths),
            (_, true) => at = path(&words, at, String::new(), &mut paths),
            _ => at += 1,
        }
    }
    paths
}

/// Reads the path at `at`, which goes on from `path`, and returns where it ends.
fn path(words: &[(usize, &str)], mut at: usize, mut path: String, paths: &mut Vec<(usize, String)>) -> usize {
    while let Some((line, word)) = words.get(at) {
        match *word {
            "::" => {}
            "{" => return group(words, at + 1, &path, paths),
            "self" if !path.is_empty() => {}
            name if is_name(name) && path.is_empty() => name.clone_into(&mut path),
            name if is_name(name) || name == "*" => path = format!("{path}::{name}"),
            _ => break,
        }
        at += 1;
        if *word != "::" && words.get(at).is_none_or(|(_, sign)| *sign != "::") {
            paths.push((*line, path));
            break;
        }
    }
    at
}

/// Reads what stands in braces after `before`, and returns where it ends.
fn group(words: &[(usize, &str)], mut at: usize, before: &str, paths: &mut Vec<(usize, String)>) -> usize {
    while let Some((_, word)) = words.get(at) {
        match *word {
            "}" => return at + 1,
            "as" => at += 2,
            word if is_name(word) || word == "*" => at = path(words, at, before.to_owned(), paths),
            _ => at += 1,
        }
    }
    at
}

fn is_name(word: &str) -> bool {
    word.starts_with(|c: char| c.is_alphabetic() || c == '_')
}

// ── the tests ──────────────────────────────────────────────────────────────────────────────────────────────────────

/// Calls `visit` with each Rust file below `folder`: its name, relative to the first folder, and its text.
fn each_file(folder: &Path, name: &str, visit: &mut impl FnMut(&str, &str)) {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    for path in entries.map(|entry| entry.path()) {
        let own = path.file_name().unwrap_or_default().to_string_lossy();
        let name = if name.is_empty() { own.into_owned() } else { format!("{name}/{own}") };
        if path.is_dir() {
            each_file(&path, &name, visit);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            visit(&name, &fs::read_to_string(&path).unwrap_or_default());
        }
    }
}

#[test]
fn the_house_stands() {
    let mut broken = Vec::new();
    let mut files = 0;
    each_file(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut |name, text| {
        files += 1;
        broken.extend(faults(name, text).into_iter().map(|fault| format!("src/{name}:{fault}")));
    });
    assert!(files > 10, "only {files} files found");
    assert!(broken.is_empty(), "house rules broken:\n{}", broken.join("\n"));
}

#[test]
fn no_dependency_wants_a_newer_rust_than_we_say() {
    let mut cargo = Command::new(env!("CARGO"));
    // It fetches what has not been fetched so far: packages that other kinds of machine would take.
    cargo.args(["metadata", "--locked", "--format-version", "1"]).current_dir(env!("CARGO_MANIFEST_DIR"));
    let told = cargo.output().unwrap();
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    let told: serde_json::Value = serde_json::from_slice(&told.stdout).unwrap();
    let version = |text: &str| text.split('.').map(|number| number.parse().unwrap()).collect::<Vec<u32>>();
    let ours = version(env!("CARGO_PKG_RUST_VERSION"));
    let packages = told["packages"].as_array().unwrap();
    let named = packages.iter().filter_map(|package| package["rust_version"].as_str().map(|text| (text, &package["name"])));
    let newer: Vec<_> = named.clone().filter(|(text, _)| version(text) > [ours.clone(), vec![0]].concat()).collect();
    assert!(named.count() > 50 && newer.is_empty(), "newer than {ours:?}: {newer:?}");
}

/// The faults of a sample, as text.
fn told(name: &str, text: &str) -> String {
    faults(name, text).iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_room_that_nobody_declared_is_refused() {
    assert!(told("attic.rs", "").contains("not declared"));
    assert!(told("attic/mod.rs", "").contains("not declared"));
    assert_eq!(told("seal/ring.rs", ""), "");
}

#[test]
fn an_import_that_goes_up_is_refused() {
    let samples = [
        "\nuse crate::http::Reply;",
        "\nuse crate::{http::Reply, limits};",
        "\nuse crate::{limits, http::{self}};",
        "\nfn f() { crate::http::reply() }",
        "\nfn f() -> super::super::http::Reply {}",
        "\npub(crate) use crate::http as web;",
    ];
    for sample in samples {
        let told = told("oauth/code.rs", sample);
        assert_eq!(
            told, "2: `oauth` imports `http`, which is not below it. Hand in what `oauth` needs, or move it down",
            "{sample}"
        );
    }
    assert!(told("limits.rs", "use super::tool::Tool;").contains("`limits` imports `tool`"));
    assert!(told("tool/mod.rs", "use super::http::Reply;").contains("`tool` imports `http`"));
}

#[test]
fn an_import_that_goes_down_or_stays_is_fine() {
    let text = "use crate::{limits::{self, A as B}, principal::*};\nuse super::grant::Grant;\nuse crate::oauth::code::Code;\n";
    assert_eq!(told("oauth/token.rs", text), "");
    assert_eq!(told("tool/arg.rs", "use super::http::Reply;"), "", "a room of its own may be called http");
    assert_eq!(told("lib.rs", "pub use crate::http::Reply;"), "");
}

#[test]
fn strangers_are_kept_apart() {
    assert!(told("mcp/engine.rs", "use crate::oauth::Grant;").contains("do not know each other"));
    assert!(told("oauth/grant.rs", "use crate::mcp::Engine;").contains("imports `mcp`"));
}

#[test]
fn a_thing_is_named_by_its_room() {
    assert!(told("http/mod.rs", "use crate::Tool;").contains("Write `crate::room::Thing`"));
    assert!(told("http/mod.rs", "use crate::*;").contains("Write `crate::room::Thing`"));
}

#[test]
fn a_pure_room_that_looks_at_the_world_is_refused() {
    let samples = [
        "use std::time::Instant;",
        "use std::time::{Duration, SystemTime};",
        "use std::{fmt, fs};",
        "fn f() { std::env::var(\"X\"); }",
        "use std::net::TcpStream;",
        "use std::net;",
        "async fn f() { tokio::time::sleep(d).await }",
        "use hyper::Request;",
        "use ring::{hmac, rand::SystemRandom};",
        "fn f() { ::std::process::exit(1) }",
    ];
    for sample in samples {
        assert!(told("seal/token.rs", sample).contains("in the pure room `seal`"), "{sample}");
        assert!(told("tool/call.rs", sample).contains("in the pure room `tool`"), "{sample}");
        assert_eq!(told("http/mod.rs", sample), "", "{sample}");
    }
    assert_eq!(told("seal/token.rs", "use std::time::Duration;\nuse std::net::{IpAddr, Ipv4Addr};\nuse ring::hmac::Key;"), "");
}

#[test]
fn the_world_room_reads_clock_and_random_and_no_more() {
    assert_eq!(told("world.rs", "use std::time::{Instant, SystemTime};\nuse ring::rand::SystemRandom;"), "");
    assert!(told("world.rs", "use std::fs::File;").contains("`std::fs::File` in the pure room `world`"));
}

#[test]
fn comments_literals_and_tests_are_not_code() {
    let text = "//! use crate::http::X;\n/* std::fs::File /* */ unsafe */\nconst A: &str = \"std::fs::File \\\" unsafe\";\n\
                const B: &str = r#\"\" unsafe \"#;\nconst C: [char; 3] = ['\"', '\\'', 'ä'];\nfn f<'a>(_: &'a str) {}\n\
                #[cfg(test)]\n#[allow(dead_code)]\nmod tests {\n    use std::fs::File;\n}\n";
    assert_eq!(told("seal/token.rs", text), "");
    assert_eq!(told("seal/tests.rs", "use std::fs::File;"), "");
    let after = format!("{text}\nunsafe fn g() {{}}");
    assert!(told("seal/token.rs", &after).starts_with("13: `unsafe`"), "{}", told("seal/token.rs", &after));
}

#[test]
fn code_behind_a_smaller_test_switch_is_still_code() {
    let text = "\n#[cfg(test)]\nuse std::fmt;\nuse std::fs::File;\n";
    assert!(told("seal/token.rs", text).starts_with("4: `std::fs::File`"));
}

#[test]
fn unsafe_code_is_refused_even_in_tests_and_doors() {
    let text = "fn f() {}\n#[cfg(test)]\nmod tests {\n    unsafe fn g() {}\n}\n";
    assert!(told("lib.rs", text).starts_with("4: `unsafe`"));
}

#[test]
fn a_long_file_is_refused_and_its_tests_do_not_count() {
    let long = "fn f() {}\n".repeat(LINES + 1);
    assert!(told("tool/mod.rs", &long).contains("401 lines before the tests, at most 400"));
    let tested = format!("{}#[cfg(test)]\nmod tests {{\n{long}}}\n", "fn f() {}\n".repeat(LINES));
    assert_eq!(told("tool/mod.rs", &tested), "");
}

#[test]
fn a_name_that_says_nothing_is_refused() {
    assert!(told("oauth/utils.rs", "").contains("`utils` says nothing"));
    assert!(told("oauth/helpers/mod.rs", "").contains("`helpers` says nothing"));
    assert!(told("oauth/mod.rs", "\npub(crate) mod common;").starts_with("2: `common` says nothing"));
}
