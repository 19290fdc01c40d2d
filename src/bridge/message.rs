//! What the bridge must know of a message; the rest passes through as it is.

use crate::json::{self, Raw, members};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The first revision without a handshake.
const STATELESS: &str = "2026-07-28";

/// One line of a client, or one message of a server.
#[derive(Debug, Default)]
pub(super) struct Message {
    pub(super) bytes: Vec<u8>,
    /// The ids of the requests in it, as they are written.
    pub(super) asks: Vec<String>,
    /// The ids that it answers.
    pub(super) answers: Vec<String>,
    pub(super) method: Option<String>,
    /// What it is about, for `Mcp-Name`.
    pub(super) name_given: Option<String>,
    /// Its revision, where it says so itself.
    pub(super) stateless: Option<String>,
    /// The request that it gives up.
    pub(super) cancels: Option<String>,
    /// What an answer to `initialize` agrees on.
    pub(super) agreed: Option<String>,
}

#[derive(Deserialize)]
struct Envelope<'a> {
    #[serde(borrow)]
    id: Option<&'a RawValue>,
    method: Option<String>,
    #[serde(borrow)]
    params: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
}

impl Message {
    /// Reads a message or a batch; `None` where it is no JSON-RPC.
    pub(super) fn parse(bytes: Vec<u8>) -> Option<Self> {
        let mut message = Message::default();
        let is_batch = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
        let parts: Vec<Envelope<'_>> = if is_batch { json::read(&bytes).ok()? } else { vec![json::read(&bytes).ok()?] };
        for part in parts {
            message.take(&part);
        }
        (!message.asks.is_empty() || !message.answers.is_empty() || message.method.is_some())
            .then_some(Message { bytes, ..message })
    }

    fn take(&mut self, part: &Envelope<'_>) {
        let id = part.id.map(|id| id.get().to_owned());
        let Some(method) = &part.method else {
            self.agreed = text(part.result.map(RawValue::get), "protocolVersion").or(self.agreed.take());
            self.answers.extend(id);
            return;
        };
        let params = part.params.map(RawValue::get);
        self.name_given = match method.as_str() {
            "tools/call" | "prompts/get" => text(params, "name"),
            "resources/read" => text(params, "uri"),
            "tasks/get" | "tasks/update" | "tasks/cancel" => text(params, "taskId"),
            _ => None,
        };
        let version = text(member(params, "_meta").map(Raw::get), "io.modelcontextprotocol/protocolVersion");
        self.stateless = version.filter(|version| version.as_str() >= STATELESS);
        let given_up = if method == "notifications/cancelled" { member(params, "requestId") } else { None };
        self.cancels = given_up.filter(|id| !id.is_null()).map(|id| id.get().to_owned());
        self.method = Some(method.clone());
        self.asks.extend(id);
    }

    pub(super) fn is(&self, method: &str) -> bool {
        self.method.as_deref() == Some(method)
    }

    /// Whether it may be sent twice: who calls a tool twice may switch twice.
    pub(super) fn is_safe(&self) -> bool {
        !self.asks.is_empty() && !self.is("tools/call")
    }

    /// `Mcp-Name` as it goes out.
    pub(super) fn name(&self) -> Option<String> {
        self.name_given.as_deref().map(wrapped)
    }
}

/// A member of an object; the others are passed over, however long they are.
fn member<'a>(object: Option<&'a str>, wanted: &str) -> Option<Raw<'a>> {
    let mut found = None;
    members(object?, |name, value| {
        let value = value.pass()?;
        found = if name == Some(wanted.as_bytes()) { Some(value) } else { found };
        Some(value)
    })?;
    found
}

/// The same, if it is a text.
fn text(object: Option<&str>, wanted: &str) -> Option<String> {
    member(object, wanted).and_then(Raw::text).map(Cow::into_owned)
}

/// A text as the value of a header: what is none by itself is wrapped.
pub(super) fn wrapped(text: &str) -> String {
    let is_plain = text.bytes().all(|byte| (0x20..0x7f).contains(&byte)) && text.trim() == text && !text.starts_with("=?base64?");
    if is_plain { text.to_owned() } else { format!("=?base64?{}?=", STANDARD.encode(text)) }
}

/// An error of ours in answer to a request.
pub(super) fn refusal(id: &str, code: i32, words: &str) -> Vec<u8> {
    let error = json!({ "code": code, "message": words });
    format!("{{\"jsonrpc\":\"2.0\",\"id\":{id},\"error\":{error}}}").into_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Option<Message> {
        Message::parse(text.as_bytes().to_vec())
    }

    #[test]
    fn what_must_be_known_is_read_and_ids_stay_as_they_are_written() {
        let call =
            parse(r#"{"jsonrpc":"2.0","id":"1","method":"tools/call","params":{"name":"add","arguments":{"requestId":5}}}"#)
                .unwrap();
        assert_eq!((call.asks, call.name_given.as_deref(), call.stateless), (vec!["\"1\"".to_owned()], Some("add"), None));
        let answer = parse(r#"{"jsonrpc":"2.0","id":12345678901234567890,"result":{"protocolVersion":"2025-11-25"}}"#).unwrap();
        assert_eq!((answer.answers, answer.agreed.as_deref()), (vec!["12345678901234567890".to_owned()], Some("2025-11-25")));
        let given_up = parse(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#).unwrap();
        assert_eq!(given_up.cancels.as_deref(), Some("7"));
        let given_up = parse(r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1e2}}"#).unwrap();
        assert_eq!(given_up.cancels.as_deref(), Some("1e2"));
        // What is passed over may be deeper than serde makes values of.
        let deep = format!("{}{}", "[".repeat(200), "]".repeat(200));
        let deep = parse(&format!("{{\"id\":1,\"method\":\"tools/call\",\"params\":{{\"arguments\":{deep},\"name\":\"add\"}}}}"))
            .unwrap();
        assert_eq!(deep.name_given.as_deref(), Some("add"));
        let batch = parse(r#"[{"jsonrpc":"2.0","id":1,"method":"ping"},{"jsonrpc":"2.0","id":2,"method":"ping"}]"#).unwrap();
        assert_eq!(batch.asks, ["1", "2"]);
        for text in ["", "x", "{}", "[]", "7", "{\"id\":1"] {
            assert!(
                parse(text)
                    .is_none_or(|message| message.method.is_none() && message.asks.is_empty() && !message.answers.is_empty()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_name_that_is_no_header_is_wrapped() {
        let named = |name: &str| {
            let text = json!({ "id": 1, "method": "tools/call", "params": { "name": name, "_meta": { "io.modelcontextprotocol/protocolVersion": "2026-07-28" } } });
            let message = parse(&text.to_string()).unwrap();
            assert_eq!(message.stateless.as_deref(), Some("2026-07-28"));
            message.name().unwrap()
        };
        assert_eq!(named("add"), "add");
        assert_eq!(named("ä"), "=?base64?w6Q=?=");
        assert_eq!(named("a\r\nb"), "=?base64?YQ0KYg==?=");
        assert_eq!(named(" a"), "=?base64?IGE=?=");
    }
}
