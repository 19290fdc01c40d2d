//! Messages of a client on stdin and stdout to a server over HTTP, and back. What the two agree on is theirs: the bridge only
//! remembers what a transport must know, the session and the revision.

mod listen;
mod message;
mod param;
mod post;

use crate::client::http::Client;
use crate::client::oauth::{Access, Settings as SignIn};
use crate::client::tls::{Tls, Trust};
use crate::client::url::Url;
use crate::errand;
use crate::error::{Error, Exit};
use crate::json;
use crate::limits;
use crate::tool::Param;
use message::{Message, refusal};
use std::cell::{Cell, RefCell};
use std::io::{self, BufRead, Read, Write};
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::{Mutex, Notify, mpsc};
use tokio::task::AbortHandle;

/// What to connect to, and how.
#[derive(Debug)]
pub(crate) struct Settings {
    pub(crate) url: Url,
    pub(crate) trust: Trust,
    pub(crate) sign_in: SignIn,
    /// Headers that the user gives.
    pub(crate) headers: Vec<(String, String)>,
    /// How long a request waits for a server that is gone.
    pub(crate) patience: Duration,
}

/// What a transport must remember.
#[derive(Default)]
struct Session {
    id: Option<String>,
    version: Option<String>,
    /// The client's own `initialize`, for a server that has forgotten the session.
    initialize: Option<Rc<Message>>,
    is_initialized: bool,
    /// Counts handshakes.
    generation: u32,
}

/// A request under way.
struct Flight {
    id: String,
    task: Option<AbortHandle>,
    is_stateless: bool,
    /// Its answer is a list of tools, whose marks are remembered.
    is_list: bool,
}

struct Bridge {
    client: Rc<Client>,
    access: Access,
    url: Url,
    headers: Vec<(String, String)>,
    patience: Duration,
    session: RefCell<Session>,
    flights: RefCell<Vec<Flight>>,
    /// Where messages go in the older transport, once its stream has said so.
    endpoint: RefCell<Option<Url>>,
    is_older: Cell<bool>,
    /// Its stream is refused until a person has signed in.
    is_shut: Cell<bool>,
    /// Ends the pause before its stream is tried again.
    wake: Notify,
    /// An answer that only we asked for.
    swallowed: RefCell<Option<String>>,
    /// By tool: the arguments that a call repeats in its headers.
    marks: RefCell<Vec<(String, Vec<Param>)>>,
    renewal: Mutex<()>,
    /// For tasks that go on by themselves.
    own: RefCell<Weak<Bridge>>,
}

enum Line {
    Whole(Vec<u8>),
    TooLong,
}

/// Runs until stdin ends.
///
/// # Errors
/// When the server cannot be reached, or lets nobody in.
pub(crate) fn run(settings: Settings) -> Result<(), Error> {
    let client = Rc::new(Client::new(Tls::new(settings.trust)?));
    let access = Access::new(Rc::clone(&client), settings.url.clone(), settings.sign_in)?;
    let bridge = Rc::new(Bridge {
        client,
        access,
        url: settings.url,
        headers: settings.headers,
        patience: settings.patience,
        session: RefCell::default(),
        flights: RefCell::default(),
        endpoint: RefCell::default(),
        is_older: Cell::default(),
        is_shut: Cell::default(),
        wake: Notify::new(),
        swallowed: RefCell::default(),
        marks: RefCell::default(),
        renewal: Mutex::new(()),
        own: RefCell::default(),
    });
    *bridge.own.borrow_mut() = Rc::downgrade(&bridge);
    let unstarted = |error| Error::new(Exit::System, "cannot start").because(error);
    let runtime =
        Builder::new_current_thread().enable_io().enable_time().build_local(LocalOptions::default()).map_err(unstarted)?;
    let (sender, lines) = mpsc::channel(limits::LINES);
    std::thread::spawn(move || read_lines(&mut io::stdin().lock(), &sender));
    let done = errand::wait(&runtime, async {
        stop_on_signal(&bridge);
        bridge.run(lines).await
    });
    // The thread that reads stdin may wait for ever.
    runtime.shutdown_background();
    done
}

#[cfg(unix)]
fn stop_on_signal(bridge: &Rc<Bridge>) {
    use tokio::signal::unix::{SignalKind, signal};
    for kind in [SignalKind::terminate(), SignalKind::interrupt()] {
        let bridge = Rc::clone(bridge);
        let Ok(mut signal) = signal(kind) else { continue };
        errand::begin(async move {
            signal.recv().await;
            bridge.say_goodbye().await;
            std::process::exit(0);
        });
    }
}

#[cfg(not(unix))]
fn stop_on_signal(_bridge: &Rc<Bridge>) {}

fn read_lines(input: &mut impl BufRead, lines: &mpsc::Sender<Line>) {
    loop {
        let mut line = Vec::new();
        let read = input.by_ref().take(limits::MESSAGE_BYTES as u64 + 1).read_until(b'\n', &mut line);
        if !matches!(read, Ok(1..)) {
            return;
        }
        let mut found = if line.len() > limits::MESSAGE_BYTES { Line::TooLong } else { Line::Whole(line) };
        if matches!(found, Line::TooLong) && input.skip_until(b'\n').is_err() {
            return;
        }
        if let Line::Whole(line) = &mut found {
            line.truncate(line.trim_ascii_end().len());
            if line.is_empty() {
                continue;
            }
        }
        if lines.blocking_send(found).is_err() {
            return;
        }
    }
}

impl Bridge {
    async fn run(self: &Rc<Self>, mut lines: mpsc::Receiver<Line>) -> Result<(), Error> {
        while let Some(line) = lines.recv().await {
            let message = match line {
                Line::Whole(bytes) => Message::parse(bytes),
                Line::TooLong => None,
            };
            let Some(message) = message else {
                tell("what came from the client is no JSON-RPC, or larger than 16 MiB");
                pass(&refusal("null", -32700, "This is no JSON-RPC message, or it is too large."));
                continue;
            };
            self.take(Rc::new(message)).await?;
        }
        // Who pipes requests in wants their answers.
        let end = Instant::now() + Duration::from_secs(limits::FAREWELL_SECS);
        while !self.flights.borrow().is_empty() && Instant::now() < end {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        self.say_goodbye().await;
        Ok(())
    }

    /// Sends a message on. Those of the handshake go one after the other, and without them there is nothing to do.
    async fn take(self: &Rc<Self>, message: Rc<Message>) -> Result<(), Error> {
        let is_first = message.is("initialize") && self.session.borrow().generation == 0;
        if message.is("initialize") {
            self.session.borrow_mut().initialize = Some(Rc::clone(&message));
        }
        if let Some(id) = &message.cancels {
            let flight = self.landed(id);
            if let Some(Flight { task: Some(task), is_stateless: true, .. }) = &flight {
                // Closing the stream is what gives a request up (MCP 2026-07-28, basic/transports).
                task.abort();
                return Ok(());
            }
        }
        if self.flights.borrow().len() + message.asks.len() > limits::FLIGHTS {
            message.asks.iter().for_each(|id| pass(&refusal(id, -32000, "Too many requests are under way.")));
            return Ok(());
        }
        for id in &message.asks {
            let is_stateless = message.stateless.is_some();
            let flight = Flight { id: id.clone(), task: None, is_stateless, is_list: is_stateless && message.is("tools/list") };
            self.landed(id);
            self.flights.borrow_mut().push(flight);
        }
        if message.is("initialize") || message.is("notifications/initialized") {
            let done = self.deliver(&message).await;
            if message.is("notifications/initialized") && done.is_ok() {
                self.session.borrow_mut().is_initialized = true;
                self.listen();
            }
            return if is_first { done } else { Ok(()) };
        }
        let (bridge, sent) = (Rc::clone(self), Rc::clone(&message));
        let task = errand::begin(async move { _ = bridge.deliver(&sent).await });
        for flight in self.flights.borrow_mut().iter_mut().filter(|flight| message.asks.contains(&flight.id)) {
            flight.task = Some(task.abort_handle());
        }
        Ok(())
    }

    /// Sends a message; what goes wrong is said to the client, once for each request.
    async fn deliver(&self, message: &Message) -> Result<(), Error> {
        let sent = self.send(message).await;
        if let Err(error) = &sent {
            tell(&error.to_string());
            let words = error.to_string().replace("\n  ", " ");
            message.asks.iter().for_each(|id| self.refuse(id, &words));
        }
        if !self.is_older.get() {
            message.asks.iter().for_each(|id| _ = self.landed(id));
        }
        sent
    }

    /// Takes a request out of those under way.
    fn landed(&self, id: &str) -> Option<Flight> {
        let mut flights = self.flights.borrow_mut();
        let place = flights.iter().position(|flight| flight.id == id)?;
        Some(flights.swap_remove(place))
    }

    /// Answers a request with an error, unless it was answered or given up.
    fn refuse(&self, id: &str, words: &str) {
        if self.landed(id).is_some() {
            pass(&refusal(id, -32000, words));
        }
    }

    /// A message of the server, to the client.
    fn relay(&self, data: Vec<u8>) -> Option<Message> {
        let mut message = Message::parse(data)?;
        if message.answers.first().is_some_and(|id| self.swallowed.borrow().as_ref() == Some(id)) {
            self.swallowed.borrow_mut().take();
            return Some(message);
        }
        if message.method.is_none() {
            // One that was given up, or answered with an error already, is answered no more.
            let known: Vec<Flight> = message.answers.iter().filter_map(|id| self.landed(id)).collect();
            if known.is_empty() {
                return Some(message);
            }
            if known.iter().any(|flight| flight.is_list) {
                let mut list = json::read(&message.bytes).unwrap_or_default();
                message.bytes = self.note_marks(&mut list).unwrap_or(message.bytes);
            }
        }
        if let Some(version) = &message.agreed {
            self.session.borrow_mut().version.get_or_insert_with(|| version.clone());
        }
        pass(&message.bytes);
        Some(message)
    }
}

/// One line on stdout. When nobody reads it any more, there is nobody to work for.
fn pass(bytes: &[u8]) {
    // A line break in JSON is white space, and only one ends a message here.
    let mut line: Vec<u8> = bytes.iter().map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { *byte }).collect();
    line.push(b'\n');
    let mut out = io::stdout().lock();
    if out.write_all(&line).and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}

/// For people, on stderr: stdout belongs to the protocol.
fn tell(words: &str) {
    let _ = writeln!(io::stderr().lock(), "perchd: {words}");
}
