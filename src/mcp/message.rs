//! Messages of JSON-RPC 2.0 as MCP uses them: read without copying, written into one buffer.

use crate::json::{self, Ahead, Raw, members};
use crate::limits;
use crate::mcp::{Error, stateless};
use heapless::String as Bounded;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;

/// The id of a request, as its JSON text: it goes back with the type and the digits with which it came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Id(Text);

/// Where an id lies: a call moves it ten times, and most clients count.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Text {
    Short(Bounded<22, u8>),
    Long(Box<str>),
}

impl Id {
    /// The id with this JSON text, if it is a string or a number of at most [`limits::ID_BYTES`].
    pub fn parse(json: &str) -> Option<Id> {
        let is_id = json.starts_with(|first: char| first == '"' || first == '-' || first.is_ascii_digit());
        (is_id && json.len() <= limits::ID_BYTES)
            .then(|| Id(Bounded::try_from(json).map_or_else(|_| Text::Long(json.into()), Text::Short)))
    }

    /// Its JSON text.
    pub fn as_json(&self) -> &str {
        match &self.0 {
            Text::Short(text) => text,
            Text::Long(text) => text,
        }
    }
}

/// One message.
#[derive(Debug)]
pub enum Message<'a> {
    /// Wants an answer.
    Request {
        /// Goes back with the answer.
        id: Id,
        /// What is wanted.
        method: Cow<'a, str>,
        /// With what.
        params: Option<Params<'a>>,
    },
    /// Wants none.
    Notification {
        /// What happened.
        method: Cow<'a, str>,
        /// With what.
        params: Option<Params<'a>>,
    },
    /// The answer to a request of ours.
    Response {
        /// The request; `None` where the peer could not read its id.
        id: Option<Id>,
        /// The result; `None` where it is an error.
        result: Option<Raw<'a>>,
    },
}

/// The parameters of a message, and of their members those that most messages have.
#[derive(Clone, Copy, Debug)]
pub struct Params<'a> {
    pub(super) raw: Raw<'a>,
    pub(super) name: Option<Raw<'a>>,
    pub(super) arguments: Option<Raw<'a>>,
    pub(super) meta: Option<Raw<'a>>,
    /// Whether one of these stands there twice, or a name says nothing: then nothing is made of them.
    pub(super) is_odd: bool,
}

/// What a body holds.
#[derive(Debug)]
pub enum Body<'a> {
    /// One message.
    One(Message<'a>),
    /// An array of them (MCP 2025-03-26 only).
    Batch(Vec<&'a RawValue>),
}

/// Reads a body.
///
/// # Errors
/// -32700 when it is no JSON, -32600 when it is no message.
pub fn read(body: &[u8]) -> Result<Body<'_>, Error> {
    let is_array = body.trim_ascii_start().starts_with(b"[");
    if !is_array {
        return read_one(body).map(Body::One);
    }
    match json::read::<Vec<&RawValue>>(body) {
        Ok(messages) if messages.is_empty() => Err(Error::invalid_request("Invalid request: the batch is empty")),
        Ok(messages) if messages.len() > limits::BATCH => Err(Error::invalid_request("Invalid request: the batch is too long")),
        Ok(messages) => Ok(Body::Batch(messages)),
        Err(_) => Err(Error::parse()),
    }
}

/// Reads one message.
///
/// # Errors
/// -32700 when it is no JSON, -32600 when it is no message.
pub fn read_one(json: &[u8]) -> Result<Message<'_>, Error> {
    let text = std::str::from_utf8(json).ok();
    text.and_then(Envelope::read)
        .ok_or_else(|| {
            let is_json = text.is_some_and(|text| serde_json::from_str::<IgnoredAny>(text).is_ok());
            if is_json { Error::invalid_request("Invalid request: no JSON-RPC message") } else { Error::parse() }
        })?
        .message()
}

/// Reads the messages of a batch, each for itself.
///
/// # Errors
/// -32600 when one is among them that must stand alone: then none of the batch is looked at.
pub fn read_batch<'a>(messages: &[&'a RawValue]) -> Result<Vec<Result<Message<'a>, Error>>, Error> {
    let messages: Vec<_> = messages.iter().map(|message| read_one(message.get().as_bytes())).collect();
    for message in messages.iter().flatten() {
        if matches!(message, Message::Request { method, .. } if method == "initialize") {
            return Err(Error::invalid_request("Invalid request: initialize stands alone, not in a batch"));
        }
        if stateless::is_claimed(message) {
            return Err(Error::invalid_request("Invalid request: a batch belongs to another revision than its messages"));
        }
    }
    Ok(messages)
}

/// The members of a message; those that are there may be `null`: an id of `null` is no id, but neither is it a notification.
#[derive(Default)]
struct Envelope<'a> {
    jsonrpc: Cow<'a, str>,
    id: Option<Raw<'a>>,
    method: Option<Cow<'a, str>>,
    params: Option<Params<'a>>,
    result: Option<Raw<'a>>,
    error: Option<Raw<'a>>,
}

impl<'a> Params<'a> {
    /// Goes past the parameters, whatever they are.
    fn pass(ahead: Ahead<'a>) -> Option<Self> {
        let (mut tool, mut arguments, mut meta, mut is_odd) = (None, None, None, false);
        let raw = if ahead.is_object() {
            ahead.members(|name, value| {
                let value = value.pass()?;
                is_odd |= match name {
                    Some(b"name") => tool.replace(value).is_some(),
                    Some(b"arguments") => arguments.replace(value).is_some(),
                    Some(b"_meta") => meta.replace(value).is_some(),
                    name => name.is_none(),
                };
                Some(value)
            })?
        } else {
            ahead.pass()?
        };
        let is_there = |value: &Raw<'a>| !value.is_null();
        Some(Params { raw, name: tool, arguments: arguments.filter(is_there), meta: meta.filter(is_there), is_odd })
    }
}

impl<'a> Envelope<'a> {
    /// `None` for what is no JSON, is no object, has one of these members twice, or no text where one must be.
    fn read(text: &'a str) -> Option<Self> {
        let (mut jsonrpc, mut method, mut envelope) = (None, None, Envelope::default());
        members(text, |name, value| {
            let place = match name? {
                b"jsonrpc" => &mut jsonrpc,
                b"id" => &mut envelope.id,
                b"method" => &mut method,
                b"params" => {
                    let params = Params::pass(value)?;
                    return envelope.params.replace(params).is_none().then_some(params.raw);
                }
                b"result" => &mut envelope.result,
                b"error" => &mut envelope.error,
                _ => return value.pass(),
            };
            let value = value.pass()?;
            place.replace(value).is_none().then_some(value)
        })?;
        envelope.jsonrpc = jsonrpc?.text()?;
        if let Some(method) = method.filter(|method| !method.is_null()) {
            envelope.method = Some(method.text()?);
        }
        envelope.params = envelope.params.filter(|params| !params.raw.is_null());
        Some(envelope)
    }

    fn message(self) -> Result<Message<'a>, Error> {
        if self.jsonrpc != "2.0" {
            return Err(Error::invalid_request("Invalid request: `jsonrpc` must be \"2.0\""));
        }
        // MCP has no parameters by position.
        if self.params.is_some_and(|params| !params.raw.get().starts_with('{')) {
            return Err(Error::invalid_request("Invalid request: `params` must be an object"));
        }
        let has_error = self.error.is_some();
        let is_response = self.result.is_some() || has_error;
        match (self.method, self.id) {
            (Some(_), _) if is_response => Err(Error::invalid_request("Invalid request: a request has no result")),
            (Some(method), None) => Ok(Message::Notification { method, params: self.params }),
            (Some(method), Some(id)) => {
                let id = Id::parse(id.get())
                    .ok_or(Error::invalid_request("Invalid request: the id must be a short string or a number"))?;
                Ok(Message::Request { id, method, params: self.params })
            }
            (None, Some(id)) if self.result.is_some() != has_error => {
                Ok(Message::Response { id: Id::parse(id.get()), result: self.result })
            }
            // The answer to a request whose id the peer could not read.
            (None, None) if has_error && self.result.is_none() => Ok(Message::Response { id: None, result: None }),
            (None, _) => Err(Error::invalid_request("Invalid request: no `method`")),
        }
    }
}

/// Writes the answer to the request `id`; `write` appends the JSON of the result.
pub(super) fn result(id: &Id, write: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut json = Vec::with_capacity(limits::REPLY_BYTES);
    json.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    json.extend_from_slice(id.as_json().as_bytes());
    json.extend_from_slice(br#","result":"#);
    write(&mut json);
    json.push(b'}');
    json
}

/// Writes an error. Where no id is known it is `null`, as JSON-RPC 2.0 asks.
pub fn error(id: Option<&Id>, error: &Error) -> Vec<u8> {
    let mut json = Vec::with_capacity(limits::REPLY_BYTES);
    json.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    json.extend_from_slice(id.map_or("null", Id::as_json).as_bytes());
    json.extend_from_slice(br#","error":{"code":"#);
    value(&mut json, &error.code);
    json.extend_from_slice(br#","message":"#);
    value(&mut json, &error.message);
    if let Some(data) = &error.data {
        json.extend_from_slice(br#","data":"#);
        value(&mut json, data);
    }
    json.extend_from_slice(b"}}");
    json
}

/// Writes an error of the stateless dialect. Where no id is known there is none: clients of that dialect take an id of
/// `null` for no answer at all.
pub fn error_without_null(id: Option<&Id>, fault: &Error) -> Vec<u8> {
    let json = error(id, fault);
    let null = br#""id":null,"#;
    match (id, json.windows(null.len()).position(|window| window == null)) {
        (None, Some(at)) => [&json[..at], &json[at + null.len()..]].concat(),
        _ => json,
    }
}

/// Appends `value` as JSON.
pub(crate) fn value(json: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    // Strings, numbers and maps with text keys: the only errors of serde_json are a failing writer and a key that is no
    // text, and a Vec does not fail.
    let _ = serde_json::to_writer(json, value);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> i32 {
        match read(body.as_bytes()) {
            Err(error) => error.code,
            Ok(body) => panic!("accepted: {body:?}"),
        }
    }

    #[test]
    fn what_is_no_json_is_a_parse_error() {
        for body in
            ["", " ", "{", "nonsense", "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"} x", "[1", "\u{feff}{}", "{'a':1}"]
        {
            assert_eq!(refusal(body), -32700, "{body}");
        }
        assert!(matches!(read(b"{\"jsonrpc\":\"2.0\",\"method\":\"\xff\"}"), Err(error) if error.code == -32700));
    }

    #[test]
    fn json_that_is_no_message_is_an_invalid_request() {
        let deep = format!("{{\"jsonrpc\":\"2.0\",\"method\":{}1{}}}", "[".repeat(100), "]".repeat(100));
        let long = format!("{{\"jsonrpc\":\"2.0\",\"method\":\"ping\",\"id\":\"{}\"}}", "x".repeat(limits::ID_BYTES - 1));
        for body in [
            "1",
            "\"x\"",
            "null",
            "true",
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":"x"}"#,
            "{}",
            "[]",
            r#"{"jsonrpc":"1.0","id":1,"method":"ping"}"#,
            r#"{"id":1,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":null,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":{},"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":[1],"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":true,"method":"ping"}"#,
            r#"{"jsonrpc":"2.0","id":1}"#,
            r#"{"jsonrpc":"2.0"}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":7}"#,
            r#"{"jsonrpc":"2.0","id":1,"result":{},"error":{}}"#,
            r#"{"jsonrpc":"2.0","id":1,"method":"ping","result":{}}"#,
            r#"{"jsonrpc":"2.0","jsonrpc":"2.0","id":1,"method":"ping"}"#,
            &deep,
            &long,
        ] {
            assert_eq!(refusal(body), -32600, "{body}");
        }
    }

    #[test]
    fn a_batch_with_a_message_that_stands_alone_is_refused_as_a_whole() {
        fn read(batch: &str) -> Result<Vec<Result<Message<'_>, Error>>, i32> {
            read_batch(&serde_json::from_str::<Vec<&RawValue>>(batch).unwrap()).map_err(|error| error.code)
        }
        let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
        let initialize = r#"{"jsonrpc":"2.0","id":2,"method":"initialize","params":{}}"#;
        let claims =
            r#"{"jsonrpc":"2.0","id":2,"method":"ping","params":{"_meta":{"io.modelcontextprotocol/protocolVersion":5}}}"#;
        for alone in [initialize, claims] {
            assert_eq!(read(&format!("[{ping},{alone}]")).map(drop), Err(-32600), "{alone}");
        }
        let batch = format!("[{ping},1]");
        let messages = read(&batch);
        assert!(matches!(messages.as_deref(), Ok([Ok(Message::Request { .. }), Err(Error { code: -32600, .. })])));
    }

    #[test]
    fn an_id_goes_back_as_it_came() {
        let longest = format!("\"{}\"", "x".repeat(limits::ID_BYTES - 2));
        for id in
            ["1", "-7", "\"a b\"", "\"1\"", "1.5", "\"\\u00e4\"", "1234567890123456789012", "12345678901234567890123", &longest]
        {
            let body = format!(r#" {{ "jsonrpc" : "2.0", "id" : {id} , "method" : "ping" }} "#);
            let Ok(Body::One(Message::Request { id: read, .. })) = read(body.as_bytes()) else { panic!("{id}") };
            assert_eq!(read.as_json(), id);
            assert_eq!(
                result(&read, |json| value(json, "x")),
                format!(r#"{{"jsonrpc":"2.0","id":{id},"result":"x"}}"#).as_bytes()
            );
        }
    }

    #[test]
    fn an_id_is_moved_in_three_words() {
        assert_eq!(size_of::<Id>(), 24);
        assert_eq!(size_of::<Option<Id>>(), 24);
    }

    #[test]
    fn an_error_without_an_id_says_null() {
        assert_eq!(
            error(None, &Error::parse()),
            br#"{"jsonrpc":"2.0","id":null,"error":{"code":-32700,"message":"Parse error: the body is no JSON"}}"#
        );
    }

    #[test]
    fn notifications_and_responses_are_told_apart() {
        let one = |body: &'static str| match read(body.as_bytes()) {
            Ok(Body::One(message)) => message,
            other => panic!("{other:?}"),
        };
        assert!(matches!(one(r#"{"jsonrpc":"2.0","method":"notifications/\u0069nitialized"}"#),
            Message::Notification { method, params: None } if method == "notifications/initialized"));
        assert!(matches!(one(r#"{"jsonrpc":"2.0","id":1,"result":null}"#), Message::Response { id: Some(_), result: Some(_) }));
        assert!(matches!(
            one(r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#),
            Message::Response { id: None, result: None }
        ));
        assert_eq!(read_one(br#"["2.0",1,"ping"]"#).unwrap_err().code, -32600);
        assert!(matches!(read(b" [ {}, 1 ]"), Ok(Body::Batch(messages)) if messages.len() == 2));
    }
}
