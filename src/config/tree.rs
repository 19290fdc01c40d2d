//! From the tree that toml makes of a file to the shapes that the file must have.
//!
//! toml can do that as well, but brings all that it knows once more for each type that is read, which came to 230 KB.
//! Here, that is little: what a value is, its text says, and where it stands, toml. A shape is asked only about the kind of value
//! that it has: each question is compiled once for each shape, and a list could stand for a table otherwise.

use serde::de::value::{BorrowedStrDeserializer, StrDeserializer};
use serde::de::{
    DeserializeOwned, DeserializeSeed, Deserializer, Error as _, Expected, IntoDeserializer, MapAccess, SeqAccess, Unexpected,
    Visitor,
};
use serde::forward_to_deserialize_any;
use serde_spanned::de::{SpannedDeserializer, is_spanned};
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::{DeArray, DeInteger, DeString, DeTable, DeValue};

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) span: Option<Range<usize>>,
}

/// Reads a whole file.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, Fault> {
    let parsed = DeTable::parse(text);
    let table = parsed.map_err(|error| Fault { what: error.message().to_owned(), span: error.span() })?;
    let span = table.span();
    T::deserialize(Place { value: &DeValue::Table(table.into_inner()), span })
}

impl Fault {
    /// The same there, unless it is known more exactly already.
    fn within(mut self, span: &Range<usize>) -> Self {
        self.span.get_or_insert_with(|| span.clone());
        self
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.what)
    }
}

impl std::error::Error for Fault {}

impl serde::de::Error for Fault {
    fn custom<T: fmt::Display>(what: T) -> Self {
        Fault { what: what.to_string(), span: None }
    }
}

/// A value in its place.
struct Place<'t> {
    value: &'t DeValue<'t>,
    span: Range<usize>,
}

impl<'t> Place<'t> {
    /// Reads a value. What its shape finds wrong with it, once it is read, is wrong in its place as well.
    fn read<T: DeserializeSeed<'t>>(value: &'t Spanned<DeValue<'t>>, seed: T) -> Result<T::Value, Fault> {
        let span = value.span();
        seed.deserialize(Place { value: value.get_ref(), span: span.clone() }).map_err(|fault| fault.within(&span))
    }

    /// That this is not what was `expected`, or nothing that could be.
    fn mismatch(&self, expected: &dyn Expected) -> Fault {
        let found = match self.value {
            DeValue::String(text) => Ok(Unexpected::Str(text)),
            DeValue::Boolean(flag) => Ok(Unexpected::Bool(*flag)),
            DeValue::Integer(number) => integer(number).map(Unexpected::Signed),
            DeValue::Float(number) => float(number.as_str()).map(Unexpected::Float),
            DeValue::Datetime(_) => Err(date()),
            DeValue::Array(_) => Ok(Unexpected::Seq),
            DeValue::Table(_) => Ok(Unexpected::Map),
        };
        found.map_or_else(|fault| fault, |found| Fault::invalid_type(found, expected)).within(&self.span)
    }
}

/// A whole number, of whatever length.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let DeValue::Integer(number) = self.value else { return Err(self.mismatch(&visitor)) };
            integer(number).and_then(|number| visitor.visit_i64(number)).map_err(|fault| fault.within(&self.span))
        }
    )*};
}

impl<'de> Deserializer<'de> for Place<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let visited = match self.value {
            DeValue::String(text) => visitor.visit_str(text),
            DeValue::Boolean(flag) => visitor.visit_bool(*flag),
            DeValue::Integer(number) => integer(number).and_then(|number| visitor.visit_i64(number)),
            DeValue::Float(number) => float(number.as_str()).and_then(|number| visitor.visit_f64(number)),
            DeValue::Datetime(_) => Err(date()),
            DeValue::Array(items) => visitor.visit_seq(Items(items.iter())),
            DeValue::Table(members) => visitor.visit_map(Members { left: members.iter(), value: None }),
        };
        visited.map_err(|fault| fault.within(&self.span))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        // What is not there has no place.
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(self, _: &'static str, visitor: V) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !is_spanned(name) {
            return self.deserialize_map(visitor);
        }
        let span = self.span.clone();
        visitor.visit_map(SpannedDeserializer::new(self, span))
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let DeValue::Table(members) = self.value else { return Err(self.mismatch(&visitor)) };
        visitor.visit_map(Members { left: members.iter(), value: None }).map_err(|fault| fault.within(&self.span))
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let DeValue::Array(items) = self.value else { return Err(self.mismatch(&visitor)) };
        visitor.visit_seq(Items(items.iter())).map_err(|fault| fault.within(&self.span))
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let DeValue::String(text) = self.value else { return Err(self.mismatch(&visitor)) };
        visitor.visit_str(text).map_err(|fault: Fault| fault.within(&self.span))
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let DeValue::Boolean(flag) = self.value else { return Err(self.mismatch(&visitor)) };
        visitor.visit_bool(*flag).map_err(|fault: Fault| fault.within(&self.span))
    }

    whole_numbers! {
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str bytes byte_buf unit unit_struct tuple tuple_struct enum identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Fault> for Place<'de> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

fn date() -> Fault {
    Fault::custom("a date has no meaning here: put it in quotes")
}

fn integer(number: &DeInteger<'_>) -> Result<i64, Fault> {
    let read = i64::from_str_radix(number.as_str(), number.radix());
    read.map_err(|_| Fault::custom("this number is too large"))
}

fn float(number: &str) -> Result<f64, Fault> {
    number.parse().map_err(|_| Fault::custom("this is no number"))
}

/// The values in brackets.
struct Items<'t>(<&'t DeArray<'t> as IntoIterator>::IntoIter);

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        self.0.next().map(|item| Place::read(item, seed)).transpose()
    }
}

/// The entries of a table.
struct Members<'t> {
    left: toml::map::Iter<'t, Spanned<DeString<'t>>, Spanned<DeValue<'t>>>,
    value: Option<&'t Spanned<DeValue<'t>>>,
}

impl<'de> MapAccess<'de> for Members<'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some((key, value)) = self.left.next() else { return Ok(None) };
        self.value = Some(value);
        let key = Key { text: key.get_ref(), span: key.span() };
        seed.deserialize(key).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Fault> {
        let value = self.value.take().ok_or_else(|| Fault::custom("a key comes before its value"))?;
        Place::read(value, seed)
    }
}

/// A key in its place.
struct Key<'t> {
    text: &'t str,
    span: Range<usize>,
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text: StrDeserializer<'_, Fault> = self.text.into_deserializer();
        text.deserialize_any(visitor).map_err(|fault| fault.within(&self.span))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if !is_spanned(name) {
            return self.deserialize_any(visitor);
        }
        visitor.visit_map(SpannedDeserializer::new(Text(self.text), self.span))
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct seq tuple
        tuple_struct map enum identifier ignored_any option newtype_struct
    }
}

/// The text of a key, whose place was told.
struct Text<'t>(&'t str);

impl<'de> IntoDeserializer<'de, Fault> for Text<'de> {
    type Deserializer = BorrowedStrDeserializer<'de, Fault>;

    fn into_deserializer(self) -> Self::Deserializer {
        BorrowedStrDeserializer::new(self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;
    use std::collections::BTreeMap;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        number: Option<i16>,
        list: Option<Vec<Spanned<String>>>,
        table: Option<BTreeMap<String, serde_json::Value>>,
        #[serde(default)]
        named: BTreeMap<Spanned<String>, Spanned<f64>>,
        inner: Option<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(default)]
    struct Inner {
        one: u8,
    }

    impl Default for Inner {
        fn default() -> Self {
            Inner { one: 1 }
        }
    }

    /// What is said, and of which text.
    fn fault(text: &str) -> (String, &str) {
        let fault = read::<File>(text).unwrap_err();
        (fault.what, &text[fault.span.unwrap()])
    }

    #[test]
    fn a_fault_is_told_with_the_place_of_the_value_or_key() {
        let told = |text| fault(text).1;
        assert_eq!(told("number = 'x'"), "'x'");
        assert_eq!(told("number = 70_000"), "70_000");
        assert_eq!(told("number = 0xffff_ffff_ffff_ffff_ffff"), "0xffff_ffff_ffff_ffff_ffff");
        assert_eq!(told("list = ['a', 1]"), "1");
        assert_eq!(told("list = ['a', 2020-01-01]"), "2020-01-01");
        assert_eq!(told("table = { a = 1 }\nnamed = { a = 1.5, b = 'c' }"), "'c'");
        assert_eq!(told("number = 1\nother = 2"), "other");
        assert_eq!(fault("number = true").0, "invalid type: boolean `true`, expected i16");
        assert_eq!(fault("number = 'x'").0, "invalid type: string \"x\", expected i16");
        assert_eq!(fault("number = 1.5").0, "invalid type: floating point `1.5`, expected i16");
        assert_eq!(fault("number = [1]").0, "invalid type: sequence, expected i16");
        assert_eq!(fault("number = 2020-01-01").0, "a date has no meaning here: put it in quotes");
        assert_eq!(fault("list = { a = 1 }").0, "invalid type: map, expected a sequence");
        assert_eq!(fault("inner = []").0, "invalid type: sequence, expected struct Inner");
        assert_eq!(read::<File>("inner = {}").unwrap().inner.unwrap().one, 1);
        assert_eq!(fault("list = [7]").0, "invalid type: integer `7`, expected a string");
        assert!(read::<File>("number = 1 2").unwrap_err().span.is_some());
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = "number = -7\nlist = [\"a\\u00e4\", '''b''']\nnamed.one = 1e3\nnamed.\"two\" = +2.5\n\
                    [table]\na = [1, { b = true }]\nc = 'text'\n";
        let file: File = read(text).unwrap();
        assert_eq!(file.number, Some(-7));
        let list = file.list.unwrap();
        assert_eq!((list[0].get_ref().as_str(), &text[list[0].span()], list[1].get_ref().as_str()), ("aä", "\"a\\u00e4\"", "b"));
        assert_eq!(serde_json::json!(file.table), serde_json::json!({ "a": [1, { "b": true }], "c": "text" }));
        let named: Vec<_> = file.named.iter().map(|(name, value)| (&text[name.span()], *value.get_ref())).collect();
        assert_eq!(named, [("one", 1000.0), ("\"two\"", 2.5)]);
        assert!(read::<File>("").unwrap().number.is_none());
    }
}
