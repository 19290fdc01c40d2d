//! What each message asks for.

use crate::json::Raw;
use crate::mcp::answer::Cache;
use crate::mcp::handshake::Introduction;
use crate::mcp::message::result;
use crate::mcp::request::Request;
use crate::mcp::stateless::Envelope;
use crate::mcp::subscription::Subscription;
use crate::mcp::{Error, Id, Implementation, Message, Pending, Revision, error, handshake, logging};
#[cfg(feature = "tasks")]
use crate::mcp::{TaskAction, task_request, task_store::Tasks};
use crate::principal::Principal;
use crate::seal::KeyRing;
use crate::tool::{Catalog, Client, Level};
use crate::world::Now;
use serde_json::value::RawValue;
use serde_json::{Value, json};
#[cfg(feature = "tasks")]
use std::cell::RefCell;
use std::rc::Rc;

/// The protocol engine of one server.
#[derive(Debug)]
pub struct Engine {
    pub(super) implementation: Implementation,
    pub(super) instructions: Option<String>,
    pub(super) catalog: Catalog,
    pub(super) keys: Rc<KeyRing>,
    /// Whether lists change and resources are watched, so that clients may wait for word of it.
    pub(super) tells_changes: bool,
    #[cfg(feature = "tasks")]
    pub(super) tasks: Rc<RefCell<Tasks>>,
}

/// What the engine knows of the client that a message comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The revision that both speak.
    pub revision: Revision,
    /// Whether `initialize` was answered on this session.
    pub is_initialized: bool,
    /// What the client said of itself.
    pub client: Client,
    /// From which level on it wants lines for its log; `None` where it wants none.
    pub log_level: Option<Level>,
}

impl Peer {
    /// A client of the handshake dialect that has not introduced itself.
    pub fn stranger(revision: Revision) -> Self {
        Peer { revision, is_initialized: false, client: Client::default(), log_level: Some(Level::Info) }
    }

    /// A client of the stateless dialect.
    pub fn stateless(envelope: Envelope) -> Self {
        let Envelope { client, log_level } = envelope;
        Peer { revision: Revision::V2026_07_28, is_initialized: true, client, log_level }
    }
}

/// Who sends a message, and when.
#[derive(Clone, Copy)]
pub struct Caller<'a> {
    /// Who.
    pub principal: &'a Principal,
    /// When.
    pub now: Now,
    /// The headers of the request by their lower-case name, where the dialect looks at them.
    pub header: Option<&'a Headed<'a>>,
}

/// Looks a header up.
pub type Headed<'a> = dyn Fn(&str) -> Option<&'a str> + 'a;

/// What the edge must do with a message.
// Boxed, the work would take a block of the heap with each call.
#[allow(clippy::large_enum_variant)]
#[derive(Debug)]
pub enum Action {
    /// Send this answer with this HTTP status.
    Reply(u16, Vec<u8>),
    /// Send this answer to `initialize`: a session begins.
    Open(Vec<u8>),
    /// Answer nothing.
    Accept,
    /// Run a tool, read a resource or fill in a prompt, then have the engine write the answer.
    Run(Pending),
    /// Give up the running call of this id.
    Cancel(Id),
    /// Remember from which level on the client wants lines for its log, then send this answer.
    SetLevel(Level, Vec<u8>),
    /// Watch a resource for the client, or stop it, then send this answer.
    Watch {
        /// Which.
        uri: String,
        /// Whether to begin.
        begins: bool,
        /// The answer.
        answer: Vec<u8>,
    },
    /// Do something with a task.
    #[cfg(feature = "tasks")]
    Task(TaskAction),
    /// Open a stream of changes; its first message is `acknowledged`.
    Listen(Box<Subscription>),
    /// The client answers a question of ours: its result, or nothing where that is an error.
    Answered(Id, Option<Box<RawValue>>),
    /// The token lacks this scope (MCP 2025-11-25, basic/authorization, scope challenge handling).
    Forbid {
        /// The request.
        id: Id,
        /// The scope that its token lacks.
        scope: String,
    },
}

impl Engine {
    /// An engine that offers what is in `catalog`.
    pub fn new(implementation: Implementation, catalog: Catalog, keys: Rc<KeyRing>) -> Self {
        Engine {
            implementation,
            instructions: None,
            catalog,
            keys,
            tells_changes: false,
            #[cfg(feature = "tasks")]
            tasks: Rc::default(),
        }
    }

    /// Tells the model of each client how to use the server.
    pub fn instructions(mut self, instructions: Option<String>) -> Self {
        self.instructions = instructions;
        self
    }

    /// Lets clients wait for word of changes.
    pub fn tells_changes(mut self, tells_changes: bool) -> Self {
        self.tells_changes = tells_changes;
        self
    }

    /// What it offers.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// What clients are told that the server can do. Nothing is named that has no methods, and no `listChanged` where
    /// nothing changes: clients would hold a stream open for it.
    pub(super) fn capabilities(&self, revision: Revision) -> Value {
        let changes = if self.tells_changes { json!({"listChanged": true}) } else { json!({}) };
        // A server that sends log messages says so in every revision, though from 2026-07-28 on there is no method to it.
        let mut capabilities = json!({ "tools": changes, "logging": {} });
        if !self.catalog.resources().is_empty() {
            let subscribe = if self.tells_changes { json!({"listChanged": true, "subscribe": true}) } else { json!({}) };
            capabilities["resources"] = subscribe;
        }
        if !self.catalog.prompts().is_empty() {
            capabilities["prompts"] = changes;
        }
        if revision.names_completions() && self.completes() {
            capabilities["completions"] = json!({});
        }
        #[cfg(feature = "tasks")]
        self.name_tasks(revision, &mut capabilities);
        capabilities
    }

    pub(super) fn completes(&self) -> bool {
        self.catalog.prompts().iter().any(|prompt| !prompt.spec.completions.is_empty())
            || self.catalog.resources().iter().any(|resource| !resource.about.completions.is_empty())
    }

    /// Says what `message` asks for. Each request leads to exactly one answer, and nothing else leads to any.
    pub fn receive(&self, peer: &mut Peer, caller: Caller<'_>, message: Message<'_>) -> Action {
        match message {
            Message::Request { id, method, params } => {
                let request = Request { id: &id, method: &method, params: params.map(|params| params.raw), parts: params };
                self.request(peer, caller, &request).unwrap_or_else(|fault| Self::refuse(peer, &id, &fault))
            }
            Message::Notification { method, params } if method == "notifications/cancelled" => {
                handshake::cancelled(params.map(|params| params.raw))
            }
            Message::Response { id: Some(id), result } => Action::Answered(id, result.map(Raw::to_value)),
            Message::Notification { .. } | Message::Response { .. } => Action::Accept,
        }
    }

    /// The answer to a request that cannot be done. In the handshake dialect an error is an answer like others.
    fn refuse(peer: &Peer, id: &Id, fault: &Error) -> Action {
        let status = if peer.revision.is_stateless() { fault.status() } else { 200 };
        Action::Reply(status, error(Some(id), fault))
    }

    fn request(&self, peer: &mut Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        match request.method {
            "tools/call" => self.call(peer, caller, request),
            "tools/list" | "resources/list" | "resources/templates/list" | "prompts/list" => self.list(peer, caller, request),
            "resources/read" if !self.catalog.resources().is_empty() => self.read(peer, caller, request),
            "prompts/get" if !self.catalog.prompts().is_empty() => self.get(peer, caller, request),
            "completion/complete" if self.completes() => self.complete(peer, caller, request),
            #[cfg(feature = "tasks")]
            method if method.starts_with("tasks/") => self.task(peer, caller, request),
            method if peer.revision.is_stateless() => match method {
                "server/discover" => {
                    Ok(reply(self.result(peer, request.id, Cache::Public, |json| handshake::write_discovery(json, self))))
                }
                "subscriptions/listen" if self.tells_changes => {
                    #[cfg(feature = "tasks")]
                    task_request::check_listener(peer, request.params)?;
                    self.listen(caller, request)
                }
                _ => Err(Error::method_not_found()),
            },
            "ping" => Ok(reply(result(request.id, |json| json.extend_from_slice(b"{}")))),
            "initialize" => self.initialize(peer, request),
            "logging/setLevel" => {
                let level = logging::level(request.params)?;
                Ok(Action::SetLevel(level, result(request.id, |json| json.extend_from_slice(b"{}"))))
            }
            "resources/subscribe" | "resources/unsubscribe" if self.tells_changes => self.watch(peer, caller, request),
            _ => Err(Error::method_not_found()),
        }
    }

    fn initialize(&self, peer: &mut Peer, request: &Request<'_>) -> Result<Action, Error> {
        if peer.is_initialized {
            let fault = Error::invalid_request("Invalid request: this session is initialized already");
            return Ok(Action::Reply(400, error(Some(request.id), &fault)));
        }
        let Introduction { revision, client } = Introduction::read(request.params)?;
        *peer = Peer { revision, is_initialized: true, client, ..peer.clone() };
        Ok(Action::Open(self.result(peer, request.id, Cache::No, |json| handshake::write_welcome(json, self, revision))))
    }
}

pub(super) fn reply(json: Vec<u8>) -> Action {
    Action::Reply(200, json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::limits;
    use crate::mcp::read_one;
    use crate::mcp::{Finished, Work};
    use crate::principal::Scopes;
    use crate::tool::{Arg, Output, Tool};
    use crate::tool::{ToolError, Yield};
    use crate::world::{Kernel, World};
    use serde_json::{Value, json};

    fn engine() -> Engine {
        let mut catalog = Catalog::default();
        let add = Tool::new("add", "Adds two numbers")
            .title("Add")
            .scope("math")
            .arg(Arg::number("a", "one"))
            .arg(Arg::number("b", "other"))
            .output_schema(&json!({"type": "object"}))
            .handler(|_| async { Ok("5") });
        catalog.add(add).unwrap();
        catalog.add(Tool::new("wipe", "Wipes the disk").destroys().scope("disk").handler(|_| async { Ok("") })).unwrap();
        let keys = KeyRing::generate(&World { now: NOW, random: &Kernel::new(), audit: &Nothing });
        Engine::new(Implementation::new("test", "1.2.3"), catalog, Rc::new(keys))
    }

    const NOW: Now = Now { unix: limits::BUILD_UNIX_SECS, uptime_ms: 0 };

    fn caller(principal: &Principal) -> Caller<'_> {
        Caller { principal, now: NOW, header: None }
    }

    fn principal(scopes: &str) -> Principal {
        Principal::anonymous(Scopes::parse(scopes, |_| true))
    }

    fn receive(revision: Revision, scopes: &str, message: &str) -> Action {
        let mut peer = Peer { is_initialized: true, ..Peer::stranger(revision) };
        engine().receive(&mut peer, caller(&principal(scopes)), read_one(message.as_bytes()).unwrap())
    }

    fn answer(action: Action) -> Value {
        match action {
            Action::Reply(_, json) | Action::Open(json) => serde_json::from_slice(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn asked(revision: Revision, scopes: &str, method: &str, params: &Value) -> Action {
        receive(revision, scopes, &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string())
    }

    #[test]
    fn unknown_methods_are_refused_whatever_they_are_called() {
        for method in [
            "",
            "nonsense",
            "resources/list",
            "prompts/list",
            "prompts/get",
            "resources/read",
            "completion/complete",
            "tools/list/",
        ] {
            for revision in Revision::ALL {
                let answer = answer(asked(revision, "math", method, &json!({})));
                assert_eq!(answer["error"]["code"], -32601, "{method}");
                assert_eq!(answer["id"], 7);
            }
        }
    }

    #[test]
    fn bad_parameters_are_refused() {
        let ask = |method, params| answer(asked(Revision::NEWEST, "math disk", method, &params))["error"]["code"].clone();
        assert_eq!(ask("tools/call", json!({})), -32602);
        assert_eq!(ask("tools/call", json!({"name": 5})), -32602);
        assert_eq!(ask("tools/call", json!({"name": "nosuch"})), -32602);
        assert_eq!(ask("tools/call", json!({"name": "x".repeat(100_000)})), -32602);
        assert_eq!(ask("tools/list", json!({"cursor": "x"})), -32602);
        assert_eq!(ask("tools/list", json!({"cursor": 1})), -32602);
        assert_eq!(
            answer(receive(Revision::NEWEST, "", r#"{"jsonrpc":"2.0","id":1,"method":"tools/call"}"#))["error"]["code"],
            -32602
        );
    }

    #[test]
    fn bad_arguments_are_a_result_that_the_model_can_read() {
        let answer =
            answer(asked(Revision::NEWEST, "math", "tools/call", &json!({"name": "add", "arguments": {"a": "x", "b": 1}})));
        assert_eq!(answer["result"]["isError"], true);
        assert_eq!(answer["result"]["content"][0]["text"], "Argument `a` is \"x\", but it must be a number.");
    }

    #[test]
    fn a_token_lists_and_calls_only_what_its_scopes_name() {
        let names = |scopes| {
            let answer = answer(asked(Revision::NEWEST, scopes, "tools/list", &json!({})));
            answer["result"]["tools"]
                .as_array()
                .unwrap()
                .iter()
                .map(|tool| tool["name"].as_str().unwrap().to_owned())
                .collect::<Vec<_>>()
        };
        assert_eq!(names("math disk"), ["add", "wipe"]);
        assert_eq!(names("disk"), ["wipe"]);
        assert_eq!(names("other"), [""; 0]);
        let action = asked(Revision::NEWEST, "math", "tools/call", &json!({"name": "wipe"}));
        assert!(matches!(action, Action::Forbid { scope, .. } if scope == "disk"));
    }

    #[test]
    fn a_list_shows_what_the_revision_knows() {
        let add =
            |revision| answer(asked(revision, "math disk", "tools/list", &json!({"_meta": {}})))["result"]["tools"][0].clone();
        let oldest = add(Revision::V2024_11_05);
        assert_eq!(oldest["inputSchema"]["required"], json!(["a", "b"]));
        assert_eq!(oldest["inputSchema"]["properties"]["a"], json!({"type": "number", "description": "one"}));
        assert!(oldest.get("annotations").is_none() && oldest.get("title").is_none() && oldest.get("outputSchema").is_none());
        assert_eq!(add(Revision::V2025_03_26)["annotations"]["readOnlyHint"], true);
        assert!(add(Revision::V2025_03_26).get("title").is_none());
        assert_eq!(add(Revision::V2025_06_18)["title"], "Add");
        assert_eq!(add(Revision::V2025_06_18)["outputSchema"], json!({"type": "object"}));
    }

    #[test]
    fn annotations_say_what_a_tool_does() {
        let list = answer(asked(Revision::NEWEST, "math disk", "tools/list", &json!({})));
        let wipe = &list["result"]["tools"][1];
        assert_eq!(
            wipe["annotations"],
            json!({"readOnlyHint": false, "destructiveHint": true, "idempotentHint": false, "openWorldHint": false})
        );
        assert_eq!(wipe["inputSchema"], json!({"type": "object", "additionalProperties": false}));
    }

    #[test]
    fn initialize_welcomes_once() {
        let engine = engine();
        let mut peer = Peer::stranger(Revision::UNNAMED);
        let hello = r#"{"jsonrpc":"2.0","id":"i","method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"c","version":"1"}}}"#;
        let mut say = || engine.receive(&mut peer, caller(&principal("")), read_one(hello.as_bytes()).unwrap());
        let first = say();
        assert!(matches!(first, Action::Open(_)));
        let first = answer(first);
        assert_eq!(first["id"], "i");
        assert_eq!(first["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(first["result"]["capabilities"], json!({"tools": {}, "logging": {}}));
        assert_eq!(first["result"]["serverInfo"], json!({"name": "test", "version": "1.2.3"}));
        assert_eq!(answer(say())["error"]["code"], -32600);
        assert!(peer.is_initialized && peer.revision == Revision::V2025_06_18 && peer.client.name == "c");
    }

    #[test]
    fn initialize_without_a_revision_is_refused() {
        for params in [json!({}), json!({"protocolVersion": 5}), json!({"protocolVersion": null})] {
            let mut peer = Peer::stranger(Revision::UNNAMED);
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
            let action = engine().receive(&mut peer, caller(&principal("")), read_one(message.as_bytes()).unwrap());
            assert_eq!(answer(action)["error"]["code"], -32602, "{params}");
            assert!(!peer.is_initialized);
        }
    }

    #[test]
    fn ping_gets_an_empty_object_and_nothing_else() {
        let Action::Reply(200, json) = asked(Revision::NEWEST, "", "ping", &json!({})) else { panic!() };
        assert_eq!(json, br#"{"jsonrpc":"2.0","id":7,"result":{}}"#);
    }

    #[test]
    fn notifications_and_responses_get_no_answer() {
        for message in [
            r#"{"jsonrpc":"2.0","method":"notifications/initialized"}"#,
            r#"{"jsonrpc":"2.0","method":"nonsense","params":{"requestId":1}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":{}}}"#,
            r#"{"jsonrpc":"2.0","method":"notifications/cancelled"}"#,
            r#"{"jsonrpc":"2.0","method":"tools/call","params":{"name":"add"}}"#,
            r#"{"jsonrpc":"2.0","error":{"code":1,"message":""}}"#,
        ] {
            assert!(matches!(receive(Revision::NEWEST, "math", message), Action::Accept), "{message}");
        }
    }

    #[test]
    fn a_cancellation_names_the_call_by_its_typed_id() {
        for id in ["7", "\"7\""] {
            let message =
                format!(r#"{{"jsonrpc":"2.0","method":"notifications/cancelled","params":{{"requestId":{id},"reason":"r"}}}}"#);
            assert!(matches!(receive(Revision::NEWEST, "", &message), Action::Cancel(named) if named.as_json() == id));
        }
    }

    #[test]
    fn a_call_brings_its_arguments_and_its_progress_token() {
        let params = json!({"name": "add", "arguments": {"a": 2, "b": 3}, "_meta": {"progressToken": "p"}});
        let Action::Run(pending) = asked(Revision::NEWEST, "math", "tools/call", &params) else { panic!() };
        assert_eq!(pending.id.as_json(), "7");
        assert_eq!(pending.arguments.arg::<f64>("a").unwrap().to_bits(), 2f64.to_bits());
        assert_eq!(pending.progress.unwrap().as_json(), "\"p\"");
    }

    #[test]
    fn a_result_carries_structured_content_where_the_revision_has_it() {
        let output = Ok(Yield::Output(Output::text_and_structured("five", &json!({"result": 5})).unwrap()));
        let id = Id::parse("1").unwrap();
        let engine = engine();
        let work = Work::Tool(engine.catalog().find("add").unwrap().clone());
        let finish =
            |revision, outcome| engine.finish(&Finished { id: &id, work: &work, peer: &Peer::stranger(revision) }, outcome);
        let written = |revision| -> Value { serde_json::from_slice(&finish(revision, &output)).unwrap() };
        assert_eq!(written(Revision::V2025_06_18)["result"]["structuredContent"], json!({"result": 5}));
        assert!(written(Revision::V2025_03_26)["result"].get("structuredContent").is_none());
        assert_eq!(written(Revision::V2026_07_28)["result"]["resultType"], "complete");
        let failed = Err(ToolError::new("the \"lamp\" is gone"));
        assert_eq!(
            finish(Revision::NEWEST, &failed),
            br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the \"lamp\" is gone"}],"isError":true}}"#
        );
    }
}
