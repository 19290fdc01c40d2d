//! The revisions of the protocol and what each can do. Nothing else in the house compares revisions.

/// A revision of the protocol.
///
/// All but the last are one dialect, in which `initialize` opens a session and settles the revision. In the stateless one
/// every request says for itself what it speaks.
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
    /// 2026-07-28: no session, no handshake, no requests from the server.
    V2026_07_28,
}

impl Revision {
    /// All, from the oldest to the newest.
    pub const ALL: [Revision; 5] =
        [Revision::V2024_11_05, Revision::V2025_03_26, Revision::V2025_06_18, Revision::V2025_11_25, Revision::V2026_07_28];

    /// What a client gets whose `initialize` asks for none of its dialect (MCP 2025-11-25, basic/lifecycle).
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
            Revision::V2026_07_28 => "2026-07-28",
        }
    }

    /// The revision of this name.
    pub fn parse(name: &str) -> Option<Revision> {
        Revision::ALL.into_iter().find(|revision| revision.as_str() == name)
    }

    /// What `initialize` answers to a client that asks for `name`.
    pub fn negotiate(name: &str) -> Revision {
        Revision::parse(name).filter(|revision| !revision.is_stateless()).unwrap_or(Revision::NEWEST)
    }

    /// Whether every request stands for itself.
    pub fn is_stateless(self) -> bool {
        self >= Revision::V2026_07_28
    }

    /// Whether a client asks for a call to be a task. Later ones leave that to the server.
    pub fn has_task_requests(self) -> bool {
        self == Revision::V2025_11_25
    }

    /// Whether things carry icons.
    pub fn has_icons(self) -> bool {
        self >= Revision::V2025_11_25
    }

    /// Whether blocks can be sound.
    pub fn has_audio(self) -> bool {
        self >= Revision::V2025_03_26
    }

    /// Whether blocks can say where a resource is.
    pub fn has_links(self) -> bool {
        self >= Revision::V2025_06_18
    }

    /// Whether a client can be asked for what its user says.
    pub fn has_elicitation(self) -> bool {
        self >= Revision::V2025_06_18
    }

    /// Whether that can happen on a page of another server.
    pub fn has_elicitation_url(self) -> bool {
        self >= Revision::V2025_11_25
    }

    /// Whether `initialize` says that arguments are completed; before, clients just try.
    pub fn names_completions(self) -> bool {
        self >= Revision::V2025_03_26
    }

    /// Whether a client that lost its answer can come back for it, and is told so by a first, empty event.
    pub fn has_priming(self) -> bool {
        self == Revision::V2025_11_25
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
            Revision::V2026_07_28 => 5,
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
    fn a_known_revision_is_echoed_and_an_unknown_one_gets_the_newest_of_its_dialect() {
        for revision in Revision::ALL {
            let negotiated = if revision.is_stateless() { Revision::V2025_11_25 } else { revision };
            assert_eq!(Revision::negotiate(revision.as_str()), negotiated);
            assert_eq!(Revision::numbered(revision.number()), Some(revision));
        }
        for name in ["2026-07-29", "1999-01-01", "", "2024-11-05 "] {
            assert_eq!(Revision::negotiate(name), Revision::V2025_11_25);
            assert_eq!(Revision::parse(name), None);
        }
    }

    /// A question, and its answer for each revision from the oldest to the newest.
    type Feature = (&'static str, fn(Revision) -> bool, [bool; 5]);

    const FEATURES: [Feature; 13] = [
        ("is_stateless", Revision::is_stateless, [false, false, false, false, true]),
        ("has_task_requests", Revision::has_task_requests, [false, false, false, true, false]),
        ("has_icons", Revision::has_icons, [false, false, false, true, true]),
        ("has_audio", Revision::has_audio, [false, true, true, true, true]),
        ("has_links", Revision::has_links, [false, false, true, true, true]),
        ("has_elicitation", Revision::has_elicitation, [false, false, true, true, true]),
        ("has_elicitation_url", Revision::has_elicitation_url, [false, false, false, true, true]),
        ("names_completions", Revision::names_completions, [false, true, true, true, true]),
        ("has_priming", Revision::has_priming, [false, false, false, true, false]),
        ("has_batches", Revision::has_batches, [false, true, false, false, false]),
        ("has_annotations", Revision::has_annotations, [false, true, true, true, true]),
        ("has_titles", Revision::has_titles, [false, false, true, true, true]),
        ("has_structured_output", Revision::has_structured_output, [false, false, true, true, true]),
    ];

    #[test]
    fn each_feature_has_its_revisions() {
        for (name, has, wanted) in FEATURES {
            assert_eq!(Revision::ALL.map(has), wanted, "{name}");
        }
    }

    #[test]
    fn no_question_is_left_out() {
        let source = include_str!("revision.rs").split("mod tests").next().unwrap();
        let questions: Vec<_> =
            source.lines().filter_map(|line| line.trim().strip_prefix("pub fn ")?.strip_suffix("(self) -> bool {")).collect();
        assert_eq!(questions, FEATURES.map(|(name, ..)| name));
    }
}
