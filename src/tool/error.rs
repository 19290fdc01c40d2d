//! What a model is told when a tool cannot do its work.

use std::fmt;

/// A sentence that a model can act on. It becomes a result with `isError: true`, not an error of the protocol
/// (MCP 2025-11-25, server/tools, error handling).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToolError {
    sentence: String,
    /// Whether the tool did not say this itself, because it is broken.
    #[cfg(feature = "tasks")]
    is_fault: bool,
}

impl ToolError {
    /// `sentence` says what went wrong and, if possible, what to do instead.
    pub fn new(sentence: impl Into<String>) -> Self {
        ToolError {
            sentence: sentence.into(),
            #[cfg(feature = "tasks")]
            is_fault: false,
        }
    }

    /// The same of a tool that is broken, and could say nothing itself.
    pub(crate) fn fault(sentence: &str) -> Self {
        ToolError {
            #[cfg(feature = "tasks")]
            is_fault: true,
            ..ToolError::new(sentence)
        }
    }

    /// Whether the tool is broken.
    #[cfg(feature = "tasks")]
    pub(crate) fn is_fault(&self) -> bool {
        self.is_fault
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for ToolError {}

impl From<std::io::Error> for ToolError {
    fn from(error: std::io::Error) -> Self {
        ToolError::new(error.to_string())
    }
}

impl From<serde_json::Error> for ToolError {
    fn from(error: serde_json::Error) -> Self {
        ToolError::new(error.to_string())
    }
}

impl From<String> for ToolError {
    fn from(sentence: String) -> Self {
        ToolError::new(sentence)
    }
}

impl From<&str> for ToolError {
    fn from(sentence: &str) -> Self {
        ToolError::new(sentence.to_owned())
    }
}
