//! Completion: what could stand in an argument that somebody is typing (MCP 2025-11-25, server/utilities/completion).

use std::fmt;
use std::rc::Rc;

/// Completes one argument.
#[derive(Clone)]
pub(crate) struct Completer {
    pub(crate) argument: String,
    complete: Rc<Complete>,
}

/// What could stand there, given what was typed so far.
type Complete = dyn Fn(&str) -> Vec<String>;

impl Completer {
    pub(crate) fn new(argument: impl Into<String>, complete: impl Fn(&str) -> Vec<String> + 'static) -> Self {
        Completer { argument: argument.into(), complete: Rc::new(complete) }
    }

    /// What could stand there, given what was typed so far.
    pub(crate) fn complete(&self, typed: &str) -> Vec<String> {
        (self.complete)(typed)
    }
}

impl fmt::Debug for Completer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Completer").field(&self.argument).finish()
    }
}
