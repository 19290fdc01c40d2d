//! The home page: what this is, how to connect, and the tools.

use super::live::more;
use super::template::{Html, fill};
use super::{layout, plain, policy};
use crate::http::connect::Block;
use crate::limits;
use crate::oauth::Mode;

/// What the page has beside its lists at most: style, script and words.
const OTHER_BYTES: usize = 10_000;

/// The home page.
#[derive(Clone, Debug)]
pub(crate) struct Home {
    /// The board's name.
    pub(crate) board: String,
    /// Where the server is, as the browser names it: `http://localhost:8787`.
    pub(crate) origin: String,
    /// The ways to sign in.
    pub(crate) mode: Mode,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// How it is, as [`live`](super::live()) writes it.
    pub(crate) live: String,
    /// How to connect.
    pub(crate) blocks: Vec<Block>,
    /// What it offers.
    pub(crate) tools: Vec<ToolRow>,
}

/// A tool, as the home page shows it.
#[derive(Clone, Debug)]
pub(crate) struct ToolRow {
    /// Its name for people.
    pub(crate) title: String,
    /// Its name in calls.
    pub(crate) name: String,
    /// What it does.
    pub(crate) about: String,
    /// What a token needs for it.
    pub(crate) scope: String,
    /// Whether it changes anything.
    pub(crate) is_write: bool,
}

/// The home page.
pub(crate) fn home(home: &Home) -> String {
    let (note, pairing) = match home.mode {
        Mode::Open => (include_str!("note_open.html"), ""),
        Mode::Demo => (include_str!("note_demo.html"), ""),
        Mode::Own { users: false, .. } => ("", include_str!("note_pairing.html")),
        Mode::Own { pairing: true, .. } => ("", include_str!("note_both.html")),
        Mode::Own { .. } => ("", ""),
    };
    let links = if matches!(home.mode, Mode::Own { .. }) { include_str!("note_people.html") } else { "" };
    let blocks =
        Html::all(home.blocks.iter().enumerate().map(|(index, block)| connect_block(block, index == 0 || block.ca.is_some())));
    let tools = match home.tools.as_slice() {
        [] => Html::fixed("<p>This board offers no tools yet.</p>"),
        tools => {
            let others = OTHER_BYTES + home.live.len() + blocks.len();
            let (rows, left_out) = Html::within(limits::PAGE_BYTES.saturating_sub(others), tools.iter().map(tool_row));
            fill("<ul class=\"cards\">\n{{rows}}{{more}}</ul>", &[("rows", rows.into()), ("more", more(left_out).into())])
        }
    };
    let body = fill(
        include_str!("home.html"),
        &[
            ("board", (&home.board).into()),
            ("origin", (&home.origin).into()),
            ("sign_in", if home.mode == Mode::Open { "" } else { " and sign in once" }.into()),
            ("note", Html::fixed(note).into()),
            ("plain", plain(home.is_plain).into()),
            ("pairing", Html::fixed(pairing).into()),
            ("blocks", blocks.into()),
            ("tools", tools.into()),
            ("live", Html::made(home.live.clone()).into()),
            ("links", Html::fixed(links).into()),
            ("script", Html::fixed(policy::SCRIPT).into()),
        ],
    );
    layout(&home.board, "wide", body)
}

fn connect_block(block: &Block, is_open: bool) -> Html {
    let open = Html::fixed(if is_open { " open" } else { "" });
    let ca = block.ca.as_ref().map_or(Html::fixed(""), |ca| {
        let values = [("file", (&ca.file).into()), ("fingerprint", (&ca.fingerprint).into())];
        fill(include_str!("ca.html"), &values)
    });
    let link = block.link.as_ref().map_or(Html::fixed(""), |(label, href)| {
        fill(include_str!("link.html"), &[("href", href.into()), ("label", (*label).into())])
    });
    let values = [
        ("link", link.into()),
        ("open", open.into()),
        ("title", block.title.into()),
        ("note", (&block.note).into()),
        ("text", (&block.text).into()),
        ("ca", ca.into()),
    ];
    fill(include_str!("block.html"), &values)
}

fn tool_row(tool: &ToolRow) -> Html {
    let effect = if tool.is_write {
        r#"<span class="tag changes">changes things</span>"#
    } else {
        r#"<span class="tag">only reads</span>"#
    };
    let values = [
        ("title", (&tool.title).into()),
        ("name", (&tool.name).into()),
        ("about", (&tool.about).into()),
        ("scope", (&tool.scope).into()),
        ("effect", Html::fixed(effect).into()),
    ];
    fill(include_str!("tool.html"), &values)
}
