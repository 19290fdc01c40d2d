//! Running tools, resources and prompts: at once where they are quick, as a task of their own where they take time.

use crate::audit::Event as AuditEvent;
use crate::http::Service;
use crate::http::event::{Event, Outbox};
use crate::http::way::Way;
use crate::mcp::{Caller, Fingerprint, Finished, Id, Pending, Work};
use crate::principal::Principal;
use crate::tool::{Arguments, Ask, Call, Handler, Line, Outcome, ToolError, Wire, Yield};
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
pub(crate) struct Calls(RefCell<Vec<Rc<Running>>>);

struct Running {
    owner: Owner,
    id: Id,
    wire: Rc<Wire>,
    abort: RefCell<Option<AbortHandle>>,
}

impl Calls {
    /// Gives up a call; one that has ended, or is somebody else's, is left alone.
    pub(crate) fn cancel(&self, owner: Owner, id: &Id) {
        let found = self.0.borrow().iter().find(|running| running.owner == owner && running.id == *id).cloned();
        let Some(running) = found else { return };
        let goes_on = running.wire.is_watched();
        running.wire.cancel();
        if let Some(abort) = running.abort.borrow().as_ref().filter(|_| !goes_on) {
            abort.abort();
        }
    }

    fn is_full(&self, most: usize) -> bool {
        self.0.borrow().len() >= most
    }
}

/// Begins a piece of work. What it can do without waiting is done when this returns.
pub(crate) fn start(service: &Rc<Service>, asker: Asker<'_>, pending: Pending) -> Started {
    let Pending { id, work, arguments, progress, peer, answers, fingerprint } = pending;
    let most = service.config().limits.calls;
    if service.calls.is_full(most) {
        let busy = Err(ToolError::new(format!("The board runs {most} calls already. Try again in a moment.")));
        return Started::Done(service.engine().finish(&Finished { id: &id, work: &work, peer: &peer }, &busy));
    }
    let began_ms = service.clock.now().uptime_ms;
    let way = Rc::new(Way {
        service: Rc::clone(service),
        owner: asker.owner,
        outbox: asker.stream.cloned().map_or_else(OnceCell::new, OnceCell::from),
        can_stream: asker.reads_events,
        can_come_back: asker.can_come_back,
        progress,
        peer,
        answers,
        asked: RefCell::default(),
    });
    let wire = Rc::new(Wire::new(Rc::clone(&way) as Rc<dyn Line>));
    let redacted = work.redacted(&arguments);
    let mut working = Working { work: begin(&work, arguments, asker.principal, &way, &wire), way: Rc::clone(&way) };
    let stream = asker.stream.is_some();
    let job = Job { service: Rc::clone(service), id, work, redacted, way, fingerprint, began_ms, stream };
    // Most work is done at once: no task, no timer, no entry in the table.
    if let Poll::Ready(ended) = Pin::new(&mut working).poll(&mut Context::from_waker(Waker::noop())) {
        let answer = job.answer(asker.principal, ended);
        return job.done(answer);
    }
    let outbox = Rc::clone(job.way.outbox());
    let running = Rc::new(Running { owner: asker.owner, id: job.id.clone(), wire, abort: RefCell::default() });
    service.calls.0.borrow_mut().push(Rc::clone(&running));
    let ending = Ending { job, running: Rc::clone(&running), principal: asker.principal.clone(), is_told: Cell::new(false) };
    let task = tokio::task::spawn_local(finish(ending, working));
    running.abort.replace(Some(task.abort_handle()));
    Started::Going(outbox)
}

fn begin(work: &Work, arguments: Arguments, principal: &Principal, way: &Way, wire: &Rc<Wire>) -> Outcome {
    match work.handler() {
        Handler::Local(handler) => {
            let call = Call::new(arguments, principal.clone(), way.peer.client.clone(), Rc::clone(wire));
            catch_unwind(AssertUnwindSafe(|| handler(call))).unwrap_or_else(|_| Box::pin(async { Err(failed()) }))
        }
        Handler::Blocking(handler) => {
            let handler = Arc::clone(handler);
            let thread = tokio::task::spawn_blocking(move || handler(arguments));
            Box::pin(async move { thread.await.unwrap_or_else(|_| Err(failed())) })
        }
    }
}

/// A piece of work, whose panic is its own: nobody else's call ends with it.
struct Working {
    work: Outcome,
    way: Rc<Way>,
}

/// How work ended, or why it cannot go on.
enum Ended {
    Done(Result<Yield, ToolError>),
    /// In the stateless dialect: the client must call again with the answers.
    Asked(Vec<(String, Ask)>),
}

impl Future for Working {
    type Output = Ended;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Ended> {
        let work = self.work.as_mut();
        let polled = catch_unwind(AssertUnwindSafe(|| work.poll(context))).unwrap_or_else(|_| Poll::Ready(Err(failed())));
        match polled {
            Poll::Ready(outcome) => Poll::Ready(Ended::Done(outcome)),
            Poll::Pending if !self.way.asked.borrow().is_empty() => Poll::Ready(Ended::Asked(self.way.asked.take())),
            Poll::Pending => Poll::Pending,
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
    way: Rc<Way>,
    fingerprint: Fingerprint,
    began_ms: u64,
    /// Whether the answer goes to a stream that stays open.
    stream: bool,
}

impl Job {
    fn answer(&self, principal: &Principal, ended: Ended) -> Vec<u8> {
        let finished = Finished { id: &self.id, work: &self.work, peer: &self.way.peer };
        match ended {
            Ended::Done(outcome) => {
                self.record(principal, if outcome.is_ok() { "ok" } else { "error" });
                self.service.engine().finish(&finished, &outcome)
            }
            Ended::Asked(asked) => {
                self.record(principal, "input_required");
                let caller = Caller { principal, now: self.service.clock.now(), header: None };
                self.service.engine().ask(caller, &finished, (self.fingerprint, &self.way.answers), &asked)
            }
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

    fn record(&self, principal: &Principal, outcome: &'static str) {
        let ms = self.service.clock.now().uptime_ms.saturating_sub(self.began_ms);
        let (subject, client, tool) = (principal.subject.as_str(), principal.client, self.work.name());
        let arguments = self.redacted.as_deref();
        self.service.audit.record(&AuditEvent::ToolCalled { subject, client, tool, arguments, outcome, ms });
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
            Err(_) => {
                ending.job.record(&ending.principal, "timeout");
                ending.is_told.set(true);
                break Ended::Done(Err(overdue(deadline)));
            }
        }
    };
    if ending.running.wire.is_cancelled() {
        // MCP 2025-11-25, basic/utilities/cancellation: no answer to a request that was given up.
        return;
    }
    let answer = if ending.is_told.get() {
        let Job { id, work, way, service, .. } = &ending.job;
        let Ended::Done(outcome) = ended else { return };
        service.engine().finish(&Finished { id, work, peer: &way.peer }, &outcome)
    } else {
        ending.is_told.set(true);
        ending.job.answer(&ending.principal, ended)
    };
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
        service.asks.is_waiting(self.running.owner) && took < self.job.work.patience()
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.job.service.calls.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.running));
        if !self.is_told.get() {
            self.job.record(&self.principal, "cancelled");
        }
        if !self.job.stream {
            self.job.way.outbox().close();
        }
    }
}

fn failed() -> ToolError {
    ToolError::new("The tool failed by a fault of its own; the log of the board says where.")
}

fn overdue(deadline: Duration) -> ToolError {
    ToolError::new(format!("The tool did not finish within {} s and was stopped.", deadline.as_secs_f64()))
}
