//! What a server makes on its first start, made before it.

use crate::audit::Nothing;
use crate::config::{Config, Tls};
use crate::error::{Error, Exit};
use crate::seal::KeyRing;
use crate::server::certificate;
use crate::server::state::{SECRET, State};
use crate::world::{Clock, Kernel, World};
use std::path::{Path, PathBuf};

/// What is there now.
#[derive(Debug)]
pub(crate) struct First {
    /// Whether the key ring is new.
    pub(crate) has_made_keys: bool,
    /// The board's own CA, if the configuration wants one.
    pub(crate) ca: Option<Ca>,
}

/// The board's own CA.
#[derive(Debug)]
pub(crate) struct Ca {
    pub(crate) is_new: bool,
    pub(crate) fingerprint: String,
}

/// Makes what is missing in the state folder; with `is_forced`, the key ring anew.
///
/// # Errors
/// When the state cannot be read or written, and when the ring of a server that runs would be made anew.
pub(crate) fn prepare(config: &Config, is_forced: bool) -> Result<First, Error> {
    let state = State::open(&config.state)?;
    let world = World { now: Clock::start(0).now(), random: &Kernel::new(), audit: &Nothing };
    let is_new = !state.has_keys();
    if is_forced && !is_new {
        let remedy = "Stop it first: systemctl stop perchd. For a new key without new sign-ins: perchd keys rotate";
        let in_use = || Error::new(Exit::Config, "a server uses this key ring").at(config.state.display()).remedy(remedy);
        let _lock = state.lock()?.ok_or_else(in_use)?;
        if let Some(ring) = state.read("keys")? {
            state.write("keys.old", ring.as_bytes(), SECRET)?;
        }
        state.keep_keys(&KeyRing::generate(&world))?;
    } else {
        state.keys(&world)?;
    }
    let ca = if config.tls == Tls::Own {
        let is_new = !config.state.join("ca.pem").exists();
        let made = certificate::ensure(&config.state, &certificate::names(config), world.now)?;
        Some(Ca { is_new, fingerprint: made.fingerprint })
    } else {
        None
    };
    Ok(First { has_made_keys: is_new || is_forced, ca })
}

/// The name under which a file stays when another takes its place.
pub(crate) fn old(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".old");
    PathBuf::from(name)
}
