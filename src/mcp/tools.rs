//! `tools/list` and `tools/call` (MCP 2025-11-25, server/tools).

use crate::mcp::engine::member;
use crate::mcp::message::value;
use crate::mcp::{Error, Revision, Token};
use crate::principal::Scopes;
use crate::tool::{Arg, Catalog, Content, Effect, Output, Spec, Tool, ToolError};
use serde::ser::{Serialize, SerializeMap, Serializer};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;
use std::borrow::Cow;

#[derive(Deserialize)]
struct ListParams<'a> {
    #[serde(borrow, default)]
    cursor: Option<&'a RawValue>,
}

/// All tools stand on one page, so that no cursor is ever ours.
pub(super) fn check_cursor(params: Option<&RawValue>) -> Result<(), Error> {
    let Some(params) = params else { return Ok(()) };
    match serde_json::from_str(params.get()) {
        Ok(ListParams { cursor: None }) => Ok(()),
        Ok(_) => Err(Error::invalid_params("Invalid params: unknown cursor")),
        Err(_) => Err(Error::invalid_params("Invalid params: an object is expected")),
    }
}

pub(super) fn write_list(json: &mut Vec<u8>, catalog: &Catalog, revision: Revision, scopes: &Scopes) {
    json.extend_from_slice(br#"{"tools":["#);
    let mut is_first = true;
    for spec in catalog.tools().iter().map(Tool::spec).filter(|spec| scopes.contains(spec.scope())) {
        if !std::mem::take(&mut is_first) {
            json.push(b',');
        }
        write_tool(json, spec, revision);
    }
    json.extend_from_slice(b"]}");
}

fn write_tool(json: &mut Vec<u8>, spec: &Spec, revision: Revision) {
    json.extend_from_slice(br#"{"name":"#);
    value(json, spec.name());
    if let Some(title) = spec.title().filter(|_| revision.has_titles()) {
        member(json, "title", title);
    }
    member(json, "description", spec.about());
    member(json, "inputSchema", &InputSchema(spec.args()));
    if let Some(schema) = spec.output_schema.as_ref().filter(|_| revision.has_structured_output()) {
        member(json, "outputSchema", schema);
    }
    if revision.has_annotations() {
        member(json, "annotations", &Annotations(spec));
    }
    json.push(b'}');
}

struct InputSchema<'a>(&'a [Arg]);

impl Serialize for InputSchema<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry("type", "object")?;
        if self.0.is_empty() {
            // The form that the specification recommends for a tool without parameters.
            map.serialize_entry("additionalProperties", &false)?;
            return map.end();
        }
        map.serialize_entry("properties", &Properties(self.0))?;
        let required: Vec<&str> = self.0.iter().filter(|arg| arg.is_required()).map(Arg::name).collect();
        if !required.is_empty() {
            map.serialize_entry("required", &required)?;
        }
        map.end()
    }
}

struct Properties<'a>(&'a [Arg]);

impl Serialize for Properties<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|arg| (arg.name(), arg)))
    }
}

struct Annotations<'a>(&'a Spec);

impl Serialize for Annotations<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        let effect = self.0.effect();
        map.serialize_entry("readOnlyHint", &(effect == Effect::Reads))?;
        map.serialize_entry("destructiveHint", &(effect == Effect::Destroys))?;
        map.serialize_entry("idempotentHint", &(self.0.is_idempotent || effect == Effect::Reads))?;
        // A tool touches the board that it runs on, not the world beyond it.
        map.serialize_entry("openWorldHint", &false)?;
        map.end()
    }
}

/// The parameters of a call.
pub(super) struct CallParams<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) arguments: Option<&'a RawValue>,
    pub(super) progress: Option<Token>,
}

#[derive(Deserialize)]
struct RawCall<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow, default)]
    arguments: Option<&'a RawValue>,
    #[serde(default, rename = "_meta")]
    meta: Meta,
}

/// What a request says about itself; only the token is of use here, and a malformed one is as good as none.
#[derive(Default)]
struct Meta {
    progress: Option<Token>,
}

impl<'de> Deserialize<'de> for Meta {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Members<'a> {
            #[serde(borrow, default, rename = "progressToken")]
            progress_token: Option<&'a RawValue>,
        }
        let raw = <&RawValue>::deserialize(deserializer)?;
        let members = serde_json::from_str::<Members<'_>>(raw.get()).ok();
        let token = members.and_then(|members| members.progress_token);
        Ok(Meta { progress: token.and_then(|token| Token::parse(token.get())) })
    }
}

pub(super) fn read_call(params: Option<&RawValue>) -> Result<CallParams<'_>, Error> {
    let params = params.ok_or_else(|| Error::invalid_params("Invalid params: tools/call needs the `name` of a tool"))?;
    let call: RawCall<'_> = serde_json::from_str(params.get())
        .map_err(|_| Error::invalid_params("Invalid params: tools/call needs the `name` of a tool"))?;
    Ok(CallParams { name: call.name, arguments: call.arguments, progress: call.meta.progress })
}

pub(super) fn write_outcome(json: &mut Vec<u8>, revision: Revision, outcome: &Result<Output, ToolError>) {
    match outcome {
        Ok(output) => write_output(json, revision, output),
        Err(refusal) => write_refusal(json, refusal),
    }
}

fn write_output(json: &mut Vec<u8>, revision: Revision, output: &Output) {
    json.extend_from_slice(br#"{"content":["#);
    for (index, content) in output.content.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        write_content(json, content);
    }
    json.push(b']');
    if let Some(structured) = output.structured.as_ref().filter(|_| revision.has_structured_output()) {
        json.extend_from_slice(br#","structuredContent":"#);
        json.extend_from_slice(structured.get().as_bytes());
    }
    json.extend_from_slice(br#","isError":false}"#);
}

pub(super) fn write_refusal(json: &mut Vec<u8>, refusal: &ToolError) {
    json.extend_from_slice(br#"{"content":["#);
    write_text(json, &refusal.to_string());
    json.extend_from_slice(br#"],"isError":true}"#);
}

fn write_content(json: &mut Vec<u8>, content: &Content) {
    match content {
        Content::Text(text) => write_text(json, text),
    }
}

fn write_text(json: &mut Vec<u8>, text: &str) {
    json.extend_from_slice(br#"{"type":"text","text":"#);
    value(json, text);
    json.push(b'}');
}
