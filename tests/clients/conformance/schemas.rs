//! Tools whose arguments are described by a schema to the letter.

use perchd::tool::{Arg, Tool};
use serde_json::{Value, json};

pub(crate) fn tools() -> Vec<Tool> {
    vec![
        Tool::new("json_schema_2020_12_tool", "Tool with JSON Schema 2020-12 features")
            .input_schema(&address_book())
            .handler(|call| async move { Ok(format!("Reaches {}", call.arg::<Option<String>>("name")?.unwrap_or_default())) }),
        Tool::new("test_x_mcp_header", "Takes arguments that proxies may route by")
            // SEP-2243: clients repeat them in the headers `Mcp-Param-Region` and `Mcp-Param-Priority`.
            .arg(Arg::string("region", "Where to").header("Region").optional())
            .arg(Arg::integer("priority", "How soon").header("Priority").optional())
            .handler(|call| async move { Ok(format!("Region: {}", call.arg::<Option<String>>("region")?.unwrap_or_default())) }),
    ]
}

/// SEP-1613 and SEP-2106: none of these keywords may be lost on the way to the client.
fn address_book() -> Value {
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "object",
        "$defs": {
            "address": {
                "$anchor": "addressDef",
                "type": "object",
                "properties": { "street": { "type": "string" }, "city": { "type": "string" } },
            },
        },
        "properties": {
            "name": { "type": "string" },
            "address": { "$ref": "#/$defs/address" },
            "contactMethod": { "type": "string", "enum": ["phone", "email"] },
            "phone": { "type": "string" },
            "email": { "type": "string" },
        },
        "allOf": [{ "anyOf": [{ "required": ["phone"] }, { "required": ["email"] }] }],
        "if": { "properties": { "contactMethod": { "const": "phone" } }, "required": ["contactMethod"] },
        "then": { "required": ["phone"] },
        "else": { "required": ["email"] },
        "additionalProperties": false,
    })
}
