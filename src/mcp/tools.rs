//! Tools and their results on the wire (MCP 2025-11-25, server/tools).

use crate::mcp::answer::member;
use crate::mcp::message::{Params, value};
use crate::mcp::{Error, Revision, content};
#[cfg(feature = "tasks")]
use crate::tool::TaskSupport;
use crate::tool::{Arg, Effect, Output, Spec, Tool, ToolError, Yield};
use serde::ser::{Serialize, SerializeMap, Serializer};
use std::borrow::Cow;

/// Writes one tool of a list.
pub(super) fn write_tool(json: &mut Vec<u8>, spec: &Spec, revision: Revision) {
    json.extend_from_slice(br#"{"name":"#);
    value(json, spec.name());
    if let Some(title) = spec.title().filter(|_| revision.has_titles()) {
        member(json, "title", title);
    }
    member(json, "description", spec.about());
    match &spec.input_schema {
        Some(schema) => member(json, "inputSchema", schema),
        None => member(json, "inputSchema", &InputSchema(spec.args())),
    }
    if let Some(schema) = spec.output_schema.as_ref().filter(|_| revision.has_structured_output()) {
        member(json, "outputSchema", schema);
    }
    if revision.has_annotations() {
        member(json, "annotations", &Annotations(spec));
    }
    if revision.has_icons() && !spec.icons.is_empty() {
        member(json, "icons", &spec.icons);
    }
    #[cfg(feature = "tasks")]
    if revision.has_task_requests() && spec.task_support != TaskSupport::Forbidden {
        member(json, "execution", &serde_json::json!({ "taskSupport": spec.task_support.as_str() }));
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

/// The parameters of a call, with the name of the tool.
pub(super) fn read_call(params: Option<Params<'_>>) -> Result<(Cow<'_, str>, Params<'_>), Error> {
    let call = params.filter(|params| !params.is_odd).and_then(|params| Some((params.name?.text()?, params)));
    call.ok_or_else(|| Error::invalid_params("Invalid params: tools/call needs the `name` of a tool"))
}

/// Writes the members of the result of a call; `true` where it tells of a failure.
pub(super) fn write_outcome(json: &mut Vec<u8>, revision: Revision, tool: &Tool, outcome: &Result<Yield, ToolError>) -> bool {
    let refusal = match outcome {
        Ok(Yield::Output(output)) => match tool.check(output) {
            Ok(()) => {
                write_output(json, revision, output);
                return false;
            }
            Err(fault) => fault,
        },
        // A handler yields what its kind yields: the builders let nothing else be written.
        Ok(_) => ToolError::new("The handler yielded something else"),
        Err(refusal) => refusal.clone(),
    };
    write_refusal(json, &refusal);
    true
}

/// Writes the members of a result.
fn write_output(json: &mut Vec<u8>, revision: Revision, output: &Output) {
    json.extend_from_slice(br#""content":["#);
    for (index, content) in output.content().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        content::write(json, content, revision);
    }
    json.push(b']');
    if revision.has_structured_output() {
        output.write_structured(json);
    }
    json.extend_from_slice(br#","isError":false"#);
}

/// Writes the members of the result of a call that failed.
pub(super) fn write_refusal(json: &mut Vec<u8>, refusal: &ToolError) {
    json.extend_from_slice(br#""content":["#);
    content::write_text(json, &refusal.to_string());
    json.extend_from_slice(br#"],"isError":true"#);
}
