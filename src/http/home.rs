//! The home page: what this is, how to connect, and the tools.

use crate::http::cookie::approver_cookie;
use crate::http::guard::Host;
use crate::http::live::Eyes;
use crate::http::reply::{self, Reply};
use crate::http::{Service, connect, live, page};
use crate::oauth::Base;
use crate::tool::{Effect, Tool};
use hyper::header::HeaderMap;

/// `GET /`.
pub(crate) fn page(service: &Service, host: Host<'_>, headers: &HeaderMap) -> Reply {
    let origin = host.origin();
    let eyes = Eyes::of(service, approver_cookie(&service.hosts().base(host), headers));
    let engine = service.engine();
    let tools = engine.catalog().tools().iter().map(Tool::spec).map(|spec| page::ToolRow {
        name: spec.name().to_owned(),
        title: spec.title().unwrap_or(spec.name()).to_owned(),
        about: spec.about().to_owned(),
        scope: spec.scope().to_owned(),
        is_write: spec.effect() != Effect::Reads,
    });
    let ca = service.ca.borrow();
    let fingerprint = ca.as_ref().map(|ca| ca.fingerprint.as_str());
    let home = page::Home {
        board: service.config().name.clone(),
        blocks: connect::blocks(&origin, &service.config().name, !service.authority.signs_in(), fingerprint),
        tools: tools.collect(),
        mode: service.authority.mode(),
        live: live::status(service, &eyes),
        is_plain: !Base::new(&origin).is_protected(),
        origin,
    };
    reply::live_html(page::home(&home))
}
