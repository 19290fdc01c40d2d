//! What is installed and read beside the program is made of one source and is current: the manual's page on the command line and what
//! shells complete of `--help`, the man pages of the manual.
//!
//! `PERCHD_WRITE=1 cargo test --test it reference::` writes all of it anew.

mod help;
mod keys;
mod roff;
mod shells;

use crate::board;
use help::{Verb, verbs};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

/// Holds a file to what it is made of, or writes it anew.
fn current(path: &str, made: &str) {
    if std::env::var_os("PERCHD_WRITE").is_some() {
        fs::write(root().join(path), made).unwrap();
    }
    assert!(read(path) == made, "{path} is not of today: PERCHD_WRITE=1 cargo test --test it reference::");
}

/// The manual's page on the command line.
fn command_line(verbs: &[Verb]) -> String {
    let mut page = format!(
        "The command line: every command and option, as `perchd --help` and `perchd COMMAND --help` tell them.\n\n```text\n{}```\n",
        help::help(&[])
    );
    for verb in verbs {
        let _ = write!(page, "\n# perchd {}\n\n```text\n{}```\n", verb.name, verb.help);
    }
    page
}

/// The title line of a man page: of the day on which the package's newest entry was written.
fn title(name: &str, section: u8) -> String {
    let changelog = read("cross/deb/changelog");
    let date: Vec<&str> =
        changelog.lines().find(|line| line.starts_with(" -- ")).unwrap().rsplit("  ").next().unwrap().split(' ').collect();
    let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    let month = months.iter().position(|month| *month == date[2]).unwrap() + 1;
    format!(
        ".\\\" Made of the manual: PERCHD_WRITE=1 cargo test --test it reference::\n.TH {name} {section} {}-{month:02}-{} \"perchd {}\"",
        date[3],
        date[1],
        env!("CARGO_PKG_VERSION")
    )
}

/// perchd(1).
fn perchd_1(verbs: &[Verb]) -> String {
    let markdown = format!(
        "# NAME\n\nperchd - MCP server that makes a board reachable for assistants\n\n# SYNOPSIS\n\n**perchd** [COMMAND] [OPTIONS]\n\n# DESCRIPTION\n\n{}\n\
         # FILES\n\n| file | what |\n|---|---|\n| `/etc/perchd/perchd.toml` | The configuration, with every key explained |\n\
         | `/etc/perchd/tools.d` | Commands of the owner's own, as tools |\n| `/var/lib/perchd` | Keys and certificates |\n\n\
         # SEE ALSO\n\n**perchd.toml**(5), **systemctl**(1)\n",
        command_line(verbs)
    );
    roff::page(&title("PERCHD", 1), &markdown)
}

/// perchd.toml(5).
fn perchd_toml_5() -> String {
    let markdown = format!(
        "# NAME\n\nperchd.toml - configuration of perchd\n\n# DESCRIPTION\n\n{}\n# COMMANDS AS TOOLS\n\n{}\n# SEE ALSO\n\n**perchd**(1)\n",
        read("src/manual/configuration.md"),
        // Deeper by one, as it is a part of the page here.
        read("src/manual/commands.md").replace("\n## ", "\n### ").replace("\n# ", "\n## "),
    );
    roff::page(&title("PERCHD.TOML", 5), &markdown)
}

#[test]
fn the_manual_the_man_pages_and_the_shells_are_made_of_one_source() {
    let verbs = verbs();
    assert!(verbs.len() > 10 && verbs.iter().map(|verb| verb.options.len()).sum::<usize>() > 20);
    current("src/manual/command_line.md", &command_line(&verbs));
    current("cross/perchd.1", &perchd_1(&verbs));
    current("cross/perchd.toml.5", &perchd_toml_5());
    current("cross/completions/perchd.bash", &shells::bash(&verbs));
    current("cross/completions/_perchd", &shells::zsh(&verbs));
    current("cross/completions/perchd.fish", &shells::fish(&verbs));
}

/// The sources of a command: its file, and those of a folder of its name.
fn sources(verb: &str) -> String {
    let cli = root().join("src/cli");
    let folder = fs::read_dir(cli.join(verb)).into_iter().flatten().map(|entry| entry.unwrap().path());
    let files = folder.chain([cli.join(format!("{verb}.rs"))]).filter(|file| file.is_file());
    let text: String =
        files.map(|file| fs::read_to_string(file).unwrap().split("#[cfg(test)]").next().unwrap().to_owned()).collect();
    assert!(!text.is_empty(), "{verb} has no file of its own");
    text
}

/// What a source says in quotes, and could be the name of an option.
fn literals(source: &str) -> BTreeSet<&str> {
    let code = source.split("#[cfg(test)]").next().unwrap();
    let is_name = |word: &&str| {
        !word.is_empty()
            && word.starts_with(|c: char| c.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
    };
    code.split('"').skip(1).step_by(1).filter(is_name).collect()
}

/// The program does what its help says, and says what it does.
#[test]
fn help_tells_every_command_and_option_that_the_program_reads_and_no_other() {
    let verbs = verbs();
    let commands = read("src/cli/mod.rs");
    let read_by_code: BTreeSet<_> = commands
        .lines()
        .filter_map(|line| line.trim().strip_prefix('"')?.split_once("\" => ").filter(|(_, does)| does.contains("::run(")))
        .map(|(name, _)| name)
        .collect();
    let told: BTreeSet<_> = verbs.iter().map(|verb| verb.name.as_str()).collect();
    assert_eq!(told, read_by_code, "what `perchd --help` tells, and what `verb` in src/cli/mod.rs reads");

    let mut wrong = Vec::new();
    for verb in &verbs {
        let own = sources(&verb.name);
        let mut candidates = literals(&own);
        candidates.extend(literals(&commands));
        candidates.extend(verb.options.iter().map(|option| option.name.as_str()));
        for name in candidates.into_iter().filter(|name| !["help", "version"].contains(name)) {
            let is_told = verb.options.iter().any(|option| option.name == name);
            let is_read = is_read(verb, name);
            if is_told != is_read {
                wrong.push(format!("{} --{name}: told {is_told}, read {is_read}", verb.name));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Whether a command takes an option. The value, if it wants one, is none that it could use: nothing happens.
fn is_read(verb: &Verb, option: &str) -> bool {
    let next: Vec<&[String]> = if verb.words.is_empty() { vec![&[]] } else { verb.words.chunks(1).collect() };
    next.into_iter().any(|next| {
        let output = board::command()
            .arg(&verb.name)
            .args(next)
            .args([&format!("--{option}"), "--help", "--help"])
            .env("XDG_STATE_HOME", "/nonexistent/state")
            .output()
            .unwrap();
        !String::from_utf8_lossy(&output.stderr).contains(&format!("there is no option --{option}"))
    })
}

#[test]
fn every_command_shows_an_example() {
    for verb in verbs() {
        let is_shown = verb.help.split("Example").nth(1).is_some_and(|text| text.contains(&format!("perchd {}", verb.name)));
        assert!(is_shown, "perchd {} --help has no example", verb.name);
        assert!(verb.help.lines().all(|line| line.chars().count() <= 80), "{}: a line is longer than a terminal", verb.name);
    }
}

/// What bash offers after these words.
fn offered(words: &[&str]) -> BTreeSet<String> {
    let script = "source \"$1\"; shift; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); _perchd; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let file = root().join("cross/completions/perchd.bash");
    let output = std::process::Command::new("bash").args(["-c", script, "bash"]).arg(file).args(words).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_every_command_and_option() {
    let verbs = verbs();
    let first = offered(&["perchd", ""]);
    for verb in &verbs {
        assert!(first.contains(&verb.name), "{}", verb.name);
        let options = offered(&["perchd", &verb.name, "--"]);
        for option in &verb.options {
            assert!(options.contains(&format!("--{}", option.name)), "{} --{}", verb.name, option.name);
        }
        let all = offered(&["perchd", &verb.name, ""]);
        assert!(verb.words.iter().all(|word| all.contains(word)), "{}", verb.name);
    }
    assert_eq!(offered(&["perchd", "serve", "--auth", "d"]), BTreeSet::from(["demo".to_owned()]));
    assert!(offered(&["perchd", "check", "/etc/host"]).contains("/etc/hostname"));
}

#[test]
fn the_manual_tells_every_key_that_is_read_and_no_other() {
    let mut read_by_code = keys::read_by(&read("src/config/file.rs"));
    let mut declared = keys::read_by(&read("src/config/declared/shape.rs"));
    // A file of `tools.d` has some of what the whole file has.
    let files = declared.remove("tools.d").unwrap();
    assert!(files.is_subset(&read_by_code[""]));
    read_by_code.extend(declared);
    let mut told = keys::told_by(&read("src/manual/configuration.md"));
    told.extend(keys::told_by(&read("src/manual/commands.md")).into_iter().filter(|(table, _)| !table.is_empty()));
    assert!(read_by_code.values().map(BTreeSet::len).sum::<usize>() > 100);
    assert_eq!(keys::missing(&told, &read_by_code), [], "keys that are read, and stand nowhere in the manual");
    assert_eq!(keys::missing(&read_by_code, &told), [], "keys that stand in the manual, and nothing reads");
}

#[test]
fn a_key_that_is_told_or_read_alone_is_found() {
    let shape = "tables! {\n    /// `[tea]`.\n    pub(super) struct Tea {\n        pub(super) r#type: Option<String>,\n        pub(super) milk: bool,\n    }\n}\n";
    let page =
        "# `[tea]`: how it is made\n\n| key | means |\n|---|---|\n| `type`, `milk` | all |\n\n```toml\n# `[coffee]`\n```\n";
    let (read, told) = (keys::read_by(shape), keys::told_by(page));
    assert_eq!((keys::missing(&told, &read), keys::missing(&read, &told)), (vec![], vec![("", "tea")]));
    let told = keys::told_by(&page.replace("`milk`", "`honey`"));
    assert_eq!(keys::missing(&told, &read), [("[tea]", "milk")]);
    assert_eq!(keys::missing(&read, &told), [("", "tea"), ("[tea]", "honey")]);
}
