//! A board without a clock of its own: it wakes in 1970, is set right, goes wrong. The clock is moved under the real program
//! by Debian's `faketime`, so that these tests run when they are asked for: `tests/run world`.

use crate::board::{Board, Folder, command};
use crate::oauth::{HELLO, SCOPES};
use crate::oauth_abuse::{error, told};
use crate::sign_in::{Browser, Client, Tokens};
use crate::wire::ask;
use perchd::limits;
use std::fmt::Write;
use std::fs;
use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

const DAY: i64 = 24 * 3600;
/// When most of this happens: a hundred days after the build.
const TODAY: i64 = limits::BUILD_UNIX_SECS.cast_signed() + 100 * DAY;

/// The clocks of a board.
struct Clock {
    folder: Folder,
    library: PathBuf,
    /// Whether time passes, or only the calendar is set.
    is_uptime_moved: bool,
    /// What else the board's configuration says.
    more: &'static str,
}

impl Clock {
    /// One that says `unix`, whatever the board's uptime does.
    fn calendar(unix: i64) -> Clock {
        let clock = Clock { folder: Folder::new(), library: library(), is_uptime_moved: false, more: "" };
        clock.set(unix);
        clock
    }

    /// Both clocks, which go on together.
    fn both(more: &'static str) -> Clock {
        let clock = Clock { folder: Folder::new(), library: library(), is_uptime_moved: true, more };
        clock.put(0);
        clock
    }

    fn set(&self, unix: i64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
        self.put(unix - i64::try_from(now).unwrap());
    }

    fn put(&self, offset: i64) {
        let next = self.folder.path().join("next");
        fs::write(&next, format!("{offset:+}\n")).unwrap();
        fs::rename(next, self.file()).unwrap();
    }

    fn file(&self) -> PathBuf {
        self.folder.path().join("offset")
    }

    fn board(&self) -> Board {
        let mut under = vec!["env".to_owned()];
        under.push(format!("LD_PRELOAD={}", self.library.display()));
        under.push(format!("FAKETIME_TIMESTAMP_FILE={}", self.file().display()));
        under.push("FAKETIME_NO_CACHE=1".to_owned());
        if !self.is_uptime_moved {
            under.push("FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned());
        }
        Board::under(under, &format!("[auth]\nmode = \"demo\"\n{}", self.more))
    }
}

fn library() -> PathBuf {
    let folders = fs::read_dir("/usr/lib").unwrap().map(|entry| entry.unwrap().path().join("faketime/libfaketime.so.1"));
    folders.into_iter().find(|path| path.exists()).expect("Debian's package libfaketime is needed")
}

/// A program as real clients are: it calls, refreshes when that is refused, signs in when that is refused as well, and
/// registers anew when nobody knows it.
struct Program {
    client: Client,
    tokens: Tokens,
}

impl Program {
    fn start(board: &Board) -> Program {
        let client = Client::register(board.port);
        let tokens = client.sign_in("ada", SCOPES);
        Program { client, tokens }
    }

    /// Calls, and tells how often a person had to sign in for it.
    fn call(&mut self, board: &Board) -> usize {
        if self.tokens.is_good(board.port) {
            return 0;
        }
        let reply = self.client.refresh(&self.tokens.refresh);
        let sign_ins = match (reply.status, reply.json()["error"].as_str()) {
            (200, _) => {
                self.tokens = Tokens::read(&reply);
                0
            }
            (400, Some("invalid_grant")) => {
                self.tokens = self.client.sign_in("ada", SCOPES);
                1
            }
            (401, Some("invalid_client")) => {
                *self = Program::start(board);
                1
            }
            _ => panic!("no client knows what to do about this: {reply:?}"),
        };
        assert!(self.tokens.is_good(board.port));
        sign_ins
    }
}

/// What happens to a board on which somebody is signed in, and how often he must sign in again.
type Row = (&'static str, fn(Board, &Clock) -> Board, usize);

const ROWS: &[Row] = &[
    ("a power cut", |board, _| board.power_cut(), 0),
    ("a power cut, and the key is lost", |board, _| without_key(board).power_cut(), 1),
    ("the keys are rotated", |board, _| rotated(board), 0),
    ("the keys are rotated, and a power cut", |board, _| rotated(board).power_cut(), 0),
    ("the keys are rotated while no server runs", |board, _| rotated(stopped(board)).power_cut(), 0),
    (
        "the keys are rotated in 1970, and the time is heard",
        |board, clock| at(clock, TODAY, rotated(at(clock, 0, board).power_cut())),
        0,
    ),
    ("the keys are rotated four times", |board, _| (0..4).fold(board, |board, _| rotated(board)), 1),
    ("a power cut, and the board wakes in 1970", |board, clock| at(clock, 0, board).power_cut(), 0),
    (
        "a power cut, the board wakes in 1970, then hears the time",
        |board, clock| at(clock, TODAY, at(clock, 0, board).power_cut()),
        0,
    ),
    ("the clock falls back to 1970", |board, clock| at(clock, 0, board), 0),
    ("the clock goes back a day", |board, clock| at(clock, TODAY - DAY, board), 0),
    ("a power cut, and the clock goes back a day", |board, clock| at(clock, TODAY - DAY, board).power_cut(), 0),
    ("the clock goes forward forty days", |board, clock| at(clock, TODAY + 40 * DAY, board), 0),
    ("the clock goes forward forty days, and back", |board, clock| at(clock, TODAY, at(clock, TODAY + 40 * DAY, board)), 0),
    ("twenty-nine days without power", |board, clock| at(clock, TODAY + 29 * DAY, board).power_cut(), 0),
    ("forty days without power", |board, clock| at(clock, TODAY + 40 * DAY, board).power_cut(), 1),
];

/// Sets the clock, and has the board look at it.
fn at(clock: &Clock, unix: i64, board: Board) -> Board {
    clock.set(unix);
    assert_eq!(ask(board.port, "GET /", &[], "").status, 200);
    board
}

fn without_key(board: Board) -> Board {
    fs::remove_file(board.state().join("keys")).unwrap();
    board
}

/// Another key comes in front of those that are there, whether the server runs or not.
fn rotated(board: Board) -> Board {
    let keys = || fs::read_to_string(board.state().join("keys")).unwrap();
    let before = keys();
    let mut rotate = command();
    rotate.args(["keys", "rotate", "--config"]).arg(board.state().join("perchd.toml")).arg("--state").arg(board.state());
    let told = rotate.output().unwrap();
    assert!(told.status.success(), "{told:?}");
    assert_eq!((before.lines().nth(1), before == keys()), (keys().lines().nth(2), false));
    board
}

fn stopped(mut board: Board) -> Board {
    board.terminate();
    board.wait();
    board
}

#[test]
fn whatever_the_clock_does_one_signs_in_once_at_most() {
    let mut table = format!("{:<58} sign-ins\n", "what happens");
    for (what, happen, wanted) in ROWS {
        let clock = Clock::calendar(TODAY);
        let board = clock.board();
        let mut program = Program::start(&board);
        let board = happen(board, &clock);
        let mut sign_ins = program.call(&board);
        // And later, when the access token has had its time.
        program.tokens.access.clear();
        sign_ins += program.call(&board);
        writeln!(table, "{what:<58} {sign_ins}").unwrap();
        assert_eq!(sign_ins, *wanted, "\n{table}");
    }
    println!("{table}");
}

#[test]
fn who_signed_in_in_1970_stays_signed_in_when_the_time_is_heard() {
    let clock = Clock::calendar(0);
    let board = clock.board();
    let keys = fs::read_to_string(board.state().join("keys")).unwrap();
    assert!(keys.contains(&format!("\n0 {} ", limits::BUILD_UNIX_SECS)), "no key was born before the program");
    let mut program = Program::start(&board);
    clock.set(TODAY);
    assert_eq!(program.call(&board), 0);
    // What is dated anew is good after the boot as well.
    program.tokens.access.clear();
    assert_eq!(program.call(&board), 0);
    let board = board.power_cut();
    assert_eq!(program.call(&board), 0);
}

#[test]
fn a_jump_of_the_clock_neither_ends_a_code_nor_a_page() {
    for jump in [-TODAY, -DAY, 40 * DAY, 40 * 365 * DAY] {
        let clock = Clock::calendar(TODAY);
        let board = clock.board();
        let client = Client::register(board.port);
        let mut browser = Browser::new(board.port);
        let consent = browser.consent(&client.address(), "bob");
        let code = client.code("ada", SCOPES);
        clock.set(TODAY + jump);
        assert!(Tokens::read(&client.exchange(&code)).is_good(board.port), "{jump}");
        assert_eq!(error(&client.exchange(&code)), told(400, "invalid_grant"), "and it is spent all the same");
        assert_eq!(browser.approve(&consent, SCOPES).status, 303);
    }
}

#[test]
fn a_revocation_outlives_every_jump_of_the_clock() {
    let clock = Clock::calendar(TODAY);
    let mut board = clock.board();
    let client = Client::register(board.port);
    let (ada, bob) = (client.sign_in("ada", SCOPES), client.sign_in("bob", SCOPES));
    client.revoke(&ada.refresh);
    let is_dead = |board: &Board| !ada.is_good(board.port) && error(&client.refresh(&ada.refresh)) == told(400, "invalid_grant");
    for jump in [-TODAY, -DAY, 0, 40 * DAY, 400 * DAY] {
        clock.set(TODAY + jump);
        assert!(is_dead(&board), "{jump}");
        // It is started with a clock that is wrong, and hears the time afterwards.
        board = board.power_cut();
        assert!(is_dead(&board), "{jump}");
        clock.set(TODAY);
        assert!(is_dead(&board), "{jump}, and the time is heard");
        // One more revocation writes the list anew.
        client.revoke(&client.sign_in("carol", SCOPES).refresh);
        board = board.power_cut();
        assert!(is_dead(&board), "{jump}, and the list was written");
        assert!(bob.is_good(board.port));
    }
}

/// The board's own certificate is made anew while it is shown, and the CA that computers trust stays.
#[test]
fn a_certificate_is_made_anew_before_it_ends_and_the_ca_stays() {
    let clock = Clock::both("[tls]\nmode = \"own\"\n");
    let board = clock.board();
    let read = |name: &str| fs::read(board.state().join(name)).unwrap();
    let (ca, first) = (read("ca.pem"), read("server.pem"));
    let days = |days: i64| clock.put(days * DAY);
    let is_served = || assert_eq!(ask(board.port, "GET /", &[], "").status, 200);
    // It begins a month ago and lasts 397 days; three months before its end it gives way.
    days(275);
    is_served();
    assert_eq!(read("server.pem"), first);
    days(277);
    let began = std::time::Instant::now();
    while read("server.pem") == first {
        // The board looks once a minute: what it waits for has come, and it wakes up for whoever calls.
        is_served();
        assert!(began.elapsed() < std::time::Duration::from_secs(30), "the certificate is not made anew");
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(read("ca.pem"), ca);
    let made = fs::read_to_string(board.state().join("server.pem")).unwrap();
    let mut openssl = std::process::Command::new("openssl");
    let verified = openssl.args(["verify", "-no_check_time", "-verify_hostname", "localhost", "-CAfile"]);
    let verified = verified.arg(board.state().join("ca.pem")).arg(board.state().join("server.pem")).output().unwrap();
    assert!(verified.status.success() && made.contains("BEGIN CERTIFICATE"), "{verified:?}");
}

fn secs(secs: u64) -> i64 {
    i64::try_from(secs).unwrap()
}

#[test]
fn a_code_and_a_page_end_when_their_time_has_passed() {
    let clock = Clock::both("");
    let board = clock.board();
    let client = Client::register(board.port);
    let mut browser = Browser::new(board.port);
    let page = browser.consent(&client.address(), "carol");
    let code = client.code("bob", SCOPES);
    clock.put(secs(limits::CODE_SECS) - 5);
    let late = client.code("bob", SCOPES);
    assert!(Tokens::read(&client.exchange(&code)).is_good(board.port), "a code lasts a minute");
    clock.put(secs(limits::CODE_SECS) * 2 + 5);
    assert_eq!(error(&client.exchange(&late)), told(400, "invalid_grant"));
    clock.put(secs(limits::LOGIN_SECS) - 5);
    assert_eq!(browser.submit(&page, &[("action", "approve")]).status, 200, "nothing was ticked: it is asked again");
    clock.put(secs(limits::LOGIN_SECS));
    assert_eq!(browser.approve(&page, SCOPES).status, 400, "a page lasts ten minutes");
}

#[test]
fn an_access_token_that_expired_by_a_second_is_refused() {
    let clock = Clock::both("");
    let board = clock.board();
    let tokens = Client::register(board.port).sign_in("ada", SCOPES);
    clock.put(secs(limits::ACCESS_SECS) - 5);
    assert!(tokens.is_good(board.port));
    clock.put(secs(limits::ACCESS_SECS) + 1);
    let refused = tokens.rpc(board.port, HELLO);
    assert_eq!(refused.status, 401);
    assert!(refused.header("www-authenticate").unwrap().contains("error=\"invalid_token\""), "{refused:?}");
}

#[test]
fn a_refresh_token_is_refused_after_thirty_days() {
    let clock = Clock::both("");
    let board = clock.board();
    let client = Client::register(board.port);
    let tokens = client.sign_in("ada", SCOPES);
    clock.put(secs(limits::ACCESS_SECS));
    let next = Tokens::read(&client.refresh(&tokens.refresh));
    assert!(next.is_good(board.port));
    clock.put(secs(limits::REFRESH_SECS) - 5);
    let last = Tokens::read(&client.refresh(&next.refresh));
    assert!(last.is_good(board.port));
    clock.put(secs(limits::REFRESH_SECS));
    assert_eq!(error(&client.refresh(&last.refresh)), told(400, "invalid_grant"), "thirty days from the sign-in on");
    assert!(client.sign_in("ada", SCOPES).is_good(board.port), "the registration has no end");
}

#[test]
fn a_board_that_was_told_otherwise_lets_a_sign_in_last_that_long() {
    const LONGEST: &str = "[tokens]\naccess = \"10min\"\nrefresh = \"90d\"\n";
    let clock = Clock::both(LONGEST);
    let board = clock.board();
    let client = Client::register(board.port);
    let first = client.exchange(&client.code("ada", SCOPES)).json();
    assert_eq!(first["expires_in"], 600);
    let tokens = |json: &serde_json::Value| {
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token"), scope: text("scope") }
    };
    let first = tokens(&first);
    clock.put(595);
    assert!(first.is_good(board.port));
    clock.put(600);
    assert!(!first.is_good(board.port));
    clock.put(secs(limits::REFRESH_SECS_MAX) - 5);
    let last = tokens(&client.refresh(&first.refresh).json());
    clock.put(secs(limits::REFRESH_SECS_MAX));
    assert_eq!(error(&client.refresh(&last.refresh)), told(400, "invalid_grant"));
}
