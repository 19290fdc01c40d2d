//! What the operator decides, already checked.

use crate::error::{Error, Exit};
use std::env;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

/// Who may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Anybody, with any e-mail address and any password. Only on a loopback address.
    #[default]
    Demo,
    /// Nobody needs to. Only on a loopback address; for test suites that cannot send a token.
    Open,
}

impl Auth {
    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Auth> {
        match name {
            "demo" => Some(Auth::Demo),
            "open" => Some(Auth::Open),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Auth::Demo => "demo",
            Auth::Open => "open",
        }
    }
}

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// The folder with the key ring.
    pub state: PathBuf,
    /// Who may sign in.
    pub auth: Auth,
    /// What the board calls itself towards people.
    pub name: String,
}

impl Config {
    /// What holds where nothing is configured: `demo` on 127.0.0.1:8787, the state in `$XDG_STATE_HOME/perchd`.
    ///
    /// # Errors
    /// When the environment names no home, so that there is no place for the state.
    pub fn unconfigured() -> Result<Self, Error> {
        state_folder().map(Config::with_state)
    }

    /// The same, with the state in this folder.
    pub fn with_state(state: PathBuf) -> Self {
        Config { listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 8787)), state, auth: Auth::Demo, name: host_name() }
    }

    /// Whether this may be served on `address`.
    ///
    /// # Errors
    /// When anybody on the network could come in without a proof of who he is.
    pub fn check(&self, address: SocketAddr) -> Result<(), Error> {
        if address.ip().is_loopback() {
            return Ok(());
        }
        let what = match self.auth {
            Auth::Demo => "the mode `demo` lets anybody in with any password, and this address can be reached from the network",
            Auth::Open => "the mode `open` lets anybody in, and this address can be reached from the network",
        };
        let remedy = "Listen on this machine only: --listen 127.0.0.1:8787. From elsewhere, forward the port: ssh -L 8787:localhost:8787 BOARD";
        Err(Error::new(Exit::Config, what).at(format!("--listen {address}")).remedy(remedy))
    }
}

/// `$XDG_STATE_HOME/perchd`, or what stands for it (XDG Base Directory Specification 0.8).
fn state_folder() -> Result<PathBuf, Error> {
    let absolute = |name: &str| env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let home = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    home.map(|home| home.join("perchd")).ok_or_else(|| {
        let what = "there is no place for the key ring: neither XDG_STATE_HOME nor HOME is set";
        Error::new(Exit::Config, what).remedy("Name a folder with --state.")
    })
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(auth: Auth) -> Config {
        Config { listen: SocketAddr::from(([127, 0, 0, 1], 1)), state: PathBuf::new(), auth, name: String::new() }
    }

    #[test]
    fn what_lets_anybody_in_stays_on_this_machine() {
        for auth in [Auth::Demo, Auth::Open] {
            for address in ["0.0.0.0:8787", "192.168.1.20:8787", "[::]:8787", "[fe80::1]:8787"] {
                let error = config(auth).check(address.parse().unwrap()).unwrap_err();
                assert_eq!(error.exit().code(), 78);
                assert!(error.to_string().contains("--listen 127.0.0.1:8787"), "{error}");
            }
            for address in ["127.0.0.1:8787", "127.0.0.2:1", "[::1]:8787"] {
                assert!(config(auth).check(address.parse().unwrap()).is_ok());
            }
        }
    }
}
