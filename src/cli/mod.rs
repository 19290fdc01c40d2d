//! The command line, one file for each verb.

mod bundle;
mod call;
mod check;
mod connect;
mod doctor;
mod health;
mod help;
mod init;
mod keys;
mod pair;
mod passwd;
mod polkit;
mod revoke;
mod secret;
mod serve;
mod server;
mod terminal;
mod token;
mod tools;
mod when;

use crate::config::{self, Config};
use crate::error::{Error, Exit};
use lexopt::{Arg, Parser, ValueExt};
use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

/// Does what the command line asks for.
pub fn main() -> ExitCode {
    match run(Parser::from_env()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(io::stderr(), "perchd: {error}");
            ExitCode::from(error.exit().code())
        }
    }
}

fn run(mut words: Parser) -> Result<(), Error> {
    // Before the verb, options are those of `serve`: `perchd --listen …` is `perchd serve --listen …`.
    let mut options = serve::Options::default();
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(help::TEXT),
            Word::Option(name) if name == "version" => return say(concat!("perchd ", env!("CARGO_PKG_VERSION"), "\n")),
            Word::Option(name) => options.take(&name, &mut words)?,
            Word::Value(name) => return verb(&name, options, words),
        }
    }
    serve::run(options, words)
}

fn verb(name: &str, options: serve::Options, words: Parser) -> Result<(), Error> {
    if name != "serve" && !options.is_empty() {
        return Err(unknown(format!("options of `{name}` come after it")));
    }
    match name {
        "serve" => serve::run(options, words),
        "init" => init::run(words),
        "check" => check::run(words),
        "tools" => tools::run(words),
        "call" => call::run(words),
        "connect" => connect::run(words),
        "doctor" => doctor::run(words),
        "bundle" => bundle::run(words),
        "passwd" => passwd::run(words),
        "polkit" => polkit::run(words),
        "pair" => pair::run(words),
        "token" => token::run(words),
        "revoke" => revoke::run(words),
        "keys" => keys::run(words),
        "health" => health::run(words),
        other => Err(unknown(format!("there is no command `{other}`"))),
    }
}

/// One word of the command line.
enum Word {
    /// An option, without its dashes; `help`, `version` and `output` may be shortened to a letter.
    Option(String),
    /// Anything else.
    Value(String),
}

fn next(words: &mut Parser) -> Result<Option<Word>, Error> {
    Ok(match words.next().map_err(usage)? {
        None => None,
        Some(Arg::Short('h')) => Some(Word::Option("help".to_owned())),
        Some(Arg::Short('V')) => Some(Word::Option("version".to_owned())),
        Some(Arg::Short('o')) => Some(Word::Option("output".to_owned())),
        Some(Arg::Long(name)) => Some(Word::Option(name.to_owned())),
        Some(Arg::Value(text)) => Some(Word::Value(text.string().map_err(usage)?)),
        Some(other @ Arg::Short(_)) => return Err(usage(other.unexpected())),
    })
}

/// The value of an option.
fn value(words: &mut Parser) -> Result<String, Error> {
    words.value().and_then(ValueExt::string).map_err(usage)
}

/// Which server is meant: the options that all commands have.
#[derive(Clone, Debug, Default)]
struct Which {
    file: Option<PathBuf>,
    state: Option<PathBuf>,
}

impl Which {
    /// Takes the option `name`.
    fn take(&mut self, name: &str, words: &mut Parser) -> Result<(), Error> {
        match name {
            "config" => self.file = Some(PathBuf::from(value(words)?)),
            "state" => self.state = Some(PathBuf::from(value(words)?)),
            other => return Err(unknown(format!("there is no option --{other}"))),
        }
        Ok(())
    }

    /// The configuration: this file, or the one that is found, or what holds without one.
    fn config(&self) -> Result<Config, Error> {
        let mut config = match (self.file.clone().or_else(config::find), &self.state) {
            (Some(file), _) => Config::from_file(&file)?,
            (None, Some(state)) => Config::with_state(state.clone()),
            (None, None) => Config::unconfigured()?,
        };
        config.state = self.state.clone().unwrap_or(config.state);
        Ok(config)
    }

    /// The folder with the state. Where it is named, nothing else need be right.
    fn state(&self) -> Result<PathBuf, Error> {
        self.state.clone().map_or_else(|| self.config().map(|config| config.state), Ok)
    }
}

// By value, so that it can stand in a `map_err`.
#[allow(clippy::needless_pass_by_value)]
fn usage(error: lexopt::Error) -> Error {
    unknown(error.to_string())
}

fn unknown(what: String) -> Error {
    Error::new(Exit::Usage, what).remedy("See: perchd --help")
}

fn surplus(word: &str) -> Error {
    unknown(format!("unexpected argument {word:?}"))
}

/// Prints for people; a reader that has left, such as `head`, is no fault.
fn say(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(Exit::System, "cannot print").because(error)),
        _ => Ok(()),
    }
}

/// Tells people what is not for programs that read stdout.
fn remark(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}
