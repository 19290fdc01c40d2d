//! The page where people approve what assistants want to run.

use super::template::{Html, fill};
use super::{layout, plain};

/// The page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ApprovalsPage<'a> {
    /// The board's name.
    pub(crate) board: &'a str,
    /// Who is signed in.
    pub(crate) subject: &'a str,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// What became of the last decision.
    pub(crate) note: Option<&'a str>,
    /// What waits.
    pub(crate) plans: &'a [PlanRow],
}

/// A plan, as the page shows it.
#[derive(Clone, Debug)]
pub(crate) struct PlanRow {
    pub(crate) tool: String,
    /// What would run.
    pub(crate) line: String,
    /// For whom.
    pub(crate) subject: String,
    /// What the client calls itself; may be empty, and may be a lie.
    pub(crate) program: String,
    /// What the board calls it.
    pub(crate) client: String,
    pub(crate) secs: u64,
    /// The button that approves it, if not this page does.
    pub(crate) button: Option<String>,
    /// The sealed binding to this person that the form carries.
    pub(crate) transaction: String,
}

/// The page. Its forms post `transaction` and `action` to `/approvals`, which is `approve` or `reject`; or `leave`.
pub(crate) fn approvals(page: &ApprovalsPage<'_>) -> String {
    let (lead, plans) = match page.plans {
        [] => ("Nothing waits for you. This page looks again by itself.", Html::fixed("")),
        plans => (
            "Approve only what you have asked an assistant for yourself. What you approve runs once.",
            fill("<ul class=\"cards\">\n{{rows}}</ul>\n", &[("rows", Html::all(plans.iter().map(row)).into())]),
        ),
    };
    let note = page
        .note
        .map_or(Html::fixed(""), |note| fill("<p class=\"note\" role=\"status\">{{note}}</p>\n", &[("note", note.into())]));
    let body = fill(
        include_str!("approvals.html"),
        &[
            ("lead", lead.into()),
            ("note", note.into()),
            ("plain", plain(page.is_plain).into()),
            ("plans", plans.into()),
            ("board", page.board.into()),
            ("subject", page.subject.into()),
        ],
    );
    layout(&format!("Approvals on {}", page.board), "narrow", body)
}

fn row(plan: &PlanRow) -> Html {
    let program = match plan.program.as_str() {
        "" => Html::fixed("a client"),
        program => fill("<strong><bdi>{{program}}</bdi></strong>", &[("program", program.into())]),
    };
    let (button, approve) = match &plan.button {
        None => (Html::fixed(""), Html::fixed("<button class=\"main\" name=\"action\" value=\"approve\">Approve</button>\n")),
        Some(name) => {
            let told = "<p class=\"note\">To approve it, press the button <strong>{{name}}</strong> at the board.</p>\n";
            (fill(told, &[("name", name.into())]), Html::fixed(""))
        }
    };
    let secs = plan.secs.to_string();
    let values = [
        ("tool", (&plan.tool).into()),
        ("line", (&plan.line).into()),
        ("subject", (&plan.subject).into()),
        ("program", program.into()),
        ("client", (&plan.client).into()),
        ("secs", (&secs).into()),
        ("transaction", (&plan.transaction).into()),
        ("button", button.into()),
        ("approve", approve.into()),
    ];
    fill(include_str!("plan.html"), &values)
}
