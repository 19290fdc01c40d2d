//! Running tools, resources and prompts: at once where they are quick, as a task of their own where they take time.

#[cfg(feature = "tasks")]
pub(crate) mod task;

use crate::audit::{Audit as _, Event as AuditEvent};
use crate::http::Service;
use crate::http::event::{Event, Outbox};
#[cfg(feature = "tasks")]
use crate::http::run::task::TaskLine;
use crate::http::watch::Count;
use crate::http::way::Way;
#[cfg(feature = "tasks")]
use crate::mcp::TaskWanted;
use crate::mcp::{Caller, Fingerprint, Finished, Id, Pending, Work};
use crate::principal::Principal;
use crate::tool::{Arguments, Ask, Call, Fate, Handler, Outcome, ToolError, Wire, Yield};
use crate::world::Now;
use serde_json::value::RawValue;
use std::cell::{Cell, OnceCell, RefCell};
use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;
use tokio::task::AbortHandle;

/// Whose calls an id is one of: two clients may both have a request 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner(pub(crate) [u8; 16]);

/// Who asked for a call, and where its answer goes.
#[derive(Clone, Copy)]
pub(crate) struct Asker<'a> {
    pub(crate) principal: &'a Principal,
    /// When he did.
    pub(crate) now: Now,
    pub(crate) owner: Owner,
    /// The client's stream, which stays open after the answer; without one the answer gets an outbox of its own.
    pub(crate) stream: Option<&'a Rc<Outbox>>,
    /// Whether the client reads events beside the answer.
    pub(crate) reads_events: bool,
    /// Whether the client can come back for an answer whose connection has ended.
    pub(crate) can_come_back: bool,
}

/// How a call began.
pub(crate) enum Started {
    /// It is done; this is the answer.
    Done(Vec<u8>),
    /// The answer comes out here, after whatever else the call has to say.
    Going(Rc<Outbox>),
}

/// The calls that go on.
#[derive(Default)]
pub(crate) struct Calls {
    running: RefCell<Vec<Rc<Running>>>,
    #[cfg(feature = "tasks")]
    tasks: task::Tasks,
}

struct Running {
    owner: Owner,
    id: Id,
    wire: Rc<Wire<Way>>,
    abort: RefCell<Option<AbortHandle>>,
}

impl Calls {
    /// Gives up a call; one that has ended, or is somebody else's, is left alone.
    pub(crate) fn cancel(&self, owner: Owner, id: &Id) {
        self.give_up(|running| running.owner == owner && running.id == *id);
        #[cfg(feature = "tasks")]
        self.tasks.leave(owner, id);
    }

    fn give_up(&self, is_it: impl Fn(&Running) -> bool) {
        let found = self.running.borrow().iter().find(|running| is_it(running)).cloned();
        let Some(running) = found else { return };
        let goes_on = running.wire.is_watched();
        running.wire.cancel();
        if let Some(abort) = running.abort.borrow().as_ref().filter(|_| !goes_on) {
            abort.abort();
        }
    }

    /// Whether a call of this owner goes on.
    pub(crate) fn is_any(&self, owner: Owner) -> bool {
        self.running.borrow().iter().any(|running| running.owner == owner)
    }

    fn is_full(&self, most: usize) -> bool {
        self.running.borrow().len() >= most
    }
}

/// Begins a piece of work. What it can do without waiting is done when this returns.
pub(crate) fn start(service: &Rc<Service>, asker: Asker<'_>, pending: Pending) -> Started {
    let Pending { id, work, arguments, progress, peer, answers, fingerprint, .. } = pending;
    #[cfg(feature = "tasks")]
    if let Some(refusal) = task::refusal(service, asker.principal, &id, pending.task) {
        return Started::Done(refusal);
    }
    let most = service.config().limits.calls;
    if service.calls.is_full(most) {
        service.watch.add(Count::CallsTurnedAway);
        let busy = Err(ToolError::new(format!("The board runs {most} calls already. Try again in a moment.")));
        return Started::Done(service.engine().finish(&Finished { id: &id, work: &work, peer: &peer }, &busy));
    }
    let way = Wire::new(Way {
        service: Rc::clone(service),
        owner: asker.owner,
        outbox: asker.stream.cloned().map_or_else(OnceCell::new, OnceCell::from),
        can_stream: asker.reads_events,
        can_come_back: asker.can_come_back,
        progress,
        peer,
        answers,
        asked: RefCell::default(),
        #[cfg(feature = "tasks")]
        task: OnceCell::new(),
        #[cfg(feature = "tasks")]
        words: RefCell::default(),
    });
    let redacted = work.redacted(&arguments);
    let job = Job {
        service: Rc::clone(service),
        id,
        work,
        redacted,
        way,
        fingerprint,
        began_ms: asker.now.uptime_ms,
        stream: asker.stream.is_some(),
        #[cfg(feature = "tasks")]
        wanted: pending.task,
    };
    run(job, arguments, asker.principal)
}

fn run(job: Job, arguments: Arguments, principal: &Principal) -> Started {
    // A client of the handshake dialect that wants a task gets one, however soon that is over.
    #[cfg(feature = "tasks")]
    let created = if job.way.peer.revision.is_stateless() { None } else { task::begin(&job, principal) };
    let outcome = begin(&job.work, arguments, principal, &job.way);
    let mut working = Working { work: outcome, way: Rc::clone(&job.way) };
    #[cfg(feature = "tasks")]
    if let Some(created) = created {
        // The client hears of its task before it hears from it.
        go_on(job, working, principal);
        return Started::Done(created);
    }
    // Most work is done at once: no task, no timer, no entry in the table.
    if let Poll::Ready(ended) = Pin::new(&mut working).poll(&mut Context::from_waker(Waker::noop())) {
        let answer = job.answer(principal, ended);
        return job.done(answer);
    }
    // In the stateless dialect it is the server that decides, and a call that is done at once needs no task.
    #[cfg(feature = "tasks")]
    let created = task::begin(&job, principal);
    let outbox = go_on(job, working, principal);
    #[cfg(feature = "tasks")]
    if let Some(created) = created {
        return Started::Done(created);
    }
    Started::Going(outbox)
}

/// Has work that takes time go on by itself; where its answer comes out.
fn go_on(job: Job, working: Working, principal: &Principal) -> Rc<Outbox> {
    let service = Rc::clone(&job.service);
    let outbox = Rc::clone(job.way.outbox());
    let wire = Rc::clone(&job.way);
    let running = Rc::new(Running { owner: job.owner(), id: job.id.clone(), wire, abort: RefCell::default() });
    service.calls.running.borrow_mut().push(Rc::clone(&running));
    let ending = Ending { job, running: Rc::clone(&running), principal: principal.clone(), is_told: Cell::new(false) };
    let task = tokio::task::spawn_local(finish(ending, working));
    running.abort.replace(Some(task.abort_handle()));
    outbox
}

fn begin(work: &Work, arguments: Arguments, principal: &Principal, wire: &Rc<Wire<Way>>) -> Outcome {
    match work.handler() {
        Handler::Local(handler) => {
            // Made where it is handed on: what a closure takes along is copied twice on its way through this.
            let called = || handler(Call::new(arguments, principal.clone(), wire.peer.client.clone(), wire.clone()));
            catch_unwind(AssertUnwindSafe(called)).unwrap_or_else(|_| Outcome::ready(Err(failed())))
        }
        Handler::Blocking(handler) => {
            let handler = Arc::clone(handler);
            let thread = tokio::task::spawn_blocking(move || handler(arguments));
            Outcome::waits(async move { thread.await.unwrap_or_else(|_| Err(failed())) })
        }
    }
}

/// A piece of work, whose panic is its own: nobody else's call ends with it.
struct Working {
    work: Outcome,
    way: Rc<Wire<Way>>,
}

/// How work ended, or why it cannot go on.
enum Ended {
    Done(Result<Yield, ToolError>),
    /// In the stateless dialect: the client must call again with the answers.
    Asked(Vec<(String, Ask)>),
    /// It was stopped after this time.
    Overdue(Duration),
}

impl Ended {
    fn fate(&self) -> Fate {
        match self {
            Ended::Done(Ok(_)) => Fate::Ok,
            Ended::Done(Err(_)) => Fate::Error,
            Ended::Asked(_) => Fate::InputRequired,
            Ended::Overdue(_) => Fate::Timeout,
        }
    }
}

impl Future for Working {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let work = Pin::new(&mut self.work);
        let polled = catch_unwind(AssertUnwindSafe(|| work.poll(context))).unwrap_or_else(|_| Poll::Ready(Err(failed())));
        match polled {
            Poll::Ready(outcome) => Poll::Ready(Ended::Done(outcome)),
            Poll::Pending if !self.way.asked.borrow().is_empty() => Poll::Ready(Ended::Asked(self.way.asked.take())),
            Poll::Pending => {
                #[cfg(feature = "tasks")]
                self.way.task.get().into_iter().for_each(|line| line.settle(&self.way));
                Poll::Pending
            }
        }
    }
}

/// A piece of work and what its answer needs.
struct Job {
    service: Rc<Service>,
    id: Id,
    work: Work,
    /// With what, as the audit shows it.
    redacted: Option<Box<RawValue>>,
    way: Rc<Wire<Way>>,
    fingerprint: Fingerprint,
    began_ms: u64,
    /// Whether the answer goes to a stream that stays open.
    stream: bool,
    /// Whether the work is to be a task.
    #[cfg(feature = "tasks")]
    wanted: Option<TaskWanted>,
}

impl Job {
    /// Under whose name it runs: a task has one of its own, so that nothing but `tasks/cancel` ends it.
    fn owner(&self) -> Owner {
        #[cfg(feature = "tasks")]
        if let Some(line) = self.way.task.get() {
            return line.owner();
        }
        self.way.owner
    }

    fn answer(&self, principal: &Principal, ended: Ended) -> Vec<u8> {
        self.record(principal, ended.fate());
        let finished = Finished { id: &self.id, work: &self.work, peer: &self.way.peer };
        match ended {
            Ended::Done(outcome) => self.service.engine().finish(&finished, &outcome),
            Ended::Overdue(deadline) => self.service.engine().finish(&finished, &Err(overdue(deadline))),
            Ended::Asked(asked) => {
                let caller = Caller { principal, now: self.service.clock.now(), header: None };
                self.service.engine().ask(caller, &finished, (self.fingerprint, &self.way.answers), &asked)
            }
        }
    }

    /// Ends the task that the work is, if it is one.
    #[cfg(feature = "tasks")]
    fn end_task(&self, principal: &Principal, ended: &Ended) {
        if let Some(line) = self.way.task.get() {
            self.record(principal, ended.fate());
            task::end(self, line, ended);
        }
    }

    /// The answer of work that was done at once: behind its other messages, if it had any.
    fn done(&self, answer: Vec<u8>) -> Started {
        match self.way.outbox.get().filter(|outbox| !self.stream && !outbox.is_empty()) {
            None => Started::Done(answer),
            Some(outbox) => {
                outbox.push(Event::Message(answer.into()));
                outbox.close();
                Started::Going(Rc::clone(outbox))
            }
        }
    }

    fn record(&self, principal: &Principal, fate: Fate) {
        let now_ms = self.service.clock.uptime_ms();
        let ms = now_ms.saturating_sub(self.began_ms);
        let (subject, client, tool) = (principal.subject.as_str(), principal.client, self.work.name());
        let (arguments, effect) = (self.redacted.as_deref(), self.work.effect());
        self.service.watch.called(principal, &self.work, &self.way.peer.client.name, fate, (now_ms, ms));
        let outcome = fate.as_str();
        self.service.watch.record(&AuditEvent::ToolCalled { subject, client, tool, arguments, effect, outcome, ms });
    }
}

/// Waits for work that takes time, and sends its answer.
async fn finish(ending: Ending, mut working: Working) {
    let deadline = ending.job.work.deadline();
    let ended = loop {
        match tokio::time::timeout(deadline, &mut working).await {
            Ok(ended) => break ended,
            // A person who fills in a form takes longer than a tool.
            Err(_) if ending.waits_for_a_person() => {}
            Err(_) => break Ended::Overdue(deadline),
        }
    };
    if ending.running.wire.is_cancelled() {
        // MCP 2025-11-25, basic/utilities/cancellation: no answer to a request that was given up.
        return;
    }
    ending.is_told.set(true);
    #[cfg(feature = "tasks")]
    if ending.job.way.task.get().is_some() {
        return ending.job.end_task(&ending.principal, &ended);
    }
    let answer = ending.job.answer(&ending.principal, ended);
    ending.job.way.outbox().push(Event::Message(answer.into()));
}

/// Puts away what a call held and writes its line in the audit, however it ended.
struct Ending {
    job: Job,
    running: Rc<Running>,
    principal: Principal,
    is_told: Cell<bool>,
}

impl Ending {
    fn waits_for_a_person(&self) -> bool {
        let Job { service, began_ms, .. } = &self.job;
        let took = Duration::from_millis(service.clock.now().uptime_ms.saturating_sub(*began_ms));
        let is_waiting = service.asks.is_waiting(self.running.owner);
        #[cfg(feature = "tasks")]
        let is_waiting = self.job.way.task.get().map_or(is_waiting, TaskLine::is_waiting);
        is_waiting && took < self.job.work.patience()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.job.service.calls.running.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.running));
        if !self.is_told.get() {
            self.job.record(&self.principal, Fate::Cancelled);
        }
        #[cfg(feature = "tasks")]
        self.job.way.task.get().into_iter().for_each(|line| task::give_up(&self.job.service, line));
        let Job { service, way, .. } = &self.job;
        if !self.job.stream {
            way.outbox().close();
        } else if !service.calls.is_any(self.running.owner) {
            service.streams.rest(way.outbox());
        }
    }
}

fn failed() -> ToolError {
    ToolError::fault("The tool failed by a fault of its own; the log of the board says where.")
}

fn overdue(deadline: Duration) -> ToolError {
    ToolError::new(format!("The tool did not finish within {} s and was stopped.", deadline.as_secs_f64()))
}
