//! `perchd revoke`: an end to tokens.

use crate::cli::{Which, Word, next, say, secret, server, surplus, unknown, value};
use crate::error::Error;
use crate::limits;
use crate::server::desk::{Answer, Request, Whose};
use lexopt::Parser;

const HELP: &str = "\
Ends tokens, at once: open streams end as well. Whoever they belonged to may
sign in again, unless the configuration no longer lets him. Where no server
runs, it is written down for the next start.

Usage: perchd revoke --all|--user NAME|--client ID|--name NAME|--token

  --all                 Everybody's
  --user NAME           Those of one user, whatever client he uses
  --client ID           Those of one client, whoever uses it: the 16 digits that
                        the log and `token inspect` show, or a whole client_id
  --name NAME           Those that `token new --name NAME` made
  --token               Those of the sign-in that the token on stdin is of
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Examples:
  perchd revoke --user anna
  perchd revoke --token <stolen.token
";

/// Ends them.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut whose) = (Which::default(), Vec::new());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "all" => whose.push(Whose::Everybody),
                "user" => whose.push(Whose::User(value(&mut words)?)),
                "client" => whose.push(Whose::Client(value(&mut words)?)),
                "name" => whose.push(Whose::Name(value(&mut words)?)),
                "token" => whose.push(Whose::Token(String::new())),
                other => which.take(other, &mut words)?,
            },
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let one = "`revoke` takes one of --all, --user, --client, --name and --token";
    let Some(mut whose) = whose.pop().filter(|_| whose.is_empty()) else { return Err(unknown(one.to_owned())) };
    if let Whose::Token(text) = &mut whose {
        *text = secret::from_stdin("token", limits::TOKEN_BYTES)?.to_string();
    }
    let told = match &whose {
        Whose::Everybody => "Every token is dead. Everybody signs in again.\n".to_owned(),
        Whose::User(name) => format!("Every token of `{name}` is dead.\n"),
        Whose::Client(client) => format!("Every token of client {client:.16} is dead.\n"),
        Whose::Name(name) => format!("Every token that was made as `{name}` is dead.\n"),
        Whose::Token(_) => "The token is dead, and all others of the same sign-in.\n".to_owned(),
    };
    match server::ask_or_do(&which, Request::Revoke { whose })? {
        Answer::Revoked => say(&told),
        _ => Err(server::odd()),
    }
}
