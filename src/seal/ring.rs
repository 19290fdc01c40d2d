//! The key ring: the key that seals, and those before it that still open.

use super::proved::Proved;
use super::{Forged, Purpose, TAG};
use crate::limits;
use crate::world::World;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::{hkdf, hmac};
use std::fmt::{self, Write as _};
use zeroize::Zeroizing;

/// The first line of the file.
const HEADER: &str = "perchd key ring 1";
/// Keeps these keys apart from whatever else might be derived from the same root. RFC 5869 3.1.
const SALT: &[u8] = b"perchd";

/// The current key and at most three before it, newest first.
///
/// Only the root keys are written down; a key for each [`Purpose`] is derived from them once, here, so that opening a
/// token derives nothing.
pub struct KeyRing {
    keys: heapless::Vec<Key, { limits::RING_KEYS }>,
    /// What these keys have opened; another ring begins with nothing.
    pub(super) proved: Proved,
}

struct Key {
    id: u8,
    born: u64,
    root: Zeroizing<[u8; 32]>,
    derived: [hmac::Key; Purpose::ALL.len()],
}

/// What is wrong with a state file, and in which line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// The line, counted from one.
    pub line: usize,
    /// What is wrong with it. It repeats nothing of the line: that may be a key.
    pub what: &'static str,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

impl std::error::Error for Fault {}

impl KeyRing {
    /// A ring with one new key.
    pub fn generate(world: &World<'_>) -> Self {
        let mut keys = heapless::Vec::new();
        let _ = keys.push(Key::new(0, world.now.unix, Zeroizing::new(world.bytes())));
        KeyRing { keys, proved: Proved::default() }
    }

    /// The ring with a new key in front. The oldest falls out when there are too many, and all it sealed with it.
    pub fn rotated(&self, world: &World<'_>) -> Self {
        let mut ring = KeyRing::generate(world);
        ring.keys[0].id = self.current().id.wrapping_add(1);
        for key in self.keys.iter().take(limits::RING_KEYS - 1) {
            let _ = ring.keys.push(Key::new(key.id, key.born, key.root.clone()));
        }
        ring
    }

    /// Reads what [`KeyRing::to_text`] wrote.
    ///
    /// # Errors
    /// The first line that is not as it should be.
    pub fn parse(text: &str) -> Result<Self, Fault> {
        let mut lines = text.lines().zip(1..);
        if lines.next().map(|(header, _)| header) != Some(HEADER) {
            return Err(Fault { line: 1, what: "this is no perchd key ring, or one of a newer perchd" });
        }
        let mut ring = KeyRing { keys: heapless::Vec::new(), proved: Proved::default() };
        for (text, line) in lines {
            let key = Key::parse(text).ok_or(Fault { line, what: "a key is its id, its birth and 32 bytes in base64url" })?;
            if ring.keys.iter().any(|other| other.id == key.id) {
                return Err(Fault { line, what: "two keys have the same id" });
            }
            ring.keys.push(key).map_err(|_| Fault { line, what: "there are too many keys" })?;
        }
        if ring.keys.is_empty() {
            return Err(Fault { line: 2, what: "there is no key" });
        }
        Ok(ring)
    }

    /// The file: a line with the version, then one for each key, newest first. It is for its owner alone (0600).
    pub fn to_text(&self) -> Zeroizing<String> {
        // Room for all of it from the start: a buffer that grows leaves copies of the keys behind.
        let mut text = Zeroizing::new(String::with_capacity(HEADER.len() + 1 + self.keys.len() * 80));
        text.push_str(HEADER);
        text.push('\n');
        for key in &self.keys {
            let _ = write!(text, "{} {} ", key.id, key.born);
            URL_SAFE_NO_PAD.encode_string(*key.root, &mut text);
            text.push('\n');
        }
        text
    }

    /// How many keys are on it: the one that seals, and those that still open.
    pub fn count(&self) -> usize {
        self.keys.len()
    }

    /// When the current key was made, in seconds since 1970. No clock is right that says an earlier time.
    pub fn born(&self) -> u64 {
        self.current().born
    }

    /// The id of the key that seals, and that key for `purpose`.
    pub(super) fn sealing(&self, purpose: Purpose) -> (u8, &hmac::Key) {
        let current = self.current();
        (current.id, &current.derived[purpose as usize])
    }

    /// Whether `text` ends with its proof under the key with this id, if that is on the ring.
    pub(super) fn prove(&self, id: u8, purpose: Purpose, text: &[u8]) -> Result<(), Forged> {
        let key = self.keys.iter().find(|key| key.id == id).ok_or(Forged)?;
        let (message, tag) = text.split_last_chunk::<TAG>().ok_or(Forged)?;
        hmac::verify(&key.derived[purpose as usize], message, tag).map_err(|_| Forged)
    }

    fn current(&self) -> &Key {
        // A ring is made with a key, and none is taken away.
        &self.keys[0]
    }
}

impl fmt::Debug for KeyRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.keys.iter().map(|key| (key.id, key.born))).finish()
    }
}

impl Key {
    fn new(id: u8, born: u64, root: Zeroizing<[u8; 32]>) -> Self {
        let root_key = hkdf::Salt::new(hkdf::HKDF_SHA256, SALT).extract(root.as_slice());
        let derived = Purpose::ALL.map(|purpose| derive(&root_key, purpose));
        Key { id, born, root, derived }
    }

    fn parse(line: &str) -> Option<Self> {
        let mut words = line.split(' ');
        let (id, born, text) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?);
        let mut root = Zeroizing::new([0; 32]);
        let length = URL_SAFE_NO_PAD.decode_slice(text, root.as_mut_slice()).ok()?;
        (length == root.len() && words.next().is_none()).then(|| Key::new(id, born, root))
    }
}

fn derive(root_key: &hkdf::Prk, purpose: Purpose) -> hmac::Key {
    // RFC 5869 2.3: the output may be up to 255 hashes long; this is one.
    #[allow(clippy::expect_used)]
    root_key.expand(&[purpose.label()], hmac::HMAC_SHA256).map(hmac::Key::from).expect("one hash is not too long")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::testing::{ring, world};

    const FIRST: &str = "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA";

    fn fault(lines: &[&str]) -> Fault {
        KeyRing::parse(&lines.join("\n")).unwrap_err()
    }

    #[test]
    fn a_file_that_is_not_as_it_should_be_is_refused_with_its_line() {
        assert_eq!(fault(&[]).line, 1);
        assert_eq!(fault(&["perchd key ring 2", FIRST]).line, 1);
        assert_eq!(fault(&[HEADER]), Fault { line: 2, what: "there is no key" });
        assert_eq!(fault(&[HEADER, FIRST, FIRST]), Fault { line: 3, what: "two keys have the same id" });
        assert_eq!(fault(&[HEADER, FIRST, "", ""]).line, 3);
        for bad in [
            "256 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
            "-1 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
            "0 x AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA",
            "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA=",
            "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyB",
            "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0e",
            "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyAhIiM",
            "0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA x",
            "0 1795392000",
        ] {
            assert_eq!(fault(&[HEADER, bad]).line, 2, "{bad}");
        }
        let five: String = (0..5).map(|id| FIRST.replacen('0', &id.to_string(), 1) + "\n").collect();
        assert_eq!(fault(&[HEADER, &five]), Fault { line: 6, what: "there are too many keys" });
    }

    #[test]
    fn nothing_of_a_key_is_printed() {
        let ring = KeyRing::parse(&format!("{HEADER}\n{FIRST}\n")).unwrap();
        assert_eq!(format!("{ring:?}"), "[(0, 1795392000)]");
        assert!(!fault(&[HEADER, &FIRST[..40]]).to_string().contains("AQID"));
    }

    #[test]
    fn a_ring_is_read_as_it_was_written() {
        let ring = ring().rotated(&world());
        let text = ring.to_text();
        assert_eq!(text.lines().count(), 3);
        let read = KeyRing::parse(&text).unwrap();
        assert_eq!(*read.to_text(), *text);
        let sealed = ring.seal(Purpose::Session, b"hello");
        assert_eq!(&*read.open(Purpose::Session, sealed.as_bytes()).unwrap(), b"hello");
    }

    #[test]
    fn a_rotated_ring_opens_what_the_one_before_it_sealed_until_it_falls_out() {
        let mut ring = ring();
        let sealed = ring.seal(Purpose::Client, b"client");
        for _ in 0..3 {
            ring = ring.rotated(&world());
            assert!(ring.open(Purpose::Client, sealed.as_bytes()).is_ok());
            assert_ne!(ring.seal(Purpose::Client, b"client"), sealed);
        }
        ring = ring.rotated(&world());
        assert!(ring.open(Purpose::Client, sealed.as_bytes()).is_err());
        assert_eq!(ring.to_text().lines().count(), 1 + limits::RING_KEYS);
    }

    #[test]
    fn a_ring_is_as_old_as_its_newest_key() {
        assert_eq!(ring().born(), world().now.unix);
    }
}
