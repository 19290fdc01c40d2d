//! Answers, in the form that their reader expects.

use crate::http::body::{Body, Chunk};
use crate::http::event::Outbox;
use crate::http::page;
use crate::mcp;
use bytes::Bytes;
use hyper::header::{
    ACCEPT, ALLOW, CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, LOCATION,
    REFERRER_POLICY, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use hyper::{Response, StatusCode};
use std::rc::Rc;

/// An answer.
pub(crate) type Reply = Response<Body>;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const HTML: HeaderValue = HeaderValue::from_static("text/html; charset=utf-8");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PEM: HeaderValue = HeaderValue::from_static("application/x-pem-file");
const METRICS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4; charset=utf-8");
const EVENTS: HeaderValue = HeaderValue::from_static("text/event-stream");
const NO_STORE: HeaderValue = HeaderValue::from_static("no-store");
const NO_BUFFERING: HeaderValue = HeaderValue::from_static("no");

/// `no-transform` keeps proxies from gathering events to compress them.
const NO_CACHE: HeaderValue = HeaderValue::from_static("no-cache, no-transform");

const ACCEL_BUFFERING: HeaderName = HeaderName::from_static("x-accel-buffering");

fn plain(status: StatusCode, kind: HeaderValue, body: impl Into<Bytes>) -> Reply {
    let mut reply = Response::new(Body::Full(body.into().into()));
    *reply.status_mut() = status;
    reply.headers_mut().insert(CONTENT_TYPE, kind);
    reply
}

/// An answer without a body.
pub(crate) fn empty(status: StatusCode) -> Reply {
    let mut reply = Response::new(Body::empty());
    *reply.status_mut() = status;
    reply
}

/// JSON for programs.
pub(crate) fn json(status: StatusCode, json: impl Into<Bytes>) -> Reply {
    plain(status, JSON, json)
}

/// JSON and 200, in the header map that the request came in.
pub(crate) fn json_in(headers: HeaderMap, json: Vec<u8>) -> Reply {
    within(headers, StatusCode::OK, JSON, json.into())
}

/// The `Accepted` of `POST /messages`, in the header map that the request came in.
pub(crate) fn accepted_in(headers: HeaderMap) -> Reply {
    within(headers, StatusCode::ACCEPTED, TEXT, Bytes::from_static(b"Accepted").into())
}

/// hyper takes the header map of an answer back for the next request: so none is made anew.
fn within(mut headers: HeaderMap, status: StatusCode, kind: HeaderValue, body: Chunk) -> Reply {
    headers.clear();
    headers.insert(CONTENT_TYPE, kind);
    let mut reply = Response::new(Body::Full(body));
    *reply.status_mut() = status;
    *reply.headers_mut() = headers;
    reply
}

/// JSON that nobody may keep: it holds a token, or says that there is none.
pub(crate) fn secret_json(status: StatusCode, json: impl Into<Bytes>) -> Reply {
    let mut reply = plain(status, JSON, json);
    reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    reply
}

/// A certificate.
pub(crate) fn pem(pem: Bytes) -> Reply {
    plain(StatusCode::OK, PEM, pem)
}

/// Text that is written in this program; nobody keeps it.
pub(crate) fn text(status: StatusCode, text: &'static str) -> Reply {
    let mut reply = plain(status, TEXT, Bytes::from_static(text.as_bytes()));
    reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    reply
}

/// The text format of Prometheus.
pub(crate) fn metrics(text: String) -> Reply {
    let mut reply = plain(StatusCode::OK, METRICS, text);
    reply.headers_mut().insert(CACHE_CONTROL, NO_STORE);
    reply
}

/// Events as they come, until the outbox is closed.
pub(crate) fn events(outbox: &Rc<Outbox>) -> Reply {
    let mut reply = Response::new(Body::Events(outbox.read(), Bytes::new()));
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, EVENTS);
    headers.insert(CACHE_CONTROL, NO_CACHE);
    headers.insert(ACCEL_BUFFERING, NO_BUFFERING);
    reply
}

/// What `GET` of a stream would answer, without the stream.
pub(crate) fn events_head() -> Reply {
    let mut reply = empty(StatusCode::OK);
    reply.headers_mut().insert(CONTENT_TYPE, EVENTS);
    reply
}

/// An error of the transport, as clients of MCP read it.
pub(crate) fn rpc_error(status: StatusCode, error: &mcp::Error) -> Reply {
    json(status, mcp::error(None, error))
}

/// 405 with the methods that are allowed.
pub(crate) fn method_not_allowed(allow: &'static str) -> Reply {
    let error = mcp::Error::transport(format!("Method not allowed; allowed are: {allow}"));
    let mut reply = rpc_error(StatusCode::METHOD_NOT_ALLOWED, &error);
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// 503: there is no room now.
pub(crate) fn busy(what: &'static str) -> Reply {
    let mut reply = rpc_error(StatusCode::SERVICE_UNAVAILABLE, &mcp::Error::transport(what));
    reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("5"));
    reply
}

/// A page for people. `redirect` is the origin that a form of the page may lead to, through a redirect of ours.
pub(crate) fn html(status: StatusCode, html: String, redirect: Option<&str>) -> Reply {
    let mut reply = plain(status, HTML, html);
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    // Not no-referrer: a browser then sends its forms with `Origin: null`, and we could not tell our own from others'.
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    if let Ok(policy) = HeaderValue::from_str(&page::content_security_policy(redirect)) {
        headers.insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// A page that runs our script, which asks this server how the board is.
pub(crate) fn live_html(html: String) -> Reply {
    let mut reply = self::html(StatusCode::OK, html, None);
    if let Ok(policy) = HeaderValue::from_str(&page::live_policy()) {
        reply.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
    }
    reply
}

/// Whether an answer is a page.
pub(crate) fn is_page(reply: &Reply) -> bool {
    reply.headers().get(CONTENT_TYPE) == Some(&HTML)
}

/// 303: a form was taken, the browser goes on by GET (RFC 9110 15.4.4; 307 would post the password again).
pub(crate) fn see_other(location: &str) -> Reply {
    let mut reply = empty(StatusCode::SEE_OTHER);
    let headers = reply.headers_mut();
    headers.insert(CACHE_CONTROL, NO_STORE);
    headers.insert(REFERRER_POLICY, HeaderValue::from_static("no-referrer"));
    match HeaderValue::from_str(location) {
        Ok(location) => drop(headers.insert(LOCATION, location)),
        // A location is built from a parsed redirect URI and form encoding: neither holds a control character.
        Err(_) => *reply.status_mut() = StatusCode::BAD_REQUEST,
    }
    reply
}

/// Whether a person with a browser asks.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    headers.get_all(ACCEPT).iter().any(|accept| accept.to_str().is_ok_and(|accept| accept.contains("text/html")))
}

/// An error for whoever asks: a page for people, JSON for programs.
pub(crate) fn problem(headers: &HeaderMap, status: StatusCode, error: &str, what: &str, remedy: &str) -> Reply {
    if wants_page(headers) {
        let page = page::error(&page::Problem { status: status.as_u16(), what, remedy });
        return html(status, page, None);
    }
    let body = serde_json::json!({ "error": error, "error_description": format!("{what} {remedy}") });
    json(status, body.to_string())
}
