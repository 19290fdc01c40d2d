//! The wire form of a sealed text, and how it is opened.
//!
//! base64url without padding (RFC 4648 5) of: version, key id, payload, and the HMAC-SHA256 of these three.

use super::KeyRing;
use super::fields::Full;
use crate::limits;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;
use std::cell::Ref;
use std::fmt;
use std::ops::{Deref, Range};

/// Changes when a payload changes its shape: the old ones are then forged, and their holders sign in anew.
const VERSION: u8 = 1;
/// Version and key id.
const HEAD: usize = 2;
/// HMAC-SHA256, not truncated.
pub(super) const TAG: usize = 32;
/// What a token of [`limits::TOKEN_BYTES`] characters holds.
const BYTES: usize = limits::TOKEN_BYTES / 4 * 3;
/// What a text holds that is sealed for somebody.
const HELD_BYTES: usize = 192;
/// That, its holder, how long he is and the proof of it all.
const PROVED_BYTES: usize = HELD_BYTES + limits::HOLDER_BYTES + 2 + TAG;

/// What a sealed text is good for. Each purpose has a key of its own, so that none passes for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A client's registration, which is its `client_id` (RFC 7591 A.5.2).
    Client,
    /// An authorization code (RFC 6749 4.1.2).
    Code,
    /// An access token (RFC 6749 1.4).
    Access,
    /// A refresh token (RFC 6749 1.5).
    Refresh,
    /// The form of the sign-in page.
    SignIn,
    /// The form of the consent page; it proves that somebody signed in.
    Consent,
    /// What a device asks for its tokens with (RFC 8628 3.2).
    DeviceCode,
    /// The form of the page that asks for a device's code.
    CodePage,
    /// An MCP session id.
    Session,
    /// The answers that a client has given so far to the questions of a call (MCP 2026-07-28).
    RequestState,
    /// A sign-in to the page where people approve calls.
    Approver,
    /// The form with which one of them is approved.
    Plan,
}

impl Purpose {
    /// Every purpose, at the index of its own number.
    pub(crate) const ALL: [Purpose; 12] = [
        Purpose::Client,
        Purpose::Code,
        Purpose::Access,
        Purpose::Refresh,
        Purpose::SignIn,
        Purpose::Consent,
        Purpose::DeviceCode,
        Purpose::CodePage,
        Purpose::Session,
        Purpose::RequestState,
        Purpose::Approver,
        Purpose::Plan,
    ];

    /// The `info` of the derivation (RFC 5869 2.3). To change one is to disown all that it sealed.
    pub(super) fn label(self) -> &'static [u8] {
        match self {
            Purpose::Client => b"client",
            Purpose::Code => b"code",
            Purpose::Access => b"access",
            Purpose::Refresh => b"refresh",
            Purpose::SignIn => b"sign-in",
            Purpose::Consent => b"consent",
            Purpose::DeviceCode => b"device-code",
            Purpose::CodePage => b"code-page",
            Purpose::Session => b"session",
            Purpose::RequestState => b"request-state",
            Purpose::Approver => b"approver",
            Purpose::Plan => b"plan",
        }
    }
}

/// The text was not sealed here for this purpose. Which check failed is nobody's business.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Forged;

impl fmt::Display for Forged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("not sealed here")
    }
}

impl std::error::Error for Forged {}

/// A payload whose proof held. It lies in a buffer of `N` bytes and takes nothing from the heap.
pub struct Opened<const N: usize = BYTES> {
    bytes: [u8; N],
    end: usize,
}

impl<const N: usize> Deref for Opened<N> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes[HEAD..self.end]
    }
}

impl<const N: usize> fmt::Debug for Opened<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Opened({} bytes)", self.len())
    }
}

impl KeyRing {
    /// Seals `payload` with the current key.
    ///
    /// The same payload gives the same text, until the ring is rotated: refresh tokens count on it.
    pub fn seal(&self, purpose: Purpose, payload: &[u8]) -> String {
        let (id, key) = self.sealing(purpose);
        let mut bytes = Vec::with_capacity(HEAD + payload.len() + TAG);
        bytes.extend_from_slice(&[VERSION, id]);
        bytes.extend_from_slice(payload);
        let tag = hmac::sign(key, &bytes);
        bytes.extend_from_slice(tag.as_ref());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    /// Seals `payload` for `holder`, who must be named to open it, and is not named in the text.
    ///
    /// A purpose is sealed for somebody always or never.
    ///
    /// # Errors
    /// [`Full`] when one of them is too long.
    pub fn seal_for(&self, purpose: Purpose, payload: &[u8], holder: &[u8]) -> Result<String, Full> {
        let (id, key) = self.sealing(purpose);
        let mut bytes = Vec::with_capacity(HEAD + payload.len() + TAG);
        bytes.extend_from_slice(&[VERSION, id]);
        bytes.extend_from_slice(payload);
        let tag = hmac::sign(key, &held(&bytes, holder)?);
        bytes.extend_from_slice(tag.as_ref());
        Ok(URL_SAFE_NO_PAD.encode(bytes))
    }

    /// Opens a text that was sealed for `holder`.
    ///
    /// # Errors
    /// [`Forged`], whatever is wrong with it.
    pub fn open_for(&self, purpose: Purpose, text: &[u8], holder: &[u8]) -> Result<Opened<HELD_BYTES>, Forged> {
        let mut opened = Opened::empty();
        let tag = opened.decode(text)?;
        let mut message = held(&opened.bytes[..opened.end], holder).map_err(|_| Forged)?;
        message.extend_from_slice(&opened.bytes[tag]).map_err(|_| Forged)?;
        self.prove(message[1], purpose, &message)?;
        opened.check_version()?;
        Ok(opened)
    }

    /// Opens a token of at most [`limits::TOKEN_BYTES`] characters.
    ///
    /// # Errors
    /// [`Forged`], whatever is wrong with it.
    pub fn open(&self, purpose: Purpose, text: &[u8]) -> Result<Opened, Forged> {
        self.open_within(purpose, text)
    }

    /// Opens a text that holds at most `N` bytes, head and proof counted.
    ///
    /// # Errors
    /// [`Forged`], whatever is wrong with it.
    pub fn open_within<const N: usize>(&self, purpose: Purpose, text: &[u8]) -> Result<Opened<N>, Forged> {
        let mut opened = Opened::empty();
        let tag = opened.decode(text)?;
        self.prove(opened.bytes[1], purpose, &opened.bytes[..tag.end])?;
        opened.check_version()?;
        Ok(opened)
    }

    /// The payload of a token that comes with each request: what was opened before is compared with, and nothing of it copied.
    ///
    /// Let go of it before another one is looked at.
    ///
    /// # Errors
    /// [`Forged`], whatever is wrong with it.
    pub(crate) fn known(&self, purpose: Purpose, text: &[u8]) -> Result<Ref<'_, [u8]>, Forged> {
        match self.proved.recall(purpose, (text, b"")) {
            Some(payload) => Ok(payload),
            None => self.proved.keep(purpose, (text, b""), &self.open(purpose, text)?).ok_or(Forged),
        }
    }

    /// The same of a text that was sealed for `holder`.
    ///
    /// # Errors
    /// [`Forged`], whatever is wrong with it.
    pub(crate) fn known_for(&self, purpose: Purpose, text: &[u8], holder: &[u8]) -> Result<Ref<'_, [u8]>, Forged> {
        match self.proved.recall(purpose, (text, holder)) {
            Some(payload) => Ok(payload),
            None => self.proved.keep(purpose, (text, holder), &self.open_for(purpose, text, holder)?).ok_or(Forged),
        }
    }
}

impl<const N: usize> Opened<N> {
    /// Made in its place: each move copies all of its buffer.
    const fn empty() -> Self {
        Opened { bytes: [0; N], end: 0 }
    }

    /// Takes in what a text holds, unproved; where in it the proof is.
    fn decode(&mut self, text: &[u8]) -> Result<Range<usize>, Forged> {
        if text.len() > N / 3 * 4 {
            return Err(Forged);
        }
        // RFC 4648 3.5: no padding, and no bits behind the last byte, so that a token has one spelling only.
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut self.bytes).map_err(|_| Forged)?;
        self.end = length.checked_sub(TAG).filter(|end| *end >= HEAD).ok_or(Forged)?;
        Ok(self.end..length)
    }

    /// Whether what was proved is written as it is today.
    fn check_version(&self) -> Result<(), Forged> {
        if self.bytes[0] == VERSION { Ok(()) } else { Err(Forged) }
    }
}

/// What the proof of a text covers that is sealed for somebody. His length comes last: wherever one text ends and another
/// holder begins, the message is another one. There is room for the proof behind it.
fn held(bytes: &[u8], holder: &[u8]) -> Result<heapless::Vec<u8, PROVED_BYTES>, Full> {
    let length = u16::try_from(holder.len()).map_err(|_| Full)?;
    let mut message = heapless::Vec::new();
    for part in [bytes, holder, &length.to_be_bytes()] {
        message.extend_from_slice(part).map_err(|_| Full)?;
    }
    if message.len() + TAG > message.capacity() {
        return Err(Full);
    }
    Ok(message)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::testing::{ring, world};
    use crate::world::{Random, World};
    use std::cell::Cell;

    fn reseal(bytes: &[u8]) -> Vec<u8> {
        URL_SAFE_NO_PAD.encode(bytes).into_bytes()
    }

    #[test]
    fn a_flipped_bit_anywhere_is_refused() {
        let ring = ring();
        let text = ring.seal(Purpose::Access, b"payload");
        let bytes = URL_SAFE_NO_PAD.decode(&text).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ring.open(Purpose::Access, &reseal(&flipped)).unwrap_err(), Forged, "bit {bit}");
        }
        for bit in 0..text.len() * 8 {
            let mut flipped = text.clone().into_bytes();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(ring.open(Purpose::Access, &flipped).unwrap_err(), Forged, "bit {bit} of the text");
        }
    }

    #[test]
    fn a_token_cut_short_or_drawn_out_is_refused() {
        let ring = ring();
        let text = ring.seal(Purpose::Access, b"payload");
        for length in 0..text.len() {
            assert!(ring.open(Purpose::Access, &text.as_bytes()[..length]).is_err(), "{length}");
        }
        for tail in ["A", "AA", "AAAA", "=", "==", " ", "\n", "\0"] {
            assert!(ring.open(Purpose::Access, format!("{text}{tail}").as_bytes()).is_err(), "{tail:?}");
            assert!(ring.open(Purpose::Access, format!("{tail}{text}").as_bytes()).is_err(), "{tail:?}");
        }
    }

    #[test]
    fn a_token_has_one_spelling_only() {
        let ring = ring();
        // One and two bytes over a multiple of three: the last character has bits to spare.
        for payload in [&b"123"[..], b"1234"] {
            let text = ring.seal(Purpose::Access, payload);
            assert!(!text.len().is_multiple_of(4));
            let (head, last) = text.split_at(text.len() - 1);
            let others =
                "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".chars().filter(|c| !last.contains(*c));
            for other in others {
                assert!(ring.open(Purpose::Access, format!("{head}{other}").as_bytes()).is_err(), "{other}");
            }
        }
        let text = ring.seal(Purpose::Access, &[0xff; 30]);
        assert!(text.contains('_'));
        assert!(ring.open(Purpose::Access, text.replace('_', "/").as_bytes()).is_err());
    }

    #[test]
    fn no_purpose_passes_for_another() {
        let ring = ring();
        for sealed in Purpose::ALL {
            let text = ring.seal(sealed, b"payload");
            for opened in Purpose::ALL {
                assert_eq!(ring.open(opened, text.as_bytes()).is_ok(), sealed == opened, "{sealed:?} as {opened:?}");
            }
        }
    }

    #[test]
    fn what_is_sealed_for_somebody_opens_for_him_alone() {
        let ring = ring();
        let text = ring.seal_for(Purpose::Session, b"payload", b"ada").unwrap();
        assert_eq!(&*ring.open_for(Purpose::Session, text.as_bytes(), b"ada").unwrap(), b"payload");
        for other in [&b"bob"[..], b"", b"ad", b"adaa", b"dada"] {
            assert_eq!(ring.open_for(Purpose::Session, text.as_bytes(), other).unwrap_err(), Forged);
        }
        assert!(ring.open(Purpose::Session, text.as_bytes()).is_err());
        assert!(ring.open_for(Purpose::Access, text.as_bytes(), b"ada").is_err());
        // The end of the payload is not the beginning of the holder.
        let mut longer = URL_SAFE_NO_PAD.decode(&text).unwrap();
        longer.splice(HEAD + 7..HEAD + 7, *b"a");
        assert!(ring.open_for(Purpose::Session, &reseal(&longer), b"da").is_err());
        let long = [b'x'; limits::HOLDER_BYTES + HELD_BYTES];
        assert_eq!(ring.seal_for(Purpose::Session, b"payload", &long), Err(Full));
        assert!(ring.open_for(Purpose::Session, text.as_bytes(), &long).is_err());
    }

    #[test]
    fn a_proof_that_is_known_lets_nothing_else_through() {
        let ring = ring();
        let token = ring.seal(Purpose::Access, b"payload");
        let session = ring.seal_for(Purpose::Session, b"payload", b"ada").unwrap();
        for _ in 0..2 {
            assert_eq!(&*ring.known(Purpose::Access, token.as_bytes()).unwrap(), b"payload");
            assert_eq!(&*ring.known_for(Purpose::Session, session.as_bytes(), b"ada").unwrap(), b"payload");
        }
        assert!(ring.known(Purpose::Session, token.as_bytes()).is_err());
        assert!(ring.known(Purpose::Session, session.as_bytes()).is_err());
        assert!(ring.known_for(Purpose::Session, session.as_bytes(), b"bob").is_err());
        assert!(ring.known_for(Purpose::Access, token.as_bytes(), b"bob").is_err());
        let bytes = URL_SAFE_NO_PAD.decode(&token).unwrap();
        for bit in 0..bytes.len() * 8 {
            let mut flipped = bytes.clone();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(ring.known(Purpose::Access, &reseal(&flipped)).is_err(), "bit {bit}");
        }
        let other = KeyRing::generate(&World { random: &Dice(Cell::new(7)), ..world() });
        assert!(other.known(Purpose::Access, token.as_bytes()).is_err());
    }

    #[test]
    fn purposes_stand_at_their_own_number_and_have_a_label_of_their_own() {
        for (index, purpose) in Purpose::ALL.into_iter().enumerate() {
            assert_eq!(purpose as usize, index);
            assert_eq!(Purpose::ALL.iter().filter(|other| other.label() == purpose.label()).count(), 1);
        }
    }

    #[test]
    fn a_key_of_another_ring_or_another_id_is_refused() {
        let text = ring().seal(Purpose::Access, b"payload");
        let other = KeyRing::parse("perchd key ring 1\n0 1795392000 AQIDBAUGBwgJCgsMDQ4PEBESExQVFhcYGRobHB0eHyA\n").unwrap();
        assert!(other.open(Purpose::Access, text.as_bytes()).is_err());
        let same_key_other_id = KeyRing::parse(&ring().to_text().replace("\n0 ", "\n9 ")).unwrap();
        assert!(same_key_other_id.open(Purpose::Access, text.as_bytes()).is_err());
    }

    #[test]
    fn another_version_is_refused_though_its_proof_holds() {
        let ring = ring();
        let (id, key) = ring.sealing(Purpose::Access);
        let mut bytes = vec![VERSION + 1, id, b'x'];
        bytes.extend_from_slice(hmac::sign(key, &bytes).as_ref());
        assert!(ring.open(Purpose::Access, &reseal(&bytes)).is_err());
    }

    #[test]
    fn what_is_longer_than_its_bound_is_refused_before_it_is_read() {
        let ring = ring();
        let fits = ring.seal(Purpose::Access, &[7; BYTES - HEAD - TAG]);
        assert_eq!(fits.len(), limits::TOKEN_BYTES);
        assert!(ring.open(Purpose::Access, fits.as_bytes()).is_ok());
        let longer = ring.seal(Purpose::Access, &[7; BYTES - HEAD - TAG + 1]);
        assert!(ring.open(Purpose::Access, longer.as_bytes()).is_err());
        assert!(ring.open_within::<{ BYTES + 3 }>(Purpose::Access, longer.as_bytes()).is_ok());
        assert!(ring.open(Purpose::Access, &vec![b'A'; 1 << 20]).is_err());
    }

    /// Numbers as if they were random, the same ones each time (xorshift64*).
    struct Dice(Cell<u64>);

    impl Dice {
        fn below(&self, bound: usize) -> usize {
            let mut next = self.0.get();
            next ^= next >> 12;
            next ^= next << 25;
            next ^= next >> 27;
            self.0.set(next);
            usize::try_from(next.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33).unwrap() % bound
        }
    }

    impl Random for Dice {
        fn fill(&self, bytes: &mut [u8]) {
            bytes.fill_with(|| u8::try_from(self.below(256)).unwrap());
        }
    }

    #[test]
    fn what_is_sealed_opens_as_it_was_whatever_payload_purpose_and_key() {
        let dice = Dice(Cell::new(0x1234_5678_9abc_def1));
        let world = World { random: &dice, ..world() };
        for _ in 0..200 {
            let (ring, stranger) = (KeyRing::generate(&world), KeyRing::generate(&world));
            let rotated = ring.rotated(&world);
            for purpose in Purpose::ALL {
                let mut payload = vec![0; dice.below(BYTES - HEAD - TAG + 1)];
                dice.fill(&mut payload);
                let text = ring.seal(purpose, &payload);
                for keys in [&ring, &rotated] {
                    assert_eq!(&*keys.open(purpose, text.as_bytes()).unwrap(), &*payload, "{purpose:?} {text}");
                }
                assert!(stranger.open(purpose, text.as_bytes()).is_err());
                let mut broken = text.clone().into_bytes();
                broken[dice.below(text.len())] ^= 1 << dice.below(8);
                assert!(ring.open(purpose, &broken).is_err(), "{purpose:?} {text}");
                assert!(ring.open(Purpose::ALL[(purpose as usize + 1 + dice.below(9)) % 10], text.as_bytes()).is_err());
            }
        }
    }

    #[test]
    fn an_empty_payload_is_a_payload() {
        let text = ring().seal(Purpose::Session, b"");
        assert_eq!(&*ring().open(Purpose::Session, text.as_bytes()).unwrap(), b"");
    }
}
