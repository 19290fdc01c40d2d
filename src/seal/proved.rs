//! What was opened before: a token that a client sends with each request need not be decoded and hashed each time.
//!
//! Nothing passes here that has not passed the HMAC, for this purpose and this holder, under a key of this ring. And nothing
//! else is left out: whether a token is out of date or was revoked is looked at with each request.

use super::Purpose;
use crate::limits;
use constant_time_eq::constant_time_eq;
use std::cell::{Ref, RefCell};
use zeroize::Zeroizing;

/// Texts that were opened, each with its payload. They are compared whole, in a time that tells nothing of how much of them
/// is right.
///
/// A table belongs to its ring: one that is read anew begins with nothing. A new text takes the place of another one;
/// strangers bring none that is good, so that they push nothing out. What comes once is not worth a place.
#[derive(Default)]
pub(super) struct Proved {
    entries: RefCell<[Option<Box<Entry>>; limits::PROVED]>,
}

struct Entry {
    purpose: Purpose,
    /// Text, holder and payload, one behind the other: a block of the heap each would cost more than what is in it.
    bytes: Zeroizing<Box<[u8]>>,
    text: usize,
    holder: usize,
}

impl Entry {
    fn is(&self, purpose: Purpose, (text, holder): (&[u8], &[u8])) -> bool {
        let (known, rest) = self.bytes.split_at(self.text);
        self.purpose == purpose && rest[..self.holder] == *holder && constant_time_eq(known, text)
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[self.text + self.holder..]
    }
}

impl Proved {
    /// The payload of `text`, which is for `holder`, where it lies, if it was opened before. Nothing is kept while it is held.
    pub(super) fn recall(&self, purpose: Purpose, text: (&[u8], &[u8])) -> Option<Ref<'_, [u8]>> {
        let entry = Ref::filter_map(self.entries.borrow(), |entries| {
            entries[place(text.0)].as_deref().filter(|entry| entry.is(purpose, text)).map(Entry::payload)
        });
        entry.ok()
    }

    /// Remembers the payload of a text that was opened, and says where it lies now.
    pub(super) fn keep(&self, purpose: Purpose, (text, holder): (&[u8], &[u8]), payload: &[u8]) -> Option<Ref<'_, [u8]>> {
        let bytes = Zeroizing::new([text, holder, payload].concat().into_boxed_slice());
        let entry = Entry { purpose, bytes, text: text.len(), holder: holder.len() };
        self.entries.borrow_mut()[place(text)] = Some(Box::new(entry));
        self.recall(purpose, (text, holder))
    }
}

/// Where a text stands: by its end, which is that of its HMAC, so that all places are as likely.
fn place(text: &[u8]) -> usize {
    let end = text.last_chunk().map_or(0, |end| u64::from_le_bytes(*end));
    // Fibonacci hashing (Knuth 6.4): the upper bits depend on all of them.
    let upper = end.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::try_from(upper).map_or(0, |upper| (upper * limits::PROVED) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &[u8] = b"a text that ends with its HMAC";
    const HOLDER: &[u8] = b"ada";

    fn recalled(proved: &Proved, purpose: Purpose, text: (&[u8], &[u8])) -> Option<Vec<u8>> {
        proved.recall(purpose, text).map(|payload| payload.to_vec())
    }

    #[test]
    fn nothing_is_known_but_what_was_kept_to_the_last_bit_for_its_purpose_and_its_holder() {
        let proved = Proved::default();
        assert_eq!(recalled(&proved, Purpose::Session, (TEXT, HOLDER)), None);
        let kept = proved.keep(Purpose::Session, (TEXT, HOLDER), b"payload").map(|payload| payload.to_vec());
        assert_eq!(kept.as_deref(), Some(b"payload".as_slice()));
        assert_eq!(recalled(&proved, Purpose::Session, (TEXT, HOLDER)).as_deref(), Some(b"payload".as_slice()));
        assert_eq!(recalled(&proved, Purpose::Access, (TEXT, HOLDER)), None);
        for bit in 0..TEXT.len() * 8 {
            let mut other = TEXT.to_vec();
            other[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(recalled(&proved, Purpose::Session, (&other, HOLDER)), None, "bit {bit}");
        }
        let longer = [TEXT, HOLDER].concat();
        for other in [b"", TEXT.split_last().unwrap().1, &TEXT[1..], &longer] {
            assert_eq!(recalled(&proved, Purpose::Session, (other, HOLDER)), None);
        }
        for other in [&b""[..], b"ad", b"adb", b"adapayload"] {
            assert_eq!(recalled(&proved, Purpose::Session, (TEXT, other)), None);
        }
        // Where one of them ends and the other begins is looked at.
        assert_eq!(recalled(&proved, Purpose::Session, (&longer, b"")), None);
    }

    #[test]
    fn a_new_text_takes_the_place_of_another_one() {
        let proved = Proved::default();
        let texts: Vec<_> = (0..1000_u32).map(|number| format!("a payload and its HMAC {number:08x}")).collect();
        for text in &texts {
            assert!(proved.keep(Purpose::Access, (text.as_bytes(), b""), b"payload").is_some());
        }
        let known = texts.iter().filter(|text| recalled(&proved, Purpose::Access, (text.as_bytes(), b"")).is_some());
        assert_eq!(known.count(), limits::PROVED);
    }
}
