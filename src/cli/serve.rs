//! `perchd serve`.

use crate::cli::{say, unknown};
use crate::config::{Auth, Config};
use crate::error::Error;
use crate::http::connect;
use crate::server::{Bound, Server};
use std::fmt::Write;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// What the command line said.
#[derive(Debug, Default)]
pub(super) struct Options {
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
            "state" => self.state = Some(PathBuf::from(value()?)),
            "auth" => {
                let value = value()?;
                self.auth = Some(Auth::parse(&value).ok_or_else(|| unknown(format!("--auth {value}: not `demo` or `open`")))?);
            }
            other => return Err(unknown(format!("there is no option --{other}"))),
        }
        Ok(())
    }

    fn config(self) -> Result<Config, Error> {
        let mut config = match self.state {
            Some(state) => Config::with_state(state),
            None => Config::unconfigured()?,
        };
        config.listen = self.listen.unwrap_or(config.listen);
        config.auth = self.auth.unwrap_or(config.auth);
        Ok(config)
    }
}

/// Serves until SIGTERM.
pub(super) fn run(options: Options) -> Result<(), Error> {
    crate::log::start();
    let config = options.config()?;
    let auth = config.auth;
    let name = config.name.clone();
    let bound = Server::new(config).builtin().bind()?;
    say(&greeting(&bound, &name, auth))?;
    bound.run()
}

/// Where it listens, which page to open, and what to paste into each client.
fn greeting(bound: &Bound, name: &str, auth: Auth) -> String {
    let address = bound.address();
    let origin = match address.ip() {
        ip if ip == Ipv4Addr::LOCALHOST => format!("http://localhost:{}", address.port()),
        _ => format!("http://{address}"),
    };
    let mode = match auth {
        Auth::Demo => "demo: any e-mail address and any password sign in",
        Auth::Open => "open: nobody signs in",
    };
    let mut text = format!("perchd {} listens on {address} ({mode})\nOpen {origin}/ in a browser.\n", env!("CARGO_PKG_VERSION"));
    for block in connect::blocks(&origin, name, auth == Auth::Open) {
        // Writing to a String does not fail.
        let _ = write!(text, "\n{}\n", block.title);
        for line in block.text.lines() {
            let _ = writeln!(text, "  {line}");
        }
    }
    text.push_str("\nStop with Ctrl-C.\n");
    text
}
