//! Arguments that a call repeats in its headers (MCP 2026-07-28, basic/transports, custom headers). A client on stdin and stdout knows nothing
//! of headers: which arguments they are, the bridge reads from the lists of tools that pass through it, or asks for.

use super::message::{Message, wrapped};
use super::post::Trouble;
use super::{Bridge, tell};
use crate::client::http::Response;
use crate::client::sse::Reader;
use crate::json;
use crate::limits;
use crate::tool::Param;
use serde_json::{Value, json};

impl Bridge {
    /// The headers of a call, as far as its tool is known.
    pub(super) fn param_headers(&self, message: &Message) -> Vec<(String, String)> {
        let marks = self.marks.borrow();
        let is_meant = |name: &str| is_call(message) && message.name_given.as_deref() == Some(name);
        let Some((_, params)) = marks.iter().find(|(name, _)| is_meant(name)) else { return Vec::new() };
        let call: Value = json::read(&message.bytes).unwrap_or_default();
        let header = |param: &Param| {
            let argument = param.path.iter().try_fold(&call["params"]["arguments"], |within, name| within.get(name))?;
            let value = match argument {
                Value::String(text) => wrapped(text),
                Value::Bool(_) | Value::Number(_) => argument.to_string(),
                _ => return None,
            };
            Some((param.header.clone(), value))
        };
        params.iter().filter_map(header).collect()
    }

    /// Remembers what a list of tools marks. Beyond the bound, calls are refused by the server, in words.
    ///
    /// A tool whose marks nobody can follow is left out, as clients must. Returns the list anew where there was one.
    pub(super) fn note_marks(&self, list: &mut Value) -> Option<Vec<u8>> {
        let mut marks = self.marks.borrow_mut();
        let tools = list["result"]["tools"].as_array_mut()?;
        let before = tools.len();
        tools.retain(|tool| {
            let Some(name) = tool["name"].as_str() else { return true };
            let params = Param::of(&tool["inputSchema"]);
            marks.retain(|(known, _)| known != name);
            if let Err(why) = Param::check(&params) {
                tell(&format!("the tool {name:?} is left out: {why}"));
                return false;
            }
            if !params.is_empty() && marks.len() < limits::MARKED_TOOLS {
                marks.push((name.to_owned(), params));
            }
            true
        });
        (tools.len() < before).then(|| list.to_string().into_bytes())
    }

    /// Asks for the list of tools, as headers of a call were missing or wrong. Whether the call has others now.
    pub(super) async fn learn_marks(&self, message: &Message) -> Result<bool, Trouble> {
        if !is_call(message) {
            return Ok(false);
        }
        let before = self.param_headers(message);
        let call: Value = json::read(&message.bytes).unwrap_or_default();
        let mut params = json!({ "_meta": {} });
        for (name, value) in call["params"]["_meta"].as_object().into_iter().flatten() {
            if name != "progressToken" {
                params["_meta"][name] = value.clone();
            }
        }
        for _ in 0..limits::LIST_PAGES {
            let list = json!({ "jsonrpc": "2.0", "id": "perchd", "method": "tools/list", "params": params });
            let Some(list) = Message::parse(list.to_string().into_bytes()) else { break };
            let Some(mut page) = self.ask(&list).await? else { break };
            self.note_marks(&mut page);
            params["cursor"] = page["result"]["nextCursor"].clone();
            if !params["cursor"].is_string() {
                break;
            }
        }
        Ok(self.param_headers(message) != before)
    }

    /// A request of our own, and its answer; `None` where it is refused.
    async fn ask(&self, message: &Message) -> Result<Option<Value>, Trouble> {
        let passing = |fault| Trouble::Passing(self.told(fault));
        let token = self.token().await?;
        let mut headers = self.own_headers(message);
        headers.push(("Accept", "application/json, text/event-stream".to_owned()));
        headers.push(("Content-Type", "application/json".to_owned()));
        let sent = self.request("POST", &self.url, &headers, token.as_deref(), &message.bytes, limits::DOCUMENT_SECS).await;
        let response = sent.map_err(passing)?;
        if response.status != 200 {
            return Ok(None);
        }
        if response.is_of("text/event-stream") {
            return Ok(answer_of(response).await);
        }
        let body = response.body.whole(limits::MESSAGE_BYTES, limits::DOCUMENT_SECS).await.map_err(passing)?;
        Ok(json::read(&body).ok())
    }
}

fn is_call(message: &Message) -> bool {
    message.is("tools/call") && message.stateless.is_some()
}

/// The answer in a stream.
async fn answer_of(mut response: Response) -> Option<Value> {
    let (mut reader, mut bytes, mut events) = (Reader::default(), Vec::new(), Vec::new());
    while let Ok(true) = response.body.next(&mut bytes).await {
        reader.feed(&bytes, &mut events).ok()?;
        bytes.clear();
        let told = events.drain(..).filter_map(|event| json::read::<Value>(&event.data).ok());
        if let Some(answer) = told.into_iter().find(|told| told.get("method").is_none()) {
            return Some(answer);
        }
    }
    None
}
