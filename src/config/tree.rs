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
use toml::de::{DeArray, DeInteger, DeTable, DeValue};

/// What is wrong with a file, and where.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) what: String,
    pub(super) span: Option<Range<usize>>,
}

/// What can stand in a file.
pub(super) trait Shape {
    /// What it is where nothing stands.
    fn nothing() -> Self
    where
        Self: Sized;

    /// Whether something must stand there.
    fn is_needed(&self) -> bool;

    /// Takes what stands there.
    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault>;
}

/// Reads a whole file.
pub(super) fn read<T: Shape>(text: &str) -> Result<T, Fault> {
    let parsed = DeTable::parse(text);
    let table = parsed.map_err(|error| Fault { what: error.message().to_owned(), span: error.span() })?;
    let span = table.span();
    let mut read = T::nothing();
    read.read(&Place { value: &DeValue::Table(table.into_inner()), span }).map(|()| read)
}

/// Tables, whose keys are the names of their fields. Whatever they do not name is refused.
macro_rules! tables {
    ($($(#[$about:meta])* $sight:vis struct $name:ident { $($field_sight:vis $field:ident: $shape:ty,)* })*) => {$(
        $(#[$about])*
        $sight struct $name { $($field_sight $field: $shape,)* }

        impl $crate::config::tree::Shape for $name {
            fn nothing() -> Self {
                $name { $($field: $crate::config::tree::Shape::nothing(),)* }
            }

            fn is_needed(&self) -> bool {
                false $(|| self.$field.is_needed())*
            }

            fn read(&mut self, place: &$crate::config::tree::Place<'_>) -> Result<(), $crate::config::tree::Fault> {
                const KEYS: &[&str] = &[$($crate::config::tree::key(stringify!($field)),)*];
                place.fill(KEYS, &mut [$(&mut self.$field,)*])
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

    /// Reads what a table has for each of its keys, and that it has no others. What is in a table is not of one type, so that this
    /// is compiled once.
    pub(super) fn fill(&self, keys: &'static [&'static str], fields: &mut [&mut dyn Shape]) -> Result<(), Fault> {
        let table = self.table("a table")?;
        if let Some(key) = table.keys().find(|key| !keys.contains(&key.get_ref().as_ref())) {
            return Err(Fault { what: Told::unknown_field(key.get_ref(), keys).to_string(), span: Some(key.span()) });
        }
        for (key, field) in keys.iter().zip(fields) {
            match table.get(*key) {
                Some(value) => field.read(&Place::of(value))?,
                None if field.is_needed() => return Err(self.fault(Told::missing_field(key).to_string())),
                None => {}
            }
        }
        Ok(())
    }

    fn table(&self, expected: &str) -> Result<&'t DeTable<'t>, Fault> {
        if let DeValue::Table(table) = self.value { Ok(table) } else { Err(self.mismatch(expected)) }
    }

    pub(super) fn text(&self, expected: &str) -> Result<&'t str, Fault> {
        if let DeValue::String(text) = self.value { Ok(text) } else { Err(self.mismatch(expected)) }
    }

    pub(super) fn list(&self, expected: &str) -> Result<&'t DeArray<'t>, Fault> {
        if let DeValue::Array(items) = self.value { Ok(items) } else { Err(self.mismatch(expected)) }
    }

    /// A whole number, which may be too large for its kind.
    pub(super) fn whole<T: TryFrom<i64>>(&self, kind: &str) -> Result<T, Fault> {
        let number = self.whole_number(kind)?;
        T::try_from(number).map_err(|_| self.fault(Told::invalid_value(Unexpected::Signed(number), &kind).to_string()))
    }

    fn number(&self) -> Result<f64, Fault> {
        match self.value {
            DeValue::Float(number) => float(number.as_str()).map_err(|what| self.fault(what)),
            #[expect(clippy::cast_precision_loss, reason = "a number that has a fraction is as exact as that kind is")]
            _ => self.whole_number("f64").map(|number| number as f64),
        }
    }

    /// Whatever JSON has as well.
    fn json(&self) -> Result<Value, Fault> {
        Ok(match self.value {
            DeValue::Boolean(flag) => Value::Bool(*flag),
            DeValue::Integer(_) => Value::from(self.whole_number("a number")?),
            DeValue::Float(_) => Value::from(self.number()?),
            DeValue::Array(items) => {
                let mut read = Vec::with_capacity(items.len());
                for item in items {
                    read.push(Place::of(item).json()?);
                }
                Value::Array(read)
            }
            DeValue::Table(table) => {
                let mut members = Map::new();
                for (name, value) in table {
                    members.insert(name.get_ref().to_string(), Place::of(value).json()?);
                }
                Value::Object(members)
            }
            DeValue::String(_) | DeValue::Datetime(_) => Value::String(self.text("a string")?.to_owned()),
        })
    }

    fn whole_number(&self, expected: &str) -> Result<i64, Fault> {
        let DeValue::Integer(number) = self.value else { return Err(self.mismatch(expected)) };
        integer(number).map_err(|what| self.fault(what))
    }

    /// That this is not what was `expected`, or nothing that could be.
    fn mismatch(&self, expected: &str) -> Fault {
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

/// What stands somewhere must stand there, even if it may be empty.
impl<T: Shape> Shape for Spanned<T> {
    fn nothing() -> Self {
        Spanned::new(0..0, T::nothing())
    }

    fn is_needed(&self) -> bool {
        true
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        *self = Spanned::new(place.span.clone(), T::nothing());
        self.as_mut().read(place)
    }
}

impl<T: Shape> Shape for Option<T> {
    fn nothing() -> Self {
        None
    }

    fn is_needed(&self) -> bool {
        false
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        self.insert(T::nothing()).read(place)
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn nothing() -> Self {
        Vec::new()
    }

    fn is_needed(&self) -> bool {
        false
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        for item in place.list("a sequence")? {
            let mut read = T::nothing();
            read.read(&Place::of(item))?;
            self.push(read);
        }
        Ok(())
    }
}

/// Tables with names of the owner's own, such as `[auth.users.NAME]`, in the order of the names.
pub(super) struct Named<T>(pub(super) Vec<(Spanned<String>, T)>);

impl<T: Shape> Shape for Named<T> {
    fn nothing() -> Self {
        Named(Vec::new())
    }

    fn is_needed(&self) -> bool {
        false
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        for (name, value) in place.table("a table, such as { name = … }")? {
            let mut read = T::nothing();
            read.read(&Place::of(value))?;
            self.0.push((Spanned::new(name.span(), name.get_ref().to_string()), read));
        }
        Ok(())
    }
}

impl Shape for bool {
    fn nothing() -> Self {
        false
    }

    fn is_needed(&self) -> bool {
        false
    }

    fn read(&mut self, place: &Place<'_>) -> Result<(), Fault> {
        let DeValue::Boolean(flag) = place.value else { return Err(place.mismatch("a boolean")) };
        *self = *flag;
        Ok(())
    }
}

/// Kinds of one value, which must be there.
macro_rules! values {
    ($($kind:ty: $nothing:expr, |$place:ident| $read:expr;)*) => {$(
        impl Shape for $kind {
            fn nothing() -> Self {
                $nothing
            }

            fn is_needed(&self) -> bool {
                true
            }

            fn read(&mut self, $place: &Place<'_>) -> Result<(), Fault> {
                *self = $read;
                Ok(())
            }
        }
    )*};
}
values! {
    String: String::new(), |place| place.text("a string")?.to_owned();
    PathBuf: PathBuf::new(), |place| place.text("path string")?.into();
    u32: 0, |place| place.whole("u32")?;
    usize: 0, |place| place.whole("usize")?;
    f64: 0.0, |place| place.number()?;
    Value: Value::Null, |place| place.json()?;
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
