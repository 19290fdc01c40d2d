//! Arguments of a call that its headers repeat (MCP 2026-07-28, basic/transports, custom headers). A proxy may have routed
//! by them, so they must not say something else than the body.

use crate::json::Raw;
use crate::mcp::engine::Headed;
use crate::mcp::{Error, stateless};
use crate::tool::Param;
use serde_json::{Number, Value};

/// Checks the headers of a call against its arguments. Headers that the tool's schema does not name are passed over, and
/// so are those of arguments that are left out.
pub(super) fn check(params: &[Param], arguments: Option<Raw<'_>>, header: &Headed<'_>) -> Result<(), Error> {
    if params.is_empty() {
        return Ok(());
    }
    // Arguments that are no object are refused in words when they are read.
    let arguments: Value = arguments.and_then(|arguments| serde_json::from_str(arguments.get()).ok()).unwrap_or_default();
    params.iter().try_for_each(|param| {
        let argument = param.path.iter().try_fold(&arguments, |within, name| within.get(name));
        argument.map_or(Ok(()), |argument| compare(param, argument, header))
    })
}

fn compare(param: &Param, argument: &Value, header: &Headed<'_>) -> Result<(), Error> {
    if argument.is_null() || argument.is_array() || argument.is_object() {
        return Ok(());
    }
    let value = header(&param.header).ok_or_else(|| fault(param, "is missing"))?;
    let value = stateless::decode(value).ok_or_else(|| fault(param, "is no base64 of UTF-8"))?;
    let is_same = match argument {
        Value::String(text) => *value == **text,
        Value::Bool(flag) => *value == *flag.to_string(),
        Value::Number(number) => serde_json::from_str(&value).is_ok_and(|value| is_same(number, &value)),
        _ => true,
    };
    if is_same { Ok(()) } else { Err(fault(param, "and the body say different things")) }
}

fn fault(param: &Param, what: &str) -> Error {
    Error::header_mismatch(format!("The header {} {what}", param.header))
}

/// Whether two numbers are the same, however they are written: `7` and `7.0` are.
fn is_same(one: &Number, other: &Number) -> bool {
    match (one.as_i128(), other.as_i128()) {
        (Some(one), Some(other)) => one == other,
        _ => one.as_f64() == other.as_f64(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// The code of the refusal, if `headers` are refused for `arguments`.
    fn refusal(arguments: &Value, headers: &[(&str, &str)]) -> Option<i32> {
        let params = Param::of(&json!({"properties": {
            "region": {"type": "string", "x-mcp-header": "Region"},
            "priority": {"type": "integer", "x-mcp-header": "Priority"},
            "urgent": {"type": "boolean", "x-mcp-header": "Urgent"},
            "to": {"type": "object", "properties": {"rack": {"type": "string", "x-mcp-header": "Rack"}}},
            "note": {"type": "string"},
        }}));
        let arguments = arguments.to_string();
        let header = |name: &str| headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
        check(&params, Raw::read(&arguments), &header).err().map(|error| error.code)
    }

    #[test]
    fn a_header_that_is_missing_or_says_something_else_is_refused() {
        assert_eq!(refusal(&json!({"region": "eu"}), &[]), Some(-32020));
        assert_eq!(refusal(&json!({"region": "eu"}), &[("mcp-param-region", "EU")]), Some(-32020));
        assert_eq!(refusal(&json!({"region": ""}), &[]), Some(-32020));
        assert_eq!(refusal(&json!({"urgent": true}), &[("mcp-param-urgent", "True")]), Some(-32020));
        assert_eq!(refusal(&json!({"priority": 7}), &[("mcp-param-priority", "8")]), Some(-32020));
        assert_eq!(refusal(&json!({"priority": 7}), &[("mcp-param-priority", "seven")]), Some(-32020));
        assert_eq!(refusal(&json!({"to": {"rack": "a"}}), &[("mcp-param-rack", "b")]), Some(-32020));
        let neighbours = (9_007_199_254_740_993_u64, "9007199254740992");
        assert_eq!(refusal(&json!({"priority": neighbours.0}), &[("mcp-param-priority", neighbours.1)]), Some(-32020));
    }

    #[test]
    fn a_header_that_says_the_same_is_taken() {
        assert_eq!(refusal(&json!({"region": "eu"}), &[("mcp-param-region", "eu")]), None);
        assert_eq!(refusal(&json!({"urgent": false}), &[("mcp-param-urgent", "false")]), None);
        assert_eq!(refusal(&json!({"priority": 7}), &[("mcp-param-priority", "7.0")]), None);
        assert_eq!(refusal(&json!({"to": {"rack": "a"}}), &[("mcp-param-rack", "a")]), None);
    }

    #[test]
    fn base64_is_decoded_strictly_and_half_a_mark_is_none() {
        let told = |text: &str, value: &str| refusal(&json!({"region": text}), &[("mcp-param-region", value)]);
        for bad in ["=?base64?SGVsbG8?=", "=?base64?SGVs!!!bG8=?=", "=?base64?/w==?=", "=?BASE64?SGVsbG8=?="] {
            assert_eq!(told("Hello", bad), Some(-32020), "{bad}");
        }
        assert_eq!(told("Hello", "=?base64?SGVsbG8=?="), None);
        assert_eq!(told("SGVsbG8=", "SGVsbG8="), None);
        assert_eq!(told("=?base64?SGVsbG8=", "=?base64?SGVsbG8="), None);
        assert_eq!(told("Grüße", "=?base64?R3LDvMOfZQ==?="), None);
    }

    #[test]
    fn what_is_left_out_or_not_marked_needs_no_header() {
        assert_eq!(refusal(&json!({}), &[]), None);
        assert_eq!(refusal(&json!({"region": null, "to": {}, "note": "n"}), &[("mcp-param-other", "x")]), None);
        assert_eq!(refusal(&json!([1]), &[]), None);
    }
}
