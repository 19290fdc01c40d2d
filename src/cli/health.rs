//! `perchd health`: whether the server is there, for systemd and containers.

use crate::cli::{Which, Word, next, say, server, surplus, when};
use crate::error::Error;
use crate::server::desk::{Answer, Request};
use lexopt::Parser;

const HELP: &str = "\
Asks the server that runs whether it answers, and says so.

Usage: perchd health [--quiet]

  --quiet               Say nothing: the exit code is enough
  --config FILE         The configuration of the server
  --state DIR           Its state folder

Exit: 0 if it answers, 69 if no server runs, 71 if it does not answer in time,
77 if it is another user's.

Example:
  perchd health --quiet || sudo systemctl restart perchd

In a container: HEALTHCHECK CMD [\"perchd\", \"health\", \"--quiet\"]
";

/// Asks.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut is_quiet) = (Which::default(), false);
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) if name == "quiet" => is_quiet = true,
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let Answer::Health { version, pid, uptime_secs, connections, .. } = server::ask(&which, &Request::Health)? else {
        return Err(server::odd());
    };
    if is_quiet {
        return Ok(());
    }
    let open = if connections == 1 { "1 connection".to_owned() } else { format!("{connections} connections") };
    say(&format!("perchd {version} serves: {open}, up for {}, process {pid}\n", when::spoken(uptime_secs)))
}
