//! The home page: what this is, how to connect, and the tools.

use crate::http::guard::Host;
use crate::http::reply::{self, Reply};
use crate::http::{Service, connect, page};
use crate::oauth::Base;
use crate::tool::{Effect, Tool};
use hyper::StatusCode;

/// `GET /`.
pub(crate) fn page(service: &Service, host: Host<'_>) -> Reply {
    let origin = host.origin();
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
        is_plain: !Base::new(&origin).is_protected(),
        origin,
    };
    reply::html(StatusCode::OK, page::home(&home), None)
}
