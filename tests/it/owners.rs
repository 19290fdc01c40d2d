//! Sign-in to a board that has an owner, over the wire: names and passwords, and who tries too often.

use crate::board::Board;
use crate::oauth::{HELLO, SCOPES};
use crate::sign_in::{Browser, Client, Form, Redirect, Tokens, bearer, encoded};
use crate::wire::{Reply, Wire, ask, request, rpc};
use std::time::{Duration, Instant};

/// Anna's password is `correct horse`, ben's `battery staple`; ben may allow `math`.
const USERS: &str = r#"
[auth]
mode = ["users", "pairing"]

[auth.users.anna]
password = "ANNA"

[auth.users.ben]
password = "BEN"
scopes = ["math"]
"#;

fn hash(password: &str) -> String {
    perchd::oauth::Phc::make(password, 0, *b"sixteen bytes...").to_text()
}

fn board() -> Board {
    Board::configured(&USERS.replace("ANNA", &hash("correct horse")).replace("BEN", &hash("battery staple")))
}

/// Opens a sign-in page: the form for a password, and the one for a code.
fn open(browser: &mut Browser, client: &Client) -> [Form; 2] {
    Form::all(&browser.open(&client.address())).try_into().unwrap()
}

fn sign_in(browser: &mut Browser, form: &Form, name: &str, password: &str) -> Reply {
    browser.submit(form, &[("email", name), ("password", password), ("action", "sign_in")])
}

/// The page without what is different on every page.
fn without_transaction(reply: &Reply, form: &Form) -> String {
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.body.replace(form.transaction(), "")
}

#[test]
fn a_wrong_password_and_an_unknown_user_get_the_same_answer_in_the_same_time() {
    let board = board();
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let [form, _] = open(&mut browser, &client);
    let timed = |browser: &mut Browser, name: &str| {
        let began = Instant::now();
        let reply = sign_in(browser, &form, name, "wrong");
        // What he typed himself comes back to him, once.
        let (body, typed) = (without_transaction(&reply, &form), format!(" value=\"{name}\""));
        assert_eq!(body.matches(&typed).count(), 1, "{body}");
        (body.replace(&typed, ""), reply.headers, began.elapsed())
    };
    let (wrong, wrong_headers, wrong_time) = timed(&mut browser, "anna");
    let (unknown, unknown_headers, unknown_time) = timed(&mut browser, "hugo");
    assert!(wrong.contains("The name or the password is wrong."), "{wrong}");
    assert_eq!(wrong, unknown);
    let undated = |headers: Vec<(String, String)>| headers.into_iter().filter(|(name, _)| name != "date").collect::<Vec<_>>();
    assert_eq!(undated(wrong_headers), undated(unknown_headers));
    let (short, long) = (wrong_time.min(unknown_time), wrong_time.max(unknown_time));
    assert!(short > Duration::from_millis(5) && long < short * 5, "{short:?} and {long:?}");
    for name in ["", " ", "Anna", "anna:ben"] {
        let again = sign_in(&mut browser, &form, name, "correct horse");
        assert!(again.status == 200 && again.body.contains("role=\"alert\""), "{name:?}: {again:?}");
    }
    let told = board.told();
    assert!(told.contains("wrong name or password") && !told.contains("hugo") && !told.contains("signed_in"), "{told}");
}

#[test]
fn a_user_signs_in_and_what_he_may_allow_is_all_that_comes_of_it() {
    let board = board();
    let client = Client::register(board.port);
    for (name, password, scopes) in [("anna", "correct horse", SCOPES), ("ben", "battery staple", &["math"])] {
        let mut browser = Browser::new(board.port);
        let [form, _] = open(&mut browser, &client);
        let consent = Form::read(&sign_in(&mut browser, &form, name, password));
        assert_eq!(consent.boxes.iter().map(|(_, value, _)| value.as_str()).collect::<Vec<_>>(), scopes);
        let code = Redirect::read(&browser.approve(&consent, SCOPES)).one("code");
        let tokens = Tokens::read(&client.exchange(&code));
        assert_eq!(tokens.scope, scopes.join(" "));
        let next = Tokens::read(&client.post(
            "/token",
            &[
                ("grant_type", "refresh_token"),
                ("client_id", &client.id),
                ("refresh_token", &tokens.refresh),
                ("scope", &SCOPES.join(" ")),
            ],
        ));
        assert_eq!(next.scope, scopes.join(" "));
        assert!(next.is_good(board.port));
    }
    let told = board.told();
    assert!(told.contains(r#""event":"signed_in","subject":"anna""#) && told.contains(r#""way":"password""#), "{told}");
    assert!(!told.contains("correct horse"), "{told}");
}

#[test]
fn who_is_taken_out_of_the_file_is_out_and_others_stay() {
    let board = board();
    let tokens = ["anna", "ben"].map(|name| {
        let client = Client::register(board.port);
        let mut browser = Browser::new(board.port);
        let [form, _] = open(&mut browser, &client);
        let password = if name == "anna" { "correct horse" } else { "battery staple" };
        let consent = Form::read(&sign_in(&mut browser, &form, name, password));
        let code = Redirect::read(&browser.approve(&consent, &["math"])).one("code");
        (Tokens::read(&client.exchange(&code)), client)
    });
    let mut streams = tokens.each_ref().map(|(tokens, _)| {
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "GET /sse", &[&bearer(&tokens.access)], "")).unwrap();
        assert_eq!(wire.head().unwrap().status, 200);
        assert!(wire.event().unwrap().unwrap().contains("endpoint"));
        wire
    });
    let only_anna = USERS.split("[auth.users.ben]").next().unwrap().replace("ANNA", &hash("correct horse"));
    board.reconfigure(&only_anna);
    let [annas, bens] = &mut streams;
    assert_eq!(bens.event().unwrap(), None, "his stream ends");
    let [(anna, _), (ben, client)] = &tokens;
    assert!(anna.is_good(board.port) && !ben.is_good(board.port));
    assert_eq!(client.refresh(&ben.refresh).status, 400);
    assert!(annas.event().unwrap().is_some(), "hers goes on, and hears that the lists may have changed");
}

#[test]
fn after_a_no_the_same_form_cannot_be_approved() {
    let board = board();
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let [form, code] = open(&mut browser, &client);
    let consent = Form::read(&sign_in(&mut browser, &form, "anna", "correct horse"));
    let no = Redirect::read(&browser.submit(&consent, &[("action", "reject")]));
    assert_eq!(no.one("error"), "access_denied");
    assert_eq!(browser.approve(&consent, SCOPES).status, 400);
    assert_eq!(sign_in(&mut browser, &form, "anna", "correct horse").status, 400);
    assert_eq!(browser.submit(&code, &[("code", "ABCD-2345"), ("action", "pair")]).status, 400);
    let [form, _] = open(&mut browser, &client);
    Redirect::read(&browser.submit(&form, &[("action", "reject")])).one("state");
    assert_eq!(sign_in(&mut browser, &form, "anna", "correct horse").status, 400);
}

#[test]
fn who_guesses_is_told_to_wait_as_a_person_and_as_a_program() {
    let board = board();
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let [form, code] = open(&mut browser, &client);
    for (form, fields) in [
        (&form, &[("email", "anna"), ("password", "wrong"), ("action", "sign_in")][..]),
        (&code, &[("code", "ABCD-2345"), ("action", "pair")]),
    ] {
        let replies: Vec<Reply> = (0..=perchd::limits::PASSWORD_TRIES.0).map(|_| browser.submit(form, fields)).collect();
        let (last, tries) = replies.split_last().unwrap();
        assert!(tries.iter().all(|reply| reply.status == 200));
        let secs: u64 = last.header("retry-after").unwrap().parse().unwrap();
        assert_eq!((last.status, (1..=perchd::limits::PASSWORD_TRIES.1).contains(&secs)), (429, true), "{last:?}");
        assert!(
            last.body.contains("role=\"alert\">There were too many attempts.")
                && last.body.contains(&format!("Wait {secs} seconds"))
        );
    }
    let hidden = [("transaction", form.transaction()), ("email", "anna"), ("password", "x")];
    let cookie = format!("cookie: {}", browser.cookie.clone().unwrap());
    let headers = [crate::sign_in::FORM, "sec-fetch-site: same-origin", &cookie];
    let reply = ask(board.port, "POST /authorize", &headers, &encoded(&hidden));
    assert_eq!((reply.status, reply.header("retry-after").is_some()), (429, true), "{reply:?}");
    assert_eq!(reply.json()["error"], "temporarily_unavailable");
}

#[test]
fn others_are_served_while_a_password_is_hashed() {
    let slow = perchd::oauth::Phc::make("x", 3_000_000, *b"sixteen bytes...").to_text();
    let board = Board::configured(&format!("[auth.users.anna]\npassword = \"{slow}\"\n"));
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let form = Form::read(&browser.open(&client.address()));
    let tried = std::thread::spawn(move || sign_in(&mut browser, &form, "anna", "wrong").status);
    for _ in 0..20 {
        assert_eq!(rpc(board.port, HELLO).status, 401);
    }
    assert!(!tried.is_finished(), "twenty answers, and none waited for the hash");
    assert_eq!(tried.join().unwrap(), 200);
}
