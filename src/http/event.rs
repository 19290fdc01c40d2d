//! Messages on their way to a client that reads an event stream, and the bytes that they travel in.

use crate::limits;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::task::{Context, Poll, Waker};

/// What goes down a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// The address to post messages to (MCP 2024-11-05): the first event of `GET /sse`.
    Endpoint(String),
    /// A JSON-RPC message, on one line.
    Message(Bytes),
    /// A comment that keeps the line from falling asleep (HTML, 9.2.7).
    KeepAlive,
}

impl Event {
    /// The event as it stands in a stream (HTML, 9.2.6).
    pub(crate) fn frame(&self) -> Bytes {
        match self {
            Event::Endpoint(uri) => Bytes::from(format!("event: endpoint\ndata: {uri}\n\n")),
            Event::Message(json) => {
                let mut frame = Vec::with_capacity(json.len() + 24);
                frame.extend_from_slice(b"event: message\ndata: ");
                frame.extend_from_slice(json);
                frame.extend_from_slice(b"\n\n");
                Bytes::from(frame)
            }
            Event::KeepAlive => Bytes::from_static(b": keep-alive\n\n"),
        }
    }

    fn len(&self) -> usize {
        match self {
            Event::Endpoint(uri) => uri.len(),
            Event::Message(json) => json.len(),
            Event::KeepAlive => 0,
        }
    }
}

/// What waits for one reader. The writer never waits: a reader that falls too far behind is cut off.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    events: RefCell<VecDeque<Event>>,
    bytes: Cell<usize>,
    waker: RefCell<Option<Waker>>,
    state: Cell<State>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// More may come.
    #[default]
    Open,
    /// What is there still goes out, then the stream ends.
    Closed,
    /// The stream ends now.
    Cut,
}

impl Outbox {
    /// Puts an event at the end. Nothing goes into a closed outbox.
    pub(crate) fn push(&self, event: Event) {
        if self.state.get() != State::Open {
            return;
        }
        let bytes = self.bytes.get() + event.len();
        if bytes > limits::OUTBOX_BYTES && !self.events.borrow().is_empty() {
            log::info!("a reader fell {bytes} bytes behind and is cut off");
            return self.cut();
        }
        self.bytes.set(bytes);
        self.events.borrow_mut().push_back(event);
        self.wake();
    }

    /// Keeps an idle line awake; one that has something to say needs none.
    pub(crate) fn keep_alive(&self) {
        if self.events.borrow().is_empty() {
            self.push(Event::KeepAlive);
        }
    }

    /// Lets what is there go out, and then ends the stream.
    pub(crate) fn close(&self) {
        if self.state.get() == State::Open {
            self.end(State::Closed);
        }
    }

    /// Ends the stream at once.
    pub(crate) fn cut(&self) {
        self.end(State::Cut);
    }

    fn end(&self, state: State) {
        self.state.set(state);
        if state == State::Cut {
            self.events.borrow_mut().clear();
            self.bytes.set(0);
        }
        self.wake();
    }

    fn wake(&self) {
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Whether nothing waits.
    pub(crate) fn is_empty(&self) -> bool {
        self.events.borrow().is_empty()
    }

    /// Whether it was cut: what is half-written stays so.
    pub(crate) fn is_cut(&self) -> bool {
        self.state.get() == State::Cut
    }

    /// Whether nothing comes any more once it is empty.
    pub(crate) fn is_closed(&self) -> bool {
        self.state.get() != State::Open
    }

    /// The next event; `None` at the end.
    pub(crate) fn poll_next(&self, context: &Context<'_>) -> Poll<Option<Event>> {
        if let Some(event) = self.events.borrow_mut().pop_front() {
            self.bytes.set(self.bytes.get() - event.len());
            return Poll::Ready(Some(event));
        }
        if self.is_closed() {
            return Poll::Ready(None);
        }
        self.wake_on_change(context);
        Poll::Pending
    }

    /// Has the reader polled again when something comes or the outbox ends.
    pub(crate) fn wake_on_change(&self, context: &Context<'_>) {
        let mut waker = self.waker.borrow_mut();
        if !waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
            *waker = Some(context.waker().clone());
        }
    }

    /// Puts an event back to the front, which was taken to see what it is.
    pub(crate) fn put_back(&self, event: Event) {
        self.bytes.set(self.bytes.get() + event.len());
        self.events.borrow_mut().push_front(event);
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(outbox: &Outbox) -> Poll<Option<Event>> {
        outbox.poll_next(&Context::from_waker(Waker::noop()))
    }

    fn message(bytes: usize) -> Event {
        Event::Message(Bytes::from(vec![b'x'; bytes]))
    }

    #[test]
    fn a_reader_that_falls_behind_is_cut_off() {
        let outbox = Outbox::default();
        outbox.push(message(limits::OUTBOX_BYTES));
        assert!(!outbox.is_closed());
        outbox.push(message(1));
        assert!(outbox.is_closed());
        assert_eq!(next(&outbox), Poll::Ready(None));
    }

    #[test]
    fn one_message_larger_than_the_outbox_still_goes_out() {
        let outbox = Outbox::default();
        outbox.push(message(limits::OUTBOX_BYTES + 1));
        assert_eq!(next(&outbox), Poll::Ready(Some(message(limits::OUTBOX_BYTES + 1))));
        assert_eq!(next(&outbox), Poll::Pending);
    }

    #[test]
    fn what_was_there_before_the_end_still_goes_out() {
        let outbox = Outbox::default();
        outbox.push(message(1));
        outbox.close();
        outbox.push(message(2));
        assert_eq!(next(&outbox), Poll::Ready(Some(message(1))));
        assert_eq!(next(&outbox), Poll::Ready(None));
    }

    #[test]
    fn an_outbox_that_has_something_needs_no_keep_alive() {
        let outbox = Outbox::default();
        outbox.keep_alive();
        outbox.keep_alive();
        assert_eq!(next(&outbox), Poll::Ready(Some(Event::KeepAlive)));
        assert_eq!(next(&outbox), Poll::Pending);
    }

    #[test]
    fn frames_are_as_the_standard_has_them() {
        assert_eq!(Event::Endpoint("/messages?session=x".into()).frame(), "event: endpoint\ndata: /messages?session=x\n\n");
        assert_eq!(Event::Message(Bytes::from_static(b"{}")).frame(), "event: message\ndata: {}\n\n");
        assert_eq!(Event::KeepAlive.frame(), ": keep-alive\n\n");
    }
}
