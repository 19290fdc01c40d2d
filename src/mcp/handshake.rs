//! How a session of the handshake dialect begins, and how its calls are given up.

use crate::json::{Members, Raw};
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::{Action, Engine, Error, Id, Revision};
use crate::tool::{Capabilities, Client};
use heapless::String as Bounded;
use serde::{Deserialize, Serialize};
use serde_json::Value;
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

/// How a client introduced itself.
pub(super) struct Introduction {
    pub(super) revision: Revision,
    pub(super) client: Client,
}

impl Introduction {
    /// Reads the parameters of `initialize`.
    pub(super) fn read(params: Option<Raw<'_>>) -> Result<Self, Error> {
        let mut hello = params.and_then(|params| Members::read(params.get().as_bytes())).unwrap_or_default();
        let version = hello.text_if_any("protocolVersion");
        let version = version.ok_or_else(|| Error::invalid_params("Invalid params: initialize needs a `protocolVersion`"))?;
        let revision = Revision::negotiate(&version);
        let (capabilities, info) = (hello.take("capabilities"), hello.take("clientInfo"));
        let mut client = Introduction::told(&capabilities.unwrap_or_default(), &info.unwrap_or_default());
        client.capabilities.elicitation &= revision.has_elicitation();
        client.capabilities.elicitation_url &= revision.has_elicitation_url();
        Ok(Introduction { revision, client })
    }

    /// What `capabilities` and `info` say of a client; what cannot be read says nothing.
    pub(super) fn client(capabilities: Option<&RawValue>, info: Option<&RawValue>) -> Client {
        let parse =
            |json: Option<&RawValue>| json.and_then(|json| serde_json::from_str::<Value>(json.get()).ok()).unwrap_or_default();
        Introduction::told(&parse(capabilities), &parse(info))
    }

    fn told(capabilities: &Value, info: &Value) -> Client {
        let has = |pointer: &str| capabilities.pointer(pointer).is_some_and(Value::is_object);
        let mut name = Bounded::new();
        for character in info["name"].as_str().unwrap_or_default().chars().filter(|character| !character.is_control()) {
            if name.push(character).is_err() {
                break;
            }
        }
        let capabilities = Capabilities {
            // An empty object means forms (MCP 2025-11-25, client/elicitation, capabilities).
            elicitation: has("/elicitation/form") || (has("/elicitation") && !has("/elicitation/url")),
            elicitation_url: has("/elicitation/url"),
            sampling: has("/sampling"),
            roots: has("/roots"),
            #[cfg(feature = "tasks")]
            tasks: has("/extensions/io.modelcontextprotocol~1tasks"),
        };
        Client { name, capabilities }
    }
}

/// Writes the members of the result of `initialize`.
pub(super) fn write_welcome(json: &mut Vec<u8>, engine: &Engine, revision: Revision) {
    json.extend_from_slice(br#""protocolVersion":"#);
    value(json, revision.as_str());
    member(json, "capabilities", &engine.capabilities(revision));
    if revision.has_titles() {
        member(json, "serverInfo", &engine.implementation);
    } else {
        member(json, "serverInfo", &Implementation { title: None, ..engine.implementation.clone() });
    }
    if let Some(instructions) = &engine.instructions {
        member(json, "instructions", instructions);
    }
}

/// Writes the members of the result of `server/discover` (MCP 2026-07-28, basic/lifecycle).
pub(super) fn write_discovery(json: &mut Vec<u8>, engine: &Engine) {
    json.extend_from_slice(br#""supportedVersions":["#);
    value(json, Revision::V2026_07_28.as_str());
    json.push(b']');
    member(json, "capabilities", &engine.capabilities(Revision::V2026_07_28));
    if let Some(instructions) = &engine.instructions {
        member(json, "instructions", instructions);
    }
}

#[derive(Deserialize)]
struct Cancelled<'a> {
    #[serde(borrow, rename = "requestId")]
    request_id: &'a RawValue,
}

/// What `notifications/cancelled` asks for; one that names nothing asks for nothing.
pub(super) fn cancelled(params: Option<Raw<'_>>) -> Action {
    params
        .and_then(|params| serde_json::from_str::<Cancelled<'_>>(params.get()).ok())
        .and_then(|cancelled| Id::parse(cancelled.request_id.get()))
        .map_or(Action::Accept, Action::Cancel)
}
