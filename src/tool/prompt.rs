//! Prompts: what a person can choose to say, with blanks to fill in (MCP 2025-11-25, server/prompts).

use crate::tool::complete::Completer;
use crate::tool::handler::{Handler, Yield};
use crate::tool::{Call, Content, ToolError};
use std::fmt;
use std::future::Future;

/// A prompt that clients can list and get.
#[derive(Clone)]
pub struct Prompt {
    pub(crate) spec: PromptSpec,
    pub(crate) handler: Handler,
}

/// What clients are told about a prompt.
#[derive(Clone, Debug)]
pub(crate) struct PromptSpec {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) about: String,
    pub(crate) scope: Option<String>,
    pub(crate) args: Vec<PromptArg>,
    pub(crate) completions: Vec<Completer>,
}

/// A blank in a prompt. What is filled in is always text.
#[derive(Clone, Debug)]
pub(crate) struct PromptArg {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) is_required: bool,
}

/// Who says a message of a prompt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The person.
    User,
    /// The model.
    Assistant,
}

impl Role {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Role::User => "user",
            Role::Assistant => "assistant",
        }
    }
}

/// What a prompt says.
#[derive(Clone, Debug, Default)]
pub struct Messages(pub(crate) Vec<(Role, Content)>);

impl Messages {
    /// One message of the person.
    pub fn user(block: impl Into<Content>) -> Self {
        Messages(vec![(Role::User, block.into())])
    }

    /// One message more.
    pub fn and(mut self, role: Role, block: impl Into<Content>) -> Self {
        self.0.push((role, block.into()));
        self
    }
}

impl From<String> for Messages {
    fn from(text: String) -> Self {
        Messages::user(text)
    }
}

impl From<&str> for Messages {
    fn from(text: &str) -> Self {
        Messages::user(text)
    }
}

impl Prompt {
    /// A prompt that takes nothing until told otherwise; [`PromptDraft::handler`] makes it whole.
    // The draft is what one wants: a prompt without a handler cannot be written down.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> PromptDraft {
        PromptDraft(PromptSpec {
            name: name.into(),
            title: None,
            about: about.into(),
            scope: None,
            args: Vec::new(),
            completions: Vec::new(),
        })
    }

    /// The scope that a token needs for it.
    pub(crate) fn scope(&self) -> &str {
        self.spec.scope.as_deref().unwrap_or("prompts:read")
    }
}

impl fmt::Debug for Prompt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

/// A prompt that still lacks its handler.
#[derive(Clone, Debug)]
pub struct PromptDraft(PromptSpec);

impl PromptDraft {
    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.0.title = Some(title.into());
        self
    }

    /// A blank that must be filled in.
    pub fn arg(self, name: impl Into<String>, about: impl Into<String>) -> Self {
        self.blank(name, about, true)
    }

    /// A blank that may be left empty.
    pub fn optional(self, name: impl Into<String>, about: impl Into<String>) -> Self {
        self.blank(name, about, false)
    }

    fn blank(mut self, name: impl Into<String>, about: impl Into<String>, is_required: bool) -> Self {
        self.0.args.push(PromptArg { name: name.into(), about: about.into(), is_required });
        self
    }

    /// Completes the blank `argument`; `complete` gets what was typed so far.
    pub fn complete(mut self, argument: impl Into<String>, complete: impl Fn(&str) -> Vec<String> + 'static) -> Self {
        self.0.completions.push(Completer::new(argument, complete));
        self
    }

    /// The scope that a token needs, in place of `prompts:read`.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.0.scope = Some(scope.into());
        self
    }

    /// What it says. Rules as for [`Draft::handler`](crate::tool::Draft::handler).
    pub fn handler<F, Fut, T>(self, handler: F) -> Prompt
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Result<T, ToolError>> + 'static,
        T: Into<Messages> + 'static,
    {
        Prompt { spec: self.0, handler: Handler::local(handler, |messages| Yield::Messages(messages.into())) }
    }
}
