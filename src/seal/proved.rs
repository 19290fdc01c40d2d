//! What was opened before: a token that a client sends with each request need not be decoded and hashed each time.
//!
//! Nothing passes here that has not passed the HMAC, for this purpose and this holder, under a key of this ring. And nothing
//! else is left out: whether a token is out of date or was revoked is looked at with each request.

use super::Purpose;
use crate::limits;
use constant_time_eq::constant_time_eq;
use std::cell::{Ref, RefCell};
use zeroize::Zeroizing;

/// How many texts stand beside each other, where any of them may be.
const WAYS: usize = 4;
const SETS: usize = limits::PROVED / WAYS;

/// Texts that were opened, each with its payload. They are compared whole, in a time that tells nothing of how much of them
/// is right.
///
/// A table belongs to its ring: one that is read anew begins with nothing. Where it is full, a new text takes the place of another
/// one; strangers bring none that is good, so that they push nothing out. What comes once is not worth a place.
#[derive(Default)]
pub(super) struct Proved {
    entries: RefCell<Entries>,
}

struct Entries {
    sets: [[Option<Box<Entry>>; WAYS]; SETS],
    /// Which of its set the next one takes the place of: each in turn.
    turn: usize,
}

impl Default for Entries {
    fn default() -> Self {
        Entries { sets: [const { [const { None }; WAYS] }; SETS], turn: 0 }
    }
}

struct Entry {
    purpose: Purpose,
    /// The last bytes of the text.
    end: u64,
    /// Text, holder and payload, one behind the other: a block of the heap each would cost more than what is in it.
    bytes: Zeroizing<Box<[u8]>>,
    text: usize,
    holder: usize,
}

impl Entry {
    fn is(&self, purpose: Purpose, (text, holder): (&[u8], &[u8])) -> bool {
        // Its end tells apart what stands in one set. That it is right shows to whoever has guessed all 48 bits of it at once.
        if self.end != end(text) || self.purpose != purpose {
            return false;
        }
        let (known, rest) = self.bytes.split_at(self.text);
        rest[..self.holder] == *holder && constant_time_eq(known, text)
    }

    fn payload(&self) -> &[u8] {
        &self.bytes[self.text + self.holder..]
    }
}

impl Proved {
    /// The payload of `text`, which is for `holder`, where it lies, if it was opened before. Nothing is kept while it is held.
    pub(super) fn recall(&self, purpose: Purpose, text: (&[u8], &[u8])) -> Option<Ref<'_, [u8]>> {
        let entry = Ref::filter_map(self.entries.borrow(), |entries| {
            entries.sets[set(text.0)].iter().flatten().find(|entry| entry.is(purpose, text)).map(|entry| entry.payload())
        });
        entry.ok()
    }

    /// Remembers the payload of a text that was opened, and says where it lies now.
    pub(super) fn keep(&self, purpose: Purpose, (text, holder): (&[u8], &[u8]), payload: &[u8]) -> Option<Ref<'_, [u8]>> {
        let bytes = Zeroizing::new([text, holder, payload].concat().into_boxed_slice());
        let entry = Entry { purpose, end: end(text), bytes, text: text.len(), holder: holder.len() };
        let mut entries = self.entries.borrow_mut();
        let Entries { sets, turn } = &mut *entries;
        let set = &mut sets[set(text)];
        let way = set.iter().position(Option::is_none).unwrap_or(*turn % WAYS);
        set[way] = Some(Box::new(entry));
        *turn = turn.wrapping_add(1);
        drop(entries);
        self.recall(purpose, (text, holder))
    }
}

/// The end of a text, which is that of its HMAC.
fn end(text: &[u8]) -> u64 {
    text.last_chunk().map_or(0, |end| u64::from_le_bytes(*end))
}

/// Where a text stands: by its end, so that all sets are as likely.
fn set(text: &[u8]) -> usize {
    // Fibonacci hashing (Knuth 6.4): the upper bits depend on all of them.
    let upper = end(text).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 48;
    usize::try_from(upper).map_or(0, |upper| (upper * SETS) >> 16)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::array;

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
    fn where_all_is_full_a_new_text_takes_the_place_of_another_one() {
        let proved = Proved::default();
        let texts: Vec<_> = (0..10_000_u32).map(|number| format!("a payload and its HMAC {number:08x}")).collect();
        for text in &texts {
            assert!(proved.keep(Purpose::Access, (text.as_bytes(), b""), b"payload").is_some());
        }
        let known = |text: &&String| recalled(&proved, Purpose::Access, (text.as_bytes(), b"")).is_some();
        assert_eq!(texts.iter().filter(known).count(), limits::PROVED);
    }

    #[test]
    fn sixty_four_clients_are_not_in_each_others_way() {
        // Each has a token and a session; their ends are as if by chance.
        let mut random = 0x1234_5678_9abc_def1_u64;
        let mut pushed_out = 0;
        for _ in 0..100 {
            let proved = Proved::default();
            let texts: [_; 128] = array::from_fn(|_| {
                random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                format!("{:08x}", random >> 32)
            });
            for text in &texts {
                assert!(proved.keep(Purpose::Session, (text.as_bytes(), b""), b"").is_some());
            }
            pushed_out +=
                texts.iter().filter(|text| recalled(&proved, Purpose::Session, (text.as_bytes(), b"")).is_none()).count();
        }
        assert!(pushed_out * 20 < 100 * 128, "{pushed_out} of 12,800");
    }
}
