//! What was spent: codes and consents are good once (RFC 6749 4.1.2).

use super::Error;
use crate::limits;
use crate::world::Now;
use heapless::{Deque, Vec};

/// The id of a code or of a consent.
pub(super) type SpentId = [u8; 16];

/// Ids that were spent, until they would be out of date anyway.
#[derive(Debug, Default)]
pub(super) struct Spent(Vec<(SpentId, u64), { limits::SPENT }>);

/// Ids of sign-in pages that were answered with no. Anybody can open such a page, so that they have a table of their own.
#[derive(Debug, Default)]
pub(super) struct Rejected(Deque<SpentId, { limits::REJECTED }>);

impl Rejected {
    /// Remembers one more; a full table forgets the oldest.
    pub(super) fn insert(&mut self, id: SpentId) {
        if self.0.is_full() {
            self.0.pop_front();
        }
        let _ = self.0.push_back(id);
    }

    pub(super) fn has(&self, id: SpentId) -> bool {
        self.0.iter().any(|rejected| *rejected == id)
    }
}

/// Why an id cannot be spent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unspendable {
    /// It was spent before.
    Twice,
    /// There is no room: forgetting another id would let that be spent again.
    Full,
}

impl Spent {
    /// Spends `id`, and remembers it until `until_ms` of uptime.
    pub(super) fn spend(&mut self, now: Now, id: SpentId, until_ms: u64) -> Result<(), Unspendable> {
        self.0.retain(|(_, until)| *until > now.uptime_ms);
        if self.has(now, id) {
            return Err(Unspendable::Twice);
        }
        self.0.push((id, until_ms)).map_err(|_| Unspendable::Full)
    }

    /// Whether `id` is spent, and remembered.
    pub(super) fn has(&self, now: Now, id: SpentId) -> bool {
        self.0.iter().any(|(spent, until)| *spent == id && *until > now.uptime_ms)
    }
}

impl From<Unspendable> for Error {
    fn from(unspendable: Unspendable) -> Self {
        match unspendable {
            Unspendable::Twice => Error::invalid_request("This form was sent before."),
            Unspendable::Full => Error::temporarily_unavailable("replay table full"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(uptime_ms: u64) -> Now {
        Now { unix: 0, uptime_ms }
    }

    #[test]
    fn an_id_is_spent_once_while_it_is_of_use() {
        let mut spent = Spent::default();
        assert_eq!(spent.spend(at(0), [1; 16], 100), Ok(()));
        assert_eq!(spent.spend(at(99), [1; 16], 100), Err(Unspendable::Twice));
        assert_eq!(spent.spend(at(99), [2; 16], 100), Ok(()));
    }

    #[test]
    fn a_page_that_was_rejected_is_remembered_until_many_others_were() {
        let mut rejected = Rejected::default();
        rejected.insert([1; 16]);
        (2..=limits::REJECTED).for_each(|_| rejected.insert([2; 16]));
        assert!(rejected.has([1; 16]) && !rejected.has([3; 16]));
        rejected.insert([3; 16]);
        assert!(!rejected.has([1; 16]) && rejected.has([3; 16]));
    }

    #[test]
    fn a_full_table_refuses_and_forgets_nothing() {
        let mut spent = Spent::default();
        for n in 0..limits::SPENT {
            let mut id = [0; 16];
            id[..size_of::<usize>()].copy_from_slice(&n.to_be_bytes());
            assert_eq!(spent.spend(at(0), id, 100), Ok(()));
        }
        assert_eq!(spent.spend(at(0), [9; 16], 100), Err(Unspendable::Full));
        assert_eq!(spent.spend(at(99), [0; 16], 100), Err(Unspendable::Twice));
        assert_eq!(spent.spend(at(100), [9; 16], 200), Ok(()));
    }
}
