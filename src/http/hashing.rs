//! Passwords are hashed on another thread, one at a time: a guess takes as long as it must, and streams go on meanwhile.

use crate::limits;
use crate::oauth::{Attempt, Verified};
use std::cell::Cell;
use std::sync::Arc;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// The one who hashes, and those who wait for him.
pub(crate) struct Hashing {
    permit: Arc<Semaphore>,
    waiting: Cell<usize>,
}

impl Default for Hashing {
    fn default() -> Self {
        Hashing { permit: Arc::new(Semaphore::new(1)), waiting: Cell::default() }
    }
}

impl Hashing {
    /// Verifies an attempt when its turn comes. `None` when too many wait already.
    pub(crate) async fn verify(&self, attempt: Attempt) -> Option<Verified> {
        if attempt.is_slow() { self.run(move || attempt.verify()).await } else { Some(attempt.verify()) }
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let waiting = self.wait()?;
        let permit = Arc::clone(&self.permit).acquire_owned().await.ok()?;
        drop(waiting);
        // The permit goes along: the hash goes on to its end, whether somebody waits for it or not.
        let done = spawn_blocking(move || {
            let done = work();
            drop(permit);
            done
        });
        done.await.ok()
    }

    fn wait(&self) -> Option<Waiting<'_>> {
        let waiting = self.waiting.get();
        (waiting < limits::HASHES_WAITING).then(|| {
            self.waiting.set(waiting + 1);
            Waiting(&self.waiting)
        })
    }
}

/// A place in the queue; who leaves gives it back.
struct Waiting<'a>(&'a Cell<usize>);

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.set(self.0.get() - 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;
    use std::sync::atomic::AtomicBool;
    use std::sync::atomic::Ordering::SeqCst;
    use tokio::runtime::{Builder, LocalOptions};
    use tokio::task::{JoinHandle, spawn_local, yield_now};

    fn run(test: impl Future<Output = ()>) {
        Builder::new_current_thread().build_local(LocalOptions::default()).unwrap().block_on(test);
    }

    /// What the pieces of work share.
    #[derive(Default)]
    struct Shop {
        is_open: AtomicBool,
        is_taken: AtomicBool,
    }

    /// One piece of work that goes on when the shop opens, and says whether it was alone there.
    fn begin(hashing: &Rc<Hashing>, shop: &Arc<Shop>) -> JoinHandle<Option<bool>> {
        let (hashing, shop) = (Rc::clone(hashing), Arc::clone(shop));
        spawn_local(async move {
            let work = move || {
                let is_alone = !shop.is_taken.swap(true, SeqCst);
                while !shop.is_open.load(SeqCst) {
                    std::thread::yield_now();
                }
                shop.is_taken.store(false, SeqCst);
                is_alone
            };
            hashing.run(work).await
        })
    }

    #[test]
    fn work_is_done_one_at_a_time_and_who_would_wait_too_long_is_sent_away() {
        run(async {
            let (hashing, shop) = (Rc::<Hashing>::default(), Arc::<Shop>::default());
            let first = begin(&hashing, &shop);
            yield_now().await;
            let queue: Vec<_> = (0..=limits::HASHES_WAITING).map(|_| begin(&hashing, &shop)).collect();
            yield_now().await;
            shop.is_open.store(true, SeqCst);
            assert_eq!(first.await.unwrap(), Some(true));
            for (place, waited) in queue.into_iter().enumerate() {
                let expected = (place < limits::HASHES_WAITING).then_some(true);
                assert_eq!(waited.await.unwrap(), expected, "{place}");
            }
            assert_eq!(begin(&hashing, &shop).await.unwrap(), Some(true));
        });
    }

    #[test]
    fn who_leaves_the_queue_gives_his_place_back_but_not_the_permit_of_a_hash_that_runs() {
        run(async {
            let (hashing, shop) = (Rc::<Hashing>::default(), Arc::<Shop>::default());
            let first = begin(&hashing, &shop);
            yield_now().await;
            let second = begin(&hashing, &shop);
            yield_now().await;
            assert_eq!((hashing.waiting.get(), hashing.permit.available_permits()), (1, 0));
            first.abort();
            second.abort();
            assert!(first.await.is_err() && second.await.is_err());
            assert_eq!((hashing.waiting.get(), hashing.permit.available_permits()), (0, 0));
            shop.is_open.store(true, SeqCst);
            assert_eq!(begin(&hashing, &shop).await.unwrap(), Some(true));
        });
    }
}
