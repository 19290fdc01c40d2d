//! What a library user writes: tools, their arguments, what they are given and what they return.
//!
//! A [`Tool`] says what it is called, what it does, what it takes and what it touches; the schema that clients see is
//! made from that, and the arguments are checked against it before the handler runs (MCP 2025-11-25, server/tools).

mod arg;
mod ask;
mod call;
mod catalog;
mod changes;
mod client;
mod complete;
mod effect;
mod error;
mod handler;
mod join;
mod output;
mod param;
mod pattern;
mod prompt;
mod resource;
mod schema;
mod tally;
#[cfg(feature = "tasks")]
mod task;

pub use arg::{Arg, Kind};
pub use ask::{Answer, Form, Root, Sample, Sampled};
pub(crate) use ask::{Ask, AskError, Need, Slot};
#[cfg(test)]
pub(crate) use call::Nobody;
pub use call::{Arguments, Call, Progress};
pub(crate) use call::{Line, Wire};
pub use catalog::{Catalog, Scope};
pub(crate) use changes::Change;
pub use changes::Changes;
pub use client::{Capabilities, Client, Level};
pub(crate) use complete::Completer;
pub use effect::Effect;
pub use error::ToolError;
pub(crate) use handler::{Handler, Outcome, Yield};
pub use join::TryJoin;
pub(crate) use output::Data;
pub use output::{Content, Contents, Output};
pub(crate) use param::Param;
pub use pattern::Pattern;
pub use prompt::{Messages, Prompt, PromptDraft, Role};
pub use resource::{Resource, ResourceDraft};
use schema::Schema;
pub(crate) use tally::{Fate, Tally};
#[cfg(feature = "tasks")]
pub use task::TaskSupport;

pub use crate::json::Raw;
use crate::limits;
use serde::Serialize;
use serde_json::value::RawValue;
use std::fmt;
use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// A tool that clients can list and call.
#[derive(Clone)]
pub struct Tool {
    spec: Arc<Spec>,
    handler: Handler,
    /// What a call would run.
    preview: Option<Preview>,
    /// How often it was called.
    tally: Rc<Tally>,
}

/// Says what a call would run, element by element; nothing where it would change nothing.
pub(crate) type Preview = Rc<dyn Fn(&Call) -> Result<Option<Vec<String>>, ToolError>>;

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
    /// The names of `args`, shared with every call.
    pub(crate) names: Arc<[String]>,
    /// The arguments that clients of the stateless dialect repeat in headers.
    pub(crate) params: Vec<Param>,
    /// In place of `args`: a schema as its author wrote it.
    pub(crate) input_schema: Option<Schema>,
    pub(crate) output_schema: Option<Schema>,
    /// Whether its code is what `output_schema` says, so that not every output is held against it.
    pub(crate) is_vouched: bool,
    pub(crate) icons: Vec<Icon>,
    pub(crate) needs: Vec<Need>,
    pub(crate) deadline: Duration,
    pub(crate) patience: Duration,
    pub(crate) is_audited: bool,
    #[cfg(feature = "tasks")]
    pub(crate) task_support: TaskSupport,
}

/// A picture of a tool (from 2025-11-25 on).
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Icon {
    /// An https or data URI.
    pub src: String,
    /// What kind of image, such as `image/svg+xml`.
    #[serde(rename = "mimeType", skip_serializing_if = "Option::is_none")]
    pub mime_type: Option<String>,
}

impl Tool {
    /// A tool that reads and takes nothing until told otherwise; [`Draft::handler`] makes it whole.
    ///
    /// `name` is 1 to 128 of `A-Za-z0-9_.-`; `about` is what the model goes by when it chooses.
    // The draft is what one wants: a tool without a handler cannot be written down.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(name: impl Into<String>, about: impl Into<String>) -> Draft {
        Draft(Box::new(Spec {
            name: name.into(),
            title: None,
            about: about.into(),
            scope: None,
            effect: Effect::Reads,
            is_idempotent: false,
            args: Vec::new(),
            names: Arc::default(),
            params: Vec::new(),
            input_schema: None,
            output_schema: None,
            is_vouched: false,
            icons: Vec::new(),
            needs: Vec::new(),
            deadline: Duration::from_secs(limits::CALL_SECS),
            patience: Duration::from_secs(limits::INPUT_SECS),
            is_audited: false,
            #[cfg(feature = "tasks")]
            task_support: TaskSupport::Forbidden,
        }))
    }

    /// What clients are told about it.
    pub fn spec(&self) -> &Spec {
        &self.spec
    }

    pub(crate) fn handler(&self) -> &Handler {
        &self.handler
    }

    fn whole(spec: Box<Spec>, handler: Handler) -> Self {
        let tally = Rc::new(Tally::of(&spec.name));
        Tool { spec: Arc::from(spec), handler, preview: None, tally }
    }

    /// How often it was called.
    pub(crate) fn tally(&self) -> &Rc<Tally> {
        &self.tally
    }

    /// Says what a call would run.
    pub(crate) fn previewed(self, preview: Preview) -> Self {
        Tool { preview: Some(preview), ..self }
    }

    /// What a call would run; its name and its arguments, where the tool has no better words.
    pub(crate) fn preview(&self, call: &Call) -> Result<Option<Vec<String>>, ToolError> {
        match &self.preview {
            Some(preview) => preview(call),
            None => Ok(Some(std::iter::once(self.spec.name.clone()).chain(call.arguments().told()).collect())),
        }
    }

    /// The tool with another handler, which may take `wait` longer; `note` says why.
    pub(crate) fn behind(self, note: &str, wait: Duration, handler: Handler) -> Self {
        let mut spec = (*self.spec).clone();
        spec.deadline += wait;
        spec.about = format!("{} {note}", spec.about.trim_end());
        Tool { spec: Arc::new(spec), handler, preview: self.preview, tally: self.tally }
    }

    /// Checks the arguments of a call, as they came.
    ///
    /// # Errors
    /// A sentence for the model that says which argument is wrong and what it must be.
    pub fn read(&self, arguments: Option<Raw<'_>>) -> Result<Arguments, ToolError> {
        match &self.spec.input_schema {
            None => Arguments::read(&self.spec, arguments),
            Some(schema) => schema.read(arguments),
        }
    }

    /// The arguments as the audit shows them, if it does.
    pub(crate) fn redacted(&self, arguments: &Arguments) -> Option<Box<RawValue>> {
        self.spec.is_audited.then(|| arguments.redacted(&self.spec.args))
    }

    /// Whether what the tool returned is what it says that it returns.
    pub(crate) fn check(&self, output: &Output) -> Result<(), ToolError> {
        match &self.spec.output_schema {
            // Whoever vouches is held to it in tests, which are built with assertions.
            Some(schema) if !self.spec.is_vouched || cfg!(debug_assertions) => schema.check_output(output),
            _ => Ok(()),
        }
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
pub struct Draft(Box<Spec>);

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

    /// The JSON Schema of the arguments (2020-12), in place of [`Draft::arg`]; clients see it to the letter. The handler
    /// reads the members of the object as arguments.
    ///
    /// A property that is marked with `"x-mcp-header": "Region"` is repeated by clients in the header `Mcp-Param-Region`
    /// (from 2026-07-28 on), as an argument with [`Arg::header`] is.
    pub fn input_schema(mut self, schema: &serde_json::Value) -> Self {
        self.0.input_schema = Some(Schema::new(schema));
        self
    }

    /// The JSON Schema of the structured output; its `type` must be `object` (MCP 2025-06-18). What the handler returns is
    /// checked against it, and a tool that breaks its word fails.
    pub fn output_schema(mut self, schema: &serde_json::Value) -> Self {
        self.0.output_schema = Some(Schema::new(schema));
        self
    }

    /// The same for a tool in the box, whose code makes no other output: it is checked where debug assertions are on.
    pub(crate) fn vouched_schema(mut self, schema: &serde_json::Value) -> Self {
        self.0.is_vouched = true;
        self.output_schema(schema)
    }

    /// A picture of it.
    pub fn icon(mut self, src: impl Into<String>, mime_type: Option<&str>) -> Self {
        self.0.icons.push(Icon { src: src.into(), mime_type: mime_type.map(str::to_owned) });
        self
    }

    /// Cannot do its work for a client that has no model to lend: such a call is refused before the handler runs.
    pub fn needs_sampling(mut self) -> Self {
        self.0.needs.push(Need::Sampling);
        self
    }

    /// Cannot do its work for a client that cannot ask its user: such a call is refused before the handler runs.
    pub fn needs_elicitation(mut self) -> Self {
        self.0.needs.push(Need::Elicitation);
        self
    }

    /// How long a call may take; after it the caller gets an error. [`limits::CALL_SECS`] where nothing is said.
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.0.deadline = deadline;
        self
    }

    /// How long a call may wait for a client that was asked something: a person who fills in a form takes longer than a
    /// tool. [`limits::INPUT_SECS`] where nothing is said.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.0.patience = patience;
        self
    }

    /// The audit shows the arguments of each call: the beginning of each, and nothing of an [`Arg::secret`].
    pub fn audited(mut self) -> Self {
        self.0.is_audited = true;
        self
    }

    /// What it does. The future runs on the one thread of the server and need not be `Send`; it must not block.
    pub fn handler<F, Fut, T>(self, handler: F) -> Tool
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Result<T, ToolError>> + 'static,
        T: Into<Output> + 'static,
    {
        let handler = Handler::local(handler, |output: T| Yield::Output(output.into()));
        Tool::whole(self.whole(), handler)
    }

    /// What it does, where that blocks: it runs on a thread beside the server's, and cannot be cancelled half-way.
    pub fn handler_blocking<F, T>(self, handler: F) -> Tool
    where
        F: Fn(Arguments) -> Result<T, ToolError> + Send + Sync + 'static,
        T: Into<Output> + 'static,
    {
        let handler = Handler::blocking(handler, |output: T| Yield::Output(output.into()));
        Tool::whole(self.whole(), handler)
    }

    fn whole(mut self) -> Box<Spec> {
        let names = self.0.args.iter().map(|arg| arg.name().to_owned()).collect();
        let params = match &self.0.input_schema {
            None => self.0.args.iter().filter_map(Arg::param).collect(),
            Some(schema) => schema.params(),
        };
        (self.0.names, self.0.params) = (names, params);
        self.0
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
