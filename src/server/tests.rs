//! GPIO over the wire: the whole server, with chips in memory.

use super::offer::Reread;
use super::{Served, Server, serve};
use crate::audit::Nothing;
use crate::builtin::gpio::bank::Bank;
use crate::builtin::gpio::fake::World;
use crate::config::Config;
use crate::limits;
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::Path;
use std::rc::Rc;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

const LAMP: &str = "[gpio.lamp]\nchip = \"gpiochip0\"\nline = 17\ndirection = \"out\"\nsafe = false\n";
const VALVE: &str = "[gpio.valve]\nchip = \"gpiochip0\"\nline = 18\ndirection = \"out\"\nsafe = true\n";
const DOOR: &str = "[gpio.door]\nchip = \"gpiochip0\"\nline = 4\ndirection = \"in\"\n";
const LAMP_LINE: &str = "line 17 of gpiochip0";
const VALVE_LINE: &str = "line 18 of gpiochip0";
const DOOR_LINE: &str = "line 4 of gpiochip0";
const LONG: Duration = Duration::from_secs(10);

/// A server on a thread of its own.
struct Board {
    port: u16,
    world: World,
    /// The configuration that is read at the next reload.
    text: Arc<Mutex<String>>,
    reload: Option<UnboundedSender<mpsc::Sender<bool>>>,
    /// How many tasks there were at the last reload.
    tasks: Arc<AtomicUsize>,
    thread: Option<JoinHandle<()>>,
}

impl Board {
    fn with(lines: &[&str]) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let state = std::env::temp_dir().join(format!("perchd-gpio-{}-{number}", std::process::id()));
        let head = format!("state = \"{}\"\n[auth]\nmode = \"open\"\n", state.display());
        let text = Arc::new(Mutex::new(head + &lines.concat()));
        let (world, (reload, mut reloads), (tell, port)) = (World::default(), unbounded_channel(), mpsc::channel());
        let (chips, read) = (world.clone(), Arc::clone(&text));
        let tasks = Arc::<AtomicUsize>::default();
        let counted = Arc::clone(&tasks);
        let thread = std::thread::spawn(move || {
            super::runtime().unwrap().block_on(async {
                let reread = move || Config::parse(&read.lock().unwrap(), Path::new("/perchd.toml"));
                let mut server = Server::new(reread().unwrap()).builtin().reread(reread.clone());
                server.offer.bank = Rc::new(Bank::of(chips));
                server.reread = Some(Reread(Box::new(reread)));
                let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
                let address = listener.local_addr().unwrap();
                let Served { service, tls, bank, reload } = server.service(&[address], None, Box::new(Nothing)).unwrap();
                let (reload, reloaded) = (reload.unwrap(), Rc::clone(&service));
                let until = async move {
                    while let Some(answer) = reloads.recv().await {
                        let answer: mpsc::Sender<bool> = answer;
                        counted.store(Handle::current().metrics().num_alive_tasks(), Ordering::Relaxed);
                        answer.send(reload.reload(&reloaded).is_ok()).unwrap();
                    }
                };
                tell.send(address.port()).unwrap();
                serve(vec![listener], service, tls, bank, Rc::default(), until).await;
            });
            let _ = std::fs::remove_dir_all(state);
        });
        Board { port: port.recv().unwrap(), world, text, reload: Some(reload), tasks, thread: Some(thread) }
    }

    /// Whether a configuration with these lines comes into force.
    fn reload(&self, lines: &[&str]) -> bool {
        let head = self.text.lock().unwrap().split("[gpio").next().unwrap().to_owned();
        *self.text.lock().unwrap() = head + &lines.concat();
        let (answer, answered) = mpsc::channel();
        self.reload.as_ref().unwrap().send(answer).unwrap();
        answered.recv_timeout(LONG).unwrap()
    }

    fn send(&self, request: &str, headers: &[&str], body: &str) -> TcpStream {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).unwrap();
        stream.set_read_timeout(Some(LONG)).unwrap();
        let headers: String = headers.iter().flat_map(|header| [*header, "\r\n"]).collect();
        let head = format!("{request} HTTP/1.1\r\nhost: localhost:{}\r\nconnection: close\r\n{headers}", self.port);
        let length = if body.is_empty() { String::new() } else { format!("content-length: {}\r\n", body.len()) };
        stream.write_all(format!("{head}{length}\r\n{body}").as_bytes()).unwrap();
        stream
    }

    fn post(&self, headers: &[&str], body: &Value) -> TcpStream {
        let accept = ["content-type: application/json", "accept: application/json, text/event-stream"];
        self.send("POST /mcp", &[&accept, headers].concat(), &body.to_string())
    }

    /// The answer, head and all.
    fn ask(&self, headers: &[&str], body: &Value) -> String {
        let mut text = String::new();
        self.post(headers, body).read_to_string(&mut text).unwrap();
        text
    }

    fn call(&self, name: &str, arguments: &Value) -> String {
        self.ask(&[], &call(name, arguments))
    }

    /// The header of a new session.
    fn session(&self) -> String {
        let params = json!({"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "c", "version": "1"}});
        let hello = self.ask(&[], &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}));
        hello.lines().find(|line| line.to_ascii_lowercase().starts_with("mcp-session-id")).unwrap().to_owned()
    }

    /// Ends the server, as SIGTERM does.
    fn stop(&mut self) {
        self.reload.take();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        self.stop();
    }
}

fn call(name: &str, arguments: &Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": name, "arguments": arguments}})
}

fn until(what: &str, mut is_so: impl FnMut() -> bool) {
    let began = Instant::now();
    while !is_so() {
        assert!(began.elapsed() < LONG, "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn pages_that_come_and_go_leave_no_task_behind() {
    let board = Board::with(&[]);
    let tasks = || {
        assert!(board.reload(&[]));
        board.tasks.load(Ordering::Relaxed)
    };
    let before = tasks();
    for _ in 0..20 {
        board.send("GET /live", &["accept: text/event-stream"], "").read_exact(&mut [0; 400]).unwrap();
    }
    // In less time than passes from one telling to the next: one task tells, and a connection may still be ending.
    let began = Instant::now();
    while tasks() > before + 2 {
        assert!(began.elapsed() < Duration::from_secs(limits::VIEW_SECS - 2), "{} tasks and {before} before", tasks());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn lines_are_refused_read_and_switched_by_name() {
    let board = Board::with(&[LAMP, DOOR]);
    let refused = board.call("write_gpio", &json!({"line": "door", "on": true}));
    assert!(refused.contains("one of lamp") && refused.contains(r#""isError":true"#), "{refused}");
    let refused = board.call("pulse_gpio", &json!({"line": "lamp", "milliseconds": 30_001}));
    assert!(refused.contains("between 1 and 30000"), "{refused}");
    let listed = board.ask(&[], &json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"}));
    assert!(listed.contains(r#""enum":["door","lamp"]"#) && listed.contains(r#""enum":["lamp"]"#), "{listed}");
    assert!(board.call("write_gpio", &json!({"line": "lamp", "on": true})).contains("lamp is on"));
    assert!(board.world.is_on(LAMP_LINE));
    let read = board.ask(&["mcp-protocol-version: 2025-11-25"], &call("read_gpio", &json!({})));
    assert!(read.contains(r#"{"direction":"out","line":"lamp","on":true}"#), "{read}");
    let read = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "gpio://door"}});
    assert!(board.ask(&[], &read).contains(r#""text":"off""#));
}

#[test]
fn the_end_of_the_server_makes_outputs_safe_at_once_whatever_is_under_way() {
    let mut board = Board::with(&[LAMP, VALVE]);
    until("it is safe from the start", || board.world.is_on(VALVE_LINE));
    board.call("write_gpio", &json!({"line": "valve", "on": false}));
    let _pulse = board.post(&[], &call("pulse_gpio", &json!({"line": "lamp", "milliseconds": 30_000})));
    until("the pulse begins", || board.world.is_on(LAMP_LINE));
    let began = Instant::now();
    board.reload.take();
    until("it is safe", || !board.world.is_on(LAMP_LINE) && board.world.is_on(VALVE_LINE));
    assert!(began.elapsed() < Duration::from_secs(3), "it does not wait for connections");
    board.stop();
    assert!(!board.world.is_on(LAMP_LINE) && board.world.is_on(VALVE_LINE));
}

#[test]
fn a_pulse_that_is_cancelled_puts_its_line_back() {
    let board = Board::with(&[LAMP]);
    let session = board.session();
    let _pulse = board.post(&[&session], &call("pulse_gpio", &json!({"line": "lamp", "milliseconds": 30_000})));
    until("the pulse begins", || board.world.is_on(LAMP_LINE));
    let cancel = json!({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 7}});
    assert!(board.ask(&[&session], &cancel).starts_with("HTTP/1.1 202"));
    until("it is put back", || !board.world.is_on(LAMP_LINE));
}

#[test]
fn a_pulse_whose_client_goes_puts_its_line_back() {
    let board = Board::with(&[LAMP]);
    let mut body = call("pulse_gpio", &json!({"line": "lamp", "milliseconds": 30_000}));
    body["params"]["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
    });
    let headers = ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: pulse_gpio"];
    let pulse = board.post(&headers, &body);
    until("the pulse begins", || board.world.is_on(LAMP_LINE));
    drop(pulse);
    until("it is put back", || !board.world.is_on(LAMP_LINE));
}

#[test]
fn a_reload_adds_and_removes_lines_without_touching_the_others() {
    let board = Board::with(&[LAMP, VALVE]);
    board.call("write_gpio", &json!({"line": "lamp", "on": true}));
    board.call("write_gpio", &json!({"line": "valve", "on": false}));
    board.world.done();
    assert!(!board.reload(&[LAMP, "[gpio.bad]\n"]));
    assert_eq!(board.world.done(), [""; 0], "a bad configuration touches nothing");
    assert!(board.reload(&[LAMP, DOOR]));
    let done = [format!("switch {VALVE_LINE} true"), format!("give {VALVE_LINE}"), format!("take {DOOR_LINE}")];
    assert_eq!(board.world.done(), done);
    assert!(board.world.is_on(LAMP_LINE));
    assert!(board.call("read_gpio", &json!({"line": "door"})).contains("door is off"));
    assert!(board.call("write_gpio", &json!({"line": "valve", "on": false})).contains("one of lamp"));
}

#[test]
fn who_watches_an_input_hears_of_its_edges() {
    let board = Board::with(&[DOOR, LAMP]);
    let session = board.session();
    let subscribe = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/subscribe", "params": {"uri": "gpio://door"}});
    assert!(board.ask(&[&session], &subscribe).contains(r#""result":{}"#));
    let stream = board.send("GET /mcp", &["accept: text/event-stream", &session], "");
    let mut lines = BufReader::new(stream).lines().map(Result::unwrap);
    assert!(lines.next().unwrap().contains("200"));
    lines.find(String::is_empty).unwrap();
    board.world.press(DOOR_LINE, true);
    let told = lines.find(|line| line.contains("notifications/")).unwrap();
    assert!(told.contains("notifications/resources/updated") && told.contains("gpio://door"), "{told}");
    let read = json!({"jsonrpc": "2.0", "id": 1, "method": "resources/read", "params": {"uri": "gpio://door"}});
    assert!(board.ask(&[], &read).contains(r#""text":"on""#));
}
