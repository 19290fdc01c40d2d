//! What the doctor says to a server of MCP, and how it reads the answers.

use crate::client::fault::Fault;
use crate::client::http::{Client, Request, Response};
use crate::client::sse::{Event, Reader};
use crate::client::url::Url;
use crate::json;
use crate::limits;
use crate::mcp::Revision;
use serde_json::Value;
use std::future::Future;
use std::time::Duration;
use tokio::time::timeout;

const JSON: (&str, &str) = ("Content-Type", "application/json");
const EITHER: (&str, &str) = ("Accept", "application/json, text/event-stream");

/// One who asks, with a token or without.
pub(super) struct Talk<'a> {
    pub(super) client: &'a Client,
    pub(super) token: Option<&'a str>,
}

/// The beginning of a session.
pub(super) fn initialize(revision: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"initialize\",\"params\":{{\"protocolVersion\":\"{revision}\",\"capabilities\":{{}},\
         \"clientInfo\":{{\"name\":\"perchd doctor\",\"version\":\"{}\"}}}}}}",
        env!("CARGO_PKG_VERSION")
    )
}

const INITIALIZED: &str = r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
pub(super) const LIST: &str = r#"{"jsonrpc":"2.0","id":2,"method":"tools/list","params":{}}"#;

/// The same for a server that knows no sessions.
fn list_stateless(revision: &str) -> String {
    format!(
        "{{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/list\",\"params\":{{\"_meta\":{{\"io.modelcontextprotocol/protocolVersion\":\
         \"{revision}\",\"io.modelcontextprotocol/clientCapabilities\":{{}}}}}}}}"
    )
}

/// What came of it.
pub(super) enum Said {
    /// These tools.
    Tools(Vec<String>),
    /// The server does not speak like this, but like that.
    Otherwise(String),
    /// An answer that is none: its status, and what it says.
    Refused(Response),
}

/// In time, or not at all.
pub(super) async fn in_time<T>(work: impl Future<Output = Result<T, Fault>>) -> Result<T, Fault> {
    timeout(Duration::from_secs(limits::STEP_SECS), work).await.unwrap_or(Err(Fault::Late))
}

impl Talk<'_> {
    pub(super) async fn send(&self, method: &str, url: &Url, own: &[(&str, &str)], body: &str) -> Result<Response, Fault> {
        let bearer = self.token.map(|token| format!("Bearer {token}"));
        let mut headers = own.to_vec();
        if !body.is_empty() {
            headers.push(JSON);
        }
        headers.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        let request = Request { method, url, headers: &headers, body: body.as_bytes(), secs: limits::STEP_SECS };
        in_time(self.client.send(&request)).await
    }

    pub(super) async fn post(&self, url: &Url, own: &[(&str, &str)], body: &str) -> Result<Response, Fault> {
        self.send("POST", url, &[own, &[EITHER]].concat(), body).await
    }

    pub(super) async fn get_stream(&self, url: &Url) -> Result<Response, Fault> {
        self.send("GET", url, &[("Accept", "text/event-stream")], "").await
    }

    /// Opens a session in this revision, has the tools listed, and ends the session.
    pub(super) async fn tools(&self, url: &Url, revision: Revision) -> Result<Said, Fault> {
        let name = revision.as_str();
        if revision.is_stateless() {
            let own = [("MCP-Protocol-Version", name), ("Mcp-Method", "tools/list")];
            return listed(self.post(url, &own, &list_stateless(name)).await?).await;
        }
        let response = self.post(url, &[], &initialize(name)).await?;
        if response.status != 200 {
            return listed(response).await;
        }
        let session = response.header("mcp-session-id").map(str::to_owned);
        let told = answer(response).await?;
        let spoken = told["result"]["protocolVersion"].as_str().unwrap_or_default();
        if spoken.is_empty() {
            return Ok(Said::Otherwise(error_of(&told)));
        }
        let mut own = vec![("MCP-Protocol-Version", spoken)];
        own.extend(session.as_deref().map(|id| ("Mcp-Session-Id", id)));
        let mut said = Ok(Said::Otherwise(format!("the server speaks {spoken} instead")));
        if spoken == name {
            let begun = self.post(url, &own, INITIALIZED).await?;
            let _ = body(begun).await;
            said = listed(self.post(url, &own, LIST).await?).await;
        }
        if session.is_some() {
            // Nothing is left behind. A server need not allow that.
            let _ = self.send("DELETE", url, &own, "").await;
        }
        said
    }

    /// The same by HTTP with SSE, where `stream` is open and names its endpoint.
    pub(super) async fn tools_by_stream(&self, stream: &mut Stream, endpoint: &Url) -> Result<Said, Fault> {
        let mut told = Value::Null;
        for body in [&initialize(Revision::V2024_11_05.as_str()), INITIALIZED, LIST] {
            let response = self.send("POST", endpoint, &[], body).await?;
            if !(200..300).contains(&response.status) {
                return Ok(Said::Refused(response));
            }
            if body != INITIALIZED {
                told = in_time(stream.answer()).await?;
            }
        }
        Ok(names(&told))
    }
}

/// A list of tools, or what came in its place.
async fn listed(response: Response) -> Result<Said, Fault> {
    // Who does not know a revision says so with 400, or with an error of JSON-RPC.
    match response.status {
        200 | 400 => {
            let is_refused = response.status == 400;
            match answer(response).await {
                Ok(told) => Ok(names(&told)),
                Err(Fault::Odd(_)) if is_refused => Ok(Said::Otherwise("status 400".to_owned())),
                Err(fault) => Err(fault),
            }
        }
        _ => Ok(Said::Refused(response)),
    }
}

fn names(told: &Value) -> Said {
    let Some(tools) = told["result"]["tools"].as_array() else { return Said::Otherwise(error_of(told)) };
    Said::Tools(tools.iter().filter_map(|tool| tool["name"].as_str().map(crate::client::oauth::plain)).collect())
}

fn error_of(told: &Value) -> String {
    let message = told["error"]["message"].as_str().unwrap_or("the answer says nothing of it");
    crate::client::oauth::plain(message)
}

/// The text of an answer, as far as it is shown to anybody.
pub(super) async fn body(response: Response) -> Vec<u8> {
    response.body.whole(limits::DOCUMENT_BYTES, limits::STEP_SECS).await.unwrap_or_default()
}

/// The answer of JSON-RPC, plain or as an event.
pub(super) async fn answer(response: Response) -> Result<Value, Fault> {
    if response.is_of("text/event-stream") {
        return in_time(Stream::new(response).answer()).await;
    }
    let bytes = response.body.whole(limits::MESSAGE_BYTES, limits::STEP_SECS).await?;
    let told: Value = json::read(&bytes).unwrap_or_default();
    if told["jsonrpc"] == "2.0" { Ok(told) } else { Err(Fault::Odd("the answer is no JSON-RPC")) }
}

/// Events as they come.
pub(super) struct Stream {
    response: Response,
    reader: Reader,
    events: Vec<Event>,
}

impl Stream {
    pub(super) fn new(response: Response) -> Self {
        Stream { response, reader: Reader::default(), events: Vec::new() }
    }

    /// The next one that has something in it.
    pub(super) async fn next(&mut self) -> Result<Event, Fault> {
        loop {
            if !self.events.is_empty() {
                let event = self.events.remove(0);
                if !event.data.is_empty() {
                    return Ok(event);
                }
                continue;
            }
            let mut bytes = Vec::new();
            if !self.response.body.next(&mut bytes).await? {
                return Err(Fault::Lost(std::io::ErrorKind::UnexpectedEof.into()));
            }
            self.reader.feed(&bytes, &mut self.events).map_err(|_| Fault::Large)?;
        }
    }

    /// The next answer; what the server says of its own accord is passed over.
    async fn answer(&mut self) -> Result<Value, Fault> {
        loop {
            let event = self.next().await?;
            let told: Value = json::read(&event.data).unwrap_or_default();
            if told["id"].is_u64() && told["method"].is_null() {
                return Ok(told);
            }
        }
    }
}
