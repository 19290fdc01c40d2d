//! `/approvals`: where a person who has signed in approves what assistants want to run.
//!
//! No token is looked at here, whoever sends one. The browser has a cookie of its own for it, and each form names one plan,
//! sealed for this person.

use crate::approval::{Board, Plan, PlanId, shown};
use crate::audit::{Audit as _, Event};
use crate::config::Confirm;
use crate::http::cookie::{approver_cookie, browser, drop_approver};
use crate::http::oauth::{own_form, show};
use crate::http::page::{self, PlanRow};
use crate::http::reply::{self, Reply};
use crate::http::{Service, oauth};
use crate::oauth::{Approver, Base, Error, Mode, Place, Verb};
use hyper::body::Incoming;
use hyper::header::{HeaderMap, HeaderValue, REFRESH};
use hyper::{Request, StatusCode};
use std::rc::{Rc, Weak};

/// Where it is.
pub(crate) const PATH: &str = "/approvals";

/// What the approvals of a service want from it.
pub(crate) struct Here(pub(crate) Weak<Service>);

impl Board for Here {
    fn page(&self) -> Option<String> {
        self.0.upgrade().map(|service| format!("{}{PATH}", service.origin()))
    }

    fn record(&self, event: &Event<'_>) {
        if let Some(service) = self.0.upgrade() {
            service.watch.record(event);
        }
    }
}

/// `GET /approvals`: what waits; the sign-in page for who is not signed in. It changes nothing.
pub(crate) fn page(service: &Service, base: &Base, request: &Request<Incoming>) -> Reply {
    let headers = request.headers();
    if !matches!(service.authority.mode(), Mode::Own { .. }) {
        return oauth::nothing(headers);
    }
    match approver(service, base, headers) {
        Some(approver) => list(service, base, &approver, note(request.uri().query())),
        None => show(
            service,
            base,
            headers,
            service.authority.enter_place(&service.world(), base, Place::Approvals, browser(base, headers)),
        ),
    }
}

/// `POST /approvals`: one decision. Only our own page may send it.
pub(crate) async fn decide(service: &Rc<Service>, base: &Base, request: Request<Incoming>) -> Reply {
    let (head, body) = request.into_parts();
    let form = match own_form(base, &head.headers, body).await {
        Ok(form) => form,
        Err(refusal) => return refusal,
    };
    // It is too late, or he is not signed in any more: the page says so.
    let Some(approver) = approver(service, base, &head.headers) else { return reply::see_other(PATH) };
    match decided(service, &approver, &form) {
        Ok(None) => drop_approver(base, reply::see_other("/")),
        Ok(Some(word)) => reply::see_other(&format!("{PATH}?{word}")),
        Err(error) => {
            service.watch.record(&Event::AuthorizationRefused { reason: error.reason() });
            oauth::refused_with(&head.headers, &error, "Go back to the page of approvals, /approvals.")
        }
    }
}

/// What came of it, as the address says it that the browser is sent to; nothing for who has signed out.
fn decided(service: &Service, approver: &Approver, form: &[u8]) -> Result<Option<&'static str>, Error> {
    let (id, is_approved) = match service.authority.verb(&service.world(), approver, form)? {
        Verb::Leave => return Ok(None),
        Verb::Approve(id) => (PlanId(id), true),
        Verb::Reject(id) => (PlanId(id), false),
    };
    let waiting = service.approvals.waiting();
    // What a button approves has no such form; no matter who made one.
    let may_decide = |plan: &Plan| may_see(approver, plan) && (!is_approved || plan.confirm == Confirm::Page);
    let is_done = waiting.iter().any(|(plan, _)| plan.id == id && may_decide(plan))
        && service.approvals.decide(id, is_approved, "page", &approver.subject);
    Ok(Some(match (is_done, is_approved) {
        (false, _) => "late",
        (true, true) => "approved",
        (true, false) => "rejected",
    }))
}

/// What became of the decision before: the address says only which.
fn note(query: Option<&str>) -> Option<&'static str> {
    match query? {
        "approved" => Some("Approved. It runs as soon as the assistant calls it, within two minutes."),
        "rejected" => Some("Rejected. It does not run."),
        "late" => Some("It did not wait any more: it was too old, or decided already."),
        _ => None,
    }
}

fn list(service: &Service, base: &Base, approver: &Approver, note: Option<&str>) -> Reply {
    let world = service.world();
    let waiting = service.approvals.waiting();
    let mut plans = Vec::new();
    for (plan, secs) in waiting.iter().filter(|(plan, _)| may_see(approver, plan)) {
        let Ok(transaction) = service.authority.seal_plan(&world, approver, plan.id.0) else { continue };
        plans.push(row(plan, *secs, transaction));
    }
    let html = page::approvals(&page::ApprovalsPage {
        board: &service.config().name,
        subject: &approver.subject,
        is_plain: !base.is_protected(),
        note,
        plans: &plans,
    });
    let mut reply = reply::html(StatusCode::OK, html, None);
    if plans.is_empty() {
        // Nobody is in the middle of anything on it.
        reply.headers_mut().insert(REFRESH, HeaderValue::from_static("5;url=/approvals"));
    }
    reply
}

fn row(plan: &Plan, secs: u64, transaction: String) -> PlanRow {
    let wanted = &plan.wanted;
    PlanRow {
        tool: wanted.tool.clone(),
        line: shown(&wanted.line),
        subject: wanted.subject.clone(),
        program: plan.program.clone(),
        client: wanted.client.to_string(),
        secs,
        button: match &plan.confirm {
            Confirm::Page => None,
            Confirm::Button(name) => Some(name.clone()),
        },
        transaction,
    }
}

/// He sees and decides on what he could allow himself.
fn may_see(approver: &Approver, plan: &Plan) -> bool {
    approver.scopes.contains(&plan.scope)
}

fn approver(service: &Service, base: &Base, headers: &HeaderMap) -> Option<Approver> {
    service.authority.approver(&service.world(), approver_cookie(base, headers))
}

/// How many calls wait for this person.
pub(crate) fn waiting(service: &Service, approver: &Approver) -> usize {
    service.approvals.waiting().iter().filter(|(plan, _)| may_see(approver, plan)).count()
}
