//! The entry for the MCP registry, held to what its schema of 2025-12-11 asks of one with a bundle (`mcpb`). The schema itself is in no
//! package that could be installed; what it asks is written down here.

use crate::board::{self, Folder};
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

fn script() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("cross/registry")
}

/// What is wrong with an entry.
fn faults(entry: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let mut check = |is_good: bool, what: &str| {
        if !is_good {
            faults.push(what.to_owned());
        }
    };
    let text = |value: &Value, name: &str| value[name].as_str().unwrap_or_default().to_owned();
    let is_word = |word: &str, more: &str| {
        !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || ".-".contains(c) || more.contains(c))
    };
    let name = text(entry, "name");
    check(
        name.split_once('/').is_some_and(|(space, name)| is_word(space, "") && is_word(name, "_")),
        "name: reverse DNS, a slash, a word",
    );
    check((3..=200).contains(&name.len()), "name: 3 to 200 characters");
    check((1..=100).contains(&text(entry, "description").chars().count()), "description: 1 to 100 characters");
    check((1..=100).contains(&text(entry, "title").chars().count()), "title: 1 to 100 characters");
    check(text(entry, "version") == env!("CARGO_PKG_VERSION"), "version: that of the program");
    check(text(entry, "$schema") == "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json", "$schema");
    check(text(&entry["repository"], "url") == env!("CARGO_PKG_REPOSITORY"), "repository: that of the manifest");
    check(text(&entry["repository"], "source") == "github", "repository: its host");
    let packages = entry["packages"].as_array().map_or(&[][..], Vec::as_slice);
    check(packages.len() == 1, "packages: one");
    for package in packages {
        let identifier = text(package, "identifier");
        check(text(package, "registryType") == "mcpb", "registryType");
        check(
            identifier.starts_with("https://github.com/") && identifier.split('/').next_back() == Some("perchd.mcpb"),
            "identifier: a release's file",
        );
        check(identifier.contains(&format!("/v{}/", env!("CARGO_PKG_VERSION"))), "identifier: of this version");
        check(text(package, "version") == env!("CARGO_PKG_VERSION"), "package: the version, and no range of versions");
        let hash = text(package, "fileSha256");
        check(hash.len() == 64 && hash.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b)), "fileSha256: needed");
        check(text(&package["transport"], "type") == "stdio", "transport");
    }
    let known = ["$schema", "name", "title", "description", "version", "websiteUrl", "repository", "packages"];
    check(entry.as_object().is_some_and(|entry| entry.keys().all(|key| known.contains(&key.as_str()))), "nothing else");
    faults
}

#[test]
fn the_entry_for_the_registry_names_a_bundle_and_its_hash() {
    let folder = Folder::new();
    let bundle = folder.path().join("perchd.mcpb");
    assert!(board::command().args(["bundle", "--output"]).arg(&bundle).output().unwrap().status.success());
    let output = Command::new(script()).arg(&bundle).output().unwrap();
    assert!(output.status.success());
    let entry: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(faults(&entry), [""; 0]);
    let sum = Command::new("sha256sum").arg(&bundle).output().unwrap();
    let hash = entry["packages"][0]["fileSha256"].as_str().unwrap();
    assert!(String::from_utf8(sum.stdout).unwrap().starts_with(hash) && !hash.starts_with("0000"));
}

#[test]
fn an_entry_that_the_registry_would_refuse_is_found() {
    let entry: Value = serde_json::from_str(include_str!("../../cross/server.json")).unwrap();
    let broken = |change: fn(&mut Value)| {
        let mut entry = entry.clone();
        change(&mut entry);
        faults(&entry).join("; ")
    };
    assert_eq!(broken(|_| {}), "");
    assert!(broken(|entry| entry["name"] = "perchd".into()).starts_with("name"));
    assert!(broken(|entry| entry["description"] = "x".repeat(101).into()).starts_with("description"));
    assert!(broken(|entry| entry["packages"][0]["version"] = "latest".into()).starts_with("package"));
    assert!(broken(|entry| entry["packages"][0]["fileSha256"] = "AB".repeat(32).into()).starts_with("fileSha256"));
    assert!(broken(|entry| entry["remotes"] = Value::Null).starts_with("nothing else"));
    assert_eq!(Command::new(script()).output().unwrap().status.code(), Some(64));
}
