//! Who is calling: which user, through which client, with which scopes.

use crate::limits;
use heapless::String as Bounded;
use std::str;

/// Scope names separated by single spaces (RFC 6749 3.3), in the order in which they were granted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scopes(Bounded<{ limits::SCOPES_BYTES }>);

impl Scopes {
    /// No scope at all.
    pub const fn none() -> Self {
        Scopes(Bounded::new())
    }

    /// The scopes that are named in `text` and that `is_known` knows, each once.
    ///
    /// Unknown ones are left out, not refused: clients ask for `openid email profile` when they know nothing better.
    pub fn parse(text: &str, is_known: impl Fn(&str) -> bool) -> Self {
        let mut scopes = Scopes::none();
        for name in text.split(' ').filter(|name| is_known(name)) {
            scopes.insert(name);
        }
        scopes
    }

    /// The scopes that a sealed text holds, which were written by [`Scopes::as_str`].
    pub(crate) fn sealed(text: &str) -> Self {
        // What is too long was not written by us.
        Scopes(Bounded::try_from(text).unwrap_or_default())
    }

    /// Adds a scope. One that is there already, or has no room any more, changes nothing.
    pub fn insert(&mut self, name: &str) {
        let is_token = !name.is_empty() && name.bytes().all(|b| matches!(b, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if !is_token || self.contains(name) || self.0.len() + 1 + name.len() > self.0.capacity() {
            return;
        }
        if !self.0.is_empty() {
            let _ = self.0.push(' ');
        }
        let _ = self.0.push_str(name);
    }

    /// Whether `name` is among them.
    pub fn contains(&self, name: &str) -> bool {
        !name.is_empty() && self.0.as_bytes().split(|byte| *byte == b' ').any(|scope| scope == name.as_bytes())
    }

    /// Those that are in both, in the order of `self`.
    pub fn intersection(&self, other: &Scopes) -> Scopes {
        Scopes::parse(self.as_str(), |name| other.contains(name))
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// One by one.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.split(' ').filter(|name| !name.is_empty())
    }

    /// As it stands in a token, a form or a challenge.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Names one sign-in: all tokens that came of one approval carry it, and are revoked by it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GrantId(pub [u8; 16]);

/// Its first bytes: enough to tell grants apart in a log, too few to name one to the server.
impl std::fmt::Display for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hexadecimal(&self.0[..4]))
    }
}

impl std::fmt::Debug for GrantId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl serde::Serialize for GrantId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hexadecimal(&self.0[..4]))
    }
}

/// A short name for a client: the first bytes of the SHA-256 of its `client_id`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientTag(pub [u8; 8]);

impl ClientTag {
    /// Reads one as it is shown, in sixteen hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_tag = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        is_tag.then(|| u64::from_str_radix(text, 16).ok()).flatten().map(|number| ClientTag(number.to_be_bytes()))
    }
}

impl ClientTag {
    /// As it is shown.
    pub(crate) fn digits(self) -> [u8; 16] {
        digits(&self.0)
    }
}

impl std::fmt::Display for ClientTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&hexadecimal(&self.0))
    }
}

impl serde::Serialize for ClientTag {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hexadecimal(&self.0))
    }
}

impl std::fmt::Debug for ClientTag {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

/// At most eight bytes as digits. Each call has such a name in the audit, where the formatter took as long as all the rest.
fn hexadecimal(bytes: &[u8]) -> Bounded<16> {
    let digits = digits(bytes);
    let digits = str::from_utf8(&digits[..(2 * bytes.len()).min(16)]);
    digits.ok().and_then(|digits| Bounded::try_from(digits).ok()).unwrap_or_default()
}

fn digits(bytes: &[u8]) -> [u8; 16] {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let mut digits = [b'0'; 16];
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair.copy_from_slice(&[DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]]);
    }
    digits
}

/// A sign-in, by everything that a revocation may name.
#[derive(Clone, Copy, Debug)]
pub struct Standing<'a> {
    /// Who signed in.
    pub subject: &'a str,
    /// For which client.
    pub client: ClientTag,
    /// This very sign-in.
    pub grant: GrantId,
    /// The epoch in which he did: what was revoked before does not concern it.
    pub epoch: u32,
}

/// Who is calling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The user who signed in, as he named himself; `anonymous` where nobody signs in.
    pub subject: Bounded<{ limits::SUBJECT_BYTES }>,
    /// The OAuth client that acts for him.
    pub client: ClientTag,
    /// The sign-in that the token came from.
    pub grant: GrantId,
    /// What he allowed.
    pub scopes: Scopes,
}

impl Principal {
    /// The caller of a server that asks nobody to sign in: allowed whatever `scopes` says.
    pub fn anonymous(scopes: Scopes) -> Self {
        let mut subject = Bounded::new();
        let _ = subject.push_str("anonymous");
        Principal { subject, client: ClientTag([0; 8]), grant: GrantId([0; 16]), scopes }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_and_repeated_scopes_are_left_out() {
        let scopes = Scopes::parse("openid math email math  system:read", |name| name == "math" || name == "system:read");
        assert_eq!(scopes.as_str(), "math system:read");
        assert!(scopes.contains("math"));
        assert!(!scopes.contains("mat"));
        assert!(!scopes.contains(""));
    }

    #[test]
    fn a_scope_with_a_space_or_a_quote_is_no_scope() {
        let mut scopes = Scopes::none();
        scopes.insert("a b");
        scopes.insert("a\"b");
        scopes.insert("");
        assert!(scopes.is_empty());
    }

    #[test]
    fn scopes_stop_at_their_bound() {
        let mut scopes = Scopes::none();
        for n in 0..1000 {
            scopes.insert(&format!("scope-{n}"));
        }
        assert!(scopes.as_str().len() <= limits::SCOPES_BYTES);
        assert!(scopes.iter().all(|name| name.starts_with("scope-")));
    }

    #[test]
    fn the_intersection_keeps_what_both_have() {
        let all = |_: &str| true;
        let left = Scopes::parse("a b c", all);
        assert_eq!(left.intersection(&Scopes::parse("c x a", all)).as_str(), "a c");
    }
}
