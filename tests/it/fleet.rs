//! Several boards with one key ring: what one of them gave out is good at those that go by the same audience, and at no other.

use crate::board::Board;
use crate::oauth::{HELLO, SCOPES};
use crate::oauth_abuse::{error, told};
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::wire::ask;
use std::fs;

fn board(audience: Option<&str>) -> Board {
    let audience = audience.map_or_else(String::new, |name| format!("audience = \"{name}\"\n"));
    Board::configured(&format!("[auth]\nmode = \"demo\"\n{audience}"))
}

/// Gives `board` the keys of `other`.
fn sharing(board: Board, other: &Board) -> Board {
    fs::copy(other.state().join("keys"), board.state().join("keys")).unwrap();
    board.power_cut()
}

/// The same client, asking another board.
fn at(client: &Client, board: &Board) -> Client {
    Client { port: board.port, id: client.id.clone(), redirect_uri: client.redirect_uri.clone() }
}

#[test]
fn boards_of_one_audience_accept_each_others_tokens() {
    let one = board(Some("home"));
    let two = sharing(board(Some("home")), &one);
    let client = Client::register(one.port);
    let tokens = client.sign_in("ada", SCOPES);
    assert!(tokens.is_good(one.port) && tokens.is_good(two.port));
    let session = format!("mcp-session-id: {}", tokens.rpc(one.port, HELLO).header("mcp-session-id").unwrap());
    let ping = r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#;
    assert_eq!(ask(two.port, "POST /mcp", &[JSON, &bearer(&tokens.access), &session], ping).status, 200);
    let next = Tokens::read(&at(&client, &two).refresh(&tokens.refresh));
    assert!(next.is_good(one.port) && next.is_good(two.port));
    assert!(at(&client, &two).sign_in("bob", SCOPES).is_good(one.port), "the registration is good at both");
    // A code is not: it could be spent at each of them once.
    let code = client.code("carol", SCOPES);
    assert_eq!(error(&at(&client, &two).exchange(&code)), told(400, "invalid_grant"));
    assert!(Tokens::read(&client.exchange(&code)).is_good(two.port));
}

#[test]
fn boards_of_different_audiences_refuse_each_others_tokens() {
    let one = board(Some("home"));
    // Another audience; and none, where each goes by its own address.
    for other in [Some("away"), None] {
        let two = sharing(board(other), &one);
        let client = Client::register(one.port);
        let tokens = client.sign_in("ada", SCOPES);
        assert!(tokens.is_good(one.port) && !tokens.is_good(two.port), "{other:?}");
        // It does not renew them either: what was revoked there is not known here.
        assert_eq!(error(&at(&client, &two).refresh(&tokens.refresh)), told(400, "invalid_grant"), "{other:?}");
        assert!(Tokens::read(&client.refresh(&tokens.refresh)).is_good(one.port));
        let theirs = at(&client, &two).sign_in("ada", SCOPES);
        assert!(theirs.is_good(two.port) && !theirs.is_good(one.port), "{other:?}");
    }
}

#[test]
fn boards_with_keys_of_their_own_refuse_everything_of_each_other() {
    let (one, two) = (board(Some("home")), board(Some("home")));
    let client = Client::register(one.port);
    let tokens = client.sign_in("ada", SCOPES);
    assert!(!tokens.is_good(two.port));
    assert_eq!(error(&at(&client, &two).refresh(&tokens.refresh)), told(401, "invalid_client"));
}

#[test]
fn a_board_that_goes_by_another_audience_costs_one_sign_in() {
    let board = board(Some("home"));
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    fs::write(board.state().join("perchd.toml"), "[auth]\nmode = \"demo\"\naudience = \"away\"\n").unwrap();
    let board = board.power_cut();
    assert!(!tokens.is_good(board.port));
    // Were it renewed, the client would get a token that is refused, again and again.
    assert_eq!(error(&client.refresh(&tokens.refresh)), told(400, "invalid_grant"));
    assert!(client.sign_in("ada", SCOPES).is_good(board.port));
}
