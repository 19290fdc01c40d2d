//! Streamable HTTP: `POST`, `GET` and `DELETE /mcp` (MCP 2025-11-25, basic/transports).

use crate::http::body::{self, Fault};
use crate::http::event::{Event, Outbox};
use crate::http::reply::{self, Reply};
use crate::http::route::Answer;
use crate::http::run::{self, Asker, Owner, Started};
use crate::http::stateless::Head;
use crate::http::stream::{Name, Stream};
use crate::http::told::{Field, Told};
use crate::http::{Link, Service, bearer, stateless};
use crate::limits;
use crate::mcp::{self, Action, Body, Caller, Dialect, Error, Message, Peer, Pending, Revision, Session};
use crate::oauth::Endpoint;
use crate::principal::Principal;
use crate::world::{Now, World};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::body::Incoming;
use hyper::header::{ACCEPT, HeaderMap, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use serde_json::value::RawValue;
use std::rc::Rc;

/// Names the session of a request.
pub(crate) const SESSION_ID: HeaderName = HeaderName::from_static("mcp-session-id");
/// Names the last event that a client has read.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// Who posts, as far as the headers tell.
struct Client<'a> {
    principal: &'a Principal,
    link: Link,
    told: &'a Told<'a>,
    /// What names its session, if it has one.
    session: Option<u64>,
    peer: Peer,
    reads_events: bool,
    now: Now,
}

impl Client<'_> {
    fn owner(&self) -> Owner {
        self.session.map_or(Owner(self.principal.grant.0), |nonce| Name::Mcp(nonce).owner())
    }

    fn asker(&self) -> Asker<'_> {
        let (reads_events, can_come_back) = (self.reads_events, self.can_come_back());
        Asker { principal: self.principal, now: self.now, owner: self.owner(), stream: None, reads_events, can_come_back }
    }

    fn can_come_back(&self) -> bool {
        self.session.is_some() && self.reads_events && self.peer.revision.has_priming()
    }
}

/// `POST /mcp`: one message of either dialect, or a batch of them from a peer of 2025-03-26.
pub(crate) async fn post(
    service: &Rc<Service>,
    principal: &Principal,
    link: Link,
    (head, told): (&Parts, &Told<'_>),
    body: Incoming,
) -> Said {
    let headers = &head.headers;
    if !is_json(told.content_type) {
        return Said::reply(unsupported(headers));
    }
    let body = match body::read(body, service.config().limits.body_bytes).await {
        Ok(body) => body,
        Err(fault) => return Said::reply(unread(service, headers, fault)),
    };
    let message = match mcp::read(&body) {
        Ok(Body::One(message)) => message,
        Ok(Body::Batch(messages)) => return Said::reply(batch(service, principal, link, told, &messages).await),
        Err(error) => return Said::reply(stateless::refusal(headers, StatusCode::BAD_REQUEST, &error)),
    };
    match mcp::dialect(&message, &stateless::headers(told)) {
        Ok(Dialect::Stateless(envelope)) => {
            let peer = Peer::stateless(envelope);
            let head = Head { told, version: head.version, link };
            Said::Answer(stateless::post(service, principal, head, peer, message).await)
        }
        Ok(Dialect::Handshake) => match client(service, principal, link, told) {
            Ok(client) => match one(service, &client, message) {
                Heard::Said(said) => said,
                Heard::Started(started) => answered(service, &client, started).await,
            },
            Err(refusal) => Said::reply(refusal),
        },
        Err(error) => Said::reply(stateless::refused(&message, &error)),
    }
}

/// What a message leads to.
pub(crate) enum Said {
    /// JSON with a 200, as most of the time.
    Json(Vec<u8>),
    /// Anything else.
    Answer(Answer),
}

impl Said {
    fn reply(reply: Reply) -> Self {
        Said::Answer(Answer::Reply(reply))
    }
}

/// Whether the client reads events in an answer to POST.
pub(crate) fn reads_events(told: &Told<'_>) -> bool {
    const EVENTS: &[u8] = b"text/event-stream";
    let is_events = |range: &[u8]| {
        let kind = range.split(|byte| *byte == b';').next().unwrap_or_default();
        kind.trim_ascii().eq_ignore_ascii_case(EVENTS)
    };
    // All clients of note name it last.
    let has_events = |accept: &[u8]| accept.ends_with(EVENTS) || accept.split(|byte| *byte == b',').any(is_events);
    match told.accept {
        Field { is_repeated: true, .. } => told.headers.get_all(ACCEPT).iter().any(|accept| has_events(accept.as_bytes())),
        Field { first, .. } => first.is_some_and(|accept| has_events(accept.as_bytes())),
    }
}

fn client<'a>(service: &Service, principal: &'a Principal, link: Link, told: &'a Told<'a>) -> Result<Client<'a>, Reply> {
    let world = service.world();
    let session = session(service, &world, principal, told)?;
    let revision = told.revision.map(named).transpose()?.unwrap_or(Revision::UNNAMED);
    let nonce = session.as_ref().map(|session| session.nonce);
    let peer = session.map_or_else(|| Peer::stranger(revision), |session| service.peer(session));
    Ok(Client { principal, link, told, session: nonce, peer, reads_events: reads_events(told), now: world.now })
}

/// What becomes of a message before anything is waited for.
enum Heard {
    Said(Said),
    Started(Started),
}

fn one(service: &Rc<Service>, client: &Client<'_>, message: Message<'_>) -> Heard {
    let mut peer = client.peer.clone();
    let caller = Caller { principal: client.principal, now: client.now, header: None };
    Heard::Said(match service.engine().receive(&mut peer, caller, message) {
        Action::Reply(200, answer) => Said::Json(answer),
        Action::Reply(status, answer) => Said::reply(reply::json(status_code(status), answer)),
        Action::Open(answer) => Said::reply(welcome(service, client, peer, answer)),
        Action::Run(pending) => return Heard::Started(call(service, client, pending)),
        #[cfg(feature = "tasks")]
        Action::Task(action) => return Heard::Started(run::task::act(service, client.asker(), action)),
        Action::Forbid { id, scope } => {
            Said::reply(bearer::forbidden(service, client.link, client.told.headers, Endpoint::Mcp, &id, &scope))
        }
        other => settle(service, client, other).map_or_else(|| Said::reply(reply::empty(StatusCode::ACCEPTED)), Said::Json),
    })
}

/// Does what needs no waiting; what there is to answer.
fn settle(service: &Service, client: &Client<'_>, action: Action) -> Option<Vec<u8>> {
    match action {
        Action::Cancel(id) => service.calls.cancel(client.owner(), &id),
        Action::Answered(id, result) => service.asks.fill(client.owner(), &id, result),
        Action::SetLevel(level, answer) => {
            if let Some(nonce) = client.session {
                service.set_level(nonce, level);
            }
            return Some(answer);
        }
        Action::Watch { uri, begins, answer } => {
            if let Some(nonce) = client.session {
                service.streams.watch(Name::Mcp(nonce), uri, begins);
            }
            return Some(answer);
        }
        _ => {}
    }
    None
}

/// The status of this number; the engine gives none that is not one.
pub(crate) fn status_code(status: u16) -> StatusCode {
    StatusCode::from_u16(status).unwrap_or(StatusCode::OK)
}

fn welcome(service: &Service, client: &Client<'_>, peer: Peer, answer: Vec<u8>) -> Reply {
    let session = Session::open(&service.world(), peer);
    let mut reply = reply::json(StatusCode::OK, answer);
    if let Ok(id) = HeaderValue::from_str(&session.seal(&service.keys(), client.principal)) {
        reply.headers_mut().insert(SESSION_ID, id);
    }
    reply
}

fn call(service: &Rc<Service>, client: &Client<'_>, pending: Pending) -> Started {
    let started = run::start(service, client.asker(), pending);
    if let Started::Going(outbox) = &started
        && client.can_come_back()
    {
        service.replays.keep(client.owner(), outbox);
    }
    started
}

async fn answered(service: &Service, client: &Client<'_>, started: Started) -> Said {
    Said::reply(match started {
        Started::Done(answer) => return Said::Json(answer),
        Started::Going(outbox) if client.reads_events => slow_answer(service, outbox).await,
        Started::Going(outbox) => match last_message(&outbox).await {
            Some(answer) => reply::json(StatusCode::OK, answer),
            None => reply::events(&outbox),
        },
    })
}

/// JSON if the answer is the first thing to come; events if progress or a long silence comes before it.
pub(crate) async fn slow_answer(service: &Service, outbox: Rc<Outbox>) -> Reply {
    service.streams.watch_answer(&outbox);
    match outbox.next().await {
        Some(Event::Message(answer)) if outbox.is_closed() && outbox.is_empty() => reply::json(StatusCode::OK, answer),
        Some(first) => {
            outbox.put_back(first);
            reply::events(&outbox)
        }
        // The client gave the call up: an end without an answer.
        None => reply::events(&outbox),
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
async fn batch(service: &Rc<Service>, principal: &Principal, link: Link, told: &Told<'_>, messages: &[&RawValue]) -> Reply {
    if stateless::headers(told).are_stateless() {
        return stateless::refusal(told.headers, StatusCode::BAD_REQUEST, &Error::no_batches());
    }
    let client = match client(service, principal, link, told) {
        Ok(client) if client.peer.revision.has_batches() => Client { reads_events: false, ..client },
        Ok(_) => return reply::rpc_error(StatusCode::BAD_REQUEST, &Error::no_batches()),
        Err(refusal) => return refusal,
    };
    let messages = match mcp::read_batch(messages) {
        Ok(messages) => messages,
        Err(error) => return reply::rpc_error(StatusCode::BAD_REQUEST, &error),
    };
    let caller = Caller { principal, now: client.now, header: None };
    let mut answers = Vec::new();
    let mut going = Vec::new();
    for message in messages {
        let action = match message {
            Ok(message) => service.engine().receive(&mut client.peer.clone(), caller, message),
            Err(error) => Action::Reply(200, mcp::error(None, &error)),
        };
        match action {
            // No `initialize` is among them, so that nothing is opened.
            Action::Reply(_, answer) | Action::Open(answer) => answers.push(Bytes::from(answer)),
            Action::Forbid { id, scope } => answers.push(mcp::error(Some(&id), &bearer::missing_scope(&scope)).into()),
            Action::Run(pending) => match run::start(service, client.asker(), pending) {
                Started::Done(answer) => answers.push(answer.into()),
                Started::Going(outbox) => going.push(outbox),
            },
            other => answers.extend(settle(service, &client, other).map(Bytes::from)),
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

/// What a `GET /mcp` opens.
pub(crate) enum Opened {
    /// The stream for what the server says unasked.
    Stream(Rc<Stream>),
    /// The rest of an answer that was lost on its way.
    Rest(Rc<Outbox>),
}

/// `GET /mcp`: a stream, for which the caller takes the socket over.
pub(crate) fn open(service: &Service, principal: &Principal, told: &Told<'_>) -> Result<Opened, Reply> {
    let headers = told.headers;
    if told.revision == Some(Revision::V2026_07_28.as_str()) {
        return Err(reply::method_not_allowed("POST"));
    }
    let accepts = headers
        .get_all(ACCEPT)
        .iter()
        .any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/event-stream") || accept.contains("*/*")));
    if !accepts {
        let error = Error::transport("Not acceptable: the answer to GET is text/event-stream");
        return Err(reply::rpc_error(StatusCode::NOT_ACCEPTABLE, &error));
    }
    revision(told)?;
    let session = session(service, &service.world(), principal, told)?.ok_or_else(no_session)?;
    let name = Name::Mcp(session.nonce);
    if let Some(id) = headers.get(LAST_EVENT_ID) {
        // Only answers have ids. Where nothing is left of one, because it was had, given up or forgotten, a stream would make
        // the client come back for it for ever, and in place of the stream that it has; 405 is the one refusal it takes for an end.
        let rest = id.to_str().ok().and_then(|id| service.replays.resume(name.owner(), id));
        let rest = rest.filter(|outbox| !(outbox.is_closed() && outbox.is_empty()));
        return rest.map(Opened::Rest).ok_or_else(|| reply::method_not_allowed("POST, DELETE"));
    }
    let stream = service.streams.open(name, principal, service.authority.epoch());
    stream.map(Opened::Stream).map_err(reply::busy)
}

/// `DELETE /mcp`: the client ends its session; from now on it is unknown.
pub(crate) fn delete(service: &Service, principal: &Principal, told: &Told<'_>) -> Reply {
    if told.revision == Some(Revision::V2026_07_28.as_str()) {
        return reply::method_not_allowed("POST");
    }
    let session = revision(told).and_then(|_| session(service, &service.world(), principal, told)?.ok_or_else(no_session));
    match session {
        Ok(session) => {
            service.end_session(session.nonce);
            reply::empty(StatusCode::NO_CONTENT)
        }
        Err(refusal) => refusal,
    }
}

/// The session that a request names. 404 tells a client to initialize anew; anything else would leave it stranded.
fn session(service: &Service, world: &World<'_>, principal: &Principal, told: &Told<'_>) -> Result<Option<Session>, Reply> {
    if told.session.first.is_none() {
        return Ok(None);
    }
    let id = told.session.only().map(|id| id.as_bytes().trim_ascii());
    let session = id.and_then(|id| Session::read(world, &service.keys(), id, principal));
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
pub(crate) fn revision(told: &Told<'_>) -> Result<Option<Revision>, Reply> {
    told.revision.map(named).transpose()
}

fn named(version: &str) -> Result<Revision, Reply> {
    let revision = Revision::parse(version).filter(|revision| !revision.is_stateless());
    revision.ok_or_else(|| {
        let known = Revision::ALL.map(Revision::as_str)[..4].join(", ");
        let error = Error::transport(format!("Bad request: unsupported MCP-Protocol-Version; supported are: {known}"));
        reply::rpc_error(StatusCode::BAD_REQUEST, &error)
    })
}

/// Whether the body says that it is JSON, and nothing else besides.
pub(crate) fn is_json(content_type: Field<'_>) -> bool {
    let kind = content_type.only().map(HeaderValue::as_bytes).unwrap_or_default();
    let bare = || kind.split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    kind == b"application/json" || bare().eq_ignore_ascii_case(b"application/json")
}

pub(crate) fn unsupported(headers: &HeaderMap) -> Reply {
    let error = Error::transport("Unsupported media type: the body must be application/json");
    stateless::refusal(headers, StatusCode::UNSUPPORTED_MEDIA_TYPE, &error)
}

/// The answer to a body that could not be read.
pub(crate) fn unread(service: &Service, headers: &HeaderMap, fault: Fault) -> Reply {
    let most = service.config().limits.body_bytes;
    let (status, message) = match fault {
        Fault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, format!("The body is larger than {most} bytes")),
        Fault::TooSlow => (StatusCode::REQUEST_TIMEOUT, format!("The body did not arrive within {} s", limits::BODY_SECS)),
        Fault::Broken => (StatusCode::BAD_REQUEST, "The body is malformed".to_owned()),
    };
    stateless::refusal(headers, status, &Error::transport(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_by_who_names_their_type_wherever_it_stands() {
        let reads =
            |accept: &'static str| reads_events(&Told::read(&HeaderMap::from_iter([(ACCEPT, HeaderValue::from_static(accept))])));
        for accept in [
            "application/json, text/event-stream",
            "text/event-stream",
            "text/event-stream;q=0.5, application/json",
            "application/json,Text/Event-Stream ; q=1",
        ] {
            assert!(reads(accept), "{accept}");
        }
        for accept in ["application/json", "text/event-streams", "text/event-stream-x, application/json", "*/*", ""] {
            assert!(!reads(accept), "{accept}");
        }
        assert!(!reads_events(&Told::read(&HeaderMap::new())));
    }
}
