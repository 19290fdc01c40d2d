//! Tasks on the wire, in either dialect.

use crate::limits;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::task::{End, Task, TaskId};
use crate::mcp::{Error, Id};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Names the task that a message belongs to (MCP 2025-11-25).
const RELATED: &str = "io.modelcontextprotocol/related-task";

/// Writes the members of a task, without what it led to.
pub(super) fn write_task(json: &mut Vec<u8>, task: &Task) {
    json.extend_from_slice(br#""taskId":"#);
    value(json, &task.origin.id.to_string());
    member(json, "status", task.status().as_str());
    if let Some(message) = &task.message {
        member(json, "statusMessage", message);
    }
    member(json, "createdAt", &task.created_at());
    member(json, "lastUpdatedAt", &task.last_updated_at());
    let (ttl, poll_interval) =
        if task.origin.revision.is_stateless() { ("ttlMs", "pollIntervalMs") } else { ("ttl", "pollInterval") };
    member(json, ttl, &task.ttl_ms);
    if !task.is_over() {
        member(json, poll_interval, &limits::TASK_POLL_MS);
    }
}

/// Writes what a task of the stateless dialect asks for, or led to.
pub(super) fn write_details(json: &mut Vec<u8>, task: &Task) {
    match &task.end {
        None if task.questions.is_empty() => {}
        None => {
            let request = |key, ask: &crate::tool::Ask| (key, json!({ "method": ask.method, "params": ask.params }));
            let requests: BTreeMap<&String, Value> = task.questions.iter().map(|(key, ask)| request(key, ask)).collect();
            member(json, "inputRequests", &requests);
        }
        Some(End::Result { json: result, .. }) => {
            json.extend_from_slice(br#","result":"#);
            json.extend_from_slice(result);
        }
        Some(End::Fault(fault)) => member(json, "error", &json!({ "code": fault.code, "message": fault.message })),
        Some(End::Cancelled) => {}
    }
}

/// Writes the answer to `tasks/result`: what the call would have been answered with, and to which task it belongs.
pub(super) fn result(id: &Id, task: &Task) -> Vec<u8> {
    let fault = match &task.end {
        Some(End::Result { json: result, .. }) => {
            return crate::mcp::message::result(id, |json| {
                json.push(b'{');
                write_related(json, task.origin.id);
                // Results of this dialect have members, and none of them is `_meta`.
                json.push(b',');
                json.extend_from_slice(result.get(1..).unwrap_or(b"}"));
            });
        }
        Some(End::Fault(fault)) => fault.clone(),
        Some(End::Cancelled) => Error::internal("The task was cancelled"),
        None => Error::internal("The task goes on"),
    };
    crate::mcp::error(Some(id), &fault)
}

/// Writes `notifications/tasks/status` (MCP 2025-11-25).
pub(super) fn status_notification(task: &Task) -> Vec<u8> {
    let mut json = br#"{"jsonrpc":"2.0","method":"notifications/tasks/status","params":{"#.to_vec();
    write_task(&mut json, task);
    json.extend_from_slice(b"}}");
    json
}

/// A message of a call that is a task, which says so (MCP 2025-11-25, associating task-related messages).
pub(crate) fn related(message: &[u8], task: TaskId) -> Vec<u8> {
    // We wrote it: the first `params` is the message's own, as nothing but constants and our ids come before it.
    let params = br#""params":{"#;
    let Some(start) = message.windows(params.len()).position(|window| window == params) else { return message.to_vec() };
    let (head, members) = message.split_at(start + params.len());
    let mut json = head.to_vec();
    write_related(&mut json, task);
    if !members.starts_with(b"}") {
        json.push(b',');
    }
    json.extend_from_slice(members);
    json
}

fn write_related(json: &mut Vec<u8>, task: TaskId) {
    json.extend_from_slice(br#""_meta":"#);
    value(json, &json!({ RELATED: { "taskId": task.to_string() } }));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::Revision;
    use crate::mcp::task::tests::{at, origin, question};
    use std::time::Duration;

    fn written(task: &Task) -> Value {
        let mut json = b"{".to_vec();
        write_task(&mut json, task);
        write_details(&mut json, task);
        json.push(b'}');
        serde_json::from_slice(&json).unwrap()
    }

    #[test]
    fn a_task_has_the_members_of_its_dialect() {
        let mut task = Task::begin(origin(Revision::V2026_07_28, 1), at(0));
        assert_eq!(
            written(&task),
            json!({"taskId": "AQEBAQEBAQEBAQEBAQEBAQ", "status": "working", "createdAt": "2026-11-23T00:00:00Z",
                "lastUpdatedAt": "2026-11-23T00:00:00Z", "ttlMs": 360_000, "pollIntervalMs": 1000})
        );
        task.note(at(1), "counting");
        task.ask(at(1), "sure", &question(), Duration::ZERO);
        let asked = written(&task);
        assert_eq!(asked["inputRequests"]["sure"], json!({"method": "elicitation/create", "params": {"message": "Sure?"}}));
        assert_eq!((&asked["statusMessage"], &asked["status"]), (&json!("counting"), &json!("input_required")));
        task.end(at(2), End::Fault(Error::internal("broken")));
        let failed = written(&task);
        assert_eq!(
            (&failed["error"], &failed["statusMessage"]),
            (&json!({"code": -32603, "message": "broken"}), &json!("broken"))
        );
        assert!(failed.get("inputRequests").is_none() && failed.get("pollIntervalMs").is_none());
        let older = written(&Task::begin(origin(Revision::V2025_11_25, 1), at(0)));
        assert_eq!((&older["ttl"], &older["pollInterval"]), (&json!(360_000), &json!(1000)));
        assert!(older.get("ttlMs").is_none());
    }

    #[test]
    fn a_result_that_is_fetched_says_to_which_task_it_belongs() {
        let mut task = Task::begin(origin(Revision::V2025_11_25, 1), at(0));
        task.end(at(1), End::Result { json: br#"{"content":[],"isError":false}"#.to_vec(), is_error: false });
        let id = Id::parse("5").unwrap();
        assert_eq!(
            String::from_utf8(result(&id, &task)).unwrap(),
            r#"{"jsonrpc":"2.0","id":5,"result":{"_meta":{"io.modelcontextprotocol/related-task":{"taskId":"AQEBAQEBAQEBAQEBAQEBAQ"}},"content":[],"isError":false}}"#
        );
    }

    #[test]
    fn a_message_of_a_task_says_so_even_where_it_has_no_members() {
        let task = TaskId::new([1; 16]);
        let meta = r#""_meta":{"io.modelcontextprotocol/related-task":{"taskId":"AQEBAQEBAQEBAQEBAQEBAQ"}}"#;
        for (message, members) in [(r#"{"method":"ping","params":{}}"#, ""), (r#"{"method":"x","params":{"a":1}}"#, r#","a":1"#)]
        {
            let method = &message[..message.find("params").unwrap()];
            assert_eq!(
                String::from_utf8(related(message.as_bytes(), task)).unwrap(),
                format!(r#"{method}params":{{{meta}{members}}}}}"#)
            );
        }
    }
}
