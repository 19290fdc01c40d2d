//! `perchd serve`.

use crate::cli::{configured, help, say, unknown, usage, value};
use crate::config::{self, Auth, Config};
use crate::error::Error;
use crate::http::connect;
use crate::server::{Bound, Server};
use lexopt::{Arg, Parser};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// What the command line said.
#[derive(Clone, Debug, Default)]
pub(super) struct Options {
    file: Option<PathBuf>,
    listen: Option<SocketAddr>,
    state: Option<PathBuf>,
    auth: Option<Auth>,
}

impl Options {
    /// Takes the option `name`.
    pub(super) fn take(&mut self, name: &str, value: impl FnOnce() -> Result<String, Error>) -> Result<(), Error> {
        match name {
            "listen" => {
                let value = value()?;
                let address = value.replacen("localhost:", "127.0.0.1:", 1).parse();
                self.listen =
                    Some(address.map_err(|_| unknown(format!("--listen {value}: not ADDRESS:PORT, such as 127.0.0.1:8787")))?);
            }
            "config" => self.file = Some(PathBuf::from(value()?)),
            "state" => self.state = Some(PathBuf::from(value()?)),
            "auth" => {
                let value = value()?;
                self.auth = Some(
                    Auth::parse(&value)
                        .ok_or_else(|| unknown(format!("--auth {value}: not `demo`, `open`, `users` or `pairing`")))?,
                );
            }
            other => return Err(unknown(format!("there is no option --{other}"))),
        }
        Ok(())
    }

    fn config(self) -> Result<Config, Error> {
        let mut config = match (self.file, self.state.clone()) {
            // Without a file, the folder that is named is all that is missing.
            (None, Some(state)) if !Path::new(config::FILE).exists() => Config::with_state(state),
            (file, _) => configured(file.as_deref())?,
        };
        config.listen = self.listen.map_or(config.listen, |listen| vec![listen]);
        config.state = self.state.unwrap_or(config.state);
        config.auth = self.auth.unwrap_or(config.auth);
        Ok(config)
    }
}

/// Serves until SIGTERM.
pub(super) fn run(mut options: Options, mut words: Parser) -> Result<(), Error> {
    while let Some(word) = words.next().map_err(usage)? {
        match word {
            Arg::Short('h') | Arg::Long("help") => return say(help::TEXT),
            Arg::Long(name) => {
                let name = name.to_owned();
                options.take(&name, || value(&mut words))?;
            }
            other => return Err(usage(other.unexpected())),
        }
    }
    crate::log::start();
    let config = options.clone().config()?;
    let auth = config.auth;
    let name = config.name.clone();
    let has_file = config.file.is_some();
    let mut server = Server::new(config).builtin();
    if has_file {
        server = server.reread(move || options.clone().config());
    }
    let bound = server.bind()?;
    say(&greeting(&bound, &name, auth))?;
    bound.run()
}

/// Where it listens, which page to open, and what to paste into each client.
fn greeting(bound: &Bound, name: &str, auth: Auth) -> String {
    let address = bound.address();
    let scheme = if bound.is_tls() { "https" } else { "http" };
    let origin = match address.ip() {
        ip if ip == Ipv4Addr::LOCALHOST => format!("{scheme}://localhost:{}", address.port()),
        _ => format!("{scheme}://{address}"),
    };
    let mode = match auth {
        Auth::Demo => "demo: any e-mail address and any password sign in",
        Auth::Open => "open: nobody signs in",
        Auth::Own { .. } => auth.as_str(),
    };
    let mut text = format!("perchd {} listens on {address} ({mode})\nOpen {origin}/ in a browser.\n", env!("CARGO_PKG_VERSION"));
    let fingerprint = bound.fingerprint();
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
