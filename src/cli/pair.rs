//! `perchd pair`: a code for whoever stands at the board.

use crate::cli::{Which, Word, next, remark, say, server, surplus, terminal, value, when};
use crate::client::tls::Trust;
use crate::config::Tls;
use crate::error::Error;
use crate::server::desk::{Answer, Request};
use lexopt::Parser;
use std::fmt::Write;
use std::io::{self, IsTerminal};
use std::net::IpAddr;

const HELP: &str = "\
Shows a code with which somebody may sign in once, within five minutes. The
server must run, and let people in by code: mode = \"pairing\".

Usage: perchd pair [OPTIONS]

  --user NAME           As whom he signs in [owner]
  --scope SCOPE         What he may allow a client at most; may be said several
                        times [everything]
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Exit: 0 if there is a code, 69 if no server runs, 77 if it is another user's.

Examples:
  sudo perchd pair
  sudo perchd pair --user anna --scope system:read
";

/// Asks for a code, and shows it.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut user, mut scopes) = (Which::default(), "owner".to_owned(), Vec::new());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "user" => user = value(&mut words)?,
                "scope" => scopes.push(value(&mut words)?),
                other => which.take(other, &mut words)?,
            },
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    show(&which, &user, &scopes)
}

/// The same for others who want one.
pub(super) fn show(which: &Which, user: &str, scopes: &[String]) -> Result<(), Error> {
    let scopes = (!scopes.is_empty()).then(|| scopes.join(" "));
    let request = Request::Pair { user: user.to_owned(), scopes };
    let Answer::Pairing { code, secs, origin } = server::ask(which, &request)? else { return Err(server::odd()) };
    if !io::stdout().is_terminal() {
        // A program wants the code alone.
        remark(&format!("It lets `{user}` sign in once, within {}.\n", when::spoken(secs)));
        return say(&format!("{code}\n"));
    }
    say(&card(user, &code, secs, &origin, pin(which).as_deref()))
}

/// The board's own CA, as other computers pin it.
pub(super) fn pin(which: &Which) -> Option<String> {
    let config = which.config().ok().filter(|config| config.tls == Tls::Own)?;
    Trust::from_file(&config.state.join("ca.pem")).ok()?.pin()
}

/// What a computer is told to run, or a client such as Claude Desktop.
pub(super) fn bridge(origin: &str, pin: Option<&str>) -> String {
    let pin = pin.filter(|_| origin.starts_with("https://"));
    format!("perchd connect {origin}/mcp{}", pin.map_or_else(String::new, |pin| format!(" \\\n    --pin {pin}")))
}

fn card(user: &str, code: &str, secs: u64, origin: &str, pin: Option<&str>) -> String {
    let mut text =
        format!("\n  {code}\n\nLets `{user}` sign in once, within {}: type it on the page that your\n", when::spoken(secs));
    let _ = write!(text, "client opens in the browser. To connect a client, open\n\n  {origin}/\n\n");
    let _ =
        write!(text, "or give a client that starts programs, such as Claude Desktop, this one:\n\n  {}\n\n", bridge(origin, pin));
    let device = format!("{origin}/device");
    let _ = write!(text, "A program without a browser shows a code of its own, which goes here:\n\n  {device}\n\n");
    if let Some(picture) = terminal::qr(&device).filter(|_| !is_here(origin)) {
        let _ = writeln!(text, "{picture}");
    }
    text
}

/// Whether a telephone would look for the address in itself.
fn is_here(origin: &str) -> bool {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    let host = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || bare.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_address_that_a_telephone_can_reach_is_drawn() {
        for (origin, is_drawn) in [
            ("http://localhost:8787", false),
            ("https://localhost:8787", false),
            ("https://127.0.0.1:8787", false),
            ("https://127.0.0.2:8787", false),
            ("http://[::1]:8787", false),
            ("https://[fd00::7]:8787", true),
            ("https://pi.example.org", true),
            ("https://greenhouse.local:8787", true),
            ("http://192.168.1.20:8787", true),
        ] {
            let pin = format!("sha256:{}", "a".repeat(64));
            let card = card("owner", "ABCD-2345", 300, origin, Some(&pin));
            assert_eq!(card.contains(&format!("--pin {pin}\n")), origin.starts_with("https://"), "{card}");
            assert_eq!(card.contains('█'), is_drawn, "{origin}");
            assert!(card.contains("ABCD-2345") && card.contains("5 minutes") && card.contains(&format!("{origin}/device")));
            assert!(card.lines().all(|line| line.chars().count() <= 94), "{card}");
        }
    }
}
