//! What a peer is told when its message cannot be answered: the wire code and public words.

use crate::mcp::Revision;
use serde_json::{Value, json};
use std::borrow::Cow;

/// An error of JSON-RPC 2.0 (section 5.1) or of MCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The number on the wire.
    pub code: i32,
    /// For people; no client reads it.
    pub message: Cow<'static, str>,
    /// For programs.
    pub data: Option<Value>,
}

impl Error {
    const fn new(code: i32, message: &'static str) -> Self {
        Error { code, message: Cow::Borrowed(message), data: None }
    }

    /// The same with data for programs.
    pub fn with(self, data: Value) -> Self {
        Error { data: Some(data), ..self }
    }

    /// The HTTP status that goes with it in the stateless dialect (MCP 2026-07-28, basic/transports); in the handshake
    /// dialect an answered request is 200.
    pub fn status(&self) -> u16 {
        match self.code {
            -32601 => 404,
            -32700 | -32600 | -32022..=-32020 => 400,
            _ => 200,
        }
    }

    /// -32020: a header is missing or says something else than the body (MCP 2026-07-28).
    pub fn header_mismatch(message: impl Into<Cow<'static, str>>) -> Self {
        Error { message: message.into(), ..Error::new(-32020, "") }
    }

    /// -32021: the client cannot do what the call needs (MCP 2026-07-28).
    pub fn missing_capability(capabilities: &Value) -> Self {
        Error::new(-32021, "The client lacks a capability that this call needs")
            .with(json!({ "requiredCapabilities": capabilities }))
    }

    /// -32022: a revision that the server does not speak (MCP 2026-07-28).
    pub fn unsupported_version(requested: &str) -> Self {
        let supported = [Revision::V2026_07_28.as_str()];
        Error::new(-32022, "Unsupported protocol version").with(json!({ "supported": supported, "requested": requested }))
    }

    /// No resource has this URI: -32002 in the handshake dialect, -32602 in the stateless one.
    pub fn resource_not_found(uri: &str, revision: Revision) -> Self {
        let code = if revision.is_stateless() { -32602 } else { -32002 };
        Error::new(code, "Resource not found").with(json!({ "uri": uri }))
    }

    /// -32603: a resource or prompt failed; `message` is for who asked.
    pub fn internal(message: impl Into<Cow<'static, str>>) -> Self {
        Error { message: message.into(), ..Error::new(-32603, "") }
    }

    /// -32700: the body is no JSON.
    pub const fn parse() -> Self {
        Error::new(-32700, "Parse error: the body is no JSON")
    }

    /// -32600: JSON, but no message that is allowed here.
    pub const fn invalid_request(message: &'static str) -> Self {
        Error::new(-32600, message)
    }

    /// -32600: an array of messages, where there are none.
    pub const fn no_batches() -> Self {
        Error::invalid_request("Invalid request: this revision has no batches")
    }

    /// -32601: no such method.
    pub const fn method_not_found() -> Self {
        Error::new(-32601, "Method not found")
    }

    /// -32602: the method's parameters are wrong.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Error { message: message.into(), ..Error::new(-32602, "") }
    }

    /// -32001: the session is unknown, has ended, or is somebody else's.
    pub const fn session_not_found() -> Self {
        Error::new(-32001, "Session not found")
    }

    /// -32000: the transport refuses, before any method is looked at.
    pub fn transport(message: impl Into<Cow<'static, str>>) -> Self {
        Error { message: message.into(), ..Error::new(-32000, "") }
    }
}
