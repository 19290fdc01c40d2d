//! The pages that people see: from plain data to HTML, and nothing else.
//!
//! Each page stands by itself: one inline style, nothing from elsewhere, light and dark. None needs a script, and none has one but the
//! home page, which shows how the board is and copies what is to be copied.

mod approvals;
mod home;
mod live;
mod owner;
mod policy;
mod template;

pub(crate) use approvals::{ApprovalsPage, PlanRow, approvals};
pub(crate) use home::{Home, ToolRow, home};
pub(crate) use live::{CallRow, live};
pub(crate) use owner::{ClientRow, EventRow, OwnerPage, owner};
pub(crate) use policy::{content_security_policy, live_policy};

use crate::oauth::{Mode, Place};
use crate::tool::Scope;
use template::{Html, fill};

/// Who asks for something.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Asker<'a> {
    /// What it calls itself.
    pub(crate) client_name: &'a str,
    /// How it hears of the answer.
    pub(crate) way: Way<'a>,
}

/// How a client hears of the answer.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Way<'a> {
    /// The browser goes there, with its port if it has one.
    Browser { redirect_host: &'a str },
    /// It shows this code, and waits.
    Device { user_code: &'a str },
    /// Nobody asks: a person wants to see this page.
    Person(Place),
}

/// The page that asks for the code of a device.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DevicePage<'a> {
    /// The board's name.
    pub(crate) board: &'a str,
    /// What came with the address.
    pub(crate) user_code: &'a str,
    /// What was wrong last time.
    pub(crate) message: Option<&'a str>,
    /// Whether that was only that there were too many tries.
    pub(crate) must_wait: bool,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// The sealed binding to the browser that the form carries.
    pub(crate) transaction: &'a str,
}

/// The page that asks who one is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct SignIn<'a> {
    /// The board's name.
    pub(crate) board: &'a str,
    /// Who asks.
    pub(crate) asker: Asker<'a>,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// The sealed request that the form carries.
    pub(crate) transaction: &'a str,
    /// What was typed last time.
    pub(crate) email: &'a str,
    /// What was wrong last time.
    pub(crate) message: Option<&'a str>,
    /// Whether that is about a code, and not about a password.
    pub(crate) is_code: bool,
    /// Whether that was only that there were too many tries.
    pub(crate) must_wait: bool,
    /// The ways to sign in.
    pub(crate) mode: Mode,
}

/// The page that asks what a client may do.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Consent<'a> {
    /// The board's name.
    pub(crate) board: &'a str,
    /// Who asks.
    pub(crate) asker: Asker<'a>,
    /// Whether others on the network can read along.
    pub(crate) is_plain: bool,
    /// Who signed in.
    pub(crate) subject: &'a str,
    /// What the client asks for.
    pub(crate) scopes: &'a [Scope],
    /// What it asks for besides, and this person cannot allow.
    pub(crate) withheld: &'a [String],
    /// What was wrong last time.
    pub(crate) message: Option<&'a str>,
    /// The sealed request that the form carries.
    pub(crate) transaction: &'a str,
}

/// The page that says what went wrong.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Problem<'a> {
    /// The status of the response.
    pub(crate) status: u16,
    /// What happened.
    pub(crate) what: &'a str,
    /// What to do next.
    pub(crate) remedy: &'a str,
}

/// The sign-in page. Its forms post to `/authorize`: `transaction`, and `action`, which is `sign_in` with `email` and
/// `password`, `pair` with `code`, or `reject`.
pub(crate) fn sign_in(page: &SignIn<'_>) -> String {
    let demo = if page.mode == Mode::Demo { include_str!("page/note_demo.html") } else { "" };
    let ways = match page.mode {
        Mode::Own { users: true, pairing: true } => {
            let forms = [("password", password_form(page, false)), ("code", code_form(page, false))];
            fill(include_str!("page/ways.html"), &forms.map(|(name, form)| (name, form.into())))
        }
        Mode::Own { pairing: true, .. } => code_form(page, true),
        _ => password_form(page, true),
    };
    let body = fill(
        include_str!("page/sign_in.html"),
        &[
            ("board", page.board.into()),
            ("asker", asker(&page.asker).into()),
            ("demo", Html::fixed(demo).into()),
            ("plain", plain(page.is_plain).into()),
            ("ways", ways.into()),
        ],
    );
    layout(&format!("Sign in to {}", page.board), "narrow", body)
}

/// The page that asks for the code of a device. Its form posts `transaction` and `user_code` to `/device`.
pub(crate) fn code(page: &DevicePage<'_>) -> String {
    let lead = match page.user_code {
        "" => "Enter the code that your device or program shows.",
        _ => "Compare this code with the one that your device or program shows. Go on only if it is the same.",
    };
    let body = fill(
        include_str!("page/code.html"),
        &[
            ("board", page.board.into()),
            ("lead", lead.into()),
            ("message", alert(page.message).into()),
            ("plain", plain(page.is_plain).into()),
            ("transaction", page.transaction.into()),
            ("user_code", page.user_code.into()),
            ("described", described(page.message, page.must_wait).into()),
            ("focus", focus(page.user_code.is_empty()).into()),
        ],
    );
    layout(&format!("Let a device use {}", page.board), "narrow", body)
}

/// The page that says that a person has decided on a device.
pub(crate) fn done(board: &str, client_name: &str, is_allowed: bool) -> String {
    let (title, template) = if is_allowed {
        ("Allowed", include_str!("page/allowed.html"))
    } else {
        ("Rejected", include_str!("page/rejected.html"))
    };
    layout(title, "narrow", fill(template, &[("board", board.into()), ("client", client_name.into())]))
}

fn alert(message: Option<&str>) -> Html {
    message.map_or(Html::fixed(""), |message| fill(include_str!("page/alert.html"), &[("message", message.into())]))
}

/// What ties a field to the message above it.
fn described(message: Option<&str>, must_wait: bool) -> Html {
    Html::fixed(match (message, must_wait) {
        (None, _) => "",
        (_, true) => " aria-describedby=\"alert\"",
        _ => " aria-invalid=\"true\" aria-describedby=\"alert\"",
    })
}

/// Where one goes on: what a screen reader begins with, and a keyboard types into.
fn focus(is_next: bool) -> Html {
    Html::fixed(if is_next { " autofocus" } else { "" })
}

fn plain(is_plain: bool) -> Html {
    Html::fixed(if is_plain { include_str!("page/note_plain.html") } else { "" })
}

/// The form for those who have a password; `is_only` when there is no other.
fn password_form(page: &SignIn<'_>, is_only: bool) -> Html {
    let message = page.message.filter(|_| !page.is_code);
    let (label, keyboard) = match page.mode {
        Mode::Demo => ("E-mail or user name", " inputmode=\"email\""),
        _ => ("User name", ""),
    };
    let is_named = !page.email.is_empty();
    let is_next = is_only || message.is_some();
    let values = [
        ("message", alert(message).into()),
        ("transaction", page.transaction.into()),
        ("label", label.into()),
        ("keyboard", Html::fixed(keyboard).into()),
        ("email", page.email.into()),
        ("described", described(message, page.must_wait).into()),
        ("focus_email", focus(is_next && !is_named).into()),
        ("focus_password", focus(is_next && is_named).into()),
        ("cancel", cancel(is_only).into()),
    ];
    fill(include_str!("page/password_form.html"), &values)
}

/// The form for those who have a code from the board; `is_only` when there is no other.
fn code_form(page: &SignIn<'_>, is_only: bool) -> Html {
    let message = page.message.filter(|_| page.is_code);
    let is_wrong = message.is_some() && !page.must_wait;
    let values = [
        ("message", alert(message).into()),
        ("transaction", page.transaction.into()),
        ("invalid", Html::fixed(if is_wrong { " aria-invalid=\"true\"" } else { "" }).into()),
        ("alert", if message.is_some() { "alert " } else { "" }.into()),
        ("focus", focus(is_only || message.is_some()).into()),
        ("cancel", cancel(is_only).into()),
    ];
    fill(include_str!("page/code_form.html"), &values)
}

/// Where there are two forms, the way out stands below both.
fn cancel(is_only: bool) -> Html {
    Html::fixed(if is_only { "<button name=\"action\" value=\"reject\" formnovalidate>Cancel</button>\n" } else { "" })
}

/// The consent page. Its form posts `transaction`, one `scope` for each ticked box and `action` (`approve` or `reject`)
/// to `/consent`.
pub(crate) fn consent(page: &Consent<'_>) -> String {
    let scopes = match page.scopes {
        [] if !page.withheld.is_empty() => Html::fixed(""),
        [] => Html::fixed("<p>It asks for nothing: it will see this board, and be able to do nothing on it.</p>"),
        scopes => {
            let boxes = Html::all(scopes.iter().enumerate().map(|(index, scope)| scope_box(index, scope)));
            fill(include_str!("page/scopes.html"), &[("boxes", boxes.into())])
        }
    };
    let body = fill(
        include_str!("page/consent.html"),
        &[
            ("client", page.asker.client_name.into()),
            ("board", page.board.into()),
            ("subject", page.subject.into()),
            ("asker", asker(&page.asker).into()),
            ("message", alert(page.message).into()),
            ("plain", plain(page.is_plain).into()),
            ("scopes", scopes.into()),
            ("withheld", withheld(page).into()),
            ("transaction", page.transaction.into()),
        ],
    );
    layout(&format!("Allow {}?", page.asker.client_name), "narrow", body)
}

/// What the owner did not give to this person to allow.
fn withheld(page: &Consent<'_>) -> Html {
    if page.withheld.is_empty() {
        return Html::fixed("");
    }
    let names = Html::all(page.withheld.iter().map(|name| fill(" <code>{{name}}</code>", &[("name", name.into())])));
    let (also, left) = match page.scopes {
        [] => ("", " If you approve, it sees this board, and can do nothing on it."),
        _ => ("also ", ""),
    };
    let values = [("also", also.into()), ("names", names.into()), ("subject", page.subject.into()), ("left", left.into())];
    fill(include_str!("page/withheld.html"), &values)
}

/// One box: ticked where the scope only reads. What changes something is for the person to tick.
fn scope_box(index: usize, scope: &Scope) -> Html {
    let (checked, mark) =
        if scope.is_write { ("", r#" <span class="tag changes">changes things</span>"#) } else { (" checked", "") };
    let id = format!("scope-{index}");
    let values = [
        ("id", (&id).into()),
        ("name", (&scope.name).into()),
        ("about", (&scope.about).into()),
        ("checked", Html::fixed(checked).into()),
        ("mark", Html::fixed(mark).into()),
    ];
    fill(include_str!("page/scope.html"), &values)
}

/// Who asks, and why not to trust the name.
fn asker(asker: &Asker<'_>) -> Html {
    let redirect_host = match asker.way {
        Way::Browser { redirect_host } => redirect_host,
        Way::Person(Place::Approvals) => return Html::fixed(include_str!("page/asker_approver.html")),
        Way::Person(Place::Owner) => return Html::fixed(include_str!("page/asker_owner.html")),
        Way::Device { user_code } => {
            let values = [("client", asker.client_name.into()), ("user_code", user_code.into())];
            return fill(include_str!("page/asker_device.html"), &values);
        }
    };
    let is_here = |host: &str| redirect_host.strip_prefix(host).is_some_and(|port| port.is_empty() || port.starts_with(':'));
    let is_loopback = ["localhost", "127.0.0.1", "[::1]"].into_iter().any(is_here);
    let place = if is_loopback { ", a program on the computer that you are using" } else { "" };
    let values = [("client", asker.client_name.into()), ("host", redirect_host.into()), ("place", place.into())];
    fill(include_str!("page/asker.html"), &values)
}

/// The page that says what went wrong.
pub(crate) fn error(problem: &Problem<'_>) -> String {
    let (status, title) = (problem.status.to_string(), heading(problem.status));
    let values =
        [("status", (&status).into()), ("title", title.into()), ("what", problem.what.into()), ("remedy", problem.remedy.into())];
    layout(title, "narrow", fill(include_str!("page/error.html"), &values))
}

/// A status in words that need no RFC.
fn heading(status: u16) -> &'static str {
    match status {
        403 => "Not allowed",
        404 => "Not found",
        405 => "Not in this way",
        421 => "Not under this name",
        429 => "Please wait",
        503 => "Too busy just now",
        _ => "This did not work",
    }
}

/// What all pages share.
fn layout(title: &str, width: &str, body: Html) -> String {
    let values = [
        ("title", title.into()),
        ("style", Html::fixed(policy::STYLE).into()),
        ("mark", Html::fixed(include_str!("page/mark.svg")).into()),
        ("width", width.into()),
        ("body", body.into()),
    ];
    fill(include_str!("page/layout.html"), &values).into_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::connect;

    const ASKER: Asker<'_> = Asker { client_name: "Claude Code", way: Way::Browser { redirect_host: "localhost:3335" } };
    const BOTH: Mode = Mode::Own { users: true, pairing: true };
    const ATTACK: &str = "\"><script>x</script>{{title}}";

    fn sample_home() -> Home {
        let origin = "http://localhost:8787".to_owned();
        let row = |title: &str, name: &str, about: &str, scope: &str, is_write: bool| {
            let [title, name, about, scope] = [title, name, about, scope].map(str::to_owned);
            ToolRow { title, name, about, scope, is_write }
        };
        let tools = vec![
            row("Add", "add", "Adds two numbers.", "math", false),
            row("Board health", "board_health", "Reads the health of the board.", "system:read", false),
            row("Restart a service", "restart_service", "Restarts one of the listed services.", "services:write", true),
        ];
        let blocks = connect::blocks(&origin, "kitchen", false, None);
        let live = live(&[("Running for", "3 min".to_owned())], Some(&sample_calls()));
        Home { board: "kitchen".to_owned(), origin, mode: Mode::Demo, is_plain: false, live, blocks, tools }
    }

    fn sample_calls() -> [CallRow; 2] {
        let call = |fate, client: &str| CallRow {
            tool: "board_health".to_owned(),
            fate,
            took_ms: 12,
            ago: "3 min ago".to_owned(),
            subject: "anna".to_owned(),
            client: client.to_owned(),
        };
        [call("ok", "Claude Desktop"), call("timeout", "")]
    }

    /// As full as it gets.
    fn sample_owner() -> String {
        let client = |n: usize| ClientRow {
            name: "Claude Desktop".to_owned(),
            tag: "9f86d081884c7d65".to_owned(),
            subject: "anna".to_owned(),
            scopes: "math system:read".to_owned(),
            seen: "3 min ago".to_owned(),
            is_revoked: n == 1,
        };
        let event = |_| {
            EventRow {
            json: r#"{"event":"token_issued","subject":"anna","client":"9f86d081884c7d65","grant":"9f86d081","grant_type":"refresh_token"}"#.to_owned(),
            ago: "3 min ago".to_owned(),
            count: 2,
        }
        };
        let clients: Vec<_> = (0..crate::limits::SEEN).map(client).collect();
        let events: Vec<_> = (0..crate::limits::TAIL).map(event).collect();
        let calls: Vec<_> = (0..crate::limits::CALLS_SHOWN).map(|_| sample_calls()[0].clone()).collect();
        owner(&OwnerPage {
            board: "kitchen",
            subject: "anna",
            is_owner: true,
            is_plain: true,
            note: Some("Revoked."),
            waiting: 2,
            clients: &clients,
            calls: &calls,
            events: &events,
            transaction: &"x".repeat(200),
        })
    }

    fn sample_sign_in() -> SignIn<'static> {
        SignIn {
            board: "kitchen",
            asker: ASKER,
            is_plain: false,
            transaction: "dHJhbnNhY3Rpb24",
            email: "ann@example.com",
            message: Some("The name or the password is wrong."),
            is_code: false,
            must_wait: false,
            mode: Mode::Demo,
        }
    }

    fn sample_scopes() -> [Scope; 3] {
        let scope = |name: &str, about: &str, is_write| Scope { name: name.to_owned(), about: about.to_owned(), is_write };
        [
            scope("math", "Calculate with numbers: it sees nothing of the board", false),
            scope("system:read", "Read the board's health: temperature, power, memory, disks, load", false),
            scope("services:write", "Restart nginx and pihole", true),
        ]
    }

    fn sample_consent(scopes: &[Scope]) -> Consent<'_> {
        let (board, subject, transaction) = ("kitchen", "ann@example.com", "dHJhbnNhY3Rpb24");
        Consent { board, asker: ASKER, is_plain: false, subject, scopes, withheld: &[], message: None, transaction }
    }

    fn sample_plans() -> [PlanRow; 2] {
        let plan = |button: Option<&str>| PlanRow {
            tool: "restart_service".to_owned(),
            line: "/usr/bin/systemctl restart -- nginx.service".to_owned(),
            subject: "anna".to_owned(),
            program: "claude-code".to_owned(),
            client: "9f86d081884c7d65".to_owned(),
            secs: 94,
            button: button.map(str::to_owned),
            transaction: "dHJhbnNhY3Rpb24".to_owned(),
        };
        [plan(None), plan(Some("door"))]
    }

    fn sample_approvals(plans: &[PlanRow]) -> ApprovalsPage<'_> {
        ApprovalsPage { board: "kitchen", subject: "anna", is_plain: false, note: Some("Rejected. It does not run."), plans }
    }

    fn sample_problem() -> Problem<'static> {
        let what = "This sign-in page was opened more than ten minutes ago.";
        Problem { status: 400, what, remedy: "Start again from your assistant." }
    }

    /// Every page, with its name.
    fn samples() -> [(&'static str, String); 17] {
        let device = Asker { way: Way::Device { user_code: "BCDF-GHJK" }, ..ASKER };
        let (board, message) = ("kitchen", Some("No device waits with this code."));
        let code = DevicePage {
            board,
            user_code: "BCDF-GHJK",
            message,
            must_wait: false,
            is_plain: true,
            transaction: "dHJhbnNhY3Rpb24",
        };
        let own = |mode| sign_in(&SignIn { mode, ..sample_sign_in() });
        [
            ("code", super::code(&code)),
            ("sign_in_device", sign_in(&SignIn { asker: device, is_plain: true, ..sample_sign_in() })),
            ("allowed", done("kitchen", "Claude Code", true)),
            ("rejected", done("kitchen", "Claude Code", false)),
            ("home", home(&sample_home())),
            ("sign_in", own(Mode::Demo)),
            ("users", own(Mode::Own { users: true, pairing: false })),
            ("pairing", own(Mode::Own { users: false, pairing: true })),
            ("users and pairing", own(BOTH)),
            ("a first try", sign_in(&SignIn { message: None, mode: BOTH, ..sample_sign_in() })),
            ("consent", consent(&sample_consent(&sample_scopes()))),
            ("error", error(&sample_problem())),
            (
                "sign_in_approver",
                sign_in(&SignIn { asker: Asker { client_name: "", way: Way::Person(Place::Approvals) }, ..sample_sign_in() }),
            ),
            (
                "sign_in_owner",
                sign_in(&SignIn { asker: Asker { client_name: "", way: Way::Person(Place::Owner) }, ..sample_sign_in() }),
            ),
            ("owner", sample_owner()),
            ("approvals", approvals(&sample_approvals(&sample_plans()))),
            ("no approvals", approvals(&sample_approvals(&[]))),
        ]
    }

    fn attacked_owner() -> String {
        let text = || ATTACK.to_owned();
        let client = ClientRow { name: text(), tag: text(), subject: text(), scopes: text(), seen: text(), is_revoked: false };
        let call = CallRow { tool: text(), fate: "ok", took_ms: 1, ago: text(), subject: text(), client: text() };
        let json = serde_json::json!({ "event": ATTACK, "name": ATTACK }).to_string();
        let events = [EventRow { json, ago: text(), count: 1 }, EventRow { json: text(), ago: text(), count: 1 }];
        owner(&OwnerPage {
            board: ATTACK,
            subject: ATTACK,
            is_owner: true,
            is_plain: false,
            note: Some(ATTACK),
            waiting: 0,
            clients: &[client],
            calls: &[call],
            events: &events,
            transaction: ATTACK,
        })
    }

    #[test]
    fn however_long_names_are_a_page_has_no_more_bytes_than_it_may() {
        let name = || "\"".repeat(crate::limits::CLIENT_NAME_BYTES);
        let client = ClientRow {
            name: name(),
            tag: "9f86d081884c7d65".to_owned(),
            subject: name(),
            scopes: "math system:read services:restart".to_owned(),
            seen: "3 min ago".to_owned(),
            is_revoked: false,
        };
        let call = CallRow { tool: name(), subject: name(), client: name(), ..sample_calls()[0].clone() };
        let event = EventRow { json: "\"".repeat(crate::limits::TAIL_BYTES), ago: "3 min ago".to_owned(), count: 2 };
        let calls = vec![call; crate::limits::CALLS_SHOWN];
        let page = owner(&OwnerPage {
            board: &name(),
            subject: &name(),
            is_owner: true,
            is_plain: true,
            note: Some("Revoked."),
            waiting: 2,
            clients: &vec![client; crate::limits::SEEN],
            calls: &calls,
            events: &vec![event; crate::limits::TAIL],
            transaction: &"x".repeat(300),
        });
        assert!(page.len() <= crate::limits::PAGE_BYTES, "{} bytes", page.len());
        assert_eq!(page.matches(" more</li>").count(), 3, "{page}");
        let mut home = sample_home();
        home.board = name();
        home.live = live(&[("Running for", "3 min".to_owned())], Some(&calls));
        let tool = ToolRow { title: name(), name: name(), about: name(), scope: "math".to_owned(), is_write: false };
        home.tools = vec![tool; 100];
        let page = self::home(&home);
        assert!(page.len() <= crate::limits::PAGE_BYTES, "{} bytes", page.len());
        assert_eq!(page.matches(" more</li>").count(), 2, "{page}");
    }

    #[test]
    fn what_strangers_write_stays_text() {
        let scopes = [Scope { name: ATTACK.to_owned(), about: ATTACK.to_owned(), is_write: true }];
        let asker = Asker { client_name: ATTACK, way: Way::Browser { redirect_host: ATTACK } };
        let device = Asker { client_name: ATTACK, way: Way::Device { user_code: ATTACK } };
        let consent = Consent { asker, subject: ATTACK, message: Some(ATTACK), ..sample_consent(&scopes) };
        let of_device = Consent { asker: device, ..consent };
        let code = DevicePage {
            board: ATTACK,
            user_code: ATTACK,
            message: Some(ATTACK),
            must_wait: false,
            is_plain: true,
            transaction: ATTACK,
        };
        let sign_in = SignIn {
            asker,
            is_plain: true,
            transaction: ATTACK,
            email: ATTACK,
            message: Some(ATTACK),
            is_code: false,
            must_wait: false,
            board: ATTACK,
            mode: BOTH,
        };
        let problem = Problem { status: 400, what: ATTACK, remedy: ATTACK };
        for page in [
            super::consent(&consent),
            super::consent(&of_device),
            super::sign_in(&sign_in),
            super::code(&code),
            done(ATTACK, ATTACK, true),
            done(ATTACK, ATTACK, false),
            error(&problem),
            attacked_owner(),
        ] {
            assert!(!page.contains("<script"), "{page}");
            assert!(page.contains("&quot;&gt;&lt;script&gt;x&lt;/script&gt;{{title}}"), "{page}");
        }
    }

    #[test]
    fn pages_need_nothing_from_elsewhere_and_run_nothing() {
        for (name, page) in samples() {
            // The home page has one script, which the policy names.
            let scripts = if name == "home" { page.matches(&format!("<script>{}</script>", policy::SCRIPT)).count() } else { 0 };
            assert_eq!((page.matches("<script").count(), scripts), (scripts, usize::from(name == "home")), "{name}");
            for word in ["javascript:", " src=", "@import", "url(", "style=\"", " onclick", "<iframe"] {
                assert!(!page.contains(word), "{name}: {word}");
            }
            assert!(page.len() <= 20 * 1024, "{name}: {} bytes", page.len());
        }
    }

    #[test]
    fn pages_can_be_read_aloud() {
        for (name, page) in samples() {
            assert!(page.starts_with("<!doctype html>\n<html lang=\"en\">"), "{name}");
            for (part, count) in [("<h1>", 1), ("<main>", 1), ("<title>", 1), ("<header>", 1)] {
                assert_eq!(page.matches(part).count(), count, "{name}: {part}");
            }
            for field in page.split("<input ").skip(1).filter(|field| !field.starts_with("type=\"hidden\"")) {
                let id = field.split("id=\"").nth(1).unwrap().split('"').next().unwrap();
                assert!(page.contains(&format!("for=\"{id}\"")), "{name}: {id} has no label");
            }
        }
    }

    #[test]
    fn every_opened_tag_is_closed() {
        for (name, page) in samples() {
            let mut open = Vec::new();
            for tag in page.split('<').skip(1).map(|tag| tag.split('>').next().unwrap()) {
                let word = tag.trim_start_matches('/').split([' ', '\n', '/']).next().unwrap();
                match word {
                    "!doctype" | "meta" | "link" | "input" | "br" | "path" | "circle" => {}
                    _ if tag.starts_with('/') => assert_eq!(open.pop(), Some(word), "{name}"),
                    _ => open.push(word),
                }
            }
            assert!(open.is_empty(), "{name}: {open:?}");
        }
    }

    #[test]
    fn the_style_is_the_one_that_the_policy_allows() {
        for (name, page) in samples() {
            let style = page.split("<style>").nth(1).unwrap().split("</style>").next().unwrap();
            assert!(style == policy::STYLE, "{name}");
        }
    }

    #[test]
    fn what_changes_something_is_for_the_person_to_tick() {
        let page = consent(&sample_consent(&sample_scopes()));
        assert!(page.contains(r#"name="scope" value="math" checked>"#), "{page}");
        assert!(page.contains(r#"name="scope" value="services:write">"#), "{page}");
        assert_eq!(page.matches("changes things").count(), 1);
        assert!(consent(&sample_consent(&[])).contains("It asks for nothing"));
    }

    #[test]
    fn forms_carry_what_their_endpoints_read() {
        let page = sign_in(&sample_sign_in());
        for part in [
            r#"<form id="sign-in" method="post" action="/authorize">"#,
            r#"<input type="hidden" name="transaction" value="dHJhbnNhY3Rpb24">"#,
            r#"name="email" type="text""#,
            r#"name="password" type="password""#,
            r#"<button name="action" value="reject" formnovalidate>Cancel</button>"#,
        ] {
            assert!(page.contains(part), "{part}");
        }
        let page = consent(&sample_consent(&sample_scopes()));
        for part in
            [r#"<form method="post" action="/consent">"#, r#"name="action" value="approve""#, r#"name="action" value="reject""#]
        {
            assert!(page.contains(part), "{part}");
        }
    }

    #[test]
    fn each_way_in_has_its_form_and_every_page_a_way_out() {
        let page = |users, pairing| sign_in(&SignIn { mode: Mode::Own { users, pairing }, is_code: !users, ..sample_sign_in() });
        for (users, pairing) in [(true, false), (false, true), (true, true)] {
            let page = page(users, pairing);
            assert_eq!(page.contains(r#"name="action" value="sign_in""#), users, "{page}");
            assert_eq!(page.contains(r#"name="action" value="pair""#), pairing, "{page}");
            assert_eq!(page.contains("perchd pair"), pairing);
            assert_eq!(page.matches(r#"name="action" value="reject" formnovalidate"#).count(), 1);
            assert!(!page.contains("any password will do") && page.contains("role=\"alert\""));
        }
        assert!(page(true, true).contains(r#"<button form="sign-in" name="action" value="reject""#));
    }

    #[test]
    fn the_form_that_failed_says_so_and_has_the_focus() {
        let again = |is_code, email, must_wait| {
            sign_in(&SignIn { mode: BOTH, is_code, email, must_wait, message: Some("Wrong."), ..sample_sign_in() })
        };
        let alert = "<form id=\"FORM\" method=\"post\" action=\"/authorize\">\n<p class=\"alert\"";
        for (is_code, email, form, focused, wrong) in
            [(true, "", "pair", "code", 1), (false, "anna", "sign-in", "password", 2), (false, "", "sign-in", "email", 2)]
        {
            let page = again(is_code, email, false);
            assert!(page.contains(&alert.replace("FORM", form)), "{page}");
            let field = page.split("<input ").find(|field| field.contains(" autofocus>")).unwrap();
            assert!(field.starts_with(&format!("id=\"{focused}\"")) && field.contains("=\"alert"), "{field}");
            assert_eq!((page.matches(" autofocus>").count(), page.matches("aria-invalid=").count()), (1, wrong));
            // To wait is not to be wrong.
            assert!(!again(is_code, email, true).contains("aria-invalid="));
        }
        assert!(!sign_in(&SignIn { mode: BOTH, message: None, ..sample_sign_in() }).contains("autofocus"));
    }

    #[test]
    fn what_somebody_cannot_allow_is_named() {
        let withheld = ["services:write".to_owned()];
        let page = |scopes| consent(&Consent { withheld: &withheld, ..sample_consent(scopes) });
        for page in [page(&sample_scopes()), page(&[])] {
            assert!(
                page.contains("asks for <code>services:write</code>, which <bdi>ann@example.com</bdi> cannot allow"),
                "{page}"
            );
            assert!(!page.contains("asks for nothing"));
        }
        assert!(!consent(&sample_consent(&sample_scopes())).contains("cannot allow"));
    }

    #[test]
    fn the_alert_is_there_when_something_was_wrong_and_only_then() {
        let wrong = sample_sign_in();
        assert!(sign_in(&wrong).contains("role=\"alert\">The name or the password is wrong.</p>"));
        assert!(!sign_in(&SignIn { message: None, ..wrong }).contains("alert\""));
    }

    #[test]
    fn a_redirect_to_this_computer_is_called_so() {
        let is_here = |redirect_host: &'static str| {
            sign_in(&SignIn { asker: Asker { way: Way::Browser { redirect_host }, ..ASKER }, ..sample_sign_in() })
                .contains("a program on the computer that you are using")
        };
        assert!(is_here("localhost:3335") && is_here("127.0.0.1") && is_here("[::1]:3335"));
        assert!(!is_here("claude.ai") && !is_here("localhost.example.com") && !is_here("127.0.0.1.example.com:80"));
    }

    #[test]
    fn each_way_to_sign_in_has_its_note() {
        let page = |mode| home(&Home { mode, ..sample_home() });
        let users = Mode::Own { users: true, pairing: false };
        assert!(page(Mode::Demo).contains("<strong>Demo.</strong>") && page(Mode::Open).contains("<strong>Open.</strong>"));
        assert!(page(users).contains("sign in once") && !page(Mode::Open).contains("sign in once"));
        assert!(!page(users).contains("class=\"note\"") && !page(users).contains("perchd pair"));
        assert!(page(Mode::Own { users: false, pairing: true }).contains("you need a code: <code"));
        assert!(page(BOTH).contains("a password, or a code: <code"));
        assert!(home(&Home { tools: Vec::new(), ..sample_home() }).contains("no tools yet"));
    }
}
