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
        if !attempt.is_slow() {
            return Some(attempt.verify());
        }
        let waiting = self.wait()?;
        let permit = Arc::clone(&self.permit).acquire_owned().await.ok()?;
        drop(waiting);
        // The permit goes along: the hash goes on to its end, whether somebody waits for it or not.
        let verified = spawn_blocking(move || {
            let verified = attempt.verify();
            drop(permit);
            verified
        });
        verified.await.ok()
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
