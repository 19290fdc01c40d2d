//! The tasks of a server, in memory alone: who has lost them after a restart calls again.

use crate::limits;
use crate::mcp::task::{End, Origin, Task, TaskId};
use crate::mcp::{Error, Revision};
use crate::principal::Scopes;
use crate::world::Now;
use std::fmt;

/// All tasks, the oldest first.
#[derive(Default)]
pub(super) struct Tasks(Vec<Task>);

/// How many there are: results and answers are nobody's but their client's.
impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Tasks").field(&self.0.len()).finish()
    }
}

/// Who asks for tasks, and when.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) subject: &'a str,
    pub(super) scopes: &'a Scopes,
    /// A task is one of its dialect: what it looks like, and what its result does.
    pub(super) revision: Revision,
    pub(super) now: Now,
}

impl Viewer<'_> {
    /// Whether a task is his. Another's is not there at all.
    fn sees(&self, task: &Task) -> bool {
        let Origin { subject, scope, revision, .. } = &task.origin;
        **subject == *self.subject && self.scopes.contains(scope) && *revision == self.revision && !task.is_expired(self.now)
    }
}

impl Tasks {
    /// Whether there is room for one more task of `subject`.
    pub(super) fn check_room(&self, subject: &str) -> Result<(), Error> {
        let count = |is_it: &dyn Fn(&Task) -> bool| self.0.iter().filter(|task| is_it(task)).count();
        let is_cancelled = |task: &Task| matches!(task.end, Some(End::Cancelled));
        let is_his = |task: &Task| *task.origin.subject == *subject;
        let full = |kept: usize, what: &str| {
            Err(Error::internal(format!("The board {what} {kept} tasks already. Try again when one of them is over.")))
        };
        if count(&|task| !task.is_over()) >= limits::TASKS_RUNNING {
            return full(limits::TASKS_RUNNING, "runs");
        }
        if count(&|task| is_his(task) && !is_cancelled(task)) >= limits::TASKS_OF_SUBJECT {
            return full(limits::TASKS_OF_SUBJECT, "keeps your");
        }
        if count(&|task| !is_cancelled(task)) >= limits::TASKS {
            return full(limits::TASKS, "keeps");
        }
        Ok(())
    }

    /// Begins a task.
    pub(super) fn begin(&mut self, origin: Origin, now: Now) -> Result<&Task, Error> {
        self.check_room(&origin.subject)?;
        let his = self.0.iter().filter(|task| task.origin.subject == origin.subject).count();
        if self.0.len() >= limits::TASKS || his >= limits::TASKS_OF_SUBJECT {
            // MCP 2025-11-25, task cancellation: one that was cancelled may be forgotten at any time. There is room, so there
            // is one of them, and one of his where it is he who has too many.
            let is_spare = |task: &Task| {
                matches!(task.end, Some(End::Cancelled))
                    && (his < limits::TASKS_OF_SUBJECT || task.origin.subject == origin.subject)
            };
            if let Some(oldest) = self.0.iter().position(is_spare) {
                self.0.remove(oldest);
            }
        }
        let last = self.0.len();
        self.0.push(Task::begin(origin, now));
        Ok(&self.0[last])
    }

    /// The task of this id, if it is there for who asks.
    pub(super) fn find(&self, viewer: Viewer<'_>, id: &str) -> Result<&Task, Error> {
        let id = TaskId::parse(id);
        let found = self.0.iter().find(|task| Some(task.origin.id) == id && viewer.sees(task));
        found.ok_or_else(not_found)
    }

    /// Those that are there for who asks.
    pub(super) fn list(&self, viewer: Viewer<'_>) -> impl Iterator<Item = &Task> {
        self.0.iter().filter(move |task| viewer.sees(task))
    }

    /// The task of this id, whoever asks.
    pub(super) fn task(&self, id: TaskId) -> Option<&Task> {
        self.0.iter().find(|task| task.origin.id == id)
    }

    /// The same, to be changed.
    pub(super) fn task_mut(&mut self, id: TaskId) -> Option<&mut Task> {
        self.0.iter_mut().find(|task| task.origin.id == id)
    }

    /// Ends a task, if it goes on. A result that is too large to be kept is lost, and the task fails.
    pub(super) fn end(&mut self, id: TaskId, now: Now, end: End) -> bool {
        let kept: usize = self.0.iter().map(Task::result_bytes).sum();
        let end = match &end {
            End::Result { json, .. } if json.len() > limits::TASK_RESULT_BYTES => {
                let bytes = limits::TASK_RESULT_BYTES;
                End::Fault(Error::internal(format!("The result is longer than the {bytes} bytes that a task keeps")))
            }
            End::Result { json, .. } if kept + json.len() > limits::TASK_RESULTS_BYTES => {
                End::Fault(Error::internal("The board keeps too many results of tasks already"))
            }
            _ => end,
        };
        self.task_mut(id).is_some_and(|task| task.end(now, end))
    }

    /// Forgets what is out of date; which.
    pub(super) fn expire(&mut self, now: Now) -> Vec<TaskId> {
        let gone = self.0.extract_if(.., |task| task.is_expired(now));
        gone.map(|task| task.origin.id).collect()
    }
}

/// The answer to who asks for a task that is not there, not his, or not any more.
pub(super) fn not_found() -> Error {
    Error::invalid_params("Invalid params: there is no such task (any more)")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::task::tests::{at, origin};

    const REVISION: Revision = Revision::V2026_07_28;

    fn begin(tasks: &mut Tasks, number: usize, subject: &str) -> Result<TaskId, Error> {
        let mut id = [0; 16];
        id[..8].copy_from_slice(&number.to_be_bytes());
        let origin = Origin { id: TaskId::new(id), subject: subject.into(), ..origin(REVISION, 0) };
        tasks.begin(origin, at(0)).map(|task| task.origin.id)
    }

    fn result(bytes: usize) -> End {
        End::Result { json: vec![b' '; bytes], is_error: false }
    }

    fn scopes(names: &str) -> Scopes {
        Scopes::parse(names, |_| true)
    }

    fn viewer<'a>(subject: &'a str, scopes: &'a Scopes) -> Viewer<'a> {
        Viewer { subject, scopes, revision: REVISION, now: at(1) }
    }

    #[test]
    fn a_task_of_somebody_else_is_not_there() {
        let mut tasks = Tasks::default();
        let id = begin(&mut tasks, 1, "ada").unwrap().to_string();
        let (math, disk) = (scopes("math"), scopes("disk"));
        let ada = viewer("ada", &math);
        assert!(tasks.find(ada, &id).is_ok());
        assert_eq!(tasks.list(ada).count(), 1);
        let older = Viewer { revision: Revision::V2025_11_25, ..ada };
        let later = Viewer { now: at(60 + limits::TASK_KEEP_MS / 1000), ..ada };
        for stranger in [viewer("bob", &math), viewer("ada", &disk), older, later] {
            assert_eq!(tasks.find(stranger, &id).map(|_| ()), Err(not_found()));
            assert_eq!(tasks.list(stranger).count(), 0);
        }
        assert!(tasks.find(ada, "nonsense").is_err() && tasks.find(ada, &TaskId::new([9; 16]).to_string()).is_err());
    }

    #[test]
    fn only_so_many_tasks_run_at_once() {
        let mut tasks = Tasks::default();
        let first = begin(&mut tasks, 0, "ada").unwrap();
        for number in 1..limits::TASKS_RUNNING {
            begin(&mut tasks, number, "bob").unwrap();
        }
        assert_eq!(begin(&mut tasks, 99, "eve").unwrap_err().code, -32603);
        assert!(tasks.end(first, at(1), result(1)));
        assert!(begin(&mut tasks, 99, "eve").is_ok());
    }

    #[test]
    fn only_so_many_tasks_are_kept_for_one_person_and_for_all() {
        let mut tasks = Tasks::default();
        let mut add =
            |number: usize, subject: &str| begin(&mut tasks, number, subject).map(|id| assert!(tasks.end(id, at(1), result(1))));
        for number in 0..limits::TASKS_OF_SUBJECT {
            add(number, "ada").unwrap();
        }
        assert!(add(1000, "ada").is_err());
        for number in limits::TASKS_OF_SUBJECT..limits::TASKS {
            add(number, "bob").unwrap();
        }
        let refusal = add(1000, "eve").unwrap_err();
        assert!(refusal.message.contains("256 tasks"), "{refusal:?}");
        assert_eq!(tasks.0.len(), limits::TASKS);
        assert_eq!(tasks.expire(at(10_000)).len(), limits::TASKS);
        assert!(begin(&mut tasks, 1000, "eve").is_ok());
    }

    #[test]
    fn tasks_that_were_cancelled_make_room_and_no_others() {
        let mut tasks = Tasks::default();
        let mut ids = Vec::new();
        for number in 0..limits::TASKS_OF_SUBJECT {
            let id = begin(&mut tasks, number, "ada").unwrap();
            tasks.end(id, at(1), if number == 5 { End::Cancelled } else { result(1) });
            ids.push(id);
        }
        let newest = begin(&mut tasks, 1000, "ada").unwrap();
        assert!(tasks.task(ids[5]).is_none() && tasks.task(ids[4]).is_some() && tasks.task(newest).is_some());
        assert!(begin(&mut tasks, 1001, "ada").is_err());
    }

    #[test]
    fn a_result_that_is_too_long_makes_its_task_fail() {
        let mut tasks = Tasks::default();
        let status = |tasks: &Tasks, id| tasks.task(id).unwrap().status().as_str();
        let id = begin(&mut tasks, 0, "ada").unwrap();
        tasks.end(id, at(1), result(limits::TASK_RESULT_BYTES + 1));
        assert_eq!(status(&tasks, id), "failed");
        for number in 1..=limits::TASK_RESULTS_BYTES / limits::TASK_RESULT_BYTES {
            let id = begin(&mut tasks, number, "ada").unwrap();
            tasks.end(id, at(1), result(limits::TASK_RESULT_BYTES));
            assert_eq!(status(&tasks, id), "completed");
        }
        let id = begin(&mut tasks, 1000, "ada").unwrap();
        tasks.end(id, at(1), result(1));
        assert_eq!(status(&tasks, id), "failed");
    }
}
