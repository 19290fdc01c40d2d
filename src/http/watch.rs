//! What the server has seen since its start: how often, by whom, and what came last. It is in memory alone, and bounded.
//!
//! All that is worth counting is an event of the audit or a status; what a call costs is an integer more.

mod seen;

pub(crate) use seen::SeenClient;

use crate::audit::{Audit, Event};
use crate::limits;
use crate::mcp::Work;
use crate::principal::Principal;
use crate::tool::{Fate, Tally};
use crate::world::Clock;
use heapless::Deque;
use hyper::StatusCode;
use seen::Seen;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What is counted, beside answers and calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Count {
    SignIns,
    SignInsRefused,
    TokensIssued,
    TokensRefused,
    BearersRefused,
    Revocations,
    ConnectionsTurnedAway,
    CallsTurnedAway,
    TooMany,
    TooBusy,
    TooLarge,
    TooSlow,
}

const COUNTS: usize = Count::TooSlow as usize + 1;

/// A call that ended.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) who: Rc<SeenClient>,
    pub(crate) tool: Rc<Tally>,
    pub(crate) fate: Fate,
    pub(crate) took_ms: u64,
    pub(crate) at_ms: u64,
}

/// An event of the audit, as the owner reads it later.
#[derive(Debug)]
pub(crate) struct Entry {
    pub(crate) at_ms: u64,
    /// The event as JSON, cut to [`limits::TAIL_BYTES`].
    pub(crate) json: Box<str>,
    /// How often the same kind has come, where strangers bring it about.
    pub(crate) count: u32,
    /// Whether they do: then it takes the place of the one before of its kind.
    kind: Option<usize>,
}

/// The audit, and whoever looks over its shoulder.
pub(crate) struct Watch {
    audit: Box<dyn Audit>,
    clock: Clock,
    /// Answers by the first digit of their status.
    answers: [Cell<u64>; 6],
    counts: [Cell<u64>; COUNTS],
    /// Of all resources, and of all prompts.
    pub(crate) resources: Tally,
    pub(crate) prompts: Tally,
    seen: Seen,
    calls: RefCell<Deque<Called, { limits::CALLS_SHOWN }>>,
    tail: RefCell<Deque<Entry, { limits::TAIL }>>,
}

impl Watch {
    /// Nothing was seen yet.
    pub(crate) fn new(audit: Box<dyn Audit>, clock: Clock) -> Self {
        Watch {
            audit,
            clock,
            answers: Default::default(),
            counts: Default::default(),
            resources: Tally::default(),
            prompts: Tally::default(),
            seen: Seen::default(),
            calls: RefCell::default(),
            tail: RefCell::default(),
        }
    }

    /// One more.
    pub(crate) fn add(&self, count: Count) {
        let count = &self.counts[count as usize];
        count.set(count.get() + 1);
    }

    /// How many.
    pub(crate) fn count(&self, count: Count) -> u64 {
        self.counts[count as usize].get()
    }

    /// One more answer of this status.
    pub(crate) fn answered(&self, status: StatusCode) {
        let class = usize::from(status.as_u16() / 100).min(5);
        self.answers[class].set(self.answers[class].get() + 1);
        if class < 4 {
            return;
        }
        match status {
            StatusCode::TOO_MANY_REQUESTS => self.add(Count::TooMany),
            StatusCode::SERVICE_UNAVAILABLE => self.add(Count::TooBusy),
            StatusCode::PAYLOAD_TOO_LARGE => self.add(Count::TooLarge),
            StatusCode::REQUEST_TIMEOUT => self.add(Count::TooSlow),
            _ => {}
        }
    }

    /// How many answers had a status that begins so.
    pub(crate) fn answers(&self, class: usize) -> u64 {
        self.answers[class].get()
    }

    /// A good token came.
    pub(crate) fn saw(&self, principal: &Principal, uptime_ms: u64) {
        self.seen.touch(principal, uptime_ms);
    }

    /// A call ended at this time and took so long. `program` is what the client calls itself.
    pub(crate) fn called(&self, principal: &Principal, work: &Work, program: &str, fate: Fate, (at_ms, took_ms): (u64, u64)) {
        let tool = match work {
            Work::Tool(tool) => tool.tally(),
            Work::Resource(_) => return self.resources.add(fate),
            Work::Prompt(_) => return self.prompts.add(fate),
        };
        tool.add(fate);
        let Some(who) = self.seen.of(principal) else { return };
        who.is_called(program);
        let mut calls = self.calls.borrow_mut();
        if calls.is_full() {
            calls.pop_front();
        }
        let _ = calls.push_back(Called { who, tool: Rc::clone(tool), fate, took_ms, at_ms });
    }

    /// Calls that ended, the last one first.
    pub(crate) fn each_call(&self, show: &mut dyn FnMut(&Called)) {
        self.calls.borrow().iter().rev().for_each(show);
    }

    /// Events, the last one first.
    pub(crate) fn each_event(&self, show: &mut dyn FnMut(&Entry)) {
        self.tail.borrow().iter().rev().for_each(show);
    }

    /// Clients that were let in, the last one heard of first.
    pub(crate) fn clients(&self) -> Vec<Rc<SeenClient>> {
        self.seen.clients()
    }

    fn counted(event: &Event<'_>) -> Option<Count> {
        Some(match event {
            Event::SignedIn { .. } => Count::SignIns,
            Event::SignInRefused { .. } => Count::SignInsRefused,
            Event::TokenIssued { .. } | Event::TokenMinted { .. } => Count::TokensIssued,
            Event::TokenRefused { .. } | Event::ReuseDetected { .. } => Count::TokensRefused,
            Event::BearerRefused { .. } => Count::BearersRefused,
            Event::Revoked { .. } | Event::UserRevoked { .. } | Event::ClientRevoked { .. } | Event::AllRevoked { .. } => {
                Count::Revocations
            }
            _ => return None,
        })
    }

    fn keep(&self, event: &Event<'_>) {
        let at_ms = self.clock.now().uptime_ms;
        let mut json = Vec::new();
        event.write(&mut json);
        let text = String::from_utf8_lossy(&json);
        let json = text.chars().take(limits::TAIL_BYTES).collect::<String>().into_boxed_str();
        let mut tail = self.tail.borrow_mut();
        let kind = event.stranger();
        // What strangers can bring about must not push out what its owner wants to know.
        let before = kind.and_then(|_| tail.iter().position(|entry| entry.kind == kind));
        let mut count = 1;
        if let Some(before) = before {
            let mut rest = Deque::new();
            while let Some(entry) = tail.pop_front() {
                if rest.len() == before && count == 1 {
                    count = entry.count.saturating_add(1);
                } else {
                    let _ = rest.push_back(entry);
                }
            }
            *tail = rest;
        }
        if tail.is_full() {
            tail.pop_front();
        }
        let _ = tail.push_back(Entry { at_ms, json, count, kind });
    }
}

impl Audit for Watch {
    fn record(&self, event: &Event<'_>) {
        self.audit.record(event);
        // Calls are seen by another way, which is shorter.
        if matches!(event, Event::ToolCalled { .. }) {
            return;
        }
        if let Some(count) = Watch::counted(event) {
            self.add(count);
        }
        self.seen.hear(event, self.clock.now().uptime_ms);
        self.keep(event);
    }

    fn catch_up(&self) {
        self.audit.catch_up();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::principal::ClientTag;

    fn watch() -> Watch {
        Watch::new(Box::new(Nothing), Clock::start(0))
    }

    fn events(watch: &Watch) -> Vec<(String, u32)> {
        let mut events = Vec::new();
        watch.each_event(&mut |entry| events.push((entry.json.to_string(), entry.count)));
        events
    }

    #[test]
    fn strangers_push_nothing_out_of_the_tail() {
        let watch = watch();
        watch.record(&Event::UserRevoked { subject: "anna" });
        for _ in 0..10 * limits::TAIL {
            watch.record(&Event::BearerRefused { reason: "token expired" });
            watch.record(&Event::Registered { name: "x", redirect_host: "localhost" });
        }
        let events = events(&watch);
        assert_eq!(events.len(), 3, "{events:?}");
        assert_eq!(events[2], (r#"{"event":"user_revoked","subject":"anna"}"#.to_owned(), 1));
        assert!(events[..2].iter().all(|(_, count)| *count as usize == 10 * limits::TAIL), "{events:?}");
        assert_eq!((watch.count(Count::BearersRefused), watch.count(Count::Revocations)), (10 * limits::TAIL as u64, 1));
    }

    #[test]
    fn the_tail_keeps_the_last_events_and_no_long_ones() {
        let watch = watch();
        let scopes = "x".repeat(10 * limits::TAIL_BYTES);
        for n in 0..2 * limits::TAIL {
            let (subject, client) = (format!("user-{n}"), ClientTag([7; 8]));
            watch.record(&Event::Approved { subject: &subject, client, name: "", scopes: &scopes });
        }
        let events = events(&watch);
        assert_eq!(events.len(), limits::TAIL);
        assert!(events[0].0.contains(&format!("\"user-{}\"", 2 * limits::TAIL - 1)), "{}", events[0].0);
        assert!(events.iter().all(|(json, _)| json.len() == limits::TAIL_BYTES));
    }

    #[test]
    fn answers_are_counted_by_class_and_limits_by_what_they_say() {
        let watch = watch();
        for status in [200, 204, 303, 401, 404, 408, 413, 429, 429, 503, 500] {
            watch.answered(StatusCode::from_u16(status).unwrap());
        }
        assert_eq!([2, 3, 4, 5].map(|class| watch.answers(class)), [2, 1, 6, 2]);
        let limits = [Count::TooMany, Count::TooBusy, Count::TooLarge, Count::TooSlow];
        assert_eq!(limits.map(|count| watch.count(count)), [2, 1, 1, 1]);
    }
}
