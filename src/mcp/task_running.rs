//! What becomes of a task while its call runs, as the edge tells it.

use crate::mcp::answer::Cache;
use crate::mcp::message::result;
use crate::mcp::task::{End, Origin, TaskId};
use crate::mcp::{Engine, Error, Finished, Id, TaskWanted, Work, task_message, task_store, tools};
use crate::principal::Principal;
use crate::tool::{Ask, ToolError, Yield};
use crate::world::Now;
use serde_json::Value;
use std::rc::Rc;
use std::time::Duration;

impl Engine {
    /// Goes on with the tasks of the engine before.
    pub(crate) fn take_tasks(self, before: &Engine) -> Self {
        Engine { tasks: Rc::clone(&before.tasks), ..self }
    }

    /// Whether there is room for one more task of this person.
    pub(crate) fn check_task_room(&self, principal: &Principal) -> Result<(), Error> {
        self.tasks.borrow().check_room(&principal.subject)
    }

    /// Begins a task, and writes the answer that tells of it.
    pub(crate) fn begin_task(
        &self,
        id: TaskId,
        call: &Finished<'_>,
        (principal, now): (&Principal, Now),
        wanted: TaskWanted,
    ) -> Result<Vec<u8>, Error> {
        let Work::Tool(tool) = call.work else { return Err(Error::internal("Only calls of tools are tasks")) };
        let (spec, revision) = (tool.spec(), call.peer.revision);
        let (subject, scope) = (principal.subject.as_str().into(), spec.scope().into());
        let origin = Origin { id, revision, subject, scope, ttl_ms: wanted.ttl_ms, deadline: spec.deadline() };
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.begin(origin, now)?;
        Ok(result(call.id, |json| {
            if revision.is_stateless() {
                json.extend_from_slice(br#"{"resultType":"task","#);
                self.write_meta(json);
                task_message::write_task(json, task);
                json.push(b'}');
            } else {
                json.extend_from_slice(br#"{"task":{"#);
                task_message::write_task(json, task);
                json.extend_from_slice(b"}}");
            }
        }))
    }

    /// Says what the task does.
    pub(crate) fn note_task(&self, id: TaskId, now: Now, message: &str) {
        if let Some(task) = self.tasks.borrow_mut().task_mut(id) {
            task.note(now, message);
        }
    }

    /// Asks the client something, for which it may take this long; whether that changed the status.
    pub(crate) fn ask_in_task(&self, id: TaskId, now: Now, key: &str, ask: &Ask, patience: Duration) -> bool {
        self.tasks.borrow_mut().task_mut(id).is_some_and(|task| task.ask(now, key, ask, patience))
    }

    /// What the client has answered to this question already.
    pub(crate) fn answered_in_task(&self, id: TaskId, key: &str) -> Option<Value> {
        self.tasks.borrow().task(id)?.answer(key).cloned()
    }

    /// Forgets the questions of which `is_open` says that nobody waits for an answer; whether that changed the status.
    pub(crate) fn keep_questions(&self, id: TaskId, now: Now, is_open: impl Fn(&str) -> bool) -> bool {
        self.tasks.borrow_mut().task_mut(id).is_some_and(|task| task.keep_questions(now, is_open))
    }

    /// Ends a task with what its call led to. A tool that is broken is a fault of the protocol here: there is nobody to whom
    /// it could say anything.
    pub(crate) fn end_task(&self, id: TaskId, now: Now, call: &Finished<'_>, outcome: &Result<Yield, ToolError>) {
        let end = match (outcome, call.work) {
            (Err(fault), _) if fault.is_fault() => End::Fault(Error::internal(fault.to_string())),
            (_, Work::Tool(tool)) => {
                let (mut json, mut is_error) = (Vec::new(), false);
                self.write_result(&mut json, call.peer.revision, Cache::No, |json| {
                    is_error = tools::write_outcome(json, call.peer.revision, tool, outcome);
                });
                End::Result { json, is_error }
            }
            _ => End::Fault(Error::internal("Only calls of tools are tasks")),
        };
        if let Err(refusal) = outcome {
            self.note_task(id, now, &refusal.to_string());
        }
        self.tasks.borrow_mut().end(id, now, end);
    }

    /// Ends a task whose call was given up.
    pub(crate) fn give_up_task(&self, id: TaskId, now: Now) {
        self.tasks.borrow_mut().end(id, now, End::Cancelled);
    }

    /// The answer to a request for the result of a task that is over, or gone.
    pub(crate) fn task_result(&self, request: &Id, id: TaskId) -> Vec<u8> {
        match self.tasks.borrow().task(id) {
            Some(task) => task_message::result(request, task),
            None => crate::mcp::error(Some(request), &task_store::not_found()),
        }
    }

    /// The word that the status of a task has changed, where the dialect of its client has such a word.
    pub(crate) fn task_status(&self, id: TaskId) -> Option<Vec<u8>> {
        let tasks = self.tasks.borrow();
        let task = tasks.task(id).filter(|task| !task.origin.revision.is_stateless())?;
        Some(task_message::status_notification(task))
    }

    /// Forgets tasks that are out of date; which.
    pub(crate) fn expire_tasks(&self, now: Now) -> Vec<TaskId> {
        self.tasks.borrow_mut().expire(now)
    }
}
