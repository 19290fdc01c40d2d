//! How long a connection may go without a request.

use http_body::{Frame, SizeHint};
use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::Instant;

/// Since when a connection waits for a request whose head is whole. What is sent of it in the meantime does not count.
pub(super) struct Pace {
    is_busy: Cell<bool>,
    since: Cell<Instant>,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { is_busy: Cell::new(false), since: Cell::new(Instant::now()) }
    }
}

impl Pace {
    /// A request is here. Until what comes back is dropped, no other is waited for.
    pub(super) fn begin(self: &Rc<Self>) -> Busy {
        self.is_busy.set(true);
        Busy(Rc::clone(self))
    }

    /// Waits until a request was waited for too long. One timer lasts for the whole connection: that it is early is seen
    /// when it fires.
    pub(super) async fn too_slow(&self, patience: Duration) {
        let mut timer = pin!(tokio::time::sleep_until(self.since.get() + patience));
        let mut will_wake = false;
        let fired = poll_fn(|context| {
            loop {
                // Polled once, it wakes this task when it fires: until then there is nothing to hear.
                if std::mem::replace(&mut will_wake, true) && !timer.is_elapsed() {
                    return Poll::Pending;
                }
                ready!(timer.as_mut().poll(context));
                let now = Instant::now();
                let until = if self.is_busy.get() { now + patience } else { self.since.get() + patience };
                if until <= now {
                    return Poll::Ready(());
                }
                timer.as_mut().reset(until);
                will_wake = false;
            }
        });
        fired.await;
    }
}

/// A request that is being answered.
pub(super) struct Busy(Rc<Pace>);

impl Busy {
    /// Has it last as long as this body.
    pub(super) fn with<B>(self, body: B) -> Paced<B> {
        Paced { body, _busy: self }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        self.0.is_busy.set(false);
        self.0.since.set(Instant::now());
    }
}

/// The body of an answer, which has gone out when it is dropped.
pub(super) struct Paced<B> {
    body: B,
    _busy: Busy,
}

impl<B: http_body::Body + Unpin> http_body::Body for Paced<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PATIENCE: Duration = Duration::from_millis(20);

    fn on_a_thread<F: Future>(work: impl FnOnce(Rc<Pace>) -> F) -> F::Output {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async { work(Rc::new(Pace::default())).await })
    }

    #[test]
    fn who_sends_no_request_is_too_slow() {
        on_a_thread(async |pace| {
            let began = Instant::now();
            pace.too_slow(PATIENCE).await;
            assert!(began.elapsed() >= PATIENCE);
        });
    }

    #[test]
    fn an_answer_may_take_longer_than_a_head_and_the_next_head_has_its_time() {
        on_a_thread(async |pace| {
            let body = pace.begin().with(());
            let waited = tokio::time::timeout(4 * PATIENCE, pace.too_slow(PATIENCE)).await;
            assert!(waited.is_err(), "cut off while it was answered");
            drop(body);
            let began = Instant::now();
            pace.too_slow(PATIENCE).await;
            assert!(began.elapsed() >= PATIENCE);
        });
    }
}
