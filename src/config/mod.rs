//! What the operator decides, already checked: from a TOML file, or what holds without one.

mod allowed;
mod confirm;
pub(crate) mod declared;
mod file;
pub(crate) mod gpio;
pub(crate) mod i2c;
mod limits;
mod places;
mod read;
pub(crate) mod services;
mod text;
mod tree;

pub use allowed::{Allowed, Folder, WakeHost};
pub use confirm::{Confirm, Confirmed};
pub use declared::Declared;
pub use gpio::Gpio;
pub use i2c::Device;
pub use limits::Limits;
pub use places::{FILE, find, place};
pub(crate) use read::user_name;

use crate::error::{Error, Exit};
pub use crate::oauth::{Lifetimes, User};
pub use services::Services;
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

/// Who may sign in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Auth {
    /// Anybody, with any e-mail address and any password. Only on a loopback address.
    #[default]
    Demo,
    /// Nobody needs to. Only on a loopback address; for test suites that cannot send a token.
    Open,
    /// Whom the owner lets in, by one of these ways or either.
    Own {
        /// With a name and a password of [`Config::users`].
        users: bool,
        /// With a code that `perchd pair` prints.
        pairing: bool,
    },
}

impl Auth {
    /// The mode of this name.
    pub fn parse(name: &str) -> Option<Auth> {
        match name {
            "demo" => Some(Auth::Demo),
            "open" => Some(Auth::Open),
            "users" => Some(Auth::Own { users: true, pairing: false }),
            "pairing" => Some(Auth::Own { users: false, pairing: true }),
            _ => None,
        }
    }

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Auth::Demo => "demo",
            Auth::Open => "open",
            Auth::Own { users: true, pairing: false } => "users",
            Auth::Own { users: false, .. } => "pairing",
            Auth::Own { .. } => "users, pairing",
        }
    }
}

/// Where the certificate comes from.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// There is none: plain HTTP.
    #[default]
    Off,
    /// From the board's own CA, which is made on the first start and kept in the state folder.
    Own,
    /// From these files, in PEM.
    Files {
        /// The certificate, and those between it and its CA.
        certificate: PemFile,
        /// Its private key.
        key: PemFile,
    },
}

/// A file that the configuration names, and where it does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PemFile {
    /// The file.
    pub path: PathBuf,
    /// The line that names it, as errors say it: `/etc/perchd/perchd.toml:7`.
    pub place: Option<String>,
}

impl<P: Into<PathBuf>> From<P> for PemFile {
    fn from(path: P) -> Self {
        PemFile { path: path.into(), place: None }
    }
}

impl fmt::Display for PemFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(place) = &self.place {
            write!(f, "{place}: ")?;
        }
        self.path.display().fmt(f)
    }
}

/// Who may read `/metrics`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// The scope that a token needs; without one, everybody may.
    pub scope: Option<String>,
}

/// The configuration of a server.
#[derive(Clone, Debug)]
pub struct Config {
    /// The file that it was read from, if it was.
    pub file: Option<PathBuf>,
    /// Where to listen.
    pub listen: Vec<SocketAddr>,
    /// The folder with the key ring.
    pub state: PathBuf,
    /// The names under which the board is reached, besides `localhost` and its addresses.
    pub names: Vec<String>,
    /// Origins under which a proxy makes it reachable, such as `https://board.example.org`.
    pub public: Vec<String>,
    /// Origins of pages elsewhere that may call, such as `https://app.example.org`.
    pub origins: Vec<String>,
    /// Who may sign in.
    pub auth: Auth,
    /// Who signs in with a password.
    pub users: Vec<User>,
    /// The https redirect URIs that clients may use besides those of Claude.
    pub redirect_uris: Vec<String>,
    /// The name under which several boards with one key ring accept each other's tokens.
    pub audience: Option<String>,
    /// How long the tokens last that come of a sign-in.
    pub tokens: Lifetimes,
    /// Where the certificate comes from.
    pub tls: Tls,
    /// Whether plain HTTP may be spoken with other computers although there is a certificate.
    pub allow_plain: bool,
    /// Tools of the box that are not offered.
    pub hidden: Vec<String>,
    /// Tools of the box that run when a person has approved it.
    pub confirmed: Vec<Confirmed>,
    /// What of the box is switched on.
    pub allowed: Allowed,
    /// How much the board gives at once.
    pub limits: Limits,
    /// Who may read `/metrics`; without this, nobody.
    pub metrics: Option<Metrics>,
    /// Tools, resources and prompts of the owner's own.
    pub declared: Declared,
    /// The lines of GPIO chips that assistants may read or switch.
    pub gpio: Gpio,
    /// Devices on I2C buses that assistants may read.
    pub i2c: Vec<Device>,
    /// What the board calls itself towards people.
    pub name: String,
}

impl Config {
    /// What holds where nothing is configured: `demo` on 127.0.0.1:8787, the state in `$XDG_STATE_HOME/perchd`.
    ///
    /// # Errors
    /// When the environment names no home, so that there is no place for the state.
    pub fn unconfigured() -> Result<Self, Error> {
        places::state_folder(None).map(Config::with_state)
    }

    /// The same, with the state in this folder.
    pub fn with_state(state: PathBuf) -> Self {
        let name = host_name();
        Config {
            file: None,
            listen: vec![SocketAddr::from((Ipv4Addr::LOCALHOST, 8787))],
            state,
            names: names_of(&name),
            public: Vec::new(),
            origins: Vec::new(),
            auth: Auth::Demo,
            users: Vec::new(),
            redirect_uris: Vec::new(),
            audience: None,
            tokens: Lifetimes::default(),
            tls: Tls::Off,
            allow_plain: false,
            hidden: Vec::new(),
            confirmed: Vec::new(),
            allowed: Allowed::default(),
            limits: Limits::default(),
            metrics: None,
            declared: Declared::default(),
            gpio: Gpio::default(),
            i2c: Vec::new(),
            name,
        }
    }

    /// Reads a file, and the files of `tools.d` beside it.
    ///
    /// # Errors
    /// When it cannot be read, or the first thing in it that is wrong: with its line, and what to write instead.
    pub fn from_file(path: &Path) -> Result<Self, Error> {
        let text = text_of(path)?;
        let mut config = Config::parse(&text, path)?;
        config.declared.read_folder(path)?;
        Ok(config)
    }

    /// Reads the text of a file. `path` is where the errors say it stands.
    ///
    /// # Errors
    /// The first thing in it that is wrong: with its line, and what to write instead.
    pub fn parse(text: &str, path: &Path) -> Result<Self, Error> {
        read::config(text, path)
    }

    /// The users that a file names, though something else may be wrong with it.
    ///
    /// # Errors
    /// When it cannot be read, or is no such file at all.
    pub(crate) fn user_names(path: &Path) -> Result<Vec<String>, Error> {
        read::user_names(&text_of(path)?, path)
    }

    /// Whether other computers can reach it.
    pub fn is_far(&self) -> bool {
        self.listen.iter().any(|address| !address.ip().is_loopback())
    }

    /// Whether what is sent to other computers and by them can be read on the way.
    pub fn is_readable(&self) -> bool {
        self.is_far() && (self.tls == Tls::Off || self.allow_plain)
    }

    /// Whether this may be served on `address`.
    ///
    /// # Errors
    /// When anybody on the network could come in without a proof of who he is, or nobody at all.
    pub fn check(&self, address: SocketAddr) -> Result<(), Error> {
        if self.auth == (Auth::Own { users: true, pairing: false }) && self.users.is_empty() {
            let what = "the mode `users` lets nobody in: there is no user";
            let remedy = "Make one in a configuration: perchd passwd NAME prints the lines to put there.";
            return Err(Error::new(Exit::Config, what).remedy(remedy));
        }
        let what = match self.auth {
            _ if address.ip().is_loopback() => return Ok(()),
            Auth::Own { .. } => return Ok(()),
            Auth::Demo => "the mode `demo` lets anybody in with any password, and this address can be reached from the network",
            Auth::Open => "the mode `open` lets anybody in, and this address can be reached from the network",
        };
        let remedy = "Let people sign in: mode = \"pairing\" or \"users\" under [auth] in the configuration.\n  \
                      Or listen on this machine only: --listen 127.0.0.1:8787. From elsewhere, forward the port: \
                      ssh -L 8787:localhost:8787 BOARD";
        Err(Error::new(Exit::Config, what).at(format!("--listen {address}")).remedy(remedy))
    }
}

fn text_of(path: &Path) -> Result<String, Error> {
    declared::read_text(path).map_err(|error| {
        let remedy = match error.kind() {
            std::io::ErrorKind::NotFound => "Name another file with --config, or make one: perchd init",
            _ => "Check who owns the file: perchd must be able to read it, and it must be text in UTF-8.",
        };
        Error::new(Exit::Config, "cannot read the configuration").at(path.display()).because(error).remedy(remedy)
    })
}

fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What a LAN calls a host of this name: by itself, and by mDNS.
fn names_of(host: &str) -> Vec<String> {
    if host.is_empty() || host == "localhost" {
        return Vec::new();
    }
    if host.contains('.') { vec![host.to_owned()] } else { vec![format!("{host}.local"), host.to_owned()] }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lets_anybody_in_stays_on_this_machine() {
        for auth in [Auth::Demo, Auth::Open] {
            let config = Config { auth, ..Config::with_state(PathBuf::new()) };
            for address in ["0.0.0.0:8787", "192.168.1.20:8787", "[::]:8787", "[fe80::1]:8787"] {
                let error = config.check(address.parse().unwrap()).unwrap_err();
                assert_eq!(error.exit().code(), 78);
                assert!(error.to_string().contains("--listen 127.0.0.1:8787"), "{error}");
                let own = Config { auth: Auth::Own { users: false, pairing: true }, ..config.clone() };
                assert!(own.check(address.parse().unwrap()).is_ok());
            }
            for address in ["127.0.0.1:8787", "127.0.0.2:1", "[::1]:8787"] {
                assert!(config.check(address.parse().unwrap()).is_ok());
            }
        }
    }

    #[test]
    fn a_host_is_called_by_its_name_and_by_mdns() {
        assert_eq!(names_of("greenhouse"), ["greenhouse.local", "greenhouse"]);
        assert_eq!(names_of("pi.example.org"), ["pi.example.org"]);
        assert!(names_of("localhost").is_empty() && names_of("").is_empty());
    }
}
