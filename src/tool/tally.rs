//! How often a tool was called, and how that ended.

use std::cell::Cell;

/// How a call ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fate {
    /// With a result.
    Ok,
    /// With an error of the tool's own.
    Error,
    /// With questions to the client, which calls again.
    InputRequired,
    /// It was given up.
    Cancelled,
    /// It took too long.
    Timeout,
}

impl Fate {
    /// Every one.
    pub(crate) const ALL: [Fate; 5] = [Fate::Ok, Fate::Error, Fate::InputRequired, Fate::Cancelled, Fate::Timeout];

    /// As the audit has it.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Fate::Ok => "ok",
            Fate::Error => "error",
            Fate::InputRequired => "input_required",
            Fate::Cancelled => "cancelled",
            Fate::Timeout => "timeout",
        }
    }
}

/// How often calls of one tool ended in which way.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// The tool.
    pub(crate) name: String,
    counts: [Cell<u64>; Fate::ALL.len()],
}

impl Tally {
    /// Nothing yet.
    pub(crate) fn of(name: &str) -> Self {
        Tally { name: name.to_owned(), counts: Default::default() }
    }

    /// One more.
    pub(crate) fn add(&self, fate: Fate) {
        let count = &self.counts[fate as usize];
        count.set(count.get() + 1);
    }

    /// How many.
    pub(crate) fn count(&self, fate: Fate) -> u64 {
        self.counts[fate as usize].get()
    }
}
