//! What `--help` says, taken apart: the one source of the manual's page on commands, of the man page, and of what shells complete.

use crate::board;

/// A command, as `perchd --help` and its own help tell of it.
pub(crate) struct Verb {
    pub(crate) name: String,
    pub(crate) about: String,
    /// What comes next: `new` or `inspect` after `token`.
    pub(crate) words: Vec<String>,
    pub(crate) options: Vec<Choice>,
    pub(crate) takes_file: bool,
    pub(crate) help: String,
}

/// An option.
pub(crate) struct Choice {
    pub(crate) name: String,
    /// What stands behind it, such as `FILE`.
    pub(crate) value: Option<String>,
    pub(crate) about: String,
}

/// The whole of `perchd WORDS --help`.
pub(crate) fn help(words: &[&str]) -> String {
    let output = board::command().args(words).arg("--help").output().unwrap();
    assert!(output.status.success(), "perchd {words:?} --help");
    String::from_utf8(output.stdout).unwrap()
}

/// All commands, in the order of `perchd --help`.
pub(crate) fn verbs() -> Vec<Verb> {
    let help = help(&[]);
    let commands = help.split("`perchd COMMAND --help`").next().unwrap();
    entries(commands).into_iter().map(verb).collect()
}

/// The options that stand in a text.
pub(crate) fn options(text: &str) -> Vec<Choice> {
    let option = |(term, about): (String, String)| {
        let (name, value) =
            term.rsplit(", ").next()?.strip_prefix("--").map(|term| term.split_once(' ').unwrap_or((term, "")))?;
        Some(Choice { name: name.to_owned(), value: (!value.is_empty()).then(|| value.to_owned()), about: short(&about) })
    };
    entries(text).into_iter().filter_map(option).collect()
}

fn verb((term, about): (String, String)) -> Verb {
    let mut words = term.split(' ');
    let name = words.next().unwrap().to_owned();
    let next = words.next().filter(|word| word.contains('|')).unwrap_or_default();
    let help = help(&[&name]);
    let usage = help.split("Usage:").nth(1).unwrap_or_else(|| panic!("{name} has no usage")).split("\n\n").next().unwrap();
    Verb {
        about: short(&about),
        words: next.split('|').filter(|word| !word.is_empty()).map(str::to_owned).collect(),
        options: options(&help),
        takes_file: usage
            .split_whitespace()
            .zip(usage.split_whitespace().skip(1))
            .any(|(before, word)| !before.contains("--") && word.trim_matches(['[', ']']).split('|').any(|word| word == "FILE")),
        help,
        name,
    }
}

/// What stands in two columns: the term, and what is said of it, in however many lines.
fn entries(text: &str) -> Vec<(String, String)> {
    const COLUMN: usize = 24;
    let mut entries: Vec<(String, String)> = Vec::new();
    let mut is_open = false;
    for line in text.lines() {
        if let Some(term) = line.strip_prefix("  ").filter(|term| !term.starts_with(' ')) {
            let (term, about) =
                if term.len() > COLUMN - 2 && term.is_char_boundary(COLUMN - 2) && term[..COLUMN - 2].ends_with("  ") {
                    term.split_at(COLUMN - 2)
                } else {
                    (term, "")
                };
            entries.push((term.trim().to_owned(), about.to_owned()));
            is_open = true;
        } else if let (Some(more), true) = (line.strip_prefix(&" ".repeat(COLUMN)), is_open) {
            let (_, about) = entries.last_mut().unwrap();
            if !about.is_empty() {
                about.push(' ');
            }
            about.push_str(more);
        } else {
            is_open = false;
        }
    }
    entries
}

/// As much of it as fits beside a word that is completed.
fn short(about: &str) -> String {
    let end = ["; ", ". ", " [", " ("].iter().filter_map(|stop| about.find(stop)).min().unwrap_or(about.len());
    about[..end].trim_end_matches('.').to_owned()
}
