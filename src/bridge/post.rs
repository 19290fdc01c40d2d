//! A message on its way to the server, and what becomes of it.

use super::message::Message;
use super::{Bridge, tell};
use crate::client::fault::Fault;
use crate::client::http::{Request, Response};
use crate::client::oauth::Challenge;
use crate::client::sse::Reader;
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::json;
use crate::limits;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Why a message is not through yet.
pub(super) enum Trouble {
    /// It may go away by itself.
    Passing(Error),
    Final(Error),
}

/// How far a message is.
enum Step {
    Done,
    Again,
    /// Again, with a token of more scopes.
    Wider,
}

impl Bridge {
    /// Sends a message, over and over while the server is gone, and passes on what is answered.
    pub(super) async fn send(&self, message: &Message) -> Result<(), Error> {
        let end = Instant::now() + self.patience;
        let (mut pause, mut rounds, mut is_wider) = (Duration::from_millis(limits::BACKOFF_MS.0), 0, false);
        loop {
            match self.once(message, is_wider).await {
                Ok(Step::Done) => return Ok(()),
                Ok(Step::Again) if rounds < 4 => rounds += 1,
                Ok(Step::Wider) => is_wider = true,
                Ok(Step::Again) => {
                    return Err(Error::new(Exit::Unavailable, "the server asks for the same again and again").at(&self.url));
                }
                Err(Trouble::Final(error)) => return Err(error),
                Err(Trouble::Passing(error)) if Instant::now() + pause > end => {
                    return Err(error.remedy("It was tried again for some time. Is the board on, and does perchd run there?"));
                }
                Err(Trouble::Passing(_)) => {
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(2));
                }
            }
        }
    }

    /// `is_wider`: a person was asked for more scopes on its behalf.
    async fn once(&self, message: &Message, is_wider: bool) -> Result<Step, Trouble> {
        if self.is_older.get() {
            return self.post_older(message, is_wider).await;
        }
        let generation = self.session.borrow().generation;
        let token = self.token().await?;
        let params = self.param_headers(message);
        let mut headers: Vec<(&str, String)> = self.own_headers(message);
        headers.extend(params.iter().map(|(name, value)| (name.as_str(), value.clone())));
        headers.push(("Accept", "application/json, text/event-stream".to_owned()));
        headers.push(("Content-Type", "application/json".to_owned()));
        let response = self.request("POST", &self.url, &headers, token.as_deref(), &message.bytes, limits::ANSWER_SECS).await;
        let response = response.map_err(|fault| self.trouble(fault, message))?;
        match response.status {
            200..300 => self.answered(response, message).await.map(|()| Step::Done),
            403 if is_wider => Err(self.too_narrow()),
            401 | 403 => self.let_in(response, token.as_deref(), true).await,
            404 if self.session.borrow().id.is_some() && message.stateless.is_none() => {
                self.handshake_again(generation).await?;
                Ok(Step::Again)
            }
            429 | 502..=504 => Err(Trouble::Passing(self.odd_status(response.status))),
            _ => self.refused(response, message).await,
        }
    }

    /// An answer with an error: JSON-RPC is passed on, and an unknown address may be one of the older transport.
    async fn refused(&self, response: Response, message: &Message) -> Result<Step, Trouble> {
        let status = response.status;
        let body = response.body.whole(limits::MESSAGE_BYTES, limits::DOCUMENT_SECS).await.unwrap_or_default();
        // Who speaks stateless answers an unknown method with 404; 405 is always about the address.
        if status != 405
            && let Ok(mut told) = json::read::<Value>(&body)
            && told["error"]["code"].is_i64()
            && let [id] = message.asks.as_slice()
        {
            // Headers were missing or wrong: the schema may be new to us.
            if told["error"]["code"] == HEADER_MISMATCH && self.learn_marks(message).await? {
                return Ok(Step::Again);
            }
            told["id"] = serde_json::from_str(id).unwrap_or_default();
            self.relay(told.to_string().into_bytes());
            return Ok(Step::Done);
        }
        if matches!(status, 404 | 405) && self.session.borrow().generation == 0 {
            self.listen_older().await?;
            return Ok(Step::Again);
        }
        Err(Trouble::Final(self.odd_status(status)))
    }

    /// Gets a token that the server takes. `asks`: a person may be asked.
    async fn let_in(&self, response: Response, token: Option<&str>, asks: bool) -> Result<Step, Trouble> {
        let challenges = response.headers("www-authenticate").filter(|text| text.starts_with("Bearer")).map(Challenge::parse);
        let challenge = challenges.last().unwrap_or_default();
        if response.status == 403 && challenge.error.as_deref() != Some("insufficient_scope") {
            return Err(Trouble::Final(self.odd_status(403)));
        }
        match self.access.another(&challenge, token, asks).await {
            Ok(Some(_)) => Ok(if response.status == 403 { Step::Wider } else { Step::Again }),
            Ok(None) => Err(Trouble::Passing(Error::new(Exit::Permission, "somebody must sign in").at(self.url.origin()))),
            Err(error) => Err(Trouble::Final(error)),
        }
    }

    /// Passes on what a good answer holds.
    async fn answered(&self, response: Response, message: &Message) -> Result<(), Trouble> {
        if message.is("initialize") {
            self.begin_session(&response);
        }
        if response.is_of("text/event-stream") {
            return self.stream(response, message).await;
        }
        let lost = |fault| self.trouble(fault, message);
        let body = response.body.whole(limits::MESSAGE_BYTES, limits::ANSWER_SECS).await.map_err(lost)?;
        if message.asks.is_empty() || self.relay(body).is_some() {
            return Ok(());
        }
        Err(Trouble::Final(self.told(Fault::Odd("the answer is no JSON-RPC"))))
    }

    pub(super) fn begin_session(&self, response: &Response) {
        let id = response.header("mcp-session-id").filter(|id| id.len() <= limits::EVENT_ID_BYTES);
        let mut session = self.session.borrow_mut();
        session.id = id.map(str::to_owned);
        session.version = None;
        session.generation += 1;
    }

    /// A stream that ends with the answer. One that breaks before is asked for again, if it can be (MCP 2025-11-25).
    async fn stream(&self, first: Response, message: &Message) -> Result<(), Trouble> {
        let mut reader = Reader::default();
        let mut left = message.asks.clone();
        let mut response = first;
        let end = Instant::now() + self.patience;
        loop {
            let broken = self.read(response, &mut reader, &mut left).await;
            if left.is_empty() || message.asks.iter().all(|id| self.flights.borrow().iter().all(|flight| flight.id != *id)) {
                return Ok(());
            }
            if matches!(broken, Some(Fault::Large)) {
                return Err(Trouble::Final(self.told(Fault::Large)));
            }
            let Some(last) = reader.last_id().map(str::to_owned).filter(|_| message.stateless.is_none()) else {
                let fault = broken.unwrap_or(Fault::Lost(std::io::ErrorKind::UnexpectedEof.into()));
                return Err(self.trouble(fault, message));
            };
            let mut pause = reader.retry_ms().unwrap_or(limits::BACKOFF_MS.0);
            response = loop {
                tokio::time::sleep(Duration::from_millis(pause)).await;
                match self.open_stream(Some(&last)).await {
                    Ok(response) if response.status == 200 => break response,
                    Err(fault) if fault.passes() && Instant::now() < end => pause = (pause * 2).clamp(100, 2000),
                    Ok(response) => return Err(Trouble::Final(self.odd_status(response.status))),
                    Err(fault) => return Err(Trouble::Final(self.told(fault))),
                }
            };
        }
    }

    /// Passes on every message of a stream, until its end or until `left` is answered.
    pub(super) async fn read(&self, mut response: Response, reader: &mut Reader, left: &mut Vec<String>) -> Option<Fault> {
        let is_waiting = !left.is_empty();
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        reader.cut();
        loop {
            bytes.clear();
            match response.body.next(&mut bytes).await {
                Ok(true) => {}
                Ok(false) => return None,
                Err(fault) => return Some(fault),
            }
            if reader.feed(&bytes, &mut events).is_err() {
                return Some(Fault::Large);
            }
            for event in events.drain(..).filter(|event| event.name == "message" && !event.data.is_empty()) {
                let Some(message) = self.relay(event.data) else {
                    tell("the server sent an event that is no JSON-RPC; it was passed over");
                    continue;
                };
                left.retain(|id| !message.answers.contains(id));
            }
            if is_waiting && left.is_empty() {
                return None;
            }
        }
    }

    /// The server has forgotten the session: the client's own handshake is made again, and the client need not know.
    pub(super) async fn handshake_again(&self, generation: u32) -> Result<(), Trouble> {
        let _turn = self.renewal.lock().await;
        let initialize = {
            let mut session = self.session.borrow_mut();
            if session.generation != generation {
                return Ok(());
            }
            session.id = None;
            session.initialize.clone()
        };
        let Some(initialize) = initialize else { return Err(Trouble::Final(self.odd_status(404))) };
        let version = self.session.borrow_mut().version.take();
        let headers =
            [("Accept", "application/json, text/event-stream".to_owned()), ("Content-Type", "application/json".to_owned())];
        let token = self.token().await?;
        let passing = |fault| Trouble::Passing(self.told(fault));
        let sent = self.request("POST", &self.url, &headers, token.as_deref(), &initialize.bytes, limits::DOCUMENT_SECS).await;
        let response = sent.map_err(passing)?;
        if response.status != 200 {
            return Err(Trouble::Passing(self.odd_status(response.status)));
        }
        self.begin_session(&response);
        self.session.borrow_mut().version = version;
        *self.swallowed.borrow_mut() = initialize.asks.first().cloned();
        if response.is_of("text/event-stream") {
            self.read(response, &mut Reader::default(), &mut initialize.asks.clone()).await;
        } else {
            let body = response.body.whole(limits::MESSAGE_BYTES, limits::DOCUMENT_SECS).await.map_err(passing)?;
            self.relay(body);
        }
        self.swallowed.borrow_mut().take();
        let initialized = Message { bytes: INITIALIZED.to_vec(), ..Message::default() };
        let mut headers = self.own_headers(&initialized);
        headers.extend([
            ("Accept", "application/json, text/event-stream".to_owned()),
            ("Content-Type", "application/json".to_owned()),
        ]);
        let sent = self.request("POST", &self.url, &headers, token.as_deref(), INITIALIZED, limits::DOCUMENT_SECS).await;
        let _ = sent.map_err(passing)?.body.whole(limits::DOCUMENT_BYTES, limits::DOCUMENT_SECS).await;
        Ok(())
    }

    /// Word that nobody needs the session any more.
    pub(super) async fn say_goodbye(&self) {
        if self.session.borrow().id.is_none() {
            return;
        }
        let goodbye = async {
            let token = self.access.token().await.ok().flatten();
            let headers = self.own_headers(&Message::default());
            let _ = self.request("DELETE", &self.url, &headers, token.as_deref(), b"", limits::GOODBYE_SECS).await;
        };
        let _ = tokio::time::timeout(Duration::from_secs(limits::GOODBYE_SECS), goodbye).await;
    }

    /// The headers that say what a message belongs to.
    pub(super) fn own_headers(&self, message: &Message) -> Vec<(&'static str, String)> {
        let mut headers = Vec::new();
        if let Some(version) = &message.stateless {
            headers.push(("MCP-Protocol-Version", version.clone()));
            headers.extend(message.method.clone().map(|method| ("Mcp-Method", method)));
            headers.extend(message.name().map(|name| ("Mcp-Name", name)));
        } else if !message.is("initialize") {
            let session = self.session.borrow();
            headers.extend(session.version.clone().map(|version| ("MCP-Protocol-Version", version)));
            headers.extend(session.id.clone().map(|id| ("Mcp-Session-Id", id)));
        }
        headers
    }

    pub(super) async fn request(
        &self,
        method: &str,
        url: &Url,
        headers: &[(&str, String)],
        token: Option<&str>,
        body: &[u8],
        secs: u64,
    ) -> Result<Response, Fault> {
        let bearer = token.map(|token| format!("Bearer {token}"));
        let mut all: Vec<(&str, &str)> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        all.extend(self.headers.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        all.extend(bearer.as_deref().map(|bearer| ("Authorization", bearer)));
        self.client.send(&Request { method, url, headers: &all, body, secs }).await
    }

    pub(super) async fn token(&self) -> Result<Option<String>, Trouble> {
        self.access.token().await.map_err(|error| match error.exit() {
            Exit::Unavailable => Trouble::Passing(error),
            _ => Trouble::Final(error),
        })
    }

    async fn post_older(&self, message: &Message, is_wider: bool) -> Result<Step, Trouble> {
        let closed = || Trouble::Passing(Error::new(Exit::Unavailable, "the stream is not open").at(&self.url));
        let known = self.endpoint.borrow().clone();
        let Some(endpoint) = known else {
            return if self.is_shut.get() { self.knock().await.map(|()| Step::Again) } else { Err(closed()) };
        };
        let token = self.token().await?;
        let mut headers = self.own_headers(message);
        headers.push(("Content-Type", "application/json".to_owned()));
        let sent = self.request("POST", &endpoint, &headers, token.as_deref(), &message.bytes, limits::DOCUMENT_SECS).await;
        let response = sent.map_err(|fault| self.trouble(fault, message))?;
        match response.status {
            200..300 => {
                let _ = response.body.whole(limits::DOCUMENT_BYTES, limits::DOCUMENT_SECS).await;
                Ok(Step::Done)
            }
            403 if is_wider => Err(self.too_narrow()),
            401 | 403 => self.let_in(response, token.as_deref(), true).await,
            status => Err(Trouble::Passing(self.odd_status(status))),
        }
    }

    /// Lets the bridge into a stream that was refused.
    pub(super) async fn let_in_stream(&self, response: Response, token: Option<&str>, asks: bool) -> Result<(), Trouble> {
        self.let_in(response, token, asks).await.map(|_| ())
    }

    fn trouble(&self, fault: Fault, message: &Message) -> Trouble {
        let passes = fault.passes();
        if fault.was_sent() && !message.is_safe() {
            let remedy = "It may have been done, or not: look before you try again.";
            return Trouble::Final(self.told(fault).remedy(remedy));
        }
        let error = self.told(fault);
        if passes { Trouble::Passing(error) } else { Trouble::Final(error) }
    }

    /// A server could want other scopes each time: a person is asked once.
    fn too_narrow(&self) -> Trouble {
        let remedy = "What it needs was not allowed at the sign-in. Try again, and allow it; or ask the owner.";
        let what = "the server asked for more scopes, and still refuses";
        Trouble::Final(Error::new(Exit::Permission, what).at(self.url.origin()).remedy(remedy))
    }

    pub(super) fn told(&self, fault: Fault) -> Error {
        fault.told(&self.url)
    }

    pub(super) fn odd_status(&self, status: u16) -> Error {
        let remedy = "Is this the address of an MCP server? It ends in /mcp, or in /sse.";
        Error::new(Exit::Unavailable, format!("the server answers with status {status}")).at(&self.url).remedy(remedy)
    }
}

/// MCP 2026-07-28.
const HEADER_MISMATCH: i64 = -32020;

pub(super) const INITIALIZED: &[u8] = br#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#;
