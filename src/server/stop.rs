//! The end: no new connections, what was begun is finished, and who is still there after a while is cut off.

use crate::limits;
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// Tells every connection that the server stops, and counts those that are still there.
#[derive(Debug)]
pub(crate) struct Stop {
    /// As many as there may be.
    most: Cell<usize>,
    is_stopping: Cell<bool>,
    stopping: Notify,
    connections: Cell<usize>,
    gone: Notify,
}

impl Default for Stop {
    fn default() -> Self {
        let (is_stopping, connections) = Default::default();
        Stop { most: Cell::new(limits::CONNECTIONS), is_stopping, stopping: Notify::new(), connections, gone: Notify::new() }
    }
}

impl Stop {
    /// Lets in no more than so many at once. Those that are there stay.
    pub(crate) fn limit(&self, connections: usize) {
        self.most.set(connections);
    }

    /// Counts a connection for as long as the ticket lives; `None` when there are as many as there may be.
    pub(crate) fn ticket(self: &Rc<Self>) -> Option<Ticket> {
        let connections = self.connections.get();
        (connections < self.most.get()).then(|| {
            self.connections.set(connections + 1);
            Ticket(Rc::clone(self))
        })
    }

    /// How many connections there are.
    pub(crate) fn count(&self) -> usize {
        self.connections.get()
    }

    /// Tells everybody.
    pub(crate) fn begin(&self) {
        self.is_stopping.set(true);
        self.stopping.notify_waiters();
    }

    /// Waits for [`Stop::begin`].
    pub(crate) async fn begun(&self) {
        while !self.is_stopping.get() {
            self.stopping.notified().await;
        }
    }

    /// Whether it has begun.
    pub(crate) fn has_begun(&self) -> bool {
        self.is_stopping.get()
    }

    /// Waits for [`Stop::begin`], and a while longer: what a client sent before it could know is still taken.
    pub(crate) async fn last_call(&self) {
        self.begun().await;
        // Boxed: every connection has room for this future, and hardly any lives to see the end.
        Box::pin(tokio::time::sleep(Duration::from_millis(limits::LAST_CALL_MS))).await;
    }

    /// What comes of `work`; `None` if the last call is over before it is done.
    pub(crate) async fn unless_over<F: Future + Unpin>(&self, mut work: F) -> Option<F::Output> {
        let mut over = pin!(self.last_call());
        poll_fn(|context| match Pin::new(&mut work).poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending => over.as_mut().poll(context).map(|()| None),
        })
        .await
    }

    /// Waits until the last connection is gone, but not for ever. How many were left is the answer.
    pub(crate) async fn drained(&self) -> usize {
        let all_gone = async {
            while self.connections.get() > 0 {
                self.gone.notified().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(limits::DRAIN_SECS), all_gone).await;
        self.connections.get()
    }
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Ticket(Rc<Stop>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.connections.set(self.0.connections.get() - 1);
        self.0.gone.notify_one();
    }
}
