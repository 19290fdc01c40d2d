//! Conversations as text: `tests/transcripts/*.txt`, each played against a server of its own.
//!
//! ```text
//! # A comment.
//! ! open                                  the server: open, demo (where nothing is said) or fixtures
//! ! revision 2025-03-26 2025-06-18        played once for each of these, as {revision}
//! > POST /mcp                             a request: its line, its headers, an empty line, its body
//! > content-type: application/json
//! >
//! > {"jsonrpc":"2.0","id":1,"method":"ping"}
//! < 200                                   the answer: its status, headers that it must have, its body
//! < mcp-session-id: {session}             {name} remembers what stands here; later lines say it again as {name}
//! < without allow                         a header that it must not have
//! <
//! < {"jsonrpc":"2.0","id":1,"result":{}}  JSON is compared as JSON; … in a text stands for anything
//! a> GET /sse                             a request whose answer is a stream, called a
//! a< event: endpoint                      the next event of the stream a, all its lines
//! a< data: /messages?session={id}
//! a> (leave)                              closes the connection of the stream a
//! a< (end)                                the stream a ends
//! ```
//!
//! In a demo, {token} is a token for arithmetic alone.

use crate::board::Board;
use crate::embed::Embedded;
use crate::fixtures;
use crate::sign_in::Client;
use crate::wire::{Reply, Wire, request};
use serde_json::Value;
use std::any::Any;
use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

#[test]
fn every_transcript_goes_as_it_is_written() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut paths: Vec<_> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|end| end == "txt"));
    assert!(!paths.is_empty(), "there are no transcripts");
    let faults: Vec<String> = std::thread::scope(|scope| {
        let plays: Vec<_> = paths.iter().map(|path| scope.spawn(|| play(path))).collect();
        plays.into_iter().filter_map(|play| play.join().unwrap().err()).collect()
    });
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// Plays a transcript, once for each of its revisions.
fn play(path: &Path) -> Result<(), String> {
    let text = std::fs::read_to_string(path).unwrap();
    revisions(&text).into_iter().try_for_each(|revision| {
        Play::new(&text, revision).run(&text).map_err(|fault| format!("{}:{fault} ({revision})", path.display()))
    })
}

#[test]
fn a_transcript_that_is_wrong_is_found_out() {
    let wrong = |text: &str| Play::new(text, revisions(text)[0]).run(text).expect_err(text);
    assert!(wrong("! open\n> GET /nowhere\n< 200\n").starts_with("3: the status is 404"));
    assert!(wrong("! open\n> GET /sse\n< 200\n").starts_with("2: a stream wants a name"));
    assert!(wrong("! open\n> OPTIONS /mcp\n< 204\n< allow: x\n").starts_with("4: there is no header allow"));
    assert!(wrong("! open\n> PUT /mcp\n< 405\n< without allow\n").starts_with("4: there is a header allow"));
    assert!(wrong("! open\na> GET /sse\na< event: endpoint\na< (end)\n").starts_with("4: the stream goes on"));
    assert!(wrong("! open\na> GET /sse\na> (leave)\na< (end)\n").starts_with("4: no request goes before this"));
    assert!(wrong("! revision 2025-03-26\n! open\n> GET /{revision}\n< 200\n").starts_with("4: the status is 404"));
    let ping = "! open\n> POST /mcp\n> content-type: application/json\n>\n> {\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\"}\n< 200\n<\n";
    assert!(wrong(&format!("{ping}< {{\"jsonrpc\":\"2.0\",\"id\":\"1\",\"result\":{{}}}}\n")).starts_with("8: the body is"));
}

/// The revisions that a transcript is played for; one that names none is played once.
fn revisions(text: &str) -> Vec<&str> {
    let named = text.lines().find_map(|line| line.strip_prefix("! revision "));
    named.map_or(vec!["any revision"], |names| names.split_whitespace().collect())
}

struct Play {
    /// The server, which ends with the play.
    _server: Box<dyn Any>,
    port: u16,
    known: HashMap<String, String>,
    streams: HashMap<String, Wire>,
}

/// A line of a transcript: its number, who speaks on which stream, and what.
struct Line<'a> {
    number: usize,
    stream: &'a str,
    is_request: bool,
    text: &'a str,
}

impl Play {
    fn new(text: &str, revision: &str) -> Play {
        let says = |mode: &str| text.lines().any(|line| line == mode);
        let (server, port): (Box<dyn Any>, u16) = if says("! fixtures") {
            let server = Embedded::serving(|config, _| fixtures::server(config));
            let port = server.port;
            (Box::new(server), port)
        } else {
            let board = Board::start(if says("! open") { "open" } else { "demo" });
            let port = board.port;
            (Box::new(board), port)
        };
        let mut known = HashMap::from([("port".to_owned(), port.to_string()), ("revision".to_owned(), revision.to_owned())]);
        if text.contains("{token}") {
            let client = Client::register(port);
            known.insert("token".to_owned(), client.sign_in("ada", &["math"]).access);
        }
        Play { _server: server, port, known, streams: HashMap::new() }
    }

    fn run(mut self, text: &str) -> Result<(), String> {
        let lines: Vec<Line<'_>> = text.lines().enumerate().filter_map(|(index, line)| parse(index + 1, line)).collect();
        let same = |left: &Line<'_>, right: &Line<'_>| {
            // These two stand alone.
            !matches!(right.text, "(leave)" | "(end)")
                && left.is_request == right.is_request
                && left.stream == right.stream
                && right.number == left.number + 1
        };
        let mut answer = None;
        for part in lines.chunk_by(same) {
            let first = &part[0];
            match (first.is_request, answer.take()) {
                (true, _) => answer = self.ask(part)?,
                (false, Some(reply)) => self.compare_reply(part, &reply)?,
                (false, None) => self.compare_event(part)?,
            }
        }
        Ok(())
    }

    /// Sends a request, and reads its answer unless that is a stream.
    fn ask(&mut self, part: &[Line<'_>]) -> Result<Option<Reply>, String> {
        let number = part[0].number;
        if part[0].text == "(leave)" {
            self.streams.remove(part[0].stream).ok_or(format!("{number}: no request goes before this"))?;
            // So that the server has noticed before anything else is said.
            std::thread::sleep(Duration::from_millis(50));
            return Ok(None);
        }
        let said: Vec<String> = part.iter().map(|line| self.filled(line.text)).collect();
        let mut parts = said.splitn(2, String::is_empty);
        let head = parts.next().unwrap_or_default();
        let body = parts.next().unwrap_or_default().join("\n");
        let headers: Vec<&str> = head[1..].iter().map(String::as_str).collect();
        let mut wire = Wire::open(self.port);
        wire.send(&request(self.port, &head[0], &headers, &body)).map_err(|error| format!("{number}: {error}"))?;
        let reply = wire.head().map_err(|error| format!("{number}: no answer: {error}"))?;
        let is_stream = reply.header("content-type") == Some("text/event-stream");
        let is_open = is_stream && reply.header("connection") == Some("close");
        match (is_stream, part[0].stream.is_empty()) {
            (true, true) if is_open => return Err(format!("{number}: a stream wants a name")),
            (_, true) => return wire.body(reply).map(Some).map_err(|error| format!("{number}: no answer: {error}")),
            (false, false) => return Err(format!("{number}: no stream, but {reply:?}")),
            (true, false) => {}
        }
        self.streams.insert(part[0].stream.to_owned(), wire);
        Ok(None)
    }

    fn compare_reply(&mut self, part: &[Line<'_>], reply: &Reply) -> Result<(), String> {
        let fault = |line: &Line<'_>, what: String| Err(format!("{}: {what}", line.number));
        if part[0].text != reply.status.to_string() {
            return fault(&part[0], format!("the status is {}: {reply:?}", reply.status));
        }
        let end = part.iter().position(|line| line.text.is_empty()).unwrap_or(part.len());
        for line in &part[1..end] {
            if let Some(name) = line.text.strip_prefix("without ") {
                match reply.header(name) {
                    None => continue,
                    Some(value) => return fault(line, format!("there is a header {name}: {value:?}")),
                }
            }
            let (name, wanted) = line.text.split_once(": ").ok_or(format!("{}: no header", line.number))?;
            let Some(value) = reply.header(name) else { return fault(line, format!("there is no header {name}")) };
            if !self.matches(wanted, value) {
                return fault(line, format!("{name} is {value:?}"));
            }
        }
        let Some(body) = part.get(end + 1..).filter(|body| !body.is_empty()) else { return Ok(()) };
        let wanted = body.iter().map(|line| line.text).collect::<Vec<_>>().join("\n");
        // Blanks at the end of a line are not written down.
        let said = reply.body.trim_end().lines().map(str::trim_end).collect::<Vec<_>>().join("\n");
        if !self.matches_body(&wanted, &said) {
            return fault(&body[0], format!("the body is {}", reply.body));
        }
        Ok(())
    }

    fn compare_event(&mut self, part: &[Line<'_>]) -> Result<(), String> {
        let number = part[0].number;
        let wire = self.streams.get_mut(part[0].stream).ok_or(format!("{number}: no request goes before this"))?;
        if part[0].text == "(end)" {
            wire.patience(Duration::from_millis(500));
            return match wire.event() {
                Ok(None) => Ok(()),
                other => Err(format!("{number}: the stream goes on: {other:?}")),
            };
        }
        let event = wire
            .event()
            .map_err(|error| format!("{number}: no event: {error}"))?
            .ok_or(format!("{number}: the stream has ended"))?;
        for (line, said) in part.iter().zip(event.trim_end().lines().chain(std::iter::repeat(""))) {
            let is_same = match (line.text.strip_prefix("data: "), said.strip_prefix("data: ")) {
                (Some(wanted), Some(said)) => self.matches_body(wanted, said),
                _ => self.matches(line.text, said.trim_end()),
            };
            if !is_same {
                return Err(format!("{}: the event says {said:?}", line.number));
            }
        }
        Ok(())
    }

    fn matches_body(&mut self, wanted: &str, said: &str) -> bool {
        match (serde_json::from_str::<Value>(&self.filled(wanted)), serde_json::from_str::<Value>(said)) {
            (Ok(wanted), Ok(said)) => self.matches_json(&wanted, &said),
            _ => self.matches(wanted, said),
        }
    }

    fn matches_json(&mut self, wanted: &Value, said: &Value) -> bool {
        match (wanted, said) {
            (Value::String(wanted), Value::String(said)) if wanted.starts_with('{') && wanted.ends_with('}') => {
                self.matches(wanted, said)
            }
            (Value::String(wanted), Value::String(said)) => wildcard(wanted, said),
            (Value::String(wanted), _) => wanted == "…",
            (Value::Array(wanted), Value::Array(said)) => {
                wanted.len() == said.len() && wanted.iter().zip(said).all(|(wanted, said)| self.matches_json(wanted, said))
            }
            (Value::Object(wanted), Value::Object(said)) => {
                wanted.len() == said.len()
                    && wanted.iter().all(|(name, wanted)| said.get(name).is_some_and(|said| self.matches_json(wanted, said)))
            }
            _ => wanted == said,
        }
    }

    /// Whether `said` is as `wanted`; a `{name}` that is not known yet is known from now on.
    fn matches(&mut self, wanted: &str, said: &str) -> bool {
        let wanted = self.filled(wanted);
        let hole =
            wanted.split_once('{').and_then(|(before, rest)| rest.split_once('}').map(|(name, after)| (before, name, after)));
        let Some((before, name, after)) = hole.filter(|(_, name, _)| name.bytes().all(|b| b.is_ascii_lowercase())) else {
            return wildcard(&wanted, said);
        };
        let Some(value) = said.strip_prefix(before).and_then(|said| said.strip_suffix(after)) else { return false };
        self.known.insert(name.to_owned(), value.to_owned());
        true
    }

    fn filled(&self, text: &str) -> String {
        self.known.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
    }
}

fn parse(number: usize, line: &str) -> Option<Line<'_>> {
    if line.starts_with(['#', '!']) {
        return None;
    }
    let at = line.find(['>', '<'])?;
    let (stream, rest) = line.split_at(at);
    let is_request = rest.starts_with('>');
    Some(Line { number, stream, is_request, text: rest[1..].trim() })
}

fn wildcard(wanted: &str, said: &str) -> bool {
    let Some((start, rest)) = wanted.split_once('…') else { return wanted == said };
    let Some(mut said) = said.strip_prefix(start) else { return false };
    let (middle, end) = rest.rsplit_once('…').map_or(("", rest), |(middle, end)| (middle, end));
    for part in middle.split('…') {
        let Some(at) = said.find(part) else { return false };
        said = &said[at + part.len()..];
    }
    said.ends_with(end)
}
