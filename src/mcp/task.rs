//! One task: a call whose result its client fetches later (MCP 2025-11-25, basic/utilities/tasks; the extension
//! `io.modelcontextprotocol/tasks` of 2026-07-28), from its beginning to its one end.

use crate::date::Date;
use crate::limits;
use crate::mcp::ask::Answers;
use crate::mcp::{Error, Revision};
use crate::tool::Ask;
use crate::world::Now;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;
use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

/// Names a task. It is random, and nobody can guess it: where nobody signs in, it is all that keeps strangers from it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct TaskId([u8; 16]);

impl TaskId {
    /// The id of these random bytes.
    pub(crate) fn new(random: [u8; 16]) -> Self {
        TaskId(random)
    }

    pub(crate) fn bytes(self) -> [u8; 16] {
        self.0
    }

    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 16];
        let length = URL_SAFE_NO_PAD.decode_slice(text, &mut bytes).ok()?;
        (length == bytes.len()).then_some(TaskId(bytes))
    }
}

impl fmt::Display for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

/// Its first bytes alone: who knows an id may fetch the result.
impl fmt::Debug for TaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0[..4].iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// How far a task has got, as clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Status {
    Working,
    InputRequired,
    Completed,
    Failed,
    Cancelled,
}

impl Status {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Status::Working => "working",
            Status::InputRequired => "input_required",
            Status::Completed => "completed",
            Status::Failed => "failed",
            Status::Cancelled => "cancelled",
        }
    }
}

/// How a task ended. There is no way back from here.
pub(super) enum End {
    /// With what the call would have been answered with: the JSON of the result.
    Result { json: Vec<u8>, is_error: bool },
    /// With the error that the call would have been answered with.
    Fault(Error),
    /// Its client gave it up.
    Cancelled,
}

/// Whose a task is, and what is known of it from the beginning.
pub(super) struct Origin {
    pub(super) id: TaskId,
    pub(super) revision: Revision,
    /// Who called.
    pub(super) subject: Box<str>,
    /// The scope of the tool: whose token does not have it does not get to see the result either.
    pub(super) scope: Box<str>,
    /// How long the client wants the task to be kept, if it has said so.
    pub(super) ttl_ms: Option<u64>,
    /// How long the call may take.
    pub(super) deadline: Duration,
}

/// A task.
pub(super) struct Task {
    pub(super) origin: Origin,
    began: Now,
    updated: Now,
    /// From the beginning on.
    pub(super) ttl_ms: u64,
    /// What is being done, in words.
    pub(super) message: Option<String>,
    /// What its client is asked, by key.
    pub(super) questions: BTreeMap<String, Ask>,
    /// What its client has answered, by key.
    answers: Answers,
    pub(super) end: Option<End>,
}

impl Task {
    pub(super) fn begin(origin: Origin, now: Now) -> Self {
        let ttl_ms = origin.ttl_ms.unwrap_or_else(|| millis(origin.deadline).saturating_add(limits::TASK_KEEP_MS));
        Task {
            ttl_ms: ttl_ms.clamp(limits::TASK_TTL_MS_MIN, limits::TASK_TTL_MS_MAX),
            origin,
            began: now,
            updated: now,
            message: None,
            questions: BTreeMap::new(),
            answers: Answers::new(),
            end: None,
        }
    }

    /// A result that tells of a failure is a failure in the handshake dialect, and a result in the stateless one.
    pub(super) fn status(&self) -> Status {
        match &self.end {
            None if self.questions.is_empty() => Status::Working,
            None => Status::InputRequired,
            Some(End::Result { is_error: true, .. }) if !self.origin.revision.is_stateless() => Status::Failed,
            Some(End::Result { .. }) => Status::Completed,
            Some(End::Fault(_)) => Status::Failed,
            Some(End::Cancelled) => Status::Cancelled,
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.end.is_some()
    }

    pub(super) fn is_expired(&self, now: Now) -> bool {
        now.uptime_ms.saturating_sub(self.began.uptime_ms) >= self.ttl_ms
    }

    /// How many bytes its result holds.
    pub(super) fn result_bytes(&self) -> usize {
        match &self.end {
            Some(End::Result { json, .. }) => json.len(),
            _ => 0,
        }
    }

    pub(super) fn created_at(&self) -> String {
        Date::of(self.began.unix).rfc3339("")
    }

    pub(super) fn last_updated_at(&self) -> String {
        Date::of(self.updated.unix).rfc3339("")
    }

    /// Says what is being done.
    pub(super) fn note(&mut self, now: Now, message: &str) {
        if !self.is_over() {
            self.message = Some(shortened(message).to_owned());
            self.updated = now;
        }
    }

    /// Asks the client something; the task is kept for as long as that may take. Whether it makes a difference to the status.
    pub(super) fn ask(&mut self, now: Now, key: &str, ask: &Ask, patience: Duration) -> bool {
        if self.is_over() {
            return false;
        }
        let is_changed = self.questions.is_empty();
        self.questions.insert(key.to_owned(), ask.clone());
        self.keep(now, millis(patience).saturating_add(millis(self.origin.deadline)));
        self.updated = now;
        is_changed
    }

    /// The answer that was given under this key.
    pub(super) fn answer(&self, key: &str) -> Option<&Value> {
        self.answers.get(key)
    }

    /// Takes answers to what is asked, and says which; others are passed over.
    ///
    /// They are kept, as in the calls that travel with their answers, and within the same bound.
    pub(super) fn update(&mut self, now: Now, given: Answers) -> Result<Answers, Error> {
        // Each kind of answer is an object. What is none answers nothing.
        let is_wanted = |key: &String, answer: &Value| self.questions.contains_key(key) && answer.is_object();
        let taken: Answers = given.into_iter().filter(|(key, answer)| is_wanted(key, answer)).collect();
        let bytes = |answers: &Answers| answers.iter().map(|(key, answer)| key.len() + answer.to_string().len()).sum::<usize>();
        if bytes(&taken) + bytes(&self.answers) > limits::STATE_TOKEN_BYTES {
            return Err(Error::invalid_params("Invalid params: the answers to this task are too long"));
        }
        self.questions.retain(|key, _| !taken.contains_key(key));
        self.answers.extend(taken.iter().map(|(key, answer)| (key.clone(), answer.clone())));
        if !taken.is_empty() {
            self.updated = now;
        }
        Ok(taken)
    }

    /// Forgets questions that nobody waits for any more; whether that makes a difference to the status.
    pub(super) fn keep_questions(&mut self, now: Now, is_open: impl Fn(&str) -> bool) -> bool {
        let before = self.status();
        self.questions.retain(|key, _| is_open(key));
        let is_changed = self.status() != before;
        if is_changed {
            self.updated = now;
        }
        is_changed
    }

    /// Ends the task; one that has ended stays as it is. `false` then.
    pub(super) fn end(&mut self, now: Now, end: End) -> bool {
        if self.is_over() {
            return false;
        }
        self.questions.clear();
        self.answers.clear();
        self.message = match &end {
            End::Fault(fault) => Some(shortened(&fault.message).to_owned()),
            _ => self.message.take(),
        };
        self.end = Some(end);
        self.keep(now, 0);
        self.updated = now;
        true
    }

    /// Keeps the task for this long and then some, unless the client has said itself how long it wants it.
    fn keep(&mut self, now: Now, ms: u64) {
        if self.origin.ttl_ms.is_none() {
            let age_ms = now.uptime_ms.saturating_sub(self.began.uptime_ms);
            let until_ms = age_ms.saturating_add(ms).saturating_add(limits::TASK_KEEP_MS);
            self.ttl_ms = self.ttl_ms.max(until_ms).min(limits::TASK_TTL_MS_MAX);
        }
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn shortened(message: &str) -> &str {
    let length = message.len().min(limits::TASK_MESSAGE_BYTES);
    let end = (0..=length).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
    &message[..end]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tool::Need;
    use serde_json::json;

    pub(in crate::mcp) fn at(secs: u64) -> Now {
        Now { unix: limits::BUILD_UNIX_SECS + secs, uptime_ms: secs * 1000 }
    }

    pub(in crate::mcp) fn origin(revision: Revision, number: u8) -> Origin {
        Origin {
            id: TaskId::new([number; 16]),
            revision,
            subject: "ada".into(),
            scope: "math".into(),
            ttl_ms: None,
            deadline: Duration::from_secs(60),
        }
    }

    pub(in crate::mcp) fn question() -> Ask {
        Ask { need: Need::Elicitation, method: "elicitation/create", params: json!({"message": "Sure?"}) }
    }

    fn task(revision: Revision) -> Task {
        Task::begin(origin(revision, 1), at(0))
    }

    fn answers(json: &str) -> Answers {
        serde_json::from_str(json).unwrap()
    }

    fn failure() -> End {
        End::Result { json: b"{}".to_vec(), is_error: true }
    }

    const PATIENCE: Duration = Duration::from_secs(600);

    #[test]
    fn a_task_that_has_ended_stays_as_it_is() {
        let result = || End::Result { json: b"{}".to_vec(), is_error: false };
        let fault = || End::Fault(Error::internal("broken"));
        for (end, status) in [(result(), "completed"), (fault(), "failed"), (End::Cancelled, "cancelled")] {
            let mut task = task(Revision::V2026_07_28);
            assert!(task.end(at(1), end));
            for other in [result(), fault(), End::Cancelled] {
                assert!(!task.end(at(2), other));
            }
            task.ask(at(2), "sure", &question(), PATIENCE);
            task.note(at(2), "still at it");
            assert_eq!(task.status().as_str(), status);
            assert_ne!(task.message.as_deref(), Some("still at it"));
            assert_eq!(task.last_updated_at(), Date::of(at(1).unix).rfc3339(""));
        }
    }

    #[test]
    fn a_failure_that_the_model_can_read_fails_the_task_in_the_handshake_dialect_alone() {
        for (revision, status) in [(Revision::V2025_11_25, Status::Failed), (Revision::V2026_07_28, Status::Completed)] {
            let mut task = task(revision);
            task.end(at(1), failure());
            assert_eq!(task.status(), status);
        }
    }

    #[test]
    fn a_task_needs_input_until_everything_is_answered() {
        let mut task = task(Revision::V2026_07_28);
        assert_eq!(task.status(), Status::Working);
        for key in ["name", "color"] {
            task.ask(at(1), key, &question(), PATIENCE);
        }
        assert_eq!(task.status(), Status::InputRequired);
        // Unknown keys, and what is no answer, change nothing.
        let taken = task.update(at(2), answers(r#"{"age":{"action":"accept"},"name":"Ada","color":null}"#)).unwrap();
        assert!(taken.is_empty());
        assert_eq!(task.questions.len(), 2);
        let taken = task.update(at(3), answers(r#"{"name":{"action":"accept"}}"#)).unwrap();
        assert_eq!((taken.len(), task.status()), (1, Status::InputRequired));
        assert_eq!(task.questions.keys().collect::<Vec<_>>(), ["color"]);
        assert!(task.update(at(4), answers(r#"{"name":{"action":"decline"}}"#)).unwrap().is_empty(), "answered once for all");
        task.update(at(5), answers(r#"{"color":{"action":"decline"}}"#)).unwrap();
        assert_eq!(task.status(), Status::Working);
        assert_eq!(task.answer("name"), Some(&json!({"action": "accept"})));
    }

    #[test]
    fn answers_that_are_too_long_are_refused_and_the_question_stays() {
        let mut task = task(Revision::V2026_07_28);
        task.ask(at(1), "name", &question(), PATIENCE);
        let long = json!({"name": {"content": "x".repeat(limits::STATE_TOKEN_BYTES)}}).to_string();
        assert_eq!(task.update(at(2), answers(&long)).unwrap_err().code, -32602);
        assert_eq!(task.status(), Status::InputRequired);
    }

    #[test]
    fn a_question_that_nobody_waits_for_is_forgotten() {
        let mut task = task(Revision::V2025_11_25);
        task.ask(at(1), "a", &question(), PATIENCE);
        task.ask(at(1), "b", &question(), PATIENCE);
        assert!(!task.keep_questions(at(2), |key| key == "a"));
        assert_eq!(task.status(), Status::InputRequired);
        assert!(task.keep_questions(at(3), |_| false));
        assert_eq!((task.status(), task.last_updated_at()), (Status::Working, Date::of(at(3).unix).rfc3339("")));
    }

    #[test]
    fn a_task_is_kept_beyond_its_end_and_no_longer_than_the_client_wants() {
        let mut task = task(Revision::V2026_07_28);
        assert_eq!(task.ttl_ms, 60_000 + limits::TASK_KEEP_MS);
        task.ask(at(10), "a", &question(), PATIENCE);
        assert_eq!(task.ttl_ms, 10_000 + 600_000 + 60_000 + limits::TASK_KEEP_MS);
        task.end(at(1000), End::Cancelled);
        assert_eq!(task.ttl_ms, 1_000_000 + limits::TASK_KEEP_MS);
        assert!(!task.is_expired(at(task.ttl_ms / 1000 - 1)) && task.is_expired(at(task.ttl_ms / 1000)));
        let wanted = |ttl_ms| Task::begin(Origin { ttl_ms: Some(ttl_ms), ..origin(Revision::V2025_11_25, 1) }, at(0));
        assert_eq!(wanted(u64::MAX).ttl_ms, limits::TASK_TTL_MS_MAX);
        assert_eq!(wanted(0).ttl_ms, limits::TASK_TTL_MS_MIN);
        let mut task = wanted(5000);
        task.end(at(4), End::Cancelled);
        assert_eq!(task.ttl_ms, 5000);
    }

    #[test]
    fn an_id_is_found_by_its_text_and_not_shown_to_logs() {
        let id = TaskId::new(*b"0123456789abcdef");
        assert_eq!(TaskId::parse(&id.to_string()), Some(id));
        for text in ["", "x", "tasks-conformance-nonexistent-12345", &id.to_string()[1..], &format!("{id}A")] {
            assert_eq!(TaskId::parse(text), None, "{text}");
        }
        assert_eq!(format!("{id:?}"), "30313233");
    }

    #[test]
    fn a_message_is_cut_where_it_gets_too_long() {
        let mut task = task(Revision::V2026_07_28);
        task.note(at(1), &"ä".repeat(limits::TASK_MESSAGE_BYTES));
        assert_eq!(task.message.unwrap().len(), limits::TASK_MESSAGE_BYTES / 2 * 2);
    }
}
