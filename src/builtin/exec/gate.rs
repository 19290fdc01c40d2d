//! How much may run at once, and how often. Who comes too much is told at once, and nobody waits for anybody.

use crate::config::declared::Rate;
use crate::limits;
use crate::tool::ToolError;
use crate::world::Clock;
use std::cell::{Cell, RefCell};
use std::rc::Rc;

/// What all commands of a board share, from one configuration to the next.
#[derive(Debug)]
pub(crate) struct Commands {
    clock: Clock,
    /// What those that run may print together.
    output_bytes: Cell<usize>,
    gates: RefCell<Vec<Rc<Gate>>>,
    subjects: RefCell<Vec<(String, Bucket)>>,
}

/// One tool or resource.
#[derive(Debug)]
pub(super) struct Gate {
    name: String,
    running: Cell<usize>,
    bucket: Cell<Bucket>,
}

/// What one call takes of it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Share {
    pub(super) concurrency: usize,
    pub(super) rate: Option<Rate>,
    pub(super) output_bytes: usize,
}

/// What every subject may start.
const SUBJECT: Rate = Rate { count: limits::SUBJECT_COMMANDS, per_ms: 60_000 };

impl Default for Commands {
    fn default() -> Self {
        let clock = Clock::start(0);
        Commands { clock, output_bytes: Cell::new(0), gates: RefCell::default(), subjects: RefCell::default() }
    }
}

impl Commands {
    /// The gate of this name, which is the one of the configuration before this if that had one.
    pub(super) fn gate(&self, name: &str) -> Rc<Gate> {
        let mut gates = self.gates.borrow_mut();
        // Those that nobody uses any more.
        gates.retain(|gate| Rc::strong_count(gate) > 1 || gate.name == name);
        if let Some(gate) = gates.iter().find(|gate| gate.name == name) {
            return Rc::clone(gate);
        }
        let gate = Rc::new(Gate { name: name.to_owned(), running: Cell::new(0), bucket: Cell::default() });
        gates.push(Rc::clone(&gate));
        gate
    }

    /// Lets a call of `subject` in. A call that is refused counts for nothing.
    pub(super) fn admit(self: &Rc<Self>, gate: &Rc<Gate>, share: Share, subject: &str) -> Result<Permit, ToolError> {
        let now_us = u64::try_from(self.clock.uptime().as_micros()).unwrap_or(u64::MAX);
        self.admit_at(now_us, gate, share, subject)
    }

    fn admit_at(self: &Rc<Self>, now_us: u64, gate: &Rc<Gate>, share: Share, subject: &str) -> Result<Permit, ToolError> {
        let refused = |why: String| Err(ToolError::new(why));
        if gate.running.get() >= share.concurrency {
            let times = if share.concurrency == 1 { "once".to_owned() } else { format!("{} times", share.concurrency) };
            return refused(format!("`{}` may run {times} at the same time, and does. Wait for it to end.", gate.name));
        }
        if self.output_bytes.get() + share.output_bytes > limits::OUTPUTS_BYTES {
            return refused("The board runs as many commands as it has memory for. Try again in a moment.".to_owned());
        }
        let counted = self.bucket(subject).after(now_us, SUBJECT);
        let counted = counted.map_err(|wait| ToolError::new(format!("You start too many commands. Try again in {wait} s.")))?;
        if let Some(rate) = share.rate {
            let bucket = gate.bucket.get().after(now_us, rate);
            gate.bucket.set(
                bucket
                    .map_err(|wait| ToolError::new(format!("`{}` may not run that often. Try again in {wait} s.", gate.name)))?,
            );
        }
        self.remember(subject, counted);
        gate.running.set(gate.running.get() + 1);
        self.output_bytes.set(self.output_bytes.get() + share.output_bytes);
        Ok(Permit { commands: Rc::clone(self), gate: Rc::clone(gate), output_bytes: share.output_bytes })
    }

    /// Whether nothing runs.
    pub(crate) fn are_idle(&self) -> bool {
        self.output_bytes.get() == 0
    }

    fn bucket(&self, subject: &str) -> Bucket {
        let subjects = self.subjects.borrow();
        subjects.iter().find(|(name, _)| name == subject).map(|(_, bucket)| *bucket).unwrap_or_default()
    }

    fn remember(&self, subject: &str, bucket: Bucket) {
        let mut subjects = self.subjects.borrow_mut();
        if let Some((_, known)) = subjects.iter_mut().find(|(name, _)| name == subject) {
            *known = bucket;
            return;
        }
        if subjects.len() >= limits::SUBJECTS {
            let most_free = (0..subjects.len()).min_by_key(|index| subjects[*index].1.full_us);
            most_free.map(|index| subjects.swap_remove(index));
        }
        subjects.push((subject.to_owned(), bucket));
    }
}

/// The right to run; its end gives back what it took.
#[derive(Debug)]
pub(super) struct Permit {
    commands: Rc<Commands>,
    gate: Rc<Gate>,
    output_bytes: usize,
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.gate.running.set(self.gate.running.get() - 1);
        self.commands.output_bytes.set(self.commands.output_bytes.get() - self.output_bytes);
    }
}

/// A bucket of calls that fills evenly; as one number, by the generic cell rate algorithm (ITU-T I.371).
#[derive(Clone, Copy, Debug, Default)]
struct Bucket {
    /// When it will be full.
    full_us: u64,
}

impl Bucket {
    /// The bucket after one more call at `now_us`; in how many seconds there is room for one if there is none.
    fn after(self, now_us: u64, rate: Rate) -> Result<Bucket, u64> {
        let whole_us = rate.per_ms * 1000;
        let each_us = whole_us / u64::from(rate.count.max(1));
        let full_us = self.full_us.max(now_us) + each_us;
        let empty_us = now_us + whole_us;
        if full_us > empty_us { Err((full_us - empty_us).div_ceil(1_000_000)) } else { Ok(Bucket { full_us }) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHARE: Share = Share { concurrency: 2, rate: None, output_bytes: 1000 };
    const SECOND: u64 = 1_000_000;

    fn refusal(commands: &Rc<Commands>, now_us: u64, share: Share, subject: &str) -> String {
        commands.admit_at(now_us, &commands.gate("tool"), share, subject).unwrap_err().to_string()
    }

    #[test]
    fn a_tool_runs_no_more_often_at_once_than_it_may() {
        let commands = Rc::<Commands>::default();
        let gate = commands.gate("tool");
        let first = commands.admit_at(0, &gate, SHARE, "anna").unwrap();
        let _second = commands.admit_at(0, &gate, SHARE, "ben").unwrap();
        assert!(refusal(&commands, 0, SHARE, "anna").starts_with("`tool` may run 2 times at the same time"));
        assert!(commands.admit_at(0, &commands.gate("other"), SHARE, "anna").is_ok(), "others go on");
        drop(first);
        assert!(commands.admit_at(0, &gate, SHARE, "anna").is_ok());
    }

    #[test]
    fn a_pace_is_kept_whoever_calls() {
        let commands = Rc::<Commands>::default();
        let gate = commands.gate("tool");
        let share = Share { rate: Some(Rate { count: 6, per_ms: 60_000 }), ..SHARE };
        for n in 0..6 {
            commands.admit_at(0, &gate, share, &format!("subject-{n}")).unwrap();
        }
        assert_eq!(refusal(&commands, 0, share, "anna"), "`tool` may not run that often. Try again in 10 s.");
        assert!(refusal(&commands, 9 * SECOND, share, "ben").ends_with("in 1 s."));
        assert!(commands.admit_at(10 * SECOND, &gate, share, "anna").is_ok());
        assert!(refusal(&commands, 10 * SECOND, share, "anna").ends_with("in 10 s."));
    }

    #[test]
    fn nobody_starts_more_than_his_share_and_others_still_can() {
        let commands = Rc::<Commands>::default();
        let gate = commands.gate("tool");
        for _ in 0..limits::SUBJECT_COMMANDS {
            commands.admit_at(0, &gate, SHARE, "anna").unwrap();
        }
        assert!(refusal(&commands, 0, SHARE, "anna").starts_with("You start too many"));
        assert!(commands.admit_at(0, &gate, SHARE, "ben").is_ok());
        assert!(commands.admit_at(SECOND, &gate, SHARE, "anna").is_ok());
    }

    #[test]
    fn a_full_table_forgets_who_may_start_the_most() {
        let commands = Rc::<Commands>::default();
        let gate = commands.gate("tool");
        for _ in 0..limits::SUBJECT_COMMANDS {
            commands.admit_at(0, &gate, SHARE, "greedy").unwrap();
        }
        for n in 0..2 * limits::SUBJECTS {
            commands.admit_at(0, &gate, SHARE, &format!("subject-{n}")).unwrap();
        }
        assert_eq!(commands.subjects.borrow().len(), limits::SUBJECTS);
        assert!(refusal(&commands, 0, SHARE, "greedy").starts_with("You start too many"));
    }

    #[test]
    fn what_runs_prints_no_more_than_there_is_memory_for() {
        let commands = Rc::<Commands>::default();
        let share = Share { concurrency: 100, rate: None, output_bytes: limits::OUTPUT_BYTES_MAX };
        let gate = commands.gate("tool");
        let held: Vec<_> = (0..limits::OUTPUTS_BYTES / limits::OUTPUT_BYTES_MAX)
            .map(|_| commands.admit_at(0, &gate, share, "anna").unwrap())
            .collect();
        assert!(refusal(&commands, 0, Share { output_bytes: 1, ..share }, "anna").contains("memory"));
        drop(held);
        assert!(commands.admit_at(0, &gate, share, "anna").is_ok());
    }

    #[test]
    fn what_runs_counts_under_the_next_configuration_as_well() {
        let commands = Rc::<Commands>::default();
        let only = Share { concurrency: 1, ..SHARE };
        let held = commands.admit_at(0, &commands.gate("tool"), only, "anna").unwrap();
        assert!(refusal(&commands, 0, only, "anna").contains("once at the same time"));
        drop(held);
        commands.gate("other");
        assert_eq!(commands.gates.borrow().len(), 1, "a gate that nobody uses is forgotten");
    }
}
