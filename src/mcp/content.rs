//! Blocks of content on the wire (MCP 2025-11-25, schema `ContentBlock`).

use crate::json::push_text;
use crate::mcp::Revision;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::tool::{Content, Contents, Data};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Writes a block; what the revision does not know is said in text.
pub(super) fn write(json: &mut Vec<u8>, content: &Content, revision: Revision) {
    match content {
        Content::Text(text) => write_text(json, text),
        Content::Image { data, mime_type } => write_bytes(json, "image", data, mime_type),
        Content::Audio { data, mime_type } if revision.has_audio() => write_bytes(json, "audio", data, mime_type),
        Content::Audio { data, mime_type } => write_text(json, &format!("[{} bytes of {mime_type}]", data.len())),
        Content::Resource(contents) => {
            json.extend_from_slice(br#"{"type":"resource","resource":"#);
            write_contents(json, contents);
            json.push(b'}');
        }
        Content::Link { uri, name, mime_type } if revision.has_links() => {
            json.extend_from_slice(br#"{"type":"resource_link""#);
            member(json, "uri", uri);
            member(json, "name", name);
            if let Some(mime_type) = mime_type {
                member(json, "mimeType", mime_type);
            }
            json.push(b'}');
        }
        Content::Link { uri, name, .. } => write_text(json, &format!("{name}: {uri}")),
    }
}

/// Writes a block of text.
pub(super) fn write_text(json: &mut Vec<u8>, text: &str) {
    json.extend_from_slice(br#"{"type":"text","text":"#);
    push_text(json, text);
    json.push(b'}');
}

fn write_bytes(json: &mut Vec<u8>, kind: &str, data: &[u8], mime_type: &str) {
    json.extend_from_slice(br#"{"type":"#);
    value(json, kind);
    member(json, "data", &STANDARD.encode(data));
    member(json, "mimeType", mime_type);
    json.push(b'}');
}

/// Writes what a resource holds.
pub(super) fn write_contents(json: &mut Vec<u8>, contents: &Contents) {
    json.extend_from_slice(br#"{"uri":"#);
    value(json, &contents.uri);
    if let Some(mime_type) = &contents.mime_type {
        member(json, "mimeType", mime_type);
    }
    match &contents.data {
        Data::Text(text) => member(json, "text", text),
        Data::Blob(bytes) => member(json, "blob", &STANDARD.encode(bytes)),
    }
    json.push(b'}');
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(content: &Content, revision: Revision) -> String {
        let mut json = Vec::new();
        write(&mut json, content, revision);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn what_a_revision_does_not_know_is_said_in_text() {
        let audio = Content::Audio { data: vec![0; 3], mime_type: "audio/wav".into() };
        assert_eq!(written(&audio, Revision::V2024_11_05), r#"{"type":"text","text":"[3 bytes of audio/wav]"}"#);
        assert_eq!(written(&audio, Revision::V2025_03_26), r#"{"type":"audio","data":"AAAA","mimeType":"audio/wav"}"#);
        let link = Content::Link { uri: "a://b".into(), name: "B".into(), mime_type: None };
        assert_eq!(written(&link, Revision::V2025_03_26), r#"{"type":"text","text":"B: a://b"}"#);
        assert_eq!(written(&link, Revision::V2025_06_18), r#"{"type":"resource_link","uri":"a://b","name":"B"}"#);
    }

    #[test]
    fn bytes_go_out_as_padded_base64() {
        let blob = Content::Resource(Contents::blob("a://b", [0xfb, 0xff]).mime_type("image/png"));
        let wanted = r#"{"type":"resource","resource":{"uri":"a://b","mimeType":"image/png","blob":"+/8="}}"#;
        assert_eq!(written(&blob, Revision::NEWEST), wanted);
    }
}
