//! Answers whose clients may lose the connection and come back for them (MCP 2025-11-25, basic/transports, resumability).

use crate::http::event::{Event, Outbox};
use crate::http::run::Owner;
use crate::limits;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// The answers that can be come back for.
#[derive(Default)]
pub(crate) struct Replays {
    kept: RefCell<Vec<Kept>>,
    next: Cell<u64>,
}

struct Kept {
    stream: u64,
    owner: Owner,
    outbox: Rc<Outbox>,
    /// When it was seen closed, in rounds of keep-alive.
    rounds: Cell<u32>,
}

impl Replays {
    /// Lets the client of this session come back for what `outbox` says. Where there is no room, the oldest answer that is
    /// complete makes some: it is the likeliest to have arrived. `false` when all are still being given.
    pub(crate) fn keep(&self, owner: Owner, outbox: &Rc<Outbox>) -> bool {
        let mut kept = self.kept.borrow_mut();
        if kept.iter().any(|kept| Rc::ptr_eq(&kept.outbox, outbox)) {
            return true;
        }
        if kept.len() >= limits::REPLAYS {
            let Some(oldest) = kept.iter().position(|kept| kept.outbox.is_closed()) else { return false };
            kept.remove(oldest);
        }
        self.next.set(self.next.get() + 1);
        let stream = self.next.get();
        outbox.number(stream);
        outbox.push_first(Event::Priming);
        kept.push(Kept { stream, owner, outbox: Rc::clone(outbox), rounds: Cell::new(0) });
        true
    }

    /// The rest of an answer, from behind the event `id` on; `None` where it is not known (any more) or not this session's.
    pub(crate) fn resume(&self, owner: Owner, id: &str) -> Option<Rc<Outbox>> {
        let (stream, number) = id.split_once('-')?;
        let (stream, number) = (u64::from_str_radix(stream, 16).ok()?, number.parse().ok()?);
        let kept = self.kept.borrow();
        let kept = kept.iter().find(|kept| kept.stream == stream && kept.owner == owner)?;
        kept.outbox.rewind(number).then(|| Rc::clone(&kept.outbox))
    }

    /// One round: what was closed a few rounds ago is forgotten.
    pub(crate) fn forget_old(&self) {
        self.kept.borrow_mut().retain(|kept| {
            if kept.outbox.is_closed() {
                kept.rounds.set(kept.rounds.get() + 1);
            }
            kept.rounds.get() <= limits::REPLAY_ROUNDS
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_own_session_can_come_back_for_an_answer() {
        let replays = Replays::default();
        let outbox = Rc::<Outbox>::default();
        assert!(replays.keep(Owner([1; 16]), &outbox));
        assert!(replays.resume(Owner([2; 16]), "1-0").is_none());
        for id in ["", "1", "1-", "-0", "2-0", "1-9", "x-0", "1-x", "1-99999999999"] {
            assert!(replays.resume(Owner([1; 16]), id).is_none(), "{id}");
        }
        assert!(replays.resume(Owner([1; 16]), "1-0").is_some());
    }

    #[test]
    fn a_complete_answer_makes_room_and_one_that_is_being_given_does_not() {
        let replays = Replays::default();
        let outboxes: Vec<Rc<Outbox>> = (0..=limits::REPLAYS).map(|_| Rc::default()).collect();
        assert_eq!(outboxes.iter().filter(|outbox| replays.keep(Owner([1; 16]), outbox)).count(), limits::REPLAYS);
        assert!(replays.keep(Owner([1; 16]), &outboxes[0]), "it is kept already");
        outboxes[3].close();
        assert!(replays.keep(Owner([1; 16]), &outboxes[limits::REPLAYS]));
        assert!(replays.resume(Owner([1; 16]), "4-0").is_none());
        assert!(replays.resume(Owner([1; 16]), "5-0").is_some());
    }

    #[test]
    fn answers_are_forgotten_some_rounds_after_their_end_and_never_more_than_the_bound() {
        let replays = Replays::default();
        let outboxes: Vec<Rc<Outbox>> = (0..limits::REPLAYS + 5).map(|_| Rc::default()).collect();
        let kept = outboxes.iter().filter(|outbox| replays.keep(Owner([1; 16]), outbox)).count();
        assert_eq!(kept, limits::REPLAYS);
        assert_eq!(replays.kept.borrow().len(), limits::REPLAYS);
        for outbox in &outboxes {
            outbox.close();
        }
        (0..limits::REPLAY_ROUNDS).for_each(|_| replays.forget_old());
        assert_eq!(replays.kept.borrow().len(), limits::REPLAYS);
        replays.forget_old();
        assert_eq!(replays.kept.borrow().len(), 0);
    }
}
