//! Proof key for code exchange (RFC 7636): who began the sign-in must end it. S256 only, and for everybody.

use super::Error;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// The `code_challenge` of an authorization request: the SHA-256 of a verifier that only the client knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Challenge(pub(super) [u8; 32]);

impl Challenge {
    /// Takes `code_challenge` and `code_challenge_method`. Left out, the method would be `plain` (RFC 7636 4.3).
    pub(super) fn parse(challenge: Option<&str>, method: Option<&str>) -> Result<Self, Error> {
        if method != Some("S256") {
            return Err(Error::invalid_request("code_challenge_method must be S256."));
        }
        let challenge = challenge.ok_or(Error::invalid_request("code_challenge is missing."))?;
        let mut bytes = [0; 32];
        match URL_SAFE_NO_PAD.decode_slice(challenge, &mut bytes) {
            Ok(32) => Ok(Challenge(bytes)),
            _ => Err(Error::invalid_request("code_challenge must be 32 bytes in base64url, without padding.")),
        }
    }

    /// Whether `verifier` is the one. RFC 7636 4.1 and 4.6.
    ///
    /// Both sides of the comparison are hashes: what its duration could tell leads to no verifier.
    pub(super) fn is_met_by(self, verifier: &str) -> bool {
        let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
        (43..=128).contains(&verifier.len())
            && verifier.bytes().all(is_unreserved)
            && digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref() == self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7636, appendix B.
    const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
    const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

    fn challenge_of(verifier: &str) -> Challenge {
        Challenge(digest::digest(&digest::SHA256, verifier.as_bytes()).as_ref().try_into().unwrap())
    }

    #[test]
    fn only_s256_is_taken() {
        for method in [None, Some("plain"), Some("s256"), Some("S512"), Some("S256 ")] {
            assert!(Challenge::parse(Some(CHALLENGE), method).is_err(), "{method:?}");
        }
    }

    #[test]
    fn a_challenge_is_43_characters_of_base64url() {
        let [shorter, longer] = [&CHALLENGE[..42], &format!("{CHALLENGE}A")];
        let not_canonical = format!("{}N", &CHALLENGE[..42]);
        let plus = CHALLENGE.replace('-', "+");
        let padded = format!("{CHALLENGE}=");
        for challenge in [shorter, longer, &not_canonical, &plus, &padded, "", &"A".repeat(1 << 20)] {
            assert!(Challenge::parse(Some(challenge), Some("S256")).is_err(), "{challenge:.50}");
        }
        assert!(Challenge::parse(None, Some("S256")).is_err());
    }

    #[test]
    fn another_verifier_is_refused() {
        let challenge = Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap();
        assert!(!challenge.is_met_by(&VERIFIER.replace('d', "e")));
        assert!(!challenge.is_met_by(CHALLENGE));
        assert!(!challenge.is_met_by(""));
    }

    #[test]
    fn a_verifier_of_42_or_129_characters_is_refused_though_it_fits() {
        for (length, is_met) in [(42, false), (43, true), (128, true), (129, false)] {
            let verifier = "a".repeat(length);
            assert_eq!(challenge_of(&verifier).is_met_by(&verifier), is_met, "{length}");
        }
        let spaced = "a ".repeat(30);
        assert!(!challenge_of(&spaced).is_met_by(&spaced));
    }

    #[test]
    fn the_example_of_the_rfc_holds() {
        assert!(Challenge::parse(Some(CHALLENGE), Some("S256")).unwrap().is_met_by(VERIFIER));
        let with_all = "abcXYZ019-._~abcXYZ019-._~abcXYZ019-._~abcXYZ019-._~";
        assert!(challenge_of(with_all).is_met_by(with_all));
    }
}
