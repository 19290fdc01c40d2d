//! From the tree that toml makes of a file to the shapes that the file must have.
//!
//! serde can do that as well, but brings all that it knows once more for each shape, which came to 160 KB. Here, a shape is read by
//! naming its keys, what a value is, its text says, and where it stands, toml.

use crate::json;
use serde::de::{Error as _, Unexpected, value::Error as Told};
use serde_json::{Map, Value};
use std::ops::Range;
use std::path::PathBuf;
use toml::Spanned;
use toml::de::{DeInteger, DeTable, DeValue};

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) span: Option<Range<usize>>,
}

/// What can stand in a file.
pub(super) trait Shape: Sized {
    /// Whether something must stand there.
    const IS_NEEDED: bool;

    /// Reads it from where it stands.
    fn read(place: &Place<'_>) -> Result<Self, Fault>;

    /// What it is where nothing stands.
    fn nothing() -> Self;
}

/// Reads a whole file.
pub(super) fn read<T: Shape>(text: &str) -> Result<T, Fault> {
    let parsed = DeTable::parse(text);
    let table = parsed.map_err(|error| Fault { what: error.message().to_owned(), span: error.span() })?;
    let span = table.span();
    T::read(&Place { value: &DeValue::Table(table.into_inner()), span })
}

/// Tables, whose keys are the names of their fields. Whatever they do not name is refused.
macro_rules! tables {
    ($($(#[$about:meta])* $sight:vis struct $name:ident { $($field_sight:vis $field:ident: $shape:ty,)* })*) => {$(
        $(#[$about])*
        $sight struct $name { $($field_sight $field: $shape,)* }

        impl $crate::config::tree::Shape for $name {
            const IS_NEEDED: bool = false $(|| <$shape as $crate::config::tree::Shape>::IS_NEEDED)*;

            fn read(place: &$crate::config::tree::Place<'_>) -> Result<Self, $crate::config::tree::Fault> {
                const KEYS: &[&str] = &[$($crate::config::tree::key(stringify!($field)),)*];
                let mut members = place.members(KEYS)?;
                let read = $name { $($field: members.next(),)* };
                members.end(read)
            }

            fn nothing() -> Self {
                $name { $($field: $crate::config::tree::Shape::nothing(),)* }
            }
        }
    )*};
}
pub(super) use tables;

/// The key of a field: some words are also Rust's own.
pub(super) const fn key(field: &'static str) -> &'static str {
    match field.as_bytes() {
        [b'r', b'#', key @ ..] => match std::str::from_utf8(key) {
            Ok(key) => key,
            Err(_) => field,
        },
        _ => field,
    }
}

/// A value in its place.
pub(super) struct Place<'t> {
    value: &'t DeValue<'t>,
    span: Range<usize>,
}

impl<'t> Place<'t> {
    fn of(value: &'t Spanned<DeValue<'t>>) -> Self {
        Place { value: value.get_ref(), span: value.span() }
    }

    /// A table that has no keys but these.
    pub(super) fn members(&self, keys: &'static [&'static str]) -> Result<Members<'t>, Fault> {
        let table = self.table("a table")?;
        match table.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
            Some(key) => Err(Fault { what: Told::unknown_field(key.get_ref(), keys).to_string(), span: Some(key.span()) }),
            None => Ok(Members { table, keys: keys.iter(), span: self.span.clone(), fault: None }),
        }
    }

    fn table(&self, expected: &str) -> Result<&'t DeTable<'t>, Fault> {
        if let DeValue::Table(table) = self.value { Ok(table) } else { Err(self.mismatch(expected)) }
    }

    fn text(&self, expected: &str) -> Result<&'t str, Fault> {
        if let DeValue::String(text) = self.value { Ok(text) } else { Err(self.mismatch(expected)) }
    }

    /// Everything in a list.
    pub(super) fn list<T: Shape>(&self, expected: &str) -> Result<Vec<T>, Fault> {
        let DeValue::Array(items) = self.value else { return Err(self.mismatch(expected)) };
        let mut read = Vec::with_capacity(items.len());
        for item in items {
            read.push(T::read(&Place::of(item))?);
        }
        Ok(read)
    }

    fn whole_number(&self, expected: &str) -> Result<i64, Fault> {
        let DeValue::Integer(number) = self.value else { return Err(self.mismatch(expected)) };
        integer(number).map_err(|what| self.fault(what))
    }

    /// That this is not what was `expected`, or nothing that could be.
    pub(super) fn mismatch(&self, expected: &str) -> Fault {
        let found = match self.value {
            DeValue::String(text) => Ok(Unexpected::Str(text)),
            DeValue::Boolean(flag) => Ok(Unexpected::Bool(*flag)),
            DeValue::Integer(number) => integer(number).map(Unexpected::Signed),
            DeValue::Float(number) => float(number.as_str()).map(Unexpected::Float),
            DeValue::Datetime(_) => Err("a date has no meaning here: put it in quotes"),
            DeValue::Array(_) => Ok(Unexpected::Seq),
            DeValue::Table(_) => Ok(Unexpected::Map),
        };
        match found {
            Ok(found) => self.fault(Told::invalid_type(found, &expected).to_string()),
            Err(what) => self.fault(what),
        }
    }

    pub(super) fn fault(&self, what: impl Into<String>) -> Fault {
        Fault { what: what.into(), span: Some(self.span.clone()) }
    }
}

/// What a table has for each of its keys, one after the other. A fault is told at the end: else what was read before would be
/// dropped in as many ways as there are keys.
pub(super) struct Members<'t> {
    table: &'t DeTable<'t>,
    keys: std::slice::Iter<'static, &'static str>,
    span: Range<usize>,
    fault: Option<Fault>,
}

impl<'t> Members<'t> {
    pub(super) fn next<T: Shape>(&mut self) -> T {
        let Some(place) = self.next_place(T::IS_NEEDED) else { return T::nothing() };
        T::read(&place).unwrap_or_else(|fault| {
            self.note(fault);
            T::nothing()
        })
    }

    /// Where the value of the next key stands, if it does and nothing was wrong so far. It is not compiled once for each shape.
    #[inline(never)]
    fn next_place(&mut self, is_needed: bool) -> Option<Place<'t>> {
        let key = self.keys.next().filter(|_| self.fault.is_none())?;
        let value = self.table.get(*key);
        if value.is_none() && is_needed {
            self.note(Fault { what: Told::missing_field(key).to_string(), span: Some(self.span.clone()) });
        }
        value.map(Place::of)
    }

    #[inline(never)]
    fn note(&mut self, fault: Fault) {
        self.fault = Some(fault);
    }

    pub(super) fn end<T>(self, read: T) -> Result<T, Fault> {
        self.fault.map_or(Ok(read), Err)
    }
}

/// What stands somewhere must stand there, even if it may be empty.
impl<T: Shape> Shape for Spanned<T> {
    const IS_NEEDED: bool = true;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        T::read(place).map(|value| Spanned::new(place.span.clone(), value))
    }

    fn nothing() -> Self {
        Spanned::new(0..0, T::nothing())
    }
}

impl<T: Shape> Shape for Option<T> {
    const IS_NEEDED: bool = false;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        T::read(place).map(Some)
    }

    fn nothing() -> Self {
        None
    }
}

impl<T: Shape> Shape for Vec<T> {
    const IS_NEEDED: bool = false;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        place.list("a sequence")
    }

    fn nothing() -> Self {
        Vec::new()
    }
}

/// Tables with names of the owner's own, such as `[auth.users.NAME]`, in the order of the names.
pub(super) struct Named<T>(pub(super) Vec<(Spanned<String>, T)>);

impl<T: Shape> Shape for Named<T> {
    const IS_NEEDED: bool = false;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        let mut named = Vec::new();
        for (name, value) in place.table("a table, such as { name = … }")? {
            let name = Spanned::new(name.span(), name.get_ref().to_string());
            named.push((name, T::read(&Place::of(value))?));
        }
        Ok(Named(named))
    }

    fn nothing() -> Self {
        Named(Vec::new())
    }
}

impl Shape for bool {
    const IS_NEEDED: bool = false;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        if let DeValue::Boolean(flag) = place.value { Ok(*flag) } else { Err(place.mismatch("a boolean")) }
    }

    fn nothing() -> Self {
        false
    }
}

impl Shape for String {
    const IS_NEEDED: bool = true;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        place.text("a string").map(str::to_owned)
    }

    fn nothing() -> Self {
        String::new()
    }
}

impl Shape for PathBuf {
    const IS_NEEDED: bool = true;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        place.text("path string").map(PathBuf::from)
    }

    fn nothing() -> Self {
        PathBuf::new()
    }
}

/// Whole numbers, which may be too large for their kind.
macro_rules! whole_numbers {
    ($($kind:ident)*) => {$(
        impl Shape for $kind {
            const IS_NEEDED: bool = true;

            fn read(place: &Place<'_>) -> Result<Self, Fault> {
                let number = place.whole_number(stringify!($kind))?;
                let told = |_| Told::invalid_value(Unexpected::Signed(number), &stringify!($kind)).to_string();
                $kind::try_from(number).map_err(|error| place.fault(told(error)))
            }

            fn nothing() -> Self {
                0
            }
        }
    )*};
}
whole_numbers! { u32 usize }

impl Shape for f64 {
    const IS_NEEDED: bool = true;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        match place.value {
            DeValue::Float(number) => float(number.as_str()).map_err(|what| place.fault(what)),
            #[expect(clippy::cast_precision_loss, reason = "a number that has a fraction is as exact as that kind is")]
            _ => place.whole_number("f64").map(|number| number as f64),
        }
    }

    fn nothing() -> Self {
        0.0
    }
}

/// Whatever JSON has as well.
impl Shape for Value {
    const IS_NEEDED: bool = true;

    fn read(place: &Place<'_>) -> Result<Self, Fault> {
        Ok(match place.value {
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(_) => Value::from(place.whole_number("a number")?),
            DeValue::Float(_) => Value::from(f64::read(place)?),
            DeValue::Array(_) => Value::Array(Vec::read(place)?),
            DeValue::Table(_) => {
                let mut members = Map::new();
                for (name, value) in Named::read(place)?.0 {
                    members.insert(name.into_inner(), value);
                }
                Value::Object(members)
            }
            DeValue::String(_) | DeValue::Datetime(_) => Value::String(String::read(place)?),
        })
    }

    fn nothing() -> Self {
        Value::Null
    }
}

fn integer(number: &DeInteger<'_>) -> Result<i64, &'static str> {
    i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| "this number is too large")
}

fn float(number: &str) -> Result<f64, &'static str> {
    match number.trim_start_matches('+') {
        "inf" => Ok(f64::INFINITY),
        "-inf" => Ok(f64::NEG_INFINITY),
        "nan" | "-nan" => Ok(f64::NAN),
        number => json::number(number).ok_or("this is no number"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    tables! {
        struct File {
            number: Option<u32>,
            list: Option<Vec<Spanned<String>>>,
            table: Option<Value>,
            named: Named<Spanned<f64>>,
            inner: Inner,
            r#enum: Option<Needed>,
        }

        struct Inner {
            is_there: bool,
            path: Option<PathBuf>,
        }

        struct Needed {
            name: Spanned<String>,
            is_there: bool,
            inner: Option<Placed>,
        }

        struct Placed {
            list: Spanned<Vec<String>>,
        }
    }

    /// What is said, and of which text.
    fn fault(text: &str) -> (String, &str) {
        let fault = read::<File>(text).err().unwrap();
        (fault.what, &text[fault.span.unwrap()])
    }

    #[test]
    fn a_fault_is_told_with_the_place_of_the_value_or_key() {
        let told = |text| fault(text).1;
        assert_eq!(told("number = 'x'"), "'x'");
        assert_eq!(told("number = 5_000_000_000"), "5_000_000_000");
        assert_eq!(told("number = 0xffff_ffff_ffff_ffff_ffff"), "0xffff_ffff_ffff_ffff_ffff");
        assert_eq!(told("list = ['a', 1]"), "1");
        assert_eq!(told("list = ['a', 2020-01-01]"), "2020-01-01");
        assert_eq!(told("table = { a = 1 }\nnamed = { a = 1.5, b = 'c' }"), "'c'");
        assert_eq!(told("number = 1\nother = 2"), "other");
        assert_eq!(fault("number = -1").0, "invalid value: integer `-1`, expected u32");
        assert_eq!(fault("number = true").0, "invalid type: boolean `true`, expected u32");
        assert_eq!(fault("number = 'x'").0, "invalid type: string \"x\", expected u32");
        assert_eq!(fault("number = 1.5").0, "invalid type: floating point `1.5`, expected u32");
        assert_eq!(fault("number = [1]").0, "invalid type: sequence, expected u32");
        assert_eq!(fault("number = 2020-01-01").0, "a date has no meaning here: put it in quotes");
        assert_eq!(fault("list = { a = 1 }").0, "invalid type: map, expected a sequence");
        assert_eq!(fault("named = 1").0, "invalid type: integer `1`, expected a table, such as { name = … }");
        assert_eq!(
            fault("table = { a = [2020-01-01] }"),
            ("a date has no meaning here: put it in quotes".to_owned(), "2020-01-01")
        );
        assert_eq!(fault("inner = []").0, "invalid type: sequence, expected a table");
        assert_eq!(fault("inner = { path = 1 }").0, "invalid type: integer `1`, expected path string");
        assert_eq!(fault("inner = { paht = 1 }").0, "unknown field `paht`, expected `is_there` or `path`");
        assert_eq!(fault("list = [7]").0, "invalid type: integer `7`, expected a string");
        assert!(read::<File>("number = 1 2").err().unwrap().span.is_some());
    }

    #[test]
    fn a_table_lacks_what_it_must_have_once_nothing_in_it_is_unknown() {
        assert_eq!(fault("number = 1\n[enum]\nis_there = true"), ("missing field `name`".to_owned(), "[enum]"));
        assert_eq!(fault("[enum]\nnmae = 'x'").1, "nmae");
        let lacks_list = "number = 1\n[enum]\nname = 'x'\n[enum.inner]\n";
        assert_eq!(fault(lacks_list), ("missing field `list`".to_owned(), "[enum.inner]"));
        let inner = read::<File>(&format!("{lacks_list}list = []")).unwrap().r#enum.unwrap().inner.unwrap();
        assert!(inner.list.get_ref().is_empty());
        let file: File = read("enum.name = 'x'").unwrap();
        let needed = file.r#enum.unwrap();
        assert_eq!(
            (needed.name.get_ref().as_str(), needed.is_there, file.inner.is_there, file.inner.path),
            ("x", false, false, None)
        );
    }

    #[test]
    fn every_kind_of_value_is_read() {
        let text = "number = 7\nlist = [\"a\\u00e4\", '''b''']\nnamed.one = 1e3\nnamed.\"two\" = +2.5\n\
                    [table]\na = [1, { b = true }]\nc = 'text'\n";
        let file: File = read(text).unwrap();
        assert_eq!(file.number, Some(7));
        let list = file.list.unwrap();
        assert_eq!((list[0].get_ref().as_str(), &text[list[0].span()], list[1].get_ref().as_str()), ("aä", "\"a\\u00e4\"", "b"));
        assert_eq!(serde_json::json!(file.table), serde_json::json!({ "a": [1, { "b": true }], "c": "text" }));
        let named: Vec<_> = file.named.0.iter().map(|(name, value)| (&text[name.span()], *value.get_ref())).collect();
        assert_eq!(named, [("one", 1000.0), ("\"two\"", 2.5)]);
        assert!(read::<File>("").unwrap().number.is_none());
    }
}
