//! The arguments of a tool: what clients are told about them, and the check that they hold.

use crate::tool::{Param, Pattern, ToolError};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde_json::{Number, Value};
use std::borrow::Cow;
use std::fmt::Write;

/// What an argument is.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Kind {
    /// A whole number; `3.0` is one (JSON Schema 2020-12, 6.1.1).
    Integer,
    /// Any number.
    Number,
    /// Text.
    String,
    /// True or false.
    Boolean,
    /// A list of texts.
    Strings,
}

impl Kind {
    fn name(&self) -> &'static str {
        match self {
            Kind::Integer => "an integer",
            Kind::Number => "a number",
            Kind::String => "a string",
            Kind::Boolean => "true or false",
            Kind::Strings => "an array of strings",
        }
    }
}

/// One argument.
#[derive(Clone, Debug)]
pub struct Arg {
    pub(crate) name: String,
    about: String,
    kind: Kind,
    is_optional: bool,
    default: Option<Value>,
    range: Option<(f64, f64)>,
    chars: Option<(usize, usize)>,
    items: Option<(usize, usize)>,
    one_of: Vec<String>,
    pattern: Option<Pattern>,
    pub(crate) is_secret: bool,
    header: Option<String>,
}

impl Arg {
    fn new(kind: Kind, name: impl Into<String>, about: impl Into<String>) -> Self {
        let (name, about) = (name.into(), about.into());
        Arg {
            name,
            about,
            kind,
            is_optional: false,
            default: None,
            range: None,
            chars: None,
            items: None,
            one_of: Vec::new(),
            pattern: None,
            is_secret: false,
            header: None,
        }
    }

    /// A whole number.
    pub fn integer(name: impl Into<String>, about: impl Into<String>) -> Self {
        Arg::new(Kind::Integer, name, about)
    }

    /// Any number.
    pub fn number(name: impl Into<String>, about: impl Into<String>) -> Self {
        Arg::new(Kind::Number, name, about)
    }

    /// Text.
    pub fn string(name: impl Into<String>, about: impl Into<String>) -> Self {
        Arg::new(Kind::String, name, about)
    }

    /// True or false.
    pub fn boolean(name: impl Into<String>, about: impl Into<String>) -> Self {
        Arg::new(Kind::Boolean, name, about)
    }

    /// A list of texts.
    pub fn strings(name: impl Into<String>, about: impl Into<String>) -> Self {
        Arg::new(Kind::Strings, name, about)
    }

    /// A number must lie in `least..=most`; either may be infinite.
    pub fn between(mut self, least: impl Into<f64>, most: impl Into<f64>) -> Self {
        self.range = Some((least.into(), most.into()));
        self
    }

    /// A text, or each text of a list, must have this many characters.
    pub fn chars(mut self, least: usize, most: usize) -> Self {
        self.chars = Some((least, most));
        self
    }

    /// A list must have this many texts.
    pub fn items(mut self, least: usize, most: usize) -> Self {
        self.items = Some((least, most));
        self
    }

    /// A text, or each text of a list, must match this as a whole.
    pub fn pattern(mut self, pattern: Pattern) -> Self {
        self.pattern = Some(pattern);
        self
    }

    /// The audit does not show it.
    pub fn secret(mut self) -> Self {
        self.is_secret = true;
        self
    }

    /// A text, or each text of a list, must be one of these.
    pub fn one_of<S: Into<String>>(mut self, choices: impl IntoIterator<Item = S>) -> Self {
        self.one_of = choices.into_iter().map(Into::into).collect();
        self
    }

    /// May be left out; `null` counts as left out.
    pub fn optional(mut self) -> Self {
        self.is_optional = true;
        self
    }

    /// May be left out, and is `value` then.
    pub fn default(mut self, value: impl Into<Value>) -> Self {
        self.default = Some(value.into());
        self.optional()
    }

    /// Clients repeat it in the header `Mcp-Param-{name}` (from 2026-07-28 on), so that proxies can route by it; a call
    /// whose header and argument differ is refused. `name` is letters, digits and hyphens, and stands for one argument of
    /// a tool; the argument is a text, a whole number, or true or false.
    ///
    /// ```
    /// use perchd::{Arg, Tool};
    ///
    /// let reboot = Tool::new("reboot", "Reboots a board")
    ///     .arg(Arg::string("rack", "where it stands").header("Rack"))
    ///     .handler(|call| async move { Ok(format!("rebooting {}", call.arg::<String>("rack")?)) });
    /// ```
    pub fn header(mut self, name: impl Into<String>) -> Self {
        self.header = Some(name.into());
        self
    }

    /// What it is called.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// What it is for.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// What it is.
    pub fn kind(&self) -> &Kind {
        &self.kind
    }

    /// Whether something stands in for it where it is left out.
    pub(crate) fn has_default(&self) -> bool {
        self.default.is_some()
    }

    /// Whether a call must give it.
    pub fn is_required(&self) -> bool {
        !self.is_optional
    }

    /// A value of it as the audit shows it.
    pub(crate) fn redacted(&self, value: &Value) -> Value {
        const ITEMS: usize = 4;
        match value {
            _ if self.is_secret => Value::from("(secret)"),
            Value::String(text) => Value::from(shortened(text)),
            Value::Array(items) => {
                let more = (items.len() > ITEMS).then(|| Value::from(format!("… {} items", items.len())));
                items.iter().take(ITEMS).map(|item| self.redacted(item)).chain(more).collect()
            }
            other => other.clone(),
        }
    }

    /// As a field of a form, which no header goes with.
    pub(super) fn without_header(&self) -> Self {
        Arg { header: None, ..self.clone() }
    }

    /// As an argument that a header repeats, if it is one.
    pub(super) fn param(&self) -> Option<Param> {
        let is_simple = matches!(self.kind, Kind::Integer | Kind::String | Kind::Boolean);
        self.header.as_deref().map(|header| Param::new(vec![self.name.clone()], header, is_simple))
    }

    /// What `value` is as this argument; `None` where it is left out and nothing stands in for it.
    pub(crate) fn check(&self, value: Option<Value>) -> Result<Option<Value>, ToolError> {
        let Some(value) = value.filter(|value| !value.is_null()) else {
            return match (&self.default, self.is_optional) {
                (Some(default), _) => Ok(Some(default.clone())),
                (None, true) => Ok(None),
                (None, false) => Err(ToolError::new(format!("Argument `{}` is missing: {}.", self.name, self.wish()))),
            };
        };
        match self.accepted(value) {
            Ok(value) => Ok(Some(value)),
            Err(value) => {
                Err(ToolError::new(format!("Argument `{}` is {}, but it must be {}.", self.name, shown(&value), self.wish())))
            }
        }
    }

    /// The value, made what the kind asks for, or the value back if it does not fit.
    fn accepted(&self, value: Value) -> Result<Value, Value> {
        let is_good = match (&self.kind, &value) {
            (Kind::Integer, Value::Number(number)) => match whole(number) {
                Some(whole) if self.is_in_range(&whole) => return Ok(Value::Number(whole)),
                _ => false,
            },
            (Kind::Number, Value::Number(number)) => self.is_in_range(number),
            (Kind::String, Value::String(text)) => self.fits(text),
            (Kind::Boolean, Value::Bool(_)) => true,
            (Kind::Strings, Value::Array(items)) => {
                let is_count_good = self.items.is_none_or(|(least, most)| (least..=most).contains(&items.len()));
                is_count_good && items.iter().all(|item| item.as_str().is_some_and(|text| self.fits(text)))
            }
            _ => false,
        };
        if is_good { Ok(value) } else { Err(value) }
    }

    fn is_in_range(&self, number: &Number) -> bool {
        let number = number.as_f64().unwrap_or(f64::NAN);
        self.range.is_none_or(|(least, most)| (least..=most).contains(&number))
    }

    fn fits(&self, text: &str) -> bool {
        let is_long_enough = self.chars.is_none_or(|(least, most)| {
            // A text has at most as many characters as bytes: long ones need not be counted to be refused.
            text.len() >= least && text.len() <= most.saturating_mul(4) && (least..=most).contains(&text.chars().count())
        });
        is_long_enough
            && (self.one_of.is_empty() || self.one_of.iter().any(|choice| choice == text))
            && self.pattern.as_ref().is_none_or(|pattern| pattern.is_match(text))
    }

    /// What it must be, in words.
    fn wish(&self) -> String {
        let mut wish = self.kind.name().to_owned();
        let _ = match self.range {
            Some((least, f64::INFINITY)) => write!(wish, " of at least {least}"),
            Some((f64::NEG_INFINITY, most)) => write!(wish, " of at most {most}"),
            Some((least, most)) => write!(wish, " between {least} and {most}"),
            None => Ok(()),
        };
        if let Some((least, most)) = self.items {
            let _ = write!(wish, " with {least} to {most} items");
        }
        if let Some((least, most)) = self.chars {
            let _ = write!(wish, " of {least} to {most} characters");
        }
        if !self.one_of.is_empty() {
            let _ = write!(wish, ", one of {}", self.one_of.join(", "));
        }
        if let Some(pattern) = &self.pattern {
            let _ = write!(wish, ", and match {}", pattern.as_str());
        }
        wish
    }
}

/// A number as a whole one, if it is whole.
fn whole(number: &Number) -> Option<Number> {
    if number.is_i64() || number.is_u64() {
        return Some(number.clone());
    }
    let float = number.as_f64()?;
    // Beyond 2^53 a float does not say which whole number is meant.
    #[allow(clippy::cast_possible_truncation)]
    (float.fract() == 0.0 && float.abs() <= 9_007_199_254_740_992.0).then(|| Number::from(float as i64))
}

/// A value as an error shows it: short, and never a whole megabyte of it.
fn shown(value: &Value) -> String {
    match value {
        Value::Array(_) => "an array".to_owned(),
        Value::Object(_) => "an object".to_owned(),
        other => shortened(&other.to_string()).into_owned(),
    }
}

/// The beginning of a text.
fn shortened(text: &str) -> Cow<'_, str> {
    const CHARS: usize = 40;
    match text.char_indices().nth(CHARS) {
        Some((end, _)) => format!("{}…", &text[..end]).into(),
        None => text.into(),
    }
}

/// As a property of an `inputSchema` (JSON Schema 2020-12).
impl Serialize for Arg {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let kind = match self.kind {
            Kind::Integer => "integer",
            Kind::Number => "number",
            Kind::String => "string",
            Kind::Boolean => "boolean",
            Kind::Strings => "array",
        };
        map.serialize_entry("type", kind)?;
        if !self.about.is_empty() {
            map.serialize_entry("description", &self.about)?;
        }
        if self.kind == Kind::Strings {
            map.serialize_entry("items", &Texts(self))?;
            if let Some((least, most)) = self.items {
                map.serialize_entry("minItems", &least)?;
                map.serialize_entry("maxItems", &most)?;
            }
        } else {
            self.serialize_bounds(&mut map)?;
        }
        if let Some(default) = &self.default {
            map.serialize_entry("default", default)?;
        }
        if let Some(header) = &self.header {
            map.serialize_entry("x-mcp-header", header)?;
        }
        map.end()
    }
}

impl Arg {
    fn serialize_bounds<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        if let Some((least, most)) = self.range {
            for (name, bound) in [("minimum", least), ("maximum", most)].into_iter().filter(|(_, bound)| bound.is_finite()) {
                map.serialize_entry(name, &as_json(bound))?;
            }
        }
        if let Some((least, most)) = self.chars {
            map.serialize_entry("minLength", &least)?;
            map.serialize_entry("maxLength", &most)?;
        }
        if !self.one_of.is_empty() {
            map.serialize_entry("enum", &self.one_of)?;
        }
        if let Some(pattern) = &self.pattern {
            map.serialize_entry("pattern", pattern.as_str())?;
        }
        Ok(())
    }
}

/// A bound as people write it: `20`, not `20.0`.
fn as_json(bound: f64) -> Value {
    let number = Number::from_f64(bound);
    let as_written = number.as_ref().and_then(whole).or(number);
    as_written.map_or(Value::Null, Value::Number)
}

/// The texts of a list.
struct Texts<'a>(&'a Arg);

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "string")?;
        self.0.serialize_bounds(&mut map)?;
        map.end()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn refusal(arg: &Arg, value: Value) -> String {
        arg.check(Some(value)).unwrap_err().to_string()
    }

    #[test]
    fn a_value_of_another_kind_is_refused_in_words() {
        let times = Arg::integer("times", "how often").between(1, 20);
        assert_eq!(refusal(&times, json!("x")), "Argument `times` is \"x\", but it must be an integer between 1 and 20.");
        assert_eq!(refusal(&times, json!(21)), "Argument `times` is 21, but it must be an integer between 1 and 20.");
        assert_eq!(refusal(&times, json!(1.5)), "Argument `times` is 1.5, but it must be an integer between 1 and 20.");
        assert_eq!(
            refusal(&times, json!({"a": 1})),
            "Argument `times` is an object, but it must be an integer between 1 and 20."
        );
        assert_eq!(times.check(None).unwrap_err().to_string(), "Argument `times` is missing: an integer between 1 and 20.");
    }

    #[test]
    fn a_long_value_is_shown_short() {
        let refusal = refusal(&Arg::number("n", ""), json!("ä".repeat(20_000)));
        assert!(refusal.len() < 200, "{}", refusal.len());
    }

    #[test]
    fn a_whole_float_is_an_integer_and_a_huge_one_is_not() {
        let n = Arg::integer("n", "");
        assert_eq!(n.check(Some(json!(3.0))).unwrap(), Some(json!(3)));
        assert!(n.check(Some(json!(1e300))).is_err());
        assert_eq!(n.check(Some(json!(u64::MAX))).unwrap(), Some(json!(u64::MAX)));
    }

    #[test]
    fn texts_keep_to_their_choices_and_lengths() {
        let unit = Arg::string("unit", "").one_of(["nginx", "pihole"]);
        assert!(unit.check(Some(json!("nginx"))).is_ok());
        assert!(unit.check(Some(json!("nginx "))).is_err());
        let name = Arg::string("name", "").chars(1, 3);
        assert!(name.check(Some(json!(""))).is_err());
        assert!(name.check(Some(json!("äöü"))).is_ok());
        assert!(name.check(Some(json!("äöüß"))).is_err());
        let names = Arg::strings("names", "").chars(1, 3);
        assert!(names.check(Some(json!(["a", "bcd"]))).is_ok());
        assert!(names.check(Some(json!(["a", 1]))).is_err());
        assert!(names.check(Some(json!("a"))).is_err());
    }

    #[test]
    fn lists_keep_to_their_count_and_texts_to_their_pattern() {
        let names = Arg::strings("names", "").items(1, 2).pattern(Pattern::new("[a-z]+").unwrap());
        assert!(names.check(Some(json!([]))).is_err());
        assert!(names.check(Some(json!(["a", "b", "c"]))).is_err());
        assert!(names.check(Some(json!(["a", "B"]))).is_err());
        assert!(names.check(Some(json!(["a", "b"]))).is_ok());
        assert!(refusal(&names, json!("a")).ends_with("must be an array of strings with 1 to 2 items, and match ^(?:[a-z]+)$."));
    }

    #[test]
    fn a_bound_may_stand_alone() {
        let least = Arg::integer("n", "").between(1, f64::INFINITY);
        assert_eq!(refusal(&least, json!(0)), "Argument `n` is 0, but it must be an integer of at least 1.");
        assert_eq!(serde_json::to_string(&least).unwrap(), r#"{"type":"integer","minimum":1}"#);
        let most = Arg::number("n", "").between(f64::NEG_INFINITY, 9);
        assert_eq!(refusal(&most, json!(9.5)), "Argument `n` is 9.5, but it must be a number of at most 9.");
    }

    #[test]
    fn the_audit_sees_the_beginning_of_a_value_and_of_a_secret_nothing() {
        let text = Arg::string("text", "");
        assert_eq!(text.redacted(&json!("short")), json!("short"));
        assert_eq!(text.redacted(&json!("ä".repeat(100))), json!(format!("{}…", "ä".repeat(40))));
        assert_eq!(Arg::strings("t", "").redacted(&json!(vec!["a"; 9])), json!(["a", "a", "a", "a", "… 9 items"]));
        assert_eq!(Arg::string("pin", "").secret().redacted(&json!("1234")), json!("(secret)"));
        assert_eq!(Arg::strings("pin", "").secret().redacted(&json!(["1234"])), json!("(secret)"));
    }

    #[test]
    fn null_counts_as_left_out() {
        assert_eq!(Arg::boolean("b", "").optional().check(Some(Value::Null)).unwrap(), None);
        assert_eq!(Arg::boolean("b", "").default(true).check(Some(Value::Null)).unwrap(), Some(json!(true)));
        assert!(Arg::boolean("b", "").check(Some(Value::Null)).is_err());
    }

    #[test]
    fn the_schema_says_what_the_check_does() {
        let schema = |arg: Arg| serde_json::to_string(&arg).unwrap();
        assert_eq!(
            schema(Arg::integer("t", "how often").between(1, 20)),
            r#"{"type":"integer","description":"how often","minimum":1,"maximum":20}"#
        );
        assert_eq!(
            schema(Arg::strings("t", "").one_of(["a"]).default(json!(["a"]))),
            r#"{"type":"array","items":{"type":"string","enum":["a"]},"default":["a"]}"#
        );
        assert_eq!(schema(Arg::string("t", "").chars(1, 2)), r#"{"type":"string","minLength":1,"maxLength":2}"#);
        assert_eq!(
            schema(Arg::strings("t", "").items(1, 3).pattern(Pattern::new("a+").unwrap())),
            r#"{"type":"array","items":{"type":"string","pattern":"^(?:a+)$"},"minItems":1,"maxItems":3}"#
        );
        assert_eq!(schema(Arg::number("t", "").between(0.5, 1)), r#"{"type":"number","minimum":0.5,"maximum":1}"#);
        assert_eq!(schema(Arg::boolean("t", "").header("Urgent")), r#"{"type":"boolean","x-mcp-header":"Urgent"}"#);
    }
}
