//! The command line, one file for each verb.

mod check;
mod help;
mod serve;

use crate::config::{self, Config};
use crate::error::{Error, Exit};
use lexopt::{Arg, Parser, ValueExt};
use std::io::{self, Write};
use std::path::Path;
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
    while let Some(word) = words.next().map_err(usage)? {
        match word {
            Arg::Short('h') | Arg::Long("help") => return say(help::TEXT),
            Arg::Short('V') | Arg::Long("version") => return say(concat!("perchd ", env!("CARGO_PKG_VERSION"), "\n")),
            Arg::Value(name) => {
                return match name.to_str() {
                    Some("serve") => serve::run(options, words),
                    Some("check") => check::run(words),
                    _ => Err(unknown(format!("there is no command `{}`", name.to_string_lossy()))),
                };
            }
            Arg::Long(name) => {
                let name = name.to_owned();
                options.take(&name, || value(&mut words))?;
            }
            other @ Arg::Short(_) => return Err(usage(other.unexpected())),
        }
    }
    serve::run(options, words)
}

/// The value of an option.
fn value(words: &mut Parser) -> Result<String, Error> {
    words.value().and_then(ValueExt::string).map_err(usage)
}

/// The configuration: this file, or the one in its usual place, or what holds without one.
fn configured(file: Option<&Path>) -> Result<Config, Error> {
    match file {
        Some(file) => Config::from_file(file),
        None if Path::new(config::FILE).exists() => Config::from_file(Path::new(config::FILE)),
        None => Config::unconfigured(),
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

/// Prints for people; a reader that has left, such as `head`, is no fault.
fn say(text: &str) -> Result<(), Error> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Error::new(Exit::System, "cannot print").because(error)),
        _ => Ok(()),
    }
}
