//! Whether a call of a tool may go on as a task, whose result its client fetches later.

use crate::tool::Draft;

/// Whether a call of a tool may be a task (MCP 2025-11-25, basic/utilities/tasks, tool-level negotiation; the extension
/// `io.modelcontextprotocol/tasks` from 2026-07-28 on).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskSupport {
    /// It is answered like any other.
    #[default]
    Forbidden,
    /// It is a task for clients that can have one. Those of 2025-11-25 say so with each call; for those of the stateless
    /// dialect that declare the extension, every call is one that is not done at once.
    Optional,
    /// It is a task, and clients that cannot have one are refused.
    Required,
}

impl TaskSupport {
    /// Its name in lists.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            TaskSupport::Forbidden => "forbidden",
            TaskSupport::Optional => "optional",
            TaskSupport::Required => "required",
        }
    }
}

impl Draft {
    /// Whether calls may be tasks; they may not where nothing is said. The handler is the same: it reports progress, asks
    /// and sees its cancellation as always, and [`Draft::deadline`] still ends it.
    ///
    /// In the stateless dialect, what it asks before it first waits for anything else is asked before there is a task.
    pub fn task_support(mut self, support: TaskSupport) -> Self {
        self.0.task_support = support;
        self
    }
}
