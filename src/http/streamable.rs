//! Streamable HTTP: `POST`, `GET` and `DELETE /mcp` (MCP 2025-11-25, basic/transports).

use crate::http::body::{self, Fault};
use crate::http::event::{Event, Outbox};
use crate::http::reply::{self, Reply};
use crate::http::run::{self, Asker, Owner, Started};
use crate::http::stream::{Name, Stream};
use crate::http::{Service, oauth};
use crate::limits;
use crate::mcp::{self, Action, Body, Error, Message, Peer, Pending, Revision, Session};
use crate::oauth::Endpoint;
use crate::principal::Principal;
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use hyper::{Request, StatusCode};
use std::rc::Rc;

/// Names the session of a request.
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Names the revision of a request.
pub(crate) const PROTOCOL_VERSION: HeaderName = HeaderName::from_static("mcp-protocol-version");

/// Who posts, as far as the headers tell.
#[derive(Clone, Copy)]
struct Client<'a> {
    principal: &'a Principal,
    headers: &'a HeaderMap,
    session: Option<Session>,
    revision: Revision,
    reads_events: bool,
}

impl Client<'_> {
    fn peer(&self) -> Peer {
        self.session.map_or(Peer::stranger(self.revision), |session| session.peer())
    }

    fn owner(&self) -> Owner {
        self.session.map_or(Owner(self.principal.grant.0), |session| Name::Mcp(session.nonce).owner())
    }

    fn asker(&self) -> Asker<'_> {
        Asker { peer: self.peer(), principal: self.principal, owner: self.owner(), stream: None }
    }
}

/// `POST /mcp`: one message, or a batch of them from a peer of 2025-03-26.
pub(crate) async fn post(service: &Rc<Service>, principal: &Principal, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    if !is_json(headers) {
        return unsupported();
    }
    let reads_events =
        headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream")));
    let (session, revision) = match (session(service, principal, headers), revision(headers)) {
        (Ok(session), Ok(revision)) => (session, revision),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let client = Client { principal, headers, session, revision: revision.unwrap_or(Revision::UNNAMED), reads_events };
    let body = match body::read(body, limits::BODY_BYTES).await {
        Ok(body) => body,
        Err(fault) => return unread(fault),
    };
    match mcp::read(&body) {
        Ok(Body::One(message)) => one(service, &client, message).await,
        Ok(Body::Batch(messages)) if client.peer().revision.has_batches() => batch(service, &client, &messages).await,
        Ok(Body::Batch(_)) => {
            let error = Error::invalid_request("Invalid request: this revision has no batches");
            reply::rpc_error(StatusCode::BAD_REQUEST, &error)
        }
        Err(error) => reply::rpc_error(StatusCode::BAD_REQUEST, &error),
    }
}

async fn one(service: &Rc<Service>, client: &Client<'_>, message: Message<'_>) -> Reply {
    let mut peer = client.peer();
    match service.engine.receive(&mut peer, client.principal, message) {
        Action::Reply(answer) => reply::json(StatusCode::OK, answer),
        Action::Refuse(answer) => reply::json(StatusCode::BAD_REQUEST, answer),
        Action::Open(answer) => welcome(service, client, peer, answer),
        Action::Accept => reply::empty(StatusCode::ACCEPTED),
        Action::Cancel(id) => {
            service.calls.cancel(client.owner(), &id);
            reply::empty(StatusCode::ACCEPTED)
        }
        Action::Run(pending) => call(service, client, *pending).await,
        Action::Forbid { id, scope } => oauth::forbidden(service, client.headers, Endpoint::Mcp, &id, &scope),
    }
}

fn welcome(service: &Service, client: &Client<'_>, peer: Peer, answer: Vec<u8>) -> Reply {
    let session = Session::open(&service.world(), peer.revision, &client.principal.subject);
    let mut reply = reply::json(StatusCode::OK, answer);
    if let Ok(id) = HeaderValue::from_str(&session.seal(&service.keys)) {
        reply.headers_mut().insert(SESSION_ID, id);
    }
    reply
}

async fn call(service: &Rc<Service>, client: &Client<'_>, mut pending: Pending) -> Reply {
    if !client.reads_events {
        pending.progress = None;
    }
    match run::start(service, &client.asker(), pending) {
        Started::Done(answer) => reply::json(StatusCode::OK, answer),
        Started::Going(outbox) if client.reads_events => slow_answer(service, outbox).await,
        Started::Going(outbox) => match last_message(&outbox).await {
            Some(answer) => reply::json(StatusCode::OK, answer),
            None => reply::events(outbox),
        },
    }
}

/// JSON if the answer is the first thing to come; events if progress or a long silence comes before it.
async fn slow_answer(service: &Service, outbox: Rc<Outbox>) -> Reply {
    service.streams.watch(&outbox);
    match outbox.next().await {
        Some(Event::Message(answer)) if outbox.is_closed() && outbox.is_empty() => reply::json(StatusCode::OK, answer),
        Some(first) => {
            outbox.put_back(first);
            reply::events(outbox)
        }
        // The client gave the call up: an end without an answer.
        None => reply::events(outbox),
    }
}

async fn last_message(outbox: &Outbox) -> Option<Bytes> {
    let mut last = None;
    while let Some(event) = outbox.next().await {
        if let Event::Message(json) = event {
            last = Some(json);
        }
    }
    last
}

/// All messages of a batch begin at once; their answers go back together (MCP 2025-03-26, basic/transports).
async fn batch(service: &Rc<Service>, client: &Client<'_>, messages: &[&serde_json::value::RawValue]) -> Reply {
    let mut answers = Vec::new();
    let mut going = Vec::new();
    for message in messages {
        let action = match mcp::read_one(message.get().as_bytes()) {
            Ok(message) => service.engine.receive(&mut client.peer(), client.principal, message),
            Err(error) => Action::Reply(mcp::error(None, &error)),
        };
        match action {
            Action::Reply(answer) | Action::Refuse(answer) => answers.push(Bytes::from(answer)),
            Action::Open(_) => {
                let error = Error::invalid_request("Invalid request: initialize stands alone, not in a batch");
                return reply::rpc_error(StatusCode::BAD_REQUEST, &error);
            }
            Action::Accept => {}
            Action::Cancel(id) => service.calls.cancel(client.owner(), &id),
            Action::Forbid { id, scope } => answers.push(mcp::error(Some(&id), &oauth::missing_scope(&scope)).into()),
            Action::Run(pending) => match run::start(service, &client.asker(), Pending { progress: None, ..*pending }) {
                Started::Done(answer) => answers.push(answer.into()),
                Started::Going(outbox) => going.push(outbox),
            },
        }
    }
    for outbox in going {
        answers.extend(last_message(&outbox).await);
    }
    if answers.is_empty() { reply::empty(StatusCode::ACCEPTED) } else { reply::json(StatusCode::OK, array(&answers)) }
}

fn array(items: &[Bytes]) -> Vec<u8> {
    let mut json = vec![b'['];
    json.extend_from_slice(&items.join(&b','));
    json.push(b']');
    json
}

/// `GET /mcp`: the stream for what the server says unasked. The caller takes the socket over for it.
pub(crate) fn open(service: &Service, principal: &Principal, headers: &HeaderMap) -> Result<Rc<Stream>, Reply> {
    let accepts = headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream") || accept.contains("*/*")));
    if !accepts {
        let error = Error::transport("Not acceptable: the answer to GET is text/event-stream");
        return Err(reply::rpc_error(StatusCode::NOT_ACCEPTABLE, &error));
    }
    revision(headers)?;
    let session = session(service, principal, headers)?.ok_or_else(no_session)?;
    let stream = service.streams.open(Name::Mcp(session.nonce), principal, service.authority.epoch());
    stream.ok_or_else(|| reply::busy("All event streams are taken"))
}

/// `DELETE /mcp`: the client ends its session; from now on it is unknown.
pub(crate) fn delete(service: &Service, principal: &Principal, headers: &HeaderMap) -> Reply {
    match session(service, principal, headers).and_then(|session| session.ok_or_else(no_session)) {
        Ok(session) => {
            service.end_session(session.nonce);
            reply::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => refusal,
    }
}

/// The session that a request names. 404 tells a client to initialize anew; anything else would leave it stranded.
fn session(service: &Service, principal: &Principal, headers: &HeaderMap) -> Result<Option<Session>, Reply> {
    let Some(id) = headers.get(SESSION_ID) else { return Ok(None) };
    let session = Session::read(&service.world(), &service.keys, id.as_bytes(), &principal.subject);
    match session.filter(|session| !service.is_ended(session.nonce)) {
        Some(session) => Ok(Some(session)),
        None => Err(reply::rpc_error(StatusCode::NOT_FOUND, &Error::session_not_found())),
    }
}

fn no_session() -> Reply {
    let error = Error::transport("Bad request: no Mcp-Session-Id; POST an initialize request first");
    reply::rpc_error(StatusCode::BAD_REQUEST, &error)
}

/// The revision that a request names; one that names none is left to its session.
fn revision(headers: &HeaderMap) -> Result<Option<Revision>, Reply> {
    let Some(version) = headers.get(PROTOCOL_VERSION) else { return Ok(None) };
    let revision = version.to_str().ok().and_then(|version| Revision::parse(version.trim()));
    revision.map(Some).ok_or_else(|| {
        let known = Revision::ALL.map(Revision::as_str).join(", ");
        let error = Error::transport(format!("Bad request: unsupported MCP-Protocol-Version; supported are: {known}"));
        reply::rpc_error(StatusCode::BAD_REQUEST, &error)
    })
}

/// Whether the body says that it is JSON, and nothing else besides.
pub(crate) fn is_json(headers: &HeaderMap) -> bool {
    let mut kinds = headers.get_all(CONTENT_TYPE).iter();
    let kind = kinds.next().filter(|_| kinds.next().is_none()).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    kind.split(';').next().is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"))
}

pub(crate) fn unsupported() -> Reply {
    let error = Error::transport("Unsupported media type: the body must be application/json");
    reply::rpc_error(StatusCode::UNSUPPORTED_MEDIA_TYPE, &error)
}

/// The answer to a body that could not be read.
pub(crate) fn unread(fault: Fault) -> Reply {
    let (status, message) = match fault {
        Fault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {} bytes", limits::BODY_BYTES)),
        Fault::TooSlow => (StatusCode::REQUEST_TIMEOUT, format!("The body did not arrive within {} s", limits::BODY_SECS)),
        Fault::Broken => (StatusCode::BAD_REQUEST, "The body is malformed".to_owned()),
    };
    reply::rpc_error(status, &Error::transport(message))
}
