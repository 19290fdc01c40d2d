//! The audit: whatever is worth remembering is a line, and no log level hides it.

use crate::board::Board;
use crate::commands::run_with;
use crate::oauth::SCOPES;
use crate::sign_in::{Browser, Client, Form, JSON, Tokens, bearer};
use crate::wire::ask;
use serde_json::Value;
use std::collections::BTreeMap;

const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":1,"b":2}}}"#;

/// A board with anna on it, who has the password of the tests' browser, in this environment.
fn board(environment: &[&str]) -> Board {
    let hash = perchd::oauth::Phc::make("correct horse", 0, *b"sixteen bytes...").to_text();
    let users = format!("[auth]\nmode = [\"users\", \"pairing\"]\n[auth.users.anna]\npassword = \"{hash}\"\n");
    let under = ["env"].iter().chain(environment).map(|word| (*word).to_owned()).collect();
    Board::under(under, &users)
}

/// One of everything that can happen, and how often that makes which event.
fn everything(board: &Board) -> BTreeMap<&'static str, usize> {
    let client = Client::register(board.port);
    assert_eq!(ask(board.port, "POST /register", &[JSON], "{}").status, 400);
    assert_eq!(ask(board.port, "GET /authorize?client_id=x", &[], "").status, 400);
    assert_eq!(ask(board.port, "POST /mcp", &[JSON, &bearer("x")], ADD).status, 401);
    assert_eq!(client.refresh("x").status, 400);
    let mut browser = Browser::new(board.port);
    let page = Form::all(&browser.open(&client.address())).remove(0);
    let wrong = browser.submit(&page, &[("email", "anna"), ("password", "wrong"), ("action", "sign_in")]);
    assert_eq!(wrong.status, 200, "{wrong:?}");
    assert_eq!(browser.submit(&page, &[("action", "reject")]).status, 303);
    let consent = || {
        let mut browser = Browser::new(board.port);
        let page = Form::all(&browser.open(&client.address())).remove(0);
        let fields = [("email", "anna"), ("password", "correct horse"), ("action", "sign_in")];
        let consent = Form::read(&browser.submit(&page, &fields));
        (browser, consent)
    };
    let (mut browser, asked) = consent();
    assert_eq!(browser.submit(&asked, &[("action", "reject")]).status, 303);
    let sign_in = || {
        let (mut browser, asked) = consent();
        let approved = browser.approve(&asked, SCOPES);
        Tokens::read(&client.exchange(&crate::sign_in::Redirect::read(&approved).one("code")))
    };
    let first = sign_in();
    assert_eq!(first.rpc(board.port, ADD).status, 200);
    let second = sign_in();
    let third = Tokens::read(&client.refresh(&second.refresh));
    Tokens::read(&client.refresh(&third.refresh));
    assert_eq!(client.refresh(&second.refresh).status, 400, "it was used before");
    let fourth = sign_in();
    assert_eq!(client.revoke(&fourth.refresh).status, 200);
    for words in [
        "pair --user guest",
        "token new --scope math --ttl 1h --name meter",
        "keys rotate",
        "revoke --user anna",
        "revoke --name meter",
        "revoke --all",
    ] {
        let told = run_with(board.state(), words, "");
        assert_eq!(told.code, 0, "{words}: {told:?}");
    }
    BTreeMap::from([
        ("registered", 1),
        ("registration_refused", 1),
        ("authorization_refused", 1),
        ("bearer_refused", 1),
        // Of which one is a person who says no on the page that asks for the password.
        ("sign_in_refused", 2),
        ("rejected", 1),
        ("signed_in", 4),
        ("approved", 3),
        ("superseded", 1),
        ("token_issued", 5),
        ("token_refused", 2),
        ("reuse_detected", 1),
        ("tool_called", 1),
        ("revoked", 1),
        ("pairing_offered", 1),
        ("token_minted", 1),
        ("keys_replaced", 1),
        ("user_revoked", 1),
        ("client_revoked", 1),
        ("all_revoked", 1),
    ])
}

fn counted(lines: &[Value]) -> BTreeMap<String, usize> {
    lines.iter().fold(BTreeMap::new(), |mut counted, line| {
        *counted.entry(line["event"].as_str().unwrap().to_owned()).or_default() += 1;
        counted
    })
}

#[test]
fn each_event_is_one_line_that_no_level_hides() {
    for level in ["PERCHD_LOG=off", "PERCHD_LOG=error", "PERCHD_LOG=perchd=off"] {
        let board = board(&[level]);
        let wanted = everything(&board);
        let told = board.told();
        // At these levels there is nothing else.
        let lines: Vec<Value> =
            told.lines().map(|line| serde_json::from_str(line.strip_prefix("audit: ").unwrap()).unwrap()).collect();
        let wanted: BTreeMap<String, usize> = wanted.into_iter().map(|(event, count)| (event.to_owned(), count)).collect();
        assert_eq!(counted(&lines), wanted, "{level}: {told}");
        let of = |event: &str| lines.iter().find(|line| line["event"] == event).unwrap();
        for (event, members) in [
            ("signed_in", &[("subject", "anna"), ("way", "password")][..]),
            ("token_issued", &[("subject", "anna"), ("grant_type", "authorization_code")]),
            ("tool_called", &[("subject", "anna"), ("tool", "add")]),
            ("user_revoked", &[("subject", "anna")]),
            ("token_minted", &[("name", "meter"), ("scopes", "math")]),
            ("sign_in_refused", &[("reason", "wrong name or password")]),
        ] {
            for (member, value) in members {
                assert_eq!(of(event)[member], *value, "{}", of(event));
            }
        }
        assert_eq!(of("signed_in")["client"], of("tool_called")["client"]);
    }
}

#[test]
fn where_the_journal_reads_each_line_begins_with_its_priority() {
    let board = board(&["JOURNAL_STREAM=8:1", "PERCHD_LOG=info"]);
    everything(&board);
    let told = board.told();
    let audit = told.lines().filter(|line| line.starts_with("<5>audit: {"));
    assert!(audit.count() > 20 && !told.lines().any(|line| line.starts_with("audit")), "{told}");
    // Notice for what happened, info and worse for what the server says of itself.
    assert!(
        told.lines()
            .all(|line| ["<3>error: ", "<4>warn: ", "<5>audit: {", "<6>info: "].iter().any(|begin| line.starts_with(begin)))
    );
    assert!(told.contains("<6>info: made a key ring"), "{told}");
}
