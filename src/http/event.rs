//! Messages on their way to a client that reads an event stream, and the bytes that they travel in.

use crate::limits;
use bytes::Bytes;
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
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
    /// An empty event that only has an id, so that a client which loses the stream at once can come back to it, and says
    /// when to (MCP 2025-11-25, basic/transports).
    Priming,
}

/// How long a client shall wait before it comes back, in milliseconds.
const RETRY_MS: u32 = 500;

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
            Event::Priming => Bytes::from(format!("retry: {RETRY_MS}\ndata: \n\n")),
        }
    }

    fn len(&self) -> usize {
        match self {
            Event::Endpoint(uri) => uri.len(),
            Event::Message(json) => json.len(),
            Event::KeepAlive | Event::Priming => 0,
        }
    }
}

/// What waits for one reader. The writer never waits: a reader that falls too far behind is cut off.
#[derive(Debug)]
pub(crate) struct Outbox {
    events: RefCell<VecDeque<Event>>,
    bytes: Cell<usize>,
    bytes_max: usize,
    waker: RefCell<Option<Waker>>,
    state: Cell<State>,
    /// How its writer gets on.
    stall: Cell<Stall>,
    /// Grows when another reader takes over.
    reader: Cell<u32>,
    /// Whether its reader is sent away when nothing waits.
    is_released: Cell<bool>,
    /// Where events have ids, so that a reader can come back for them.
    past: RefCell<Option<Past>>,
}

/// What has gone out already, for readers who come back.
#[derive(Debug)]
struct Past {
    stream: u64,
    /// The number of the last event that went out.
    last: u32,
    events: VecDeque<(u32, Event)>,
    bytes: usize,
}

/// How a writer gets on with its reader.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Stall {
    /// Nothing waits.
    #[default]
    Flowing,
    /// A write waits for the reader.
    Waiting,
    /// It has waited since the last round; at the next one the stream is cut.
    Warned,
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

impl Default for Outbox {
    fn default() -> Self {
        Outbox::new(limits::OUTBOX_BYTES)
    }
}

impl Outbox {
    /// One for so many bytes.
    pub(crate) fn new(bytes_max: usize) -> Self {
        Outbox {
            events: RefCell::default(),
            bytes: Cell::default(),
            bytes_max,
            waker: RefCell::default(),
            state: Cell::default(),
            stall: Cell::default(),
            reader: Cell::default(),
            is_released: Cell::default(),
            past: RefCell::default(),
        }
    }

    /// Puts an event at the end. Nothing goes into a closed outbox.
    pub(crate) fn push(&self, event: Event) {
        if self.state.get() != State::Open {
            return;
        }
        let bytes = self.bytes.get() + event.len();
        if bytes > self.bytes_max && !self.events.borrow().is_empty() {
            log::info!("a reader fell {bytes} bytes behind and is cut off");
            return self.cut();
        }
        self.bytes.set(bytes);
        self.events.borrow_mut().push_back(event);
        self.wake();
    }

    /// One round of keep-alive: a comment where nothing else is said, and an end where the reader has taken nothing since
    /// the round before the last.
    pub(crate) fn keep_alive(&self) {
        match self.stall.get() {
            Stall::Flowing if self.events.borrow().is_empty() => self.push(Event::KeepAlive),
            Stall::Flowing => {}
            Stall::Waiting => self.stall.set(Stall::Warned),
            Stall::Warned => self.cut(),
        }
    }

    /// The writer waits for the reader, or goes on.
    pub(crate) fn set_waiting(&self, is_waiting: bool) {
        match (is_waiting, self.stall.get()) {
            (false, _) => self.stall.set(Stall::Flowing),
            (true, Stall::Flowing) => self.stall.set(Stall::Waiting),
            (true, _) => {}
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
        // An idle stream keeps no room for events.
        self.events.take();
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

    /// Gives events ids from now on, under the name `stream`, and keeps them as far as there is room.
    pub(crate) fn number(&self, stream: u64) {
        self.past.replace(Some(Past { stream, last: 0, events: VecDeque::new(), bytes: 0 }));
    }

    /// Puts back what went out after the event `after`; `false` when that is not known any more.
    pub(crate) fn rewind(&self, after: u32) -> bool {
        let mut past = self.past.borrow_mut();
        let Some(past) = past.as_mut().filter(|past| after <= past.last) else { return false };
        if past.last - after > u32::try_from(past.events.len()).unwrap_or(u32::MAX) {
            return false;
        }
        while past.events.back().is_some_and(|(number, _)| *number > after) {
            if let Some((_, event)) = past.events.pop_back() {
                past.bytes -= event.len();
                self.put_back(event);
            }
        }
        past.last = after;
        true
    }

    /// A reader, in place of the one before.
    pub(crate) fn read(self: &Rc<Self>) -> Reader {
        self.dismiss();
        Reader { outbox: Rc::clone(self), generation: self.reader.get() }
    }

    /// Ends what its reader reads; the events stay.
    fn dismiss(&self) {
        self.reader.set(self.reader.get() + 1);
        self.wake();
    }

    /// The same, once the reader has what is there now, so that he knows what to come back for.
    pub(crate) fn dismiss_soon(&self) {
        self.is_released.set(true);
        self.wake();
    }

    /// Puts an event before all others.
    pub(crate) fn push_first(&self, event: Event) {
        self.put_back(event);
        self.wake();
    }

    /// The bytes of an event that goes out now.
    fn frame(&self, event: Event) -> Bytes {
        let mut past = self.past.borrow_mut();
        let Some(past) = past.as_mut().filter(|_| matches!(event, Event::Message(_) | Event::Priming)) else {
            return event.frame();
        };
        past.last += 1;
        let mut frame = format!("id: {:x}-{}\n", past.stream, past.last).into_bytes();
        frame.extend_from_slice(&event.frame());
        past.bytes += event.len();
        past.events.push_back((past.last, event));
        while past.bytes > self.bytes_max {
            let Some((_, oldest)) = past.events.pop_front() else { break };
            past.bytes -= oldest.len();
        }
        Bytes::from(frame)
    }

    /// The next event; `None` at the end.
    pub(crate) async fn next(&self) -> Option<Event> {
        poll_fn(|context| self.poll_next(context)).await
    }
}

/// One who reads an outbox, until another takes over.
#[derive(Debug)]
pub(crate) struct Reader {
    outbox: Rc<Outbox>,
    generation: u32,
}

impl Reader {
    /// What it reads.
    pub(crate) fn outbox(&self) -> &Rc<Outbox> {
        &self.outbox
    }

    /// The bytes of the next event; `None` at the end.
    pub(crate) fn poll_frame(&self, context: &Context<'_>) -> Poll<Option<Bytes>> {
        if self.generation != self.outbox.reader.get() {
            return Poll::Ready(None);
        }
        let polled = self.outbox.poll_next(context);
        if polled.is_pending() && self.outbox.is_released.take() {
            self.outbox.dismiss();
            return Poll::Ready(None);
        }
        polled.map(|event| event.map(|event| self.outbox.frame(event)))
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
    fn a_reader_that_takes_nothing_for_a_round_is_cut_off() {
        let outbox = Outbox::default();
        outbox.set_waiting(true);
        outbox.keep_alive();
        outbox.set_waiting(true);
        assert!(!outbox.is_closed());
        outbox.keep_alive();
        assert!(outbox.is_cut());
    }

    #[test]
    fn a_reader_that_takes_something_in_time_goes_on() {
        let outbox = Outbox::default();
        outbox.set_waiting(true);
        outbox.keep_alive();
        outbox.set_waiting(false);
        outbox.keep_alive();
        assert!(!outbox.is_closed());
    }

    #[test]
    fn a_reader_that_comes_back_gets_what_it_missed_under_the_same_ids() {
        let outbox = Rc::<Outbox>::default();
        outbox.number(0xab);
        outbox.push(Event::Priming);
        outbox.push(message(1));
        let first = outbox.read();
        let frame = |reader: &Reader| match reader.poll_frame(&Context::from_waker(Waker::noop())) {
            Poll::Ready(Some(frame)) => String::from_utf8(frame.to_vec()).unwrap(),
            other => format!("{other:?}"),
        };
        assert_eq!(frame(&first), "id: ab-1\nretry: 500\ndata: \n\n");
        assert_eq!(frame(&first), "id: ab-2\nevent: message\ndata: x\n\n");
        outbox.push(message(2));
        assert!(!outbox.rewind(3) && outbox.rewind(1));
        let second = outbox.read();
        assert_eq!(frame(&first), "Ready(None)");
        assert_eq!(frame(&second), "id: ab-2\nevent: message\ndata: x\n\n");
        assert_eq!(frame(&second), "id: ab-3\nevent: message\ndata: xx\n\n");
        assert_eq!(frame(&second), "Pending");
    }

    #[test]
    fn what_is_too_long_ago_is_not_kept() {
        let outbox = Rc::<Outbox>::default();
        outbox.number(1);
        let reader = outbox.read();
        for _ in 0..3 {
            outbox.push(message(limits::OUTBOX_BYTES / 2 + 1));
            assert!(reader.poll_frame(&Context::from_waker(Waker::noop())).is_ready());
        }
        assert!(!outbox.rewind(0) && outbox.rewind(2));
    }

    #[test]
    fn frames_are_as_the_standard_has_them() {
        assert_eq!(Event::Endpoint("/messages?session=x".into()).frame(), "event: endpoint\ndata: /messages?session=x\n\n");
        assert_eq!(Event::Message(Bytes::from_static(b"{}")).frame(), "event: message\ndata: {}\n\n");
        assert_eq!(Event::KeepAlive.frame(), ": keep-alive\n\n");
    }
}
