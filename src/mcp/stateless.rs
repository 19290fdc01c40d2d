//! What a request of the stateless dialect says about itself, in its body and in its headers (MCP 2026-07-28,
//! basic/transports and basic/lifecycle), and whether a message is one of that dialect at all.

use crate::json::Raw;
use crate::mcp::handshake::Introduction;
use crate::mcp::{Error, Message, Params, Revision};
use crate::tool::{Client, Level};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The headers that the dialect looks at, trimmed; each `None` where it is not there.
#[derive(Clone, Copy, Default)]
pub struct Headers<'a> {
    /// `MCP-Protocol-Version`.
    pub version: Option<&'a str>,
    /// `Mcp-Method`.
    pub method: Option<&'a str>,
    /// `Mcp-Name`.
    pub name: Option<&'a str>,
}

impl Headers<'_> {
    /// Whether they name a revision of the stateless dialect: all are, from the first on (they compare as texts).
    pub fn are_stateless(&self) -> bool {
        self.version.is_some_and(|version| version >= Revision::V2026_07_28.as_str())
    }
}

/// What a request says about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Envelope {
    /// Who sends it.
    pub client: Client,
    /// From which level on the client wants lines for its log; none without.
    pub log_level: Option<Level>,
}

/// The dialect of a message.
#[derive(Debug, PartialEq, Eq)]
pub enum Dialect {
    /// A session settles what is not said.
    Handshake,
    /// The message says everything itself.
    Stateless(Envelope),
}

#[derive(Deserialize)]
struct Meta<'a> {
    #[serde(borrow, default, rename = "io.modelcontextprotocol/protocolVersion")]
    version: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientCapabilities")]
    capabilities: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/clientInfo")]
    info: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "io.modelcontextprotocol/logLevel")]
    log_level: Option<&'a RawValue>,
}

/// Tells the dialect of a message. The body decides: SDKs send the headers of this dialect in the other one, too.
///
/// # Errors
/// When it claims to be of the stateless dialect and is not as that asks.
pub fn dialect(message: &Message<'_>, headers: &Headers<'_>) -> Result<Dialect, Error> {
    let (method, params, is_request) = match message {
        Message::Request { method, params, .. } => (method, *params, true),
        Message::Notification { method, params } => (method, *params, false),
        // There, nobody asks a client anything that it could answer like this.
        Message::Response { .. } if headers.are_stateless() => {
            return Err(Error::invalid_request("Invalid request: this revision has no answers of clients"));
        }
        Message::Response { .. } => return Ok(Dialect::Handshake),
    };
    let is_header_stateless = headers.are_stateless();
    let meta = meta(params);
    let claim = meta.as_ref().and_then(|meta| meta.version);
    match (claim, meta) {
        (Some(version), Some(meta)) => {
            let envelope = envelope(version, &meta).map_err(|fault| match method.as_ref() {
                // An `initialize` with half an envelope is one of the handshake dialect, but not with this header.
                "initialize" if is_header_stateless => mismatch(),
                _ => fault,
            })?;
            check_version(version, headers.version)?;
            check(is_request, method, params.map(|params| params.raw), headers)?;
            Ok(Dialect::Stateless(envelope))
        }
        _ if method == "initialize" && is_header_stateless => Err(mismatch()),
        _ if is_header_stateless && is_request => Err(Error::invalid_params(
            "Invalid params: `_meta` must hold io.modelcontextprotocol/protocolVersion and io.modelcontextprotocol/clientCapabilities",
        )),
        _ if is_header_stateless => Ok(Dialect::Stateless(Envelope::default())),
        _ => Ok(Dialect::Handshake),
    }
}

fn mismatch() -> Error {
    Error::header_mismatch("initialize belongs to the handshake dialect; MCP-Protocol-Version names the stateless one")
}

/// Whether a message says that it is of the stateless dialect, rightly or not.
pub(super) fn is_claimed(message: &Message<'_>) -> bool {
    match message {
        Message::Request { params, .. } | Message::Notification { params, .. } => {
            meta(*params).is_some_and(|meta| meta.version.is_some())
        }
        Message::Response { .. } => false,
    }
}

fn meta(params: Option<Params<'_>>) -> Option<Meta<'_>> {
    let meta = params.filter(|params| !params.is_odd)?.meta?;
    // That of most messages of the other dialect does not hold this word: it need not be read.
    if meta.get().contains("protocolVersion") { serde_json::from_str(meta.get()).ok() } else { None }
}

fn envelope(version: &RawValue, meta: &Meta<'_>) -> Result<Envelope, Error> {
    if text(version).is_none() {
        return Err(Error::invalid_params("Invalid params: io.modelcontextprotocol/protocolVersion must be a string"));
    }
    let capabilities = meta
        .capabilities
        .filter(|capabilities| capabilities.get().starts_with('{'))
        .ok_or_else(|| Error::invalid_params("Invalid params: io.modelcontextprotocol/clientCapabilities must be an object"))?;
    let log_level = match meta.log_level {
        None => None,
        Some(level) => {
            let level = text(level).and_then(|level| Level::parse(&level));
            Some(level.ok_or_else(|| Error::invalid_params("Invalid params: unknown io.modelcontextprotocol/logLevel"))?)
        }
    };
    Ok(Envelope { client: Introduction::client(Some(capabilities), meta.info), log_level })
}

fn text(json: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(json.get()).ok().map(|text| text.0)
}

#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

fn check_version(claim: &RawValue, header: Option<&str>) -> Result<(), Error> {
    let claim = text(claim).unwrap_or_default();
    match header {
        Some(header) if header != claim => {
            Err(Error::header_mismatch("MCP-Protocol-Version and `_meta` name different revisions"))
        }
        _ if Revision::parse(&claim).is_none_or(|revision| !revision.is_stateless()) => Err(Error::unsupported_version(&claim)),
        None => Err(Error::header_mismatch("The MCP-Protocol-Version header is missing")),
        Some(_) => Ok(()),
    }
}

/// The headers of a request repeat what proxies route by; they must not say something else than the body.
fn check(is_request: bool, method: &str, params: Option<Raw<'_>>, headers: &Headers<'_>) -> Result<(), Error> {
    if !is_request {
        return Ok(());
    }
    match headers.method {
        None => return Err(Error::header_mismatch("The Mcp-Method header is missing")),
        Some(header) if header != method => return Err(Error::header_mismatch("Mcp-Method and the body name different methods")),
        Some(_) => {}
    }
    let Some(name) = named(method, params) else { return Ok(()) };
    let header = headers.name.ok_or_else(|| Error::header_mismatch("The Mcp-Name header is missing"))?;
    let header = decode(header).ok_or_else(|| Error::header_mismatch("The Mcp-Name header is no base64 of UTF-8"))?;
    if header == name { Ok(()) } else { Err(Error::header_mismatch("Mcp-Name and the body name different things")) }
}

/// What `Mcp-Name` must repeat.
fn named(method: &str, params: Option<Raw<'_>>) -> Option<String> {
    let member = match method {
        "tools/call" | "prompts/get" => "name",
        "resources/read" => "uri",
        #[cfg(feature = "tasks")]
        "tasks/get" | "tasks/update" | "tasks/cancel" => "taskId",
        _ => return None,
    };
    let params: Value = serde_json::from_str(params?.get()).ok()?;
    params.get(member)?.as_str().map(str::to_owned)
}

/// The text of a header that may be wrapped as `=?base64?…?=`; a value without both markers is what it says.
pub(super) fn decode(value: &str) -> Option<Cow<'_, str>> {
    match value.strip_prefix("=?base64?").and_then(|value| value.strip_suffix("?=")) {
        None => Some(Cow::Borrowed(value)),
        Some(encoded) => String::from_utf8(STANDARD.decode(encoded).ok()?).ok().map(Cow::Owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::read_one;
    use serde_json::json;

    const VERSION: &str = "2026-07-28";

    fn meta_of(version: &Value) -> Value {
        json!({"io.modelcontextprotocol/protocolVersion": version, "io.modelcontextprotocol/clientCapabilities": {}})
    }

    fn told(method: &str, params: &Value, headers: &Headers<'_>) -> Result<Dialect, Error> {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        dialect(&read_one(body.as_bytes()).unwrap(), headers)
    }

    fn refusal(method: &str, params: &Value, headers: &Headers<'_>) -> i32 {
        told(method, params, headers).expect_err(method).code
    }

    fn headers<'a>(method: &'a str, name: Option<&'a str>) -> Headers<'a> {
        Headers { version: Some(VERSION), method: Some(method), name }
    }

    #[test]
    fn a_claim_that_is_not_whole_is_refused() {
        let ping = headers("tools/list", None);
        assert_eq!(refusal("tools/list", &json!({}), &ping), -32602);
        assert_eq!(refusal("tools/list", &json!({"_meta": {}}), &ping), -32602);
        assert_eq!(refusal("tools/list", &json!({"_meta": meta_of(&json!(5))}), &ping), -32602);
        let no_capabilities = json!({"_meta": {"io.modelcontextprotocol/protocolVersion": VERSION}});
        assert_eq!(refusal("tools/list", &no_capabilities, &ping), -32602);
        let mut bad_level = meta_of(&json!(VERSION));
        bad_level["io.modelcontextprotocol/logLevel"] = json!("loud");
        assert_eq!(refusal("tools/list", &json!({"_meta": bad_level}), &ping), -32602);
    }

    #[test]
    fn a_revision_that_we_do_not_speak_is_refused_with_those_that_we_do() {
        let params = json!({"_meta": meta_of(&json!("v999.0.0"))});
        let same = Headers { version: Some("v999.0.0"), ..headers("tools/list", None) };
        let error = told("tools/list", &params, &same).unwrap_err();
        assert_eq!((error.code, error.data), (-32022, Some(json!({"supported": [VERSION], "requested": "v999.0.0"}))));
        assert_eq!(refusal("tools/list", &params, &headers("tools/list", None)), -32020);
        let older = json!({"_meta": meta_of(&json!("2025-11-25"))});
        let same = Headers { version: Some("2025-11-25"), ..headers("tools/list", None) };
        assert_eq!(refusal("tools/list", &older, &same), -32022);
    }

    #[test]
    fn headers_that_say_something_else_are_refused() {
        let list = json!({"_meta": meta_of(&json!(VERSION))});
        for wrong in [
            Headers { version: None, ..headers("tools/list", None) },
            Headers { method: None, ..headers("", None) },
            headers("tools/call", None),
            headers("TOOLS/LIST", None),
        ] {
            assert_eq!(refusal("tools/list", &list, &wrong), -32020);
        }
        let call = json!({"name": "add", "_meta": meta_of(&json!(VERSION))});
        for wrong in [None, Some("other"), Some("ADD"), Some("=?base64?YWRk"), Some("=?base64?YWR?="), Some("=?base64?*?=")] {
            assert_eq!(refusal("tools/call", &call, &headers("tools/call", wrong)), -32020, "{wrong:?}");
        }
        for right in ["add", "=?base64?YWRk?="] {
            assert!(matches!(told("tools/call", &call, &headers("tools/call", Some(right))), Ok(Dialect::Stateless(_))));
        }
    }

    #[test]
    fn the_body_decides_and_not_the_headers() {
        let legacy = Headers { version: Some("2025-11-25"), method: Some("tools/call"), name: Some("other") };
        assert_eq!(told("tools/call", &json!({"name": "add"}), &legacy), Ok(Dialect::Handshake));
        assert_eq!(told("initialize", &json!({"protocolVersion": VERSION}), &Headers::default()), Ok(Dialect::Handshake));
        assert_eq!(refusal("initialize", &json!({"protocolVersion": VERSION}), &headers("initialize", None)), -32020);
        let whole = json!({"_meta": meta_of(&json!(VERSION))});
        assert!(matches!(told("initialize", &whole, &headers("initialize", None)), Ok(Dialect::Stateless(_))));
    }

    #[test]
    fn an_answer_belongs_to_the_handshake_dialect() {
        let message = read_one(br#"{"jsonrpc":"2.0","id":1,"result":{}}"#).unwrap();
        let of = |version| dialect(&message, &Headers { version, ..Headers::default() }).map_err(|error| error.code);
        assert_eq!(of(Some(VERSION)), Err(-32600));
        assert_eq!((of(Some("2025-11-25")), of(None)), (Ok(Dialect::Handshake), Ok(Dialect::Handshake)));
    }

    #[test]
    fn a_notification_needs_no_envelope() {
        let body = br#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":1}}"#;
        let message = read_one(body).unwrap();
        let only_version = Headers { version: Some(VERSION), ..Headers::default() };
        assert!(matches!(dialect(&message, &only_version), Ok(Dialect::Stateless(_))));
    }

    #[test]
    fn an_envelope_tells_who_calls_and_what_he_can() {
        let mut meta = meta_of(&json!(VERSION));
        meta["io.modelcontextprotocol/clientInfo"] = json!({"name": "c", "version": "1"});
        meta["io.modelcontextprotocol/clientCapabilities"] = json!({"sampling": {}, "elicitation": {"url": {}}});
        meta["io.modelcontextprotocol/logLevel"] = json!("warning");
        let Ok(Dialect::Stateless(envelope)) = told("tools/list", &json!({"_meta": meta}), &headers("tools/list", None)) else {
            panic!()
        };
        assert_eq!(envelope.client.name, "c");
        assert!(envelope.client.capabilities.sampling && envelope.client.capabilities.elicitation_url);
        assert!(!envelope.client.capabilities.elicitation && !envelope.client.capabilities.roots);
        assert_eq!(envelope.log_level, Some(Level::Warning));
    }
}
