//! Calls that are tasks: nobody waits for their answer on the connection that they came by.
//!
//! In the handshake dialect, what such a call has to say on its way goes to who waits for its result, else to the stream of
//! its session; its questions are kept until somebody waits. In the stateless one, all of it is fetched with the task.

use crate::http::Service;
use crate::http::event::{Event, Outbox};
use crate::http::run::{Asker, Ended, Job, Owner, Started, overdue};
use crate::http::stream::Name;
use crate::http::way::Way;
use crate::limits;
use crate::mcp::{self, Answers, Error, Finished, Id, TaskAction, TaskId, TaskWanted};
use crate::principal::Principal;
use crate::tool::{Ask, AskError, Level, Need, Progress, Slot, Wire};
use bytes::Bytes;
use serde_json::Value;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

/// What the edge holds of tasks: the calls that go on, and who waits for their end.
#[derive(Default)]
pub(super) struct Tasks {
    ways: RefCell<Vec<Weak<Wire<Way>>>>,
    waiters: RefCell<Vec<Waiter>>,
}

/// A request for the result of a task that goes on.
struct Waiter {
    owner: Owner,
    request: Id,
    task: TaskId,
    outbox: Rc<Outbox>,
    reads_events: bool,
    /// Whether the answer goes to a stream that stays open.
    is_stream: bool,
}

impl Waiter {
    /// Whether somebody still reads what is said to it.
    fn is_there(&self) -> bool {
        !self.outbox.is_closed() && Rc::strong_count(&self.outbox) > 1
    }

    fn answer(self, answer: Vec<u8>) {
        self.outbox.push(Event::Message(answer.into()));
        if !self.is_stream {
            self.outbox.close();
        }
    }
}

impl Tasks {
    fn way(&self, task: TaskId) -> Option<Rc<Wire<Way>>> {
        let is_it = |way: &Rc<Wire<Way>>| way.task.get().is_some_and(|line| line.id == task);
        self.ways.borrow().iter().filter_map(Weak::upgrade).find(is_it)
    }

    /// Gives up waiting; whoever does not wait is left alone.
    pub(super) fn leave(&self, owner: Owner, request: &Id) {
        let is_it = |waiter: &mut Waiter| waiter.owner == owner && waiter.request == *request;
        let left: Vec<Waiter> = self.waiters.borrow_mut().extract_if(.., is_it).collect();
        left.iter().filter(|waiter| !waiter.is_stream).for_each(|waiter| waiter.outbox.close());
    }
}

/// The answer to a call that must be a task and has no room.
pub(super) fn refusal(service: &Service, principal: &Principal, id: &Id, wanted: Option<TaskWanted>) -> Option<Vec<u8>> {
    let wanted = wanted?;
    forget_old(service);
    let fault = check_room(service, principal).err().filter(|_| wanted.is_required)?;
    Some(mcp::error(Some(id), &fault))
}

/// Tasks take half of the calls at most: there must be room for calls that somebody waits for.
fn check_room(service: &Service, principal: &Principal) -> Result<(), Error> {
    let calls = service.config().limits.calls;
    if service.calls.is_full(calls) {
        return Err(Error::internal(format!("The board runs {calls} calls already. Try again in a moment.")));
    }
    let running = service.calls.tasks.ways.borrow().iter().filter(|way| way.strong_count() > 0).count();
    if running >= calls.div_ceil(2) {
        return Err(Error::internal(format!("The board runs {running} tasks already. Try again when one of them is over.")));
    }
    service.engine().check_task_room(principal)
}

/// Makes a call a task, and writes the answer that says so; `None` where it is to be none, or there is no room.
pub(super) fn begin(job: &Job, principal: &Principal) -> Option<Vec<u8>> {
    let Job { service, id, work, way, wanted, .. } = job;
    check_room(service, principal).ok()?;
    let (world, call) = (service.world(), Finished { id, work, peer: &way.peer });
    let task = TaskId::new(world.bytes());
    let answer = service.engine().begin_task(task, &call, (principal, world.now), (*wanted)?).ok()?;
    if let Some(words) = way.words.take() {
        service.engine().note_task(task, world.now, &words);
    }
    let line = TaskLine { id: task, patience: work.patience(), open: RefCell::default() };
    let _ = way.task.set(line);
    let mut ways = service.calls.tasks.ways.borrow_mut();
    ways.retain(|way| way.strong_count() > 0);
    ways.push(Rc::downgrade(way));
    Some(answer)
}

/// Ends the task that a call is.
pub(super) fn end(job: &Job, line: &TaskLine, ended: &Ended) {
    let Job { service, id, work, way, .. } = job;
    let late;
    let outcome = match ended {
        Ended::Done(outcome) => outcome,
        Ended::Overdue(deadline) => {
            late = Err(overdue(*deadline));
            &late
        }
        // A task waits for the answers to what it asks, and so never stops to ask.
        Ended::Asked(_) => return,
    };
    let call = Finished { id, work, peer: &way.peer };
    service.engine().end_task(line.id, service.clock.now(), &call, outcome);
    tell_end(service, line.id);
}

/// Ends the task of a call that was dropped where it stood.
pub(super) fn give_up(service: &Service, line: &TaskLine) {
    service.engine().give_up_task(line.id, service.clock.now());
    tell_end(service, line.id);
}

/// Does what a client asks about a task.
pub(crate) fn act(service: &Service, asker: Asker<'_>, action: TaskAction) -> Started {
    match action {
        TaskAction::Await(request, task) => wait(service, asker, request, task),
        TaskAction::Stop(task, answer) => {
            tell_end(service, task);
            service.calls.give_up(|running| running.owner == Owner(task.bytes()));
            Started::Done(answer)
        }
        TaskAction::Input(task, answers, answer) => {
            if let Some(way) = service.calls.tasks.way(task) {
                way.task.get().into_iter().for_each(|line| line.fill(&answers));
            }
            Started::Done(answer)
        }
    }
}

/// Waits for the end of a task; who waits gets to see its questions.
fn wait(service: &Service, asker: Asker<'_>, request: Id, task: TaskId) -> Started {
    let Asker { owner, stream, reads_events, .. } = asker;
    let tasks = &service.calls.tasks;
    tasks.waiters.borrow_mut().retain(Waiter::is_there);
    if tasks.waiters.borrow().len() >= limits::TASK_WAITERS {
        let fault = Error::internal(format!("{} requests wait for tasks already. Ask with tasks/get.", limits::TASK_WAITERS));
        return Started::Done(mcp::error(Some(&request), &fault));
    }
    let outbox = stream.cloned().unwrap_or_default();
    if let Some(way) = tasks.way(task).filter(|_| reads_events) {
        way.task.get().into_iter().for_each(|line| line.repeat(&outbox));
    }
    let waiter = Waiter { owner, request, task, outbox: Rc::clone(&outbox), reads_events, is_stream: stream.is_some() };
    tasks.waiters.borrow_mut().push(waiter);
    Started::Going(outbox)
}

/// Tells everybody who wants to know of the end of a task, or that it is gone.
fn tell_end(service: &Service, task: TaskId) {
    let tasks = &service.calls.tasks;
    if let Some(way) = tasks.way(task) {
        way.task.get().into_iter().for_each(|line| line.tell_status(&way));
    }
    tasks.ways.borrow_mut().retain(|way| {
        let line = way.upgrade().and_then(|way| way.task.get().map(|line| line.id));
        line.is_some_and(|id| id != task)
    });
    let waiters: Vec<Waiter> = tasks.waiters.borrow_mut().extract_if(.., |waiter| waiter.task == task).collect();
    for waiter in waiters {
        let answer = service.engine().task_result(&waiter.request, task);
        waiter.answer(answer);
    }
}

/// Forgets tasks that are out of date; what still runs is stopped.
pub(crate) fn forget_old(service: &Service) {
    for task in service.engine().expire_tasks(service.clock.now()) {
        service.calls.give_up(|running| running.owner == Owner(task.bytes()));
        tell_end(service, task);
    }
}

/// The way back of a call that is a task.
pub(crate) struct TaskLine {
    id: TaskId,
    patience: Duration,
    /// The questions that the call waits for.
    open: RefCell<Vec<Question>>,
}

/// A question to the client of a task.
struct Question {
    key: String,
    slot: Weak<Slot>,
    /// In the handshake dialect: our request, and who was sent it.
    request: Bytes,
    told: Weak<Outbox>,
}

impl TaskLine {
    pub(super) fn owner(&self) -> Owner {
        Owner(self.id.bytes())
    }

    /// Whether the call waits for its client.
    pub(super) fn is_waiting(&self) -> bool {
        self.open.borrow().iter().any(|question| question.slot.strong_count() > 0)
    }

    /// Carries progress. Its words are shown with the task, too: who polls sees nothing else.
    pub(crate) fn progress(&self, way: &Way, progress: Progress<'_>) {
        if let Some(message) = progress.message {
            way.service.engine().note_task(self.id, way.service.clock.now(), message);
        }
        if let Some(token) = &way.progress {
            self.tell(way, || token.notification(progress));
        }
    }

    /// Carries a line for the log.
    pub(crate) fn log(&self, way: &Way, (level, logger): (Level, Option<&str>), data: &Value) {
        self.tell(way, || mcp::log_message(level, logger, data));
    }

    /// Says something, if somebody can hear it. The extension of the stateless dialect leaves no way to.
    fn tell(&self, way: &Way, message: impl FnOnce() -> Vec<u8>) {
        if let Some(outbox) = self.listener(way) {
            outbox.push(Event::Message(mcp::related_to_task(&message(), self.id).into()));
        }
    }

    fn tell_status(&self, way: &Way) {
        if let Some(message) = way.service.engine().task_status(self.id)
            && let Some(outbox) = self.listener(way)
        {
            outbox.push(Event::Message(message.into()));
        }
    }

    fn listener(&self, way: &Way) -> Option<Rc<Outbox>> {
        if way.peer.revision.is_stateless() {
            return None;
        }
        self.waiting(way).or_else(|| way.service.streams.of(way.owner).map(|stream| Rc::clone(&stream.outbox)))
    }

    /// Where somebody waits for the result, and reads events: the last who came.
    fn waiting(&self, way: &Way) -> Option<Rc<Outbox>> {
        let waiters = way.service.calls.tasks.waiters.borrow();
        let is_there = |waiter: &&Waiter| waiter.task == self.id && waiter.reads_events && waiter.is_there();
        waiters.iter().rev().find(is_there).map(|waiter| Rc::clone(&waiter.outbox))
    }

    /// Puts a question to the client, which the task shows that it needs.
    pub(crate) fn ask(&self, way: &Way, key: &str, ask: &Ask) -> Result<Rc<Slot>, AskError> {
        if !way.peer.revision.is_stateless() {
            return self.request(way, ask);
        }
        if ask.need == Need::Presence {
            return Err(AskError::Unsupported);
        }
        if let Some(answer) = way.answers.get(key).cloned().or_else(|| way.service.engine().answered_in_task(self.id, key)) {
            return Ok(Slot::filled(&answer));
        }
        // The extension, task update requests: a key names one question for as long as the task lives.
        if self.open.borrow().len() >= limits::ASKS || self.open.borrow().iter().any(|question| question.key == key) {
            return Err(AskError::Gone);
        }
        let slot = Rc::<Slot>::default();
        let question = Question { key: key.to_owned(), slot: Rc::downgrade(&slot), request: Bytes::new(), told: Weak::new() };
        self.await_answer(way, question, ask);
        Ok(slot)
    }

    /// The same in the handshake dialect, where the question is a request of ours. It goes to who waits for the result, or
    /// down a stream that is the only way to the client; else it waits with the task.
    fn request(&self, way: &Way, ask: &Ask) -> Result<Rc<Slot>, AskError> {
        let service = &way.service;
        let (id, slot) = service.asks.open(way.owner).ok_or(AskError::Gone)?;
        let request = Bytes::from(mcp::related_to_task(&mcp::request(&id, ask), self.id));
        let stream = service.streams.of(way.owner).filter(|stream| matches!(stream.name, Name::Sse(_)));
        let outbox = stream.map(|stream| Rc::clone(&stream.outbox)).or_else(|| self.waiting(way));
        let told = outbox.as_ref().map_or_else(Weak::new, Rc::downgrade);
        let key = id.as_json().to_owned();
        let question = Question { key, slot: Rc::downgrade(&slot), request: request.clone(), told };
        self.await_answer(way, question, ask);
        if let Some(outbox) = outbox {
            outbox.push(Event::Message(request));
        }
        Ok(slot)
    }

    fn await_answer(&self, way: &Way, question: Question, ask: &Ask) {
        let now = way.service.clock.now();
        let is_changed = way.service.engine().ask_in_task(self.id, now, &question.key, ask, self.patience);
        self.open.borrow_mut().push(question);
        if is_changed {
            self.tell_status(way);
        }
    }

    /// Says the questions that are open to who waits now. Whoever was asked before may have lost his connection, and nobody
    /// would notice for a while; a second answer to a question is passed over.
    fn repeat(&self, outbox: &Rc<Outbox>) {
        let is_told = |question: &Question| std::ptr::eq(question.told.as_ptr(), Rc::as_ptr(outbox));
        for question in self.open.borrow_mut().iter_mut().filter(|question| !is_told(question)) {
            question.told = Rc::downgrade(outbox);
            outbox.push(Event::Message(question.request.clone()));
        }
    }

    /// Hands answers of the stateless dialect to the call.
    fn fill(&self, answers: &Answers) {
        let is_answered = |question: &mut Question| answers.contains_key(&question.key);
        let answered: Vec<Question> = self.open.borrow_mut().extract_if(.., is_answered).collect();
        for question in answered {
            if let (Some(slot), Some(answer)) = (question.slot.upgrade(), answers.get(&question.key)) {
                slot.take(answer);
            }
        }
    }

    /// After the call went on for a bit: what it does not wait for any more is no question any more.
    pub(super) fn settle(&self, way: &Way) {
        if self.open.borrow().is_empty() {
            return;
        }
        self.open.borrow_mut().retain(|question| question.slot.strong_count() > 0);
        let is_open = |key: &str| self.open.borrow().iter().any(|question| question.key == key);
        if way.service.engine().keep_questions(self.id, way.service.clock.now(), is_open) {
            self.tell_status(way);
        }
    }
}
