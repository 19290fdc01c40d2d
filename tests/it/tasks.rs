//! Calls whose results are fetched later, in both dialects.

use crate::embed::{Dropped, EVENTS, Embedded, JSON, message, session};
use crate::wire::{Reply, Wire, ask, request};
use perchd::tool::{Answer, TaskSupport};
use perchd::{Arg, Config, Form, Server, Tool, limits};
use serde_json::{Value, json};
use std::sync::mpsc;
use std::time::Duration;
use tokio::time::sleep;

const PAUSE: Duration = Duration::from_millis(50);

fn server(config: Config, tell: mpsc::Sender<&'static str>) -> Server {
    let count = Tool::new("count", "Counts").task_support(TaskSupport::Optional).handler(|call| async move {
        call.progress(1, Some(2), Some("one"));
        sleep(PAUSE).await;
        Ok("two")
    });
    let long = Tool::new("long", "Never ends").task_support(TaskSupport::Required).handler(move |_| {
        let tell = tell.clone();
        async move {
            let _dropped = Dropped(tell);
            sleep(Duration::from_secs(3600)).await;
            Ok("")
        }
    });
    let fails = Tool::new("fails", "Fails").task_support(TaskSupport::Optional).handler(|_| async {
        sleep(PAUSE).await;
        Err::<String, _>("no power".into())
    });
    let panics = Tool::new("panics", "Panics").task_support(TaskSupport::Optional).handler(|call| async move {
        sleep(PAUSE).await;
        assert!(call.arg::<Option<bool>>("never")?.is_some(), "a fault of the tool");
        Ok("")
    });
    let late = Tool::new("late", "Takes too long").task_support(TaskSupport::Optional).deadline(PAUSE).handler(|_| async {
        sleep(Duration::from_secs(3600)).await;
        Ok("")
    });
    let asks = Tool::new("asks", "Asks first, and once more").task_support(TaskSupport::Optional).handler(|call| async move {
        let form = || Form::new([Arg::boolean("sure", "Really?")]);
        let mut told = Vec::new();
        for key in ["first", "second"] {
            sleep(PAUSE).await;
            match call.elicit(key, key, form()).await? {
                Answer::Accepted(fields) => told.push(fields["sure"].to_string()),
                other => told.push(format!("{other:?}")),
            }
        }
        Ok(told.join(", "))
    });
    let plain = Tool::new("plain", "Is no task").handler(|_| async { Ok("done") });
    [count, long, fails, panics, late, asks, plain].into_iter().fold(Server::new(config), Server::tool)
}

/// A client of 2025-11-25.
struct Client {
    port: u16,
    session: String,
    hello: Value,
}

impl Client {
    fn new(port: u16) -> Client {
        let (session, hello) = session(port);
        Client { port, session, hello }
    }

    // So that each call can write them in place.
    #[allow(clippy::needless_pass_by_value)]
    fn ask(&self, method: &str, params: Value) -> Value {
        let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
        ask(self.port, "POST /mcp", &[JSON, &self.session], &body).json()
    }

    /// Begins a task; its id.
    fn begin(&self, name: &str) -> String {
        let answer = self.ask("tools/call", json!({"name": name, "task": {}}));
        assert_eq!(answer["result"]["task"]["status"], "working", "{answer}");
        text(&answer["result"]["task"]["taskId"])
    }

    fn get(&self, task: &str) -> Value {
        self.ask("tasks/get", json!({"taskId": task}))["result"].clone()
    }

    fn result(&self, task: &str) -> Value {
        self.ask("tasks/result", json!({"taskId": task}))
    }

    /// Waits for a result, and hears what is said before it.
    fn listen(&self, task: &str) -> Wire {
        let body = json!({"jsonrpc": "2.0", "id": 8, "method": "tasks/result", "params": {"taskId": task}}).to_string();
        let mut wire = Wire::open(self.port);
        wire.send(&request(self.port, "POST /mcp", &[JSON, EVENTS, &self.session], &body)).unwrap();
        wire
    }

    fn answer(&self, id: &Value) {
        let result = json!({"action": "accept", "content": {"sure": true}});
        let body = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
        assert_eq!(ask(self.port, "POST /mcp", &[JSON, &self.session], &body).status, 202);
    }
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("no text: {value}")).to_owned()
}

/// Asks until a task has this status; the task then.
fn until(status: &str, get: impl Fn() -> Value) -> Value {
    for _ in 0..200 {
        let task = get();
        if task["status"] == status {
            return task;
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("never {status}: {}", get());
}

/// A request of the stateless dialect, of a client that knows tasks or does not.
fn post(port: u16, method: &str, mut params: Value, knows_tasks: bool) -> Reply {
    let name = format!("mcp-name: {}", params["name"].as_str().or(params["taskId"].as_str()).unwrap_or("none"));
    let extensions = if knows_tasks { json!({"io.modelcontextprotocol/tasks": {}}) } else { json!({}) };
    params["_meta"] = json!({"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}, "extensions": extensions}});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
    let headers = [JSON, "mcp-protocol-version: 2026-07-28", &format!("mcp-method: {method}"), &name];
    ask(port, "POST /mcp", &headers, &body)
}

fn stateless(port: u16, method: &str, params: Value) -> Value {
    post(port, method, params, true).json()
}

fn begin(port: u16, name: &str) -> String {
    let answer = stateless(port, "tools/call", json!({"name": name, "arguments": {}}));
    assert_eq!((&answer["result"]["resultType"], &answer["result"]["status"]), (&json!("task"), &json!("working")));
    text(&answer["result"]["taskId"])
}

fn get(port: u16, task: &str) -> Value {
    stateless(port, "tasks/get", json!({"taskId": task}))["result"].clone()
}

#[test]
fn a_client_that_asks_for_a_task_fetches_the_result_later() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let declared = &client.hello["result"]["capabilities"];
    assert_eq!(declared["tasks"], json!({"list": {}, "cancel": {}, "requests": {"tools": {"call": {}}}}));
    assert!(declared.get("extensions").is_none());
    let created = client.ask("tools/call", json!({"name": "count", "task": {"ttl": 60_000}}))["result"]["task"].clone();
    assert_eq!((&created["ttl"], &created["pollInterval"]), (&json!(60_000), &json!(limits::TASK_POLL_MS)));
    let task = text(&created["taskId"]);
    // It comes when there is one.
    let result = client.result(&task);
    assert_eq!(result["result"]["content"][0]["text"], "two");
    assert_eq!(result["result"]["_meta"]["io.modelcontextprotocol/related-task"]["taskId"], *task);
    assert_eq!(result, client.result(&task), "and it stays");
    let done = client.get(&task);
    assert_eq!((&done["status"], &done["statusMessage"]), (&json!("completed"), &json!("one")));
    assert_eq!(client.ask("tasks/list", json!({}))["result"]["tasks"], json!([done]));
    assert_eq!(client.ask("tasks/list", json!({"cursor": "5"}))["error"]["code"], -32602);
}

#[test]
fn a_call_is_a_task_only_where_the_tool_says_so() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let call = |params: Value| client.ask("tools/call", params);
    assert_eq!(call(json!({"name": "plain", "task": {}}))["error"]["code"], -32601);
    assert_eq!(call(json!({"name": "long"}))["error"]["code"], -32601);
    assert_eq!(call(json!({"name": "count"}))["result"]["content"][0]["text"], "two");
    for wrong in [json!([]), json!("x"), json!({"ttl": "long"})] {
        assert_eq!(call(json!({"name": "count", "task": wrong}))["error"]["code"], -32602);
    }
    let tools = client.ask("tools/list", json!({}))["result"]["tools"].clone();
    let support = |name: &str| {
        let tool = tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap();
        tool.get("execution").map(|execution| text(&execution["taskSupport"]))
    };
    assert_eq!((support("long"), support("count")), (Some("required".into()), Some("optional".into())));
    assert_eq!(support("plain"), None);
    // An older revision knows nothing of it.
    let older = |method: &str, params: Value| {
        let body = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).to_string();
        ask(server.port, "POST /mcp", &[JSON, "mcp-protocol-version: 2025-06-18"], &body).json()
    };
    assert_eq!(older("tools/call", json!({"name": "count", "task": {}}))["result"]["content"][0]["text"], "two");
    assert_eq!(older("tasks/list", json!({}))["error"]["code"], -32601);
    assert!(older("tools/list", json!({}))["result"]["tools"][0].get("execution").is_none());
}

#[test]
fn a_task_that_is_cancelled_stops_and_stays_cancelled() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let task = client.begin("long");
    let mut waiting = client.listen(&task);
    until("working", || client.get(&task));
    let cancelled = client.ask("tasks/cancel", json!({"taskId": task}));
    assert_eq!(cancelled["result"]["status"], "cancelled");
    assert_eq!(server.told.recv_timeout(Duration::from_secs(3)), Ok("dropped"));
    waiting.head().unwrap();
    let (_, status) = message(&mut waiting);
    assert_eq!((&status["method"], &status["params"]), (&json!("notifications/tasks/status"), &cancelled["result"]));
    assert_eq!(message(&mut waiting).1["error"]["code"], -32603);
    assert_eq!(waiting.event().unwrap(), None);
    assert_eq!(client.ask("tasks/cancel", json!({"taskId": task}))["error"]["code"], -32602);
    assert_eq!(client.result(&task)["error"]["message"], "The task was cancelled");
    // The request that began it was answered long ago: it cannot be given up any more.
    let task = client.begin("long");
    let cancel = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":7}}"#;
    assert_eq!(ask(server.port, "POST /mcp", &[JSON, &client.session], cancel).status, 202);
    assert_eq!(client.get(&task)["status"], "working");
    assert_eq!(client.ask("tasks/get", json!({"taskId": "nonsense"}))["error"]["code"], -32602);
}

#[test]
fn a_question_of_a_task_goes_to_who_waits_for_its_result() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let task = client.begin("asks");
    until("input_required", || client.get(&task));
    // Who leaves without an answer leaves the question to the next.
    for _ in 0..2 {
        let mut waiting = client.listen(&task);
        waiting.head().unwrap();
        assert_eq!(message(&mut waiting).1["params"]["message"], "first");
    }
    let mut waiting = client.listen(&task);
    waiting.head().unwrap();
    let (_, question) = message(&mut waiting);
    assert_eq!((&question["method"], &question["params"]["message"]), (&json!("elicitation/create"), &json!("first")));
    assert_eq!(question["params"]["_meta"]["io.modelcontextprotocol/related-task"]["taskId"], *task);
    client.answer(&question["id"]);
    let mut said = Vec::new();
    let answer = loop {
        let (_, message) = message(&mut waiting);
        match message["method"].as_str() {
            Some("elicitation/create") => client.answer(&message["id"]),
            Some("notifications/tasks/status") => said.push(text(&message["params"]["status"])),
            _ => break message,
        }
    };
    assert_eq!((&answer["id"], &answer["result"]["content"][0]["text"]), (&json!(8), &json!("true, true")));
    assert_eq!(said, ["working", "input_required", "completed"]);
}

#[test]
fn what_a_task_says_goes_down_the_stream_of_its_session() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let mut stream = Wire::open(server.port);
    stream.send(&request(server.port, "GET /mcp", &["accept: text/event-stream", &client.session], "")).unwrap();
    stream.head().unwrap();
    let created = client.ask("tools/call", json!({"name": "count", "task": {}, "_meta": {"progressToken": "p"}}));
    let progress = message(&mut stream).1["params"].clone();
    assert_eq!((&progress["progressToken"], &progress["progress"]), (&json!("p"), &json!(1)));
    let task = &created["result"]["task"]["taskId"];
    assert_eq!(progress["_meta"]["io.modelcontextprotocol/related-task"]["taskId"], *task);
    let (_, status) = message(&mut stream);
    assert_eq!((&status["params"]["taskId"], &status["params"]["status"]), (task, &json!("completed")));
}

#[test]
fn how_a_task_ended_is_told_in_the_words_of_its_dialect() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    for (name, words) in [("fails", "no power"), ("late", "The tool did not finish within 0.05 s and was stopped.")] {
        let older = client.begin(name);
        let failed = until("failed", || client.get(&older));
        assert_eq!(failed["statusMessage"], words);
        assert_eq!(client.result(&older)["result"]["isError"], true);
        let newer = begin(server.port, name);
        let done = until("completed", || get(server.port, &newer));
        assert_eq!((&done["result"]["isError"], &done["result"]["content"][0]["text"]), (&json!(true), &json!(words)));
    }
    // What is said before there is a task is not lost.
    let counted = begin(server.port, "count");
    assert_eq!(get(server.port, &counted)["statusMessage"], "one");
    let older = client.begin("panics");
    until("failed", || client.get(&older));
    assert_eq!(client.result(&older)["error"]["code"], -32603);
    let newer = begin(server.port, "panics");
    let failed = until("failed", || get(server.port, &newer));
    assert_eq!(failed["error"]["code"], -32603);
    assert!(failed.get("result").is_none());
    // A task is one of the dialect in which it was begun.
    assert_eq!(client.ask("tasks/get", json!({"taskId": newer}))["error"]["code"], -32602);
    assert_eq!(stateless(server.port, "tasks/get", json!({"taskId": older}))["error"]["code"], -32602);
}

#[test]
fn a_stateless_client_has_tasks_only_where_it_declares_them() {
    let server = Embedded::serving(server);
    let discovered = post(server.port, "server/discover", json!({}), false).json()["result"]["capabilities"].clone();
    assert_eq!(discovered["extensions"], json!({"io.modelcontextprotocol/tasks": {}}));
    assert!(discovered.get("tasks").is_none());
    let plain = post(server.port, "tools/call", json!({"name": "count"}), false).json();
    assert!(plain["result"]["content"][0]["text"] == "two" && plain["result"]["resultType"] == "complete", "{plain}");
    for (method, params) in [
        ("tools/call", json!({"name": "long"})),
        ("tasks/get", json!({"taskId": "x"})),
        ("tasks/update", json!({"taskId": "x", "inputResponses": {}})),
        ("tasks/cancel", json!({"taskId": "x"})),
    ] {
        let reply = post(server.port, method, params, false);
        let error = reply.json()["error"].clone();
        assert_eq!((reply.status, &error["code"]), (400, &json!(-32021)), "{method}");
        assert_eq!(error["data"]["requiredCapabilities"]["extensions"], json!({"io.modelcontextprotocol/tasks": {}}));
    }
    for method in ["tasks/list", "tasks/result"] {
        let reply = post(server.port, method, json!({"taskId": "x"}), true);
        assert_eq!((reply.status, &reply.json()["error"]["code"]), (404, &json!(-32601)), "{method}");
    }
    assert_eq!(
        stateless(server.port, "tools/call", json!({"name": "plain", "task": {}}))["result"]["content"][0]["text"],
        "done"
    );
}

#[test]
fn a_stateless_client_answers_what_its_task_asks() {
    let server = Embedded::serving(server);
    let task = begin(server.port, "asks");
    let update = |responses: Value| stateless(server.port, "tasks/update", json!({"taskId": task, "inputResponses": responses}));
    let asked = until("input_required", || get(server.port, &task));
    assert_eq!(asked["inputRequests"]["first"]["params"]["message"], "first");
    let sure = |key: &str| json!({key: {"action": "accept", "content": {"sure": true}}});
    assert_eq!(update(sure("other"))["result"]["resultType"], "complete");
    assert_eq!(get(server.port, &task)["status"], "input_required", "what was not asked changes nothing");
    assert_eq!(update(sure("first"))["result"].as_object().unwrap().len(), 2, "a resultType and a _meta");
    let asked = until("input_required", || get(server.port, &task));
    assert_eq!(asked["inputRequests"].as_object().unwrap().keys().collect::<Vec<_>>(), ["second"]);
    update(json!({"second": {"action": "decline"}}));
    assert_eq!(until("completed", || get(server.port, &task))["result"]["content"][0]["text"], "true, Declined");
    assert_eq!(stateless(server.port, "tasks/update", json!({"taskId": task}))["error"]["code"], -32602);
}

#[test]
fn a_stateless_client_cancels_as_often_as_it_likes() {
    let server = Embedded::serving(server);
    let task = begin(server.port, "long");
    for _ in 0..2 {
        let answer = stateless(server.port, "tasks/cancel", json!({"taskId": task}));
        assert_eq!(answer["result"]["resultType"], "complete");
        assert_eq!(get(server.port, &task)["status"], "cancelled");
    }
    assert_eq!(server.told.recv_timeout(Duration::from_secs(3)), Ok("dropped"));
    assert_eq!(stateless(server.port, "tasks/cancel", json!({"taskId": "x"}))["error"]["code"], -32602);
    // The header by which proxies find the server of a task must not name another.
    let mut headers = vec![JSON, EVENTS, "mcp-protocol-version: 2026-07-28", "mcp-method: tasks/get"];
    let params = json!({"taskId": task, "_meta": {"io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"extensions": {"io.modelcontextprotocol/tasks": {}}}}});
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": "tasks/get", "params": params}).to_string();
    assert_eq!(ask(server.port, "POST /mcp", &headers, &body).json()["error"]["code"], -32020);
    headers.push("mcp-name: another");
    assert_eq!(ask(server.port, "POST /mcp", &headers, &body).json()["error"]["code"], -32020);
}

#[test]
fn who_has_no_room_for_a_task_is_refused_or_answered_at_once() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let first = client.begin("long");
    for _ in 1..limits::TASKS_RUNNING {
        begin(server.port, "long");
    }
    let refused = client.ask("tools/call", json!({"name": "count", "task": {}}))["error"].clone();
    assert_eq!(refused["code"], -32603);
    assert!(text(&refused["message"]).starts_with("The board runs 32 tasks already."), "{refused}");
    assert_eq!(stateless(server.port, "tools/call", json!({"name": "long"}))["error"], refused);
    let plain = stateless(server.port, "tools/call", json!({"name": "count"}));
    assert_eq!((&plain["result"]["resultType"], &plain["result"]["content"][0]["text"]), (&json!("complete"), &json!("two")));
    client.ask("tasks/cancel", json!({"taskId": first}));
    client.begin("count");
}

#[test]
fn only_so_many_requests_wait_for_tasks() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let task = client.begin("long");
    let mut waiting: Vec<Wire> = (0..limits::TASK_WAITERS).map(|_| client.listen(&task)).collect();
    let refused = (0..10).find_map(|_| {
        let mut wire = client.listen(&task);
        wire.patience(Duration::from_millis(300));
        let reply = wire.reply().ok();
        waiting.extend(reply.is_none().then_some(wire));
        reply
    });
    assert_eq!(refused.expect("one too many").json()["error"]["code"], -32603);
    // Who has given up makes room, and the others hear of the end.
    let cancelled = r#"{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":8}}"#;
    assert_eq!(ask(server.port, "POST /mcp", &[JSON, &client.session], cancelled).status, 202);
    let mut late = client.listen(&task);
    until("working", || client.get(&task));
    client.ask("tasks/cancel", json!({"taskId": task}));
    late.head().unwrap();
    assert_eq!(message(&mut late).1["method"], "notifications/tasks/status");
    assert_eq!(message(&mut late).1["error"]["message"], "The task was cancelled");
}

#[test]
fn a_task_that_is_out_of_date_is_gone() {
    let server = Embedded::serving(server);
    let client = Client::new(server.port);
    let created = client.ask("tools/call", json!({"name": "count", "task": {"ttl": 1}}))["result"]["task"].clone();
    assert_eq!(created["ttl"], limits::TASK_TTL_MS_MIN, "never too short to be fetched");
    let task = text(&created["taskId"]);
    assert_eq!(client.result(&task)["result"]["content"][0]["text"], "two");
    std::thread::sleep(Duration::from_millis(limits::TASK_TTL_MS_MIN + 100));
    for method in ["tasks/get", "tasks/result", "tasks/cancel"] {
        assert_eq!(client.ask(method, json!({"taskId": task}))["error"]["code"], -32602, "{method}");
    }
    assert_eq!(client.ask("tasks/list", json!({}))["result"]["tasks"], json!([]));
}
