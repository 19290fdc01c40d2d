//! The end: no new connections, what was begun is finished, and who is still there after a while is cut off.

use crate::limits;
use std::cell::Cell;
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::Notify;

/// Tells every connection that the server stops, and counts those that are still there.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    is_stopping: Cell<bool>,
    stopping: Notify,
    connections: Cell<usize>,
    gone: Notify,
}

impl Stop {
    /// Counts a connection for as long as the ticket lives; `None` when there are as many as there may be.
    pub(crate) fn ticket(self: &Rc<Self>) -> Option<Ticket> {
        let connections = self.connections.get();
        (connections < limits::CONNECTIONS).then(|| {
            self.connections.set(connections + 1);
            Ticket(Rc::clone(self))
        })
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
