//! The refresh tokens of a grant: one after the other, each good once (RFC 9700 4.14.2).
//!
//! Each carries its number. Here it is remembered which number is the next; after a restart the first one that comes is
//! believed.

use super::life::{Boot, Life};
use crate::limits;
use crate::principal::{ClientTag, GrantId};
use crate::world::Now;
use ring::digest;

/// A person with a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Holder([u8; 8]);

impl Holder {
    pub(super) fn new(client: ClientTag, subject: &str) -> Self {
        let mut context = digest::Context::new(&digest::SHA256);
        context.update(&client.0);
        context.update(subject.as_bytes());
        let mut holder = [0; 8];
        holder.copy_from_slice(&context.finish().as_ref()[..8]);
        Holder(holder)
    }
}

/// The families whose next number is known, [`limits::GRANTS`] at most. It takes memory as it fills.
#[derive(Debug, Default)]
pub(super) struct Families(Vec<Family>);

#[derive(Debug)]
struct Family {
    grant: GrantId,
    holder: Holder,
    /// The number of the token that is good.
    counter: u32,
    /// Its life, so that the same token can be made again.
    life: Life,
    /// When its predecessor was used.
    rotated_ms: u64,
    used_ms: u64,
}

/// A refresh token, as far as its turn goes.
#[derive(Clone, Copy, Debug)]
pub(super) struct Presented {
    pub(super) grant: GrantId,
    pub(super) holder: Holder,
    pub(super) counter: u32,
    pub(super) life: Life,
    /// For how long its successor lasts at most.
    pub(super) most_secs: u64,
}

impl Families {
    /// A family begins with the exchange of a code.
    pub(super) fn begin(&mut self, now: Now, grant: GrantId, holder: Holder, life: Life) {
        self.insert(Family { grant, holder, counter: 0, life, rotated_ms: now.uptime_ms, used_ms: now.uptime_ms });
    }

    /// Takes out another grant of the same holder, if one is known, with the life of its tokens.
    pub(super) fn take_other(&mut self, holder: Holder, grant: GrantId) -> Option<(GrantId, Life)> {
        let index = self.0.iter().position(|family| family.holder == holder && family.grant != grant)?;
        let Family { grant, life, .. } = self.0.swap_remove(index);
        Some((grant, life))
    }

    /// The counter and the life of the successor; none when the token was used before, which ends the family.
    ///
    /// The predecessor gets the same successor for a short while: two streams of one client refresh at once, and an
    /// answer may be lost on the way.
    pub(super) fn successor(&mut self, now: Now, boot: Boot, presented: &Presented) -> Option<(u32, Life)> {
        let next = presented.counter.checked_add(1)?;
        let life = presented.life.retold(now, boot, presented.most_secs);
        let Some(family) = self.0.iter_mut().find(|family| family.grant == presented.grant) else {
            let Presented { grant, holder, .. } = *presented;
            self.insert(Family { grant, holder, counter: next, life, rotated_ms: now.uptime_ms, used_ms: now.uptime_ms });
            return Some((next, life));
        };
        if family.counter == presented.counter {
            (family.counter, family.life, family.rotated_ms) = (next, life, now.uptime_ms);
        } else if family.counter != next || now.uptime_ms.saturating_sub(family.rotated_ms) > limits::REFRESH_GRACE_SECS * 1000 {
            return None;
        }
        family.used_ms = now.uptime_ms;
        Some((family.counter, family.life))
    }

    /// Whether a refresh token with this number has had its turn.
    pub(super) fn is_used(&self, grant: GrantId, counter: u32) -> bool {
        self.0.iter().any(|family| family.grant == grant && counter < family.counter)
    }

    /// Forgets a family, when its grant is denied.
    pub(super) fn forget(&mut self, grant: GrantId) {
        self.0.retain(|family| family.grant != grant);
    }

    fn insert(&mut self, family: Family) {
        if self.0.len() >= limits::GRANTS {
            let oldest = self.0.iter().enumerate().min_by_key(|(_, family)| family.used_ms).map(|(index, _)| index);
            oldest.map(|index| self.0.swap_remove(index));
        }
        self.0.push(family);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Boot = Boot([1; 8]);

    fn at(secs: u64) -> Now {
        Now { unix: 1_000_000 + secs, uptime_ms: secs * 1000 }
    }

    fn grant(n: usize) -> GrantId {
        let mut id = [0; 16];
        id[..size_of::<usize>()].copy_from_slice(&n.to_be_bytes());
        GrantId(id)
    }

    fn presented(n: usize, counter: u32) -> Presented {
        let holder = Holder::new(ClientTag([1; 8]), "me");
        let most_secs = limits::REFRESH_SECS;
        Presented { grant: grant(n), holder, counter, life: Life::lasting(most_secs, at(0), BOOT), most_secs }
    }

    fn counter(families: &mut Families, secs: u64, n: usize, counter: u32) -> Option<u32> {
        families.successor(at(secs), BOOT, &presented(n, counter)).map(|(counter, _)| counter)
    }

    fn begun() -> Families {
        let mut families = Families::default();
        let first = presented(1, 0);
        families.begin(at(0), first.grant, first.holder, first.life);
        families
    }

    #[test]
    fn one_that_is_two_generations_old_is_reuse() {
        let mut families = begun();
        assert_eq!(counter(&mut families, 1, 1, 0), Some(1));
        assert_eq!(counter(&mut families, 2, 1, 1), Some(2));
        assert_eq!(counter(&mut families, 3, 1, 0), None);
    }

    #[test]
    fn the_predecessor_has_a_short_while() {
        let mut families = begun();
        assert_eq!(counter(&mut families, 1, 1, 0), Some(1));
        assert_eq!(counter(&mut families, 1 + limits::REFRESH_GRACE_SECS, 1, 0), Some(1));
        assert_eq!(counter(&mut families, 2 + limits::REFRESH_GRACE_SECS, 1, 0), None);
    }

    #[test]
    fn the_same_successor_has_the_same_life_though_the_clock_jumped() {
        let mut families = begun();
        let first = families.successor(at(1), BOOT, &presented(1, 0));
        let later = Now { unix: 9_000_000, ..at(5) };
        assert_eq!(families.successor(later, BOOT, &presented(1, 0)), first);
    }

    #[test]
    fn one_that_was_not_yet_given_out_is_reuse_of_an_older_time() {
        let mut families = begun();
        assert_eq!(counter(&mut families, 1, 1, 1), None);
        assert_eq!(counter(&mut families, 1, 1, u32::MAX), None);
    }

    #[test]
    fn after_a_restart_the_first_that_comes_is_believed_and_no_other() {
        let mut families = Families::default();
        assert_eq!(counter(&mut families, 1, 1, 5), Some(6));
        assert_eq!(counter(&mut families, 2, 1, 5), Some(6));
        assert_eq!(counter(&mut families, 3, 1, 7), None);
        assert_eq!(counter(&mut families, 3, 1, 4), None);
        assert_eq!(counter(&mut families, 3, 1, 6), Some(7));
    }

    #[test]
    fn a_full_table_forgets_the_one_that_was_used_longest_ago() {
        let mut families = begun();
        for n in 2..=limits::GRANTS {
            let other = presented(n, 0);
            families.begin(at(1), other.grant, other.holder, other.life);
        }
        assert_eq!(counter(&mut families, 2, 1, 0), Some(1));
        families.begin(at(3), grant(9999), presented(1, 0).holder, presented(1, 0).life);
        assert_eq!(families.0.len(), limits::GRANTS);
        assert!(families.0.iter().any(|family| family.grant == grant(1)));
        assert!(!families.0.iter().any(|family| family.grant == grant(2)));
    }

    #[test]
    fn another_grant_of_the_same_holder_is_taken_out() {
        let mut families = begun();
        let holder = presented(1, 0).holder;
        assert_eq!(families.take_other(holder, grant(1)), None);
        assert_eq!(families.take_other(Holder::new(ClientTag([1; 8]), "you"), grant(2)), None);
        assert_eq!(families.take_other(holder, grant(2)), Some((grant(1), presented(1, 0).life)));
        assert_eq!(families.take_other(holder, grant(2)), None);
    }
}
