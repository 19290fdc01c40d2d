//! Resources on the wire (MCP 2025-11-25, server/resources).

use crate::json::{Members, Raw};
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::{Error, Revision, content};
use crate::tool::{Contents, Resource};
use std::borrow::Cow;

/// Writes one resource, or one template, of a list.
pub(super) fn write_resource(json: &mut Vec<u8>, resource: &Resource, revision: Revision) {
    let about = &resource.about;
    json.extend_from_slice(if about.uri.is_template() { br#"{"uriTemplate":"# } else { br#"{"uri":"# });
    value(json, about.uri.as_str());
    member(json, "name", &about.name);
    if let Some(title) = about.title.as_ref().filter(|_| revision.has_titles()) {
        member(json, "title", title);
    }
    if let Some(description) = &about.description {
        member(json, "description", description);
    }
    if let Some(mime_type) = &about.mime_type {
        member(json, "mimeType", mime_type);
    }
    json.push(b'}');
}

/// Writes the members of the result of reading a resource.
pub(super) fn write_contents(json: &mut Vec<u8>, contents: &[Contents]) {
    json.extend_from_slice(br#""contents":["#);
    for (index, contents) in contents.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        content::write_contents(json, contents);
    }
    json.push(b']');
}

/// The URI that a request is about.
pub(super) fn uri(params: Option<Raw<'_>>) -> Result<Cow<'static, str>, Error> {
    let params = params.and_then(|params| Members::read(params.get().as_bytes()));
    let uri = params.and_then(|mut params| params.text_if_any("uri"));
    uri.map(Cow::Owned).ok_or_else(|| Error::invalid_params("Invalid params: the `uri` of a resource is needed"))
}
