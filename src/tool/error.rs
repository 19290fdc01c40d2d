//! What a model is told when a tool cannot do its work.

use std::fmt;

/// A sentence that a model can act on. It becomes a result with `isError: true`, not an error of the protocol
/// (MCP 2025-11-25, server/tools, error handling).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError(String);

impl ToolError {
    /// `sentence` says what went wrong and, if possible, what to do instead.
    pub fn new(sentence: impl Into<String>) -> Self {
        ToolError(sentence.into())
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ToolError {}

impl From<std::io::Error> for ToolError {
    fn from(error: std::io::Error) -> Self {
        ToolError(error.to_string())
    }
}

impl From<serde_json::Error> for ToolError {
    fn from(error: serde_json::Error) -> Self {
        ToolError(error.to_string())
    }
}

impl From<String> for ToolError {
    fn from(sentence: String) -> Self {
        ToolError(sentence)
    }
}

impl From<&str> for ToolError {
    fn from(sentence: &str) -> Self {
        ToolError(sentence.to_owned())
    }
}
