//! Passwords, of which only hashes are kept (RFC 8018 5.2; the PHC string format).

use crate::limits;
use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use ring::pbkdf2;
use std::num::NonZeroU32;
use std::time::Duration;

const HASH_BYTES: usize = 32;

/// A hash of a password: `$pbkdf2-sha256$i=600000$salt$hash`, salt and hash in base64 without padding.
#[derive(Clone, PartialEq, Eq)]
pub struct Phc {
    iterations: NonZeroU32,
    salt: heapless::Vec<u8, { limits::SALT_BYTES }>,
    hash: [u8; HASH_BYTES],
}

impl Phc {
    /// Reads what [`Phc::to_text`] wrote.
    ///
    /// # Errors
    /// What is wrong with it, and what to do. It is not repeated: even a damaged hash is nobody's business.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        const SHAPE: &str = "this is not the hash of a password: perchd passwd NAME asks for one and prints the line";
        let fields = text.strip_prefix("$pbkdf2-sha256$i=").ok_or(SHAPE)?;
        let mut fields = fields.split('$');
        let (iterations, salt, hash) = (fields.next(), fields.next(), fields.next());
        let (Some(iterations), Some(salt), Some(hash), None) = (iterations, salt, hash, fields.next()) else {
            return Err(SHAPE);
        };
        // Others say how long the hash is.
        let iterations = iterations.strip_suffix(",l=32").unwrap_or(iterations);
        let is_number = iterations.bytes().all(|byte| byte.is_ascii_digit()) && !iterations.starts_with('0');
        let iterations = iterations.parse::<NonZeroU32>().ok().filter(|_| is_number).ok_or(SHAPE)?;
        let salt = STANDARD_NO_PAD.decode(salt).ok().and_then(|salt| heapless::Vec::from_slice(&salt).ok()).ok_or(SHAPE)?;
        let hash = STANDARD_NO_PAD.decode(hash).ok().and_then(|hash| hash.try_into().ok()).ok_or(SHAPE)?;
        match iterations.get() {
            limits::PASSWORD_ITERATIONS_MIN..=limits::PASSWORD_ITERATIONS_MAX if salt.len() >= 8 => {
                Ok(Phc { iterations, salt, hash })
            }
            _ if salt.len() < 8 => Err("the salt of this hash is too short: perchd passwd NAME makes a good one"),
            ..limits::PASSWORD_ITERATIONS_MIN => {
                Err("this hash has fewer than 100000 iterations, so that guessing is cheap: perchd passwd NAME makes a good one")
            }
            _ => Err(
                "this hash has more than 10000000 iterations, so that a sign-in takes too long: perchd passwd NAME makes a good one",
            ),
        }
    }

    /// The hash of a password. `salt` is random; what is too little or too much for `iterations` is mended.
    pub fn make(password: &str, iterations: u32, salt: [u8; 16]) -> Self {
        let iterations = iterations.clamp(limits::PASSWORD_ITERATIONS_MIN, limits::PASSWORD_ITERATIONS_MAX);
        let iterations = NonZeroU32::new(iterations).unwrap_or(NonZeroU32::MIN);
        let mut hash = [0; HASH_BYTES];
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, iterations, &salt, password.as_bytes(), &mut hash);
        Phc { iterations, salt: salt.into_iter().collect(), hash }
    }

    /// As it stands in the configuration.
    pub fn to_text(&self) -> String {
        let [salt, hash] = [&self.salt[..], &self.hash].map(|bytes| STANDARD_NO_PAD.encode(bytes));
        format!("$pbkdf2-sha256$i={}${salt}${hash}", self.iterations)
    }

    /// How many iterations take about [`limits::PASSWORD_MS`] where `iterations` take as long as they `took`.
    pub fn calibrated(iterations: u32, took: Duration) -> u32 {
        let wanted = u128::from(iterations) * u128::from(limits::PASSWORD_MS) * 1000 / took.as_micros().max(1);
        let rounded = u32::try_from(wanted / 1000 * 1000).unwrap_or(u32::MAX);
        rounded.clamp(limits::PASSWORD_ITERATIONS_MIN, limits::PASSWORD_ITERATIONS_MAX)
    }

    /// A hash of nobody's password that costs as much as one of so many iterations.
    fn of_nobody(iterations: NonZeroU32) -> Self {
        Phc { iterations, salt: std::iter::repeat_n(0, 16).collect(), hash: [0; HASH_BYTES] }
    }
}

impl std::fmt::Debug for Phc {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Phc")
    }
}

/// What is to be done with a password. Whether there is such a user or not, it is the same work.
#[derive(Debug)]
pub(super) struct Check {
    phc: Phc,
    is_somebody: bool,
    /// Iterations that others need and this one does not.
    rest: Option<NonZeroU32>,
}

impl Check {
    /// A check against the hash of a user, where there is one, that costs as much as the costliest of all.
    pub(super) fn new(user: Option<&Phc>, all: impl Iterator<Item = u32>) -> Self {
        let cost = all.fold(limits::PASSWORD_ITERATIONS_MIN, u32::max);
        let cost = NonZeroU32::new(cost).unwrap_or(NonZeroU32::MIN);
        let is_somebody = user.is_some();
        let phc = user.cloned().unwrap_or_else(|| Phc::of_nobody(cost));
        let rest = NonZeroU32::new(cost.get().saturating_sub(phc.iterations.get()));
        Check { phc, is_somebody, rest }
    }

    /// Whether it is the password. This is slow, on purpose.
    pub(super) fn passes(&self, password: &str) -> bool {
        let Phc { iterations, salt, hash } = &self.phc;
        // `verify` compares in constant time.
        let is_met = pbkdf2::verify(pbkdf2::PBKDF2_HMAC_SHA256, *iterations, salt, password.as_bytes(), hash).is_ok();
        if let Some(rest) = self.rest {
            pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rest, salt, password.as_bytes(), &mut [0; HASH_BYTES]);
        }
        is_met && self.is_somebody
    }

    /// How many iterations it takes altogether.
    #[cfg(test)]
    pub(super) fn cost(&self) -> u32 {
        self.phc.iterations.get() + self.rest.map_or(0, NonZeroU32::get)
    }
}

impl Phc {
    /// How much work it is to check it.
    pub(super) fn iterations(&self) -> u32 {
        self.iterations.get()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made by another implementation: Python's `hashlib.pbkdf2_hmac("sha256", b"correct horse", b"saltsaltsaltsalt", 100000)`.
    const TEXT: &str = "$pbkdf2-sha256$i=100000$c2FsdHNhbHRzYWx0c2FsdA$KrknpOxgyY+SfnUNJ728j3mLPGzlOZ2k28ROG3/DgyU";

    fn passes(phc: &Phc, password: &str) -> bool {
        Check::new(Some(phc), std::iter::once(phc.iterations())).passes(password)
    }

    #[test]
    fn a_hash_that_is_none_is_refused() {
        let good = TEXT;
        assert!(Phc::parse(good).is_ok());
        for bad in [
            "",
            "correct horse",
            "$pbkdf2-sha256$",
            &good[1..],
            &good[..good.len() - 1],
            &format!("{good}="),
            &format!("{good}$"),
            &format!(" {good}"),
            &good.replace("sha256", "sha512"),
            &good.replace("i=", ""),
            &good.replace("i=100000", "i=+100000"),
            &good.replace("i=100000", "i=0100000"),
            &good.replace("i=100000", "i=0"),
            &good.replace("i=100000", "i=-1"),
            &good.replace("i=100000", "i=99999999999"),
            &good.replace("i=100000", "i=100000,l=64"),
            &good.replace("c2FsdHNhbHRzYWx0c2FsdA", ""),
            &good.replace("c2FsdHNhbHRzYWx0c2FsdA", "c2FsdA"),
            &good.replace("c2FsdHNhbHRzYWx0c2FsdA", &"A".repeat(68)),
            &good.replace("c2FsdHNhbHRzYWx0c2FsdA", "c2FsdHNhbHRzYWx0c2FsdB"),
            "$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        ] {
            assert!(Phc::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn too_few_iterations_are_refused_with_what_to_do() {
        let fault = Phc::parse(&TEXT.replace("i=100000", "i=99999")).unwrap_err();
        assert!(fault.contains("fewer than 100000") && fault.contains("perchd passwd"), "{fault}");
        assert!(Phc::parse(&TEXT.replace("i=100000", "i=10000001")).unwrap_err().contains("more than 10000000"));
        assert_eq!((limits::PASSWORD_ITERATIONS_MIN, limits::PASSWORD_ITERATIONS_MAX), (100_000, 10_000_000));
    }

    #[test]
    fn only_the_password_passes() {
        let phc = Phc::parse(TEXT).unwrap();
        for wrong in ["", "correct", "correct horse ", "Correct horse", TEXT] {
            assert!(!passes(&phc, wrong), "{wrong}");
        }
        assert!(passes(&phc, "correct horse"));
        assert!(passes(&Phc::parse(&TEXT.replace("i=100000", "i=100000,l=32")).unwrap(), "correct horse"));
    }

    #[test]
    fn a_hash_that_was_made_is_read_again() {
        let phc = Phc::make("pässword $", 0, [7; 16]);
        let text = phc.to_text();
        assert!(text.starts_with("$pbkdf2-sha256$i=100000$BwcHBwcHBwcHBwcHBwcHBw$"), "{text}");
        let phc = Phc::parse(&text).unwrap();
        assert!(passes(&phc, "pässword $") && !passes(&phc, "password $"));
        assert_ne!(text, Phc::make("pässword $", 0, [8; 16]).to_text());
    }

    #[test]
    fn nobody_has_a_password_and_costs_as_much_as_anybody() {
        let phc = Phc::parse(TEXT).unwrap();
        let all = || [100_000, 150_000].into_iter();
        let (known, unknown) = (Check::new(Some(&phc), all()), Check::new(None, all()));
        assert_eq!((known.cost(), unknown.cost()), (150_000, 150_000));
        assert_eq!(Check::new(None, std::iter::empty()).cost(), limits::PASSWORD_ITERATIONS_MIN);
        assert!(known.passes("correct horse") && !known.passes("x") && !unknown.passes("correct horse"));
    }

    #[test]
    fn a_board_takes_about_as_long_as_it_should() {
        let calibrated = |iterations, ms| Phc::calibrated(iterations, Duration::from_millis(ms));
        assert_eq!(calibrated(100_000, 50), 600_000);
        assert_eq!(calibrated(100_000, 47), 638_000);
        assert_eq!(calibrated(100_000, 1200), limits::PASSWORD_ITERATIONS_MIN);
        assert_eq!(calibrated(100_000, 0), limits::PASSWORD_ITERATIONS_MAX);
        assert_eq!(calibrated(0, 1), limits::PASSWORD_ITERATIONS_MIN);
        assert_eq!(calibrated(u32::MAX, u64::MAX), limits::PASSWORD_ITERATIONS_MIN);
    }

    #[test]
    fn a_hash_shows_nothing() {
        assert_eq!(format!("{:?}", Phc::parse(TEXT).unwrap()), "Phc");
    }
}
