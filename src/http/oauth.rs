//! The endpoints of the authorization server over HTTP.

use crate::http::bearer::with_challenge;
use crate::http::body::{self, Fault};
use crate::http::cookie::{browser, set_cookie};
use crate::http::guard::SEC_FETCH_SITE;
use crate::http::reply::{self, Reply};
use crate::http::told::Told;
use crate::http::{Link, Service, approvals, owner_page, page, streamable};
use crate::limits;
use crate::oauth::{Base, Endpoint, Error, Page, RESOURCE_METADATA_PATH, Step, Tried};
use bytes::Bytes;
use hyper::body::Incoming;
use hyper::header::{ALLOW, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, ORIGIN, RETRY_AFTER};
use hyper::{Method, Request, StatusCode};
use std::rc::Rc;

/// Where authorization server metadata is served (RFC 8414 3).
const SERVER_METADATA_PATH: &str = "/.well-known/oauth-authorization-server";

/// Answers a request to an endpoint of the authorization server, or to no endpoint at all.
pub(crate) async fn answer(service: &Rc<Service>, base: &Base, link: Link, request: Request<Incoming>) -> Reply {
    let path = request.uri().path();
    if !service.authority.signs_in() {
        return nothing(request.headers());
    }
    let resource = path.strip_prefix(RESOURCE_METADATA_PATH).and_then(|path| match path {
        "" => Some(None),
        path => Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == path).map(Some),
    });
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_post = request.method() == Method::POST;
    match (path, resource) {
        (_, Some(endpoint)) if is_read => reply::json(StatusCode::OK, service.authority.resource_metadata(base, endpoint)),
        (SERVER_METADATA_PATH, _) if is_read => reply::json(StatusCode::OK, service.authority.server_metadata(base)),
        ("/authorize", _) if is_read => authorize(service, base, &request),
        ("/device", _) if is_read => device(service, base, &request),
        ("/authorize" | "/consent" | "/device", _) if is_post => form(service, base, link, request).await,
        (approvals::PATH, _) if is_read => approvals::page(service, base, &request),
        (approvals::PATH, _) if is_post => approvals::decide(service, base, request).await,
        (owner_page::PATH, _) if is_read => owner_page::page(service, base, &request),
        (owner_page::PATH, _) if is_post => owner_page::run(service, base, request).await,
        ("/device_authorization", _) if is_post => device_authorization(service, base, link, request).await,
        ("/register", _) if is_post => register(service, link, request).await,
        ("/token", _) if is_post => token(service, base, request).await,
        ("/revoke", _) if is_post => revoke(service, request).await,
        ("/authorize" | "/device" | approvals::PATH | owner_page::PATH, _) => wrong_method(request.headers(), "GET, POST"),
        ("/consent" | "/device_authorization" | "/register" | "/token" | "/revoke", _) => wrong_method(request.headers(), "POST"),
        (SERVER_METADATA_PATH, _) | (_, Some(_)) => wrong_method(request.headers(), "GET"),
        _ => nothing(request.headers()),
    }
}

pub(crate) fn nothing(headers: &HeaderMap) -> Reply {
    reply::problem(
        headers,
        StatusCode::NOT_FOUND,
        "not_found",
        "There is nothing at this address.",
        "The way in is the home page, /.",
    )
}

fn wrong_method(headers: &HeaderMap, allow: &'static str) -> Reply {
    let what = "This address does not know this method.";
    let mut reply =
        reply::problem(headers, StatusCode::METHOD_NOT_ALLOWED, "invalid_request", what, &format!("It knows {allow}."));
    reply.headers_mut().insert(ALLOW, HeaderValue::from_static(allow));
    reply
}

/// `GET /authorize`: shows the sign-in page, and changes nothing: clients look here before they open a browser.
fn authorize(service: &Service, base: &Base, request: &Request<Incoming>) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    let step = service.authority.authorize(&service.world(), base, query, browser(base, request.headers()));
    show(service, base, request.headers(), step)
}

/// `GET /device`: shows the page that asks for the code of a device.
fn device(service: &Service, base: &Base, request: &Request<Incoming>) -> Reply {
    let query = request.uri().query().unwrap_or_default();
    let step = service.authority.device(&service.world(), query, browser(base, request.headers()));
    show(service, base, request.headers(), step)
}

/// The forms of the sign-in, the consent and the device page. Only our own pages may send them.
async fn form(service: &Rc<Service>, base: &Base, link: Link, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let headers = &head.headers;
    let body = match own_form(base, headers, body).await {
        Ok(body) => body,
        Err(refusal) => return refusal,
    };
    let (world, browser) = (service.world(), browser(base, headers));
    let source = link.peer.into();
    let step = match head.uri.path() {
        "/consent" => service.authority.consent(&world, base, &body, browser),
        "/device" => service.authority.enter(&world, &body, browser, source),
        _ => match service.authority.sign_in(&world, base, &body, browser, source) {
            Ok(attempt) => match service.hashing.verify(attempt).await {
                // It is later now.
                Some(verified) => service.authority.signed_in(&service.world(), verified),
                None => Step::Refuse(Error::busy()),
            },
            Err(step) => step,
        },
    };
    service.keep_revoked();
    show(service, base, headers, step)
}

/// The body of a form that one of our own pages sent.
pub(crate) async fn own_form(base: &Base, headers: &HeaderMap, body: Incoming) -> Result<Bytes, Reply> {
    if !base.is_own_form(only(headers, &ORIGIN), only(headers, &SEC_FETCH_SITE)) {
        let what = "This form was not sent from a page of this board.";
        return Err(reply::problem(headers, StatusCode::FORBIDDEN, "invalid_request", what, AGAIN));
    }
    let refused = |(status, what)| reply::problem(headers, status, "invalid_request", what, AGAIN);
    read_form(headers, body).await.map_err(refused)
}

const AGAIN: &str = "Go back to the program that you want to connect, and begin anew from there.";

pub(crate) fn show(service: &Service, base: &Base, headers: &HeaderMap, step: Step) -> Reply {
    let is_plain = !base.is_protected();
    match step {
        Step::Refuse(error) => refused(headers, &error),
        Step::Redirect(uri) => reply::see_other(&uri),
        Step::Entered { cookie, place } => owner_page::enter(base, &cookie, place),
        Step::SignIn(page) => {
            if let Some(error) = page.error.filter(|_| !reply::wants_page(headers)) {
                return as_json(&error);
            }
            let (email, is_code) = match &page.tried {
                Some(Tried::Password { name }) => (name.as_str(), false),
                Some(Tried::Code) => ("", true),
                None => ("", false),
            };
            let html = page::sign_in(&page::SignIn {
                board: &service.config().name,
                asker: asker(&page),
                is_plain,
                transaction: &page.transaction,
                email,
                is_code,
                message: told(page.message, page.error).as_deref(),
                must_wait: page.error.is_some(),
                mode: page.mode,
            });
            must_wait(with_cookie(base, html, &page), page.error)
        }
        Step::Consent(page) => {
            let html = page::consent(&page::Consent {
                board: &service.config().name,
                asker: asker(&page),
                is_plain,
                subject: page.subject.as_deref().unwrap_or_default(),
                scopes: &page.scopes,
                withheld: &page.withheld,
                message: page.message,
                transaction: &page.transaction,
            });
            with_cookie(base, html, &page)
        }
        Step::Code(page) => {
            if let Some(error) = page.error.filter(|_| !reply::wants_page(headers)) {
                return as_json(&error);
            }
            let html = page::code(&page::DevicePage {
                board: &service.config().name,
                user_code: &page.user_code,
                message: told(page.message, page.error).as_deref(),
                must_wait: page.error.is_some(),
                is_plain,
                transaction: &page.transaction,
            });
            must_wait(set_cookie(base, reply::html(StatusCode::OK, html, None), &page.cookie), page.error)
        }
        Step::Done(decision) => {
            let html = page::done(&service.config().name, &decision.client_name, decision.is_allowed);
            reply::html(StatusCode::OK, html, None)
        }
    }
}

/// The message of a page that is shown again, with how long to wait.
fn told(message: Option<&str>, error: Option<Error>) -> Option<String> {
    let wait = error.and_then(|error| error.retry_secs()).map(|secs| format!(" Wait {}, then try again.", seconds(secs)));
    message.map(|message| format!("{message}{}", wait.unwrap_or_default()))
}

/// The same page, with the status that says so.
fn must_wait(mut reply: Reply, error: Option<Error>) -> Reply {
    let Some(error) = error else { return reply };
    *reply.status_mut() = status(&error);
    retry(reply, &error)
}

fn asker(page: &Page) -> page::Asker<'_> {
    let way = match &page.user_code {
        Some(user_code) => page::Way::Device { user_code },
        None => page.place.map_or(page::Way::Browser { redirect_host: &page.redirect_host }, page::Way::Person),
    };
    page::Asker { client_name: &page.client_name, way }
}

/// What is wrong with a form, and the way back from there.
pub(crate) fn refused_with(headers: &HeaderMap, error: &Error, remedy: &str) -> Reply {
    reply::problem(headers, status(error), error.error(), error.description(), remedy)
}

pub(crate) fn refused(headers: &HeaderMap, error: &Error) -> Reply {
    if reply::wants_page(headers) {
        let remedy = error.retry_secs().map(|secs| format!("Wait {}, then go back and try again.", seconds(secs)));
        let remedy = remedy.as_deref().unwrap_or(AGAIN);
        return retry(reply::problem(headers, status(error), error.error(), error.description(), remedy), error);
    }
    as_json(error)
}

fn with_cookie(base: &Base, html: String, page: &Page) -> Reply {
    set_cookie(base, reply::html(StatusCode::OK, html, Some(&page.redirect_origin)), &page.cookie)
}

/// `POST /register` (RFC 7591).
async fn register(service: &Service, link: Link, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    if !streamable::is_json(Told::read(&head.headers).content_type) {
        let what = "The body must be application/json.";
        return unread(StatusCode::UNSUPPORTED_MEDIA_TYPE, "invalid_client_metadata", what);
    }
    match body::read(body, limits::FORM_BYTES).await {
        Ok(body) => match service.authority.register(&service.world(), &body, link.peer.into()) {
            Ok(json) => reply::secret_json(StatusCode::CREATED, json),
            Err(error) => as_json(&error),
        },
        Err(fault) => {
            let (status, what) = broken(fault);
            unread(status, "invalid_request", what)
        }
    }
}

/// `POST /device_authorization` (RFC 8628 3.1).
async fn device_authorization(service: &Service, base: &Base, link: Link, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let body = match read_form(&head.headers, body).await {
        Ok(body) => body,
        Err((status, what)) => return unread(status, "invalid_request", what),
    };
    let authorization = only(&head.headers, &AUTHORIZATION);
    match service.authority.device_authorization(&service.world(), base, &body, authorization, link.peer.into()) {
        Ok(json) => reply::secret_json(StatusCode::OK, json),
        Err(error) => as_json(&error),
    }
}

/// `POST /token` (RFC 6749 3.2).
async fn token(service: &Service, base: &Base, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let body = match read_form(&head.headers, body).await {
        Ok(body) => body,
        Err((status, what)) => return unread(status, "invalid_request", what),
    };
    let authorization = only(&head.headers, &AUTHORIZATION);
    let answer = service.authority.token(&service.world(), base, &body, authorization);
    service.keep_revoked();
    match answer {
        Ok(json) => reply::secret_json(StatusCode::OK, json),
        Err(error) => as_json(&error),
    }
}

/// `POST /revoke` (RFC 7009).
async fn revoke(service: &Service, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let body = match read_form(&head.headers, body).await {
        Ok(body) => body,
        Err((status, what)) => return unread(status, "invalid_request", what),
    };
    let authorization = only(&head.headers, &AUTHORIZATION);
    let answer = service.authority.revoke(&service.world(), &body, authorization);
    service.keep_revoked();
    match answer {
        Ok(()) => reply::empty(StatusCode::OK),
        Err(error) => as_json(&error),
    }
}

/// The body of a form; or the status and the sentence that refuse it.
async fn read_form(headers: &HeaderMap, body: Incoming) -> Result<Bytes, (StatusCode, &'static str)> {
    let kind = only(headers, &CONTENT_TYPE).and_then(|kind| kind.split(|byte| *byte == b';').next()).unwrap_or_default();
    if !kind.trim_ascii().eq_ignore_ascii_case(b"application/x-www-form-urlencoded") {
        return Err((StatusCode::BAD_REQUEST, "The body must be application/x-www-form-urlencoded."));
    }
    body::read(body, limits::FORM_BYTES).await.map_err(broken)
}

/// The value of a header. One that comes twice is empty, which no check lets pass: which of the two holds is anybody's
/// guess.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a [u8]> {
    let mut values = headers.get_all(name).iter();
    let value = values.next()?;
    Some(if values.next().is_some() { b"" } else { value.as_bytes() })
}

fn broken(fault: Fault) -> (StatusCode, &'static str) {
    match fault {
        Fault::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "The body is too large."),
        Fault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "The body came too slowly."),
        Fault::Broken => (StatusCode::BAD_REQUEST, "The body is malformed."),
    }
}

/// The answer to a program whose body was not read.
fn unread(status: StatusCode, error: &str, what: &str) -> Reply {
    let body = serde_json::json!({ "error": error, "error_description": what });
    reply::secret_json(status, body.to_string())
}

fn as_json(error: &Error) -> Reply {
    let reply = retry(reply::secret_json(status(error), error.to_json()), error);
    match error.challenge() {
        Some(challenge) => with_challenge(reply, challenge),
        None => reply,
    }
}

fn status(error: &Error) -> StatusCode {
    StatusCode::from_u16(error.status()).unwrap_or(StatusCode::BAD_REQUEST)
}

/// 429 and 503 say when to try again (RFC 9110 10.2.3).
fn retry(mut reply: Reply, error: &Error) -> Reply {
    if let Some(secs) = error.retry_secs() {
        reply.headers_mut().insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    reply
}

fn seconds(secs: u64) -> String {
    match secs {
        1 => "a second".to_owned(),
        ..=120 => format!("{secs} seconds"),
        _ => format!("{} minutes", secs.div_ceil(60)),
    }
}
