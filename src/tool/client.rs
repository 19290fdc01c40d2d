//! The program that calls, as far as it has said what it is.

use crate::limits;
use heapless::String as Bounded;

/// What a client said of itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// Its name, cut to [`limits::CLIENT_NAME_BYTES`]; empty where it gave none.
    pub name: Bounded<{ limits::CLIENT_NAME_BYTES }>,
    /// What it can do for a tool.
    pub capabilities: Capabilities,
}

/// What a client can do for a tool (MCP 2025-11-25, schema `ClientCapabilities`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
// Four independent answers of a client; an enum would be sixteen.
#[allow(clippy::struct_excessive_bools)]
pub struct Capabilities {
    /// Ask its user to fill in a form.
    pub elicitation: bool,
    /// Send its user to a page.
    pub elicitation_url: bool,
    /// Lend its model.
    pub sampling: bool,
    /// Tell in which folders it works.
    pub roots: bool,
    /// Fetch the result of a call later (the extension `io.modelcontextprotocol/tasks` of 2026-07-28).
    #[cfg(feature = "tasks")]
    pub tasks: bool,
}

impl Capabilities {
    /// As bits, for a sealed session.
    pub(crate) fn bits(self) -> u8 {
        u8::from(self.elicitation)
            | u8::from(self.elicitation_url) << 1
            | u8::from(self.sampling) << 2
            | u8::from(self.roots) << 3
    }

    /// Of bits.
    pub(crate) fn from_bits(bits: u8) -> Self {
        let has = |bit: u8| bits & bit != 0;
        Capabilities {
            elicitation: has(1),
            elicitation_url: has(2),
            sampling: has(4),
            roots: has(8),
            // Said with each request, so that no session keeps it.
            #[cfg(feature = "tasks")]
            tasks: false,
        }
    }
}

/// How much a line for the log matters (RFC 5424 6.2.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For who looks for a fault.
    Debug,
    /// Something happened.
    Info,
    /// Something happened that matters.
    Notice,
    /// Something may go wrong.
    Warning,
    /// Something went wrong.
    Error,
    /// A part failed.
    Critical,
    /// Somebody must act at once.
    Alert,
    /// Nothing works any more.
    Emergency,
}

impl Level {
    const ALL: [Level; 8] =
        [Level::Debug, Level::Info, Level::Notice, Level::Warning, Level::Error, Level::Critical, Level::Alert, Level::Emergency];

    /// Its name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Debug => "debug",
            Level::Info => "info",
            Level::Notice => "notice",
            Level::Warning => "warning",
            Level::Error => "error",
            Level::Critical => "critical",
            Level::Alert => "alert",
            Level::Emergency => "emergency",
        }
    }

    /// The level of this name.
    pub fn parse(name: &str) -> Option<Level> {
        Level::ALL.into_iter().find(|level| level.as_str() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn capabilities_survive_as_bits() {
        for bits in 0..16 {
            assert_eq!(Capabilities::from_bits(bits).bits(), bits);
        }
    }

    #[test]
    fn levels_are_ordered_as_syslog_has_them() {
        assert!(Level::ALL.is_sorted());
        assert!(Level::ALL.into_iter().all(|level| Level::parse(level.as_str()) == Some(level)));
        assert_eq!(Level::parse("INFO"), None);
    }
}
