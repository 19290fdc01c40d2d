//! `/owner`: where the owner of the board sees who uses it, and takes back what he gave.
//!
//! One signs in to it as to `/approvals`. perchd keeps no list of tokens, so that the page shows the clients that have come
//! since the start. Who may allow everything sees all of it; others see what acts for themselves.

use crate::audit::{Audit as _, Event};
use crate::error::Error;
use crate::http::cookie::{approver_cookie, browser, drop_approver, set_approver};
use crate::http::live::{self, Eyes, ago};
use crate::http::oauth::{own_form, show};
use crate::http::page::{self, ClientRow, EventRow};
use crate::http::reply::{self, Reply};
use crate::http::{Service, approvals, oauth};
use crate::oauth::{Approver, Base, Errand, Mode, Place};
use crate::principal::ClientTag;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::{Request, StatusCode};
use std::rc::Rc;

/// Where it is.
pub(crate) const PATH: &str = "/owner";

/// `GET /owner`. It changes nothing.
pub(crate) fn page(service: &Service, base: &Base, request: &Request<Incoming>) -> Reply {
    let headers = request.headers();
    if !matches!(service.authority.mode(), Mode::Own { .. }) {
        return oauth::nothing(headers);
    }
    let Some(approver) = approver(service, base, headers) else {
        let step = service.authority.enter_place(&service.world(), base, Place::Owner, browser(base, headers));
        return show(service, base, headers, step);
    };
    match service.authority.seal_owner(&service.world(), &approver) {
        Ok(transaction) => shown(service, base, &approver, note(request.uri().query()), &transaction),
        Err(error) => oauth::refused(headers, &error),
    }
}

/// `POST /owner`: one errand. Only our own page may send it.
pub(crate) async fn run(service: &Rc<Service>, base: &Base, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let form = match own_form(base, &head.headers, body).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    // He is not signed in any more: the page says so.
    let Some(approver) = approver(service, base, &head.headers) else { return reply::see_other(PATH) };
    match service.authority.errand(&service.world(), &approver, &form) {
        Ok(Errand::Leave) => drop_approver(base, reply::see_other("/")),
        Ok(Errand::Revoke(client)) => reply::see_other(&format!("{PATH}?{}", revoke(service, &approver, client))),
        Err(error) => {
            service.watch.record(&Event::AuthorizationRefused { reason: error.reason() });
            oauth::refused_with(&head.headers, &error, "Go back to the owner's page, /owner.")
        }
    }
}

/// What came of it, as the address says it that the browser is sent to.
fn revoke(service: &Service, approver: &Approver, client: ClientTag) -> &'static str {
    if service.authority.is_owner(approver) {
        return kept(service.revoke_client(client));
    }
    // He gave it no more than what it does for him.
    let clients = service.watch.clients();
    match clients.iter().find(|known| known.client == client && known.subject == approver.subject.as_str()) {
        Some(known) => {
            service.authority.revoke_grant(&service.world(), known.grant.get());
            kept(service.kept_revoked())
        }
        None => "late",
    }
}

fn kept(result: Result<(), Error>) -> &'static str {
    result.map_or_else(
        |error| {
            log::error!("{error}");
            "unkept"
        },
        |()| "revoked",
    )
}

fn note(query: Option<&str>) -> Option<&'static str> {
    match query? {
        "revoked" => Some("Revoked. What it held is good for nothing any more."),
        "unkept" => Some("Revoked, but it could not be written down: the log of the board says why."),
        "late" => Some("There is no such client any more."),
        _ => None,
    }
}

fn shown(service: &Service, base: &Base, approver: &Approver, note: Option<&str>, transaction: &str) -> Reply {
    let (now_ms, is_owner) = (service.clock.now().uptime_ms, service.authority.is_owner(approver));
    let known = service.watch.clients();
    let known = known.iter().filter(|known| is_owner || known.subject == approver.subject.as_str());
    let clients: Vec<_> = known
        .map(|known| ClientRow {
            name: known.name.borrow().as_str().to_owned(),
            tag: known.client.to_string(),
            subject: known.subject.as_str().to_owned(),
            scopes: known.scopes.borrow().as_str().to_owned(),
            seen: ago(now_ms, known.last_ms.get()),
            is_revoked: known.is_revoked.get(),
        })
        .collect();
    let mut events = Vec::new();
    if is_owner {
        service.watch.each_event(&mut |entry| {
            let (json, count) = (entry.json.to_string(), entry.count);
            events.push(EventRow { json, ago: ago(now_ms, entry.at_ms), count });
        });
    }
    let eyes = if is_owner { Eyes::Owner } else { Eyes::Person(approver.subject.clone()) };
    let html = page::owner(&page::OwnerPage {
        board: &service.config().name,
        subject: &approver.subject,
        is_owner,
        is_plain: !base.is_protected(),
        note,
        waiting: approvals::waiting(service, approver),
        clients: &clients,
        calls: &live::calls(service, &eyes),
        events: &events,
        transaction,
    });
    reply::html(StatusCode::OK, html, None)
}

fn approver(service: &Service, base: &Base, headers: &HeaderMap) -> Option<Approver> {
    service.authority.approver(&service.world(), approver_cookie(base, headers))
}

/// Somebody has just signed in to see this page, or that of approvals.
pub(crate) fn enter(base: &Base, cookie: &str, place: Place) -> Reply {
    let path = match place {
        Place::Approvals => approvals::PATH,
        Place::Owner => PATH,
    };
    set_approver(base, reply::see_other(path), cookie)
}
