//! What a peer is told when its message cannot be answered: the wire code and public words.

use std::borrow::Cow;

/// An error of JSON-RPC 2.0 (section 5.1) or of MCP.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// The number on the wire.
    pub code: i32,
    /// For people; no client reads it.
    pub message: Cow<'static, str>,
}

impl Error {
    const fn new(code: i32, message: &'static str) -> Self {
        Error { code, message: Cow::Borrowed(message) }
    }

    /// -32700: the body is no JSON.
    pub const fn parse() -> Self {
        Error::new(-32700, "Parse error: the body is no JSON")
    }

    /// -32600: JSON, but no message that is allowed here.
    pub const fn invalid_request(message: &'static str) -> Self {
        Error::new(-32600, message)
    }

    /// -32601: no such method.
    pub const fn method_not_found() -> Self {
        Error::new(-32601, "Method not found")
    }

    /// -32602: the method's parameters are wrong.
    pub fn invalid_params(message: impl Into<Cow<'static, str>>) -> Self {
        Error { code: -32602, message: message.into() }
    }

    /// -32001: the session is unknown, has ended, or is somebody else's.
    pub const fn session_not_found() -> Self {
        Error::new(-32001, "Session not found")
    }

    /// -32000: the transport refuses, before any method is looked at.
    pub fn transport(message: impl Into<Cow<'static, str>>) -> Self {
        Error { code: -32000, message: message.into() }
    }
}
