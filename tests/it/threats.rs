//! `src/manual/threats.md`: the tests that it names are there, and each of its answers names one.

use std::fs;
use std::path::{Path, PathBuf};

const MANUAL: &str = include_str!("../../src/manual/threats.md");

/// The tests that a text names, as `file::test`.
fn named(text: &str) -> Vec<(&str, &str)> {
    let quoted = text.split('`').skip(1).step_by(2);
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || b"_0123456789".contains(&byte));
    quoted.filter_map(|quoted| quoted.split_once("::")).filter(|(file, test)| is_word(file) && is_word(test)).collect()
}

/// Every file of the program and of these tests.
fn sources(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries
        .flat_map(|path| if path.is_dir() { sources(&path) } else { vec![path] })
        .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
        .collect()
}

/// Whether a source has this test.
fn has_test(source: &str, test: &str) -> bool {
    let Some((before, _)) = source.split_once(&format!("fn {test}()")) else { return false };
    before.trim_end().lines().rev().take_while(|line| line.trim_start().starts_with("#[")).any(|line| line.trim() == "#[test]")
}

#[test]
fn every_test_that_the_manual_names_is_there() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let files: Vec<_> = [sources(&root.join("src")), sources(&root.join("tests/it"))].concat();
    let named = named(MANUAL);
    assert!(named.len() > 60, "{}", named.len());
    for (file, test) in named {
        let is_there = files
            .iter()
            .filter(|path| path.file_stem().unwrap() == file)
            .any(|path| has_test(&fs::read_to_string(path).unwrap(), test));
        assert!(is_there, "threats.md names {file}::{test}, and there is no such test");
    }
}

#[test]
fn every_answer_names_a_test() {
    let (_, tables) = MANUAL.split_once("# What is refused").unwrap();
    let rows = tables.lines().filter(|line| line.starts_with("| ") && !line.ends_with("shown by |"));
    let unproved: Vec<_> = rows.clone().filter(|row| named(row).is_empty()).collect();
    assert!(rows.count() > 50 && unproved.is_empty(), "{unproved:#?}");
}

#[test]
fn what_is_no_test_is_not_taken_for_one() {
    assert!(!has_test("fn a_thing() {}", "a_thing"));
    assert!(!has_test("#[test]\nfn another() {}\nfn a_thing() {}", "a_thing"));
    assert!(has_test("    #[test]\n    #[should_panic]\n    fn a_thing() {}", "a_thing"));
    assert_eq!(named("`oauth::a_thing` and `Call::elicit`, `a b::c`"), [("oauth", "a_thing")]);
}
