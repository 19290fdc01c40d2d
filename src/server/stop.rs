//! The end: no new connections, what was begun is finished, and who is still there after a while is cut off.

use crate::config::Limits;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::net::{IpAddr, Ipv6Addr};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;
use tokio::sync::Notify;

/// Tells every connection that the server stops, and counts those that are still there.
#[derive(Debug, Default)]
pub(crate) struct Stop {
    limits: Cell<Limits>,
    is_stopping: Cell<bool>,
    stopping: Notify,
    connections: Cell<usize>,
    /// Where they come from, in the order of the addresses.
    neighbours: RefCell<Vec<Rc<Neighbourhood>>>,
    gone: Notify,
}

impl Stop {
    /// Lets in no more than so many at once. Those that are there stay.
    pub(crate) fn limit(&self, limits: Limits) {
        self.limits.set(limits);
    }

    /// Counts a connection for as long as the ticket lives; `None` when there are as many as there may be.
    pub(crate) fn ticket(self: &Rc<Self>, peer: IpAddr) -> Option<Ticket> {
        let (connections, limits) = (self.connections.get(), self.limits.get());
        if connections >= limits.connections {
            return None;
        }
        let address = neighbourhood(peer);
        let is_bounded = !peer.is_loopback() || limits.connections_per_address.is_some();
        let mut neighbours = self.neighbours.borrow_mut();
        let place = neighbours.binary_search_by_key(&address, |known| known.address).unwrap_or_else(|place| {
            neighbours.insert(place, Rc::new(Neighbourhood { stop: Rc::clone(self), address, connections: Cell::new(0) }));
            place
        });
        let known = &neighbours[place];
        if is_bounded && known.connections.get() >= limits.of_one_address() {
            return None;
        }
        known.connections.set(known.connections.get() + 1);
        self.connections.set(connections + 1);
        Some(Ticket(Rc::clone(known)))
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

/// Which addresses one stranger can have: with IPv6, he has a whole /64.
pub(super) fn neighbourhood(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        IpAddr::V4(_) => address,
    }
}

/// An address, or a network of them, that has connections.
#[derive(Debug)]
struct Neighbourhood {
    stop: Rc<Stop>,
    address: IpAddr,
    connections: Cell<usize>,
}

/// One open connection.
#[derive(Debug)]
pub(crate) struct Ticket(Rc<Neighbourhood>);

impl Drop for Ticket {
    fn drop(&mut self) {
        let Neighbourhood { stop, address, connections } = &*self.0;
        connections.set(connections.get() - 1);
        if connections.get() == 0 {
            let mut neighbours = stop.neighbours.borrow_mut();
            if let Ok(place) = neighbours.binary_search_by_key(address, |known| known.address) {
                neighbours.remove(place);
            }
        }
        stop.connections.set(stop.connections.get() - 1);
        stop.gone.notify_one();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_leaves_connections_for_others() {
        let stop = Rc::<Stop>::default();
        stop.limit(Limits { connections: 6, ..Limits::default() });
        let ticket = |address: &str| stop.ticket(address.parse().unwrap());
        let mut held: Vec<_> = (0..3).map(|_| ticket("192.0.2.1").unwrap()).collect();
        assert!(ticket("192.0.2.1").is_none(), "half of all is enough for one");
        held.push(ticket("192.0.2.2").unwrap());
        held.push(ticket("127.0.0.1").unwrap());
        held.push(ticket("127.0.0.1").unwrap());
        assert!(ticket("192.0.2.3").is_none() && stop.count() == 6, "all are taken");
        held.clear();
        assert!(stop.neighbours.borrow().is_empty() && stop.count() == 0);
        held.extend((0..6).map(|_| ticket("127.0.0.1").unwrap()));
        held.clear();
        stop.limit(Limits { connections: 6, connections_per_address: Some(1), ..Limits::default() });
        held.push(ticket("127.0.0.1").unwrap());
        assert!(ticket("127.0.0.1").is_none(), "what the owner says holds for everybody");
    }

    #[test]
    fn a_network_of_ipv6_counts_as_one_address() {
        let stop = Rc::<Stop>::default();
        stop.limit(Limits { connections: 2, ..Limits::default() });
        let ticket = |address: &str| stop.ticket(address.parse().unwrap());
        let _held = ticket("2001:db8::1").unwrap();
        assert!(ticket("2001:db8::ffff:1").is_none() && ticket("2001:db8:0:1::1").is_some());
    }
}
