//! What each message asks for.

use crate::mcp::message::{result, value};
use crate::mcp::{Error, Id, Implementation, Message, Revision, Token, error, handshake, tools};
use crate::principal::Principal;
use crate::tool::{Arguments, Catalog, Output, Tool, ToolError};
use serde_json::value::RawValue;

/// The protocol engine of one server.
#[derive(Debug)]
pub struct Engine {
    pub(super) implementation: Implementation,
    pub(super) instructions: Option<String>,
    pub(super) catalog: Catalog,
}

/// What the engine knows of the client that a message comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// The revision that both speak.
    pub revision: Revision,
    /// Whether `initialize` was answered on this session.
    pub is_initialized: bool,
}

impl Peer {
    /// A client that has not introduced itself.
    pub fn stranger(revision: Revision) -> Self {
        Peer { revision, is_initialized: false }
    }
}

/// What the edge must do with a message.
#[derive(Debug)]
pub enum Action {
    /// Send this answer.
    Reply(Vec<u8>),
    /// Send this answer to `initialize`: a session begins.
    Open(Vec<u8>),
    /// Send this answer, which says that the message is not allowed here (HTTP 400).
    Refuse(Vec<u8>),
    /// Answer nothing.
    Accept,
    /// Run a tool, then [`Engine::finish`].
    Run(Box<Pending>),
    /// Give up the running call of this id.
    Cancel(Id),
    /// The token lacks this scope (MCP 2025-11-25, basic/authorization, scope challenge handling).
    Forbid {
        /// The request.
        id: Id,
        /// The scope that its token lacks.
        scope: String,
    },
}

/// A call whose tool is yet to run.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub id: Id,
    /// What to run.
    pub tool: Tool,
    /// With what; checked already.
    pub arguments: Arguments,
    /// Where progress goes, if the client wants any.
    pub progress: Option<Token>,
}

impl Engine {
    /// An engine that offers the tools of `catalog`.
    pub fn new(implementation: Implementation, catalog: Catalog) -> Self {
        Engine { implementation, instructions: None, catalog }
    }

    /// Tells the model of each client how to use the server.
    pub fn instructions(mut self, instructions: impl Into<String>) -> Self {
        self.instructions = Some(instructions.into());
        self
    }

    /// What it offers.
    pub fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Says what `message` asks for. Each request leads to exactly one answer, and nothing else leads to any.
    pub fn receive(&self, peer: &mut Peer, principal: &Principal, message: Message<'_>) -> Action {
        match message {
            Message::Request { id, method, params } => self
                .request(peer, principal, &id, &method, params)
                .unwrap_or_else(|fault| Action::Reply(error(Some(&id), &fault))),
            Message::Notification { method, params } if method == "notifications/cancelled" => handshake::cancelled(params),
            Message::Notification { .. } | Message::Response => Action::Accept,
        }
    }

    fn request(
        &self,
        peer: &mut Peer,
        principal: &Principal,
        id: &Id,
        method: &str,
        params: Option<&RawValue>,
    ) -> Result<Action, Error> {
        match method {
            "tools/call" => self.call(principal, id, params),
            "tools/list" => self.list(*peer, principal, id, params),
            "ping" => Ok(Action::Reply(result(id, |json| json.extend_from_slice(b"{}")))),
            "initialize" => self.initialize(peer, id, params),
            _ => Err(Error::method_not_found()),
        }
    }

    /// Writes the answer to a call.
    pub fn finish(&self, peer: Peer, id: &Id, outcome: &Result<Output, ToolError>) -> Vec<u8> {
        result(id, |json| tools::write_outcome(json, peer.revision, outcome))
    }

    fn initialize(&self, peer: &mut Peer, id: &Id, params: Option<&RawValue>) -> Result<Action, Error> {
        if peer.is_initialized {
            let fault = Error::invalid_request("Invalid request: this session is initialized already");
            return Ok(Action::Refuse(error(Some(id), &fault)));
        }
        peer.revision = handshake::negotiate(params)?;
        peer.is_initialized = true;
        Ok(Action::Open(result(id, |json| handshake::write_welcome(json, self, peer.revision))))
    }

    fn list(&self, peer: Peer, principal: &Principal, id: &Id, params: Option<&RawValue>) -> Result<Action, Error> {
        tools::check_cursor(params)?;
        Ok(Action::Reply(result(id, |json| tools::write_list(json, &self.catalog, peer.revision, &principal.scopes))))
    }

    fn call(&self, principal: &Principal, id: &Id, params: Option<&RawValue>) -> Result<Action, Error> {
        let params = tools::read_call(params)?;
        let Some(tool) = self.catalog.find(&params.name) else {
            return Err(Error::invalid_params(format!("Unknown tool: {}", shortened(&params.name))));
        };
        let scope = tool.spec().scope();
        if !principal.scopes.contains(scope) {
            return Ok(Action::Forbid { id: id.clone(), scope: scope.to_owned() });
        }
        match tool.read(params.arguments) {
            Ok(arguments) => {
                Ok(Action::Run(Box::new(Pending { id: id.clone(), tool: tool.clone(), arguments, progress: params.progress })))
            }
            // MCP 2025-11-25, server/tools, error handling: bad input is a result, so that the model can mend it.
            Err(refusal) => Ok(Action::Reply(result(id, |json| tools::write_refusal(json, &refusal)))),
        }
    }
}

/// A name that a peer gave, as an error shows it.
fn shortened(name: &str) -> &str {
    const CHARS: usize = 64;
    name.char_indices().nth(CHARS).map_or(name, |(end, _)| &name[..end])
}

/// Appends a member with its comma.
pub(super) fn member(json: &mut Vec<u8>, name: &str, content: &(impl serde::Serialize + ?Sized)) {
    json.extend_from_slice(b",\"");
    json.extend_from_slice(name.as_bytes());
    json.extend_from_slice(b"\":");
    value(json, content);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::read_one;
    use crate::principal::Scopes;
    use crate::tool::Arg;
    use serde_json::{Value, json};

    fn engine() -> Engine {
        let mut catalog = Catalog::default();
        let add = Tool::new("add", "Adds two numbers")
            .title("Add")
            .scope("math")
            .arg(Arg::number("a", "one"))
            .arg(Arg::number("b", "other"))
            .output_schema(json!({"type": "object"}))
            .handler(|_| async { Ok("5") });
        catalog.add(add).unwrap();
        catalog.add(Tool::new("wipe", "Wipes the disk").destroys().scope("disk").handler(|_| async { Ok("") })).unwrap();
        Engine::new(Implementation::new("test", "1.2.3"), catalog)
    }

    fn principal(scopes: &str) -> Principal {
        Principal::anonymous(Scopes::parse(scopes, |_| true))
    }

    fn receive(revision: Revision, scopes: &str, message: &str) -> Action {
        let mut peer = Peer { revision, is_initialized: true };
        engine().receive(&mut peer, &principal(scopes), read_one(message.as_bytes()).unwrap())
    }

    fn answer(action: Action) -> Value {
        match action {
            Action::Reply(json) | Action::Refuse(json) | Action::Open(json) => serde_json::from_slice(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn asked(revision: Revision, scopes: &str, method: &str, params: &Value) -> Action {
        receive(revision, scopes, &json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string())
    }

    #[test]
    fn unknown_methods_are_refused_whatever_they_are_called() {
        for method in ["", "nonsense", "server/discover", "resources/list", "prompts/list", "logging/setLevel", "tools/list/"] {
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
        let mut say = || engine.receive(&mut peer, &principal(""), read_one(hello.as_bytes()).unwrap());
        let first = say();
        assert!(matches!(first, Action::Open(_)));
        let first = answer(first);
        assert_eq!(first["id"], "i");
        assert_eq!(first["result"]["protocolVersion"], "2025-06-18");
        assert_eq!(first["result"]["capabilities"], json!({"tools": {}}));
        assert_eq!(first["result"]["serverInfo"], json!({"name": "test", "version": "1.2.3"}));
        assert_eq!(answer(say())["error"]["code"], -32600);
        assert_eq!(peer, Peer { revision: Revision::V2025_06_18, is_initialized: true });
    }

    #[test]
    fn initialize_without_a_revision_is_refused() {
        for params in [json!({}), json!({"protocolVersion": 5}), json!({"protocolVersion": null})] {
            let mut peer = Peer::stranger(Revision::UNNAMED);
            let message = json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).to_string();
            let action = engine().receive(&mut peer, &principal(""), read_one(message.as_bytes()).unwrap());
            assert_eq!(answer(action)["error"]["code"], -32602, "{params}");
            assert!(!peer.is_initialized);
        }
    }

    #[test]
    fn ping_gets_an_empty_object_and_nothing_else() {
        let Action::Reply(json) = asked(Revision::NEWEST, "", "ping", &json!({})) else { panic!() };
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
            r#"{"jsonrpc":"2.0","id":9,"result":{}}"#,
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
        let output = Ok(Output::text_and_structured("five", &json!({"result": 5})).unwrap());
        let id = Id::parse("1").unwrap();
        let written =
            |revision| -> Value { serde_json::from_slice(&engine().finish(Peer::stranger(revision), &id, &output)).unwrap() };
        assert_eq!(written(Revision::V2025_06_18)["result"]["structuredContent"], json!({"result": 5}));
        assert!(written(Revision::V2025_03_26)["result"].get("structuredContent").is_none());
        let failed = Err(ToolError::new("the \"lamp\" is gone"));
        assert_eq!(
            engine().finish(Peer::stranger(Revision::NEWEST), &id, &failed),
            br#"{"jsonrpc":"2.0","id":1,"result":{"content":[{"type":"text","text":"the \"lamp\" is gone"}],"isError":true}}"#
        );
    }
}
