//! What was opened before: a token that a client sends with each request need not be decoded and hashed each time.
//!
//! Nothing passes here that has not passed the HMAC, for this purpose and this holder, under a key of this ring. And nothing
//! else is left out: whether a token is out of date or was revoked is looked at with each request.

use super::Purpose;
use super::token::Opened;
use crate::limits;
use constant_time_eq::constant_time_eq;
use std::cell::RefCell;
use zeroize::Zeroizing;

/// Texts that were opened, each with its payload. They are compared whole, in a time that tells nothing of how much of them
/// is right.
///
/// A table belongs to its ring: one that is read anew begins with nothing. A new text takes the place of another one;
/// strangers bring none that is good, so that they push nothing out.
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
    /// Fills `opened` with the payload of `text`, which is for `holder`, if it was opened before.
    pub(super) fn recall<const N: usize>(&self, purpose: Purpose, text: (&[u8], &[u8]), opened: &mut Opened<N>) -> bool {
        let entries = self.entries.borrow();
        let entry = entries[place(text.0)].as_ref().filter(|entry| entry.is(purpose, text));
        entry.is_some_and(|entry| opened.refill(entry.payload()))
    }

    /// Remembers the payload of a text that was opened, where it is worth it: these come with each request, the others once.
    pub(super) fn keep(&self, purpose: Purpose, (text, holder): (&[u8], &[u8]), payload: &[u8]) {
        if matches!(purpose, Purpose::Access | Purpose::Session) {
            let bytes = Zeroizing::new([text, holder, payload].concat().into_boxed_slice());
            let entry = Entry { purpose, bytes, text: text.len(), holder: holder.len() };
            self.entries.borrow_mut()[place(text)] = Some(Box::new(entry));
        }
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
        let mut opened = Opened::<64>::empty();
        proved.recall(purpose, text, &mut opened).then(|| opened.to_vec())
    }

    #[test]
    fn nothing_is_known_but_what_was_kept_to_the_last_bit_for_its_purpose_and_its_holder() {
        let proved = Proved::default();
        assert_eq!(recalled(&proved, Purpose::Session, (TEXT, HOLDER)), None);
        proved.keep(Purpose::Session, (TEXT, HOLDER), b"payload");
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
    fn other_purposes_are_not_worth_it() {
        let proved = Proved::default();
        for purpose in Purpose::ALL {
            proved.keep(purpose, (TEXT, HOLDER), b"payload");
            let is_kept = recalled(&proved, purpose, (TEXT, HOLDER)).is_some();
            assert_eq!(is_kept, matches!(purpose, Purpose::Access | Purpose::Session), "{purpose:?}");
        }
    }

    #[test]
    fn what_there_is_no_room_for_is_not_recalled() {
        let proved = Proved::default();
        proved.keep(Purpose::Access, (TEXT, b""), &[7; 62]);
        assert_eq!(recalled(&proved, Purpose::Access, (TEXT, b"")), Some(vec![7; 62]));
        proved.keep(Purpose::Access, (TEXT, b""), &[7; 63]);
        assert_eq!(recalled(&proved, Purpose::Access, (TEXT, b"")), None);
    }

    #[test]
    fn a_new_text_takes_the_place_of_another_one() {
        let proved = Proved::default();
        let texts: Vec<_> = (0..1000_u32).map(|number| format!("a payload and its HMAC {number:08x}")).collect();
        for text in &texts {
            proved.keep(Purpose::Access, (text.as_bytes(), b""), b"payload");
        }
        let known = texts.iter().filter(|text| recalled(&proved, Purpose::Access, (text.as_bytes(), b"")).is_some());
        assert_eq!(known.count(), limits::PROVED);
    }
}
