//! What systemd and the server tell each other, with a test in the place of systemd: its sockets are real ones.

use crate::board::{self, Board, Folder};
use crate::commands::finish;
use crate::wire::{Wire, ask, request, rpc};
use std::net::TcpListener;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixDatagram;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

const OPEN: &str = "[auth]\nmode = \"open\"\n[tls]\nmode = \"off\"\n";
const ADD: &str = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"add","arguments":{"a":20,"b":22}}}"#;

/// The socket that `$NOTIFY_SOCKET` names.
struct Manager {
    socket: UnixDatagram,
    folder: Folder,
}

impl Manager {
    fn new() -> Manager {
        let folder = Folder::new();
        let socket = UnixDatagram::bind(folder.path().join("notify")).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        Manager { socket, folder }
    }

    fn variable(&self) -> String {
        format!("NOTIFY_SOCKET={}", self.folder.path().join("notify").display())
    }

    fn board(&self, environment: &[&str]) -> Board {
        let notify = self.variable();
        let words = ["env", &notify].into_iter().chain(environment.iter().copied());
        Board::under(words.map(str::to_owned).collect(), OPEN)
    }

    /// The next message that is no more than a sign of life.
    fn told(&self) -> String {
        loop {
            let text = self.any();
            if text != "WATCHDOG=1\n" {
                return text;
            }
        }
    }

    fn any(&self) -> String {
        let mut bytes = [0; 4096];
        let length = self.socket.recv(&mut bytes).expect("a message within 10 seconds");
        String::from_utf8(bytes[..length].to_vec()).unwrap()
    }
}

#[test]
fn the_manager_hears_of_the_start_of_a_reload_and_of_the_end() {
    let manager = Manager::new();
    let mut board = manager.board(&[]);
    assert_eq!(manager.told(), "READY=1\n");
    assert_eq!(ask(board.port, "GET /", &[], "").status, 200);
    for config in [OPEN, "nonsense"] {
        board.reconfigure(config);
        let reloading = manager.told();
        let usec = reloading.strip_prefix("RELOADING=1\nMONOTONIC_USEC=").unwrap_or_else(|| panic!("{reloading}")).trim();
        let uptime = std::fs::read_to_string("/proc/uptime").unwrap();
        let uptime: f64 = uptime.split(' ').next().unwrap().parse().unwrap();
        let apart = uptime - usec.parse::<f64>().unwrap() / 1e6;
        assert!((-1.0..60.0).contains(&apart), "{usec} is {apart} s before now");
        assert_eq!(manager.told(), "READY=1\n", "whether the configuration was good or not");
    }
    board.terminate();
    assert_eq!(manager.told(), "STOPPING=1\n");
    assert_eq!(board.wait().0, Some(0));
}

#[test]
fn the_event_loop_gives_signs_of_life_and_a_stopped_one_gives_none() {
    let manager = Manager::new();
    let board = manager.board(&["WATCHDOG_USEC=400000"]);
    assert_eq!(manager.any(), "READY=1\n");
    for _ in 0..5 {
        assert_eq!(manager.any(), "WATCHDOG=1\n");
    }
    let signal = |name: &str| {
        let sent = Command::new("kill").args([name, &board.pid().to_string()]).status().unwrap();
        assert!(sent.success());
    };
    signal("-STOP");
    // What it said before it stood still.
    let state = || std::fs::read_to_string(format!("/proc/{}/stat", board.pid())).unwrap();
    let began = Instant::now();
    while !state().contains(") T ") && began.elapsed() < Duration::from_secs(10) {
        thread::sleep(Duration::from_millis(10));
    }
    manager.socket.set_nonblocking(true).unwrap();
    while manager.socket.recv(&mut [0; 64]).is_ok() {}
    manager.socket.set_nonblocking(false).unwrap();
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err(), "it stands still and says that it does not");
    signal("-CONT");
    manager.socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    assert_eq!(manager.any(), "WATCHDOG=1\n");
}

#[test]
fn a_watchdog_for_another_process_gets_nothing() {
    let manager = Manager::new();
    let _board = manager.board(&["WATCHDOG_USEC=100000", "WATCHDOG_PID=1"]);
    assert_eq!(manager.any(), "READY=1\n");
    manager.socket.set_read_timeout(Some(Duration::from_secs(1))).unwrap();
    assert!(manager.socket.recv(&mut [0; 64]).is_err());
}

/// A server that is handed a listener, as systemd does it: as its file descriptor 3.
fn handed(listener: &TcpListener, folder: &Folder, environment: &[&str]) -> Child {
    let become_it = r#"exec 3<&0 </dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec env "$@""#;
    let words = ["bash", "-c", become_it, "--"].into_iter().chain(environment.iter().copied()).map(str::to_owned);
    let config = folder.path().join("perchd.toml");
    // A port that cannot be had: it is not asked for.
    std::fs::write(&config, format!("listen = \"127.0.0.1:1\"\n{OPEN}")).unwrap();
    let mut command = board::command_under(&words.collect::<Vec<_>>());
    command.args(["serve", "--config"]).arg(config).arg("--state").arg(folder.path());
    command.stdin(OwnedFd::from(listener.try_clone().unwrap())).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

/// What its owner asks, with the same files.
fn owner(verb: &str, folder: &Folder) -> Command {
    let mut command = board::command();
    command.arg(verb).arg("--config").arg(folder.path().join("perchd.toml")).arg("--state").arg(folder.path());
    command
}

fn terminate(mut server: Child) {
    let sent = Command::new("kill").args(["-TERM", &server.id().to_string()]).status().unwrap();
    assert!(sent.success());
    assert_eq!(server.wait().unwrap().code(), Some(0));
}

#[test]
fn a_socket_that_is_handed_over_is_served_in_place_of_the_addresses() {
    let (listener, folder) = (TcpListener::bind("127.0.0.1:0").unwrap(), Folder::new());
    let port = listener.local_addr().unwrap().port();
    let server = handed(&listener, &folder, &[]);
    let sum = rpc(port, ADD);
    assert_eq!(sum.json()["result"]["content"][0]["text"], "42", "{sum:?}");
    let told = finish(owner("init", &folder), "");
    assert!(told.stdout.contains(&format!("http://localhost:{port}/mcp")), "init names its port: {told:?}");
    let told = finish(owner("check", &folder), "");
    assert!(told.stdout.contains("Listens on     127.0.0.1:1\n"), "check tells of the configuration: {told:?}");
    terminate(server);
}

#[test]
fn what_is_handed_over_and_no_tcp_socket_is_refused() {
    let folder = Folder::new();
    std::fs::write(folder.path().join("perchd.toml"), OPEN).unwrap();
    let become_it = r#"exec 3</dev/null; export LISTEN_FDS=1 LISTEN_PID=$$; exec "$@""#;
    let words = ["bash", "-c", become_it, "--"].map(str::to_owned);
    let config = folder.path().join("perchd.toml");
    let mut command = board::command_under(&words);
    let output = command.args(["serve", "--config"]).arg(config).arg("--state").arg(folder.path()).output().unwrap();
    let told = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(78), "{told}");
    assert!(told.contains("systemd hands over what is no TCP socket"), "{told}");
}

/// Asks until told to stop, and counts what was answered; anything else ends the test.
fn keep_asking(port: u16, is_kept: bool, done: &AtomicBool, answered: &AtomicUsize) {
    let mut wire = None;
    while !done.load(Ordering::Relaxed) {
        let connection = if is_kept { "connection: keep-alive" } else { "connection: close" };
        let accept = "accept: application/json, text/event-stream";
        let asked = request(port, "POST /mcp", &["content-type: application/json", accept, connection], ADD);
        let open: &mut Wire = wire.get_or_insert_with(|| Wire::open(port));
        open.send(&asked).unwrap();
        let reply = open.reply().expect("an answer to every request");
        assert_eq!(reply.status, 200, "{reply:?}");
        if !is_kept || reply.header("connection") == Some("close") {
            wire = None;
        }
        answered.fetch_add(1, Ordering::Relaxed);
    }
}

#[test]
fn no_request_is_lost_while_the_server_is_started_anew() {
    let (listener, folder, manager) = (TcpListener::bind("127.0.0.1:0").unwrap(), Folder::new(), Manager::new());
    let port = listener.local_addr().unwrap().port();
    let (done, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    // As systemd does, each life is waited for: a signal before that would end it on the spot.
    let begin = || {
        let server = handed(&listener, &folder, &[&manager.variable()]);
        while manager.told() != "READY=1\n" {}
        server
    };
    let first = begin();
    let last = thread::scope(|scope| {
        let client = |n: usize| {
            let (done, answered) = (&done, &answered);
            scope.spawn(move || keep_asking(port, n.is_multiple_of(2), done, answered))
        };
        let clients: Vec<_> = (0..4).map(client).collect();
        let mut server = first;
        // A restart after every hundred answers.
        for life in 1..=10 {
            while answered.load(Ordering::Relaxed) < life * 100 && !clients.iter().any(thread::ScopedJoinHandle::is_finished) {
                thread::sleep(Duration::from_millis(5));
            }
            terminate(server);
            server = begin();
        }
        done.store(true, Ordering::Relaxed);
        server
    });
    assert!(answered.load(Ordering::Relaxed) >= 1000);
    terminate(last);
}

#[test]
fn a_key_ring_that_is_handed_over_holds_and_is_not_changed() {
    let (first, second, listener) = (Folder::new(), Folder::new(), TcpListener::bind("127.0.0.1:0").unwrap());
    let port = listener.local_addr().unwrap().port();
    terminate_after_answer(handed(&listener, &first, &[]), port);
    let ring = std::fs::read_to_string(first.path().join("keys")).unwrap();
    let credentials = Folder::new();
    std::fs::write(credentials.path().join("keys"), &ring).unwrap();
    let variable = format!("CREDENTIALS_DIRECTORY={}", credentials.path().display());
    let server = handed(&listener, &second, &[&variable]);
    assert_eq!(ask(port, "GET /", &[], "").status, 200);
    assert!(!second.path().join("keys").exists(), "none is made");
    let rotated = board::command().args(["keys", "rotate", "--state"]).arg(second.path()).output().unwrap();
    let told = String::from_utf8(rotated.stderr).unwrap();
    assert_eq!(rotated.status.code(), Some(78), "{told}");
    assert!(told.contains("systemd hands over the key ring"), "{told}");
    terminate(server);
    assert_eq!(std::fs::read_to_string(credentials.path().join("keys")).unwrap(), ring);
}

fn terminate_after_answer(server: Child, port: u16) {
    assert_eq!(ask(port, "GET /", &[], "").status, 200);
    terminate(server);
}
