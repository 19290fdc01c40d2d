//! What a tool returns.

use crate::tool::ToolError;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

/// One block of a result (MCP 2025-11-25, schema `ContentBlock`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Plain text.
    Text(String),
}

/// What a tool returns: blocks for the model, and JSON for programs.
#[derive(Clone, Debug, Default)]
pub struct Output {
    pub(crate) content: Vec<Content>,
    pub(crate) structured: Option<Box<RawValue>>,
}

impl Output {
    /// One block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Output { content: vec![Content::Text(text.into())], structured: None }
    }

    /// `value` as structured content, and as text for clients that read only that. It must be an object.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn structured(value: &impl Serialize) -> Result<Self, ToolError> {
        let json = to_raw_value(value)?;
        Ok(Output { content: vec![Content::Text(json.get().to_owned())], structured: Some(json) })
    }

    /// `text` for the model, `value` as structured content for programs. It must be an object.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn text_and_structured(text: impl Into<String>, value: &impl Serialize) -> Result<Self, ToolError> {
        Ok(Output { structured: Some(to_raw_value(value)?), ..Output::text(text) })
    }
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Output::text(text)
    }
}

impl From<&str> for Output {
    fn from(text: &str) -> Self {
        Output::text(text)
    }
}

impl From<Content> for Output {
    fn from(block: Content) -> Self {
        Output { content: vec![block], structured: None }
    }
}
