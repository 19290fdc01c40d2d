//! What can be seen of a server: that it lives, what it counts, how it is, and who uses it.

use crate::board::{Board, Folder};
use crate::commands::run_with;
use crate::sign_in::{Browser, Client, FORM, Form, Redirect, Tokens, bearer, encoded};
use crate::wire::{Reply, Wire, ask, request, rpc};
use std::time::{Duration, Instant};

const PASSWORD: &str = "correct horse";
const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":4242,"b":2}}}"#;

/// A board of anna, who may everything, and of ben, who may calculate.
fn board(more: &str) -> Board {
    let hash = perchd::oauth::Phc::make(PASSWORD, 0, *b"sixteen bytes...").to_text();
    let users = format!(
        "{more}[auth]\nmode = [\"users\"]\n[auth.users.anna]\npassword = \"{hash}\"\n[auth.users.ben]\npassword = \"{hash}\"\nscopes = [\"math\"]\n"
    );
    Board::configured(&users)
}

/// A client that somebody has let in.
fn client(board: &Board, name: &str) -> Tokens {
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open(&client.address()));
    let fields = [("email", name), ("password", PASSWORD), ("action", "sign_in")];
    let consent = Form::read(&browser.submit(&page, &fields));
    let code = Redirect::read(&browser.approve(&consent, &["math"])).one("code");
    Tokens::read(&client.exchange(&code))
}

/// Signs in to the owner's page.
fn enter(board: &Board, name: &str) -> Browser {
    let mut browser = Browser::new(board.port);
    let page = Form::read(&browser.open("/owner"));
    let entered = browser.submit(&page, &[("email", name), ("password", PASSWORD), ("action", "sign_in")]);
    assert_eq!((entered.status, entered.header("location")), (303, Some("/owner")), "{entered:?}");
    browser
}

/// The tags of the clients that can be revoked, and the form that does it.
fn clients(browser: &mut Browser) -> (Reply, Vec<String>, Option<Form>) {
    let page = browser.open("/owner");
    assert_eq!(page.status, 200, "{page:?}");
    let tags = page.body.split("name=\"client\" value=\"").skip(1);
    let tags = tags.map(|rest| rest.split('"').next().unwrap().to_owned()).collect();
    let mut forms = Form::all(&page);
    // The last one signs out.
    forms.pop();
    (page, tags, forms.pop())
}

fn metrics(board: &Board, token: &str) -> String {
    let reply = ask(board.port, "GET /metrics", &[&bearer(token)], "");
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    reply.body
}

fn has(metrics: &str, line: &str) {
    assert!(metrics.lines().any(|known| known == line), "{line}:\n{metrics}");
}

#[test]
fn health_is_told_to_everybody_until_the_server_stops() {
    let mut board = Board::start("demo");
    for host in ["localhost", "anything.example", ""] {
        let mut wire = Wire::open(board.port);
        wire.send(format!("GET /healthz HTTP/1.1\r\nhost: {host}\r\norigin: https://evil.example\r\n\r\n").as_bytes()).unwrap();
        let reply = wire.reply().unwrap();
        assert_eq!((reply.status, reply.body.as_str()), (200, "ok\n"), "{reply:?}");
        assert_eq!((reply.header("cache-control"), reply.header("access-control-allow-origin")), (Some("no-store"), None));
    }
    let mut wire = Wire::open(board.port);
    wire.send(&request(board.port, "HEAD /healthz", &[], "")).unwrap();
    assert_eq!(wire.head().unwrap().status, 200);
    assert_eq!(ask(board.port, "POST /healthz", &[], "").status, 405);
    // A connection that was there before gets a last answer.
    let mut kept = Wire::open(board.port);
    kept.send(&request(board.port, "GET /healthz", &[], "")).unwrap();
    assert_eq!(kept.reply().unwrap().status, 200);
    let mut stream = Wire::open(board.port);
    stream.send(&request(board.port, "GET /live", &[], "")).unwrap();
    assert_eq!(stream.head().unwrap().status, 200);
    stream.event().unwrap().unwrap();
    board.terminate();
    // The end of the stream says that it has begun to stop.
    while stream.event().unwrap().is_some() {}
    kept.send(&request(board.port, "GET /healthz", &[], "")).unwrap();
    let reply = kept.reply().unwrap();
    assert_eq!((reply.status, reply.body.as_str()), (503, "stopping\n"), "{reply:?}");
    assert_eq!(board.wait().0, Some(0));
}

#[test]
fn metrics_are_off_until_they_are_switched_on() {
    let board = Board::start("demo");
    assert_eq!(ask(board.port, "GET /metrics", &[], "").status, 404);
}

#[test]
fn metrics_want_a_token_with_their_scope_and_say_what_was_counted() {
    let board = board("[metrics]\nenabled = true\n");
    let bare = ask(board.port, "GET /metrics", &[], "");
    assert_eq!(bare.status, 401);
    assert!(bare.header("www-authenticate").unwrap().starts_with("Bearer resource_metadata="), "{bare:?}");
    let tokens = client(&board, "anna");
    let lacking = ask(board.port, "GET /metrics", &[&bearer(&tokens.access)], "");
    assert_eq!(lacking.status, 403, "{lacking:?}");
    let challenge = lacking.header("www-authenticate").unwrap();
    assert!(challenge.contains("insufficient_scope") && challenge.contains("scope=\"system:read\""), "{challenge}");
    let minted = run_with(board.state(), "token new --name prometheus --user anna --scope system:read --ttl 1h", "");
    let token = minted.stdout.lines().next().unwrap();
    assert_eq!(tokens.rpc(board.port, ADD).status, 200);
    assert_eq!(tokens.rpc(board.port, &ADD.replace("4242", "\"x\"")).status, 200);
    assert_eq!(ask(board.port, "POST /mcp", &[&bearer("forged")], "").status, 401);
    let text = metrics(&board, token);
    for line in [
        "perchd_tool_calls_total{tool=\"add\",outcome=\"ok\"} 1",
        "perchd_sign_ins_total{outcome=\"ok\"} 1",
        "perchd_tokens_issued_total 2",
        "perchd_tokens_refused_total{kind=\"bearer\"} 1",
        "perchd_streams{kind=\"mcp\"} 0",
    ] {
        has(&text, line);
    }
    // What strangers say is in no label.
    assert!(!text.contains("forged") && !text.contains("anna") && !text.contains("4242"), "{text}");
    let again = std::fs::read_to_string(board.state().join("perchd.toml")).unwrap();
    board.reconfigure(&again);
    has(&metrics(&board, token), "perchd_tool_calls_total{tool=\"add\",outcome=\"ok\"} 1");
}

#[test]
fn metrics_can_be_public() {
    let board = board("[metrics]\nenabled = true\npublic = true\n");
    let reply = ask(board.port, "GET /metrics", &[], "");
    assert!(reply.status == 200 && reply.body.contains("\nprocess_open_fds "), "{reply:?}");
    assert_eq!(ask(board.port, "POST /metrics", &[], "").status, 405);
}

#[test]
fn so_many_pages_watch_and_one_more_is_turned_away() {
    let board = Board::start("open");
    let open = || {
        let mut wire = Wire::open(board.port);
        wire.send(&request(board.port, "GET /live", &[], "")).unwrap();
        let head = wire.head().unwrap();
        (head.status, wire)
    };
    let mut held: Vec<_> = (0..perchd::limits::VIEWERS).map(|_| open()).collect();
    assert!(held.iter().all(|(status, _)| *status == 200));
    assert_eq!(open().0, 503);
    assert_eq!(rpc(board.port, ADD).status, 200);
    // It is told again by itself; what was called is in it, and with what is not.
    let (_, first) = &mut held[0];
    let told = std::iter::from_fn(|| first.event().unwrap()).take(8).find(|event| event.contains("<code>add</code>"));
    assert!(!told.unwrap().contains("4242"));
    drop(held);
    let begun = Instant::now();
    while open().0 != 200 {
        assert!(begun.elapsed() < Duration::from_secs(30), "the places of those who left are not free again");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_stranger_sees_no_calls_and_who_has_signed_in_sees_his() {
    let board = board("");
    assert_eq!(client(&board, "anna").rpc(board.port, ADD).status, 200);
    let home = |browser: &mut Browser| {
        let page = browser.open("/");
        assert!(page.header("content-security-policy").unwrap().contains("; script-src 'sha256-"), "{page:?}");
        let part = page.body.split("<div id=\"live\">").nth(1).unwrap().split("<section").next().unwrap().to_owned();
        assert!(part.contains("Running for"), "{part}");
        part
    };
    let stranger = home(&mut Browser::new(board.port));
    let ben = home(&mut enter(&board, "ben"));
    let anna = home(&mut enter(&board, "anna"));
    for hidden in ["add", "anna", env!("CARGO_PKG_VERSION")] {
        assert!(!stranger.contains(hidden), "{hidden}: {stranger}");
    }
    assert!(ben.contains("Last calls") && !ben.contains("<code>add</code>"), "{ben}");
    assert!(anna.contains("<code>add</code>") && !anna.contains("4242"), "{anna}");
}

#[test]
fn the_owner_sees_every_client_and_ends_one() {
    let board = board("");
    let (first, second) = (client(&board, "anna"), client(&board, "ben"));
    assert_eq!((first.rpc(board.port, ADD).status, second.rpc(board.port, ADD).status), (200, 200));
    let mut anna = enter(&board, "anna");
    let (page, tags, form) = clients(&mut anna);
    assert_eq!(tags.len(), 2, "{}", page.body);
    for part in ["<bdi>ben</bdi>", "<code>add</code>", "signed_in", "Nothing waits for your approval."] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    for secret in [first.access.as_str(), second.access.as_str(), first.refresh.as_str(), PASSWORD, "4242"] {
        assert!(!page.body.contains(secret), "{}", page.body);
    }
    // The last one that called stands first.
    let ended = anna.submit(&form.unwrap(), &[("client", &tags[0])]);
    assert_eq!((ended.status, ended.header("location")), (303, Some("/owner?revoked")), "{ended:?}");
    assert_eq!((first.is_good(board.port), second.is_good(board.port)), (true, false));
    let (page, tags, _) = clients(&mut anna);
    assert!(tags.len() == 1 && page.body.contains("Revoked: it has to ask again."), "{}", page.body);
    let board = board.power_cut();
    assert_eq!((first.is_good(board.port), second.is_good(board.port)), (true, false), "after a power cut as well");
    // The cookie of a person ends with the life of the server.
    assert!(anna.open("/owner").body.contains("name=\"password\""));
}

#[test]
fn who_may_not_everything_sees_and_ends_what_acts_for_him() {
    let board = board("");
    let (annas, bens) = (client(&board, "anna"), client(&board, "ben"));
    assert_eq!((annas.rpc(board.port, ADD).status, bens.rpc(board.port, ADD).status), (200, 200));
    let (_, of_all, _) = clients(&mut enter(&board, "anna"));
    let mut ben = enter(&board, "ben");
    let (page, tags, form) = clients(&mut ben);
    assert!(tags.len() == 1 && !page.body.contains("anna") && !page.body.contains("signed_in"), "{}", page.body);
    let form = form.unwrap();
    let foreign = of_all.iter().find(|tag| **tag != tags[0]).unwrap();
    assert_eq!(ben.submit(&form, &[("client", foreign)]).header("location"), Some("/owner?late"));
    assert!(annas.is_good(board.port));
    assert_eq!(ben.submit(&form, &[("client", &tags[0])]).header("location"), Some("/owner?revoked"));
    assert_eq!((annas.is_good(board.port), bens.is_good(board.port)), (true, false));
}

/// With a token, a cookie of another kind, from another page, or with a form that was not made there.
#[test]
fn nobody_else_sees_the_page_or_sends_its_forms() {
    let board = board("");
    let tokens = client(&board, "anna");
    assert_eq!(tokens.rpc(board.port, ADD).status, 200);
    let (port, bearer) = (board.port, bearer(&tokens.access));
    let page = ask(port, "GET /owner", &["accept: text/html", &bearer], "");
    assert!(page.status == 200 && page.body.contains("name=\"password\"") && !page.body.contains("<bdi>anna"), "{page:?}");
    let mut anna = enter(&board, "anna");
    let (_, tags, form) = clients(&mut anna);
    let form = form.unwrap();
    let origin = format!("origin: http://localhost:{port}");
    let fields = [("transaction", form.transaction()), ("action", "revoke"), ("client", &tags[0])];
    let forged = ask(port, "POST /owner", &[FORM, "sec-fetch-site: same-origin", &origin, &bearer], &encoded(&fields));
    assert_eq!((forged.status, forged.header("location")), (303, Some("/owner")), "he is asked to sign in: {forged:?}");
    for headers in [&["origin: https://evil.example", "sec-fetch-site: cross-site"][..], &[]] {
        assert_eq!(anna.submit_with(&form, &[("client", &tags[0])], headers).status, 403);
    }
    for text in ["", "AAAA", tokens.access.as_str()] {
        assert_eq!(anna.submit(&form.with("transaction", text), &[("client", &tags[0])]).status, 400);
    }
    assert_eq!(enter(&board, "ben").submit(&form, &[("client", &tags[0])]).status, 400, "her form is not his");
    assert!(tokens.is_good(port));
    let left = anna.submit(&form, &[("action", "leave")]);
    assert_eq!(left.status, 400, "one action at a time: {left:?}");
    assert_eq!(ask(port, "DELETE /owner", &[], "").status, 405);
    let demo = Board::start("demo");
    assert_eq!(ask(demo.port, "GET /owner", &[], "").status, 404, "where anybody can be anybody");
}

#[test]
fn the_warmest_thermometer_is_on_the_page_and_in_the_metrics() {
    let root = Folder::new();
    for (zone, millidegrees) in [("thermal_zone0", "41250\n"), ("thermal_zone1", "52900\n")] {
        let folder = root.path().join("sys/class/thermal").join(zone);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("type"), "soc\n").unwrap();
        std::fs::write(folder.join("temp"), millidegrees).unwrap();
    }
    let system = format!("[system]\nroot = {:?}\n[metrics]\nenabled = true\npublic = true\n", root.path());
    let board = Board::configured(&format!("{system}[auth]\nmode = \"demo\"\n"));
    let page = ask(board.port, "GET /", &["accept: text/html"], "");
    assert!(page.body.contains("<dt>Temperature</dt><dd>52.9 °C</dd>"), "{page:?}");
    let reply = ask(board.port, "GET /metrics", &[], "");
    has(&reply.body, "perchd_temperature_celsius 52.9");
}
