//! Fifty clients of every kind for two minutes, or for `SOAK_SECONDS`: no answer is wrong, memory stays flat, no file is left
//! open, nothing is written to the disk, and all of it fits into 16 MiB.

use crate::board::Board;
use crate::oauth::{HELLO, SCOPES};
use crate::sign_in::{Client, JSON, Tokens, bearer};
use crate::wire::{Reply, Wire, request};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

const CLIENTS: u64 = 50;
const MEMORY_KIB: u64 = 16 * 1024;
/// What flat memory may still grow by: the allocator's arenas settle.
const FLAT_KIB: u64 = 768;
/// With a tool that takes its time, for calls that are given up.
const TOML: &str = "[auth]\nmode = \"demo\"\n[[tool]]\nname = \"slow\"\nabout = \"Takes its time\"\neffect = \"read\"\nscope = \"math\"\n\
                    run = [\"/bin/sleep\", \"{secs}\"]\nconcurrency = 64\nargs.secs = { type = \"number\" }\n";
const EVENTS: &str = "accept: application/json, text/event-stream";
const META: &str = r#""_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"c","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}"#;

/// How often each thing was done.
#[derive(Default)]
struct Done([AtomicU64; DEEDS.len()]);

/// When somebody signed in last.
struct Pace(Mutex<Instant>);

impl Pace {
    fn is_due(&self) -> bool {
        let mut last = self.0.lock().unwrap();
        let is_due = last.elapsed() > Duration::from_secs(10);
        if is_due {
            *last = Instant::now();
        }
        is_due
    }
}

/// What a client does, in the order of [`Soaker::act`].
const DEEDS: [&str; 9] = [
    "sessions of /mcp",
    "stateless calls",
    "conversations on /sse",
    "refreshes",
    "sign-ins",
    "cancellations",
    "disconnects in a call",
    "disconnects in a request",
    "health",
];

/// One client, with what it is signed in by.
struct Soaker {
    number: u64,
    port: u16,
    client: Client,
    tokens: Tokens,
    random: u64,
}

impl Soaker {
    fn new(number: u64, port: u16) -> Soaker {
        let client = Client::register(port);
        let tokens = client.sign_in(&format!("soaker{number}"), SCOPES);
        Soaker { number, port, client, tokens, random: (number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) }
    }

    /// The next number below `most` (xorshift).
    fn below(&mut self, most: u64) -> u64 {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        self.random % most
    }

    /// Does one thing, and is content with no answer but the right one.
    fn act(&mut self, deed: usize) {
        match deed {
            0 => self.session(),
            1 => self.stateless(),
            2 => self.sse(),
            3 => self.tokens = Tokens::read(&self.client.refresh(&self.tokens.refresh)),
            4 => self.tokens = self.client.sign_in(&format!("soaker{}", self.number), SCOPES),
            5 => self.cancel(),
            6 => self.leave_a_call(),
            7 => self.leave_a_request(),
            _ => self.health(),
        }
    }

    fn post(&self, wire: &mut Wire, headers: &[&str], body: &str) -> Reply {
        let bearer = bearer(&self.tokens.access);
        let headers = [&[JSON, EVENTS, &bearer], headers].concat();
        wire.send(&request(self.port, "POST /mcp", &headers, body)).unwrap();
        wire.reply().unwrap()
    }

    /// An addition, and what comes of it.
    fn sum(&mut self, meta: &str) -> (String, u64) {
        let (a, b, id) = (self.below(1000), self.below(1000), self.below(1_000_000));
        let params = format!(r#"{{"name":"add","arguments":{{"a":{a},"b":{b}}}{meta}}}"#);
        (format!(r#"{{"jsonrpc":"2.0","id":{id},"method":"tools/call","params":{params}}}"#), a + b)
    }

    fn session(&mut self) {
        let mut wire = Wire::open(self.port);
        let hello = self.post(&mut wire, &[], HELLO);
        let session = format!("mcp-session-id: {}", hello.header("mcp-session-id").unwrap());
        for _ in 0..self.below(8) {
            let (call, sum) = self.sum("");
            is_sum(&self.post(&mut wire, &[&session], &call).json(), &call, sum);
        }
        if self.below(2) == 0 {
            wire.send(&request(self.port, "DELETE /mcp", &[&bearer(&self.tokens.access), &session], "")).unwrap();
            assert_eq!(wire.reply().unwrap().status, 204);
            assert_eq!(self.post(&mut wire, &[&session], HELLO.replace("initialize", "ping").as_str()).status, 404);
        }
    }

    fn stateless(&mut self) {
        let mut wire = Wire::open(self.port);
        let headers = ["mcp-protocol-version: 2026-07-28", "mcp-method: tools/call", "mcp-name: add"];
        for _ in 0..=self.below(8) {
            let (call, sum) = self.sum(&format!(",{META}"));
            is_sum(&self.post(&mut wire, &headers, &call).json(), &call, sum);
        }
    }

    /// A stream of `/sse`, where to post to it, and a connection to post by.
    fn stream(&self) -> (Wire, String, Wire) {
        let mut stream = Wire::open(self.port);
        stream.send(&request(self.port, "GET /sse", &[&bearer(&self.tokens.access)], "")).unwrap();
        assert_eq!(stream.head().unwrap().status, 200);
        let endpoint = stream.event().unwrap().unwrap();
        let path = endpoint.lines().nth(1).unwrap().strip_prefix("data: ").unwrap().to_owned();
        let mut wire = Wire::open(self.port);
        self.tell(&mut wire, &path, HELLO);
        assert!(message(&mut stream)["result"]["serverInfo"]["name"] == "perchd");
        (stream, path, wire)
    }

    fn tell(&self, wire: &mut Wire, path: &str, body: &str) {
        wire.send(&request(self.port, &format!("POST {path}"), &[JSON, &bearer(&self.tokens.access)], body)).unwrap();
        assert_eq!(wire.reply().unwrap().status, 202);
    }

    fn sse(&mut self) {
        let (mut stream, path, mut wire) = self.stream();
        for _ in 0..self.below(8) {
            let (call, sum) = self.sum("");
            self.tell(&mut wire, &path, &call);
            is_sum(&message(&mut stream), &call, sum);
        }
    }

    /// A call that is given up is never answered, unless this client has started so many commands that none was; what comes behind
    /// it is.
    fn cancel(&mut self) {
        let (mut stream, path, mut wire) = self.stream();
        self.tell(&mut wire, &path, &slow("gone", 5.0));
        self.tell(&mut wire, &path, r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":"gone"}}"#);
        let (call, sum) = self.sum("");
        self.tell(&mut wire, &path, &call);
        let mut reply = message(&mut stream);
        if reply["id"] == "gone" {
            let told = reply["result"]["content"][0]["text"].as_str().unwrap_or_default();
            assert!(told.starts_with("You start too many commands."), "{reply}");
            reply = message(&mut stream);
        }
        is_sum(&reply, &call, sum);
    }

    fn leave_a_call(&mut self) {
        let mut wire = Wire::open(self.port);
        let bytes = request(self.port, "POST /mcp", &[JSON, EVENTS, &bearer(&self.tokens.access)], &slow("left", 0.2));
        wire.send(&bytes).unwrap();
        std::thread::sleep(Duration::from_millis(self.below(20)));
    }

    fn leave_a_request(&mut self) {
        let (call, _) = self.sum("");
        let bytes = request(self.port, "POST /mcp", &[JSON, &bearer(&self.tokens.access)], &call);
        let part = usize::try_from(self.below(bytes.len() as u64)).unwrap();
        Wire::open(self.port).send(&bytes[..part]).unwrap();
    }

    fn health(&mut self) {
        let call = r#"{"jsonrpc":"2.0","id":"h","method":"tools/call","params":{"name":"board_health","arguments":{}}}"#;
        let reply = self.post(&mut Wire::open(self.port), &[], call);
        // On a busy machine a round of keep-alive may come first, and then the answer is an event.
        let event = reply.body.lines().find_map(|line| line.strip_prefix("data: ")).unwrap_or(&reply.body);
        let reply: Value = serde_json::from_str(event).unwrap();
        assert_eq!((&reply["id"], &reply["result"]["isError"]), (&"h".into(), &false.into()), "{reply}");
    }
}

fn slow(id: &str, secs: f64) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":"{id}","method":"tools/call","params":{{"name":"slow","arguments":{{"secs":{secs}}}}}}}"#)
}

/// The next message of a stream.
fn message(stream: &mut Wire) -> Value {
    let event = stream.event().unwrap().unwrap();
    serde_json::from_str(event.lines().find_map(|line| line.strip_prefix("data: ")).unwrap()).unwrap()
}

fn is_sum(reply: &Value, call: &str, sum: u64) {
    let call: Value = serde_json::from_str(call).unwrap();
    let text = &reply["result"]["content"][0]["text"];
    assert_eq!((&reply["id"], text), (&call["id"], &Value::from(sum.to_string())), "{reply}");
}

/// When anything in a folder was changed last.
fn changed(folder: &Path) -> SystemTime {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.chain([folder.to_owned()]).map(|path| path.metadata().unwrap().modified().unwrap()).max().unwrap()
}

/// What a process has had written to a disk, in bytes.
fn written(board: &Board) -> u64 {
    let io = std::fs::read_to_string(format!("/proc/{}/io", board.pid())).unwrap();
    io.lines().find_map(|line| line.strip_prefix("write_bytes: ")).unwrap().parse().unwrap()
}

/// What is open when nobody is there: what is seen least of in three seconds.
fn idle_files(board: &Board) -> Vec<String> {
    let look = || {
        std::thread::sleep(Duration::from_millis(100));
        board.file_names()
    };
    (0..30).map(|_| look()).min_by_key(Vec::len).unwrap_or_default()
}

/// A group of processes that the kernel gives 16 MiB, as `MemoryMax=16M` does, what they read from the disk included. It is gone with
/// this.
struct Group(PathBuf);

impl Group {
    /// None where the kernel makes none for whoever runs this: then what the server takes is only looked at.
    fn new() -> Option<Group> {
        let name = format!("perchd-soak-{}", std::process::id());
        let roots = [("/sys/fs/cgroup", "memory.max"), ("/sys/fs/cgroup/memory", "memory.limit_in_bytes")];
        roots.into_iter().find_map(|(root, bound)| {
            let group = Group(Path::new(root).join(&name));
            std::fs::create_dir(&group.0).ok()?;
            std::fs::OpenOptions::new().write(true).open(group.0.join(bound)).ok()?;
            std::fs::write(group.0.join(bound), (MEMORY_KIB * 1024).to_string()).ok().map(|()| group)
        })
    }

    /// What moves itself into the group and then becomes the program after it.
    fn within(&self) -> Vec<String> {
        let script = format!("echo $$ >{}/cgroup.procs && exec \"$@\"", self.0.display());
        ["sh", "-c", &script, "sh"].map(str::to_owned).to_vec()
    }

    fn read(&self, names: [&str; 2]) -> String {
        names.iter().find_map(|name| std::fs::read_to_string(self.0.join(name)).ok()).unwrap()
    }

    /// How many the kernel killed for want of memory.
    fn killed(&self) -> u64 {
        let events = self.read(["memory.events", "memory.oom_control"]);
        events.lines().find_map(|line| line.strip_prefix("oom_kill ")).unwrap().parse().unwrap()
    }

    /// The most that it had, with what was read from the disk and could be given up.
    fn peak_kib(&self) -> u64 {
        self.read(["memory.peak", "memory.max_usage_in_bytes"]).trim().parse::<u64>().unwrap() / 1024
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // The commands of a server that was killed are in it until they end.
        (0..100).any(|_| {
            std::thread::sleep(Duration::from_millis(100));
            std::fs::remove_dir(&self.0).is_ok()
        });
    }
}

/// One look at the server: its memory and its files.
struct Look {
    kib: u64,
    files: usize,
}

#[test]
fn fifty_mixed_clients() {
    let secs = std::env::var("SOAK_SECONDS").map_or(120, |secs| secs.parse().unwrap());
    let group = Group::new();
    let board = Board::under(group.as_ref().map(Group::within).unwrap_or_default(), TOML);
    let mut soakers: Vec<_> = (0..CLIENTS).map(|number| Soaker::new(number, board.port)).collect();
    // The first command opens what every later one uses, the pipe that tells of its end.
    (0..DEEDS.len()).for_each(|deed| soakers[0].act(deed));
    let idle_files = idle_files(&board);
    let (written_before, changed_before) = (written(&board), changed(board.state()));
    let (over, done) = (AtomicBool::new(false), Done::default());
    let sign_ins = Pace(Mutex::new(Instant::now()));
    let mut looks = Vec::new();
    let wrong = std::thread::scope(|scope| {
        let work = |mut soaker: Soaker| {
            let (over, done, sign_ins) = (&over, &done, &sign_ins);
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    let deed = usize::try_from(soaker.below(DEEDS.len() as u64)).unwrap();
                    // Codes and consents are remembered as spent for ten minutes, 256 of them: more is somebody's attack.
                    if deed == 4 && !sign_ins.is_due() {
                        continue;
                    }
                    soaker.act(deed);
                    done.0[deed].fetch_add(1, Ordering::Relaxed);
                    std::thread::sleep(Duration::from_millis(20 + soaker.below(60)));
                }
            })
        };
        let working: Vec<_> = soakers.into_iter().map(work).collect();
        let began = Instant::now();
        while began.elapsed() < Duration::from_secs(secs) && working.iter().all(|worker| !worker.is_finished()) {
            std::thread::sleep(Duration::from_secs(1));
            looks.push(Look { kib: board.resident_kib(), files: board.files() });
        }
        over.store(true, Ordering::Relaxed);
        working.into_iter().filter_map(|worker| worker.join().err()).count()
    });
    for (deed, count) in DEEDS.iter().zip(&done.0) {
        println!("soak: {} {deed}", count.load(Ordering::Relaxed));
    }
    let most = |looks: &[Look]| looks.iter().map(|look| look.kib).max().unwrap_or_default();
    let (warm, late) = (most(&looks[looks.len() / 4..looks.len() / 2]), most(&looks[looks.len() / 2..]));
    let files = looks.iter().map(|look| look.files).max().unwrap_or_default();
    let told = format!(
        "{secs} s, {wrong} clients with a wrong answer, {warm} KiB resident in the second quarter, {late} KiB in the second half, \
         {} KiB at most ever, {files} files open at most, {} bytes written",
        board.peak_kib(),
        written(&board) - written_before
    );
    println!("soak: {told}");
    match &group {
        Some(group) => println!("soak: the kernel gave it {MEMORY_KIB} KiB, of which it had {} at most", group.peak_kib()),
        None => println!("soak: this machine holds nobody to {MEMORY_KIB} KiB (no memory cgroup to write to)"),
    }
    assert_eq!(group.as_ref().map_or(0, Group::killed), 0, "killed for want of memory: {told}");
    assert_eq!(wrong, 0, "{told}");
    assert!(late <= warm + FLAT_KIB, "memory is not flat: {told}");
    assert!(board.peak_kib() <= MEMORY_KIB, "{told}");
    assert_eq!((written(&board), changed(board.state())), (written_before, changed_before), "{told}");
    // Calls that were left end by themselves, and what they held is free.
    let freed = (0..200).any(|_| {
        std::thread::sleep(Duration::from_millis(100));
        board.files() <= idle_files.len()
    });
    assert!(freed, "{idle_files:?} were open at the start, and at the end {:?}", board.file_names());
    let told = board.told();
    assert!(!told.contains("panicked"), "{told}");
}
