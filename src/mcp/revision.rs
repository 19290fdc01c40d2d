//! The revisions of the protocol and what each can do. Nothing else in the house compares revisions.

/// A revision of the handshake dialect: `initialize` opens a session and names one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revision {
    /// 2024-11-05: HTTP with SSE.
    V2024_11_05,
    /// 2025-03-26: Streamable HTTP, batches, annotations. What a message without a revision counts as.
    V2025_03_26,
    /// 2025-06-18: no batches, the version header, structured output, titles.
    V2025_06_18,
    /// 2025-11-25: icons, priming events. The newest of its dialect.
    V2025_11_25,
}

impl Revision {
    /// All, from the oldest to the newest.
    pub const ALL: [Revision; 4] = [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25];

    /// What a client gets that asks for none of these (MCP 2025-11-25, basic/lifecycle, version negotiation).
    pub const NEWEST: Revision = Revision::V2025_11_25;

    /// What a message counts as that names none (MCP 2025-11-25, basic/transports, protocol version header).
    pub const UNNAMED: Revision = Revision::V2025_03_26;

    /// Its name, as it stands in messages and headers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Revision::V2024_11_05 => "2024-11-05",
            Revision::V2025_03_26 => "2025-03-26",
            Revision::V2025_06_18 => "2025-06-18",
            Revision::V2025_11_25 => "2025-11-25",
        }
    }

    /// The revision of this name.
    pub fn parse(name: &str) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// What `initialize` answers to a client that asks for `name`.
    pub fn negotiate(name: &str) -> Revision {
        Revision::parse(name).unwrap_or(Revision::NEWEST)
    }

    /// Whether a body may be an array of messages.
    pub fn has_batches(self) -> bool {
        self == Revision::V2025_03_26
    }

    /// Whether tools carry annotations.
    pub fn has_annotations(self) -> bool {
        self >= Revision::V2025_03_26
    }

    /// Whether things have a title beside their name.
    pub fn has_titles(self) -> bool {
        self >= Revision::V2025_06_18
    }

    /// Whether a result may carry JSON for programs, and a tool the schema of it.
    pub fn has_structured_output(self) -> bool {
        self >= Revision::V2025_06_18
    }

    /// Its number in a sealed session.
    pub(crate) fn number(self) -> u8 {
        match self {
            Revision::V2024_11_05 => 1,
            Revision::V2025_03_26 => 2,
            Revision::V2025_06_18 => 3,
            Revision::V2025_11_25 => 4,
        }
    }

    /// The revision of this number.
    pub(crate) fn numbered(number: u8) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.number() == number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_revision_is_echoed_and_an_unknown_one_gets_the_newest() {
        for revision in Revision::ALL {
            assert_eq!(Revision::negotiate(revision.as_str()), revision);
            assert_eq!(Revision::numbered(revision.number()), Some(revision));
        }
        for name in ["2026-07-28", "1999-01-01", "", "2024-11-05 "] {
            assert_eq!(Revision::negotiate(name), Revision::V2025_11_25);
            assert_eq!(Revision::parse(name), None);
        }
    }

    #[test]
    fn each_feature_has_its_first_revision() {
        let having = |has: fn(Revision) -> bool| Revision::ALL.into_iter().filter(|revision| has(*revision)).count();
        assert_eq!(having(Revision::has_batches), 1);
        assert_eq!(having(Revision::has_annotations), 3);
        assert_eq!(having(Revision::has_titles), 2);
        assert_eq!(having(Revision::has_structured_output), 2);
    }
}
