//! JSON Schemas as their authors wrote them: shown to clients to the letter, and checked as far as tools need it.
//!
//! The keywords `type`, `enum`, `const`, `properties`, `required`, `additionalProperties`, `items`, `minItems`, `maxItems`,
//! `minimum`, `maximum`, `minLength`, `maxLength`, `allOf`, `anyOf`, `oneOf`, `not`, `if`/`then`/`else` and `$ref` into
//! `$defs` are checked (JSON Schema 2020-12); others, such as `pattern` and `format`, are told to clients and not checked.

use crate::json::Raw;
use crate::tool::{Arguments, Output, Param, ToolError};
use serde::{Serialize, Serializer};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::fmt;

/// A schema, to the letter and in parts.
#[derive(Clone, Debug)]
pub(crate) struct Schema {
    raw: Box<RawValue>,
    value: Value,
}

/// A schema that refers to itself is followed this deep, no deeper.
const DEPTH: usize = 32;

impl Schema {
    /// The schema that `value` is.
    pub(crate) fn new(value: &Value) -> Self {
        Schema { raw: to_raw_value(value).unwrap_or_default(), value: value.clone() }
    }

    /// The properties that it marks with `x-mcp-header`.
    pub(crate) fn params(&self) -> Vec<Param> {
        Param::of(&self.value)
    }

    /// The arguments of a call, if they are as the schema says.
    pub(crate) fn read(&self, raw: Option<Raw<'_>>) -> Result<Arguments, ToolError> {
        let given = raw.map_or(Ok(Value::Null), |raw| serde_json::from_str(raw.get()));
        let given = match given.map_err(|error| ToolError::new(format!("The arguments cannot be read: {error}.")))? {
            Value::Null => Value::Object(Map::new()),
            given => given,
        };
        self.check(&given).map_err(|fault| ToolError::new(format!("The arguments are wrong: {fault}.")))?;
        let Value::Object(members) = given else { return Err(ToolError::new("The arguments must be an object.")) };
        let (names, values): (Vec<String>, Vec<Value>) = members.into_iter().unzip();
        Ok(Arguments::new(names.into(), values))
    }

    /// Whether what a tool returned is as the schema says.
    pub(crate) fn check_output(&self, output: &Output) -> Result<(), ToolError> {
        let Some(structured) = output.structured_content() else {
            return Err(ToolError::new("The tool is at fault: it returned no structured content."));
        };
        let value = serde_json::from_str(&structured)?;
        self.check(&value)
            .map_err(|fault| ToolError::new(format!("The tool is at fault: its structured content is wrong: {fault}.")))
    }

    fn check(&self, value: &Value) -> Result<(), String> {
        Checker { root: &self.value }.check(&self.value, value, &At::Root, DEPTH)
    }
}

impl Serialize for Schema {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.raw.serialize(serializer)
    }
}

/// Where in a value something stands. It is written down only where something is wrong with it.
enum At<'a> {
    Root,
    Member(&'a At<'a>, &'a str),
    Item(&'a At<'a>, usize),
}

impl fmt::Display for At<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            At::Root => Ok(()),
            At::Member(At::Root, name) => f.write_str(name),
            At::Item(At::Root, index) => write!(f, "{index}"),
            At::Member(above, name) => write!(f, "{above}/{name}"),
            At::Item(above, index) => write!(f, "{above}/{index}"),
        }
    }
}

struct Checker<'a> {
    root: &'a Value,
}

impl Checker<'_> {
    fn check(&self, schema: &Value, value: &Value, at: &At<'_>, depth: usize) -> Result<(), String> {
        let Some(depth) = depth.checked_sub(1) else { return Err(format!("{} lies too deep", place(at))) };
        let keywords = match schema {
            Value::Bool(false) => return Err(format!("{} is not allowed", place(at))),
            Value::Object(members) => Keywords::of(members),
            _ => return Ok(()),
        };
        check_kind(&keywords, value, at)?;
        if keywords.has_bounds {
            check_bounds(schema, value, at)?;
        }
        self.check_members(&keywords, value, at, depth)?;
        self.check_items(&keywords, value, at, depth)?;
        if keywords.has_applicators { self.check_applicators(schema, value, at, depth) } else { Ok(()) }
    }

    fn check_members(&self, keywords: &Keywords<'_>, value: &Value, at: &At<'_>, depth: usize) -> Result<(), String> {
        let Value::Object(members) = value else { return Ok(()) };
        let required = keywords.required.and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        for name in required.iter().filter_map(Value::as_str) {
            if !members.contains_key(name) {
                return Err(format!("{} is missing", place(&At::Member(at, name))));
            }
        }
        for (name, member) in members {
            let known = keywords.properties.and_then(|properties| properties.get(name));
            if let Some(schema) = known.or(keywords.additional) {
                self.check(schema, member, &At::Member(at, name), depth)?;
            }
        }
        Ok(())
    }

    fn check_items(&self, keywords: &Keywords<'_>, value: &Value, at: &At<'_>, depth: usize) -> Result<(), String> {
        let (Value::Array(items), Some(schema)) = (value, keywords.items) else { return Ok(()) };
        items.iter().enumerate().try_for_each(|(index, item)| self.check(schema, item, &At::Item(at, index), depth))
    }

    fn check_applicators(&self, schema: &Value, value: &Value, at: &At<'_>, depth: usize) -> Result<(), String> {
        let holds = |schema: &Value| self.check(schema, value, at, depth).is_ok();
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let target = target.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            target.map_or(Ok(()), |target| self.check(target, value, at, depth))?;
        }
        list(schema, "allOf").iter().try_for_each(|schema| self.check(schema, value, at, depth))?;
        let any = list(schema, "anyOf");
        if !any.is_empty() && !any.iter().any(holds) {
            return Err(format!("{} fits none of its alternatives", place(at)));
        }
        let one = list(schema, "oneOf");
        if !one.is_empty() && one.iter().filter(|schema| holds(schema)).count() != 1 {
            return Err(format!("{} does not fit exactly one of its alternatives", place(at)));
        }
        if schema.get("not").is_some_and(holds) {
            return Err(format!("{} is what it must not be", place(at)));
        }
        let branch = schema.get("if").map(|test| if holds(test) { "then" } else { "else" });
        branch.and_then(|branch| schema.get(branch)).map_or(Ok(()), |schema| self.check(schema, value, at, depth))
    }
}

/// What a schema says, found in one pass: most schemas have two or three keywords, and there are twenty to look for.
#[derive(Default)]
struct Keywords<'a> {
    kind: Option<&'a Value>,
    choices: Option<&'a Value>,
    constant: Option<&'a Value>,
    required: Option<&'a Value>,
    properties: Option<&'a Value>,
    additional: Option<&'a Value>,
    items: Option<&'a Value>,
    has_bounds: bool,
    has_applicators: bool,
}

impl<'a> Keywords<'a> {
    fn of(members: &'a Map<String, Value>) -> Self {
        let mut keywords = Keywords::default();
        for (name, operand) in members {
            match name.as_str() {
                "type" => keywords.kind = Some(operand),
                "enum" => keywords.choices = Some(operand),
                "const" => keywords.constant = Some(operand),
                "required" => keywords.required = Some(operand),
                "properties" => keywords.properties = Some(operand),
                "additionalProperties" => keywords.additional = Some(operand),
                "items" => keywords.items = Some(operand),
                "minimum" | "maximum" | "minLength" | "maxLength" | "minItems" | "maxItems" => keywords.has_bounds = true,
                "$ref" | "allOf" | "anyOf" | "oneOf" | "not" | "if" => keywords.has_applicators = true,
                _ => {}
            }
        }
        keywords
    }
}

fn check_kind(keywords: &Keywords<'_>, value: &Value, at: &At<'_>) -> Result<(), String> {
    let is_of = |kind: &str| match kind {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        _ => false,
    };
    let is_good = |kind: &&Value| match kind {
        Value::String(kind) => is_of(kind),
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).any(is_of),
        _ => true,
    };
    if let Some(kind) = keywords.kind.filter(|kind| !is_good(kind)) {
        return Err(format!("{} must be of type {kind}", place(at)));
    }
    let is_among = |choices: &&Value| choices.as_array().is_none_or(|choices| choices.contains(value));
    if let Some(choices) = keywords.choices.filter(|choices| !is_among(choices)) {
        return Err(format!("{} must be one of {choices}", place(at)));
    }
    match keywords.constant.filter(|constant| *constant != value) {
        Some(constant) => Err(format!("{} must be {constant}", place(at))),
        None => Ok(()),
    }
}

fn check_bounds(schema: &Value, value: &Value, at: &At<'_>) -> Result<(), String> {
    let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
    #[allow(clippy::cast_precision_loss)] // Lengths are far below 2^52.
    let (size, least, most) = match value {
        Value::Number(number) => (number.as_f64().unwrap_or(f64::NAN), "minimum", "maximum"),
        Value::String(text) => (text.chars().count() as f64, "minLength", "maxLength"),
        Value::Array(items) => (items.len() as f64, "minItems", "maxItems"),
        _ => return Ok(()),
    };
    if bound(least).is_some_and(|least| size < least) {
        return Err(format!("{} is below its {least} of {}", place(at), schema[least]));
    }
    if bound(most).is_some_and(|most| size > most) {
        return Err(format!("{} is above its {most} of {}", place(at), schema[most]));
    }
    Ok(())
}

fn list<'a>(schema: &'a Value, name: &str) -> &'a [Value] {
    schema.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

fn place(at: &At<'_>) -> String {
    match at {
        At::Root => "the value".to_owned(),
        at => format!("`{at}`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn fault(schema: &Value, value: &Value) -> String {
        Schema::new(schema).check(value).expect_err(&format!("{schema} {value}"))
    }

    #[test]
    fn each_keyword_refuses() {
        for (schema, value) in [
            (json!({"type": "string"}), json!(1)),
            (json!({"type": ["string", "null"]}), json!(1)),
            (json!({"type": "integer"}), json!(1.5)),
            (json!({"enum": ["a", 1]}), json!("b")),
            (json!({"const": 7}), json!(8)),
            (json!({"required": ["a"]}), json!({"b": 1})),
            (json!({"properties": {"a": {"type": "number"}}}), json!({"a": "x"})),
            (json!({"additionalProperties": false, "properties": {"a": true}}), json!({"a": 1, "b": 1})),
            (json!({"additionalProperties": {"type": "number"}}), json!({"b": "x"})),
            (json!({"items": {"type": "number"}}), json!([1, "x"])),
            (json!({"minItems": 1}), json!([])),
            (json!({"maxItems": 1}), json!([1, 2])),
            (json!({"minimum": 1}), json!(0)),
            (json!({"maximum": 1}), json!(1.5)),
            (json!({"minLength": 1}), json!("")),
            (json!({"maxLength": 1}), json!("ab")),
            (json!({"allOf": [{"type": "string"}, {"minLength": 2}]}), json!("a")),
            (json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), json!(1)),
            (json!({"oneOf": [{"type": "number"}, {"minimum": 1}]}), json!(2)),
            (json!({"not": {"type": "string"}}), json!("a")),
            (json!({"if": {"required": ["a"]}, "then": {"required": ["b"]}}), json!({"a": 1})),
            (json!({"if": {"required": ["a"]}, "else": {"required": ["b"]}}), json!({})),
            (json!({"$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}}), json!(1)),
            (json!(false), json!(1)),
        ] {
            fault(&schema, &value);
        }
    }

    #[test]
    fn a_schema_that_turns_in_a_circle_ends() {
        assert_eq!(fault(&json!({"$ref": "#"}), &json!(1)), "the value lies too deep");
    }

    #[test]
    fn a_fault_says_where() {
        let schema = json!({"properties": {"disks": {"items": {"required": ["mount"]}}}});
        assert_eq!(fault(&schema, &json!({"disks": [{"mount": "/"}, {}]})), "`disks/1/mount` is missing");
    }

    #[test]
    fn arguments_are_read_by_name() {
        let schema = Schema::new(&json!({"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}}));
        let arguments = schema.read(Raw::read(r#"{"n":3,"other":[1]}"#)).unwrap();
        assert_eq!(arguments.arg::<u8>("n").unwrap(), 3);
        assert_eq!(arguments.arg::<Option<u8>>("absent").unwrap(), None);
        assert_eq!(
            schema.read(Raw::read(r#"{"n":10}"#)).unwrap_err().to_string(),
            "The arguments are wrong: `n` is above its maximum of 9."
        );
    }

    #[test]
    fn a_schema_goes_out_to_the_letter() {
        let text = r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","allOf":[],"type":"object"}"#;
        assert_eq!(serde_json::to_string(&Schema::new(&serde_json::from_str(text).unwrap())).unwrap(), text);
    }
}
