//! What a tool asks its caller for while it runs: an answer of the user, of the model, or the folders it works in.
//!
//! The same call serves both dialects. With the handshake dialect the question is a request to the client, and the handler
//! waits for the answer. With the stateless one the call is answered with the question; the client calls again with the
//! answer, and the handler runs again from its beginning, where the question is answered at once. So ask before you act,
//! and give each question a key of its own. Several that do not wait for each other go out together: [`TryJoin`].
//!
//! [`TryJoin`]: crate::tool::TryJoin

use crate::json::Members;
use crate::tool::{Arg, Call, ToolError};
use serde::Deserialize;
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value, json};
use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Poll, Waker};

/// What a client must be able to do for a question.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Need {
    Elicitation,
    ElicitationUrl,
    Sampling,
    Roots,
    /// To be there: every client of the handshake dialect.
    Presence,
}

/// A question, as it goes over the wire.
#[derive(Clone, Debug)]
pub(crate) struct Ask {
    pub(crate) need: Need,
    pub(crate) method: &'static str,
    pub(crate) params: Value,
}

/// Why a question was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AskError {
    /// The client cannot do this.
    Unsupported,
    /// The client answered with an error, or with something that is no answer.
    Failed,
    /// The session has ended, or too many questions are open.
    Gone,
}

impl From<AskError> for ToolError {
    fn from(error: AskError) -> Self {
        ToolError::new(match error {
            AskError::Unsupported => "The client cannot do what this tool asks of it.",
            AskError::Failed => "The client did not answer what this tool asked it for.",
            AskError::Gone => "The client went away before it answered what this tool asked it for.",
        })
    }
}

/// Where an answer arrives.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    answer: RefCell<Option<Result<Box<RawValue>, AskError>>>,
    waker: RefCell<Option<Waker>>,
}

impl Slot {
    /// A slot with its answer in it already.
    pub(crate) fn filled(answer: &Value) -> Rc<Self> {
        let slot = Slot::default();
        slot.take(answer);
        Rc::new(slot)
    }

    /// Puts an answer in that was read already.
    pub(crate) fn take(&self, answer: &Value) {
        self.fill(to_raw_value(answer).map_err(|_| AskError::Failed));
    }

    /// Puts the answer in.
    pub(crate) fn fill(&self, answer: Result<Box<RawValue>, AskError>) {
        self.answer.replace(Some(answer));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    async fn answer(&self) -> Result<Box<RawValue>, AskError> {
        poll_fn(|context| {
            if let Some(answer) = self.answer.take() {
                return Poll::Ready(answer);
            }
            self.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
        .await
    }
}

/// The fields that a user fills in (MCP 2025-11-25, client/elicitation: flat, and of simple kinds).
#[derive(Clone, Debug)]
pub struct Form(Fields);

#[derive(Clone, Debug)]
enum Fields {
    Args(Vec<Arg>),
    Schema(Value),
}

impl Form {
    /// A form with these fields.
    pub fn new(fields: impl IntoIterator<Item = Arg>) -> Self {
        Form(Fields::Args(fields.into_iter().collect()))
    }

    /// A form with a schema as you wrote it.
    pub fn schema(schema: Value) -> Self {
        Form(Fields::Schema(schema))
    }

    fn to_schema(&self) -> Value {
        match &self.0 {
            Fields::Schema(schema) => schema.clone(),
            Fields::Args(args) => {
                let mut properties = Map::new();
                for arg in args {
                    properties.insert(arg.name().to_owned(), serde_json::to_value(arg.without_header()).unwrap_or_default());
                }
                let required: Vec<&str> = args.iter().filter(|arg| arg.is_required()).map(Arg::name).collect();
                json!({"type": "object", "properties": properties, "required": required})
            }
        }
    }

    /// The fields as they were filled in, checked.
    fn check(&self, mut content: Map<String, Value>) -> Result<Map<String, Value>, AskError> {
        let Fields::Args(args) = &self.0 else { return Ok(content) };
        for arg in args {
            let value = arg.check(content.remove(arg.name())).map_err(|_| AskError::Failed)?;
            content.extend(value.map(|value| (arg.name().to_owned(), value)));
        }
        Ok(content)
    }
}

/// What a user did with a question.
#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    /// Answered it; the fields of a form by name, nothing for a page.
    Accepted(Map<String, Value>),
    /// Said no.
    Declined,
    /// Closed it.
    Cancelled,
}

/// What a model is asked (MCP 2025-11-25, client/sampling).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sample {
    /// What the user says to it.
    pub prompt: String,
    /// How long its answer may be, in tokens.
    pub max_tokens: u32,
    /// What it is told to be, if anything.
    pub system_prompt: Option<String>,
}

/// What a model answered.
#[derive(Clone, Debug, PartialEq)]
pub struct Sampled {
    /// The text of its answer; empty where it answered with something else.
    pub text: String,
    /// Which model it was, as the client calls it.
    pub model: String,
    /// The whole answer, as it came.
    pub content: Value,
}

/// A folder in which the client works (MCP 2025-11-25, client/roots).
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
pub struct Root {
    /// Its `file:` URI.
    pub uri: String,
    /// What it is called.
    #[serde(default)]
    pub name: Option<String>,
}

impl Call {
    /// Has the client's user fill in a form. `key` names the question among those of this call.
    ///
    /// # Errors
    /// Where the client cannot ask its user, or does not answer.
    pub async fn elicit(&self, key: &str, message: &str, form: Form) -> Result<Answer, ToolError> {
        let params = json!({"mode": "form", "message": message, "requestedSchema": form.to_schema()});
        let ask = Ask { need: Need::Elicitation, method: "elicitation/create", params };
        let answer: Value = self.answer(key, ask).await?;
        elicited(answer, |content| form.check(content))
    }

    /// Sends the client's user to a page, where he does what must not pass through the client, such as signing in
    /// (from 2025-11-25 on). `id` names the visit.
    ///
    /// # Errors
    /// Where the client cannot show a page, or does not answer.
    pub async fn elicit_url(&self, key: &str, message: &str, url: &str, id: &str) -> Result<Answer, ToolError> {
        let params = json!({"mode": "url", "message": message, "url": url, "elicitationId": id});
        let ask = Ask { need: Need::ElicitationUrl, method: "elicitation/create", params };
        let answer: Value = self.answer(key, ask).await?;
        elicited(answer, Ok)
    }

    /// Has the client's model answer.
    ///
    /// # Errors
    /// Where the client lends no model, or does not answer.
    pub async fn sample(&self, key: &str, sample: Sample) -> Result<Sampled, ToolError> {
        let message = json!({"role": "user", "content": {"type": "text", "text": sample.prompt}});
        let mut params = json!({"messages": [message], "maxTokens": sample.max_tokens});
        if let Some(system_prompt) = sample.system_prompt {
            params["systemPrompt"] = system_prompt.into();
        }
        let answer: Value = self.answer(key, Ask { need: Need::Sampling, method: "sampling/createMessage", params }).await?;
        let text = |pointer: &str| answer.pointer(pointer).and_then(Value::as_str).unwrap_or_default().to_owned();
        Ok(Sampled { text: text("/content/text"), model: text("/model"), content: answer["content"].clone() })
    }

    /// The folders in which the client works.
    ///
    /// # Errors
    /// Where the client has none to tell, or does not answer.
    pub async fn roots(&self, key: &str) -> Result<Vec<Root>, ToolError> {
        #[derive(Deserialize)]
        struct Roots {
            roots: Vec<Root>,
        }
        let ask = Ask { need: Need::Roots, method: "roots/list", params: json!({}) };
        let answer: Roots = self.answer(key, ask).await?;
        Ok(answer.roots)
    }

    /// Whether the client still answers (MCP 2025-11-25, basic/utilities/ping).
    ///
    /// # Errors
    /// Where it does not, and in the stateless dialect, in which nobody can be asked whether he is there.
    pub async fn ping(&self) -> Result<(), ToolError> {
        let ask = Ask { need: Need::Presence, method: "ping", params: json!({}) };
        self.answer::<Value>("ping", ask).await.map(drop)
    }

    async fn answer<T: for<'de> Deserialize<'de>>(&self, key: &str, ask: Ask) -> Result<T, ToolError> {
        let slot = self.ask(key, &ask)?;
        drop(ask);
        let answer = slot.answer().await?;
        Ok(serde_json::from_str(answer.get()).map_err(|_| AskError::Failed)?)
    }
}

/// What the user said, and what he filled in, once it is checked.
fn elicited(
    answer: Value,
    check: impl FnOnce(Map<String, Value>) -> Result<Map<String, Value>, AskError>,
) -> Result<Answer, ToolError> {
    let mut members = Members::of(answer);
    let action = members.text("action");
    let Value::Object(content) = members.take("content").unwrap_or_else(|| Map::new().into()) else {
        return Err(AskError::Failed.into());
    };
    match action.as_str() {
        "accept" => Ok(Answer::Accepted(check(content)?)),
        "decline" => Ok(Answer::Declined),
        "cancel" => Ok(Answer::Cancelled),
        _ => Err(AskError::Failed.into()),
    }
}
