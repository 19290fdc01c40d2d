//! A running perchd, with a folder of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStderr, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// A folder that is gone when the test is.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let name = format!("perchd-it-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Folder(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// The name of the configuration, in the folder of the state.
const CONFIG: &str = "perchd.toml";

/// What a program says on stderr, as it says it.
#[derive(Clone, Default)]
struct Said(Arc<Mutex<String>>);

impl Said {
    fn follow(&self, stderr: ChildStderr) -> JoinHandle<()> {
        let said = self.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).split(b'\n').map_while(Result::ok) {
                let mut text = said.0.lock().unwrap();
                text.push_str(&String::from_utf8_lossy(&line));
                text.push('\n');
            }
        })
    }

    fn times(&self, what: &str) -> usize {
        self.0.lock().unwrap().matches(what).count()
    }

    /// All of it, once it has ended.
    fn all(&self, stderr: JoinHandle<()>) -> String {
        stderr.join().unwrap();
        self.0.lock().unwrap().clone()
    }
}

/// A server that runs.
pub(crate) struct Board {
    child: Child,
    pub(crate) port: u16,
    pub(crate) greeting: String,
    auth: &'static str,
    level: &'static str,
    state: std::rc::Rc<Folder>,
    /// What it runs under: a program and its arguments, or nothing.
    under: Vec<String>,
    /// Reads what it says as it says it: a pipe that is full would hold it up.
    stderr: Option<JoinHandle<()>>,
    said: Said,
}

impl Board {
    /// Starts a server on a free port.
    pub(crate) fn start(auth: &'static str) -> Board {
        Board::telling(auth, "info")
    }

    /// The same with this `PERCHD_LOG`.
    pub(crate) fn telling(auth: &'static str, level: &'static str) -> Board {
        Board::launch(auth, level, 0, std::rc::Rc::new(Folder::new()), Vec::new())
    }

    /// Starts a server with this configuration, on a free port of 127.0.0.1.
    pub(crate) fn configured(toml: &str) -> Board {
        Board::under(Vec::new(), toml)
    }

    /// The same under another program, which must become it: `env NAME=VALUE`, `strace -D`.
    pub(crate) fn under(program: Vec<String>, toml: &str) -> Board {
        let state = std::rc::Rc::new(Folder::new());
        std::fs::write(state.path().join(CONFIG), toml).unwrap();
        Board::launch("", "info", 0, state, program)
    }

    /// Writes another configuration, and waits until it was read, whatever came of it.
    pub(crate) fn reconfigure(&self, toml: &str) {
        let before = self.said.times("SIGHUP: ");
        // In one piece: it may still be reading because of the signal before.
        let next = self.state().join("next.toml");
        std::fs::write(&next, toml).unwrap();
        std::fs::rename(next, self.state().join(CONFIG)).unwrap();
        self.signal("-HUP");
        let began = Instant::now();
        while self.said.times("SIGHUP: ") == before {
            assert!(began.elapsed() < Duration::from_secs(10), "it does not say that it was told to read");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn launch(auth: &'static str, level: &'static str, port: u16, state: std::rc::Rc<Folder>, under: Vec<String>) -> Board {
        let mut command = command_under(&under);
        let config = state.path().join(CONFIG);
        if config.exists() {
            command.arg("serve").arg("--config").arg(config);
        } else {
            command.args(["serve", "--auth", auth]);
        }
        let mut child = command
            .env("PERCHD_LOG", level)
            .args(["--listen", &format!("127.0.0.1:{port}"), "--state"])
            .arg(state.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let said = Said::default();
        let stderr = said.follow(child.stderr.take().unwrap());
        let mut lines = BufReader::new(child.stdout.take().unwrap());
        let mut greeting = String::new();
        while !greeting.contains("Ctrl-C") {
            let read = lines.read_line(&mut greeting).unwrap();
            assert!(read > 0, "perchd ended at its start: {greeting}{}", said.all(stderr));
        }
        let address = greeting.split_whitespace().find_map(|word| word.strip_prefix("127.0.0.1:")).unwrap();
        let port = address.parse().unwrap();
        Board { child, port, greeting, auth, level, state, under, said, stderr: Some(stderr) }
    }

    /// The folder with its state.
    pub(crate) fn state(&self) -> &Path {
        self.state.path()
    }

    /// Asks it to end, as systemd does.
    pub(crate) fn terminate(&self) {
        self.signal("-TERM");
    }

    fn signal(&self, signal: &str) {
        let sent = Command::new("kill").args([signal, &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for its end; how it ended, how long that took, and what it said.
    pub(crate) fn wait(&mut self) -> (Option<i32>, Duration, String) {
        let began = Instant::now();
        let status = self.child.wait().unwrap();
        (status.code(), began.elapsed(), self.stderr())
    }

    /// Ends it without warning; what it said.
    pub(crate) fn told(mut self) -> String {
        // It says what was read a moment later, and has done all else before it takes a new connection.
        let _ = TcpStream::connect(("127.0.0.1", self.port)).and_then(|mut wire| {
            wire.set_read_timeout(Some(Duration::from_secs(10)))?;
            wire.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
            wire.read(&mut [0])
        });
        std::thread::sleep(10 * Duration::from_millis(perchd::limits::AUDIT_HOLD_MS));
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.stderr()
    }

    fn stderr(&mut self) -> String {
        self.stderr.take().map(|stderr| self.said.all(stderr)).unwrap_or_default()
    }

    /// Its number among processes.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The memory that it holds, in KiB.
    pub(crate) fn resident_kib(&self) -> u64 {
        kib(self.pid(), "VmRSS:")
    }

    /// Ends it without warning and starts it anew, on the same port with the same state.
    pub(crate) fn power_cut(mut self) -> Board {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        let under = std::mem::take(&mut self.under);
        Board::launch(self.auth, self.level, self.port, std::rc::Rc::clone(&self.state), under)
    }
}

/// What is asked of it where it is measured, and by no test of `it`.
#[allow(dead_code)]
impl Board {
    /// The most that it ever held.
    pub(crate) fn peak_kib(&self) -> u64 {
        kib(self.pid(), "VmHWM:")
    }

    /// How many files it has open.
    pub(crate) fn files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().count()
    }

    /// What they are.
    pub(crate) fn file_names(&self) -> Vec<String> {
        let links = std::fs::read_dir(format!("/proc/{}/fd", self.pid())).unwrap().map(|entry| entry.unwrap().path());
        let names = links.filter_map(|link| std::fs::read_link(link).ok());
        names.map(|name| name.display().to_string()).collect()
    }

    /// Ends it without warning. [`Board::power_cut`] starts it anew.
    pub(crate) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// How often it has said something.
    pub(crate) fn times(&self, what: &str) -> usize {
        self.said.times(what)
    }
}

impl Drop for Board {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the kernel says of a process under this name.
fn kib(pid: u32, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether this is root, who may read everything and be anybody.
pub(crate) fn is_root() -> bool {
    std::fs::metadata("/proc/self").is_ok_and(|of_process| std::os::unix::fs::MetadataExt::uid(&of_process) == 0)
}

/// The program.
pub(crate) fn command() -> Command {
    command_under(&[])
}

/// The same under another program, which must become it.
pub(crate) fn command_under(under: &[String]) -> Command {
    // What is measured is the program that ships.
    let program = std::env::var("PERCHD_MEASURED").unwrap_or_else(|_| env!("CARGO_BIN_EXE_perchd").to_owned());
    let mut words = under.iter().map(String::as_str).chain([program.as_str()]);
    let mut command = Command::new(words.next().unwrap_or_default());
    command.args(words);
    // The machine's own perchd is none of ours.
    for name in ["RUNTIME_DIRECTORY", "STATE_DIRECTORY", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"] {
        command.env_remove(name);
    }
    command.env_remove("PERCHD_CONFIG").env_remove("PERCHD_LOG").env_remove("JOURNAL_STREAM").stdin(Stdio::null());
    command
}
