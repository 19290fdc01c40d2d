//! Proofs that held before: what a client sends with each request need not be hashed each time.
//!
//! Nothing passes here that has not passed the HMAC, under this key and for this purpose. And nothing else is left out
//! but the HMAC: whether a token is out of date or was revoked is looked at with each request.

use super::Purpose;
use crate::limits;
use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, Tag, UnboundKey};
use ring::hkdf;
use std::cell::{Cell, RefCell};

/// The `info` of the derivation (RFC 5869 2.3); no [`Purpose`] has it.
const LABEL: &[u8] = b"proved";

/// Texts whose proof held, each by a tag over all of it (RFC 8439, ChaCha20-Poly1305 over nothing but associated data):
/// a third of the work of an HMAC, compared by ring as well, and no text is kept. The tags never leave this table.
///
/// A table belongs to its key: a ring that is read anew begins with nothing. A new text takes the place of another one;
/// strangers bring none that is good, so that they push nothing out.
pub(super) struct Proved {
    key: LessSafeKey,
    entries: RefCell<[Option<Entry>; limits::PROVED]>,
    count: Cell<u64>,
}

#[derive(Clone, Copy)]
struct Entry {
    purpose: Purpose,
    /// No two tags are made with the same number: each has a key of its own.
    number: u64,
    tag: Tag,
}

impl Proved {
    /// An empty table. Its tags are made with a key of their own.
    pub(super) fn new(root_key: &hkdf::Prk) -> Self {
        // RFC 5869 2.3: the output may be up to 255 hashes long; this is one.
        #[allow(clippy::expect_used)]
        let key = root_key.expand(&[LABEL], &CHACHA20_POLY1305).map(UnboundKey::from).expect("one hash is not too long");
        Proved { key: LessSafeKey::new(key), entries: RefCell::new([None; limits::PROVED]), count: Cell::new(0) }
    }

    /// Whether it is worth remembering: these come with each request, the others once.
    pub(super) fn is_for(purpose: Purpose) -> bool {
        matches!(purpose, Purpose::Access | Purpose::Session)
    }

    /// Whether a text that ends with its HMAC is known to be good.
    pub(super) fn has(&self, purpose: Purpose, text: &[u8]) -> bool {
        let entry = self.entries.borrow()[place(text)].filter(|entry| entry.purpose == purpose);
        entry.is_some_and(|entry| {
            self.key.open_in_place_separate_tag(nonce(entry.number), Aad::from(text), entry.tag, &mut [], 0..).is_ok()
        })
    }

    /// Remembers that the HMAC at the end of this text holds.
    pub(super) fn keep(&self, purpose: Purpose, text: &[u8]) {
        let number = self.count.get();
        self.count.set(number + 1);
        if let Ok(tag) = self.key.seal_in_place_separate_tag(nonce(number), Aad::from(text), &mut []) {
            self.entries.borrow_mut()[place(text)] = Some(Entry { purpose, number, tag });
        }
    }
}

/// Where a text stands, by the end of its HMAC.
fn place(text: &[u8]) -> usize {
    text.last().map_or(0, |last| usize::from(*last) % limits::PROVED)
}

fn nonce(number: u64) -> Nonce {
    let mut bytes = [0; NONCE_LEN];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Nonce::assume_unique_for_key(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Proved {
        Proved::new(&hkdf::Salt::new(hkdf::HKDF_SHA256, b"salt").extract(b"root"))
    }

    #[test]
    fn nothing_is_known_but_what_was_kept_to_the_last_bit_and_for_its_purpose() {
        let proved = table();
        let text = *b"a payload and the end of its HMAC";
        assert!(!proved.has(Purpose::Access, &text));
        proved.keep(Purpose::Access, &text);
        assert!(proved.has(Purpose::Access, &text));
        assert!(!proved.has(Purpose::Session, &text));
        for bit in 0..text.len() * 8 {
            let mut other = text;
            other[bit / 8] ^= 1 << (bit % 8);
            assert!(!proved.has(Purpose::Access, &other), "bit {bit}");
        }
        assert!(!proved.has(Purpose::Access, &text[..text.len() - 1]) && !proved.has(Purpose::Access, b""));
        assert!(!table().has(Purpose::Access, &text));
    }

    #[test]
    fn a_new_text_takes_the_place_of_another_one() {
        let proved = table();
        proved.keep(Purpose::Access, b"one/");
        proved.keep(Purpose::Session, b"other/");
        assert!(!proved.has(Purpose::Access, b"one/"));
        assert!(proved.has(Purpose::Session, b"other/"));
        for last in 0..=u8::MAX {
            proved.keep(Purpose::Access, &[last]);
        }
        assert_eq!((0..=u8::MAX).filter(|last| proved.has(Purpose::Access, &[*last])).count(), limits::PROVED);
    }
}
