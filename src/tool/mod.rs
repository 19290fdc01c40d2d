//! What a library user writes: tools, their arguments, what they are given and what they return.
//!
//! A [`Tool`] says what it is called, what it does, what it takes and what it touches; the schema that clients see is
//! made from that, and the arguments are checked against it before the handler runs (MCP 2025-11-25, server/tools).

mod arg;
mod call;
mod catalog;
mod error;
mod output;

pub use arg::{Arg, Kind};
pub use call::{Arguments, Call, Progress, Report, Wire};
pub use catalog::{Catalog, Scope};
pub use error::ToolError;
pub use output::{Content, Output};

use crate::limits;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// What a tool does to the world. It decides the annotations that clients go by when they ask their user, and the scope
/// that a token needs where the tool names none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effect {
    /// Looks, changes nothing. Scope `tools:read`.
    #[default]
    Reads,
    /// Changes something that can be changed back. Scope `tools:write`.
    Writes,
    /// May lose something. Scope `tools:write`.
    Destroys,
}

/// What a handler gives back, some time.
pub type Outcome = Pin<Box<dyn Future<Output = Result<Output, ToolError>>>>;

/// How a tool does its work.
#[derive(Clone)]
pub(crate) enum Handler {
    /// On the one thread that everything runs on; need not be `Send`.
    Local(Rc<dyn Fn(Call) -> Outcome>),
    /// On a thread of its own, because it blocks.
    Blocking(Arc<dyn Fn(Arguments) -> Result<Output, ToolError> + Send + Sync>),
}

/// A tool that clients can list and call.
#[derive(Clone)]
pub struct Tool {
    spec: Arc<Spec>,
    handler: Handler,
}

/// What clients are told about a tool.
#[derive(Clone, Debug)]
pub struct Spec {
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) about: String,
    pub(crate) scope: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) is_idempotent: bool,
    pub(crate) args: Vec<Arg>,
    pub(crate) output_schema: Option<serde_json::Value>,
    pub(crate) deadline: Duration,
}

impl Tool {
    /// A tool that reads and takes nothing until told otherwise; [`Draft::handler`] makes it whole.
    ///
    /// `name` is 1 to 128 of `A-Za-z0-9_.-`; `about` is what the model goes by when it chooses.
    // The draft is what one wants: a tool without a handler cannot be written down.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Draft {
        Draft(Spec {
            name: name.into(),
            title: None,
            about: about.into(),
            scope: None,
            effect: Effect::Reads,
            is_idempotent: false,
            args: Vec::new(),
            output_schema: None,
            deadline: Duration::from_secs(limits::CALL_SECS),
        })
    }

    /// What clients are told about it.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) fn handler(&self) -> &Handler {
        &self.handler
    }

    /// Checks the arguments of a call, as they came.
    ///
    /// # Errors
    /// A sentence for the model that says which argument is wrong and what it must be.
    pub fn read(&self, arguments: Option<&serde_json::value::RawValue>) -> Result<Arguments, ToolError> {
        Arguments::read(&self.spec, arguments)
    }
}

impl fmt::Debug for Tool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.spec.fmt(f)
    }
}

impl Spec {
    /// The name that calls use.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// A name for people, if it has one.
    pub fn title(&self) -> Option<&str> {
        self.title.as_deref()
    }

    /// What it does.
    pub fn about(&self) -> &str {
        &self.about
    }

    /// The scope that a token needs for it.
    pub fn scope(&self) -> &str {
        self.scope.as_deref().unwrap_or(match self.effect {
            Effect::Reads => "tools:read",
            Effect::Writes | Effect::Destroys => "tools:write",
        })
    }

    /// What it does to the world.
    pub fn effect(&self) -> Effect {
        self.effect
    }

    /// How long a call may take.
    pub fn deadline(&self) -> Duration {
        self.deadline
    }

    /// What it takes.
    pub fn args(&self) -> &[Arg] {
        &self.args
    }
}

/// A tool that still lacks its handler.
#[derive(Clone, Debug)]
pub struct Draft(Spec);

impl Draft {
    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.0.title = Some(title.into());
        self
    }

    /// Takes one more argument.
    pub fn arg(mut self, arg: Arg) -> Self {
        self.0.args.push(arg);
        self
    }

    /// Changes something that can be changed back.
    pub fn writes(mut self) -> Self {
        self.0.effect = Effect::Writes;
        self
    }

    /// May lose something.
    pub fn destroys(mut self) -> Self {
        self.0.effect = Effect::Destroys;
        self
    }

    /// A second call with the same arguments changes nothing more.
    pub fn idempotent(mut self) -> Self {
        self.0.is_idempotent = true;
        self
    }

    /// The scope that a token needs, in place of `tools:read` or `tools:write`.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.0.scope = Some(scope.into());
        self
    }

    /// The JSON Schema of the structured output; its `type` must be `object` (MCP 2025-06-18).
    pub fn output_schema(mut self, schema: serde_json::Value) -> Self {
        self.0.output_schema = Some(schema);
        self
    }

    /// How long a call may take; after it the caller gets an error. [`limits::CALL_SECS`] where nothing is said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// What it does. The future runs on the one thread of the server and need not be `Send`; it must not block.
    pub fn handler<F, Fut, T>(self, handler: F) -> Tool
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Result<T, ToolError>> + 'static,
        T: Into<Output>,
    {
        let handler = Rc::new(handler);
        let boxed = move |call: Call| -> Outcome {
            let answer = handler(call);
            Box::pin(async move { answer.await.map(Into::into) })
        };
        Tool { spec: Arc::new(self.0), handler: Handler::Local(Rc::new(boxed)) }
    }

    /// What it does, where that blocks: it runs on a thread beside the server's, and cannot be cancelled half-way.
    pub fn handler_blocking<F, T>(self, handler: F) -> Tool
    where
        F: Fn(Arguments) -> Result<T, ToolError> + Send + Sync + 'static,
        T: Into<Output>,
    {
        let boxed = move |arguments: Arguments| handler(arguments).map(Into::into);
        Tool { spec: Arc::new(self.0), handler: Handler::Blocking(Arc::new(boxed)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_effect_gives_the_scope_where_none_is_named() {
        let tool = |draft: Draft| draft.handler(|_| async { Ok("") });
        assert_eq!(tool(Tool::new("a", "")).spec().scope(), "tools:read");
        assert_eq!(tool(Tool::new("a", "").writes()).spec().scope(), "tools:write");
        assert_eq!(tool(Tool::new("a", "").destroys()).spec().scope(), "tools:write");
        assert_eq!(tool(Tool::new("a", "").destroys().scope("disk")).spec().scope(), "disk");
    }
}
