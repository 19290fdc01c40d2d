//! The board's own CA.

use super::{failed, is_set, pair, pem};
use crate::error::{Error, Exit};
use crate::server::certificate::issue::{self, About, KeyPair};
use crate::server::certificate::x509::X509;
use crate::server::state::{PUBLIC, SECRET, State};
use crate::world::Now;
use rustls::pki_types::CertificateDer;
use std::net::IpAddr;
use std::path::Path;

/// 2020-01-01: no clock of a client is that far behind, not even that of a board without one.
const BEGINS: u64 = 1_577_836_800;
/// From the day on which it is made; whoever trusts it need not do so again.
const LIFE_SECS: u64 = 20 * 365 * super::DAY;
/// The longest common name, in characters (RFC 5280, ub-common-name).
const COMMON_NAME: usize = 64;

/// Names that only mean something within a network.
const PRIVATE_NAMES: [&str; 5] = ["localhost", "local", "lan", "home.arpa", "internal"];

/// Addresses that only mean something within a network: RFC 1918, 6598 (VPNs), 3927, 4193 and loopback.
const PRIVATE_NETWORKS: [(&str, u32); 8] = [
    ("10.0.0.0", 8),
    ("172.16.0.0", 12),
    ("192.168.0.0", 16),
    ("100.64.0.0", 10),
    ("169.254.0.0", 16),
    ("127.0.0.0", 8),
    ("fc00::", 7),
    ("::1", 128),
];

/// A CA with its key.
pub(super) struct Ca {
    pub(super) der: CertificateDer<'static>,
    /// When it ends, in seconds since 1970.
    pub(super) ends: u64,
    key: KeyPair,
    /// Its subject, which stands as issuer in what it signs.
    common_name: String,
}

impl Ca {
    /// The CA in the folder; made if there is none.
    pub(super) fn open(state: &State, names: &[String], now: Now) -> Result<Self, Error> {
        let key = state.read_secret("ca.key", "the CA's key")?;
        match (state.read("ca.pem")?, key) {
            (None, None) => Ca::make(state, names, now),
            // A power cut came between the two: nobody has seen the certificate yet.
            (None, Some(key)) => Ca::certify(state, read_key(&state.path("ca.key"), &key)?, names, now),
            (Some(_), None) => {
                let what = "the CA has a certificate, but its key is gone";
                Err(damaged(&state.path("ca.key"), what))
            }
            (Some(certificate), Some(key)) => {
                let key = read_key(&state.path("ca.key"), &key)?;
                Ca::read(key, &certificate).ok_or_else(|| {
                    let what = "this is not the certificate of the CA whose key is beside it";
                    damaged(&state.path("ca.pem"), what)
                })
            }
        }
    }

    fn make(state: &State, names: &[String], now: Now) -> Result<Self, Error> {
        let key = KeyPair::generate().ok_or_else(failed)?;
        state.create("ca.key", pem::write("PRIVATE KEY", key.pkcs8()).as_bytes(), SECRET)?;
        Ca::certify(state, key, names, now)
    }

    fn certify(state: &State, key: KeyPair, names: &[String], now: Now) -> Result<Self, Error> {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        // The name of a Linux host has 64 bytes at most, none of which need be ASCII.
        let common_name: String = format!("perchd CA of {host}").chars().take(COMMON_NAME).collect();
        let ends = now.unix + LIFE_SECS;
        let about = About { issuer: &common_name, subject: &common_name, begins: BEGINS, ends };
        let der = issue::of_ca(&about, &key, &permitted(names)).ok_or_else(failed)?;
        state.create("ca.pem", pem::write("CERTIFICATE", &der).as_bytes(), PUBLIC)?;
        log::info!("made a CA: {}, SHA-256 {}", state.path("ca.pem").display(), super::fingerprint(&der));
        if !is_set(now) {
            log::warn!("the clock is not set: certificates are dated by the day on which perchd was built");
        }
        Ok(Ca { der, ends, key, common_name })
    }

    /// A CA that we made earlier.
    fn read(key: KeyPair, certificate: &str) -> Option<Self> {
        let der = pem::certificates(certificate).ok()?.into_iter().next()?;
        let read = X509::read(&der)?;
        let is_ours = read.public_key == key.public();
        let (common_name, ends) = (read.common_name?.to_owned(), u64::try_from(read.ends).ok()?);
        is_ours.then_some(Ca { der, ends, key, common_name })
    }

    /// Its certificate, in PEM.
    pub(super) fn pem(&self) -> String {
        String::clone(&pem::write("CERTIFICATE", &self.der))
    }

    pub(super) fn public_key(&self) -> &[u8] {
        self.key.public()
    }

    /// Whether it may vouch for a name.
    pub(super) fn permits(&self, name: &str) -> bool {
        X509::read(&self.der).is_some_and(|read| read.permits(name))
    }

    /// A certificate for a server with this key and these names.
    pub(super) fn sign(&self, key: &KeyPair, names: &[String], begins: u64, ends: u64) -> Result<CertificateDer<'static>, Error> {
        // With a space it is no host name: clients that still look for one there find none.
        let subject = self.common_name.replacen("perchd CA of", "perchd on", 1);
        let about = About { issuer: &self.common_name, subject: &subject, begins, ends };
        issue::of_server(&about, key, names, &self.key).ok_or_else(failed)
    }
}

/// What the CA may vouch for: all that is private, and what else the board is called on the day on which the CA is made.
fn permitted(names: &[String]) -> Vec<Vec<u8>> {
    let suffixes = PRIVATE_NAMES.iter().map(|name| issue::domain(name));
    let networks = PRIVATE_NETWORKS.iter().filter_map(|(base, prefix)| Some(issue::network(base.parse().ok()?, *prefix)));
    let of_host = names.iter().map(|name| match name.parse::<IpAddr>() {
        Ok(address) => issue::network(address, if address.is_ipv4() { 32 } else { 128 }),
        Err(_) => issue::domain(name),
    });
    let mut all: Vec<_> = suffixes.chain(networks).collect();
    for subtree in of_host {
        if !all.contains(&subtree) {
            all.push(subtree);
        }
    }
    all
}

fn read_key(path: &Path, text: &str) -> Result<KeyPair, Error> {
    let key = pem::key(text).ok().and_then(|key| pair(&key));
    key.ok_or_else(|| damaged(path, "this is no private key of ours"))
}

fn damaged(path: &Path, what: &str) -> Error {
    let remedy = "Put both ca.pem and ca.key back from a copy. Or remove both: a new CA is made, and every computer that \
                  trusted the old one must be given the new ca.pem.";
    Error::new(Exit::Config, what).at(path.display()).remedy(remedy)
}
