//! What a tool, a resource and a prompt return.

use crate::tool::ToolError;
use serde::Serialize;
use std::borrow::Cow;

/// One block of a result or of a prompt (MCP 2025-11-25, schema `ContentBlock`).
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Content {
    /// Plain text.
    Text(String),
    /// An image, such as `image/png`.
    Image {
        /// Its bytes; they go out as base64.
        data: Vec<u8>,
        /// What kind of image.
        mime_type: Cow<'static, str>,
    },
    /// Sound, such as `audio/wav` (from 2025-03-26 on; older peers get a line of text in its place).
    Audio {
        /// Its bytes; they go out as base64.
        data: Vec<u8>,
        /// What kind of sound.
        mime_type: Cow<'static, str>,
    },
    /// What a resource holds.
    Resource(Contents),
    /// Where a resource is (from 2025-06-18 on; older peers get its URI as text).
    Link {
        /// Its URI.
        uri: String,
        /// What it is called.
        name: String,
        /// What kind of thing it is.
        mime_type: Option<String>,
    },
}

/// What a resource holds (MCP 2025-11-25, schema `TextResourceContents`, `BlobResourceContents`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contents {
    pub(crate) uri: String,
    pub(crate) mime_type: Option<Cow<'static, str>>,
    pub(crate) data: Data,
}

/// Text, or bytes that go out as base64.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Data {
    Text(String),
    Blob(Vec<u8>),
}

impl Contents {
    /// The text at `uri`.
    pub fn text(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Contents { uri: uri.into(), mime_type: None, data: Data::Text(text.into()) }
    }

    /// The bytes at `uri`.
    pub fn blob(uri: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Contents { uri: uri.into(), mime_type: None, data: Data::Blob(bytes.into()) }
    }

    /// What kind of thing it is, such as `text/plain`.
    pub fn mime_type(mut self, mime_type: impl Into<Cow<'static, str>>) -> Self {
        self.mime_type = Some(mime_type.into());
        self
    }
}

/// What a tool returns: blocks for the model, and JSON for programs.
#[derive(Clone, Debug, Default)]
pub struct Output {
    /// Most have one block, which needs no list on the heap.
    first: Option<Content>,
    more: Vec<Content>,
    structured: Option<Structured>,
}

/// An object, as it goes out.
#[derive(Clone, Debug)]
enum Structured {
    Json(String),
    /// It has one member, of this name, and its value is the text of the first block: written once, it is kept once.
    Text(&'static str),
}

impl Output {
    /// One block of text.
    pub fn text(text: impl Into<String>) -> Self {
        Output::from(Content::Text(text.into()))
    }

    /// `value` as structured content, and as text for clients that read only that. It must be an object.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn structured(value: &impl Serialize) -> Result<Self, ToolError> {
        Ok(Output::json(serde_json::to_string(value)?))
    }

    /// An object that is JSON already.
    pub(crate) fn json(object: String) -> Self {
        Output::text_and_json(object.clone(), object)
    }

    /// `text` for the model, `value` as structured content for programs. It must be an object.
    ///
    /// # Errors
    /// When `value` cannot be written as JSON.
    pub fn text_and_structured(text: impl Into<String>, value: &impl Serialize) -> Result<Self, ToolError> {
        Ok(Output::text_and_json(text.into(), serde_json::to_string(value)?))
    }

    /// `text` for the model, and an object that is JSON already for programs.
    pub(crate) fn text_and_json(text: String, json: String) -> Self {
        Output { structured: Some(Structured::Json(json)), ..Output::text(text) }
    }

    /// `text` for the model, and `value` as the one member of structured content, `name`, for programs.
    pub(crate) fn text_and_member(text: String, name: &str, value: &impl Serialize) -> Result<Self, ToolError> {
        Ok(Output::text_and_json(text, format!("{{\"{name}\":{}}}", serde_json::to_string(value)?)))
    }

    /// `json` for the model, and as the one member of structured content, `name`, for programs.
    pub(crate) fn number(name: &'static str, json: String) -> Self {
        Output { structured: Some(Structured::Text(name)), ..Output::text(json) }
    }

    /// One more block, behind the others.
    pub fn and(mut self, block: impl Into<Content>) -> Self {
        self.more.push(block.into());
        self
    }

    /// Its structured content.
    pub(crate) fn structured_content(&self) -> Option<Cow<'_, str>> {
        match self.structured.as_ref()? {
            Structured::Json(json) => Some(json.into()),
            Structured::Text(name) => Some(self.member(name).concat().into()),
        }
    }

    /// Appends its structured content as a member of a result.
    pub(crate) fn write_structured(&self, json: &mut Vec<u8>) {
        let Some(structured) = &self.structured else { return };
        json.extend_from_slice(br#","structuredContent":"#);
        match structured {
            Structured::Json(object) => json.extend_from_slice(object.as_bytes()),
            Structured::Text(name) => self.member(name).iter().for_each(|part| json.extend_from_slice(part.as_bytes())),
        }
    }

    fn member(&self, name: &'static str) -> [&str; 5] {
        let Some(Content::Text(text)) = &self.first else { return ["{", "", "", "", "}"] };
        ["{\"", name, "\":", text, "}"]
    }

    /// The blocks in their order.
    pub(crate) fn content(&self) -> impl Iterator<Item = &Content> {
        self.first.iter().chain(&self.more)
    }
}

impl From<Content> for Output {
    fn from(block: Content) -> Self {
        Output { first: Some(block), ..Output::default() }
    }
}

impl From<Vec<Content>> for Output {
    fn from(content: Vec<Content>) -> Self {
        Output { more: content, ..Output::default() }
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

impl From<String> for Content {
    fn from(text: String) -> Self {
        Content::Text(text)
    }
}

impl From<&str> for Content {
    fn from(text: &str) -> Self {
        Content::Text(text.to_owned())
    }
}

impl From<Contents> for Content {
    fn from(contents: Contents) -> Self {
        Content::Resource(contents)
    }
}
