//! One call of a tool, a resource or a prompt: what the handler is given.

use crate::json::{Raw, members};
use crate::limits;
use crate::principal::Principal;
use crate::tool::ask::{Ask, AskError, Slot};
use crate::tool::{Arg, Client, Level, Spec, ToolError};
use serde::de::{DeserializeOwned, Deserializer, IgnoredAny, MapAccess, Unexpected, Visitor};
use serde_json::value::{RawValue, to_raw_value};
use serde_json::{Map, Value};
use std::cell::{Cell, RefCell};
use std::fmt;
use std::future::Future;
use std::ops::Deref;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Poll, Waker};

/// The arguments of a call, checked against what is declared.
#[derive(Clone, Debug)]
pub struct Arguments {
    names: Arc<[String]>,
    /// One for each name; null where it was left out.
    values: Vec<Value>,
}

impl Arguments {
    /// Those of a tool that declares each argument.
    pub(crate) fn read(spec: &Spec, raw: Option<Raw<'_>>) -> Result<Self, ToolError> {
        let mut values = match raw {
            Some(raw) => read_object(&spec.args, raw)?,
            None => vec![Value::Null; spec.args.len()],
        };
        for (arg, value) in spec.args.iter().zip(&mut values) {
            *value = arg.check(Some(value.take()))?.unwrap_or(Value::Null);
        }
        Ok(Arguments { names: Arc::clone(&spec.names), values })
    }

    /// Those with these names and values, in the same order.
    pub(crate) fn new(names: Arc<[String]>, values: Vec<Value>) -> Self {
        Arguments { names, values }
    }

    /// As the audit shows them: those that were given, and no more of them than fits into its line.
    pub(crate) fn redacted(&self, args: &[Arg]) -> Box<RawValue> {
        let mut shown = Map::new();
        let mut bytes = 0;
        for (arg, value) in args.iter().zip(&self.values).filter(|(_, value)| !value.is_null()) {
            let value = arg.redacted(value);
            bytes += arg.name.len() + value.to_string().len();
            if bytes > limits::AUDIT_ARGUMENTS_BYTES {
                shown.insert("…".to_owned(), Value::Bool(true));
                break;
            }
            shown.insert(arg.name.clone(), value);
        }
        to_raw_value(&shown).unwrap_or_default()
    }

    /// Each argument that was given, as `name=value`.
    pub(crate) fn told(&self) -> impl Iterator<Item = String> + '_ {
        let given = self.names.iter().zip(&self.values).filter(|(_, value)| !value.is_null());
        given.map(|(name, value)| format!("{name}={}", value.as_str().map_or_else(|| value.to_string(), str::to_owned)))
    }

    /// The argument `name` as a `T`: a number, a `bool`, a `String`, a `Vec<String>`, an `Option` of these, or anything
    /// else that serde can read.
    ///
    /// # Errors
    /// A sentence for the model when the value does not fit into `T`, such as 300 into a `u8`. For a name that is not
    /// declared too: that is a mistake in the tool.
    pub fn arg<T: DeserializeOwned>(&self, name: &str) -> Result<T, ToolError> {
        let Some(index) = self.names.iter().position(|known| known == name) else {
            return T::deserialize(&Value::Null).map_err(|_| ToolError::new(format!("There is no argument `{name}`.")));
        };
        let value = self.values.get(index).unwrap_or(&Value::Null);
        T::deserialize(value).map_err(|error| ToolError::new(format!("Argument `{name}` cannot be used: {error}.")))
    }

    /// The argument `name` as it is; null where there is none.
    pub(crate) fn value(&self, name: &str) -> &Value {
        let index = self.names.iter().position(|known| known == name);
        index.and_then(|index| self.values.get(index)).unwrap_or(&Value::Null)
    }
}

/// Reads the object of arguments, null for each that was left out; what the tool does not know is passed over, as clients
/// add members of their own.
fn read_object(args: &[Arg], raw: Raw<'_>) -> Result<Vec<Value>, ToolError> {
    let mut values = vec![Value::Null; args.len()];
    let read = members(raw.get(), |name, value| {
        let (name, value) = (name?, value.pass()?);
        if let Some(index) = args.iter().position(|arg| arg.name.as_bytes() == name) {
            values[index] = read_value(value)?;
        }
        Some(value)
    });
    if read.is_some() || raw.is_null() {
        return Ok(values);
    }
    // serde says what is wrong with them, and where.
    let wrong = serde_json::Deserializer::from_str(raw.get()).deserialize_any(Named(args));
    wrong.map(|()| values).map_err(|error| ToolError::new(format!("The arguments cannot be read: {error}.")))
}

fn read_value(raw: Raw<'_>) -> Option<Value> {
    // The most common kind of number: digits. serde reads them as what they are, too.
    let number = raw.get().parse::<u64>().map(Value::from);
    number.or_else(|_| serde_json::from_str(raw.get())).ok()
}

/// The arguments of these names; nothing is made of them.
struct Named<'a>(&'a [Arg]);

impl<'de> Visitor<'de> for Named<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object with the arguments by name")
    }

    // Without the text itself, which may be as long as a body.
    fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<(), E> {
        Err(E::invalid_type(Unexpected::Other("a string"), &self))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            if self.0.iter().any(|arg| arg.name == name) {
                map.next_value::<Value>()?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        Ok(())
    }
}

/// How far a call has got (MCP 2025-11-25, basic/utilities/progress).
#[derive(Clone, Copy, Debug)]
pub struct Progress<'a> {
    /// How much is done; it must grow with each report.
    pub progress: f64,
    /// How much there is to do, if that is known.
    pub total: Option<f64>,
    /// What is being done, in words.
    pub message: Option<&'a str>,
}

/// The way from a running call to the one who called, as the server lays it.
pub(crate) trait Line {
    /// Carries progress, if the caller wants any.
    fn progress(&self, progress: Progress<'_>);
    /// Carries a message for the log, if the caller wants any of this level.
    fn log(&self, level: Level, logger: Option<&str>, data: &Value);
    /// Carries a question.
    fn ask(&self, key: &str, ask: &Ask) -> Result<Rc<Slot>, AskError>;
    /// Lets the caller wait without a connection, if he can come back for the answer.
    fn release(&self) {}
}

/// The state that a call shares with the server that runs it, and the way back in the same block.
pub(crate) struct Wire<L: ?Sized = dyn Line> {
    is_cancelled: Cell<bool>,
    waker: RefCell<Option<Waker>>,
    line: L,
}

impl<L> Wire<L> {
    pub(crate) fn new(line: L) -> Rc<Self> {
        Rc::new(Wire { is_cancelled: Cell::new(false), waker: RefCell::new(None), line })
    }
}

impl<L: ?Sized> Deref for Wire<L> {
    type Target = L;

    fn deref(&self) -> &L {
        &self.line
    }
}

/// Where nobody is at the other end, as in tests.
#[cfg(test)]
pub(crate) struct Nobody;

#[cfg(test)]
impl Line for Nobody {
    fn progress(&self, _: Progress<'_>) {}

    fn log(&self, _: Level, _: Option<&str>, _: &Value) {}

    fn ask(&self, _: &str, _: &Ask) -> Result<Rc<Slot>, AskError> {
        Err(AskError::Unsupported)
    }
}

impl<L: ?Sized> Wire<L> {
    /// Whether nobody waits for the call any more.
    pub(crate) fn is_cancelled(&self) -> bool {
        self.is_cancelled.get()
    }

    /// Whether the handler waits for its cancellation, and so wants to go on after it.
    pub(crate) fn is_watched(&self) -> bool {
        self.waker.borrow().is_some()
    }

    /// Tells the call that nobody waits for it any more.
    pub(crate) fn cancel(&self) {
        self.is_cancelled.set(true);
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

impl<L: ?Sized> fmt::Debug for Wire<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wire").field("is_cancelled", &self.is_cancelled).finish_non_exhaustive()
    }
}

/// One call, as its handler sees it.
#[derive(Clone, Debug)]
pub struct Call {
    arguments: Arguments,
    principal: Principal,
    client: Client,
    wire: Rc<Wire>,
}

impl Call {
    pub(crate) fn new(arguments: Arguments, principal: Principal, client: Client, wire: Rc<Wire>) -> Self {
        Call { arguments, principal, client, wire }
    }

    /// The argument `name` as a `T`; see [`Arguments::arg`].
    ///
    /// # Errors
    /// A sentence for the model when the value does not fit into `T`.
    pub fn arg<T: DeserializeOwned>(&self, name: &str) -> Result<T, ToolError> {
        self.arguments.arg(name)
    }

    /// The argument `name` as it is.
    pub(crate) fn value(&self, name: &str) -> &Value {
        self.arguments.value(name)
    }

    /// Who calls.
    pub fn principal(&self) -> &Principal {
        &self.principal
    }

    /// Through which program, and what that can do.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// All arguments.
    pub fn arguments(&self) -> &Arguments {
        &self.arguments
    }

    /// Tells the caller how far the call has got, if he asked to be told; costs nothing if he did not.
    pub fn progress<N: Into<f64>>(&self, progress: N, total: Option<N>, message: Option<&str>) {
        self.wire.progress(Progress { progress: progress.into(), total: total.map(Into::into), message });
    }

    /// Sends the caller a line for his log, if he wants any of this level (MCP 2025-11-25, server/utilities/logging).
    pub fn log(&self, level: Level, data: impl Into<Value>) {
        self.log_as(None, level, data);
    }

    /// The same, in the name of a part of the program.
    pub fn log_as(&self, logger: Option<&str>, level: Level, data: impl Into<Value>) {
        self.wire.log(level, logger, &data.into());
    }

    /// Whether the caller has given the call up.
    pub fn is_cancelled(&self) -> bool {
        self.wire.is_cancelled()
    }

    /// Waits until the caller gives the call up.
    ///
    /// A handler that waits here may put things back and then return; it has until its deadline. One that does not is
    /// dropped where it stands.
    pub fn cancelled(&self) -> impl Future<Output = ()> + use<> {
        let wire = Rc::clone(&self.wire);
        std::future::poll_fn(move |context| {
            if wire.is_cancelled() {
                return Poll::Ready(());
            }
            wire.waker.replace(Some(context.waker().clone()));
            Poll::Pending
        })
    }

    /// Ends the connection over which the call came; its answer waits until the client comes back for it. For work that
    /// takes so long that holding a connection is a waste (MCP 2025-11-25, SSE polling); nothing happens with clients that
    /// cannot come back.
    pub fn release(&self) {
        self.wire.release();
    }

    /// Puts a question to whoever calls.
    pub(super) fn ask(&self, key: &str, ask: &Ask) -> Result<Rc<Slot>, AskError> {
        self.wire.ask(key, ask)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::{Arg, Tool};
    use serde_json::json;

    fn read(json: &str) -> Result<Arguments, ToolError> {
        let tool = Tool::new("t", "")
            .arg(Arg::integer("times", "").between(1, 400))
            .arg(Arg::string("text", "").optional())
            .handler(|_| async { Ok("") });
        tool.read(Raw::read(json))
    }

    #[test]
    fn arguments_that_are_no_object_are_refused() {
        for json in ["[]", "1", "\"x\"", "true"] {
            let refusal = read(json).unwrap_err().to_string();
            assert!(refusal.starts_with("The arguments cannot be read: invalid type"), "{refusal}");
        }
        assert_eq!(read("null").unwrap_err().to_string(), "Argument `times` is missing: an integer between 1 and 400.");
    }

    #[test]
    fn a_long_text_in_place_of_the_arguments_is_not_repeated() {
        let refusal = read(&format!("\"{}\"", "x".repeat(10_000))).unwrap_err().to_string();
        assert_eq!(
            refusal,
            "The arguments cannot be read: invalid type: a string, expected an object with the arguments by name at line 1 column 10002."
        );
    }

    #[test]
    fn a_number_out_of_all_range_is_refused() {
        assert!(read(r#"{"times":1e999}"#).is_err());
    }

    #[test]
    fn a_value_that_does_not_fit_the_handlers_type_is_an_error_for_the_model() {
        let arguments = read(r#"{"times":300}"#).unwrap();
        assert!(arguments.arg::<u8>("times").is_err());
        assert_eq!(arguments.arg::<u16>("times").unwrap(), 300);
        assert!(arguments.arg::<u16>("other").is_err());
        assert_eq!(arguments.arg::<Option<u16>>("other").unwrap(), None);
    }

    #[test]
    fn unknown_members_are_passed_over_and_escaped_names_are_known() {
        let arguments = read(r#"{"x":{"deep":[1]},"ti\u006des":2,"text":null}"#).unwrap();
        assert_eq!(arguments.arg::<u8>("times").unwrap(), 2);
        assert_eq!(arguments.arg::<Option<String>>("text").unwrap(), None);
    }

    #[test]
    fn the_audit_sees_no_more_than_fits_into_its_line() {
        let args: Vec<_> = (0..100).map(|n| Arg::string(format!("argument_{n}"), "")).collect();
        let names = args.iter().map(|arg| arg.name().to_owned()).collect();
        let many = Arguments::new(names, vec![json!("x".repeat(1000)); 100]).redacted(&args);
        assert!(many.get().len() < limits::AUDIT_ARGUMENTS_BYTES + 1000 && many.get().ends_with("\"…\":true}"), "{many}");
        let one = Arguments::new(vec!["a".to_owned(), "b".to_owned()].into(), vec![json!(1), Value::Null]);
        assert_eq!(one.redacted(&[Arg::integer("a", ""), Arg::integer("b", "")]).get(), r#"{"a":1}"#);
    }

    #[test]
    fn of_two_members_with_one_name_the_last_counts() {
        assert_eq!(read(r#"{"times":2,"times":3}"#).unwrap().arg::<Value>("times").unwrap(), json!(3));
    }

    #[test]
    fn a_call_without_a_listener_reports_nothing_and_hears_of_its_cancellation() {
        let wire = Wire::new(Nobody);
        let call = Call::new(
            read(r#"{"times":2}"#).unwrap(),
            Principal::anonymous(crate::principal::Scopes::none()),
            Client::default(),
            wire.clone(),
        );
        call.progress(1, Some(2), None);
        let mut cancelled = std::pin::pin!(call.cancelled());
        let mut context = std::task::Context::from_waker(Waker::noop());
        assert!(cancelled.as_mut().poll(&mut context).is_pending());
        wire.cancel();
        assert!(cancelled.as_mut().poll(&mut context).is_ready());
        assert!(call.is_cancelled());
    }
}
