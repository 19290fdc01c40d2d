//! A new password signs its user out: whoever knew the old one is to be out.

use crate::board::{Board, Folder};
use crate::commands::{Told, run_with};
use crate::oauth::{SCOPES, sse};
use crate::sign_in::{Client, Tokens};
use std::fs;

const OLD: &str = "correct horse";
const NEW: &str = "battery staple";

fn hash(password: &str, salt: [u8; 16]) -> String {
    perchd::oauth::Phc::make(password, 0, salt).to_text()
}

/// Anna and ben, who both have the password of the tests' browser, unless anna has got another one.
fn users(annas: &str) -> String {
    let user = |name: &str, hash: &str| format!("[auth.users.{name}]\npassword = \"{hash}\"\n");
    user("anna", &hash(annas, *b"of anna.........")) + &user("ben", &hash(OLD, *b"of ben.........."))
}

fn passwd(board: &Board, words: &str) -> Told {
    let told = run_with(board.state(), &format!("passwd {words} --stdin"), NEW);
    assert!(told.stdout.starts_with("[auth.users.") && told.stdout.contains("\npassword = \"$pbkdf2-sha256$"), "{told:?}");
    told
}

fn both(board: &Board, client: &Client) -> (Tokens, Tokens) {
    let tokens = (client.sign_in("anna", SCOPES), client.sign_in("ben", SCOPES));
    assert_eq!(alive(board, &tokens), [true, true]);
    tokens
}

fn alive(board: &Board, (anna, ben): &(Tokens, Tokens)) -> [bool; 2] {
    [anna, ben].map(|tokens| tokens.is_good(board.port))
}

#[test]
fn a_new_password_ends_the_tokens_of_its_user_and_of_nobody_else() {
    let mut board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    for is_running in [true, false] {
        let tokens = both(&board, &client);
        let (mut stream, _) = sse(&board, &tokens.0);
        if !is_running {
            board.terminate();
            board.wait();
        }
        let told = passwd(&board, "anna");
        assert!(told.code == 0 && told.stderr.contains("Every token of `anna` is dead"), "{told:?}");
        if is_running {
            while stream.event().unwrap().is_some() {}
        } else {
            board = board.power_cut();
        }
        assert_eq!(alive(&board, &tokens), [false, true]);
        assert_eq!(client.refresh(&tokens.0.refresh).status, 400);
        board = board.power_cut();
        assert_eq!(alive(&board, &tokens), [false, true], "after a power cut");
    }
    let told = board.told();
    assert!(!told.contains(OLD) && !told.contains(NEW), "{told}");
}

#[test]
fn what_the_old_password_brings_until_the_new_one_is_read_ends_then() {
    let board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    passwd(&board, "anna");
    let tokens = both(&board, &client);
    board.reconfigure(&users(NEW));
    assert_eq!(alive(&board, &tokens), [false, true]);
    assert_eq!(client.refresh(&tokens.0.refresh).status, 400);
    let board = board.power_cut();
    assert_eq!(alive(&board, &tokens), [false, true], "it is written down");
    let told = board.told();
    assert!(!told.contains("pbkdf2"), "{told}");
}

#[test]
fn one_that_is_put_into_the_file_by_hand_ends_them_when_it_is_read() {
    let board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    let tokens = both(&board, &client);
    board.reconfigure(&format!("name = \"Other\"\n{}", users(OLD)));
    assert_eq!(alive(&board, &tokens), [true, true], "nobody has another password");
    board.reconfigure(&users(NEW));
    assert_eq!(alive(&board, &tokens), [false, true]);
    let told = board.told();
    assert!(told.contains(r#""event":"user_revoked","subject":"anna""#), "{told}");
}

#[test]
fn who_is_to_stay_signed_in_stays_so_for_this_one_change() {
    let board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    let tokens = both(&board, &client);
    let told = passwd(&board, "anna --keep-tokens");
    assert!(told.code == 0 && !told.stderr.contains("dead"), "{told:?}");
    board.reconfigure(&users(NEW));
    assert_eq!(alive(&board, &tokens), [true, true]);
    board.reconfigure(&users(OLD));
    assert_eq!(alive(&board, &tokens), [false, true], "the next one ends them");
    // Whoever thinks better of it is heard.
    let tokens = both(&board, &client);
    passwd(&board, "anna --keep-tokens");
    passwd(&board, "anna");
    assert_eq!(alive(&board, &tokens), [false, true]);
    let tokens = both(&board, &client);
    board.reconfigure(&users(NEW));
    assert_eq!(alive(&board, &tokens), [false, true]);
}

#[test]
fn who_was_taken_out_of_the_file_and_comes_back_signs_in_anew() {
    let board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    let tokens = both(&board, &client);
    let file = users(OLD);
    let only_ben = &file[file.find("[auth.users.ben]").unwrap()..];
    board.reconfigure(only_ben);
    assert_eq!(alive(&board, &tokens), [false, true]);
    board.reconfigure(&file);
    assert_eq!(alive(&board, &tokens), [false, true], "nor with the same password");
    assert_eq!(client.refresh(&tokens.0.refresh).status, 400);
    assert!(client.sign_in("anna", SCOPES).is_good(board.port));
}

#[test]
fn nothing_is_ended_for_somebody_who_is_not_there_yet() {
    let board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    let tokens = both(&board, &client);
    let told = passwd(&board, "carol");
    assert!(told.code == 0 && !told.stderr.contains("dead"), "{told:?}");
    assert_eq!(alive(&board, &tokens), [true, true]);
    assert!(!board.state().join("revoked").exists(), "there are few places for what was revoked");
    // The first user of all: until there is one, the mode is wrong.
    let folder = Folder::new();
    fs::write(folder.path().join("perchd.toml"), "[auth]\nmode = \"users\"\n").unwrap();
    let told = run_with(folder.path(), "passwd anna --stdin", NEW);
    assert!(told.code == 0 && told.stdout.starts_with("[auth.users.anna]"), "{told:?}");
    // One who is there, on a board that never ran.
    fs::write(folder.path().join("perchd.toml"), users(OLD)).unwrap();
    let told = run_with(folder.path(), "passwd anna --stdin", NEW);
    assert!(told.code == 0 && told.stdout.starts_with("[auth.users.anna]"), "{told:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing was made");
}

#[test]
fn where_tokens_cannot_be_ended_the_lines_are_there_and_that_is_said() {
    let mut board = Board::configured(&users(OLD));
    let client = Client::register(board.port);
    let tokens = both(&board, &client);
    board.terminate();
    board.wait();
    let file = board.state().join("perchd.toml");
    for (bad, line) in [("listen = \"nowhere\"\n", 1), ("\n[[[\n", 2)] {
        fs::write(&file, format!("{bad}{}", users(OLD))).unwrap();
        let told = passwd(&board, "anna");
        assert_eq!(told.code, 78, "{told:?}");
        for part in ["were not ended", "perchd revoke --user anna", &format!("perchd.toml:{line}: ")] {
            assert!(told.stderr.contains(part), "{part}: {told:?}");
        }
    }
    fs::write(&file, users(OLD)).unwrap();
    let board = board.power_cut();
    assert_eq!(alive(&board, &tokens), [true, true]);
}
