//! JSON that each call brings and writes some of, and objects that are seldom read.

mod raw;

pub use raw::Raw;
pub(crate) use raw::{Ahead, members};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};
use serde_json::{Map, Value};
use std::{fmt, str};

/// Appends `text` as a string (RFC 8259 7).
pub(crate) fn push_text(json: &mut Vec<u8>, text: &str) {
    // Most text has nothing to escape. serde appends the quotes and each part by itself.
    if text.bytes().any(|byte| byte < b' ' || byte == b'"' || byte == b'\\') {
        // A Vec takes all that is written.
        let _ = serde_json::to_writer(json, text);
        return;
    }
    json.reserve(text.len() + 2);
    json.push(b'"');
    json.extend_from_slice(text.as_bytes());
    json.push(b'"');
}

/// Reads a text of JSON. serde has a reader for texts and another for bytes: with texts alone, the program has one of them.
///
/// # Errors
/// When it is no UTF-8, or no JSON of this kind.
pub(crate) fn read<'a, T: Deserialize<'a>>(json: &'a [u8]) -> serde_json::Result<T> {
    str::from_utf8(json).map_err(serde_json::Error::custom).and_then(serde_json::from_str)
}

/// A number that people or the kernel wrote. Rust's own reader has 10 KB of tables, for more digits than they write: this is
/// JSON's, with the zeros and signs that JSON does not have.
pub(crate) fn number(text: &str) -> Option<f64> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_digit = |text: &str| text.starts_with(|first: char| first.is_ascii_digit());
    if !is_digit(unsigned) {
        return None;
    }
    let digits = unsigned.trim_start_matches('0');
    let number = [if is_digit(digits) { "" } else { "0" }, digits].concat();
    let number: f64 = serde_json::from_str(number.strip_suffix('.').unwrap_or(&number)).ok()?;
    Some(if text.starts_with('-') { -number } else { number })
}

/// The members of an object, which are taken one by one; what is wrong with them is asked at the end. serde would bring a reader
/// of its own for each kind of object: this is for kinds that no call waits for.
#[derive(Default)]
pub(crate) struct Members {
    left: Map<String, Value>,
    /// Whether one was not there, or of another kind than it should be.
    is_odd: bool,
}

impl Members {
    /// `None` for what is no object, or has a member twice.
    pub(crate) fn read(text: &[u8]) -> Option<Self> {
        read(text).ok()
    }

    /// Those of an object within another; what is none has none.
    pub(crate) fn of(value: Value) -> Self {
        match value {
            Value::Object(left) => Members { left, is_odd: false },
            value => Members { left: Map::new(), is_odd: !value.is_null() },
        }
    }

    /// A member; one that is null is as one that is not there.
    pub(crate) fn take(&mut self, name: &str) -> Option<Value> {
        self.left.get_mut(name).map(Value::take).filter(|value| !value.is_null())
    }

    /// A text that must be there.
    pub(crate) fn text(&mut self, name: &str) -> String {
        let text = self.text_if_any(name);
        self.is_odd |= text.is_none();
        text.unwrap_or_default()
    }

    pub(crate) fn text_if_any(&mut self, name: &str) -> Option<String> {
        let value = self.take(name)?;
        let Value::String(text) = value else { return self.odd() };
        Some(text)
    }

    /// Texts; none where nothing is.
    pub(crate) fn texts(&mut self, name: &str) -> Vec<String> {
        self.texts_if_any(name).unwrap_or_default()
    }

    pub(crate) fn texts_if_any(&mut self, name: &str) -> Option<Vec<String>> {
        let Value::Array(values) = self.take(name)? else { return self.odd() };
        let mut texts = Vec::with_capacity(values.len());
        for value in values {
            let Value::String(text) = value else { return self.odd() };
            texts.push(text);
        }
        Some(texts)
    }

    /// A number that must be there.
    pub(crate) fn number<T: TryFrom<u64> + Default>(&mut self, name: &str) -> T {
        let number = self.number_if_any(name).and_then(|number| number.try_into().ok());
        self.is_odd |= number.is_none();
        number.unwrap_or_default()
    }

    pub(crate) fn number_if_any(&mut self, name: &str) -> Option<u64> {
        let value = self.take(name)?;
        value.as_u64().or_else(|| self.odd())
    }

    /// Whether it is set.
    pub(crate) fn flag(&mut self, name: &str) -> bool {
        let flag = self.take(name).unwrap_or(Value::Bool(false));
        flag.as_bool().or_else(|| self.odd()).unwrap_or_default()
    }

    fn odd<T>(&mut self) -> Option<T> {
        self.is_odd = true;
        None
    }

    /// `read`, unless a member was not there, or of another kind than it should be.
    pub(crate) fn sound<T>(&self, read: T) -> Option<T> {
        (!self.is_odd).then_some(read)
    }

    /// The same, unless one was not asked for.
    pub(crate) fn whole<T>(&self, read: T) -> Option<T> {
        self.sound(read).filter(|_| self.left.values().all(Value::is_null))
    }
}

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Once)
    }
}

/// Reads each member once.
struct Once;

impl<'de> Visitor<'de> for Once {
    type Value = Members;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
        let mut members = Members::default();
        while let Some((name, value)) = map.next_entry()? {
            if members.left.insert(name, value).is_some() {
                return Err(A::Error::custom("a member stands there twice"));
            }
        }
        Ok(members)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Reading = fn(&mut Members);

    #[test]
    fn a_number_is_read_as_rust_reads_it() {
        let texts = "0 00 7 007 0.5 00.5 5. 0. 1e3 0e1 1.5E-3 +1.5 -1.5 -0 0.0625 65.125 0.000000305 24500 6.103515625e-05 \
                     99999999999999 123456789.125 -273.15 4.999999e22 1e22 2.345678e1";
        for text in texts.split(' ') {
            assert_eq!(number(text).unwrap().to_bits(), text.parse::<f64>().unwrap().to_bits(), "{text}");
        }
        for text in
            ["", "-", "+", ".", ".5", "--1", "+-1", "1,5", "e5", "1e", "inf", "nan", "0x10", "1_000", " 1", "5..", "1e999"]
        {
            assert_eq!(number(text), None, "{text}");
        }
    }

    #[test]
    fn a_member_of_another_kind_or_one_too_many_is_told() {
        let members = |text: &str| Members::read(text.as_bytes()).unwrap();
        for odd in [r#"{"a":1}"#, r#"{"a":["b"]}"#, r#"{"a":{}}"#, r#"{"a":true}"#, "{}", r#"{"a":null}"#] {
            let mut members = members(odd);
            assert_eq!(members.text("a"), "");
            assert!(members.sound(()).is_none() && members.whole(()).is_none(), "{odd}");
        }
        assert!(members("{}").text_if_any("a").is_none());
        let odd: [(&str, Reading); 7] = [
            ("1", |members| _ = members.text_if_any("a")),
            (r#"["b",1]"#, |members| _ = members.texts("a")),
            (r#""b""#, |members| _ = members.texts("a")),
            ("-1", |members| _ = members.number_if_any("a")),
            ("256", |members| _ = members.number::<u8>("a")),
            ("null", |members| _ = members.number::<u64>("a")),
            ("1", |members| _ = members.flag("a")),
        ];
        for (value, read) in odd {
            let mut members = members(&format!(r#"{{"a":{value}}}"#));
            read(&mut members);
            assert!(members.sound(()).is_none(), "{value}");
        }
        assert!(Members::of(Value::from(1)).sound(()).is_none());
        for text in ["", "[]", "1", "{", "{} {}", r#"{"a":1,"a":1}"#] {
            assert!(Members::read(text.as_bytes()).is_none(), "{text}");
        }
        let mut more = members(r#"{"a":null,"b":"c","d":1}"#);
        assert_eq!((more.text_if_any("a"), more.text("b").as_str()), (None, "c"));
        assert!(more.texts("e").is_empty() && !more.flag("f") && more.number_if_any("g").is_none());
        assert!(more.sound(()).is_some() && more.whole(()).is_none());
        assert!(more.number::<u8>("d") == 1 && more.whole(()).is_some());
        assert!(Members::of(Value::Null).whole(()).is_some());
    }

    #[test]
    fn a_text_is_written_as_serde_writes_it() {
        let all: String = (0..=0x2ff).filter_map(char::from_u32).collect();
        let each = all.chars().map(String::from);
        for text in
            each.chain([String::new(), "ada@example.org".into(), "a\"b\\c\nd".into(), "ä €\u{1f600}\u{2028}".into(), all.clone()])
        {
            let mut json = b"{".to_vec();
            push_text(&mut json, &text);
            assert_eq!(String::from_utf8(json).unwrap(), format!("{{{}", serde_json::to_string(&text).unwrap()));
        }
    }
}
