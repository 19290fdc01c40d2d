//! The proofs of the last texts that were opened. A client sends the same token and the same session with each call, and the
//! proof of a text under a key never changes; so it is compared with the one that was found before, and not computed anew.
//!
//! Nothing but the proof is remembered. What a text says is read and judged each time: when it ends, whether it was revoked,
//! who is still let in.

use super::Purpose;
use crate::limits;
use ring::hmac;
use subtle::ConstantTimeEq;
use zeroize::Zeroize;

/// The last proofs that held, of the purposes that come with each call.
#[derive(Default)]
pub(super) struct Proofs {
    proved: heapless::Vec<Proved, { limits::PROOFS }>,
    /// Which is forgotten next.
    oldest: usize,
}

/// A message, and its proof. Only who holds the key, or was given the text, has brought it about.
struct Proved {
    purpose: Purpose,
    message: heapless::Vec<u8, { limits::PROOF_BYTES }>,
    tag: [u8; 32],
}

impl Proofs {
    /// Whether `tag` is the proof of `message`, whose second byte names `key`.
    pub(super) fn prove(&mut self, purpose: Purpose, key: &hmac::Key, message: &[u8], tag: &[u8]) -> bool {
        // The message is no secret, and comparing it may take as long as it will. The proof is one.
        if let Some(proved) = self.proved.iter().find(|proved| proved.purpose == purpose && *proved.message == *message) {
            return proved.tag.ct_eq(tag).into();
        }
        let holds = hmac::verify(key, message, tag).is_ok();
        if holds && purpose.comes_with_each_call() {
            self.keep(purpose, message, tag);
        }
        holds
    }

    fn keep(&mut self, purpose: Purpose, message: &[u8], tag: &[u8]) {
        let (Ok(message), Ok(tag)) = (heapless::Vec::from_slice(message), tag.try_into()) else { return };
        let proved = Proved { purpose, message, tag };
        let Err(proved) = self.proved.push(proved) else { return };
        self.proved[self.oldest] = proved;
        self.oldest = (self.oldest + 1) % self.proved.len();
    }
}

impl Drop for Proved {
    fn drop(&mut self) {
        self.tag.zeroize();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(byte: u8) -> hmac::Key {
        hmac::Key::new(hmac::HMAC_SHA256, &[byte; 32])
    }

    fn tag(message: &[u8]) -> Vec<u8> {
        hmac::sign(&key(1), message).as_ref().to_vec()
    }

    #[test]
    fn a_proof_that_does_not_hold_never_comes_to_hold() {
        let mut proofs = Proofs::default();
        let (message, tag) = (b"message", tag(b"message"));
        let forged: Vec<Vec<u8>> = (0..tag.len() * 8)
            .map(|bit| {
                let mut forged = tag.clone();
                forged[bit / 8] ^= 1 << (bit % 8);
                forged
            })
            .chain([tag[..31].to_vec(), Vec::new(), [&tag[..], b"x"].concat()])
            .collect();
        for is_known in [false, true] {
            assert!(forged.iter().all(|forged| !proofs.prove(Purpose::Access, &key(1), message, forged)));
            assert_eq!(proofs.proved.len(), usize::from(is_known));
            assert!(proofs.prove(Purpose::Access, &key(1), message, &tag));
        }
    }

    #[test]
    fn a_proof_holds_for_its_own_purpose_and_message_alone() {
        let mut proofs = Proofs::default();
        assert!(proofs.prove(Purpose::Access, &key(1), b"message", &tag(b"message")));
        // Other purposes have other keys.
        assert!(!proofs.prove(Purpose::Session, &key(2), b"message", &tag(b"message")));
        assert!(!proofs.prove(Purpose::Access, &key(1), b"messagf", &tag(b"message")));
        assert!(!proofs.prove(Purpose::Access, &key(1), b"messag", &tag(b"message")));
    }

    #[test]
    fn what_comes_once_is_not_remembered() {
        let mut proofs = Proofs::default();
        for purpose in Purpose::ALL {
            assert!(proofs.prove(purpose, &key(1), b"message", &tag(b"message")));
        }
        assert_eq!(proofs.proved.len(), 2);
    }

    #[test]
    fn the_oldest_is_forgotten_when_there_are_too_many_and_what_is_long_is_not_kept() {
        let mut proofs = Proofs::default();
        for number in 0..3 * limits::PROOFS {
            let message = number.to_be_bytes();
            assert!(proofs.prove(Purpose::Access, &key(1), &message, &tag(&message)));
            assert!(proofs.proved.len() <= limits::PROOFS);
            assert!(proofs.proved.iter().any(|proved| *proved.message == message));
        }
        let kept = |number: usize| proofs.proved.iter().any(|proved| *proved.message == number.to_be_bytes());
        assert!((0..3 * limits::PROOFS).all(|number| kept(number) == (number >= 2 * limits::PROOFS)));
        let long = [7; limits::PROOF_BYTES + 1];
        assert!(proofs.prove(Purpose::Access, &key(1), &long, &tag(&long)));
        assert!(proofs.proved.iter().all(|proved| *proved.message != long));
    }
}
