//! HTTP with SSE: `GET /sse` and `POST /messages` (MCP 2024-11-05, basic/transports), and the bytes of every stream that
//! is driven without hyper.

use crate::http::event::{Event, Outbox, Reader};
use crate::http::reply::{self, Reply};
use crate::http::run::{self, Asker, Started};
use crate::http::stream::{Name, Stream};
use crate::http::told::Told;
use crate::http::{Link, Service, bearer, body, streamable};
use crate::limits;
use crate::mcp::{self, Action, Body, Caller, Error, Message, Peer};
use crate::oauth::Endpoint;
use crate::principal::Principal;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use bytes::{Buf, Bytes};
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::request::Parts;
use hyper::{StatusCode, Version};
use std::future::poll_fn;
use std::io::{self, Write as _};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// `GET /sse`: a session that lives as long as its stream. Its first event says where to post.
///
/// A client that has lost its stream comes back without a new `initialize`. What it can do is forgotten, but the revision
/// that was agreed on it says in a header.
pub(crate) fn open(service: &Service, principal: &Principal, told: &Told<'_>) -> Result<Rc<Stream>, Reply> {
    let id: [u8; 16] = service.world().bytes();
    let stream = service.streams.open(Name::Sse(id), principal, service.authority.epoch()).map_err(reply::busy)?;
    if let Ok(Some(revision)) = streamable::revision(told) {
        stream.peer.replace(Peer::stranger(revision));
    }
    stream.outbox.push(Event::Endpoint(format!("/messages?session={}", URL_SAFE_NO_PAD.encode(id))));
    Ok(stream)
}

/// `POST /messages?session=…`: 202 at once, where this says nothing else; the answer comes on the stream.
pub(crate) async fn post(
    service: &Rc<Service>,
    principal: &Principal,
    link: Link,
    (head, told): (&Parts, &Told<'_>),
    body: Incoming,
) -> Option<Reply> {
    let stream = session_id(head.uri.query()).and_then(|id| service.streams.find(Name::Sse(id), principal));
    let Some(stream) = stream else {
        return Some(reply::rpc_error(StatusCode::NOT_FOUND, &Error::session_not_found()));
    };
    if !streamable::is_json(told.content_type) {
        return Some(streamable::unsupported(&head.headers));
    }
    let body = match body::read(body, service.config().limits.body_bytes).await {
        Ok(body) => body,
        Err(fault) => return Some(streamable::unread(service, &head.headers, fault)),
    };
    match mcp::read(&body) {
        Ok(Body::One(message)) => one(service, principal, (link, &head.headers), &stream, message),
        Ok(Body::Batch(messages)) if stream.peer.borrow().revision.has_batches() => {
            let messages = match mcp::read_batch(&messages) {
                Ok(messages) => messages,
                Err(error) => return Some(reply::rpc_error(StatusCode::BAD_REQUEST, &error)),
            };
            for message in messages {
                match message {
                    // Its answer is in the stream, a refusal too.
                    Ok(message) => drop(one(service, principal, (link, &head.headers), &stream, message)),
                    Err(error) => stream.outbox.push(Event::Message(mcp::error(None, &error).into())),
                }
            }
            None
        }
        Ok(Body::Batch(_)) => Some(reply::rpc_error(StatusCode::BAD_REQUEST, &Error::no_batches())),
        Err(error) => Some(reply::rpc_error(StatusCode::BAD_REQUEST, &error)),
    }
}

/// Does what a message asks for; what answers it, where that is not the stream alone.
fn one(
    service: &Rc<Service>,
    principal: &Principal,
    (link, headers): (Link, &HeaderMap),
    stream: &Rc<Stream>,
    message: Message<'_>,
) -> Option<Reply> {
    let mut peer = stream.peer.borrow().clone();
    let owner = stream.name.owner();
    let world = service.world();
    let caller = Caller { principal, now: world.now, header: None };
    let asker =
        Asker { principal, now: world.now, owner, stream: Some(&stream.outbox), reads_events: true, can_come_back: false };
    let say = |answer: Vec<u8>| stream.outbox.push(Event::Message(answer.into()));
    match service.engine().receive(&mut peer, caller, message) {
        Action::Reply(_, answer) => say(answer),
        Action::Open(answer) => {
            stream.peer.replace(peer);
            say(answer);
        }
        Action::SetLevel(level, answer) => {
            stream.peer.borrow_mut().log_level = Some(level);
            say(answer);
        }
        Action::Watch { uri, begins, answer } => {
            service.streams.watch(stream.name, uri, begins);
            say(answer);
        }
        // Only the stateless dialect has it, and that has no streams like this.
        Action::Accept | Action::Listen(_) => {}
        Action::Answered(id, result) => service.asks.fill(owner, &id, result),
        Action::Cancel(id) => service.calls.cancel(owner, &id),
        Action::Forbid { id, scope } => {
            say(mcp::error(Some(&id), &bearer::missing_scope(&scope)));
            return Some(bearer::forbidden(service, link, headers, Endpoint::Sse, &id, &scope));
        }
        #[cfg(feature = "tasks")]
        Action::Task(action) => {
            if let Started::Done(answer) = run::task::act(service, asker, action) {
                say(answer);
            }
        }
        Action::Run(pending) => {
            if let Started::Done(answer) = run::start(service, asker, pending) {
                say(answer);
            }
        }
    }
    None
}

fn session_id(query: Option<&str>) -> Option<[u8; 16]> {
    let id = query?.strip_prefix("session=")?;
    let mut bytes = [0; 16];
    let length = URL_SAFE_NO_PAD.decode_slice(id, &mut bytes).ok()?;
    (length == bytes.len()).then_some(bytes)
}

/// The head of a stream's answer. HTTP/1.0 knows no chunks: there the end of the connection is the end of the stream.
fn head(version: Version, extra: &str) -> String {
    let chunked = if version == Version::HTTP_10 { "" } else { "transfer-encoding: chunked\r\n" };
    format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncache-control: no-cache, no-transform\r\n\
         x-accel-buffering: no\r\n{extra}{chunked}connection: close\r\n\r\n"
    )
}

/// A stream on a socket that was taken back from hyper: about 1 KiB instead of 12.
pub(crate) struct Writer {
    reader: Reader,
    is_chunked: bool,
    /// What the socket has not taken yet.
    rest: Bytes,
    is_ending: bool,
}

impl Writer {
    /// Writes what `outbox` holds as the answer to a request of this version, with `extra` header lines.
    pub(crate) fn new(outbox: &Rc<Outbox>, version: Version, extra: &str) -> Self {
        let rest = Bytes::from(head(version, extra));
        Writer { reader: outbox.read(), is_chunked: version != Version::HTTP_10, rest, is_ending: false }
    }

    /// Writes until the stream ends, the reader leaves or the reader takes nothing for too long.
    pub(crate) async fn drive<S: AsyncRead + AsyncWrite + Unpin>(mut self, mut socket: S) -> io::Result<()> {
        poll_fn(|context| self.poll(Pin::new(&mut socket), context)).await?;
        // Over TLS, the end is a message, which waits for the reader as any other.
        let closing = poll_fn(|context| Pin::new(&mut socket).poll_shutdown(context));
        // Boxed: a stream has no room for a timer until it ends.
        Box::pin(tokio::time::timeout(Duration::from_secs(limits::WRITE_SECS), closing)).await?
    }

    fn poll<S: AsyncRead + AsyncWrite>(&mut self, mut socket: Pin<&mut S>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if has_left(socket.as_mut(), context) {
            return Poll::Ready(Ok(()));
        }
        loop {
            let Poll::Ready(written) = self.poll_rest(socket.as_mut(), context) else {
                // The end of an outbox wakes a writer that waits for its reader.
                if self.reader.outbox().is_cut() {
                    return Poll::Ready(Err(io::ErrorKind::TimedOut.into()));
                }
                self.reader.outbox().set_waiting(true);
                self.reader.outbox().wake_on_change(context);
                return Poll::Pending;
            };
            self.reader.outbox().set_waiting(false);
            written?;
            if self.is_ending {
                return Poll::Ready(Ok(()));
            }
            match ready!(self.reader.poll_frame(context)) {
                Some(frame) => self.rest = self.chunk(frame),
                None => self.end(),
            }
        }
    }

    /// Writes what is left of the last frame. Over TLS, what was written may still wait for the reader: so it is flushed.
    fn poll_rest<S: AsyncWrite>(&mut self, mut socket: Pin<&mut S>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.rest.is_empty() {
            match ready!(socket.as_mut().poll_write(context, &self.rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                bytes => self.rest.advance(bytes),
            }
            self.reader.outbox().set_waiting(false);
        }
        // Also when it is empty, it would hold its buffer for as long as nothing else is said.
        self.rest = Bytes::new();
        socket.poll_flush(context)
    }

    fn end(&mut self) {
        self.is_ending = true;
        if self.is_chunked && !self.reader.outbox().is_cut() {
            self.rest = Bytes::from_static(b"0\r\n\r\n");
        }
    }

    fn chunk(&self, frame: Bytes) -> Bytes {
        if !self.is_chunked {
            return frame;
        }
        let mut chunk = Vec::with_capacity(frame.len() + 12);
        // Writing to a Vec does not fail.
        let _ = write!(chunk, "{:x}\r\n", frame.len());
        chunk.extend_from_slice(&frame);
        chunk.extend_from_slice(b"\r\n");
        Bytes::from(chunk)
    }
}

/// Whether the reader has closed its side. What it may send on this connection is of no use and is thrown away.
fn has_left<S: AsyncRead>(mut socket: Pin<&mut S>, context: &mut Context<'_>) -> bool {
    let mut bytes = [0; 64];
    // A bound, so that a peer that sends without end does not hold the thread.
    for _ in 0..16 {
        let mut buffer = ReadBuf::new(&mut bytes);
        match socket.as_mut().poll_read(context, &mut buffer) {
            Poll::Pending => return false,
            Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {}
            Poll::Ready(_) => return true,
        }
    }
    // It never has anything to say here.
    true
}
