//! `perchd doctor`: the way of a client to a server, step by step, and what is wrong with the first that is broken.

mod board;
mod door;
mod report;
mod speech;
mod talk;
mod way;

use crate::cli::{Which, Word, connect, next, say, server, surplus, terminal, value};
use crate::client::oauth::Settings as SignIn;
use crate::client::tls::Trust;
use crate::client::url::Url;
use crate::config::{Config, Tls};
use crate::errand;
use crate::error::{Error, Exit};
use crate::http;
use lexopt::Parser;
use report::Report;
use std::net::ToSocketAddrs;
use std::path::PathBuf;
use std::rc::Rc;
use tokio::runtime::{Builder, LocalOptions};

const HELP: &str = "\
Goes the way of a client to a server, step by step: name, TCP, TLS, clock,
challenge, sign-in, token, MCP in each revision, tools. Says of what is broken
why, what to do, and which line of curl shows it. Changes nothing, and signs
nobody in: it takes the token that `perchd connect` keeps, or the one in a file.

On a board, without URL, it looks at the configuration, keys, service and
devices first, and then goes the way to the board itself.

Usage: perchd doctor [URL] [OPTIONS]

  URL                   Such as https://board.local:8787/mcp [this board]
  --pin sha256:HEX      Trust the CA with this fingerprint
  --ca FILE             Trust the CA in this file [those of this computer; on a
                        board, its own]
  --token-file FILE     Use the token in this file
  --allow-http          Send secrets in the clear to other computers
  --config FILE         Look at the board with this configuration, too
  --state DIR           Its state folder

Exit: 0 if nothing is broken, 1 if something is, 64 for a wrong command line.

Examples:
  sudo perchd doctor
  perchd doctor https://board.local:8787/mcp --ca board-ca.pem
";

/// What is to be looked at, and as whom.
struct Plan {
    url: Url,
    /// `None` where the board's own CA cannot be read.
    trust: Option<Trust>,
    is_own_ca: bool,
    /// The file with the CA.
    ca: Option<PathBuf>,
    sign_in: SignIn,
    /// The board itself, where this is it.
    board: Option<Which>,
    /// How many tools it has.
    tool_count: Option<usize>,
}

/// Looks.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut url, mut trust, mut ca, mut sign_in) = (Which::default(), None, None, None, SignIn::default());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) => match name.as_str() {
                "help" => return say(HELP),
                "pin" => trust = Some(connect::pin(&value(&mut words)?)?),
                "ca" => {
                    let file = PathBuf::from(value(&mut words)?);
                    trust = Some(Trust::from_file(&file)?);
                    ca = Some(file);
                }
                "token-file" => sign_in.token_file = Some(PathBuf::from(value(&mut words)?)),
                "allow-http" => sign_in.allows_http = true,
                other => which.take(other, &mut words)?,
            },
            Word::Value(text) if url.is_none() => url = Some(connect::address(&text)?),
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let report = Report::new();
    let is_here = url.is_none() || which.file.is_some() || which.state.is_some();
    let mut plan = Plan {
        url: url.clone().unwrap_or_else(nowhere),
        trust,
        is_own_ca: false,
        ca,
        sign_in,
        board: is_here.then_some(which),
        tool_count: None,
    };
    let is_ready = match &plan.board {
        None => true,
        Some(which) => match board::examine(&report, which) {
            Some((config, tool_count)) => {
                plan.tool_count = Some(tool_count);
                plan.url = url.unwrap_or_else(|| home(&config));
                plan.trust_own(&config);
                true
            }
            // Without a configuration nobody knows where the board is.
            None => url.is_some(),
        },
    };
    if is_ready {
        if !plan.is_own_ca {
            plan.trust.get_or_insert(Trust::System);
        }
        go(&report, &plan)?;
    }
    let broken = report.broken();
    if broken.is_empty() { Ok(()) } else { Err(Error::new(Exit::Failed, format!("broken: {broken}"))) }
}

fn go(report: &Rc<Report>, plan: &Plan) -> Result<(), Error> {
    let unstarted = |error| Error::new(Exit::System, "cannot start").because(error);
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default()).map_err(unstarted)?;
    let done = errand::wait(&runtime, async {
        errand::begin(Rc::clone(report).watch());
        way::walk(report, plan).await;
        Ok(())
    });
    // A thread may wait for a name for ever.
    runtime.shutdown_background();
    done
}

impl Plan {
    /// The board's own CA, if nothing else was said.
    fn trust_own(&mut self, config: &Config) {
        if self.trust.is_some() || config.tls != Tls::Own {
            return;
        }
        let file = config.state.join("ca.pem");
        self.trust = Trust::from_file(&file).ok();
        self.is_own_ca = true;
        self.ca = Some(file);
    }
}

/// Where the board is reached: under the first of its names that is known here.
fn home(config: &Config) -> Url {
    let origins = http::origins(config, &server::listens(config));
    let urls: Vec<_> = origins.iter().filter_map(|origin| Url::parse(&format!("{origin}/mcp"))).collect();
    let is_known = |url: &&Url| (url.host(), url.port()).to_socket_addrs().is_ok_and(|mut found| found.next().is_some());
    let _waiting = terminal::Waiting::begin("Asking for the names of this board ...");
    urls.iter().find(is_known).or(urls.first()).cloned().unwrap_or_else(nowhere)
}

fn nowhere() -> Url {
    #[allow(clippy::expect_used)] // A test of the addresses shows that this is one.
    Url::parse("http://localhost:8787/mcp").expect("an address")
}
