//! The server that runs, and what can be done without it.

use crate::cli::Which;
use crate::config::{self, Config};
use crate::error::{Error, Exit};
use crate::seal::KeyRing;
use crate::server::Server;
use crate::server::control;
use crate::server::desk::{Answer, Request};
use crate::server::state::State;
use crate::systemd;
use std::net::SocketAddr;
use std::path::Path;

/// Asks the server that runs.
pub(super) fn ask(which: &Which, request: &Request) -> Result<Answer, Error> {
    let state = which.state()?;
    control::ask(&state, request)?.ok_or_else(|| nobody(&state))
}

/// Asks the server that runs; where none runs, does it with the state alone.
pub(super) fn ask_or_do(which: &Which, request: Request) -> Result<Answer, Error> {
    let state = which.state()?;
    if let Some(answer) = control::ask(&state, &request)? {
        return Ok(answer);
    }
    if !state.join("keys").exists() {
        let remedy = "Make one: perchd init. Or name the folder that it is in: --state DIR";
        return Err(Error::new(Exit::Config, "there is no key ring").at(state.display()).remedy(remedy));
    }
    // Somebody has the state, but answers nobody.
    let offline = Server::new(which.config()?).builtin().desk()?.ok_or_else(|| unreachable(&state))?;
    match offline.desk.answer(request) {
        Answer::Fault { exit, told } => Err(Error::new(Exit::from_code(exit), told)),
        answer => Ok(answer),
    }
}

/// Puts the first key ring into a state folder: no server runs with it.
pub(super) fn first_keys(state: &Path, keys: &KeyRing) -> Result<Answer, Error> {
    let folder = State::open(state)?;
    let _lock = folder.lock()?.ok_or_else(|| unreachable(state))?;
    folder.keep_keys(keys)?;
    Ok(Answer::Keys { count: keys.count(), has_dropped: false })
}

/// Where a server with this configuration would listen: for the system's, perchd.socket says it in the configuration's place.
pub(super) fn listens(config: &Config) -> Vec<SocketAddr> {
    let is_the_systems = config.file.as_deref() == Some(Path::new(config::FILE));
    let unit = if is_the_systems { systemd::socket_unit() } else { Vec::new() };
    if unit.is_empty() { config.listen.clone() } else { unit }
}

/// What no server of this version says.
pub(super) fn odd() -> Error {
    let remedy = "It may be another version. Start it anew: systemctl restart perchd";
    Error::new(Exit::Software, "the server answered something else").remedy(remedy)
}

fn nobody(state: &Path) -> Error {
    let remedy = "Start it: systemctl start perchd, or perchd serve. \
                  If it keeps its state\n  elsewhere, name the folder: --state DIR. If it runs as another user, ask as root.";
    Error::new(Exit::Unavailable, "no perchd runs with this state").at(state.display()).remedy(remedy)
}

fn unreachable(state: &Path) -> Error {
    let remedy = "Ask as root, or as the user that it runs as, with the same $XDG_RUNTIME_DIR; or stop it first.";
    Error::new(Exit::Unavailable, "another program uses this state, and does not answer").at(state.display()).remedy(remedy)
}
