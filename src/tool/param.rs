//! Arguments that clients repeat in headers of their own, so that proxies can route by them (MCP 2026-07-28,
//! basic/transports, custom headers).

use serde_json::Value;

/// An argument that its schema marks with `x-mcp-header`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    /// Where it stands in the arguments: a name, or names one within the other. Empty where the mark is at a place that no
    /// names lead to.
    pub(crate) path: Vec<String>,
    /// The header, in lower case.
    pub(crate) header: String,
    /// Whether it is of a kind that fits into a header.
    is_simple: bool,
}

impl Param {
    pub(super) fn new(path: Vec<String>, header: &str, is_simple: bool) -> Self {
        Param { path, header: format!("mcp-param-{}", header.to_ascii_lowercase()), is_simple }
    }

    /// Those that `schema` marks.
    pub(crate) fn of(schema: &Value) -> Vec<Param> {
        let mut params = Vec::new();
        collect(schema, &mut Vec::new(), &mut params);
        params
    }

    /// Whether clients can send all of them. They leave a tool out of the list where they cannot.
    pub(crate) fn check(params: &[Param]) -> Result<(), &'static str> {
        let is_token = |name: &str| !name.is_empty() && name.bytes().all(is_tchar);
        if params.iter().any(|param| param.path.is_empty()) {
            return Err("an x-mcp-header belongs to a property that plain `properties` lead to");
        }
        if !params.iter().all(|param| is_token(&param.header["mcp-param-".len()..])) {
            return Err("an x-mcp-header is the name of a header: letters, digits and hyphens");
        }
        if !params.iter().all(|param| param.is_simple) {
            return Err("an x-mcp-header belongs to a string, an integer or a boolean");
        }
        let is_again = |(index, param): (usize, &Param)| params[..index].iter().any(|other| other.header == param.header);
        if params.iter().enumerate().any(is_again) {
            return Err("an x-mcp-header stands for one argument, and upper and lower case are the same");
        }
        Ok(())
    }
}

const MARK: &str = "x-mcp-header";

/// Collects the marks of `schema`, which stands at `path`, as far as plain `properties` lead.
fn collect(schema: &Value, path: &mut Vec<String>, params: &mut Vec<Param>) {
    let Some(keywords) = schema.as_object() else { return };
    for (keyword, value) in keywords {
        match (keyword.as_str(), value.as_object()) {
            (MARK, _) => {
                let is_simple = matches!(schema["type"].as_str(), Some("string" | "integer" | "boolean"));
                params.push(Param::new(path.clone(), value.as_str().unwrap_or_default(), is_simple));
            }
            ("properties", Some(properties)) => {
                for (name, property) in properties {
                    path.push(name.clone());
                    collect(property, path, params);
                    path.pop();
                }
            }
            // What these hold are values, not schemas.
            ("const" | "default" | "enum" | "examples", _) => {}
            _ => collect_strays(value, params),
        }
    }
}

/// Collects the marks at places that no client can read an argument from.
fn collect_strays(value: &Value, params: &mut Vec<Param>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| collect_strays(item, params)),
        Value::Object(members) => members.iter().for_each(|(name, member)| match name.as_str() {
            MARK => params.push(Param::new(Vec::new(), member.as_str().unwrap_or_default(), false)),
            _ => collect_strays(member, params),
        }),
        _ => {}
    }
}

/// RFC 9110 5.6.2.
fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Arg;
    use serde_json::json;

    fn check(properties: &Value) -> Result<(), &'static str> {
        Param::check(&Param::of(&json!({ "type": "object", "properties": properties })))
    }

    #[test]
    fn marks_that_no_client_can_follow_are_refused() {
        for name in [json!(""), json!("a b"), json!("ä"), json!("a:b"), json!("a\r\nb"), json!(5)] {
            assert!(check(&json!({"a": {"type": "string", "x-mcp-header": name}})).is_err(), "{name}");
        }
        for kind in [json!("number"), json!("object"), json!("array"), json!(["string", "null"]), Value::Null] {
            assert!(check(&json!({"a": {"type": kind, "x-mcp-header": "A"}})).is_err(), "{kind}");
        }
        let twice = json!({"a": {"type": "string", "x-mcp-header": "Region"}, "b": {"type": "string", "x-mcp-header": "region"}});
        assert!(check(&twice).is_err());
    }

    #[test]
    fn an_argument_is_marked_as_a_schema_is() {
        let check = |args: &[Arg]| Param::check(&args.iter().filter_map(Arg::param).collect::<Vec<_>>());
        for name in ["", "a b", "ä", "a:b", "a\r\nb"] {
            assert!(check(&[Arg::string("a", "").header(name)]).is_err(), "{name}");
        }
        assert!(check(&[Arg::number("a", "").header("A")]).is_err());
        assert!(check(&[Arg::strings("a", "").header("A")]).is_err());
        assert!(check(&[Arg::string("a", "").header("Region"), Arg::string("b", "").header("region")]).is_err());
        let args = [Arg::string("a", "").header("A"), Arg::integer("b", "").header("B"), Arg::boolean("c", "").header("C")];
        assert!(check(&args).is_ok());
        assert_eq!(args[0].param(), Some(Param::new(vec!["a".into()], "A", true)));
        assert_eq!(Arg::string("a", "").param(), None);
    }

    #[test]
    fn marks_where_no_plain_properties_lead_are_refused() {
        let marked = json!({"type": "string", "x-mcp-header": "A"});
        for keyword in ["items", "additionalProperties", "not", "if", "then", "else"] {
            assert!(check(&json!({"a": {"type": "object", keyword: marked}})).is_err(), "{keyword}");
            assert!(check(&json!({"a": {"type": "object", keyword: {"properties": {"b": marked}}}})).is_err(), "{keyword}");
        }
        for keyword in ["oneOf", "anyOf", "allOf", "prefixItems"] {
            assert!(check(&json!({"a": {"type": "object", keyword: [marked]}})).is_err(), "{keyword}");
        }
        for keyword in ["$defs", "patternProperties", "dependentSchemas"] {
            assert!(Param::check(&Param::of(&json!({"type": "object", keyword: {"a": marked}}))).is_err(), "{keyword}");
        }
        assert!(Param::check(&Param::of(&json!({"type": "string", "x-mcp-header": "A"}))).is_err());
    }

    #[test]
    fn marks_are_found_within_objects() {
        let schema = json!({"type": "object", "properties": {
            "to": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
            "note": {"type": "object", "default": {"x-mcp-header": "a value"}},
            "urgent": {"type": "boolean", "x-mcp-header": "Urgent"},
        }});
        let params = Param::of(&schema);
        assert!(Param::check(&params).is_ok());
        let found: Vec<_> = params.iter().map(|param| (param.path.join("/"), param.header.as_str())).collect();
        assert_eq!(found, [("to/region".into(), "mcp-param-region"), ("urgent".into(), "mcp-param-urgent")]);
    }
}
