//! What wakes the task of a connection, except for nothing.
//!
//! When a part of a body is taken, hyper wakes its own task, so that it reads on. Most bodies are one part, and behind that
//! nothing is to be read: a task that is woken then looks at its connection a second time, and finds it as it left it.

use crate::http::body;
use std::sync::Arc;
use std::task::{Wake, Waker};

/// Stands between hyper and the task that it runs in.
pub(super) struct Bell(Waker);

impl Bell {
    /// What hyper is to wake, so that `task` is woken.
    pub(super) fn before(task: &Waker) -> Waker {
        Arc::new(Bell(task.clone())).into()
    }
}

impl Wake for Bell {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if !body::holds_back() {
            self.0.wake_by_ref();
        }
    }
}
