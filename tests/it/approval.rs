//! Calls that wait for a person: what a client with a token can do, and what it cannot.

use crate::board::{Board, Folder};
use crate::sign_in::{Browser, Client, FORM, Form, Redirect, Tokens, bearer, encoded};
use crate::wire::{Reply, Wire, ask, request};
use serde_json::{Value, json};
use std::fs;
use std::path::PathBuf;

const USERS: &str = r#"
[auth]
mode = ["users", "pairing"]

[auth.users.anna]
password = "ANNA"

[auth.users.ben]
password = "ANNA"
scopes = ["math"]
"#;

/// Writes its word into a file, a line for each time that it runs.
const TOOL: &str = r#"
[[tool]]
name = "note"
about = "Writes a word down"
scope = "note:write"
effect = "write"
confirm = "page"
run = ["/bin/sh", "SCRIPT", "{word}"]
dry_run = ["/usr/bin/printf", "would write %s", "{word}"]
args.word = { type = "string" }
"#;

const PASSWORD: &str = "correct horse";
const STATELESS: [&str; 3] = ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: note"];

struct Bench {
    board: Board,
    _folder: Folder,
    written: PathBuf,
}

impl Bench {
    fn new() -> Bench {
        Bench::with("")
    }

    fn with(more: &str) -> Bench {
        let folder = Folder::new();
        let (script, written) = (folder.path().join("note"), folder.path().join("written"));
        fs::write(&script, format!("echo \"$1\" >> {}\n", written.display())).unwrap();
        let hash = perchd::oauth::Phc::make(PASSWORD, 0, *b"sixteen bytes...").to_text();
        let toml = format!("{more}{USERS}{TOOL}").replace("ANNA", &hash).replace("SCRIPT", &script.display().to_string());
        Bench { board: Board::configured(&toml), _folder: folder, written }
    }

    /// What has run.
    fn ran(&self) -> Vec<String> {
        fs::read_to_string(&self.written).unwrap_or_default().lines().map(str::to_owned).collect()
    }

    /// A client that anna has let in.
    fn client(&self) -> Tokens {
        let client = Client::register(self.board.port);
        let mut browser = Browser::new(self.board.port);
        let page = Form::all(&browser.open(&client.address())).remove(0);
        let consent = Form::read(&sign_in(&mut browser, &page, "anna"));
        let code = Redirect::read(&browser.approve(&consent, &["note:write", "math"])).one("code");
        Tokens::read(&client.exchange(&code))
    }

    fn call(&self, tokens: &Tokens, arguments: &Value) -> Value {
        let params = json!({"name": "note", "arguments": arguments});
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params});
        tokens.rpc(self.board.port, &message.to_string()).json()["result"].clone()
    }

    /// The same from a client that can send its user to a page, in the dialect without sessions.
    fn send(&self, tokens: &Tokens, arguments: &Value, more: &Value) -> Reply {
        let mut wire = Wire::open(self.board.port);
        wire.send(&self.stateless(tokens, arguments, more)).unwrap();
        wire.reply().unwrap()
    }

    fn stateless(&self, tokens: &Tokens, arguments: &Value, more: &Value) -> Vec<u8> {
        let meta = json!({
            "io.modelcontextprotocol/protocolVersion": "2026-07-28",
            "io.modelcontextprotocol/clientInfo": {"name": "a client <b>", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": {"elicitation": {"url": {}}},
        });
        let mut params = json!({"name": "note", "arguments": arguments, "_meta": meta});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
        let (content, accept) = ("content-type: application/json", "accept: application/json, text/event-stream");
        let bearer = bearer(&tokens.access);
        let headers = [&STATELESS[..], &[content, accept, &bearer]].concat();
        request(self.board.port, "POST /mcp", &headers, &message)
    }
}

fn sign_in(browser: &mut Browser, page: &Form, name: &str) -> Reply {
    browser.submit(page, &[("email", name), ("password", PASSWORD), ("action", "sign_in")])
}

/// Signs in to the page of approvals.
fn enter(board: &Board, name: &str) -> Browser {
    let mut browser = Browser::new(board.port);
    let page = Form::all(&browser.open("/approvals")).remove(0);
    let entered = sign_in(&mut browser, &page, name);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/approvals")), "{entered:?}");
    let cookie = entered.header("set-cookie").unwrap();
    assert!(cookie.starts_with("perchd-approver=") && cookie.contains("; HttpOnly; SameSite=Lax; "), "{cookie}");
    browser
}

/// The plans that the page shows, each with its form; the last form is the one to sign out.
fn plans(browser: &mut Browser) -> (Reply, Vec<Form>) {
    let page = browser.open("/approvals");
    let mut forms = Form::all(&page);
    forms.pop();
    (page, forms)
}

fn decide(browser: &mut Browser, form: &Form, action: &str) -> String {
    let reply = browser.submit(form, &[("action", action)]);
    assert_eq!(reply.status, 303, "{reply:?}");
    reply.header("location").unwrap().to_owned()
}

fn refusal(result: &Value) -> String {
    assert_eq!(result["isError"], true, "{result}");
    result["content"][0]["text"].as_str().unwrap().to_owned()
}

#[test]
fn a_client_that_cannot_show_pages_is_told_where_to_approve_and_calls_again() {
    let bench = Bench::new();
    let tokens = bench.client();
    let told = refusal(&bench.call(&tokens, &json!({"word": "hello"})));
    assert!(
        told.contains("has not run yet") && told.contains(&format!("http://localhost:{}/approvals", bench.board.port)),
        "{told}"
    );
    assert!(told.contains("exactly the same arguments") && told.ends_with("arguments."), "{told}");
    assert_eq!(refusal(&bench.call(&tokens, &json!({"word": "hello"}))), told, "asking again is no approval");
    assert!(bench.ran().is_empty());
    let mut anna = enter(&bench.board, "anna");
    let (page, forms) = plans(&mut anna);
    assert_eq!(forms.len(), 1, "there is one plan for one wish: {}", page.body);
    assert!(page.body.contains("hello</code>") && page.body.contains("/bin/sh"), "{}", page.body);
    assert_eq!(decide(&mut anna, &forms[0], "approve"), "/approvals?approved");
    assert_eq!(decide(&mut anna, &forms[0], "approve"), "/approvals?late", "a form is good once");
    assert!(bench.ran().is_empty(), "it runs when it is called");
    // Neither other words nor another client run by this approval.
    assert!(refusal(&bench.call(&tokens, &json!({"word": "hello "}))).contains("has not run yet"));
    assert!(refusal(&bench.call(&bench.client(), &json!({"word": "hello"}))).contains("has not run yet"));
    let done = bench.call(&tokens, &json!({"word": "hello"}));
    assert_eq!((&done["isError"], bench.ran()), (&json!(false), vec!["hello".to_owned()]), "{done}");
    assert!(refusal(&bench.call(&tokens, &json!({"word": "hello"}))).contains("has not run yet"), "once is once");
    assert_eq!(bench.ran().len(), 1);
    let log = bench.board.told();
    for line in [
        r#"{"event":"plan_made","plan":"#,
        r#""way":"page","by":"anna","subject":"anna","tool":"note"}"#,
        r#"{"event":"plan_run","plan":"#,
        r#"{"event":"tool_called","subject":"anna","#,
        r#""tool":"note","arguments":{"dry_run":false,"word":"hello"},"effect":"writes","outcome":"ok""#,
    ] {
        assert!(log.contains(line), "{line}: {log}");
    }
    assert_eq!(log.matches(r#""event":"plan_run""#).count(), 1);
}

#[test]
fn a_no_is_told_and_is_not_asked_again() {
    let bench = Bench::new();
    let tokens = bench.client();
    bench.call(&tokens, &json!({"word": "no"}));
    let mut anna = enter(&bench.board, "anna");
    let (_, forms) = plans(&mut anna);
    assert_eq!(decide(&mut anna, &forms[0], "reject"), "/approvals?rejected");
    assert!(refusal(&bench.call(&tokens, &json!({"word": "no"}))).contains("rejected it"));
    let (page, forms) = plans(&mut anna);
    assert!(forms.is_empty() && page.header("refresh").is_some(), "{}", page.body);
    assert!(bench.ran().is_empty() && bench.board.told().contains(r#"{"event":"plan_rejected""#));
}

#[test]
fn looking_what_would_happen_needs_nobody() {
    let bench = Bench::new();
    let done = bench.call(&bench.client(), &json!({"word": "hello", "dry_run": true}));
    assert_eq!(done["content"][0]["text"], "would write hello", "{done}");
    assert!(plans(&mut enter(&bench.board, "anna")).1.is_empty() && bench.ran().is_empty());
}

/// All that a client has: its token, addresses, and any text that it likes.
#[test]
fn a_bearer_token_approves_nothing() {
    let bench = Bench::new();
    let tokens = bench.client();
    bench.call(&tokens, &json!({"word": "evil"}));
    let mut anna = enter(&bench.board, "anna");
    let (_, forms) = plans(&mut anna);
    let port = bench.board.port;
    let (origin, bearer) = (format!("origin: http://localhost:{port}"), bearer(&tokens.access));
    let page = ask(port, "GET /approvals", &["accept: text/html", &bearer], "");
    assert!(page.status == 200 && page.body.contains("name=\"password\"") && !page.body.contains("evil"), "{page:?}");
    let fields = [("transaction", forms[0].transaction()), ("action", "approve")];
    let cookies = anna.cookie.clone().unwrap();
    let browser = cookies.split("; ").find(|cookie| cookie.starts_with("perchd=")).unwrap();
    for cookie in [
        "theme=dark".to_owned(),
        browser.to_owned(),
        format!("{browser}; perchd-approver={}", tokens.access),
        format!("{browser}; perchd-approver={}", forms[0].transaction()),
    ] {
        let cookie = format!("cookie: {cookie}");
        let headers = [FORM, "sec-fetch-site: same-origin", &origin, &bearer, &cookie];
        let reply = ask(port, "POST /approvals", &headers, &encoded(&fields));
        assert_eq!((reply.status, reply.header("location")), (303, Some("/approvals")), "{cookie}: {reply:?}");
    }
    // A page elsewhere that has the person's browser send the form.
    let cookie = format!("cookie: {cookies}");
    for headers in
        [[FORM, "origin: https://evil.example", "sec-fetch-site: cross-site", &cookie], [FORM, "x: y", "x: z", &cookie]]
    {
        assert_eq!(ask(port, "POST /approvals", &headers, &encoded(&fields)).status, 403);
    }
    // And with the person's cookies, a form that was never made.
    for text in ["", "AAAA", tokens.access.as_str()] {
        let reply = anna.submit(&forms[0].with("transaction", text), &[("action", "approve")]);
        assert_eq!(reply.status, 400, "{reply:?}");
    }
    assert!(refusal(&bench.call(&tokens, &json!({"word": "evil"}))).contains("has not run yet"));
    assert!(bench.ran().is_empty());
    assert_eq!(decide(&mut anna, &forms[0], "approve"), "/approvals?approved", "while the person himself can");
}

#[test]
fn who_could_not_allow_it_does_not_see_it_and_who_left_is_gone() {
    let bench = Bench::new();
    bench.call(&bench.client(), &json!({"word": "x"}));
    let (mut ben, mut anna) = (enter(&bench.board, "ben"), enter(&bench.board, "anna"));
    let (page, forms) = plans(&mut ben);
    assert!(forms.is_empty() && !page.body.contains("<h2>"), "{}", page.body);
    let (_, forms) = plans(&mut anna);
    let reply = ben.submit(&forms[0], &[("action", "approve")]);
    assert_eq!(reply.status, 400, "her form is not his: {reply:?}");
    let left = anna.submit(&forms[0], &[("action", "leave")]);
    assert!(left.header("set-cookie").unwrap().starts_with("perchd-approver=; "), "{left:?}");
    assert!(anna.open("/approvals").body.contains("name=\"password\""));
}

#[test]
fn a_client_of_the_stateless_dialect_sends_its_user_to_the_page_and_waits_there() {
    let bench = Bench::new();
    let tokens = bench.client();
    let words = json!({"word": "later"});
    let asked = bench.send(&tokens, &words, &json!({})).json()["result"].clone();
    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["approval"];
    assert_eq!((&question["method"], &question["params"]["mode"]), (&json!("elicitation/create"), &json!("url")), "{question}");
    assert_eq!(question["params"]["url"], format!("http://localhost:{}/approvals", bench.board.port));
    assert!(question["params"]["message"].as_str().unwrap().contains("later"), "{question}");
    let accepted = json!({"requestState": asked["requestState"], "inputResponses": {"approval": {"action": "accept"}}});
    // He is on his way: the call waits for him, and "accept" alone runs nothing.
    let mut wire = Wire::open(bench.board.port);
    wire.send(&bench.stateless(&tokens, &words, &accepted)).unwrap();
    let mut anna = enter(&bench.board, "anna");
    let (page, forms) = plans(&mut anna);
    assert!(page.body.contains("a client &lt;b&gt;") && bench.ran().is_empty(), "{}", page.body);
    assert_eq!(decide(&mut anna, &forms[0], "approve"), "/approvals?approved");
    let reply = wire.reply().unwrap();
    assert!(reply.status == 200 && reply.body.contains("complete"), "{reply:?}");
    assert_eq!(bench.ran(), ["later"]);
    // What was answered once is no approval for the next time.
    let mut wire = Wire::open(bench.board.port);
    wire.send(&bench.stateless(&tokens, &words, &accepted)).unwrap();
    let (_, forms) = plans(&mut anna);
    let forms = if forms.is_empty() { plans(&mut anna).1 } else { forms };
    assert_eq!(decide(&mut anna, &forms[0], "reject"), "/approvals?rejected");
    assert!(wire.reply().unwrap().body.contains("rejected it"));
    assert_eq!(bench.ran(), ["later"]);
}

#[test]
fn a_client_whose_user_says_no_gives_the_plan_up() {
    let bench = Bench::new();
    let tokens = bench.client();
    let words = json!({"word": "x"});
    for action in ["decline", "cancel"] {
        let asked = bench.send(&tokens, &words, &json!({})).json()["result"].clone();
        let answer = json!({"requestState": asked["requestState"], "inputResponses": {"approval": {"action": action}}});
        let reply = bench.send(&tokens, &words, &answer);
        assert!(reply.body.contains("did not want to approve"), "{reply:?}");
        assert!(plans(&mut enter(&bench.board, "anna")).1.is_empty());
    }
    assert!(bench.ran().is_empty());
}

#[test]
fn another_configuration_takes_every_plan_with_it() {
    let bench = Bench::new();
    let tokens = bench.client();
    bench.call(&tokens, &json!({"word": "x"}));
    let mut anna = enter(&bench.board, "anna");
    let (_, forms) = plans(&mut anna);
    decide(&mut anna, &forms[0], "approve");
    let toml = fs::read_to_string(bench.board.state().join("perchd.toml")).unwrap();
    bench.board.reconfigure(&toml);
    assert!(refusal(&bench.call(&tokens, &json!({"word": "x"}))).contains("has not run yet"));
    assert!(bench.ran().is_empty());
}

#[test]
fn a_tool_of_the_box_waits_for_a_person_too() {
    let bench = Bench::with("[tools]\nconfirm = { add = \"page\" }\n");
    let tokens = bench.client();
    let params = json!({"name": "add", "arguments": {"a": 2, "b": 3}});
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).to_string();
    let call = || tokens.rpc(bench.board.port, &message).json()["result"].clone();
    assert!(refusal(&call()).contains("It would run: add a=2"), "{}", call());
    let mut anna = enter(&bench.board, "anna");
    let (_, forms) = plans(&mut anna);
    decide(&mut anna, &forms[0], "approve");
    assert_eq!(call()["isError"], false);
}
