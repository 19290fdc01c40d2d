//! Arguments that clients repeat in headers of their own, so that proxies can route by them (MCP 2026-07-28,
//! basic/transports, custom headers).

use serde_json::Value;

/// An argument that its schema marks with `x-mcp-header`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Param {
    /// Where it stands in the arguments: a name, or names one within the other.
    pub(crate) path: Vec<String>,
    /// The header, in lower case.
    pub(crate) header: String,
    /// Whether it is of a kind that fits into a header.
    is_simple: bool,
}

impl Param {
    /// Those that `schema` marks, as far as plain `properties` lead.
    pub(crate) fn of(schema: &Value) -> Vec<Param> {
        let mut params = Vec::new();
        collect(schema, &mut Vec::new(), &mut params);
        params
    }

    /// Whether clients can send all of them.
    pub(crate) fn check(params: &[Param]) -> Result<(), &'static str> {
        let is_token = |name: &str| !name.is_empty() && name.bytes().all(is_tchar);
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

fn collect(schema: &Value, path: &mut Vec<String>, params: &mut Vec<Param>) {
    let Some(properties) = schema.get("properties").and_then(Value::as_object) else { return };
    for (name, property) in properties {
        path.push(name.clone());
        if let Some(header) = property.get("x-mcp-header") {
            let header = header.as_str().unwrap_or_default().to_ascii_lowercase();
            let is_simple = matches!(property["type"].as_str(), Some("string" | "integer" | "boolean"));
            params.push(Param { path: path.clone(), header: format!("mcp-param-{header}"), is_simple });
        }
        collect(property, path, params);
        path.pop();
    }
}

/// RFC 9110 5.6.2.
fn is_tchar(b: u8) -> bool {
    b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b)
}

#[cfg(test)]
mod tests {
    use super::*;
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
    fn marks_are_found_within_objects() {
        let schema = json!({"type": "object", "properties": {
            "to": {"type": "object", "properties": {"region": {"type": "string", "x-mcp-header": "Region"}}},
            "items": {"type": "array", "items": {"properties": {"a": {"type": "string", "x-mcp-header": "Not-Reached"}}}},
            "urgent": {"type": "boolean", "x-mcp-header": "Urgent"},
        }});
        let params = Param::of(&schema);
        assert!(Param::check(&params).is_ok());
        let found: Vec<_> = params.iter().map(|param| (param.path.join("/"), param.header.as_str())).collect();
        assert_eq!(found, [("to/region".into(), "mcp-param-region"), ("urgent".into(), "mcp-param-urgent")]);
    }
}
