//! How much the board gives at once: `[limits]`.

use super::file::{LimitsTable, Placed};
use super::read::Source;
use crate::error::Error;
use crate::limits;
use std::ops::RangeInclusive;

/// How much the board gives at once. Within which bounds an owner can say so stands in [`limits`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Open sockets; at most [`limits::CONNECTIONS_MAX`].
    pub connections: usize,
    /// Open sockets of one address, or of one /64 of IPv6. `None` is half of all, but as many as there may be from this machine:
    /// a proxy or a forwarded port brings everybody from there.
    pub connections_per_address: Option<usize>,
    /// Open event streams; at most [`limits::STREAMS_MAX`].
    pub streams: usize,
    /// Open event streams of one person.
    pub streams_per_subject: usize,
    /// Sessions that were ended, and those with a log level of their own, that are remembered; at most
    /// [`limits::SESSIONS_MAX`].
    pub sessions: usize,
    /// Calls that run at the same time; at most [`limits::CALLS_MAX`].
    pub calls: usize,
    /// The largest message; from [`limits::BODY_BYTES_MIN`] to [`limits::BODY_BYTES_MAX`].
    pub body_bytes: usize,
    /// The largest head of a request; from [`limits::HEAD_BYTES_MIN`] to [`limits::HEAD_BYTES_MAX`].
    pub header_bytes: usize,
    /// What waits for one reader of a stream; from [`limits::OUTBOX_BYTES_MIN`] to [`limits::OUTBOX_BYTES_MAX`].
    pub outbox_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connections: limits::CONNECTIONS,
            connections_per_address: None,
            streams: limits::STREAMS,
            streams_per_subject: limits::STREAMS,
            sessions: limits::SESSIONS,
            calls: limits::CALLS,
            body_bytes: limits::BODY_BYTES,
            header_bytes: limits::HEAD_BYTES,
            outbox_bytes: limits::OUTBOX_BYTES,
        }
    }
}

impl Limits {
    /// Open sockets of one address that is not of this machine.
    pub fn of_one_address(&self) -> usize {
        self.connections_per_address.unwrap_or(self.connections.div_ceil(2))
    }

    /// Each, with its key.
    pub(crate) fn named(&self) -> [(&'static str, usize); 9] {
        [
            ("connections", self.connections),
            ("connections_per_address", self.of_one_address()),
            ("streams", self.streams),
            ("streams_per_subject", self.streams_per_subject),
            ("sessions", self.sessions),
            ("calls", self.calls),
            ("body_bytes", self.body_bytes),
            ("header_bytes", self.header_bytes),
            ("outbox_bytes", self.outbox_bytes),
        ]
    }
}

impl Source<'_> {
    pub(super) fn limits(&self, table: &LimitsTable) -> Result<Limits, Error> {
        let usual = Limits::default();
        let connections = self.limit(table.connections.as_ref(), usual.connections, 1..=limits::CONNECTIONS_MAX)?;
        let streams = self.limit(table.streams.as_ref(), usual.streams, 1..=limits::STREAMS_MAX)?;
        let of_one_address = table.connections_per_address.as_ref();
        let bodies = limits::BODY_BYTES_MIN..=limits::BODY_BYTES_MAX;
        let heads = limits::HEAD_BYTES_MIN..=limits::HEAD_BYTES_MAX;
        let outboxes = limits::OUTBOX_BYTES_MIN..=limits::OUTBOX_BYTES_MAX;
        Ok(Limits {
            connections,
            connections_per_address: of_one_address
                .map(|value| self.limit(Some(value), connections, 1..=connections))
                .transpose()?,
            streams,
            streams_per_subject: self.limit(table.streams_per_subject.as_ref(), streams, 1..=streams)?,
            sessions: self.limit(table.sessions.as_ref(), usual.sessions, 1..=limits::SESSIONS_MAX)?,
            calls: self.limit(table.calls.as_ref(), usual.calls, 1..=limits::CALLS_MAX)?,
            body_bytes: self.limit(table.body_bytes.as_ref(), usual.body_bytes, bodies)?,
            header_bytes: self.limit(table.header_bytes.as_ref(), usual.header_bytes, heads)?,
            outbox_bytes: self.limit(table.outbox_bytes.as_ref(), usual.outbox_bytes, outboxes)?,
        })
    }

    /// What is given, or else what is usual.
    fn limit(&self, given: Option<&Placed<usize>>, usual: usize, bounds: RangeInclusive<usize>) -> Result<usize, Error> {
        match given {
            None => Ok(usual),
            Some(given) if bounds.contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => {
                let what = format!("{} is not between {} and {}", given.get_ref(), bounds.start(), bounds.end());
                Err(self.fault(given.span(), what, &format!("Leave it out, and it is {usual}, which a Pi Zero has memory for.")))
            }
        }
    }
}
