//! The library in a program of somebody else: its own runtime, its own tools, both dialects.

use crate::board::Folder;
use crate::wire::{Reply, Wire, ask, request, rpc};
use perchd::config::Auth;
use perchd::tool::{Answer, Level, Sample};
use perchd::{Arg, Changes, Config, Contents, Form, Prompt, Resource, Server, Tool};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::mpsc;
use std::time::Duration;
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::oneshot;

/// A server on a thread of its own, which ends with the test.
pub(crate) struct Embedded {
    pub(crate) port: u16,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<std::thread::JoinHandle<()>>,
    /// What the tools say to the test.
    pub(crate) told: mpsc::Receiver<&'static str>,
}

impl Embedded {
    fn start() -> Embedded {
        Embedded::serving(server)
    }

    /// The server that `server` puts together.
    pub(crate) fn serving(server: fn(Config, mpsc::Sender<&'static str>) -> Server) -> Embedded {
        let (stop, stopped) = oneshot::channel::<()>();
        let (port_sender, port) = mpsc::channel();
        let (tell, told) = mpsc::channel();
        let thread = std::thread::spawn(move || {
            let folder = Folder::new();
            let runtime = Builder::new_current_thread().enable_all().build_local(LocalOptions::default()).unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).await.unwrap();
                port_sender.send(listener.local_addr().unwrap().port()).unwrap();
                let config = Config { auth: Auth::Open, ..Config::with_state(folder.path().to_owned()) };
                let stop = async move { drop(stopped.await) };
                server(config, tell).serve(listener, stop).await.unwrap();
            });
        });
        Embedded { port: port.recv().unwrap(), stop: Some(stop), thread: Some(thread), told }
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.thread.take().unwrap().join().unwrap();
    }
}

fn server(config: Config, tell: mpsc::Sender<&'static str>) -> Server {
    let changes = Changes::new();
    let changed = changes.clone();
    let reboot = Tool::new("reboot", "Reboots when a person says so").destroys().handler(|call| async move {
        let form = Form::new([Arg::boolean("sure", "Really?"), Arg::string("why", "").optional()]);
        match call.elicit("sure", "Reboot the board?", form).await? {
            Answer::Accepted(fields) if fields["sure"] == true => {}
            other => return Ok(format!("not rebooted: {other:?}")),
        }
        let sample = Sample { prompt: "Say goodbye".into(), max_tokens: 10, system_prompt: None };
        Ok(format!("rebooted, and {}", call.sample("bye", sample).await?.text))
    });
    let slow = Tool::new("slow", "Sleeps").handler(move |call| {
        let tell = tell.clone();
        async move {
            let dropped = Dropped(tell);
            call.log(Level::Debug, "not wanted");
            call.log(Level::Warning, json!({"state": "begun"}));
            call.progress(1, Some(2), Some("half"));
            tokio::time::sleep(Duration::from_secs(5)).await;
            std::mem::forget(dropped);
            Ok("slept")
        }
    });
    let patient = Tool::new("patient", "Lets its client wait without a connection").handler(|call| async move {
        call.release();
        tokio::time::sleep(Duration::from_millis(100)).await;
        Ok("waited")
    });
    let switch = Tool::new("switch", "Switches the lamp").writes().handler(move |_| {
        let changed = changed.clone();
        async move {
            changed.resource("lamp://kitchen");
            changed.tools();
            Ok("switched")
        }
    });
    let broken = Tool::new("broken", "Breaks its word")
        .output_schema(&json!({"type": "object", "required": ["a"]}))
        .handler(|_| async { perchd::Output::structured(&json!({"b": 1})) });
    let lamp = Resource::new("lamp://{room}", "A lamp").mime_type("text/plain").handler(|call| async move {
        Ok(Contents::text(call.arg::<String>("uri")?, format!("{} is on", call.arg::<String>("room")?)).mime_type("text/plain"))
    });
    let present = Tool::new("present", "Asks whether the client is there")
        .deadline(Duration::from_millis(300))
        .patience(Duration::from_secs(1))
        .handler(|call| async move { call.ping().await.map(|()| "there") });
    let panics = Tool::new("panics", "Panics").handler(|call| async move {
        assert!(call.arguments().arg::<Option<u8>>("never").unwrap().is_some(), "a fault of the tool");
        Ok("")
    });
    let prompt = Prompt::new("report", "Asks for a report")
        .arg("room", "which room")
        .complete("room", |typed| {
            ["kitchen", "cellar"].into_iter().filter(|room| room.starts_with(typed)).map(Into::into).collect()
        })
        .handler(|call| async move { Ok(format!("How is the {}?", call.arg::<String>("room")?)) });
    Server::new(config)
        .tool(reboot)
        .tool(slow)
        .tool(patient)
        .tool(switch)
        .tool(broken)
        .tool(panics)
        .tool(present)
        .resource(lamp)
        .prompt(prompt)
        .instructions("Be gentle.")
        .changes(&changes)
}

/// Says that a handler was dropped before its end.
pub(crate) struct Dropped(pub(crate) mpsc::Sender<&'static str>);

impl Drop for Dropped {
    fn drop(&mut self) {
        let _ = self.0.send("dropped");
    }
}

pub(crate) const EVENTS: &str = "accept: application/json, text/event-stream";
pub(crate) const JSON: &str = "content-type: application/json";

/// A session of a client that can do everything.
pub(crate) fn session(port: u16) -> (String, Value) {
    let capabilities = json!({"elicitation": {}, "sampling": {}, "roots": {}});
    let params =
        json!({"protocolVersion": "2025-11-25", "capabilities": capabilities, "clientInfo": {"name": "c", "version": "1"}});
    let reply = rpc(port, &json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}).to_string());
    (format!("mcp-session-id: {}", reply.header("mcp-session-id").unwrap()), reply.json())
}

/// A call of the handshake dialect whose answer is read event by event.
fn call(port: u16, session: &str, name: &str, meta: &Value) -> Wire {
    let params = json!({"name": name, "arguments": {}, "_meta": meta});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params}).to_string();
    let mut wire = Wire::open(port);
    wire.send(&request(port, "POST /mcp", &[JSON, EVENTS, session], &body)).unwrap();
    let head = wire.head().unwrap();
    assert_eq!(head.header("content-type"), Some("text/event-stream"), "{head:?}");
    wire
}

/// The id and the JSON of the next event that has any.
pub(crate) fn message(wire: &mut Wire) -> (Option<String>, Value) {
    loop {
        let event = wire.event().unwrap().expect("the stream goes on");
        let field = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::to_owned);
        if let Some(data) = field("data: ").filter(|data| !data.is_empty()) {
            return (field("id: "), serde_json::from_str(&data).unwrap());
        }
    }
}

/// A request of the stateless dialect.
fn stateless(port: u16, method: &str, mut params: Value) -> Reply {
    ask(port, "POST /mcp", &headers(method, &params), &stateless_body(method, &mut params))
}

fn headers(method: &str, params: &Value) -> Vec<&'static str> {
    let name = params["name"].as_str().or(params["uri"].as_str()).unwrap_or("none");
    let leaked = |text: String| -> &'static str { Box::leak(text.into_boxed_str()) };
    let name = leaked(format!("mcp-name: {name}"));
    vec![JSON, EVENTS, "mcp-protocol-version: 2026-07-28", leaked(format!("mcp-method: {method}")), name]
}

fn stateless_body(method: &str, params: &mut Value) -> String {
    params["_meta"]["io.modelcontextprotocol/protocolVersion"] = "2026-07-28".into();
    params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({"elicitation": {}, "sampling": {}});
    json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string()
}

#[test]
fn a_question_is_a_request_in_the_handshake_dialect() {
    let server = Embedded::start();
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "reboot", &json!({}));
    let answer = |id: &Value, result: Value| {
        let body = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        assert_eq!(ask(server.port, "POST /mcp", &[JSON, &session], &body).status, 202);
    };
    let (_, question) = message(&mut wire);
    assert_eq!(question["method"], "elicitation/create");
    assert_eq!(question["params"]["requestedSchema"]["properties"]["sure"]["type"], "boolean");
    // Answers that nobody asked for change nothing.
    answer(&json!("perchd-999"), json!({"action": "accept", "content": {"sure": true}}));
    answer(&question["id"], json!({"action": "accept", "content": {"sure": true}}));
    let (_, question) = message(&mut wire);
    assert_eq!((&question["method"], &question["params"]["maxTokens"]), (&json!("sampling/createMessage"), &json!(10)));
    answer(&question["id"], json!({"role": "assistant", "model": "m", "content": {"type": "text", "text": "farewell"}}));
    let (_, result) = message(&mut wire);
    assert_eq!((&result["id"], &result["result"]["content"][0]["text"]), (&json!(7), &json!("rebooted, and farewell")));
    assert_eq!(wire.event().unwrap(), None);
}

#[test]
fn a_client_that_never_answers_is_not_waited_for_for_ever() {
    let server = Embedded::start();
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "present", &json!({}));
    let (_, ping) = message(&mut wire);
    assert_eq!(ping["method"], "ping");
    let (_, result) = message(&mut wire);
    assert_eq!(result["result"]["content"][0]["text"], "The tool did not finish within 0.3 s and was stopped.");
    let mut wire = call(server.port, &session, "present", &json!({}));
    let (_, ping) = message(&mut wire);
    let pong = json!({"jsonrpc": "2.0", "id": ping["id"], "result": {}}).to_string();
    assert_eq!(ask(server.port, "POST /mcp", &[JSON, &session], &pong).status, 202);
    assert_eq!(message(&mut wire).1["result"]["content"][0]["text"], "there");
    let stateless = stateless(server.port, "tools/call", json!({"name": "present"})).json();
    assert_eq!(stateless["result"]["isError"], true);
}

#[test]
fn a_client_that_cannot_be_asked_gets_an_error_that_the_model_can_read() {
    let server = Embedded::start();
    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"reboot"}}"#;
    let result = rpc(server.port, call).json();
    assert_eq!(result["result"]["content"][0]["text"], "The client cannot do what this tool asks of it.");
    assert_eq!(result["result"]["isError"], true);
}

#[test]
fn a_question_is_a_result_in_the_stateless_dialect() {
    let server = Embedded::start();
    let ask = |more: Value| {
        let mut params = json!({"name": "reboot", "arguments": {}});
        params.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        stateless(server.port, "tools/call", params).json()["result"].clone()
    };
    let first = ask(json!({}));
    assert_eq!(
        (&first["resultType"], &first["inputRequests"]["sure"]["method"]),
        (&json!("input_required"), &json!("elicitation/create"))
    );
    let sure = json!({"sure": {"action": "accept", "content": {"sure": true}}});
    let second = ask(json!({"inputResponses": sure, "requestState": first["requestState"]}));
    assert_eq!(second["inputRequests"]["bye"]["method"], "sampling/createMessage");
    let bye = json!({"bye": {"role": "assistant", "model": "m", "content": {"type": "text", "text": "farewell"}}});
    let third = ask(json!({"inputResponses": bye, "requestState": second["requestState"]}));
    assert_eq!((&third["resultType"], &third["content"][0]["text"]), (&json!("complete"), &json!("rebooted, and farewell")));
    let declined = ask(json!({"inputResponses": {"sure": {"action": "decline"}}}));
    assert_eq!(declined["content"][0]["text"], "not rebooted: Declined");
    let state = second["requestState"].as_str().unwrap();
    let other = json!({"name": "slow", "inputResponses": bye, "requestState": state});
    assert_eq!(stateless(server.port, "tools/call", other).json()["error"]["code"], -32602);
}

#[test]
fn progress_and_log_go_before_the_answer_at_the_level_that_was_asked_for() {
    let server = Embedded::start();
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "slow", &json!({"progressToken": "p"}));
    let (_, log) = message(&mut wire);
    assert_eq!(log["params"], json!({"level": "warning", "data": {"state": "begun"}}));
    let (_, progress) = message(&mut wire);
    assert_eq!(progress["params"], json!({"progressToken": "p", "progress": 1, "total": 2, "message": "half"}));
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    assert_eq!(ask(server.port, "POST /mcp", &[JSON, &session], cancel).status, 202);
    assert_eq!(server.told.recv_timeout(Duration::from_secs(3)), Ok("dropped"));
    assert_eq!(wire.event().unwrap(), None, "a call that was given up is not answered");
}

#[test]
fn the_end_of_the_connection_gives_a_call_up_in_the_stateless_dialect_alone() {
    let server = Embedded::start();
    let mut params = json!({"name": "slow", "arguments": {}, "_meta": {"progressToken": 1}});
    let headers = headers("tools/call", &params);
    let mut wire = Wire::open(server.port);
    wire.send(&request(server.port, "POST /mcp", &headers, &stateless_body("tools/call", &mut params))).unwrap();
    assert_eq!(wire.head().unwrap().header("content-type"), Some("text/event-stream"));
    let (_, first) = message(&mut wire);
    assert_eq!(first["method"], "notifications/progress", "no line for the log where none was asked for");
    drop(wire);
    assert_eq!(server.told.recv_timeout(Duration::from_secs(3)), Ok("dropped"));
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "slow", &json!({}));
    message(&mut wire);
    drop(wire);
    assert!(server.told.recv_timeout(Duration::from_secs(1)).is_err());
}

#[test]
fn a_client_that_lost_its_answer_comes_back_for_it() {
    let server = Embedded::start();
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "slow", &json!({}));
    let (id, _) = message(&mut wire);
    drop(wire);
    let mut wire = come_back(server.port, &session, &id.expect("events of 2025-11-25 have ids"));
    let (_, result) = message(&mut wire);
    assert_eq!((&result["id"], &result["result"]["content"][0]["text"]), (&json!(7), &json!("slept")));
    assert_eq!(wire.event().unwrap(), None);
}

/// Asks for what comes behind the event `id`.
fn come_back(port: u16, session: &str, id: &str) -> Wire {
    let last = format!("last-event-id: {id}");
    let mut wire = Wire::open(port);
    wire.send(&request(port, "GET /mcp", &["accept: text/event-stream", session, &last], "")).unwrap();
    assert_eq!(wire.head().unwrap().status, 200);
    wire
}

#[test]
fn a_call_that_releases_its_connection_at_once_is_come_back_for() {
    let server = Embedded::start();
    let (session, _) = session(server.port);
    let mut wire = call(server.port, &session, "patient", &json!({}));
    let priming = wire.event().unwrap().unwrap();
    let id = priming.lines().find_map(|line| line.strip_prefix("id: ")).expect("the first event has an id");
    assert_eq!(wire.event().unwrap(), None, "the connection ends before the answer");
    let (_, result) = message(&mut come_back(server.port, &session, id));
    assert_eq!(result["result"]["content"][0]["text"], "waited");
    let reply = stateless(server.port, "tools/call", json!({"name": "patient"}));
    assert!(reply.body.contains(r#""text":"waited""#), "who cannot come back is answered in place: {reply:?}");
}

#[test]
fn word_of_changes_reaches_those_who_want_it() {
    let server = Embedded::start();
    let (session, hello) = session(server.port);
    assert_eq!(hello["result"]["capabilities"]["resources"], json!({"listChanged": true, "subscribe": true}));
    assert_eq!(hello["result"]["instructions"], "Be gentle.");
    let post = |body: &str| ask(server.port, "POST /mcp", &[JSON, &session], body).json();
    let subscribe = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"lamp://kitchen"}}"#;
    assert_eq!(post(subscribe), json!({"jsonrpc": "2.0", "id": 1, "result": {}}));
    let unknown = r#"{"jsonrpc":"2.0","id":1,"method":"resources/subscribe","params":{"uri":"door://kitchen"}}"#;
    assert_eq!(post(unknown)["error"]["code"], -32002);
    let mut stream = Wire::open(server.port);
    stream.send(&request(server.port, "GET /mcp", &["accept: text/event-stream", &session], "")).unwrap();
    stream.head().unwrap();
    let mut params = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["lamp://cellar"]}});
    let mut listener = Wire::open(server.port);
    let headers = headers("subscriptions/listen", &params);
    listener.send(&request(server.port, "POST /mcp", &headers, &stateless_body("subscriptions/listen", &mut params))).unwrap();
    listener.head().unwrap();
    assert_eq!(message(&mut listener).1["method"], "notifications/subscriptions/acknowledged");
    assert!(
        rpc(server.port, r#"{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"switch"}}"#)
            .body
            .contains("switched")
    );
    assert_eq!(message(&mut stream).1["params"]["uri"], "lamp://kitchen");
    assert_eq!(message(&mut stream).1["method"], "notifications/tools/list_changed");
    let changed = message(&mut listener).1;
    assert_eq!(changed["method"], "notifications/tools/list_changed");
    assert_eq!(changed["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], 7);
}

#[test]
fn resources_prompts_and_completions_are_served_in_both_dialects() {
    let server = Embedded::start();
    let handshake = |method: &str, params: &Value| {
        rpc(server.port, &json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string()).json()
    };
    let read = json!({"uri": "lamp://kitchen"});
    let contents = json!([{"uri": "lamp://kitchen", "mimeType": "text/plain", "text": "kitchen is on"}]);
    assert_eq!(handshake("resources/read", &read)["result"], json!({ "contents": contents }));
    let modern = stateless(server.port, "resources/read", read).json()["result"].clone();
    assert_eq!((&modern["contents"], &modern["ttlMs"], &modern["cacheScope"]), (&contents, &json!(0), &json!("private")));
    assert_eq!(
        handshake("resources/read", &json!({"uri": "door://x"}))["error"],
        json!({"code": -32002, "message": "Resource not found", "data": {"uri": "door://x"}})
    );
    assert_eq!(stateless(server.port, "resources/read", json!({"uri": "door://x"})).json()["error"]["code"], -32602);
    assert_eq!(
        handshake("resources/templates/list", &json!({}))["result"]["resourceTemplates"][0]["uriTemplate"],
        "lamp://{room}"
    );
    assert_eq!(handshake("resources/list", &json!({}))["result"]["resources"], json!([]));
    let get = json!({"name": "report", "arguments": {"room": "cellar"}});
    assert_eq!(handshake("prompts/get", &get)["result"]["messages"][0]["content"]["text"], "How is the cellar?");
    assert_eq!(handshake("prompts/get", &json!({"name": "report"}))["error"]["code"], -32602);
    assert_eq!(handshake("prompts/get", &json!({"name": "nosuch"}))["error"]["code"], -32602);
    let complete = json!({"ref": {"type": "ref/prompt", "name": "report"}, "argument": {"name": "room", "value": "ki"}});
    assert_eq!(
        handshake("completion/complete", &complete)["result"]["completion"],
        json!({"values": ["kitchen"], "total": 1, "hasMore": false})
    );
}

#[test]
fn a_tool_that_breaks_its_word_or_panics_fails_alone() {
    let server = Embedded::start();
    let text = |name: &str| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {"name": name}}).to_string();
        let result = rpc(server.port, &body).json()["result"].clone();
        assert_eq!(result["isError"], true, "{result}");
        result["content"][0]["text"].as_str().unwrap().to_owned()
    };
    assert_eq!(text("broken"), "The tool is at fault: its structured content is wrong: `a` is missing.");
    assert!(text("panics").starts_with("The tool failed by a fault of its own"));
    assert_eq!(rpc(server.port, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status, 200);
}
