//! The stateless dialect over HTTP: every POST stands for itself (MCP 2026-07-28, basic/transports).

use crate::http::event::Outbox;
use crate::http::reply::{self, Reply};
use crate::http::route::{Answer, Opening};
use crate::http::run::{self, Asker, Owner, Started};
use crate::http::streamable;
use crate::http::told::{Field, Told};
use crate::http::{Link, Service, bearer};
use crate::mcp::{self, Action, Caller, Error, Headers, Id, Message, Peer, Pending, Subscription};
use crate::oauth::Endpoint;
use crate::principal::Principal;
use crate::world::Now;
use hyper::header::{AsHeaderName, HeaderMap, HeaderName};
use hyper::{StatusCode, Version};
use std::rc::Rc;

const METHOD: HeaderName = HeaderName::from_static("mcp-method");
const NAME: HeaderName = HeaderName::from_static("mcp-name");

/// What the dialect looks at. Without its revision, the other headers say nothing.
pub(crate) fn headers<'a>(told: &Told<'a>) -> Headers<'a> {
    let headers = Headers { version: told.revision, ..Headers::default() };
    if !headers.are_stateless() {
        return headers;
    }
    Headers { method: only(told.headers, &METHOD), name: only(told.headers, &NAME), ..headers }
}

/// What a header says that is looked up; see [`Field::text`].
pub(crate) fn only(headers: &HeaderMap, name: impl AsHeaderName) -> Option<&str> {
    let mut values = headers.get_all(name).iter();
    Field { first: values.next(), is_repeated: values.next().is_some() }.text()
}

/// The answer to a request that is refused before its id is known.
pub(crate) fn refusal(headers: &HeaderMap, status: StatusCode, error: &Error) -> Reply {
    let is_stateless = self::headers(&Told::read(headers)).are_stateless();
    let json = if is_stateless { mcp::error_without_null(None, error) } else { mcp::error(None, error) };
    reply::json(status, json)
}

/// The answer to a message that claims to be of this dialect and is not as that asks.
pub(crate) fn refused(message: &Message<'_>, error: &Error) -> Reply {
    let id = match message {
        Message::Request { id, .. } => Some(id),
        _ => None,
    };
    reply::json(StatusCode::BAD_REQUEST, mcp::error_without_null(id, error))
}

/// What of a request's head its answer depends on.
#[derive(Clone, Copy)]
pub(crate) struct Head<'a> {
    pub(crate) told: &'a Told<'a>,
    pub(crate) version: Version,
    pub(crate) link: Link,
}

/// Answers a message.
pub(crate) async fn post(
    service: &Rc<Service>,
    principal: &Principal,
    from: Head<'_>,
    peer: Peer,
    message: Message<'_>,
) -> Answer {
    match heard(service, principal, from, peer, message) {
        Heard::Answered(answer) => answer,
        Heard::Slow(outbox) => Answer::Reply(streamable::slow_answer(service, outbox).await),
    }
}

/// What becomes of a message before anything is waited for.
enum Heard {
    Answered(Answer),
    /// The answer comes out here.
    Slow(Rc<Outbox>),
}

fn heard(service: &Rc<Service>, principal: &Principal, from: Head<'_>, mut peer: Peer, message: Message<'_>) -> Heard {
    let header = |name: &str| only(from.told.headers, name);
    let now = service.world().now;
    let caller = Caller { principal, now, header: Some(&header) };
    Heard::Answered(match service.engine().receive(&mut peer, caller, message) {
        Action::Reply(status, answer) => Answer::Reply(reply::json(streamable::status_code(status), answer)),
        Action::Run(pending) => return call(service, (principal, now), from, pending),
        #[cfg(feature = "tasks")]
        Action::Task(action) => {
            let owner = service.next_owner();
            let asker = Asker { principal, now, owner, stream: None, reads_events: false, can_come_back: false };
            match run::task::act(service, asker, action) {
                Started::Done(answer) => Answer::Reply(reply::json(StatusCode::OK, answer)),
                Started::Going(outbox) => Answer::Reply(reply::events(&outbox)),
            }
        }
        Action::Listen(subscription) => listen(service, principal, from.version, *subscription),
        Action::Forbid { id, scope } => {
            Answer::Reply(bearer::forbidden(service, from.link, from.told.headers, Endpoint::Mcp, &id, &scope))
        }
        // To give a call up, a client closes its stream; there is nothing else that it could say.
        _ => Answer::Reply(reply::empty(StatusCode::ACCEPTED)),
    })
}

/// An answer that takes time goes out on a socket of its own, so that the end of the connection is noticed: in this
/// dialect it gives the call up.
fn call(service: &Rc<Service>, (principal, now): (&Principal, Now), from: Head<'_>, pending: Pending) -> Heard {
    let reads_events = streamable::reads_events(from.told);
    let owner = service.next_owner();
    let id = pending.id.clone();
    let asker = Asker { principal, now, owner, stream: None, reads_events, can_come_back: false };
    Heard::Answered(match run::start(service, asker, pending) {
        Started::Done(answer) => Answer::Reply(reply::json(StatusCode::OK, answer)),
        Started::Going(outbox) if outbox.is_closed() => Answer::Reply(reply::events(&outbox)),
        Started::Going(outbox) if reads_events => {
            service.streams.watch_answer(&outbox);
            let held = Box::new(GivenUp { service: Rc::clone(service), owner, id });
            Answer::Stream(Opening { outbox, held, version: from.version, origin: None })
        }
        Started::Going(outbox) => return Heard::Slow(outbox),
    })
}

/// The end of the connection gives the call up; one that is done already does not notice.
struct GivenUp {
    service: Rc<Service>,
    owner: Owner,
    id: Id,
}

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.service.calls.cancel(self.owner, &self.id);
    }
}

fn listen(service: &Rc<Service>, principal: &Principal, version: Version, subscription: Subscription) -> Answer {
    match service.streams.listen(subscription, principal, service.authority.epoch()) {
        Ok(outbox) => {
            let held = Box::new(Left(Rc::clone(&outbox)));
            Answer::Stream(Opening { outbox, held, version, origin: None })
        }
        Err(full) => Answer::Reply(reply::busy(full)),
    }
}

/// Who has left hears of nothing any more.
struct Left(Rc<Outbox>);

impl Drop for Left {
    fn drop(&mut self) {
        self.0.cut();
    }
}
