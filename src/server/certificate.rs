//! The certificate that the server shows: one of the board's own CA, or the operator's.
//!
//! The CA is made once and never written over: computers were told to trust it. It vouches for names and addresses of
//! private networks and for the names that the board had when it was made, and for no others, so that who steals its key
//! cannot stand for the rest of the world. What the server shows is made anew before it ends, and when the board gets a
//! name or an address that is not in it.

mod addresses;
mod ca;
mod files;
mod issue;
mod pem;
mod x509;

pub(crate) use files::from_files;

use crate::config::Config;
use crate::error::{Error, Exit};
use crate::limits;
use crate::server::certificate::ca::Ca;
use crate::server::certificate::issue::KeyPair;
use crate::server::certificate::x509::X509;
use crate::server::state::{PUBLIC, SECRET, State};
use crate::world::Now;
use ring::digest::{SHA256, digest};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use std::fmt::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::Path;

const DAY: u64 = 24 * 3600;
/// A certificate begins before it is made: clocks of clients may be behind.
const BACKDATE_SECS: u64 = 31 * DAY;
/// From beginning to end; browsers take no longer one (CA/Browser Forum, 398 days).
const LIFE_SECS: u64 = 397 * DAY;
/// It is made anew when less than this is left.
const RENEW_SECS: u64 = 90 * DAY;

/// What the board's own CA gives.
#[derive(Debug)]
pub(crate) struct Certificates {
    /// The certificate of the CA, in PEM, for computers that are to trust it.
    pub(crate) ca: String,
    /// Its SHA-256, for people to compare.
    pub(crate) fingerprint: String,
    /// What the server shows.
    pub(crate) identity: Identity,
}

/// A certificate with its key.
pub(crate) struct Identity {
    /// The certificate, and those between it and its CA.
    pub(crate) chain: Vec<CertificateDer<'static>>,
    pub(crate) key: PrivateKeyDer<'static>,
    begins: u64,
    ends: u64,
    names: Vec<String>,
}

impl Identity {
    /// When it ends, in seconds since 1970.
    pub(crate) fn ends(&self) -> u64 {
        self.ends
    }

    /// Whether it should give way to a new one: it ends soon, or a name is not in it, or it begins in the future, which
    /// says that the clock was wrong when it was made. A clock that was never set says nothing about that.
    pub(crate) fn is_due(&self, names: &[String], now: Now) -> bool {
        now.unix + RENEW_SECS >= self.ends
            || (now.unix < self.begins && is_set(now))
            || names.iter().any(|name| !self.names.contains(name))
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Identity { begins, ends, names, .. } = self;
        f.debug_struct("Identity").field("begins", begins).field("ends", ends).field("names", names).finish_non_exhaustive()
    }
}

/// The CA and the server's certificate in the state folder; what is missing or due is made.
///
/// `names` are those of the board, to which its addresses come. `now` is of a clock without a floor but the build's
/// ([`Clock::start(0)`](crate::world::Clock::start)): one that was never set is known by it.
///
/// # Errors
/// When the CA in the folder is incomplete or damaged, or the folder cannot be read or written.
pub(crate) fn ensure(state: &Path, names: &[String], now: Now) -> Result<Certificates, Error> {
    ensure_for(&State::open(state)?, &of_host(names), now)
}

/// What a board with this configuration is called: its names, and the addresses on which it listens.
pub(crate) fn names(config: &Config) -> Vec<String> {
    let listened = config.listen.iter().map(SocketAddr::ip).filter(|address| !address.is_unspecified());
    config.names.iter().cloned().chain(listened.map(|address| address.to_canonical().to_string())).collect()
}

/// The names that a certificate of this machine should have: these, and its addresses.
pub(crate) fn of_host(names: &[String]) -> Vec<String> {
    let mut all = vec!["localhost".to_owned()];
    let names = names.iter().map(|name| name.to_ascii_lowercase()).filter(|name| is_name(name));
    for name in names.chain(addresses::of_host().iter().map(IpAddr::to_string)) {
        if !all.contains(&name) && all.len() < limits::CERTIFICATE_NAMES {
            all.push(name);
        }
    }
    all
}

/// When a certificate ends, in seconds since 1970, and for which names it is. Whoever reads one knows who vouches for it.
pub(crate) fn about(certificate: &[u8]) -> Option<(u64, Vec<String>)> {
    let read = X509::read(certificate)?;
    Some((u64::try_from(read.ends).ok()?, read.names()))
}

/// The SHA-256 of a certificate in DER, as tools and browsers show it.
pub(crate) fn fingerprint(certificate: &[u8]) -> String {
    let mut text = String::with_capacity(95);
    for byte in digest(&SHA256, certificate).as_ref() {
        let colon = if text.is_empty() { "" } else { ":" };
        // Writing to a String does not fail.
        let _ = write!(text, "{colon}{byte:02X}");
    }
    text
}

fn ensure_for(state: &State, names: &[String], now: Now) -> Result<Certificates, Error> {
    let ca = Ca::open(state, names, now)?;
    let names = permitted(&ca, names);
    let found = ours(state, &ca)?;
    let mut identity = match found {
        Some(identity) if !identity.is_due(&names, now) => identity,
        found => renew(state, &ca, names, found, now)?,
    };
    // Who has pinned the CA by its fingerprint has no other place to get it from.
    identity.chain.push(ca.der.clone());
    Ok(Certificates { ca: ca.pem(), fingerprint: fingerprint(&ca.der), identity })
}

/// The names that the CA may vouch for: one that it may not would spoil the whole certificate.
fn permitted(ca: &Ca, names: &[String]) -> Vec<String> {
    let (permitted, foreign): (Vec<_>, Vec<_>) = names.iter().cloned().partition(|name| ca.permits(name));
    for name in foreign.iter().filter(|name| name.parse::<IpAddr>().is_err()) {
        log::warn!("the board's CA was made before `{name}` was one of its names, and may not vouch for it: see certs/README.md");
    }
    permitted
}

/// The certificate in the folder, if it is whole and of this CA. What else stands there is of no use to anybody.
fn ours(state: &State, ca: &Ca) -> Result<Option<Identity>, Error> {
    let (Some(chain), Some(key)) = (state.read("server.pem")?, state.read_secret("server.key", "the server's key")?) else {
        return Ok(None);
    };
    Ok(pem::certificates(&chain).ok().zip(pem::key(&key).ok()).and_then(|(chain, key)| {
        let read = X509::read(chain.first()?)?;
        let is_ours = read.is_signed_by(ca.public_key()) && pair(&key)?.public() == read.public_key;
        let (begins, ends, names) = (u64::try_from(read.begins).ok()?, u64::try_from(read.ends).ok()?, read.names());
        is_ours.then_some(Identity { chain, key, begins, ends, names })
    }))
}

fn pair(key: &PrivateKeyDer<'_>) -> Option<KeyPair> {
    let PrivateKeyDer::Pkcs8(key) = key else { return None };
    KeyPair::read(key.secret_pkcs8_der())
}

fn renew(state: &State, ca: &Ca, mut names: Vec<String>, old: Option<Identity>, now: Now) -> Result<Identity, Error> {
    // A clock that was never set does not take time back; one that was set corrects what a wrong one did.
    let at = match &old {
        Some(old) if !is_set(now) => now.unix.max(old.begins + BACKDATE_SECS),
        _ => now.unix,
    };
    // An address that comes and goes does not cost a certificate each time.
    for name in old.into_iter().flat_map(|old| old.names) {
        if !names.contains(&name) && names.len() < limits::CERTIFICATE_NAMES && ca.permits(&name) {
            names.push(name);
        }
    }
    let (begins, ends) = (at.saturating_sub(BACKDATE_SECS), (at - BACKDATE_SECS.min(at) + LIFE_SECS).min(ca.ends));
    let key = KeyPair::generate().ok_or_else(failed)?;
    let certificate = ca.sign(&key, &names, begins, ends)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.pkcs8().to_vec()));
    // In this order: a power cut between the two leaves a pair that does not match, and is made anew.
    state.write("server.key", pem::write("PRIVATE KEY", key.secret_der()).as_bytes(), SECRET)?;
    state.write("server.pem", pem::write("CERTIFICATE", &certificate).as_bytes(), PUBLIC)?;
    log::info!("made a certificate for {}", names.join(", "));
    Ok(Identity { chain: vec![certificate], key, begins, ends, names })
}

/// Whether somebody has set the clock: one that was not says the time of the build at most.
fn is_set(now: Now) -> bool {
    now.unix > limits::BUILD_UNIX_SECS
}

/// Whether a certificate can be for it: a host name, or an address.
fn is_name(name: &str) -> bool {
    let is_label = |label: &str| {
        (1..64).contains(&label.len()) && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    name.parse::<IpAddr>().is_ok() || (name.len() <= 253 && name.split('.').all(is_label))
}

fn failed() -> Error {
    Error::new(Exit::Software, "cannot make a certificate")
}

#[cfg(test)]
mod tests;
