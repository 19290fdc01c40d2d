//! How the board is: a part of the home page, which is sent anew from time to time. And the calls that came last.

use super::template::{Html, fill};
use crate::limits;

/// A call, as the pages show it.
#[derive(Clone, Debug)]
pub(crate) struct CallRow {
    pub(crate) tool: String,
    pub(crate) fate: &'static str,
    pub(crate) took_ms: u64,
    pub(crate) ago: String,
    pub(crate) subject: String,
    /// What the client calls itself; may be empty, and may be a lie.
    pub(crate) client: String,
}

/// Names and values; and the last calls, where they are shown.
pub(crate) fn live(rows: &[(&str, String)], calls: Option<&[CallRow]>) -> String {
    let row = |(name, value): &(&str, String)| {
        fill("<div><dt>{{name}}</dt><dd>{{value}}</dd></div>\n", &[("name", (*name).into()), ("value", value.into())])
    };
    let rows = Html::all(rows.iter().map(row));
    let calls =
        calls.map_or(Html::fixed(""), |calls| fill("<h3>Last calls</h3>\n{{calls}}", &[("calls", call_list(calls).into())]));
    fill("<dl class=\"now\">\n{{rows}}</dl>\n{{calls}}", &[("rows", rows.into()), ("calls", calls.into())]).into_string()
}

pub(super) fn call_list(calls: &[CallRow]) -> Html {
    if calls.is_empty() {
        return Html::fixed("<p>No tool was called since the start.</p>\n");
    }
    let (rows, left_out) = Html::within(limits::CALLS_BYTES, calls.iter().map(call_row));
    fill("<ul class=\"log\">\n{{rows}}{{more}}</ul>\n", &[("rows", rows.into()), ("more", more(left_out).into())])
}

/// The last entry of a list in which others had no room.
pub(super) fn more(left_out: usize) -> Html {
    match left_out {
        0 => Html::fixed(""),
        count => fill("<li>and {{count}} more</li>\n", &[("count", (&count.to_string()).into())]),
    }
}

fn call_row(call: &CallRow) -> Html {
    let client = match call.client.as_str() {
        "" => Html::fixed(""),
        client => fill(", through <bdi>{{client}}</bdi>", &[("client", client.into())]),
    };
    let took = call.took_ms.to_string();
    // An error is told apart by its word, not by its colour alone.
    let class = if call.fate == "ok" { "" } else { " class=\"bad\"" };
    let values = [
        ("tool", (&call.tool).into()),
        ("class", Html::fixed(class).into()),
        ("fate", call.fate.into()),
        ("took", (&took).into()),
        ("ago", (&call.ago).into()),
        ("subject", (&call.subject).into()),
        ("client", client.into()),
    ];
    fill(include_str!("call.html"), &values)
}
