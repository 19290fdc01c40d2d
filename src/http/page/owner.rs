//! The page where the owner sees who uses the board.

use super::live::{CallRow, call_list, more};
use super::template::{Html, fill};
use super::{layout, plain};
use crate::limits;
use serde_json::Value;

/// What the page has beside its lists at most: style, words, and two names.
const OTHER_BYTES: usize = 9500;

/// The page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct OwnerPage<'a> {
    /// The board's name.
    pub(crate) board: &'a str,
    /// Who is signed in.
    pub(crate) subject: &'a str,
    /// Whether he sees everything.
    pub(crate) is_owner: bool,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// What became of the last errand.
    pub(crate) note: Option<&'a str>,
    /// Calls that wait for him.
    pub(crate) waiting: usize,
    pub(crate) clients: &'a [ClientRow],
    pub(crate) calls: &'a [CallRow],
    pub(crate) events: &'a [EventRow],
    /// The sealed binding to this person that the form carries.
    pub(crate) transaction: &'a str,
}

/// A client, as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct ClientRow {
    /// What it calls itself; may be empty, and may be a lie.
    pub(crate) name: String,
    /// What the board calls it.
    pub(crate) tag: String,
    pub(crate) subject: String,
    pub(crate) scopes: String,
    pub(crate) seen: String,
    pub(crate) is_revoked: bool,
}

/// An event of the audit, as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct EventRow {
    pub(crate) json: String,
    pub(crate) ago: String,
    pub(crate) count: u32,
}

/// The page. Its forms post to `/owner`: `transaction`, `action`, which is `revoke`, and `client`; or `leave`.
pub(crate) fn owner(page: &OwnerPage<'_>) -> String {
    let note = page
        .note
        .map_or(Html::fixed(""), |note| fill("<p class=\"note\" role=\"status\">{{note}}</p>\n", &[("note", note.into())]));
    let waiting = match page.waiting {
        0 => "Nothing waits for your approval.".to_owned(),
        1 => "One call waits for your approval.".to_owned(),
        count => format!("{count} calls wait for your approval."),
    };
    let (clients, calls) = (clients(page), call_list(page.calls));
    let room = limits::PAGE_BYTES.saturating_sub(OTHER_BYTES + clients.len() + calls.len());
    let whose = if page.is_owner { "" } else { " You see what acts for you." };
    let body = fill(
        include_str!("owner.html"),
        &[
            ("board", page.board.into()),
            ("subject", page.subject.into()),
            ("whose", whose.into()),
            ("note", note.into()),
            ("plain", plain(page.is_plain).into()),
            ("waiting", (&waiting).into()),
            ("clients", clients.into()),
            ("calls", calls.into()),
            ("events", events(page, room).into()),
        ],
    );
    layout(&format!("Who uses {}", page.board), "wide", body)
}

fn clients(page: &OwnerPage<'_>) -> Html {
    if page.clients.is_empty() {
        return Html::fixed("<p>No client was here since perchd started.</p>\n");
    }
    let (rows, left_out) = Html::within(limits::CLIENTS_BYTES, page.clients.iter().map(client));
    let values = [("transaction", page.transaction.into()), ("rows", rows.into()), ("more", more(left_out).into())];
    fill(include_str!("clients.html"), &values)
}

fn client(client: &ClientRow) -> Html {
    let name = if client.name.is_empty() { "A client without a name" } else { &client.name };
    let scopes = client.scopes.split(' ').filter(|scope| !scope.is_empty());
    let scope =
        |scope| fill("<span class=\"tag\"><code>{{scope}}</code></span>\n", &[("scope", super::template::Value::Text(scope))]);
    let state = if client.is_revoked {
        Html::fixed("<p class=\"gone\">Revoked: it has to ask again.</p>\n")
    } else {
        fill(include_str!("revoke.html"), &[("tag", (&client.tag).into()), ("name", name.into())])
    };
    let values = [
        ("name", name.into()),
        ("tag", (&client.tag).into()),
        ("subject", (&client.subject).into()),
        ("scopes", Html::all(scopes.map(scope)).into()),
        ("seen", (&client.seen).into()),
        ("state", state.into()),
    ];
    fill(include_str!("client.html"), &values)
}

fn events(page: &OwnerPage<'_>, room: usize) -> Html {
    if !page.is_owner {
        return Html::fixed("");
    }
    let (rows, left_out) = Html::within(room, page.events.iter().map(event));
    fill(include_str!("events.html"), &[("rows", rows.into()), ("more", more(left_out).into())])
}

/// The name of the event, and what else it says. One that was cut is shown as it stands.
fn event(event: &EventRow) -> Html {
    let mut told = Vec::new();
    let mut name = String::new();
    match serde_json::from_str::<Value>(&event.json) {
        Ok(Value::Object(members)) => {
            for (key, value) in &members {
                let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
                match (key.as_str(), value.as_str()) {
                    ("event", _) => name = value,
                    // A person who signs in for himself comes through no client.
                    ("client", "0000000000000000") => {}
                    _ => told.push(fill(" <i>{{key}}</i> {{value}}", &[("key", key.into()), ("value", (&value).into())])),
                }
            }
        }
        _ => name.clone_from(&event.json),
    }
    let times = if event.count > 1 { format!(" ({} times)", event.count) } else { String::new() };
    let values =
        [("name", (&name).into()), ("told", Html::all(told).into()), ("times", (&times).into()), ("ago", (&event.ago).into())];
    fill("<li><code>{{name}}</code>{{told}}{{times}} <small>{{ago}}</small></li>\n", &values)
}
