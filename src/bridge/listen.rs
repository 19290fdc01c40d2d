//! What the server says unasked: the stream of `GET /mcp`, and the one of the older transport, which carries everything.

use super::message::Message;
use super::post::{INITIALIZED, Trouble};
use super::{Bridge, tell};
use crate::client::fault::Fault;
use crate::client::http::Response;
use crate::client::sse::Reader;
use crate::errand;
use crate::error::{Error, Exit};
use crate::limits;
use std::rc::Rc;
use std::str;
use std::time::Duration;

impl Bridge {
    /// Listens in the background, where the server speaks unasked.
    pub(super) fn listen(self: &Rc<Self>) {
        if self.is_older.get() || self.session.borrow().id.is_none() {
            return;
        }
        let bridge = Rc::clone(self);
        errand::begin(async move { bridge.keep_listening().await });
    }

    async fn keep_listening(&self) {
        let mut reader = Reader::default();
        let mut pause = limits::BACKOFF_MS.0;
        loop {
            let generation = self.session.borrow().generation;
            match self.open_stream(reader.last_id()).await {
                Ok(response) if response.status == 200 => {
                    pause = limits::BACKOFF_MS.0;
                    self.read(response, &mut reader, &mut Vec::new()).await;
                }
                Ok(response) if response.status == 404 && self.session.borrow().generation == generation => {
                    reader = Reader::default();
                    let _ = self.handshake_again(generation).await;
                }
                Ok(response) if response.status == 401 => {
                    // A person is asked only when his client wants something.
                    let token = self.access.token().await.ok().flatten();
                    let _ = self.let_in_stream(response, token.as_deref(), false).await;
                }
                Ok(response) if matches!(response.status, 400 | 405 | 406) => return,
                _ => {}
            }
            tokio::time::sleep(Duration::from_millis(reader.retry_ms().unwrap_or(0).max(pause))).await;
            pause = (pause * 2).min(limits::BACKOFF_MS.1);
        }
    }

    /// The stream of the session, from after the event `last` on.
    pub(super) async fn open_stream(&self, last: Option<&str>) -> Result<Response, Fault> {
        let mut headers = self.own_headers(&Message::default());
        headers.push(("Accept", "text/event-stream".to_owned()));
        headers.extend(last.map(|id| ("Last-Event-ID", id.to_owned())));
        let token = self.access.token().await.ok().flatten();
        self.request("GET", &self.url, &headers, token.as_deref(), b"", limits::DOCUMENT_SECS).await
    }

    /// Goes over to the older transport (MCP 2024-11-05): its stream, and a task that keeps it open.
    pub(super) async fn listen_older(&self) -> Result<(), Trouble> {
        let token = self.token().await?;
        let response = self.open_older(token.as_deref()).await.map_err(|fault| Trouble::Passing(self.told(fault)))?;
        if response.status == 401 {
            return self.let_in_stream(response, token.as_deref(), true).await;
        }
        if response.status != 200 || !response.is_of("text/event-stream") {
            return Err(Trouble::Final(self.odd_status(response.status)));
        }
        let Some(bridge) = self.own.borrow().upgrade() else { return Ok(()) };
        self.is_older.set(true);
        errand::begin(async move { bridge.keep_older(response).await });
        self.endpoint_named().await
    }

    /// Lets a person sign in, without whom the stream stays shut, and waits until it is open.
    pub(super) async fn knock(&self) -> Result<(), Trouble> {
        let token = self.token().await?;
        let response = self.open_older(token.as_deref()).await.map_err(|fault| Trouble::Passing(self.told(fault)))?;
        if response.status == 401 {
            self.let_in_stream(response, token.as_deref(), true).await?;
        }
        self.wake.notify_one();
        self.endpoint_named().await
    }

    async fn open_older(&self, token: Option<&str>) -> Result<Response, Fault> {
        let mut headers = self.own_headers(&Message::default());
        headers.push(("Accept", "text/event-stream".to_owned()));
        self.request("GET", &self.url, &headers, token, b"", limits::DOCUMENT_SECS).await
    }

    async fn endpoint_named(&self) -> Result<(), Trouble> {
        let wait = async {
            while self.endpoint.borrow().is_none() {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let late = |_| Trouble::Final(Error::new(Exit::Unavailable, "the stream names no endpoint").at(&self.url));
        tokio::time::timeout(Duration::from_secs(limits::CONNECT_SECS), wait).await.map_err(late)
    }

    async fn keep_older(&self, first: Response) {
        let mut next = Some(first);
        let mut pause = limits::BACKOFF_MS.0;
        let mut reader = Reader::default();
        loop {
            if let Some(response) = next.take() {
                pause = limits::BACKOFF_MS.0;
                self.read_older(response, &mut reader).await;
                self.endpoint.borrow_mut().take();
                // Their answers would have come on this stream.
                let lost: Vec<String> = self.flights.borrow().iter().map(|flight| flight.id.clone()).collect();
                for id in &lost {
                    self.refuse(id, "The connection to the server broke before the answer came.");
                }
            }
            let pause_now = Duration::from_millis(reader.retry_ms().unwrap_or(0).max(pause));
            _ = tokio::time::timeout(pause_now, self.wake.notified()).await;
            pause = (pause * 2).min(limits::BACKOFF_MS.1);
            let token = self.access.token().await.ok().flatten();
            match self.open_older(token.as_deref()).await {
                Ok(response) if response.status == 200 => {
                    self.is_shut.set(false);
                    next = Some(response);
                }
                // A person is asked only when his client wants something.
                Ok(response) if response.status == 401 => {
                    self.is_shut.set(self.let_in_stream(response, token.as_deref(), false).await.is_err());
                }
                _ => {}
            }
        }
    }

    async fn read_older(&self, mut response: Response, reader: &mut Reader) {
        let (mut bytes, mut events) = (Vec::new(), Vec::new());
        reader.cut();
        loop {
            bytes.clear();
            if !matches!(response.body.next(&mut bytes).await, Ok(true)) || reader.feed(&bytes, &mut events).is_err() {
                return;
            }
            for event in events.drain(..) {
                match event.name.as_str() {
                    "endpoint" => {
                        let named = str::from_utf8(&event.data).ok().and_then(|text| self.url.join(text));
                        // Tokens go nowhere else.
                        let Some(endpoint) = named.filter(|endpoint| endpoint.origin() == self.url.origin()) else {
                            tell("the server names an endpoint of another origin; it is not used");
                            return;
                        };
                        *self.endpoint.borrow_mut() = Some(endpoint);
                        self.greet_again();
                    }
                    _ if event.data.is_empty() => {}
                    _ => _ = self.relay(event.data),
                }
            }
        }
    }

    /// After a cut the server may have another session: the client's own handshake is made again.
    fn greet_again(&self) {
        let initialize = self.session.borrow().initialize.clone().filter(|_| self.session.borrow().is_initialized);
        let (Some(initialize), Some(bridge)) = (initialize, self.own.borrow().upgrade()) else { return };
        *self.swallowed.borrow_mut() = initialize.asks.first().cloned();
        errand::begin(async move {
            let _ = bridge.send(&initialize).await;
            let _ = bridge.send(&Message { bytes: INITIALIZED.to_vec(), ..Message::default() }).await;
        });
    }
}
