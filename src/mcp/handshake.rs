//! How a session of the handshake dialect begins, and how its calls are given up.

use crate::mcp::engine::member;
use crate::mcp::message::value;
use crate::mcp::{Action, Engine, Error, Id, Revision};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use std::borrow::Cow;

/// What the server calls itself (`serverInfo`).
#[derive(Clone, Debug, Serialize)]
pub struct Implementation {
    name: Cow<'static, str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<Cow<'static, str>>,
    version: Cow<'static, str>,
}

impl Implementation {
    /// A server of this name and version.
    pub fn new(name: impl Into<Cow<'static, str>>, version: impl Into<Cow<'static, str>>) -> Self {
        Implementation { name: name.into(), title: None, version: version.into() }
    }

    /// A name for people (from 2025-06-18 on).
    pub fn title(mut self, title: impl Into<Cow<'static, str>>) -> Self {
        self.title = Some(title.into());
        self
    }
}

#[derive(Deserialize)]
struct Hello<'a> {
    #[serde(borrow, rename = "protocolVersion")]
    protocol_version: Cow<'a, str>,
}

/// The revision that `initialize` is answered with.
pub(super) fn negotiate(params: Option<&RawValue>) -> Result<Revision, Error> {
    let hello: Hello<'_> = params
        .and_then(|params| serde_json::from_str(params.get()).ok())
        .ok_or_else(|| Error::invalid_params("Invalid params: initialize needs a `protocolVersion`"))?;
    Ok(Revision::negotiate(&hello.protocol_version))
}

/// Writes the result of `initialize`. No `listChanged`: clients would hold a stream open for nothing.
pub(super) fn write_welcome(json: &mut Vec<u8>, engine: &Engine, revision: Revision) {
    json.extend_from_slice(br#"{"protocolVersion":"#);
    value(json, revision.as_str());
    json.extend_from_slice(br#","capabilities":{"tools":{}}"#);
    if revision.has_titles() {
        member(json, "serverInfo", &engine.implementation);
    } else {
        member(json, "serverInfo", &Implementation { title: None, ..engine.implementation.clone() });
    }
    if let Some(instructions) = &engine.instructions {
        member(json, "instructions", instructions);
    }
    json.push(b'}');
}

#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(borrow, rename = "requestId")]
    request_id: &'a RawValue,
}

/// What `notifications/cancelled` asks for; one that names nothing asks for nothing.
pub(super) fn cancelled(params: Option<&RawValue>) -> Action {
    params
        .and_then(|params| serde_json::from_str::<Cancelled<'_>>(params.get()).ok())
        .and_then(|cancelled| Id::parse(cancelled.request_id.get()))
        .map_or(Action::Accept, Action::Cancel)
}
