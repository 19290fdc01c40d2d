//! How often strangers may try: each address, and all of them together.
//!
//! Each has a few tries at once, and gets one more every so many seconds (GCRA). Only uptime counts: no clock step gives
//! anybody more tries, or takes them away.

use super::Error;
use crate::limits;
use crate::world::Now;
use heapless::Vec;
use std::net::IpAddr;

/// Where a request comes from, as far as a throttle tells addresses apart: an IPv6 address counts with its /64, as whoever
/// has one address of it has all of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Source([u8; 16]);

impl Source {
    /// The source with these bytes.
    pub const fn new(bytes: [u8; 16]) -> Self {
        Source(bytes)
    }
}

impl From<IpAddr> for Source {
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V4(address) => Source(address.to_ipv6_mapped().octets()),
            IpAddr::V6(address) => {
                let mut bytes = address.octets();
                bytes[8..].fill(0);
                Source(bytes)
            }
        }
    }
}

/// So many tries at once, and one more after so many milliseconds each.
#[derive(Clone, Copy, Debug)]
struct Rate {
    burst_ms: u64,
    each_ms: u64,
}

impl Rate {
    fn new((tries, secs): (u32, u64)) -> Self {
        let each_ms = secs * 1000;
        Rate { burst_ms: u64::from(tries) * each_ms, each_ms }
    }

    /// When a bucket that empties at `empty_ms` is empty after one more try; or how long to wait for that.
    fn filled(self, now_ms: u64, empty_ms: u64) -> Result<u64, u64> {
        let filled = empty_ms.max(now_ms) + self.each_ms;
        let end = now_ms + self.burst_ms;
        if filled > end { Err(filled - end) } else { Ok(filled) }
    }
}

/// Counts the tries of one kind.
#[derive(Debug)]
pub(super) struct Throttle {
    each: Rate,
    all: Rate,
    /// Each source with the moment from which on nothing is held against it, the one that was heard of last at the end.
    sources: Vec<(Source, u64), { limits::SOURCES }>,
    together_ms: u64,
}

impl Throttle {
    pub(super) fn new(each: (u32, u64), all: (u32, u64)) -> Self {
        Throttle { each: Rate::new(each), all: Rate::new(all), sources: Vec::new(), together_ms: 0 }
    }

    /// Takes one try of `source`. Who has none left takes none of the others'.
    pub(super) fn take(&mut self, now: Now, source: Source) -> Result<(), Error> {
        let now_ms = now.uptime_ms;
        self.sources.retain(|(_, empty_ms)| *empty_ms > now_ms);
        let known = self.sources.iter().position(|(known, _)| *known == source);
        let own_ms = known.map_or(0, |index| self.sources[index].1);
        let filled = self.each.filled(now_ms, own_ms).and_then(|own| Ok((own, self.all.filled(now_ms, self.together_ms)?)));
        let (own_ms, together_ms) = filled.map_err(|wait_ms| Error::too_many(wait_ms.div_ceil(1000)))?;
        self.together_ms = together_ms;
        if let Some(index) = known.or((self.sources.is_full()).then_some(0)) {
            self.sources.remove(index);
        }
        let _ = self.sources.push((source, own_ms));
        Ok(())
    }

    /// Gives a try back: it was no guess.
    pub(super) fn give_back(&mut self, source: Source) {
        self.together_ms = self.together_ms.saturating_sub(self.all.each_ms);
        if let Some((_, empty_ms)) = self.sources.iter_mut().find(|(known, _)| *known == source) {
            *empty_ms = empty_ms.saturating_sub(self.each.each_ms);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Now {
        Now { unix: 0, uptime_ms: secs * 1000 }
    }

    fn source(n: u16) -> Source {
        Source::from(IpAddr::from([10, 0, n.to_be_bytes()[0], n.to_be_bytes()[1]]))
    }

    fn wait(throttle: &mut Throttle, secs: u64, source: Source) -> Option<u64> {
        throttle.take(at(secs), source).err().and_then(|error| error.retry_secs())
    }

    #[test]
    fn an_address_that_tries_too_often_waits_and_others_do_not() {
        let mut throttle = Throttle::new((3, 10), (100, 1));
        for _ in 0..3 {
            assert_eq!(wait(&mut throttle, 5, source(1)), None);
        }
        assert_eq!(wait(&mut throttle, 5, source(1)), Some(10));
        assert_eq!(wait(&mut throttle, 14, source(1)), Some(1));
        assert_eq!(wait(&mut throttle, 14, source(2)), None);
        assert_eq!(wait(&mut throttle, 15, source(1)), None);
        assert_eq!(wait(&mut throttle, 15, source(1)), Some(10));
    }

    #[test]
    fn all_together_have_a_bound_that_one_alone_does_not_reach() {
        let mut throttle = Throttle::new((3, 10), (5, 2));
        let passed = (0..50).filter(|_| throttle.take(at(0), source(1)).is_ok()).count();
        assert_eq!(passed, 3);
        assert_eq!(wait(&mut throttle, 0, source(2)), None);
        assert_eq!(wait(&mut throttle, 0, source(3)), None);
        assert_eq!(wait(&mut throttle, 0, source(4)), Some(2));
        assert_eq!(wait(&mut throttle, 2, source(4)), None);
    }

    #[test]
    fn a_full_table_forgets_the_oldest_and_keeps_the_bound_of_all() {
        let bound = u32::try_from(limits::SOURCES).unwrap() + 10;
        let mut throttle = Throttle::new((1, 1000), (bound, 1000));
        for n in 0..=limits::SOURCES {
            assert_eq!(wait(&mut throttle, 0, source(u16::try_from(n).unwrap())), None);
        }
        assert_eq!(throttle.sources.len(), limits::SOURCES);
        assert_eq!(wait(&mut throttle, 0, source(1)), Some(1000), "is still known");
        assert_eq!(wait(&mut throttle, 0, source(0)), None, "is forgotten");
        let passed = (1000..2000).filter(|n| throttle.take(at(0), source(*n)).is_ok()).count();
        assert_eq!(passed, 8);
    }

    #[test]
    fn a_try_that_was_no_guess_is_given_back() {
        let mut throttle = Throttle::new((2, 10), (2, 10));
        for _ in 0..20 {
            assert_eq!(wait(&mut throttle, 0, source(1)), None);
            throttle.give_back(source(1));
        }
        assert_eq!(wait(&mut throttle, 0, source(2)), None);
    }

    #[test]
    fn an_ipv6_address_counts_with_its_net_and_an_ipv4_address_under_either_name() {
        let of = |text: &str| Source::from(text.parse::<IpAddr>().unwrap());
        assert_eq!(of("2001:db8::1"), of("2001:db8::ffff:1:2:3"));
        assert_ne!(of("2001:db8::1"), of("2001:db8:0:1::1"));
        assert_eq!(of("::ffff:192.168.1.2"), of("192.168.1.2"));
        assert_ne!(of("192.168.1.2"), of("192.168.1.3"));
    }
}
