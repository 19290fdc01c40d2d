//! Who is calling, and what is told to who may not: the bearer check of every endpoint of MCP.

use crate::http::reply::{self, Reply};
use crate::http::told::Told;
use crate::http::{Link, Service};
use crate::mcp::{self, Id};
use crate::oauth::{Base, Endpoint, Endpoints, challenge, insufficient_scope};
use crate::principal::{Principal, Scopes};
use bytes::Bytes;
use hyper::StatusCode;
use hyper::header::{HeaderMap, HeaderValue, WWW_AUTHENTICATE};

/// Who is calling; without a good token, the 401 with which every client begins (RFC 6750, RFC 9728 5.1).
///
/// `endpoints` are those whose tokens are good, `endpoint` is the one whose metadata the 401 points to.
pub(crate) fn principal(
    service: &Service,
    link: Link,
    told: &Told<'_>,
    endpoints: Endpoints,
    endpoint: Endpoint,
) -> Result<Principal, Reply> {
    // Two of them are refused, whatever they say.
    let values = [told.authorization.first, told.authorization.first.filter(|_| told.authorization.is_repeated)];
    let authorization = values.into_iter().flatten().map(HeaderValue::as_bytes);
    let world = service.world();
    let known = service.authority.bearer(&world, authorization, endpoints);
    if let Ok(principal) = &known {
        service.watch.saw(principal, world.now.uptime_ms);
    }
    known.map_err(|refusal| {
        let challenge = challenge(&base(service, link, told.headers), endpoint, &service.authority.scopes(), &refusal);
        let body = br#"{"error":"invalid_token","error_description":"Sign in: this needs an access token."}"#;
        with_challenge(reply::secret_json(StatusCode::UNAUTHORIZED, Bytes::from_static(body)), &challenge)
    })
}

/// 403: the token is good, but lacks a scope; the client may ask its user for it (RFC 6750 3.1).
pub(crate) fn forbidden(service: &Service, link: Link, headers: &HeaderMap, endpoint: Endpoint, id: &Id, scope: &str) -> Reply {
    let error = mcp::error(Some(id), &missing_scope(scope));
    let known = service.authority.scopes();
    let scopes = Scopes::parse(scope, |scope| known.contains(scope));
    with_challenge(
        reply::json(StatusCode::FORBIDDEN, error),
        &insufficient_scope(&base(service, link, headers), endpoint, &scopes),
    )
}

/// 403 where no request of MCP is answered.
pub(crate) fn lacks_scope(service: &Service, link: Link, headers: &HeaderMap, scope: &str) -> Reply {
    let scopes = Scopes::parse(scope, |_| true);
    let body = br#"{"error":"insufficient_scope","error_description":"The token lacks a scope."}"#;
    let reply = reply::json(StatusCode::FORBIDDEN, Bytes::from_static(body));
    with_challenge(reply, &insufficient_scope(&base(service, link, headers), Endpoint::Mcp, &scopes))
}

/// What the server calls itself towards this client, whose Host the guard has let pass.
fn base(service: &Service, link: Link, headers: &HeaderMap) -> Base {
    service
        .hosts()
        .find(&Told::read(headers), link)
        .map_or_else(|| service.hosts().canonical(), |host| service.hosts().base(host))
}

/// The same where there is no status to say it with.
pub(crate) fn missing_scope(scope: &str) -> mcp::Error {
    mcp::Error::transport(format!("Forbidden: the token lacks the scope {scope}"))
}

pub(crate) fn with_challenge(mut reply: Reply, challenge: &str) -> Reply {
    if let Ok(challenge) = HeaderValue::from_str(challenge) {
        reply.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    reply
}
