//! `perchd serve`.

use crate::cli::{Which, Word, help, next, say, surplus, unknown, value};
use crate::config::{Auth, Config};
use crate::error::Error;
use crate::http::connect;
use crate::server::{Bound, Server};
use lexopt::Parser;
use std::fmt::Write;
use std::net::SocketAddr;

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    which: Which,
    listen: Option<SocketAddr>,
    auth: Option<Auth>,
}

impl Options {
    /// Takes the option `name`.
    pub(super) fn take(&mut self, name: &str, words: &mut Parser) -> Result<(), Error> {
        match name {
            "listen" => {
                let value = value(words)?;
                let address = value.replacen("localhost:", "127.0.0.1:", 1).parse();
                self.listen =
                    Some(address.map_err(|_| unknown(format!("--listen {value}: not ADDRESS:PORT, such as 127.0.0.1:8787")))?);
            }
            "auth" => {
                let value = value(words)?;
                self.auth = Some(
                    Auth::parse(&value)
                        .ok_or_else(|| unknown(format!("--auth {value}: not `demo`, `open`, `users` or `pairing`")))?,
                );
            }
            other => self.which.take(other, words)?,
        }
        Ok(())
    }

    /// Whether nothing was said.
    pub(super) fn is_empty(&self) -> bool {
        let Options { which: Which { file, state }, listen, auth } = self;
        file.is_none() && state.is_none() && listen.is_none() && auth.is_none()
    }

    fn config(&self) -> Result<Config, Error> {
        let mut config = self.which.config()?;
        config.listen = self.listen.map_or(config.listen, |listen| vec![listen]);
        config.auth = self.auth.unwrap_or(config.auth);
        Ok(config)
    }
}

/// Serves until SIGTERM.
pub(super) fn run(mut options: Options, mut words: Parser) -> Result<(), Error> {
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(help::SERVE),
            Word::Option(name) => options.take(&name, &mut words)?,
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    crate::log::start();
    let config = options.config()?;
    let auth = config.auth;
    let name = config.name.clone();
    let has_file = config.file.is_some();
    let pair = pair_command(&options.which);
    let mut server = Server::new(config).builtin();
    if has_file {
        server = server.reread(move || options.config());
    }
    let bound = server.bind()?;
    say(&greeting(&bound, &name, auth, &pair))?;
    bound.run()
}

/// Where it listens, which page to open, and what to paste into each client.
fn greeting(bound: &Bound, name: &str, auth: Auth, pair: &str) -> String {
    let (address, origin) = (bound.address(), bound.origin());
    let mode = match auth {
        Auth::Demo => "demo: any e-mail address and any password sign in",
        Auth::Open => "open: nobody signs in",
        Auth::Own { .. } => auth.as_str(),
    };
    let mut text = format!("perchd {} listens on {address} ({mode})\nOpen {origin}/ in a browser.\n", env!("CARGO_PKG_VERSION"));
    let fingerprint = bound.fingerprint();
    match auth {
        Auth::Own { pairing: true, .. } => drop(writeln!(text, "For a code to sign in with, in another terminal: {pair}")),
        Auth::Own { .. } => text.push_str("Its users sign in with their passwords.\n"),
        Auth::Demo | Auth::Open => {}
    }
    if let Some(fingerprint) = &fingerprint {
        let _ = writeln!(text, "The SHA-256 fingerprint of its CA is {fingerprint}");
    }
    for block in connect::blocks(&origin, name, auth == Auth::Open, fingerprint.as_deref()) {
        // Writing to a String does not fail.
        let _ = write!(text, "\n{}\n", block.title);
        for line in block.text.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push_str("\nStop with Ctrl-C.\n");
    text
}

/// What to type for a code of this very server.
fn pair_command(which: &Which) -> String {
    let mut command = "perchd pair".to_owned();
    for (option, value) in [("--config", &which.file), ("--state", &which.state)] {
        if let Some(value) = value {
            let _ = write!(command, " {option} {}", value.display());
        }
    }
    command
}
