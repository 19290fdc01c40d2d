//! JSON that is passed over: where its members begin and end, whether it is sound, and nothing else.
//!
//! serde can tell that too. It takes twice as long, and looks again at each level of what it has passed over.

use crate::limits;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// A value of JSON as it stands in its text, with no space around it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    /// The one value that `text` is, if it is one (RFC 8259) and no deeper than [`limits::JSON_DEPTH`].
    pub fn read(text: &'a str) -> Option<Self> {
        let json = text.as_bytes();
        let start = space(json, 0);
        let end = value(json, start, limits::JSON_DEPTH)?;
        if space(json, end) == json.len() { text.get(start..end).map(Raw) } else { None }
    }

    /// Its text.
    pub fn get(self) -> &'a str {
        self.0
    }

    /// Whether it is `null`.
    pub(crate) fn is_null(self) -> bool {
        self.0 == "null"
    }

    /// What a text says; `None` for what is none.
    pub(crate) fn text(self) -> Option<Cow<'a, str>> {
        match self.0.as_bytes() {
            // serde knows what each escape stands for, and which stands for nothing.
            [b'"', inner @ .., b'"'] if inner.contains(&b'\\') => serde_json::from_str(self.0).ok().map(Cow::Owned),
            [b'"', .., b'"'] => self.0.get(1..self.0.len() - 1).map(Cow::Borrowed),
            _ => None,
        }
    }

    /// The same for keeps.
    pub(crate) fn to_value(self) -> Box<RawValue> {
        RawValue::from_string(self.0.to_owned()).unwrap_or_default()
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Raw(raw.get())
    }
}

/// Hands the members of the object that `text` is to `take`, one after the other, as long as it takes them; `None` where it does
/// not, and for what is no object. That may show behind some of them: then what was taken is to be forgotten.
///
/// The name is `None` where it says nothing, as half of a pair of surrogates. It is for `take` to go past the value.
pub(crate) fn members<'a>(text: &'a str, take: impl FnMut(Option<&[u8]>, Ahead<'a>) -> Option<Raw<'a>>) -> Option<()> {
    let at = space(text.as_bytes(), 0);
    let whole = Ahead { text, at, depth: limits::JSON_DEPTH }.members(take)?;
    (space(text.as_bytes(), at + whole.0.len()) == text.len()).then_some(())
}

/// A value that nobody has gone past yet.
#[derive(Clone, Copy)]
pub(crate) struct Ahead<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Ahead<'a> {
    /// Whether it begins as an object does.
    pub(crate) fn is_object(self) -> bool {
        self.text.as_bytes().get(self.at) == Some(&b'{')
    }

    /// Goes past it.
    pub(crate) fn pass(self) -> Option<Raw<'a>> {
        let end = value(self.text.as_bytes(), self.at, self.depth)?;
        self.text.get(self.at..end).map(Raw)
    }

    /// Goes past it member by member, as [`members`] does.
    pub(crate) fn members(self, mut take: impl FnMut(Option<&[u8]>, Ahead<'a>) -> Option<Raw<'a>>) -> Option<Raw<'a>> {
        if !self.is_object() {
            return None;
        }
        let (json, depth) = (self.text.as_bytes(), self.depth.checked_sub(1)?);
        let (mut at, mut is_over) = open(json, self.at, b'}');
        while !is_over {
            let (name_end, start, has_escape) = name(json, at)?;
            let ahead = Ahead { text: self.text, at: start, depth };
            let value = if has_escape {
                let name = Raw(self.text.get(at..name_end)?).text();
                take(name.as_deref().map(str::as_bytes), ahead)?
            } else {
                take(json.get(at + 1..name_end - 1), ahead)?
            };
            (at, is_over) = more(json, start + value.0.len(), b'}')?;
        }
        self.text.get(self.at..at).map(Raw)
    }
}

// Each of these begins where it is told to, and says where it has ended.

#[inline]
fn space(json: &[u8], mut at: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\r' | b'\t') = json.get(at) {
        at += 1;
    }
    at
}

#[inline]
fn value(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' => string(json, at).map(|(end, _)| end),
        b'{' => object(json, at, depth.checked_sub(1)?),
        b'[' => array(json, at, depth.checked_sub(1)?),
        b't' => word(json, at, b"true"),
        b'f' => word(json, at, b"false"),
        b'n' => word(json, at, b"null"),
        _ => number(json, at),
    }
}

fn object(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    let (mut at, mut is_over) = open(json, at, b'}');
    while !is_over {
        let (_, start, _) = name(json, at)?;
        (at, is_over) = more(json, value(json, start, depth)?, b'}')?;
    }
    Some(at)
}

fn array(json: &[u8], at: usize, depth: usize) -> Option<usize> {
    let (mut at, mut is_over) = open(json, at, b']');
    while !is_over {
        (at, is_over) = more(json, value(json, at, depth)?, b']')?;
    }
    Some(at)
}

/// Goes into an object or an array; whether that is past it, as it is empty.
#[inline]
fn open(json: &[u8], at: usize, close: u8) -> (usize, bool) {
    let at = space(json, at + 1);
    let is_empty = json.get(at) == Some(&close);
    (at + usize::from(is_empty), is_empty)
}

/// Goes to what stands behind a comma, or past the end.
#[inline]
fn more(json: &[u8], at: usize, close: u8) -> Option<(usize, bool)> {
    let at = space(json, at);
    match *json.get(at)? {
        b',' => Some((space(json, at + 1), false)),
        byte => (byte == close).then_some((at + 1, true)),
    }
}

/// Goes past the name of a member: where it ends, where the value begins, and whether there is an escape in the name.
#[inline]
fn name(json: &[u8], at: usize) -> Option<(usize, usize, bool)> {
    if *json.get(at)? != b'"' {
        return None;
    }
    let (end, has_escape) = string(json, at)?;
    let colon = space(json, end);
    (*json.get(colon)? == b':').then_some((end, space(json, colon + 1), has_escape))
}

/// Says, too, whether there was an escape.
#[inline]
fn string(json: &[u8], at: usize) -> Option<(usize, bool)> {
    let (mut at, mut has_escape) = (at + 1, false);
    loop {
        match *json.get(at)? {
            b'"' => return Some((at + 1, has_escape)),
            b'\\' => (at, has_escape) = (escape(json, at + 1)?, true),
            0..b' ' => return None,
            _ => at += 1,
        }
    }
}

fn escape(json: &[u8], at: usize) -> Option<usize> {
    match *json.get(at)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(at + 1),
        b'u' => json.get(at + 1..at + 5)?.iter().all(u8::is_ascii_hexdigit).then_some(at + 5),
        _ => None,
    }
}

fn word(json: &[u8], at: usize, word: &[u8]) -> Option<usize> {
    json[at..].starts_with(word).then_some(at + word.len())
}

fn number(json: &[u8], at: usize) -> Option<usize> {
    let at = at + usize::from(json.get(at) == Some(&b'-'));
    // No zero stands before other digits.
    let mut at = if json.get(at) == Some(&b'0') { at + 1 } else { digits(json, at)? };
    if json.get(at) == Some(&b'.') {
        at = digits(json, at + 1)?;
    }
    if let Some(b'e' | b'E') = json.get(at) {
        let sign = matches!(json.get(at + 1), Some(b'+' | b'-'));
        at = digits(json, at + 1 + usize::from(sign))?;
    }
    Some(at)
}

/// At least one.
fn digits(json: &[u8], start: usize) -> Option<usize> {
    let mut at = start;
    while json.get(at).is_some_and(u8::is_ascii_digit) {
        at += 1;
    }
    (at > start).then_some(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::IgnoredAny;

    /// Whether serde finds a text sound.
    fn is_sound(text: &str) -> bool {
        serde_json::from_str::<IgnoredAny>(text).is_ok()
    }

    /// Each text of at most so many of these pieces.
    fn each_of(pieces: &[&str], most: usize, text: &mut String, check: &mut dyn FnMut(&str)) {
        check(text);
        if most == 0 {
            return;
        }
        for piece in pieces {
            let length = text.len();
            text.push_str(piece);
            each_of(pieces, most - 1, text, check);
            text.truncate(length);
        }
    }

    #[test]
    fn what_is_sound_is_what_serde_finds_sound() {
        let mut check = |text: &str| {
            let raw = Raw::read(text);
            assert_eq!(raw.is_some(), is_sound(text), "{text:?}");
            // Both find the same value within the space around it.
            assert_eq!(raw.map(Raw::get), serde_json::from_str::<&RawValue>(text).ok().map(RawValue::get), "{text:?}");
        };
        let mut each = |pieces: &[&str], most| each_of(pieces, most, &mut String::new(), &mut check);
        each(&["{", "}", "[", "]", ",", ":", "\"a\"", "1", " "], 6);
        each(&["0", "1", "-", "+", ".", "e", "E"], 6);
        each(&["\"", "\\", "u", "00eg", "d834", "n", "/", "\n", "\u{7f}", "ä", "\0"], 5);
        each(&["true", "false", "null", "tru", "l", " ", "\r", "\t", "\u{a0}", "\u{b}", "\u{feff}"], 3);
    }

    #[test]
    fn members_are_handed_over_as_they_stand_there() {
        let text = " { \"a\" : [ 1 , {\"b\":2} ] ,\"\\u0062\":\"x\\n\",\"\":{ } , \"a\":null }\n";
        let mut all = Vec::new();
        let taken = members(text, |name, value| {
            let value = value.pass()?;
            all.push((String::from_utf8(name?.to_vec()).unwrap(), value.get(), value.text()));
            Some(value)
        });
        let text = |text: &str| Some(Cow::Owned(text.to_owned()));
        let expected = [("a", "[ 1 , {\"b\":2} ]", None), ("b", "\"x\\n\"", text("x\n")), ("", "{ }", None), ("a", "null", None)];
        assert_eq!(taken, Some(()));
        assert_eq!(all, expected.map(|(name, value, text)| (name.to_owned(), value, text)));
    }

    #[test]
    fn what_is_no_object_or_has_no_name_has_no_members() {
        let sound = r#"{"a":1,"b":2}"#;
        assert_eq!(members(sound, |name, value| value.pass().filter(|_| name == Some(b"a"))), None);
        // Half of a pair of surrogates is sound, and says nothing.
        for text in ["", "1", "[]", "\"a\"", "null", "{", r#"{"a":1}x"#, r#"{"a":1},"#, r#"{"\ud834":1}"#, r"{1:1}"] {
            assert_eq!(members(text, |name, value| name.and(value.pass())), None, "{text}");
        }
        assert_eq!(Raw::read(r#""\ud834""#).unwrap().text(), None);
        assert_eq!(members(sound, |name, value| name.and(value.pass())), Some(()));
    }

    #[test]
    fn nobody_digs_deeper_than_there_is_room_for() {
        let nested = |depth: usize| format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
        let (deep, deeper) = (nested(limits::JSON_DEPTH), nested(limits::JSON_DEPTH + 1));
        assert!(Raw::read(&deep).is_some() && is_sound(&deep));
        assert!(Raw::read(&deeper).is_none() && is_sound(&deeper));
        let within = |depth: usize| members(&format!("{{\"a\":{}}}", nested(depth)), |_, value| value.pass());
        assert_eq!((within(limits::JSON_DEPTH - 1), within(limits::JSON_DEPTH)), (Some(()), None));
        assert!(Raw::read(&"[{\"a\":".repeat(1 << 20)).is_none());
    }
}
