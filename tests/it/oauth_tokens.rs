//! The life of tokens over the wire: power cuts, rotation, reuse, revocation.

use crate::board::Board;
use crate::oauth::{HELLO, LIST, SCOPES, sse};
use crate::sign_in::{Browser, Client, JSON, Tokens, bearer};
use crate::wire::{Reply, ask};
use std::collections::BTreeMap;
use std::time::SystemTime;

fn is_invalid_grant(reply: &Reply) {
    assert_eq!((reply.status, reply.header("cache-control")), (400, Some("no-store")));
    assert_eq!(reply.json()["error"], "invalid_grant");
}

#[test]
fn tokens_outlive_a_power_cut_and_codes_do_not() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let code = client.code("bob", SCOPES);
    let session = tokens.rpc(board.port, HELLO).header("mcp-session-id").unwrap().to_owned();
    let board = board.power_cut();
    is_invalid_grant(&client.exchange(&code));
    let headers = [JSON, &bearer(&tokens.access), &format!("mcp-session-id: {session}")];
    assert_eq!(ask(board.port, "POST /mcp", &headers, LIST).status, 200);
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    assert!(next.is_good(board.port));
    assert!(client.sign_in("bob", SCOPES).is_good(board.port), "the registration is still good");
}

#[test]
fn a_page_of_an_earlier_life_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let consent = browser.consent(&client.address(), "ada");
    let _board = board.power_cut();
    let reply = browser.approve(&consent, SCOPES);
    assert_eq!((reply.status, reply.header("location")), (400, None));
}

#[test]
fn refreshing_rotates_and_keeps_what_was_allowed() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let first = client.sign_in("ada", &["math"]);
    let second = Tokens::read(&client.refresh(&first.refresh));
    assert_ne!(second.refresh, first.refresh);
    assert_eq!(second.scope, "math");
    assert!(first.is_good(board.port) && second.is_good(board.port));
    is_invalid_grant(&Client::register(board.port).refresh(&second.refresh));
    is_invalid_grant(&client.refresh(&second.access));
    is_invalid_grant(&client.exchange(&second.refresh));
}

#[test]
fn a_predecessor_gets_the_same_successor_again() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let first = client.sign_in("ada", SCOPES);
    let (one, two) = (Tokens::read(&client.refresh(&first.refresh)), Tokens::read(&client.refresh(&first.refresh)));
    assert_eq!(one.refresh, two.refresh);
    assert!(one.is_good(board.port) && two.is_good(board.port));
}

#[test]
fn two_that_refresh_at_once_get_the_same_successor() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let first = client.sign_in("ada", SCOPES);
    let refreshed = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|_| scope.spawn(|| Tokens::read(&client.refresh(&first.refresh)))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(refreshed.iter().all(|tokens| tokens.refresh == refreshed[0].refresh && tokens.is_good(board.port)));
    assert!(Tokens::read(&client.refresh(&refreshed[0].refresh)).is_good(board.port));
}

#[test]
fn a_token_two_generations_old_ends_the_family() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let first = client.sign_in("ada", SCOPES);
    let second = Tokens::read(&client.refresh(&first.refresh));
    let third = Tokens::read(&client.refresh(&second.refresh));
    let other = client.sign_in("bob", SCOPES);
    is_invalid_grant(&client.refresh(&first.refresh));
    is_invalid_grant(&client.refresh(&third.refresh));
    assert!([&first, &second, &third].iter().all(|tokens| !tokens.is_good(board.port)));
    assert!(other.is_good(board.port), "other people are not concerned");
}

#[test]
fn a_code_is_good_once_and_used_again_it_ends_what_came_of_it() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    let tokens = Tokens::read(&client.exchange(&code));
    // Who has a broken code, another client or another verifier ends nothing.
    is_invalid_grant(&client.exchange(&code[..code.len() - 1]));
    is_invalid_grant(&Client::register(board.port).exchange(&code));
    let mut fields = client.exchanges(&code);
    fields.last_mut().unwrap().1 = "x".repeat(43);
    is_invalid_grant(&client.post("/token", &fields));
    assert!(tokens.is_good(board.port));
    is_invalid_grant(&client.exchange(&code));
    assert!(!tokens.is_good(board.port));
    is_invalid_grant(&client.refresh(&tokens.refresh));
}

#[test]
fn a_wrong_verifier_spends_no_code() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    for (verifier, error) in
        [43, 42, 129, 0].map(|length| ("x".repeat(length), if length == 0 { "invalid_request" } else { "invalid_grant" }))
    {
        let mut fields = client.exchanges(&code);
        fields.last_mut().unwrap().1 = verifier;
        let reply = client.post("/token", &fields);
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some(error)));
    }
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port));
}

#[test]
fn a_redirect_uri_that_is_not_that_of_the_code_is_refused() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let code = client.code("ada", SCOPES);
    for (uri, error) in [
        ("http://localhost:3335/oauth/callback", "invalid_grant"),
        ("http://127.0.0.1:3334/oauth/callback", "invalid_grant"),
        ("", "invalid_request"),
    ] {
        let mut fields = client.exchanges(&code);
        fields.iter_mut().filter(|(name, _)| *name == "redirect_uri").for_each(|(_, value)| *value = uri.to_owned());
        let reply = client.post("/token", &fields);
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some(error)), "{uri}");
    }
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port));
}

#[test]
fn a_refresh_gets_no_more_than_was_allowed() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", &["math"]);
    for (name, value, error) in [
        ("scope", "system:read", "invalid_scope"),
        ("resource", "https://evil.example/mcp", "invalid_target"),
        ("resource", "http://localhost:1/mcp", "invalid_target"),
    ] {
        let fields =
            [("grant_type", "refresh_token"), ("client_id", &client.id), ("refresh_token", &tokens.refresh), (name, value)];
        let reply = client.post("/token", &fields);
        assert_eq!((reply.status, reply.json()["error"].as_str()), (400, Some(error)), "{value}");
    }
    let both = [
        ("grant_type", "refresh_token"),
        ("client_id", &client.id),
        ("refresh_token", &tokens.refresh),
        ("scope", "math system:read"),
    ];
    assert_eq!(Tokens::read(&client.post("/token", &both)).scope, "math");
}

#[test]
fn a_refresh_token_given_back_ends_its_grant_for_good() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let (tokens, other) = (client.sign_in("ada", SCOPES), client.sign_in("bob", SCOPES));
    for reply in [client.revoke("garbage"), Client::register(board.port).revoke(&tokens.refresh)] {
        assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    }
    assert!(tokens.is_good(board.port), "a stranger cannot revoke it");
    let reply = client.revoke(&tokens.refresh);
    assert_eq!((reply.status, reply.body.as_str()), (200, ""));
    assert!(!tokens.is_good(board.port));
    let board = board.power_cut();
    assert!(!tokens.is_good(board.port));
    is_invalid_grant(&client.refresh(&tokens.refresh));
    assert!(other.is_good(board.port));
}

#[test]
fn an_access_token_given_back_leaves_the_refresh_token() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    assert_eq!(client.revoke(&tokens.access).status, 200);
    assert!(!tokens.is_good(board.port));
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    assert!(next.is_good(board.port));
    let board = board.power_cut();
    assert!(!tokens.is_good(board.port) && next.is_good(board.port));
}

#[test]
fn an_open_stream_ends_when_its_grant_is_revoked() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let (ada, bob) = (client.sign_in("ada", SCOPES), client.sign_in("bob", SCOPES));
    let (mut stream, path) = sse(&board, &ada);
    let (_other, other_path) = sse(&board, &bob);
    client.revoke(&ada.refresh);
    assert_eq!(stream.event().unwrap(), None, "with its last chunk");
    let post = |tokens: &Tokens, path: &str| {
        let headers = [JSON, &bearer(&tokens.access)];
        ask(board.port, &format!("POST {path}"), &headers, HELLO).status
    };
    assert_eq!((post(&ada, &path), post(&bob, &other_path)), (401, 202));
}

#[test]
fn a_newer_sign_in_ends_the_older_at_once() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let older = client.sign_in("ada", SCOPES);
    let elsewhere = Client::register(board.port).sign_in("ada", SCOPES);
    let (mut stream, _) = sse(&board, &older);
    let newer = client.sign_in("ada", SCOPES);
    assert_eq!(stream.event().unwrap(), None, "and its stream, not only at the next keep-alive");
    assert!(!older.is_good(board.port) && newer.is_good(board.port) && elsewhere.is_good(board.port));
    is_invalid_grant(&client.refresh(&older.refresh));
}

/// The files of the state, their lengths and when they were written.
fn files(board: &Board) -> BTreeMap<String, (u64, SystemTime)> {
    let entries = std::fs::read_dir(board.state()).unwrap().map(Result::unwrap);
    let described = entries.map(|entry| {
        let meta = entry.metadata().unwrap();
        (entry.file_name().into_string().unwrap(), (meta.len(), meta.modified().unwrap()))
    });
    described.chain([(".".to_owned(), (0, std::fs::metadata(board.state()).unwrap().modified().unwrap()))]).collect()
}

#[test]
fn signing_in_and_refreshing_writes_nothing_to_disk() {
    let board = Board::start("demo");
    let before = files(&board);
    assert!(before.contains_key("keys"));
    for round in 0..3 {
        let client = Client::register(board.port);
        for email in ["ada", "ada", &format!("bob{round}")] {
            let tokens = client.sign_in(email, SCOPES);
            let next = Tokens::read(&client.refresh(&tokens.refresh));
            assert!(next.is_good(board.port));
        }
    }
    assert_eq!(files(&board), before);
    let client = Client::register(board.port);
    client.revoke(&client.sign_in("ada", SCOPES).refresh);
    assert!(files(&board).contains_key("revoked"), "only a revocation is written down");
}

#[test]
fn a_full_list_of_what_was_spent_refuses_and_forgets_nothing() {
    let board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    let mut browser = Browser::new(board.port);
    // That sign-in took two places, a consent takes one.
    let codes: Vec<_> = (2..perchd::limits::SPENT).map(|_| client.code("bob", SCOPES)).collect();
    let consent = browser.consent(&client.address(), "carol");
    let full = browser.approve(&consent, SCOPES);
    assert_eq!((full.status, full.header("retry-after"), full.header("location")), (503, Some("60"), None));
    let full = client.exchange(&codes[0]);
    assert_eq!((full.status, full.header("retry-after")), (503, Some("60")));
    assert_eq!(full.json()["error"], "temporarily_unavailable");
    assert!(Tokens::read(&client.refresh(&tokens.refresh)).is_good(board.port), "who is in is not concerned");
}

#[test]
fn a_full_list_of_what_was_revoked_ends_every_token() {
    let mut board = Board::start("demo");
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    for number in 0..=perchd::limits::DENIED {
        // A next life makes room for sign-ins, and keeps the list of revocations.
        if number % 100 == 99 {
            board = board.power_cut();
        }
        assert!(tokens.is_good(board.port), "{number}");
        assert_eq!(client.revoke(&client.sign_in(&format!("bob{number}"), SCOPES).refresh).status, 200);
    }
    for _ in 0..2 {
        assert!(!tokens.is_good(board.port));
        is_invalid_grant(&client.refresh(&tokens.refresh));
        board = board.power_cut();
    }
    assert!(client.sign_in("ada", SCOPES).is_good(board.port));
}
