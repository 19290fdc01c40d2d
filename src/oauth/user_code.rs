//! The code that a person carries from a device to a browser (RFC 8628 6.1).

use crate::world::World;
use std::fmt;

/// RFC 8628 6.1: no vowels, so that there are no words, and nothing that looks or sounds like something else. Eight of
/// twenty letters make 2.5 * 10^10 codes.
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";
/// The largest multiple of their number that a byte holds: what lies beyond would favour some letters.
const FAIR: u8 = 240;
const LENGTH: usize = 8;

/// Such a code.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct UserCode(pub(super) [u8; LENGTH]);

impl UserCode {
    /// One that nobody can guess.
    pub(super) fn new(world: &World<'_>) -> Self {
        let mut letters = heapless::Vec::<u8, LENGTH>::new();
        while !letters.is_full() {
            let fair = world.bytes::<16>().into_iter().filter(|byte| *byte < FAIR);
            letters.extend(fair.take(LENGTH - letters.len()).map(|byte| LETTERS[usize::from(byte) % LETTERS.len()]));
        }
        let mut code = [0; LENGTH];
        code.copy_from_slice(&letters);
        UserCode(code)
    }

    /// What a person typed: in upper or lower case, with or without whatever stands between the letters.
    pub(super) fn parse(typed: &str) -> Option<Self> {
        let mut letters = heapless::Vec::<u8, LENGTH>::new();
        for byte in typed.bytes().filter(|byte| !matches!(byte, b'-' | b' ' | b'.' | b'_')) {
            letters.push(byte.to_ascii_uppercase()).ok()?;
        }
        let code = letters.into_array().ok()?;
        UserCode::known(code)
    }

    /// Out of a payload.
    pub(super) fn known(code: [u8; LENGTH]) -> Option<Self> {
        code.iter().all(|letter| LETTERS.contains(letter)).then_some(UserCode(code))
    }
}

/// As it is shown: four letters and four.
impl fmt::Display for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, letter) in self.0.iter().enumerate() {
            let between = if index == LENGTH / 2 { "-" } else { "" };
            write!(f, "{between}{}", char::from(*letter))?;
        }
        Ok(())
    }
}

/// It is a secret for as long as it is good.
impl fmt::Debug for UserCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("UserCode")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::Bench;

    #[test]
    fn what_is_no_code_is_none() {
        for typed in ["", "BCDF", "BCDFGHJ", "BCDFGHJKL", "BCDF-GHJA", "BCDF-GHJ1", "BCDF/GHJK", "ВCDFGHJK", "BCDF-GHJ\n"] {
            assert_eq!(UserCode::parse(typed), None, "{typed:?}");
        }
        assert_eq!(UserCode::parse(&"B".repeat(1 << 20)), None);
    }

    #[test]
    fn a_code_may_be_typed_in_any_way() {
        let code = UserCode(*b"BCDFGHJK");
        assert_eq!(code.to_string(), "BCDF-GHJK");
        for typed in ["BCDF-GHJK", "bcdfghjk", " BCDF GHJK ", "b-c-d-f.ghjk", "BCDFGHJK-"] {
            assert_eq!(UserCode::parse(typed), Some(code), "{typed:?}");
        }
        assert_eq!(format!("{code:?}"), "UserCode");
    }

    #[test]
    fn codes_differ_and_take_every_letter() {
        let bench = Bench::new();
        let codes: Vec<_> = (0..200).map(|_| UserCode::new(&bench.world())).collect();
        assert!(codes.windows(2).all(|two| two[0] != two[1]));
        for letter in LETTERS {
            assert!(codes.iter().any(|code| code.0.contains(letter)), "{letter}");
        }
        assert!(codes.iter().all(|code| UserCode::parse(&code.to_string()) == Some(*code)));
    }
}
