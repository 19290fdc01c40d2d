//! How much of files is in memory at a time.

use crate::tool::ToolError;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What is left for all calls together.
#[derive(Clone, Debug)]
pub(super) struct Budget(Arc<AtomicUsize>);

/// What one call has taken, given back when it is over.
#[derive(Debug)]
pub(super) struct Share {
    left: Arc<AtomicUsize>,
    bytes: usize,
}

impl Budget {
    pub(super) fn new(bytes: usize) -> Self {
        Budget(Arc::new(AtomicUsize::new(bytes)))
    }

    pub(super) fn take(&self, bytes: usize) -> Result<Share, ToolError> {
        let less = |left: usize| left.checked_sub(bytes);
        match self.0.fetch_update(Ordering::AcqRel, Ordering::Acquire, less) {
            Ok(_) => Ok(Share { left: Arc::clone(&self.0), bytes }),
            Err(_) => Err("So much is being read at the moment that there is no memory for more: try again in a second.".into()),
        }
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        self.left.fetch_add(self.bytes, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_spent_is_refused_and_comes_back() {
        let budget = Budget::new(10);
        let share = budget.take(7).unwrap();
        assert!(budget.take(4).is_err());
        let rest = budget.take(3).unwrap();
        drop(share);
        assert!(budget.take(8).is_err());
        drop(rest);
        assert!(budget.take(10).is_ok());
    }
}
