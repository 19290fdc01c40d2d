//! A program of the system that a tool of the box runs: without a shell, and under the gate, the cap and the deadline that
//! hold for what the owner declares.

use crate::builtin::exec::capture::Capture;
use crate::builtin::exec::child::Ran;
use crate::builtin::exec::gate::{Commands, Gate, Share};
use crate::builtin::exec::{deadline, execute};
use crate::config::declared::{Rate, Setting};
use crate::limits;
use crate::tool::ToolError;
use std::fmt;
use std::rc::Rc;
use std::time::Duration;

/// Such a program, and the words that always come first.
pub(crate) struct Program {
    line: Vec<String>,
    setting: Setting,
    share: Share,
    is_stopped_when_full: bool,
    gate: Rc<Gate>,
    commands: Rc<Commands>,
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Program").field("line", &self.line).field("setting", &self.setting).finish_non_exhaustive()
    }
}

impl Program {
    /// One that reads, for the tool `name`.
    pub(crate) fn reading(name: &str, line: Vec<String>, setting: Setting, commands: &Rc<Commands>) -> Self {
        let share = Share { concurrency: limits::COMMAND_CONCURRENCY, rate: None, output_bytes: setting.output_bytes };
        Program { line, setting, share, is_stopped_when_full: true, gate: commands.gate(name), commands: Rc::clone(commands) }
    }

    /// One that changes something, no more often than `rate`, and is not stopped because of what it prints.
    pub(crate) fn writing(name: &str, line: Vec<String>, setting: Setting, rate: Rate, commands: &Rc<Commands>) -> Self {
        let mut program = Program::reading(name, line, setting, commands);
        program.share.rate = Some(rate);
        program.is_stopped_when_full = false;
        program
    }

    /// Runs it with these words behind the first ones.
    pub(crate) async fn run(&self, words: Vec<String>, subject: &str) -> Result<Ran, ToolError> {
        let permit = self.commands.admit(&self.gate, self.share, subject)?;
        let capture = Capture::new(self.share.output_bytes, self.is_stopped_when_full);
        execute(&[self.line.clone(), words].concat(), &self.setting, capture, permit).await
    }

    /// How long it may take.
    pub(crate) fn timeout(&self) -> Duration {
        self.setting.timeout
    }

    /// When the server gives up a call that waits for it.
    pub(crate) fn deadline(&self) -> Duration {
        deadline(&self.setting)
    }
}
