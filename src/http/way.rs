//! The way from a running call back to its client: progress, lines for the log, questions.

use crate::http::Service;
use crate::http::event::{Event, Outbox};
use crate::http::run::Owner;
#[cfg(feature = "tasks")]
use crate::http::run::task::TaskLine;
use crate::limits;
use crate::mcp::{self, Answers, Id, Peer, Token};
use crate::tool::{Ask, AskError, Level, Line, Need, Progress, Slot};
use serde_json::Value;
use serde_json::value::RawValue;
use std::cell::{Cell, OnceCell, RefCell};
use std::rc::{Rc, Weak};

/// The way back of one call.
pub(crate) struct Way {
    pub(crate) service: Rc<Service>,
    pub(crate) owner: Owner,
    /// Where its events go; made when there is the first of them, unless the client has a stream of its own.
    pub(crate) outbox: OnceCell<Rc<Outbox>>,
    /// Whether the client reads events beside the answer.
    pub(crate) can_stream: bool,
    /// Whether the client can come back for an answer whose connection has ended.
    pub(crate) can_come_back: bool,
    pub(crate) progress: Option<Token>,
    pub(crate) peer: Peer,
    /// What the client has answered already, in the stateless dialect.
    pub(crate) answers: Answers,
    /// What it is asked in this round, in the stateless dialect.
    pub(crate) asked: RefCell<Vec<(String, Ask)>>,
    /// From the moment on at which the call is a task.
    #[cfg(feature = "tasks")]
    pub(crate) task: OnceCell<TaskLine>,
    /// The last words about its progress: a call may say them before it is a task.
    #[cfg(feature = "tasks")]
    pub(crate) words: RefCell<Option<String>>,
}

impl Way {
    /// Where events go.
    pub(crate) fn outbox(&self) -> &Rc<Outbox> {
        self.outbox.get_or_init(|| Rc::new(self.service.streams.outbox()))
    }

    fn send(&self, message: Vec<u8>) {
        if self.can_stream {
            self.outbox().push(Event::Message(message.into()));
        }
    }
}

impl Line for Way {
    fn progress(&self, progress: Progress<'_>) {
        #[cfg(feature = "tasks")]
        if let Some(line) = self.task.get() {
            return line.progress(self, progress);
        }
        #[cfg(feature = "tasks")]
        self.words.replace(progress.message.map(str::to_owned));
        if let Some(token) = &self.progress {
            self.send(token.notification(progress));
        }
    }

    fn log(&self, level: Level, logger: Option<&str>, data: &Value) {
        if self.peer.log_level.is_some_and(|least| level >= least) {
            #[cfg(feature = "tasks")]
            if let Some(line) = self.task.get() {
                return line.log(self, (level, logger), data);
            }
            self.send(mcp::log_message(level, logger, data));
        }
    }

    fn ask(&self, key: &str, ask: &Ask) -> Result<Rc<Slot>, AskError> {
        if !mcp::can(self.peer.client.capabilities, ask.need) {
            return Err(AskError::Unsupported);
        }
        #[cfg(feature = "tasks")]
        if let Some(line) = self.task.get() {
            return line.ask(self, key, ask);
        }
        if self.peer.revision.is_stateless() {
            if ask.need == Need::Presence {
                return Err(AskError::Unsupported);
            }
            if let Some(answer) = self.answers.get(key) {
                return Ok(Slot::filled(answer));
            }
            let mut asked = self.asked.borrow_mut();
            if asked.len() >= limits::ASKS {
                return Err(AskError::Gone);
            }
            asked.push((key.to_owned(), ask.clone()));
            return Ok(Rc::default());
        }
        if !self.can_stream {
            return Err(AskError::Unsupported);
        }
        let (id, slot) = self.service.asks.open(self.owner).ok_or(AskError::Gone)?;
        self.send(mcp::request(&id, ask));
        Ok(slot)
    }

    fn release(&self) {
        // A call may do this first of all, before anybody has seen that its answer takes time.
        if self.can_come_back && self.service.replays.keep(self.owner, self.outbox()) {
            self.outbox().dismiss_soon();
        }
    }
}

/// Our questions that clients of the handshake dialect have not answered yet.
#[derive(Default)]
pub(crate) struct Asks {
    open: RefCell<Vec<Open>>,
    next: Cell<u64>,
}

struct Open {
    owner: Owner,
    id: Id,
    /// Gone when the call is that asked.
    slot: Weak<Slot>,
}

impl Asks {
    pub(crate) fn open(&self, owner: Owner) -> Option<(Id, Rc<Slot>)> {
        let mut open = self.open.borrow_mut();
        open.retain(|open| open.slot.strong_count() > 0);
        if open.len() >= limits::ASKS {
            return None;
        }
        self.next.set(self.next.get() + 1);
        let id = Id::parse(&format!("\"perchd-{}\"", self.next.get()))?;
        let slot = Rc::<Slot>::default();
        open.push(Open { owner, id: id.clone(), slot: Rc::downgrade(&slot) });
        Some((id, slot))
    }

    /// Hands over an answer; one to a question that nobody asked, or that was answered, is forgotten.
    pub(crate) fn fill(&self, owner: Owner, id: &Id, result: Option<Box<RawValue>>) {
        let mut open = self.open.borrow_mut();
        let Some(index) = open.iter().position(|open| open.owner == owner && open.id == *id) else { return };
        let asked = open.swap_remove(index);
        drop(open);
        if let Some(slot) = asked.slot.upgrade() {
            slot.fill(result.ok_or(AskError::Failed));
        }
    }

    /// Whether a call of this owner waits for an answer.
    pub(crate) fn is_waiting(&self, owner: Owner) -> bool {
        self.open.borrow().iter().any(|open| open.owner == owner && open.slot.strong_count() > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_reaches_only_the_question_of_its_own_session() {
        let asks = Asks::default();
        let (mine, other) = (Owner([1; 16]), Owner([2; 16]));
        let (id, _slot) = asks.open(mine).unwrap();
        asks.fill(other, &id, None);
        assert!(asks.is_waiting(mine));
        asks.fill(mine, &id, None);
        assert!(!asks.is_waiting(mine));
        asks.fill(mine, &id, None);
    }

    #[test]
    fn questions_end_at_their_bound_and_with_their_calls() {
        let asks = Asks::default();
        let held: Vec<_> = (0..limits::ASKS).map(|_| asks.open(Owner([1; 16])).unwrap()).collect();
        assert!(asks.open(Owner([1; 16])).is_none());
        drop(held);
        assert!(asks.open(Owner([1; 16])).is_some());
    }
}
