//! Devices that wait for somebody to allow what they asked for (RFC 8628 3.2). They are forgotten with the boot.

use super::client::Name;
use super::login::Way;
use super::resource::Target;
use super::user_code::UserCode;
use crate::limits;
use crate::principal::{ClientTag, GrantId, Scopes};
use crate::world::Now;

/// Names a device that waits; nobody can guess it.
pub(super) type DeviceId = [u8; 16];

/// How much earlier than it was told a device may ask: its clock is not ours, and the way is not always equally long.
const TOLERANCE_MS: u64 = 1000;

/// The devices that wait.
#[derive(Debug, Default)]
pub(super) struct Waiting(Vec<Device>);

/// One of them.
#[derive(Clone, Debug)]
pub(super) struct Device {
    pub(super) id: DeviceId,
    pub(super) user_code: UserCode,
    pub(super) client: ClientTag,
    pub(super) client_name: Name,
    /// What it asked for.
    pub(super) scopes: Scopes,
    pub(super) target: Target,
    pub(super) until_ms: u64,
    pub(super) pace: Pace,
    pub(super) state: State,
}

/// How often it may ask.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    interval_secs: u64,
    /// Before this it is too early.
    next_ms: u64,
}

impl Pace {
    pub(super) const START: Pace = Pace { interval_secs: limits::DEVICE_POLL_SECS, next_ms: 0 };

    /// Whether it asks too early. RFC 8628 3.5: then it waits five seconds longer each time, from then on.
    fn is_too_early(&mut self, now: Now) -> bool {
        let is_too_early = now.uptime_ms < self.next_ms;
        if is_too_early {
            self.interval_secs += limits::DEVICE_POLL_SECS;
        }
        self.next_ms = now.uptime_ms + self.interval_secs * 1000 - TOLERANCE_MS;
        is_too_early
    }
}

/// What became of it.
#[derive(Clone, Debug)]
pub(super) enum State {
    /// Nobody has decided.
    Open,
    /// Somebody said no.
    Denied,
    /// Somebody said yes.
    Allowed(Box<Granted>),
}

/// What somebody allowed.
#[derive(Clone, Debug)]
pub(super) struct Granted {
    pub(super) grant: GrantId,
    pub(super) epoch: u32,
    pub(super) way: Way,
    pub(super) subject: String,
    pub(super) scopes: Scopes,
}

/// What a device that asks is told.
#[derive(Debug)]
pub(super) enum Told {
    /// To wait.
    Wait,
    /// To wait, and longer.
    SlowDown,
    /// That somebody said no. It is forgotten.
    Denied,
    /// What it came for. It is forgotten: it gets this once.
    Allowed(Box<(Device, Granted)>),
    /// Nothing: it is not known (any more).
    Unknown,
}

/// There is no room.
#[derive(Debug)]
pub(super) struct NoRoom;

impl Waiting {
    /// A device begins to wait; one of the same client that nobody has decided on does no longer: it has begun anew.
    pub(super) fn begin(&mut self, now: Now, device: Device) -> Result<(), NoRoom> {
        self.0.retain(|other| other.until_ms > now.uptime_ms);
        self.0.retain(|other| other.client != device.client || !matches!(other.state, State::Open));
        if self.0.len() >= limits::DEVICES {
            return Err(NoRoom);
        }
        self.0.push(device);
        Ok(())
    }

    /// Whether no device that waits shows this code.
    pub(super) fn is_free(&self, user_code: UserCode) -> bool {
        self.0.iter().all(|device| device.user_code != user_code)
    }

    /// The device that shows this code, as long as nobody has decided.
    pub(super) fn find(&self, now: Now, user_code: UserCode) -> Option<&Device> {
        let is_open = |device: &&Device| matches!(device.state, State::Open) && device.until_ms > now.uptime_ms;
        self.0.iter().filter(is_open).find(|device| device.user_code == user_code)
    }

    /// Decides on a device. `false` when it does not wait any more.
    pub(super) fn decide(&mut self, now: Now, id: DeviceId, state: State) -> bool {
        let is_open = |device: &&mut Device| matches!(device.state, State::Open) && device.until_ms > now.uptime_ms;
        let device = self.0.iter_mut().filter(is_open).find(|device| device.id == id);
        device.map(|device| device.state = state).is_some()
    }

    /// A device asks what became of it.
    pub(super) fn ask(&mut self, now: Now, id: DeviceId) -> Told {
        let Some(index) = self.0.iter().position(|device| device.id == id && device.until_ms > now.uptime_ms) else {
            return Told::Unknown;
        };
        let device = &mut self.0[index];
        if matches!(device.state, State::Open) {
            return if device.pace.is_too_early(now) { Told::SlowDown } else { Told::Wait };
        }
        let mut device = self.0.swap_remove(index);
        match std::mem::replace(&mut device.state, State::Denied) {
            State::Allowed(granted) => Told::Allowed(Box::new((device, *granted))),
            State::Open | State::Denied => Told::Denied,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Base;

    fn at(secs: u64) -> Now {
        Now { unix: 0, uptime_ms: secs * 1000 }
    }

    fn device(n: u8) -> Device {
        Device {
            id: [n; 16],
            user_code: UserCode([n; 8]),
            client: ClientTag([n; 8]),
            client_name: Name::new(),
            scopes: Scopes::none(),
            target: Target::whole(&Base::new("http://localhost")),
            until_ms: 600_000,
            pace: Pace::START,
            state: State::Open,
        }
    }

    fn granted() -> State {
        State::Allowed(Box::new(Granted {
            grant: GrantId([1; 16]),
            epoch: 0,
            way: Way::Demo,
            subject: "ada".to_owned(),
            scopes: Scopes::none(),
        }))
    }

    #[test]
    fn a_full_table_refuses_until_it_empties() {
        let mut waiting = Waiting::default();
        for n in 0..limits::DEVICES {
            waiting.begin(at(0), device(u8::try_from(n).unwrap())).unwrap();
        }
        assert!(waiting.begin(at(0), device(255)).is_err());
        assert!(waiting.begin(at(599), device(255)).is_err());
        assert!(waiting.begin(at(600), Device { until_ms: 1_200_000, ..device(255) }).is_ok());
        assert_eq!(waiting.0.len(), 1);
    }

    #[test]
    fn one_that_asks_too_often_waits_longer_each_time() {
        let mut waiting = Waiting::default();
        waiting.begin(at(0), device(1)).unwrap();
        let mut ask = |secs| matches!(waiting.ask(at(secs), [1; 16]), Told::SlowDown);
        assert!(!ask(0), "the first time is never too early");
        assert!(ask(3));
        assert!(ask(11) && !ask(11 + 15) && ask(11 + 15 + 13));
        assert!(!ask(11 + 15 + 13 + 20));
    }

    #[test]
    fn one_that_asks_a_moment_early_is_not_slowed_down() {
        let mut waiting = Waiting::default();
        waiting.begin(at(0), device(1)).unwrap();
        for n in 0..100 {
            assert!(matches!(waiting.ask(Now { unix: 0, uptime_ms: n * 4001 }, [1; 16]), Told::Wait));
        }
    }

    #[test]
    fn what_was_decided_is_told_once_and_not_decided_again() {
        let mut waiting = Waiting::default();
        waiting.begin(at(0), device(1)).unwrap();
        waiting.begin(at(0), device(2)).unwrap();
        assert!(waiting.decide(at(1), [1; 16], granted()) && !waiting.decide(at(1), [1; 16], State::Denied));
        assert!(waiting.decide(at(1), [2; 16], State::Denied) && !waiting.decide(at(1), [2; 16], granted()));
        assert!(!waiting.decide(at(1), [3; 16], granted()));
        assert!(waiting.find(at(1), UserCode([1; 8])).is_none());
        assert!(matches!(waiting.ask(at(1), [1; 16]), Told::Allowed(what) if what.1.subject == "ada"));
        assert!(matches!(waiting.ask(at(1), [2; 16]), Told::Denied));
        assert!(matches!(waiting.ask(at(1), [1; 16]), Told::Unknown) && matches!(waiting.ask(at(1), [2; 16]), Told::Unknown));
    }

    #[test]
    fn after_its_time_nothing_is_decided_and_nothing_told() {
        let mut waiting = Waiting::default();
        waiting.begin(at(0), device(1)).unwrap();
        waiting.begin(at(0), device(2)).unwrap();
        assert!(waiting.decide(at(599), [2; 16], granted()));
        assert!(waiting.find(at(600), UserCode([1; 8])).is_none() && !waiting.decide(at(600), [1; 16], granted()));
        assert!(matches!(waiting.ask(at(600), [2; 16]), Told::Unknown));
    }

    #[test]
    fn a_client_that_begins_anew_waits_once() {
        let mut waiting = Waiting::default();
        waiting.begin(at(0), device(1)).unwrap();
        waiting.begin(at(1), Device { id: [9; 16], user_code: UserCode([9; 8]), ..device(1) }).unwrap();
        assert!(waiting.find(at(1), UserCode([1; 8])).is_none() && waiting.find(at(1), UserCode([9; 8])).is_some());
        assert!(waiting.is_free(UserCode([1; 8])) && !waiting.is_free(UserCode([9; 8])));
    }
}
