//! What a unit wrote, from the lines of `journalctl --output=json`.

use crate::builtin::services::text::{bounded, moment};
use crate::config::services::Unit;
use crate::json;
use crate::limits;
use serde::Serialize;
use serde_json::{Map, Value};
use std::fmt::{self, Write};

/// The names of priorities, the most urgent first (syslog(3)).
pub(super) const PRIORITIES: [&str; 8] = ["emerg", "alert", "crit", "err", "warning", "notice", "info", "debug"];

/// The times that are understood: so long ago, or a date, perhaps with a time, in UTC.
pub(super) const TIME: &str = "[0-9]{1,5}(s|min|h|d)|[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}:[0-9]{2}(:[0-9]{2})?Z?)?";

/// Which entries are wanted; what is left out leaves all in.
#[derive(Debug, Default)]
pub(super) struct Filter {
    pub(super) lines: u32,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) priority: Option<String>,
    pub(super) search: Option<String>,
}

impl Filter {
    /// The words behind `journalctl`. Values stand behind a `=`, so that none is taken for an option.
    pub(super) fn words(&self, unit: &Unit) -> Vec<String> {
        let mut words: Vec<String> = [
            "--output=json",
            "--output-fields=MESSAGE,PRIORITY,SYSLOG_IDENTIFIER,_PID",
            "--no-pager",
            // The newest first, so that they are what is kept where there is more than fits.
            "--reverse",
        ]
        .map(str::to_owned)
        .to_vec();
        words.push(format!("--lines={}", self.lines));
        words.push(format!("--unit={unit}"));
        let optional = [
            ("--since", self.since.as_deref().map(time)),
            ("--until", self.until.as_deref().map(time)),
            ("--priority", self.priority.clone()),
            ("--grep", self.search.clone()),
        ];
        words.extend(optional.into_iter().filter_map(|(option, value)| Some(format!("{option}={}", value?))));
        words
    }
}

/// A time as `journalctl` has it (systemd.time(7)).
fn time(given: &str) -> String {
    if given.contains('-') { given.replace('T', " ").replace('Z', "") } else { format!("-{given}") }
}

/// What is said where `journalctl` says that it may not read everything.
pub(super) fn hidden(stderr: &[u8]) -> Option<&'static str> {
    let stderr = String::from_utf8_lossy(stderr);
    let is_hidden = ["insufficient permissions", "not seeing messages"].iter().any(|hint| stderr.contains(hint));
    is_hidden.then_some(
        "[perchd may not read the whole journal. Its owner can allow it: SupplementaryGroups=systemd-journal in perchd.service.]",
    )
}

/// The entries, the oldest first.
#[derive(Debug, Default, Serialize)]
pub(super) struct Journal {
    pub(super) unit: String,
    pub(super) entries: Vec<Entry>,
    /// Whether older ones were left out because there was no room for them.
    pub(super) is_cut: bool,
    /// How many lines could not be read.
    #[serde(skip_serializing_if = "is_none")]
    unreadable: usize,
    /// Why there may be less than was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) note: Option<&'static str>,
}

// As serde calls it.
#[allow(clippy::trivially_copy_pass_by_ref)]
fn is_none(count: &usize) -> bool {
    *count == 0
}

/// One of them. What it does not say is left out.
#[derive(Debug, PartialEq, Serialize)]
pub(super) struct Entry {
    #[serde(skip_serializing_if = "Option::is_none")]
    time: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    priority: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    identifier: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pid: Option<u32>,
    message: String,
    /// Whether the message is longer than what is shown.
    is_cut: bool,
}

impl Journal {
    /// Reads lines of which the newest is the first; the last one is not whole where the output `is_cut`.
    pub(super) fn read(unit: &Unit, printed: &[u8], is_cut: bool) -> Self {
        let mut journal = Journal { unit: unit.to_string(), is_cut, ..Journal::default() };
        let whole = if is_cut { &printed[..printed.iter().rposition(|byte| *byte == b'\n').unwrap_or(0)] } else { printed };
        let mut room = limits::JOURNAL_MESSAGES_BYTES;
        for line in whole.split(|byte| *byte == b'\n') {
            // What `journalctl` says besides, such as `-- No entries --`.
            if line.trim_ascii().is_empty() || line.starts_with(b"-- ") {
                continue;
            }
            let Some(entry) = Entry::read(line) else {
                journal.unreadable += 1;
                continue;
            };
            let Some(left) = room.checked_sub(entry.message.len()) else {
                journal.is_cut = true;
                break;
            };
            room = left;
            journal.entries.push(entry);
            if journal.entries.len() >= limits::JOURNAL_ENTRIES.0 as usize {
                break;
            }
        }
        journal.entries.reverse();
        journal
    }

    /// The JSON Schema of it.
    pub(super) fn schema() -> Value {
        let mut schema = written!({
            "type": "object",
            "properties": {
                "unit": { "type": "string" },
                "entries": { "type": "array", "description": "the oldest first", "items": {
                    "type": "object",
                    "properties": {
                        "time": { "type": "string", "description": "in UTC" },
                        "priority": { "type": "string" },
                        "identifier": { "type": "string" },
                        "pid": { "type": "integer", "minimum": 0 },
                        "message": { "type": "string" },
                        "is_cut": { "type": "boolean", "description": "whether the message is longer than what is shown" }
                    },
                    "required": ["message", "is_cut"],
                    "additionalProperties": false
                } },
                "is_cut": { "type": "boolean", "description": "whether older entries were left out for want of room" },
                "unreadable": { "type": "integer", "minimum": 0, "description": "lines that could not be read" },
                "note": { "type": "string", "description": "why there may be less than was written" }
            },
            "required": ["unit", "entries", "is_cut"],
            "additionalProperties": false
        });
        let words = PRIORITIES.iter().copied().map(Value::from).collect();
        schema["properties"]["entries"]["items"]["properties"]["priority"]["enum"] = words;
        schema
    }
}

impl Entry {
    fn read(line: &[u8]) -> Option<Self> {
        if line.len() > limits::JOURNAL_LINE_BYTES {
            return None;
        }
        let line: Map<String, Value> = json::read(line).ok()?;
        let word = |name| line.get(name).and_then(text);
        let number = |name| word(name).and_then(|text| text.parse::<u64>().ok());
        let (message, is_cut) = match line.get("MESSAGE") {
            // What is larger than 4 KiB is null (systemd Journal JSON Format).
            Some(Value::Null) => ("[left out: longer than 4 KiB]".to_owned(), true),
            Some(value) => bounded(text(value)?.trim_end(), limits::JOURNAL_MESSAGE_BYTES),
            None => (String::new(), false),
        };
        Some(Entry {
            time: number("__REALTIME_TIMESTAMP").map(moment),
            priority: number("PRIORITY").and_then(|at| PRIORITIES.get(usize::try_from(at).ok()?)).copied(),
            identifier: word("SYSLOG_IDENTIFIER").map(|name| bounded(&name, limits::UNIT_TEXT_BYTES).0),
            pid: number("_PID").and_then(|pid| pid.try_into().ok()),
            message,
            is_cut,
        })
    }
}

/// The text of a field: a string; its bytes where it is no text; or several of these, where the field was set more than once.
fn text(field: &Value) -> Option<String> {
    match field {
        Value::String(text) => Some(text.clone()),
        Value::Array(items) if items.iter().any(Value::is_number) => bytes(items),
        Value::Array(items) => {
            let one = |item: &Value| match item {
                Value::String(text) => Some(text.clone()),
                Value::Array(items) => bytes(items),
                _ => None,
            };
            let texts: Vec<String> = items.iter().map_while(one).collect();
            (texts.len() == items.len()).then(|| texts.join("\n"))
        }
        _ => None,
    }
}

fn bytes(items: &[Value]) -> Option<String> {
    let mut bytes = Vec::with_capacity(items.len());
    for item in items {
        bytes.push(item.as_u64()?.try_into().ok()?);
    }
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// As `journalctl` shows it to people.
impl fmt::Display for Journal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        if self.is_cut {
            text.push_str("[Older entries were left out for want of room: ask for fewer, or for other times.]\n");
        }
        for entry in &self.entries {
            writeln!(text, "{entry}")?;
        }
        if self.entries.is_empty() {
            writeln!(text, "The journal has no such entry of {}.", self.unit)?;
        }
        if self.unreadable > 0 {
            writeln!(text, "[{} lines could not be read.]", self.unreadable)?;
        }
        text.push_str(self.note.unwrap_or_default());
        f.write_str(text.trim_end())
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.time.as_deref().unwrap_or("-"), self.identifier.as_deref().unwrap_or("-"))?;
        if let Some(pid) = self.pid {
            write!(f, "[{pid}]")?;
        }
        // The usual ones need no word.
        if let Some(priority) = self.priority.filter(|priority| !matches!(*priority, "info" | "notice")) {
            write!(f, " {priority}")?;
        }
        write!(f, ": {}{}", self.message, if self.is_cut { " […]" } else { "" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unit() -> Unit {
        Unit::parse("nginx.service").unwrap()
    }

    fn read(printed: &str) -> Journal {
        Journal::read(&unit(), printed.as_bytes(), false)
    }

    fn message(json: &str) -> String {
        let journal = read(&format!("{{\"MESSAGE\":{json}}}"));
        assert_eq!((journal.entries.len(), journal.unreadable), (1, 0), "{json}");
        journal.entries[0].message.clone()
    }

    #[test]
    fn what_is_wanted_becomes_words_that_are_no_options() {
        let least = Filter { lines: 50, ..Filter::default() }.words(&unit());
        assert_eq!(least[3..], ["--reverse", "--lines=50", "--unit=nginx.service"]);
        let all = Filter {
            lines: 1,
            since: Some("2h".to_owned()),
            until: Some("2026-11-24T03:36:17Z".to_owned()),
            priority: Some("err".to_owned()),
            search: Some("--vacuum-size=1".to_owned()),
        };
        assert_eq!(
            all.words(&unit())[6..],
            ["--since=-2h", "--until=2026-11-24 03:36:17", "--priority=err", "--grep=--vacuum-size=1"]
        );
        assert_eq!(time("2026-11-24"), "2026-11-24");
        assert_eq!(time("30min"), "-30min");
    }

    #[test]
    fn only_times_are_taken_for_times() {
        let pattern = crate::tool::Pattern::new(TIME).unwrap();
        for good in ["5s", "30min", "2h", "10d", "2026-11-24", "2026-11-24 03:36", "2026-11-24T03:36:17Z"] {
            assert!(pattern.is_match(good), "{good}");
        }
        for bad in ["", "2", "2w", "-2h", "yesterday", "2026-11-24T", "2026-11-24\n", "2h 2d", "@1", "2026-11-24T03:36:17+01:00"]
        {
            assert!(!pattern.is_match(bad), "{bad}");
        }
    }

    #[test]
    fn entries_are_told_the_oldest_first() {
        let journal = read(
            "{\"__REALTIME_TIMESTAMP\":\"1795491377123456\",\"MESSAGE\":\"bind() failed\",\"PRIORITY\":\"3\",\"_PID\":\"812\",\
             \"SYSLOG_IDENTIFIER\":\"nginx\",\"__CURSOR\":\"s=1\",\"_CMDLINE\":\"secret\"}\n\
             {\"__REALTIME_TIMESTAMP\":\"1795491376000000\",\"MESSAGE\":\"Starting\",\"PRIORITY\":\"6\",\"_PID\":\"1\",\
             \"SYSLOG_IDENTIFIER\":\"systemd\"}\n",
        );
        assert_eq!(
            journal.to_string(),
            "2026-11-24T03:36:16.000Z systemd[1]: Starting\n2026-11-24T03:36:17.123Z nginx[812] err: bind() failed"
        );
        assert!(!serde_json::to_string(&journal).unwrap().contains("secret"), "only what is meant to be shown");
    }

    #[test]
    fn a_journal_that_may_not_be_read_is_told_from_an_empty_one() {
        let hint = "Hint: You are currently not seeing messages from other users and the system.";
        assert!(hidden(hint.as_bytes()).unwrap().contains("systemd-journal"));
        assert!(hidden(b"No journal files were opened due to insufficient permissions.").is_some());
        assert_eq!(hidden(b"No journal files were found.\xff"), None);
    }

    #[test]
    fn a_message_is_text_bytes_or_several() {
        assert_eq!(message("\"plain\""), "plain");
        assert_eq!(message("[104,105,27,255,10]"), "hi\u{fffd}\u{fffd}");
        assert_eq!(message("[\"one\",[116,119,111]]"), "one\ntwo");
        assert_eq!(message("[]"), "");
        assert_eq!(message("null"), "[left out: longer than 4 KiB]");
        assert_eq!(read("{}").entries[0].message, "");
        for bad in ["[256]", "[-1]", "[1,\"a\"]", "[[[1]]]", "{}", "1", "true", "[null]"] {
            assert_eq!(read(&format!("{{\"MESSAGE\":{bad}}}")).unreadable, 1, "{bad}");
        }
    }

    #[test]
    fn what_is_no_entry_is_counted_and_costs_no_other() {
        let good = "{\"MESSAGE\":\"good\"}";
        let huge = format!("{{\"MESSAGE\":\"{}\"}}", "x".repeat(limits::JOURNAL_LINE_BYTES));
        let journal = read(&format!("no json\n{good}\n{{\"MESSAGE\":\n\n-- No entries --\n{huge}\n[1]\n{good}"));
        assert_eq!((journal.entries.len(), journal.unreadable, journal.is_cut), (2, 4, false));
        let none = read("-- No entries --\n");
        assert_eq!(none.to_string(), "The journal has no such entry of nginx.service.");
    }

    #[test]
    fn a_cut_leaves_the_newest_whole() {
        let journal = Journal::read(&unit(), b"{\"MESSAGE\":\"newest\"}\n{\"MESSAGE\":\"old", true);
        assert_eq!((journal.entries.len(), journal.unreadable, journal.is_cut), (1, 0, true));
        assert!(Journal::read(&unit(), b"{\"MESSAGE\":\"half", true).entries.is_empty());
        let line = format!("{{\"MESSAGE\":\"{}\"}}\n", "x".repeat(3000));
        let journal = read(&line.repeat(100));
        assert_eq!(journal.entries.len(), limits::JOURNAL_MESSAGES_BYTES / limits::JOURNAL_MESSAGE_BYTES);
        assert!(journal.is_cut && journal.entries[0].is_cut && journal.to_string().starts_with("[Older entries"));
        assert_eq!(read(&"{\"MESSAGE\":\"\"}\n".repeat(1000)).entries.len(), 200);
    }

    /// Whatever is printed, what is told of it stays small and is harmless.
    #[test]
    fn nothing_that_is_printed_upsets_it() {
        let line =
            "{\"__REALTIME_TIMESTAMP\":\"1795491377123456\",\"MESSAGE\":[104,105,27],\"PRIORITY\":\"3\",\"_PID\":\"812\"}\n";
        let mut seed = 11_u64;
        for round in 0..2000 {
            let mut printed = line.repeat(3).into_bytes();
            for _ in 0..=round % 9 {
                seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                let at = usize::try_from(seed >> 33).unwrap() % printed.len();
                match seed >> 20 & 3 {
                    0 => printed[at] = seed.to_be_bytes()[2],
                    1 => printed.truncate(at + 1),
                    2 => printed.splice(at..at, [b'['; 300]).for_each(drop),
                    _ => printed.splice(at..at, *b"\xff\0\x1b").for_each(drop),
                }
            }
            let journal = Journal::read(&unit(), &printed, round % 2 == 0);
            assert!(!journal.to_string().contains(['\0', '\u{1b}']));
            assert!(journal.entries.iter().all(|entry| entry.message.len() <= limits::JOURNAL_MESSAGE_BYTES));
        }
    }
}
