//! `perchd token`: tokens made by hand, and a look into any.

use crate::cli::{Which, Word, next, remark, say, secret, server, surplus, unknown, value, when};
use crate::error::{Error, Exit};
use crate::json::Members;
use crate::limits;
use crate::server::desk::{Answer, Request};
use lexopt::Parser;
use std::fmt::Write;

const HELP: &str = "\
Makes a token for a program that cannot sign in, such as curl, or says what
one allows. Where no server runs, the configuration must say where it is going
to listen: a token is good at one address, or for one `audience`.

Usage: perchd token new --scope SCOPE --ttl TIME --name NAME [OPTIONS]
       perchd token inspect [TOKEN|-] [OPTIONS]

  new                   Prints a token; nothing else goes to stdout
  inspect               Says what a token, a code or a client_id is, whose, and
                        whether it is good; reads it from stdin (better: what
                        stands in the command line, everybody can read)

  --scope SCOPE         What it allows; may be said several times
  --ttl TIME            How long it lasts: 90d, 12h, 30m; at most 366d
  --name NAME           What it is for; `revoke --name NAME` ends it
  --user NAME           For whom it speaks [owner]
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Exit: 0 if it is good, 64 if the command is not, 65 if the token is not.

Example:
  perchd token new --scope system:read --ttl 90d --name meter >meter.token
  perchd token inspect <meter.token
";

/// Does what the next word says.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    match next(&mut words)? {
        Some(Word::Option(name)) if name == "help" => say(HELP),
        Some(Word::Value(word)) if word == "new" => new(words),
        Some(Word::Value(word)) if word == "inspect" => inspect(words),
        _ => Err(unknown("`token` is followed by `new` or `inspect`".to_owned())),
    }
}

fn new(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut user, mut scopes) = (Which::default(), "owner".to_owned(), Vec::new());
    let (mut secs, mut name) = (None, None);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(option) => match option.as_str() {
                "help" => return say(HELP),
                "scope" => scopes.push(value(&mut words)?),
                "ttl" => secs = Some(ttl(&value(&mut words)?)?),
                "name" => name = Some(value(&mut words)?),
                "user" => user = value(&mut words)?,
                other => which.take(other, &mut words)?,
            },
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let missing = |option: &str, such: &str| unknown(format!("{option} is missing, such as: {option} {such}"));
    let secs = secs.ok_or_else(|| missing("--ttl", "90d"))?;
    let name = name.ok_or_else(|| missing("--name", "meter"))?;
    let request = Request::Mint { name: name.clone(), user, scopes: scopes.join(" "), secs };
    let Answer::Token { text, client, origin } = server::ask_or_do(&which, request)? else { return Err(server::odd()) };
    say(&format!("{text}\n"))?;
    let spoken = when::spoken(secs);
    remark(&format!(
        "Lasts {spoken}, and is not shown again. The log calls it client {client}.\n\
         Use it:  curl {origin}/mcp -H \"authorization: Bearer $TOKEN\" ...\n\
         End it:  perchd revoke --name '{name}'\n"
    ));
    Ok(())
}

fn ttl(text: &str) -> Result<u64, Error> {
    let most = limits::STATIC_SECS;
    when::span(text).filter(|secs| (1..=most).contains(secs)).ok_or_else(|| {
        let remedy = format!("Write days, hours or minutes, such as 90d, 12h or 30m; at most {}d.", most / (24 * 3600));
        Error::new(Exit::Usage, "this is no time that a token can last").at(format!("--ttl {text}")).remedy(remedy)
    })
}

fn inspect(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut given) = (Which::default(), None);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(option) if option == "help" => return say(HELP),
            Word::Option(option) => which.take(&option, &mut words)?,
            Word::Value(text) if given.is_none() => given = Some(text),
            // It may be a part of a token: it is not repeated.
            Word::Value(_) => return Err(unknown("`token inspect` takes one token".to_owned())),
        }
    }
    let text = match given.filter(|text| text != "-") {
        Some(text) => {
            remark("perchd: what stands in the command line, everybody on this machine can read: better < FILE\n");
            text
        }
        None => secret::from_stdin("token", limits::TOKEN_BYTES)?.to_string(),
    };
    let Answer::Inspection { inspection } = server::ask_or_do(&which, Request::Inspect { text })? else {
        return Err(server::odd());
    };
    let Some(inspection) = inspection else {
        let what = "this is nothing of this server, or the key that sealed it is gone";
        return Err(Error::new(Exit::Data, what).remedy("If it is another server's, ask there; or name its folder: --state DIR"));
    };
    let mut inspection = Members::of(inspection);
    let state = inspection.text("state");
    say(&told(&mut inspection, &state).ok_or_else(server::odd)?)?;
    match state.as_str() {
        "good" => Ok(()),
        state => Err(Error::new(Exit::Data, format!("it is no longer good: {state}"))),
    }
}

/// What the server says of a text.
fn told(inspection: &mut Members, state: &str) -> Option<String> {
    let rows = [
        ("It is", Some(inspection.text("kind").replace('_', " "))),
        ("State", Some(state.to_owned())),
        ("User", inspection.text_if_any("subject")),
        ("Scopes", inspection.text_if_any("scopes")),
        ("Client", Some(inspection.text("client"))),
        ("Called", inspection.text_if_any("client_name")),
        ("Grant", inspection.text_if_any("grant")),
        ("Made", inspection.number_if_any("born_unix").map(when::date)),
        ("Ends", inspection.number_if_any("ends_unix").map(when::date)),
    ];
    let text = rows.into_iter().fold(String::new(), |mut text, (name, value)| {
        if let Some(value) = value {
            // Writing to a String does not fail.
            let _ = writeln!(text, "{name:<8} {value}");
        }
        text
    });
    inspection.sound(text)
}
