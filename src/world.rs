//! The clock and the random source. Pure rooms are told what they say; only this room reads them.

use crate::audit::Audit;
use crate::limits;
use ring::rand::{SecureRandom, SystemRandom};
use std::cell::Cell;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A moment, as the two clocks of a board see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Now {
    /// Seconds since 1970, never before [`limits::BUILD_UNIX_SECS`]: what tokens are dated with.
    pub unix: u64,
    /// Milliseconds since the program started: what tables and throttles count, as no clock step moves it.
    pub uptime_ms: u64,
}

/// Reads both clocks.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    started: Instant,
    floor: u64,
}

impl Clock {
    /// A clock that never says a time before `floor` (seconds since 1970), such as the birth of the key ring.
    ///
    /// A board without a battery wakes in 1970; a time before the program was built is never right.
    pub fn start(floor: u64) -> Self {
        Clock { started: Instant::now(), floor: floor.max(limits::BUILD_UNIX_SECS) }
    }

    /// This moment.
    pub fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        Now { unix: unix.max(self.floor), uptime_ms: self.uptime_ms() }
    }

    /// The same in milliseconds.
    pub(crate) fn uptime_ms(&self) -> u64 {
        let uptime = self.uptime();
        uptime.as_secs() * 1000 + u64::from(uptime.subsec_millis())
    }

    /// Since the program started.
    pub fn uptime(&self) -> Duration {
        self.started.elapsed()
    }
}

/// A moment that lasts as long as a turn, so that the clocks are read once for it.
#[derive(Debug, Default)]
pub(crate) struct Moment(Cell<Option<Now>>);

impl Moment {
    /// What the clocks said when the turn began that goes on; else what they say.
    pub(crate) fn now(&self, clock: &Clock) -> Now {
        self.0.get().unwrap_or_else(|| clock.now())
    }

    /// Begins a turn, which ends when it is dropped.
    pub(crate) fn last(&self, clock: &Clock) -> Turn<'_> {
        self.0.set(Some(clock.now()));
        Turn(self)
    }
}

/// See [`Moment::last`].
pub(crate) struct Turn<'a>(&'a Moment);

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.0.0.set(None);
    }
}

/// Bytes that nobody can guess. Tests give their own.
pub trait Random {
    /// Fills `bytes`.
    fn fill(&self, bytes: &mut [u8]);
}

/// The kernel's random source.
#[derive(Debug)]
pub struct Kernel(SystemRandom);

impl Kernel {
    /// The source; it needs no seed and no file.
    pub fn new() -> Self {
        Kernel(SystemRandom::new())
    }
}

impl Default for Kernel {
    fn default() -> Self {
        Self::new()
    }
}

impl Random for Kernel {
    fn fill(&self, bytes: &mut [u8]) {
        // getrandom(2) fails only on kernels before 3.17; going on without it would mint guessable tokens.
        #[allow(clippy::expect_used)]
        self.0.fill(bytes).expect("the kernel gives random bytes");
    }
}

/// What a pure room may know of the world, for the length of one request.
#[derive(Clone, Copy)]
pub struct World<'a> {
    /// This moment, read once.
    pub now: Now,
    /// The random source.
    pub random: &'a dyn Random,
    /// Where events worth remembering go.
    pub audit: &'a dyn Audit,
}

impl World<'_> {
    /// `N` random bytes.
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        self.random.fill(&mut bytes);
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_turn_is_of_one_moment_and_the_next_of_a_later_one() {
        let (clock, moment) = (Clock::start(0), Moment::default());
        let turn = moment.last(&clock);
        let first = moment.now(&clock);
        std::thread::sleep(Duration::from_millis(3));
        assert_eq!(moment.now(&clock), first);
        drop(turn);
        assert!(moment.now(&clock).uptime_ms > first.uptime_ms);
    }
}
