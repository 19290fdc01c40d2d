//! What bash, zsh and fish complete: written from what `--help` says.

use super::help::{Choice, Verb};
use std::fmt::Write;

const MADE: &str = "# Words of perchd, made of what `perchd --help` says: PERCHD_WRITE=1 cargo test --test it reference::\n";
const MODES: &str = "users pairing demo open";

/// What may stand behind an option.
enum Kind {
    Flag,
    File,
    Folder,
    Mode,
    Word,
}

impl Choice {
    fn kind(&self) -> Kind {
        match self.value.as_deref() {
            None => Kind::Flag,
            Some("FILE") => Kind::File,
            Some("DIR") => Kind::Folder,
            Some("MODE") => Kind::Mode,
            Some(_) => Kind::Word,
        }
    }
}

/// bash. What comes before a command are the options of `serve`, and those of `perchd` itself.
pub(crate) fn bash(verbs: &[Verb]) -> String {
    let mut text = format!(
        "{MADE}_perchd() {{\n    local word=${{COMP_WORDS[COMP_CWORD]}} before=${{COMP_WORDS[COMP_CWORD - 1]}} words files=\n    case $before in\n"
    );
    let named = |is_meant: fn(&Kind) -> bool| {
        let mut names: Vec<_> =
            options(verbs).filter(|option| is_meant(&option.kind())).map(|option| format!("--{}", option.name)).collect();
        names.sort();
        names.dedup();
        names.join(" | ")
    };
    let _ =
        writeln!(text, "    {}) COMPREPLY=($(compgen -f -- \"$word\")) && return ;;", named(|kind| matches!(kind, Kind::File)));
    let _ =
        writeln!(text, "    {}) COMPREPLY=($(compgen -d -- \"$word\")) && return ;;", named(|kind| matches!(kind, Kind::Folder)));
    let _ = writeln!(
        text,
        "    {}) COMPREPLY=($(compgen -W \"{MODES}\" -- \"$word\")) && return ;;",
        named(|kind| matches!(kind, Kind::Mode))
    );
    text.push_str("    esac\n    case ${COMP_WORDS[1]-} in\n");
    for verb in verbs {
        let mut words = verb.words.clone();
        words.extend(verb.options.iter().map(|option| format!("--{}", option.name)));
        let files = if verb.takes_file { " files=1" } else { "" };
        let _ = writeln!(text, "    {}) words=\"{} --help\"{files} ;;", verb.name, words.join(" "));
    }
    let names: Vec<_> = verbs.iter().map(|verb| verb.name.as_str()).collect();
    let first: Vec<_> = serve(verbs).iter().map(|option| format!("--{}", option.name)).collect();
    let _ = writeln!(text, "    *) words=\"{} {} --help --version\" ;;", names.join(" "), first.join(" "));
    text.push_str("    esac\n    COMPREPLY=($(compgen -W \"$words\" -- \"$word\"))\n    [[ -z $files ]] || COMPREPLY+=($(compgen -f -- \"$word\"))\n}\ncomplete -F _perchd perchd\n");
    text
}

/// zsh.
pub(crate) fn zsh(verbs: &[Verb]) -> String {
    let mut text = format!("#compdef perchd\n{MADE}_perchd() {{\n    local -a verbs\n    verbs=(\n");
    for verb in verbs {
        let _ = writeln!(text, "        '{}:{}'", verb.name, quoted(&verb.about).replace(':', "\\:"));
    }
    text.push_str("    )\n    if ((CURRENT == 2)); then\n        _describe command verbs\n        _arguments");
    for option in serve(verbs) {
        let _ = write!(text, " \\\n            {}", zsh_option(option));
    }
    text.push_str(
        " \\\n            '--help[Print help]' '--version[Print the version]'\n        return\n    fi\n    case $words[2] in\n",
    );
    for verb in verbs {
        let _ = write!(text, "    {})\n        _arguments '--help[Print help]'", verb.name);
        if !verb.words.is_empty() {
            let _ = write!(text, " '2:what:({})'", verb.words.join(" "));
        }
        if verb.takes_file {
            text.push_str(" '*:file:_files'");
        }
        for option in &verb.options {
            let _ = write!(text, " \\\n            {}", zsh_option(option));
        }
        text.push_str("\n        ;;\n");
    }
    text.push_str("    esac\n}\n_perchd \"$@\"\n");
    text
}

fn zsh_option(option: &Choice) -> String {
    let about = quoted(&option.about).replace('[', "\\[").replace(']', "\\]");
    let value = option.value.as_deref().unwrap_or_default().replace(':', "\\:");
    let behind = match option.kind() {
        Kind::Flag => String::new(),
        Kind::File => format!(":{value}:_files"),
        Kind::Folder => format!(":{value}:_files -/"),
        Kind::Mode => format!(":{value}:({MODES})"),
        Kind::Word => format!(":{value}: "),
    };
    // What may be said several times is offered again.
    format!("'*--{}[{about}]{behind}'", option.name)
}

/// fish.
pub(crate) fn fish(verbs: &[Verb]) -> String {
    let mut text = format!(
        "{MADE}complete -c perchd -f\ncomplete -c perchd -l help -d 'Print help'\ncomplete -c perchd -n __fish_use_subcommand -l version -d 'Print the version'\n"
    );
    for verb in verbs {
        let _ = writeln!(text, "complete -c perchd -n __fish_use_subcommand -a {} -d '{}'", verb.name, quoted(&verb.about));
    }
    for option in serve(verbs) {
        fish_option(&mut text, "__fish_use_subcommand", option);
    }
    for verb in verbs {
        let condition = format!("'__fish_seen_subcommand_from {}'", verb.name);
        if !verb.words.is_empty() {
            let _ = writeln!(text, "complete -c perchd -n {condition} -a '{}'", verb.words.join(" "));
        }
        if verb.takes_file {
            let _ = writeln!(text, "complete -c perchd -n {condition} -F");
        }
        for option in &verb.options {
            fish_option(&mut text, &condition, option);
        }
    }
    text
}

fn fish_option(text: &mut String, condition: &str, option: &Choice) {
    let behind = match option.kind() {
        Kind::Flag => String::new(),
        Kind::File => " -r -F".to_owned(),
        Kind::Folder => " -x -a '(__fish_complete_directories)'".to_owned(),
        Kind::Mode => format!(" -x -a '{MODES}'"),
        Kind::Word => " -x".to_owned(),
    };
    let _ = writeln!(text, "complete -c perchd -n {condition} -l {}{behind} -d '{}'", option.name, quoted(&option.about));
}

fn serve(verbs: &[Verb]) -> &[Choice] {
    verbs.iter().find(|verb| verb.name == "serve").map_or(&[], |verb| verb.options.as_slice())
}

fn options(verbs: &[Verb]) -> impl Iterator<Item = &Choice> {
    verbs.iter().flat_map(|verb| &verb.options)
}

/// Within the single quotes of a shell: an apostrophe becomes a typographic one, which no shell minds.
fn quoted(text: &str) -> String {
    text.replace('\'', "\u{2019}").replace('`', "")
}
