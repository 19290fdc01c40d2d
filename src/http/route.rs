//! One request to one answer: the guards in their order, then method and path.

use crate::http::event::Outbox;
use crate::http::guard::{Host, needs_tls};
use crate::http::reply::{self, Reply};
use crate::http::stream::{Name, Stream};
use crate::http::streamable::{Opened, Said};
use crate::http::told::Told;
use crate::http::{Link, Service, bearer, home, live, metrics, oauth, sse, stateless, streamable};
use crate::mcp::Error;
use crate::oauth::{Base, Endpoint, Endpoints};
use crate::principal::Principal;
use hyper::body::Incoming;
use hyper::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN, ACCESS_CONTROL_EXPOSE_HEADERS,
    ACCESS_CONTROL_MAX_AGE, CONNECTION, HOST, HeaderMap, HeaderValue, VARY,
};
use hyper::http::request::Parts;
use hyper::http::uri::PathAndQuery;
use hyper::{Method, Request, StatusCode, Version};
use std::any::Any;
use std::rc::Rc;

/// Where the certificate of the board's own CA is.
const CA_PATH: &str = "/ca.pem";

/// What a request leads to.
pub(crate) enum Answer {
    /// An answer that hyper writes.
    Reply(Reply),
    /// A stream, for which the connection takes its socket back.
    Stream(Opening),
}

/// A stream that is about to begin.
pub(crate) struct Opening {
    pub(crate) outbox: Rc<Outbox>,
    /// Puts away what the stream held, when it is dropped.
    pub(crate) held: Box<dyn Any>,
    pub(crate) version: Version,
    /// The page that reads it, if it is one.
    pub(crate) origin: Option<HeaderValue>,
}

impl Opening {
    /// The header lines that let a page read the stream.
    pub(crate) fn cors_lines(&self) -> String {
        let origin = self.origin.as_ref().and_then(|origin| origin.to_str().ok());
        origin.map_or_else(String::new, |origin| format!("access-control-allow-origin: {origin}\r\nvary: origin\r\n"))
    }
}

/// What a request that has passed the guards needs.
enum Next {
    /// No more than this, as its body says nothing.
    Answered(Answer),
    /// `/mcp`; who calls is not known yet.
    Mcp,
    /// `/messages`, likewise.
    Messages,
    /// Sign-in, under this name.
    Oauth(Base),
}

/// Answers one request. `finish` makes of the answer what the connection goes on with; where that is nothing, this stays
/// pending. It is no future around this one, as one within the other would be copied twice for each request: so what waits
/// for nothing is none here, either.
pub(crate) async fn answer<T>(
    service: Rc<Service>,
    link: Link,
    request: Request<Incoming>,
    finish: impl FnOnce(Answer) -> Option<T>,
) -> T {
    let service = &service;
    let answer = if request.uri().path() == metrics::HEALTH_PATH {
        Answer::Reply(metrics::health(service, request.method()))
    } else {
        let (head, body) = request.into_parts();
        let told = Told::read(&head.headers);
        let origin = told.origin.first.cloned();
        let answer = match guarded(service, link, &head, &told) {
            Next::Answered(answer) => answer,
            // What is said most of the time is said in the header map of the request: hyper takes it back for the next one.
            Next::Mcp => match bearer::principal(service, link, &told, Endpoint::Mcp.into(), Endpoint::Mcp) {
                // Not moved: it is large.
                Ok(ref principal) if head.method == Method::POST => {
                    match streamable::post(service, principal, link, (&head, &told), body).await {
                        Said::Json(json) => Answer::Reply(reply::json_in(head.headers, json)),
                        Said::Answer(answer) => answer,
                    }
                }
                Ok(ref principal) => mcp(service, principal, &head, &told),
                Err(challenge) => Answer::Reply(challenge),
            },
            Next::Messages => match bearer::principal(service, link, &told, Endpoints::ANY, Endpoint::Sse) {
                Ok(ref principal) if head.method == Method::POST => {
                    match sse::post(service, principal, link, (&head, &told), body).await {
                        None => Answer::Reply(reply::accepted_in(head.headers)),
                        Some(refusal) => Answer::Reply(refusal),
                    }
                }
                Ok(_) => Answer::Reply(reply::method_not_allowed("POST")),
                Err(challenge) => Answer::Reply(challenge),
            },
            // Boxed: each request would make room for the largest of these futures.
            Next::Oauth(base) => {
                let request = Request::from_parts(head, body);
                Answer::Reply(Box::pin(oauth::answer(service, &base, link, request)).await)
            }
        };
        told_of(service, answer, origin)
    };
    match finish(answer) {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

/// Counts an answer, and lets the page read it that asked.
fn told_of(service: &Service, mut answer: Answer, origin: Option<HeaderValue>) -> Answer {
    close(&mut answer);
    service.watch.answered(match &answer {
        Answer::Reply(reply) => reply.status(),
        Answer::Stream(_) => StatusCode::OK,
    });
    let Some(origin) = origin else { return answer };
    match answer {
        Answer::Reply(reply) if is_for_programs(&reply) => Answer::Reply(readable(reply, origin)),
        Answer::Stream(opening) => Answer::Stream(Opening { origin: Some(origin), ..opening }),
        answer @ Answer::Reply(_) => answer,
    }
}

/// Says that the connection ends where a part of the body was not read.
fn close(answer: &mut Answer) {
    if let Answer::Reply(reply) = answer
        && matches!(reply.status(), StatusCode::PAYLOAD_TOO_LARGE | StatusCode::REQUEST_TIMEOUT)
    {
        reply.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
}

fn guarded(service: &Rc<Service>, link: Link, head: &Parts, told: &Told<'_>) -> Next {
    let Parts { method, uri, headers, version, .. } = head;
    let hosts = service.hosts();
    let Some(host) = hosts.find(told, link).filter(|host| host.is_asked_for(uri)) else {
        return refused(misdirected(headers));
    };
    if needs_tls(&service.config(), link) && !is_for_everybody(uri.path()) {
        return refused(insecure(service, host, head));
    }
    if !hosts.is_welcome(told, link) {
        return refused(unwelcome(headers));
    }
    if method == Method::OPTIONS {
        return Next::Answered(Answer::Reply(preflight()));
    }
    match uri.path() {
        "/mcp" => Next::Mcp,
        "/messages" => Next::Messages,
        "/sse" => Next::Answered(legacy(service, link, head, told)),
        "/" => Next::Answered(Answer::Reply(home_page(service, host, head))),
        live::PATH => {
            let base = hosts.base(host);
            Next::Answered(live::open(service, &base, method, headers, *version))
        }
        metrics::PATH => Next::Answered(Answer::Reply(metrics::page(service, link, method, headers))),
        CA_PATH => Next::Answered(Answer::Reply(own_ca(service, head))),
        _ => Next::Oauth(hosts.base(host)),
    }
}

fn refused(reply: Reply) -> Next {
    Next::Answered(Answer::Reply(reply))
}

fn mcp(service: &Rc<Service>, principal: &Principal, head: &Parts, told: &Told<'_>) -> Answer {
    match head.method {
        Method::GET => match streamable::open(service, principal, told) {
            Ok(Opened::Stream(stream)) => opened(service, Ok(stream), head.version),
            Ok(Opened::Rest(outbox)) => {
                Answer::Stream(Opening { outbox, held: Box::new(()), version: head.version, origin: None })
            }
            Err(refusal) => Answer::Reply(refusal),
        },
        Method::HEAD => Answer::Reply(reply::events_head()),
        Method::DELETE => Answer::Reply(streamable::delete(service, principal, told)),
        _ => Answer::Reply(reply::method_not_allowed("POST, GET, DELETE")),
    }
}

fn legacy(service: &Rc<Service>, link: Link, head: &Parts, told: &Told<'_>) -> Answer {
    let principal = match bearer::principal(service, link, told, Endpoint::Sse.into(), Endpoint::Sse) {
        Ok(principal) => principal,
        Err(challenge) => return Answer::Reply(challenge),
    };
    match head.method {
        Method::GET => opened(service, sse::open(service, &principal, told), head.version),
        Method::HEAD => Answer::Reply(reply::events_head()),
        // mcp-remote tries Streamable HTTP on any address first, and takes 405 for the sign that this one is older.
        _ => Answer::Reply(reply::method_not_allowed("GET")),
    }
}

fn home_page(service: &Service, host: Host<'_>, head: &Parts) -> Reply {
    match head.method {
        Method::GET | Method::HEAD => home::page(service, host, &head.headers),
        _ => reply::method_not_allowed("GET"),
    }
}

/// The certificate of the board's own CA, for computers that are to trust it.
fn own_ca(service: &Service, head: &Parts) -> Reply {
    match (&*service.ca.borrow(), &head.method) {
        (Some(ca), &Method::GET | &Method::HEAD) => reply::pem(ca.pem.clone()),
        (Some(_), _) => reply::method_not_allowed("GET"),
        (None, _) => oauth::nothing(&head.headers),
    }
}

/// What is no secret, and is proved in another way: whoever fetches the CA compares its fingerprint.
fn is_for_everybody(path: &str) -> bool {
    path == CA_PATH
}

/// Plain HTTP where it must be TLS. A page is sent on to where it is safe; a program must be told the right address, as it
/// would send its secrets in the clear again with each request.
fn insecure(service: &Service, host: Host<'_>, head: &Parts) -> Reply {
    let headers = &head.headers;
    let origin = host.secure_origin();
    let is_read = matches!(head.method, Method::GET | Method::HEAD);
    if is_read && reply::wants_page(headers) {
        let path = head.uri.path_and_query().map_or("/", PathAndQuery::as_str);
        return reply::see_other(&format!("{origin}{path}"));
    }
    let what = "This board does not take plain HTTP from other computers.";
    let is_own = service.ca.borrow().is_some();
    let trust = if is_own { format!(", and trust the CA of {}{CA_PATH}", host.origin()) } else { String::new() };
    reply::problem(headers, StatusCode::FORBIDDEN, "https_required", what, &format!("Use {origin}{trust}."))
}

fn opened(service: &Rc<Service>, stream: Result<Rc<Stream>, Reply>, version: Version) -> Answer {
    match stream {
        Ok(stream) => {
            let outbox = Rc::clone(&stream.outbox);
            let held = Box::new(Held { service: Rc::clone(service), stream });
            Answer::Stream(Opening { outbox, held, version, origin: None })
        }
        Err(refusal) => Answer::Reply(refusal),
    }
}

/// The end of a stream takes it out of the list, however it ends.
struct Held {
    service: Rc<Service>,
    stream: Rc<Stream>,
}

impl Drop for Held {
    fn drop(&mut self) {
        self.stream.outbox.cut();
        self.service.streams.forget(&self.stream);
        if let Name::Sse(_) = self.stream.name {
            self.service.streams.forget_watches(self.stream.name);
        }
    }
}

/// RFC 9110 15.5.20. Without any Host there is nothing that could be misdirected: RFC 9112 3.2 asks for 400.
fn misdirected(headers: &HeaderMap) -> Reply {
    if !headers.contains_key(HOST) {
        let what = "The request has no Host header.";
        return reply::problem(headers, StatusCode::BAD_REQUEST, "invalid_request", what, "Send one.");
    }
    let what = "The server does not answer under this name.";
    let remedy = "Use the address that it printed when it started.";
    reply::problem(headers, StatusCode::MISDIRECTED_REQUEST, "misdirected_request", what, remedy)
}

/// A page of a stranger calls. Who sees the answer is a client of MCP, or a person whose browser was sent here with a form.
fn unwelcome(headers: &HeaderMap) -> Reply {
    if reply::wants_page(headers) {
        let what = "This request was not sent from a page of this board.";
        let remedy = "Go back to the program that you want to connect, and begin anew from there.";
        return reply::problem(headers, StatusCode::FORBIDDEN, "invalid_request", what, remedy);
    }
    stateless::refusal(headers, StatusCode::FORBIDDEN, &Error::transport("Forbidden: this Origin may not call here"))
}

/// The answer to a browser that asks whether a page may call us; the page's origin is welcome already.
fn preflight() -> Reply {
    let mut reply = reply::empty(StatusCode::NO_CONTENT);
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, POST, DELETE, OPTIONS"));
    let allowed =
        "authorization, content-type, accept, last-event-id, mcp-session-id, mcp-protocol-version, mcp-method, mcp-name";
    headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(allowed));
    headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static("86400"));
    reply
}

/// Whether a page elsewhere may read an answer: not one to a page that is not welcome, and not one of our own pages.
fn is_for_programs(reply: &Reply) -> bool {
    reply.status() != StatusCode::FORBIDDEN && !reply::is_page(reply)
}

/// Lets the page that asked read the answer.
fn readable(mut reply: Reply, origin: HeaderValue) -> Reply {
    let headers = reply.headers_mut();
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(VARY, HeaderValue::from_static("origin"));
    headers.insert(
        ACCESS_CONTROL_EXPOSE_HEADERS,
        HeaderValue::from_static("mcp-session-id, mcp-protocol-version, www-authenticate"),
    );
    reply
}
