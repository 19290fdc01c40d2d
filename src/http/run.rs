//! Running tools: at once where they are quick, as a task of their own where they take time.

use crate::audit::Event as AuditEvent;
use crate::http::Service;
use crate::http::event::{Event, Outbox};
use crate::limits;
use crate::mcp::{Id, Peer, Pending, Token};
use crate::principal::Principal;
use crate::tool::{Arguments, Call, Handler, Outcome, Output, Report, Tool, ToolError, Wire};
use std::cell::{Cell, RefCell};
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
    pub(crate) peer: Peer,
    pub(crate) principal: &'a Principal,
    pub(crate) owner: Owner,
    /// The client's stream, which stays open after the answer; without one the answer gets an outbox of its own.
    pub(crate) stream: Option<&'a Rc<Outbox>>,
}

/// How a call began.
pub(crate) enum Started {
    /// It is done; this is the answer.
    Done(Vec<u8>),
    /// The answer comes out here, after progress if the client asked for that.
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

    fn is_full(&self) -> bool {
        self.0.borrow().len() >= limits::CALLS
    }
}

/// Runs a tool. What it can do without waiting is done when this returns.
pub(crate) fn start(service: &Rc<Service>, asker: &Asker<'_>, pending: Pending) -> Started {
    let Pending { id, tool, arguments, progress } = pending;
    if service.calls.is_full() {
        let busy = Err(ToolError::new(format!("The board runs {} calls already. Try again in a moment.", limits::CALLS)));
        return Started::Done(service.engine.finish(asker.peer, &id, &busy));
    }
    let began_ms = service.clock.now().uptime_ms;
    let outbox = asker.stream.cloned().or_else(|| progress.as_ref().map(|_| Rc::default()));
    let wire = Rc::new(Wire::new(report(progress, outbox.as_ref())));
    let mut work = begin(&tool, arguments, asker.principal, &wire);
    // Most tools are done at once: no task, no timer, no entry in the table.
    if let Poll::Ready(outcome) = Pin::new(&mut work).poll(&mut Context::from_waker(Waker::noop())) {
        record(service, asker.principal, &tool, began_ms, if outcome.is_ok() { "ok" } else { "error" });
        return done(service.engine.finish(asker.peer, &id, &outcome), asker, outbox);
    }
    let outbox = outbox.unwrap_or_default();
    let running = Rc::new(Running { owner: asker.owner, id, wire, abort: RefCell::default() });
    service.calls.0.borrow_mut().push(Rc::clone(&running));
    let ending = Ending {
        service: Rc::clone(service),
        running: Rc::clone(&running),
        outbox: Rc::clone(&outbox),
        closes: asker.stream.is_none(),
        principal: asker.principal.clone(),
        tool,
        began_ms,
        outcome: Cell::new("cancelled"),
    };
    let task = tokio::task::spawn_local(finish(ending, work, asker.peer));
    running.abort.replace(Some(task.abort_handle()));
    Started::Going(outbox)
}

/// The answer of a call that was done at once: behind its progress, if it reported any.
fn done(answer: Vec<u8>, asker: &Asker<'_>, outbox: Option<Rc<Outbox>>) -> Started {
    match outbox.filter(|outbox| asker.stream.is_none() && !outbox.is_empty()) {
        None => Started::Done(answer),
        Some(outbox) => {
            outbox.push(Event::Message(answer.into()));
            outbox.close();
            Started::Going(outbox)
        }
    }
}

fn report(progress: Option<Token>, outbox: Option<&Rc<Outbox>>) -> Option<Report> {
    let (token, outbox) = (progress?, Rc::clone(outbox?));
    Some(Box::new(move |progress| outbox.push(Event::Message(token.notification(progress).into()))))
}

fn begin(tool: &Tool, arguments: Arguments, principal: &Principal, wire: &Rc<Wire>) -> Guarded {
    match tool.handler() {
        Handler::Local(handler) => {
            let call = Call::new(arguments, principal.clone(), Rc::clone(wire));
            catch_unwind(AssertUnwindSafe(|| Guarded(handler(call))))
                .unwrap_or_else(|_| Guarded(Box::pin(async { Err(failed()) })))
        }
        Handler::Blocking(handler) => {
            let handler = Arc::clone(handler);
            let thread = tokio::task::spawn_blocking(move || handler(arguments));
            Guarded(Box::pin(async move { thread.await.unwrap_or_else(|_| Err(failed())) }))
        }
    }
}

/// Waits for a call that takes time, and sends its answer.
async fn finish(ending: Ending, work: Guarded, peer: Peer) {
    let deadline = ending.tool.spec().deadline();
    let outcome = tokio::time::timeout(deadline, work).await;
    if ending.running.wire.is_cancelled() {
        // MCP 2025-11-25, basic/utilities/cancellation: no answer to a request that was given up.
        return;
    }
    ending.outcome.set(match &outcome {
        Ok(Ok(_)) => "ok",
        Ok(Err(_)) => "error",
        Err(_) => "timeout",
    });
    let outcome = outcome.unwrap_or_else(|_| Err(overdue(deadline)));
    let answer = ending.service.engine.finish(peer, &ending.running.id, &outcome);
    ending.outbox.push(Event::Message(answer.into()));
}

/// Puts away what a call held and writes its line in the audit, however it ended.
struct Ending {
    service: Rc<Service>,
    running: Rc<Running>,
    outbox: Rc<Outbox>,
    closes: bool,
    principal: Principal,
    tool: Tool,
    began_ms: u64,
    outcome: Cell<&'static str>,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.service.calls.0.borrow_mut().retain(|other| !Rc::ptr_eq(other, &self.running));
        record(&self.service, &self.principal, &self.tool, self.began_ms, self.outcome.get());
        if self.closes {
            self.outbox.close();
        }
    }
}

/// A tool's work, whose panic is its own: nobody else's call ends with it.
struct Guarded(Outcome);

impl Future for Guarded {
    type Output = Result<Output, ToolError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let work = self.0.as_mut();
        catch_unwind(AssertUnwindSafe(|| work.poll(context))).unwrap_or_else(|_| Poll::Ready(Err(failed())))
    }
}

fn failed() -> ToolError {
    ToolError::new("The tool failed by a fault of its own; the log of the board says where.")
}

fn overdue(deadline: Duration) -> ToolError {
    ToolError::new(format!("The tool did not finish within {} s and was stopped.", deadline.as_secs_f64()))
}

fn record(service: &Service, principal: &Principal, tool: &Tool, began_ms: u64, outcome: &'static str) {
    let ms = service.clock.now().uptime_ms.saturating_sub(began_ms);
    let (subject, client, tool) = (principal.subject.as_str(), principal.client, tool.spec().name());
    service.audit.record(&AuditEvent::ToolCalled { subject, client, tool, outcome, ms });
}
