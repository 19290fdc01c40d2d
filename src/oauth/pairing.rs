//! Short codes that the owner reads from the board's terminal: who has one is let in once, for a few minutes.

use super::{Authority, Error, Mode, User};
use crate::audit::Event;
use crate::limits;
use crate::principal::Scopes;
use crate::world::{Now, World};
use heapless::Vec;
use ring::hmac;
use zeroize::Zeroizing;

/// What a code is written with: nothing that looks like something else (no I, O, 0 or 1), and 32 of them.
const ALPHABET: &[u8; 32] = b"ABCDEFGHJKLMNPQRSTUVWXYZ23456789";
const LENGTH: usize = 8;

/// A code, as it is compared: eight characters of the alphabet.
type Code = Zeroizing<[u8; LENGTH]>;

/// A code for whoever stands at the board.
pub struct Pairing {
    /// What to type, shown as `XXXX-XXXX`.
    pub code: String,
    /// For how long it is good.
    pub secs: u64,
}

impl std::fmt::Debug for Pairing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Pairing").field("secs", &self.secs).finish_non_exhaustive()
    }
}

/// Who comes in with a code, and what he may allow at most.
#[derive(Debug)]
pub(super) struct Paired {
    pub(super) subject: String,
    pub(super) scopes: Option<Scopes>,
}

/// The codes that are good, the oldest first.
#[derive(Debug, Default)]
pub(super) struct Pairings(Vec<Offer, { limits::PAIRINGS }>);

/// A code that is good. Not it itself is kept, but what it is known by.
struct Offer {
    key: hmac::Key,
    tag: hmac::Tag,
    until_ms: u64,
    /// Codes that were tried since, and were none.
    wrong: u8,
    paired: Paired,
}

impl std::fmt::Debug for Offer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Offer").field("paired", &self.paired).finish_non_exhaustive()
    }
}

impl Pairings {
    fn add(&mut self, world: &World<'_>, code: &Code, paired: Paired) {
        self.0.retain(|offer| offer.until_ms > world.now.uptime_ms);
        if self.0.is_full() {
            self.0.remove(0);
        }
        let key = hmac::Key::new(hmac::HMAC_SHA256, &world.bytes::<32>());
        let tag = hmac::sign(&key, &**code);
        let until_ms = world.now.uptime_ms + limits::PAIRING_SECS * 1000;
        let _ = self.0.push(Offer { key, tag, until_ms, wrong: 0, paired });
    }

    /// Takes a code, which is then no longer good. Nor is one after too many wrong ones: somebody guesses.
    fn take(&mut self, now: Now, code: &Code) -> Option<Paired> {
        self.0.retain(|offer| offer.until_ms > now.uptime_ms);
        let is_it = |offer: &Offer| hmac::verify(&offer.key, &**code, offer.tag.as_ref()).is_ok();
        if let Some(index) = self.0.iter().position(is_it) {
            return Some(self.0.remove(index).paired);
        }
        self.0.iter_mut().for_each(|offer| offer.wrong += 1);
        self.0.retain(|offer| offer.wrong < limits::PAIRING_TRIES);
        None
    }
}

/// A code as somebody typed it: capitals or not, with or without the hyphen.
fn read(text: &str) -> Option<Code> {
    let mut code = Code::default();
    let mut length = 0;
    for byte in text.bytes().filter(|byte| !matches!(byte, b'-' | b' ' | b'\t')) {
        let byte = byte.to_ascii_uppercase();
        *code.get_mut(length).filter(|_| ALPHABET.contains(&byte))? = byte;
        length += 1;
    }
    (length == LENGTH).then_some(code)
}

impl Authority {
    /// Makes a code with which somebody may sign in once, as `subject`, and allow a client `scopes` at most. It is the
    /// owner who asks for it: it is to be shown to nobody else.
    ///
    /// # Errors
    /// When nobody can sign in with a code here, or be called so; the description says which.
    pub fn pair(&self, world: &World<'_>, subject: &str, scopes: Option<Scopes>) -> Result<Pairing, Error> {
        if !matches!(self.settings().mode, Mode::Own { pairing: true, .. }) {
            return Err(Error::invalid_request("Nobody pairs with this server: its [auth] mode is not \"pairing\"."));
        }
        if !User::is_name(subject) {
            return Err(Error::invalid_request("This is no name for somebody who signs in."));
        }
        let mut code = Code::new(world.bytes());
        code.iter_mut().for_each(|byte| *byte = ALPHABET[usize::from(*byte % 32)]);
        let paired = Paired { subject: subject.to_owned(), scopes };
        self.pairings.borrow_mut().add(world, &code, paired);
        world.audit.record(&Event::PairingOffered { subject });
        let (first, last) = code.split_at(LENGTH / 2);
        let [first, last] = [first, last].map(String::from_utf8_lossy);
        Ok(Pairing { code: format!("{first}-{last}"), secs: limits::PAIRING_SECS })
    }

    /// Who comes in with what was typed, if anybody does; or what to tell him, and what to tell the owner.
    pub(super) fn paired(&self, world: &World<'_>, typed: &str) -> Result<Paired, (&'static str, &'static str)> {
        let code = read(typed).ok_or(("A pairing code has eight letters and digits, such as ABCD-2345.", "no pairing code"))?;
        let paired = self.pairings.borrow_mut().take(world.now, &code);
        paired.ok_or((
            "This pairing code is wrong, was used before, or is too old. Ask the board for a new one.",
            "wrong pairing code",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, HERE};
    use crate::oauth::{Endpoint, Source, Step};

    fn pair(bench: &Bench, subject: &str) -> String {
        bench.authority.pair(&bench.world(), subject, None).unwrap().code
    }

    /// Sends a code from a fresh page, from an address that nobody holds anything against.
    fn send(bench: &Bench, code: &str) -> Step {
        thread_local!(static NEXT: std::cell::Cell<u128> = const { std::cell::Cell::new(0) });
        NEXT.set(NEXT.get() + 1);
        let page = bench.sign_in_page();
        bench.send(&page, &[("action", "pair"), ("code", code)], Some(&page.cookie), Source::new(NEXT.get().to_be_bytes()))
    }

    fn is_in(step: &Step) -> bool {
        matches!(step, Step::Consent(_))
    }

    /// Another code of the right shape.
    fn other(code: &str) -> String {
        let last = if code.ends_with('A') { "B" } else { "A" };
        format!("{}{last}", &code[..code.len() - 1])
    }

    #[test]
    fn a_wrong_code_or_none_is_refused_with_what_to_do() {
        let bench = Bench::own(false, true);
        assert!(matches!(send(&bench, "ABCD-2345"), Step::SignIn(page) if page.message.unwrap().contains("Ask the board")));
        let code = pair(&bench, "owner");
        for wrong in ["", "ABCD", &code[1..], &format!("{code}A"), "ABCD-EFG0", "ABCD-EFG1", "ÄBCD-EFGH", "ABCD_EFGH"] {
            assert!(
                matches!(send(&bench, wrong), Step::SignIn(page) if page.message.unwrap().contains("eight letters")),
                "{wrong}"
            );
        }
        assert!(matches!(send(&bench, &other(&code)), Step::SignIn(_)));
        assert!(bench.audit.has("wrong pairing code") && !bench.audit.has(&code[..4]));
        assert!(is_in(&send(&bench, &code)));
    }

    #[test]
    fn a_code_is_good_once() {
        let bench = Bench::own(false, true);
        let code = pair(&bench, "owner");
        assert!(is_in(&send(&bench, &code)) && !is_in(&send(&bench, &code)));
    }

    #[test]
    fn a_code_lasts_five_minutes_whatever_the_clock_does() {
        let mut bench = Bench::own(false, true);
        let (code, late) = (pair(&bench, "owner"), pair(&bench, "owner"));
        bench.pass(limits::PAIRING_SECS - 1);
        bench.step(40 * 24 * 3600);
        assert!(is_in(&send(&bench, &code)));
        bench.step(-80 * 24 * 3600);
        bench.pass(1);
        assert!(!is_in(&send(&bench, &late)));
        let code = pair(&bench, "owner");
        bench.restart();
        assert!(!is_in(&send(&bench, &code)), "nor does it outlast the boot");
    }

    #[test]
    fn a_code_too_many_takes_the_place_of_the_oldest() {
        let bench = Bench::own(false, true);
        let codes: std::vec::Vec<_> = (0..=limits::PAIRINGS).map(|n| pair(&bench, &format!("user-{n}"))).collect();
        assert!(!is_in(&send(&bench, &codes[0])));
        for (n, code) in codes.iter().enumerate().skip(1) {
            assert!(matches!(send(&bench, code), Step::Consent(page) if page.subject == Some(format!("user-{n}"))), "{n}");
        }
    }

    #[test]
    fn a_code_dies_when_somebody_guesses_from_wherever_he_does() {
        let mut bench = Bench::own(false, true);
        let (code, spare) = (pair(&bench, "owner"), pair(&bench, "owner"));
        for n in 1..limits::PAIRING_TRIES {
            assert!(!is_in(&send(&bench, &other(&code))), "{n}");
            bench.pass(limits::CODE_TRIES_ALL.1);
        }
        assert!(is_in(&send(&bench, &spare)));
        let fresh = pair(&bench, "owner");
        assert!(!is_in(&send(&bench, &other(&code))));
        bench.pass(60);
        assert!(!is_in(&send(&bench, &code)), "the last of the tries was one too many");
        assert!(is_in(&send(&bench, &fresh)), "a code that was made since has tries of its own");
    }

    #[test]
    fn who_guesses_codes_waits() {
        let mut bench = Bench::own(true, true);
        let code = pair(&bench, "owner");
        let page = bench.sign_in_page();
        let send =
            |bench: &Bench, code: &str, from| bench.send(&page, &[("action", "pair"), ("code", code)], Some(&page.cookie), from);
        for _ in 0..limits::CODE_TRIES.0 {
            assert!(matches!(send(&bench, "ABCD-2345", HERE), Step::SignIn(_)));
        }
        let Step::SignIn(again) = send(&bench, &code, HERE) else { panic!() };
        let error = again.error.unwrap();
        assert_eq!((error.status(), error.retry_secs()), (429, Some(limits::CODE_TRIES.1)));
        bench.pass(limits::CODE_TRIES.1);
        assert!(is_in(&send(&bench, &code, HERE)));
    }

    #[test]
    fn a_code_is_read_as_people_write_it() {
        let bench = Bench::own(false, true);
        for write in [
            |code: &str| code.to_owned(),
            |code: &str| code.to_lowercase(),
            |code: &str| code.replace('-', ""),
            |code: &str| code.replace('-', " "),
            |code: &str| format!(" {} ", code.replace('-', " - ")),
        ] {
            let code = pair(&bench, "owner");
            assert!(is_in(&send(&bench, &write(&code))), "{}", write(&code));
        }
    }

    #[test]
    fn a_code_is_eight_characters_that_nobody_mistakes() {
        let bench = Bench::own(false, true);
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..200 {
            let pairing = bench.authority.pair(&bench.world(), "owner", None).unwrap();
            assert_eq!((pairing.code.len(), &pairing.code[4..5], pairing.secs), (9, "-", 300));
            seen.extend(pairing.code.chars());
        }
        seen.remove(&'-');
        assert!(seen.iter().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit()) && "IO01".chars().all(|c| !seen.contains(&c)));
        assert_eq!(seen.len(), 32);
    }

    #[test]
    fn a_code_can_be_for_a_few_scopes() {
        let bench = Bench::own(true, true);
        for (subject, scopes, granted) in
            [("guest", Some("math"), "math"), ("guest", None, "math system:read gpio:write"), ("bob", None, "math")]
        {
            let scopes = scopes.map(|scopes| Scopes::parse(scopes, |_| true));
            let code = bench.authority.pair(&bench.world(), subject, scopes).unwrap().code;
            let tokens = bench.tokens_by(&[("action", "pair"), ("code", &code)]);
            assert_eq!(tokens["scope"], granted, "{subject}");
            assert!(bench.bearer(tokens["access_token"].as_str().unwrap(), Endpoint::Mcp).is_ok());
        }
        assert!(bench.audit.has("way: \"pairing\"") && bench.audit.has("PairingOffered { subject: \"guest\" }"));
    }

    #[test]
    fn nobody_pairs_where_the_owner_does_not_want_it() {
        for bench in [Bench::new, Bench::open, || Bench::own(true, false)] {
            let bench = bench();
            assert!(bench.authority.pair(&bench.world(), "owner", None).is_err());
        }
        let bench = Bench::own(true, false);
        assert!(matches!(send(&bench, "ABCD-2345"), Step::SignIn(page) if page.message.unwrap().contains("password")));
        let bench = Bench::own(false, true);
        for name in ["", " ", "a\nb", &"x".repeat(limits::SUBJECT_BYTES + 1)] {
            assert!(bench.authority.pair(&bench.world(), name, None).is_err(), "{name:?}");
        }
        // And where there is no user, no password is looked at.
        let page = bench.sign_in_page();
        let fields = [("action", "sign_in"), ("email", "anna"), ("password", "anna-secret")];
        assert!(!is_in(&bench.send(&page, &fields, Some(&page.cookie), HERE)));
    }

    #[test]
    fn a_code_is_not_shown_by_accident() {
        let bench = Bench::own(false, true);
        let pairing = bench.authority.pair(&bench.world(), "owner", None).unwrap();
        let told = format!("{pairing:?} {:?}", bench.authority);
        assert!(!told.contains(&pairing.code) && !told.contains(&pairing.code.replace('-', "")), "{told}");
    }
}
