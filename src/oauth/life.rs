//! How long things last on a board whose clock may be wrong.
//!
//! Such a board wakes in the past and jumps ahead when it hears the time, so that what lasts minutes is timed by uptime
//! alone and ends with the boot; what lasts longer is timed by uptime as long as the boot lasts, and by the calendar
//! only after it. A step of the clock then neither kills a token nor revives it.

use crate::limits;
use crate::seal::{Forged, Reader, Writer};
use crate::world::Now;

/// How long what comes of a sign-in lasts, as the owner decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lifetimes {
    /// An access token, from [`limits::ACCESS_SECS_MIN`] to [`limits::ACCESS_SECS_MAX`].
    pub access_secs: u64,
    /// A refresh token, and those that come after it: from the sign-in on, at most [`limits::REFRESH_SECS_MAX`].
    pub refresh_secs: u64,
}

impl Default for Lifetimes {
    fn default() -> Self {
        Lifetimes { access_secs: limits::ACCESS_SECS, refresh_secs: limits::REFRESH_SECS }
    }
}

/// Tells this run of the program from all others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Boot(pub(super) [u8; 8]);

/// The end of something that lasts minutes, and not beyond this boot.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deadline {
    boot: Boot,
    pub(super) uptime_ms: u64,
}

impl Deadline {
    /// `secs` from now.
    pub(super) fn after(secs: u64, now: Now, boot: Boot) -> Self {
        Deadline { boot, uptime_ms: now.uptime_ms.saturating_add(secs * 1000) }
    }

    /// Whether it is over, or was set in another boot.
    pub(super) fn is_past(self, now: Now, boot: Boot) -> bool {
        self.boot != boot || now.uptime_ms >= self.uptime_ms
    }

    /// Into a payload.
    pub(super) fn write<const N: usize>(self, fields: Writer<N>) -> Writer<N> {
        fields.array(&self.boot.0).u64(self.uptime_ms)
    }

    /// Out of a payload.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, Forged> {
        Ok(Deadline { boot: Boot(fields.array()?), uptime_ms: fields.u64()? })
    }
}

/// The life of something that outlasts the boot.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Life {
    boot: Boot,
    end_uptime_secs: u64,
    pub(super) end_unix: u64,
}

impl Life {
    /// From now on, for `secs`.
    pub(super) fn lasting(secs: u64, now: Now, boot: Boot) -> Self {
        let end_uptime_secs = (now.uptime_ms / 1000).saturating_add(secs);
        Life { boot, end_uptime_secs, end_unix: now.unix.saturating_add(secs) }
    }

    /// Whether it is over.
    pub(super) fn is_over(self, now: Now, boot: Boot) -> bool {
        self.remaining_secs(now, boot) == 0
    }

    /// The same life, told by the clocks of now: what was dated by a clock that has been set since is dated anew.
    ///
    /// A life that a clock far ahead has dated, or that was longer by what the owner said then, is cut to the `most_secs`
    /// that are given today.
    pub(super) fn retold(self, now: Now, boot: Boot, most_secs: u64) -> Self {
        Life::lasting(self.remaining_secs(now, boot).min(most_secs), now, boot)
    }

    /// When it ends, by the calendar of now.
    pub(super) fn ends_unix(self, now: Now, boot: Boot) -> u64 {
        now.unix.saturating_add(self.remaining_secs(now, boot))
    }

    /// When it ends at the latest, by whichever clock: until then a revocation must be remembered.
    pub(super) fn ends_unix_latest(self, now: Now, boot: Boot) -> u64 {
        self.end_unix.max(self.ends_unix(now, boot))
    }

    fn remaining_secs(self, now: Now, boot: Boot) -> u64 {
        if self.boot == boot {
            self.end_uptime_secs.saturating_sub(now.uptime_ms / 1000)
        } else {
            self.end_unix.saturating_sub(now.unix)
        }
    }

    /// Into a payload.
    pub(super) fn write<const N: usize>(self, fields: Writer<N>) -> Writer<N> {
        fields.array(&self.boot.0).u64(self.end_uptime_secs).u64(self.end_unix)
    }

    /// Out of a payload.
    pub(super) fn read(fields: &mut Reader<'_>) -> Result<Self, Forged> {
        Ok(Life { boot: Boot(fields.array()?), end_uptime_secs: fields.u64()?, end_unix: fields.u64()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BOOT: Boot = Boot([1; 8]);
    const NEXT_BOOT: Boot = Boot([2; 8]);
    const DAY: u64 = 24 * 3600;

    fn now(unix: u64, uptime_secs: u64) -> Now {
        Now { unix, uptime_ms: uptime_secs * 1000 }
    }

    #[test]
    fn a_deadline_ends_on_time_and_with_the_boot() {
        let deadline = Deadline::after(60, now(1000, 10), BOOT);
        assert!(deadline.is_past(now(1000, 70), BOOT));
        assert!(deadline.is_past(now(1000, 11), NEXT_BOOT));
        assert!(!deadline.is_past(now(1000 + 40 * DAY, 69), BOOT));
        assert!(!deadline.is_past(now(0, 69), BOOT));
    }

    #[test]
    fn a_life_ends_by_uptime_whatever_the_clock_says() {
        let life = Life::lasting(3600, now(100 * DAY, 10), BOOT);
        assert!(life.is_over(now(100 * DAY, 3610), BOOT));
        assert!(life.is_over(now(99 * DAY, 3610), BOOT));
        assert!(!life.is_over(now(140 * DAY, 3609), BOOT));
        assert!(!life.is_over(now(0, 3609), BOOT));
    }

    #[test]
    fn after_the_boot_a_life_ends_by_the_calendar() {
        let life = Life::lasting(3600, now(100 * DAY, 10), BOOT);
        assert!(life.is_over(now(100 * DAY + 3600, 0), NEXT_BOOT));
        assert!(!life.is_over(now(100 * DAY + 3599, 999_999), NEXT_BOOT));
    }

    #[test]
    fn the_latest_end_is_that_of_the_slower_clock() {
        let life = Life::lasting(3600, now(DAY, 0), BOOT);
        assert_eq!(life.ends_unix_latest(now(9 * DAY, 600), BOOT), 9 * DAY + 3000);
        assert_eq!(life.ends_unix_latest(now(0, 600), BOOT), DAY + 3600);
        assert_eq!((life.ends_unix(now(0, 600), BOOT), life.ends_unix(now(DAY, 0), NEXT_BOOT)), (3000, DAY + 3600));
    }

    #[test]
    fn a_life_that_is_retold_ends_when_it_did() {
        let life = Life::lasting(3600, now(0, 0), BOOT);
        let retold = life.retold(now(100 * DAY, 600), BOOT, limits::REFRESH_SECS);
        assert!(!retold.is_over(now(100 * DAY + 2999, 5), NEXT_BOOT));
        assert!(retold.is_over(now(100 * DAY + 3000, 5), NEXT_BOOT));
    }

    #[test]
    fn a_life_from_the_far_future_is_cut() {
        let life = Life::lasting(limits::REFRESH_SECS, now(40_000 * DAY, 0), BOOT).retold(
            now(100 * DAY, 0),
            NEXT_BOOT,
            limits::REFRESH_SECS,
        );
        assert_eq!(life.end_unix, 100 * DAY + limits::REFRESH_SECS);
    }
}
