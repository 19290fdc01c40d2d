//! `perchd connect`: a server for clients that only know stdin and stdout.

use crate::bridge::{self, Settings};
use crate::cli::{Word, next, remark, say, surplus, unknown, value};
use crate::client::oauth::{Access, Settings as SignIn};
use crate::client::tls::Trust;
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::limits;
use lexopt::Parser;
use std::path::{Path, PathBuf};
use std::time::Duration;

const HELP: &str = "\
Connects a client that starts its servers as programs, such as Claude Desktop,
to a board, or to any other MCP server: what comes on stdin goes there, and what
comes from there goes to stdout. Signs in once, by the browser or by a code, and
keeps what it gets in $XDG_CONFIG_HOME/perchd/connect or
~/.config/perchd/connect, where only you can read it.

Usage: perchd connect URL [OPTIONS]

  URL                   Such as https://board.local:8787/mcp
  --pin sha256:HEX      Trust the CA with this fingerprint, as `perchd init` and
                        `perchd pair` print it
  --ca FILE             Trust the CA in this file [those of this computer]
  --device              Sign in by a code on another device [where there is no
                        display]
  --scope SCOPE         What to ask for; may be said several times [what the
                        server names]
  --token-file FILE     Use the token in this file
  --header LINE         Send this header as well, such as 'X-Board: shed'; may
                        be said several times
  --allow-http          Send secrets in the clear to other computers
  --patience SECS       How long a request waits for a board that is gone [45]
  --forget              Forget the tokens of this server

A pin, a CA or a token file that is empty counts as none.

Environment:
  PERCHD_TOKEN          Use this token, where no option gives one

Exit: 0 when stdin ends, 64 for a wrong command line, 69 if the server cannot
be reached or trusted, 77 if it lets nobody in, 78 if a file is wrong.

Examples:
  perchd connect https://board.local:8787/mcp --ca board-ca.pem
  perchd connect https://board.local:8787/mcp --token-file meter.token
  perchd connect https://board.local:8787/mcp --forget
";

/// Runs until the client is gone.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut url, mut trust, mut forgets) = (None, None, false);
    let (mut sign_in, mut headers, mut scopes) = (SignIn::default(), Vec::new(), Vec::new());
    let mut patience = limits::PATIENCE_SECS;
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "pin" => only(&mut trust, given(&mut words)?, &pin)?,
                "ca" => only(&mut trust, given(&mut words)?, &|file| Trust::from_file(Path::new(file)))?,
                "device" => sign_in.is_device = true,
                "scope" => scopes.push(value(&mut words)?),
                "token-file" => sign_in.token_file = given(&mut words)?.map(PathBuf::from),
                "header" => headers.push(header(&value(&mut words)?)?),
                "allow-http" => sign_in.allows_http = true,
                "patience" => patience = secs(&value(&mut words)?)?,
                "forget" => forgets = true,
                other => return Err(unknown(format!("there is no option --{other}"))),
            },
            Word::Value(text) if url.is_none() => url = Some(address(&text)?),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let url =
        url.ok_or_else(|| unknown("the address is missing, such as: perchd connect https://board.local:8787/mcp".to_owned()))?;
    if forgets {
        let told = if Access::forget(&url)? { "Forgotten" } else { "Nothing was kept" };
        remark(&format!("{told}: {}\n", url.origin()));
        return Ok(());
    }
    private(&url, sign_in.allows_http)?;
    sign_in.scope = (!scopes.is_empty()).then(|| scopes.join(" "));
    if headers.iter().any(|(name, _): &(String, String)| name.eq_ignore_ascii_case("authorization")) {
        sign_in.header = Some("--header");
    } else if sign_in.token_file.is_none()
        && let Some(token) = std::env::var("PERCHD_TOKEN").ok().filter(|token| !token.is_empty())
    {
        headers
            .push(header(&format!("Authorization: Bearer {token}")).map_err(|_| unknown("PERCHD_TOKEN is no token".to_owned()))?);
        sign_in.header = Some("PERCHD_TOKEN");
    }
    let trust = trust.unwrap_or(Trust::System);
    bridge::run(Settings { url, trust, sign_in, headers, patience: Duration::from_secs(patience) })
}

/// The value of an option; `None` where it is empty, as it comes from a form that was not filled in.
fn given(words: &mut Parser) -> Result<Option<String>, Error> {
    value(words).map(|text| Some(text).filter(|text| !text.is_empty()))
}

/// Whom to trust is said once: of two, one would not count, and nobody would see which.
fn only(trust: &mut Option<Trust>, text: Option<String>, read: &dyn Fn(&str) -> Result<Trust, Error>) -> Result<(), Error> {
    let Some(text) = text else { return Ok(()) };
    if trust.replace(read(&text)?).is_some() {
        return Err(unknown(
            "whom to trust is said once: by one --pin, or by one --ca with all certificates in its file".to_owned(),
        ));
    }
    Ok(())
}

/// Refuses an address to which tokens would go in the clear, unless that is wanted.
pub(super) fn private(url: &Url, allows_http: bool) -> Result<(), Error> {
    if url.is_private() || allows_http {
        return Ok(());
    }
    let remedy = "Does the board speak https? If it must be http, --allow-http takes the risk.";
    Err(Error::new(Exit::Usage, "everybody on the way could read what is sent there").at(url).remedy(remedy))
}

/// The address of a server; one without a path is that of a board.
pub(super) fn address(text: &str) -> Result<Url, Error> {
    let url = Url::parse(text)
        .ok_or_else(|| unknown(format!("{text:?} is no address of a server, such as https://board.local:8787/mcp")))?;
    Ok(if url.path() == "/" { url.with_path("/mcp") } else { url })
}

pub(super) fn pin(text: &str) -> Result<Trust, Error> {
    Trust::from_pin(text)
        .ok_or_else(|| unknown("--pin: not `sha256:` and 64 hexadecimal digits, as `perchd pair` prints them".to_owned()))
}

fn header(text: &str) -> Result<(String, String), Error> {
    // The value may be a secret: it is not repeated.
    let wrong = || unknown("--header: not 'Name: value'".to_owned());
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    let is_text = |byte: u8| byte == b'\t' || (0x20..0x7f).contains(&byte) || byte >= 0x80;
    if name.is_empty() || !name.bytes().all(is_token) || !value.bytes().all(is_text) {
        return Err(wrong());
    }
    Ok((name.to_owned(), value.trim().to_owned()))
}

fn secs(text: &str) -> Result<u64, Error> {
    text.parse()
        .ok()
        .filter(|secs| *secs <= 24 * 3600)
        .ok_or_else(|| unknown(format!("--patience {text}: not a number of seconds")))
}
