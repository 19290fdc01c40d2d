//! What clients ask about tasks: whether a call is to be one, how far one has got, what it led to.

use crate::json::Raw;
use crate::mcp::answer::Cache;
use crate::mcp::ask::Answers;
use crate::mcp::engine::reply;
use crate::mcp::message::result;
use crate::mcp::request::Request;
use crate::mcp::task::{End, Task, TaskId};
use crate::mcp::task_store::Viewer;
use crate::mcp::{Action, Caller, Engine, Error, Id, Peer, Revision, list, task_message};
use crate::tool::{Spec, TaskSupport, Tool};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use std::borrow::Cow;

/// How a call is to be a task.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TaskWanted {
    /// How long the client wants it to be kept.
    pub(super) ttl_ms: Option<u64>,
    /// Whether the call cannot be answered in another way.
    pub(crate) is_required: bool,
}

/// What the edge must do with a task.
#[derive(Debug)]
pub enum TaskAction {
    /// Answer the request once the task is over.
    Await(Id, TaskId),
    /// Stop the call, then send the answer.
    Stop(TaskId, Vec<u8>),
    /// Hand the answers to the call, then send the answer.
    Input(TaskId, Answers, Vec<u8>),
}

impl Action {
    /// Makes work a task.
    pub(super) fn with_task(mut self, wanted: Option<TaskWanted>) -> Self {
        if let Action::Run(pending) = &mut self {
            pending.task = wanted;
        }
        self
    }
}

#[derive(Deserialize)]
struct Params<'a> {
    #[serde(borrow, rename = "taskId")]
    task_id: Cow<'a, str>,
    #[serde(default, rename = "inputResponses")]
    input_responses: Option<Answers>,
}

#[derive(Deserialize)]
struct CallParams<'a> {
    #[serde(borrow, default)]
    task: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Wish {
    #[serde(default)]
    ttl: Option<f64>,
}

impl Engine {
    /// Whether a call can be a task at all. Where none can, nothing here is declared, and `task` is ignored.
    fn has_tasks(&self) -> bool {
        self.catalog.tools().iter().any(|tool: &Tool| tool.spec().task_support != TaskSupport::Forbidden)
    }

    /// Says so among what the server can do.
    pub(super) fn name_tasks(&self, revision: Revision, capabilities: &mut Value) {
        if self.has_tasks() && revision.is_stateless() {
            capabilities["extensions"] = json!({ "io.modelcontextprotocol/tasks": {} });
        } else if self.has_tasks() && revision.has_task_requests() {
            capabilities["tasks"] = json!({ "list": {}, "cancel": {}, "requests": { "tools": { "call": {} } } });
        }
    }

    /// Whether a call is to be a task.
    pub(super) fn task_wanted(&self, peer: &Peer, spec: &Spec, params: Option<Raw<'_>>) -> Result<Option<TaskWanted>, Error> {
        let is_required = spec.task_support == TaskSupport::Required;
        let forbidden = |message| Err(Error { message: Cow::Borrowed(message), ..Error::method_not_found() });
        if peer.revision.is_stateless() {
            let is_declared = peer.client.capabilities.tasks;
            return match spec.task_support {
                TaskSupport::Required if !is_declared => Err(lacks_tasks()),
                TaskSupport::Required | TaskSupport::Optional if is_declared => {
                    Ok(Some(TaskWanted { ttl_ms: None, is_required }))
                }
                _ => Ok(None),
            };
        }
        let wish = if peer.revision.has_task_requests() && self.has_tasks() { wish(params)? } else { None };
        match (spec.task_support, wish) {
            (TaskSupport::Required, None) => forbidden("This tool is called as a task: it needs a `task` parameter"),
            (TaskSupport::Forbidden, Some(_)) => forbidden("This tool cannot be called as a task"),
            (_, Some(wish)) => Ok(Some(TaskWanted { ttl_ms: wish.ttl.map(whole), is_required: true })),
            (_, None) => Ok(None),
        }
    }

    /// The requests about tasks.
    pub(super) fn task(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        if !self.has_tasks() {
            return Err(Error::method_not_found());
        }
        let viewer = viewer(peer, caller);
        match request.method {
            "tasks/get" | "tasks/update" | "tasks/cancel" if peer.revision.is_stateless() => {
                if !peer.client.capabilities.tasks {
                    return Err(lacks_tasks());
                }
                let params = params(request.params)?;
                match request.method {
                    "tasks/get" => self.get_details(peer, viewer, request.id, &params),
                    "tasks/update" => self.update_task(viewer, request.id, params),
                    _ => self.cancel_quietly(viewer, request.id, &params),
                }
            }
            "tasks/get" | "tasks/result" | "tasks/cancel" if peer.revision.has_task_requests() => {
                let params = params(request.params)?;
                match request.method {
                    "tasks/get" => self.get_task(viewer, request.id, &params),
                    "tasks/result" => self.get_task_result(viewer, request.id, &params),
                    _ => self.cancel_task(viewer, request.id, &params),
                }
            }
            "tasks/list" if peer.revision.has_task_requests() => self.list_tasks(viewer, request),
            _ => Err(Error::method_not_found()),
        }
    }

    fn get_details(&self, peer: &Peer, viewer: Viewer<'_>, id: &Id, params: &Params<'_>) -> Result<Action, Error> {
        let tasks = self.tasks.borrow();
        let task = tasks.find(viewer, &params.task_id)?;
        Ok(reply(self.result(peer, id, Cache::No, |json| {
            task_message::write_task(json, task);
            task_message::write_details(json, task);
        })))
    }

    fn update_task(&self, viewer: Viewer<'_>, id: &Id, params: Params<'_>) -> Result<Action, Error> {
        let given = params.input_responses.ok_or_else(|| Error::invalid_params("Invalid params: no `inputResponses`"))?;
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.find(viewer, &params.task_id)?.origin.id;
        let taken = tasks.task_mut(task).map_or(Ok(Answers::new()), |task| task.update(viewer.now, given))?;
        Ok(Action::Task(TaskAction::Input(task, taken, self.acknowledgement(id))))
    }

    /// In the stateless dialect a cancellation is acknowledged whatever becomes of it.
    fn cancel_quietly(&self, viewer: Viewer<'_>, id: &Id, params: &Params<'_>) -> Result<Action, Error> {
        let mut tasks = self.tasks.borrow_mut();
        let task = tasks.find(viewer, &params.task_id)?.origin.id;
        let answer = self.acknowledgement(id);
        if tasks.end(task, viewer.now, End::Cancelled) {
            Ok(Action::Task(TaskAction::Stop(task, answer)))
        } else {
            Ok(reply(answer))
        }
    }

    /// An empty result of the stateless dialect.
    fn acknowledgement(&self, id: &Id) -> Vec<u8> {
        result(id, |json| {
            json.extend_from_slice(br#"{"resultType":"complete","#);
            self.write_meta(json);
            // The comma after `_meta` has nothing to part.
            json.pop();
            json.push(b'}');
        })
    }

    fn get_task(&self, viewer: Viewer<'_>, id: &Id, params: &Params<'_>) -> Result<Action, Error> {
        let tasks = self.tasks.borrow();
        Ok(reply(shown(id, tasks.find(viewer, &params.task_id)?)))
    }

    fn get_task_result(&self, viewer: Viewer<'_>, id: &Id, params: &Params<'_>) -> Result<Action, Error> {
        let tasks = self.tasks.borrow();
        let task = tasks.find(viewer, &params.task_id)?;
        if task.is_over() {
            Ok(reply(task_message::result(id, task)))
        } else {
            Ok(Action::Task(TaskAction::Await(id.clone(), task.origin.id)))
        }
    }

    fn cancel_task(&self, viewer: Viewer<'_>, id: &Id, params: &Params<'_>) -> Result<Action, Error> {
        let mut tasks = self.tasks.borrow_mut();
        let found = tasks.find(viewer, &params.task_id)?;
        let (task, status) = (found.origin.id, found.status());
        if !tasks.end(task, viewer.now, End::Cancelled) {
            return Err(Error::invalid_params(format!("Invalid params: the task is {} already", status.as_str())));
        }
        let answer = shown(id, tasks.find(viewer, &params.task_id)?);
        Ok(Action::Task(TaskAction::Stop(task, answer)))
    }

    fn list_tasks(&self, viewer: Viewer<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let (start, tasks) = (list::start(request.params)?, self.tasks.borrow());
        let mut members = Vec::new();
        list::write(&mut members, "tasks", start, tasks.list(viewer), |json, task| {
            json.push(b'{');
            task_message::write_task(json, task);
            json.push(b'}');
        })?;
        Ok(reply(result(request.id, |json| {
            json.push(b'{');
            json.extend_from_slice(&members);
            json.push(b'}');
        })))
    }
}

/// Refuses who wants to hear of tasks and does not say that he knows what they are. Others hear of none: the answer to
/// their request says so.
pub(super) fn check_listener(peer: &Peer, params: Option<Raw<'_>>) -> Result<(), Error> {
    let filter = params.and_then(|params| serde_json::from_str::<Value>(params.get()).ok()).unwrap_or_default();
    let is_about_tasks = filter["notifications"].get("taskIds").is_some();
    if is_about_tasks && !peer.client.capabilities.tasks { Err(lacks_tasks()) } else { Ok(()) }
}

/// -32021: the client did not declare the extension with this request.
fn lacks_tasks() -> Error {
    Error::missing_capability(&json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } }))
}

fn viewer<'a>(peer: &Peer, caller: Caller<'a>) -> Viewer<'a> {
    let Caller { principal, now, .. } = caller;
    Viewer { subject: &principal.subject, scopes: &principal.scopes, revision: peer.revision, now }
}

fn params(params: Option<Raw<'_>>) -> Result<Params<'_>, Error> {
    let params = params.and_then(|params| serde_json::from_str(params.get()).ok());
    params.ok_or_else(|| Error::invalid_params("Invalid params: the `taskId` of a task is needed"))
}

/// What the `task` parameter of a call says, if there is one.
fn wish(params: Option<Raw<'_>>) -> Result<Option<Wish>, Error> {
    let params = params.and_then(|params| serde_json::from_str::<CallParams<'_>>(params.get()).ok());
    let Some(task) = params.and_then(|params| params.task) else { return Ok(None) };
    let wish = task.get().starts_with('{').then(|| serde_json::from_str(task.get()).ok()).flatten();
    wish.map(Some).ok_or_else(|| Error::invalid_params("Invalid params: `task` must be an object with a number as `ttl`"))
}

/// Milliseconds, as far as they are some.
// A cast from a float stops at the ends of the range, and that is what is wanted.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
fn whole(ms: f64) -> u64 {
    ms as u64
}

/// The answer that shows a task of the handshake dialect.
fn shown(id: &Id, task: &Task) -> Vec<u8> {
    result(id, |json| {
        json.push(b'{');
        task_message::write_task(json, task);
        json.push(b'}');
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::mcp::task::tests::at;
    use crate::mcp::{Finished, Implementation, Work, read_one};
    use crate::principal::{Principal, Scopes};
    use crate::seal::KeyRing;
    use crate::tool::{Catalog, Output, Yield};
    use crate::world::{Kernel, World};
    use std::rc::Rc;

    const NEWEST: Revision = Revision::NEWEST;

    fn engine(support: TaskSupport) -> Engine {
        let mut catalog = Catalog::default();
        catalog.add(Tool::new("plain", "").handler(|_| async { Ok("") })).unwrap();
        catalog.add(Tool::new("job", "").task_support(support).handler(|_| async { Ok("") })).unwrap();
        let keys = KeyRing::generate(&World { now: at(0), random: &Kernel::new(), audit: &Nothing });
        Engine::new(Implementation::new("test", "1"), catalog, Rc::new(keys)).tells_changes(true)
    }

    fn ask(engine: &Engine, peer: &Peer, method: &str, params: &Value) -> Action {
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
        let principal = Principal::anonymous(Scopes::parse("tools:read", |_| true));
        let caller = Caller { principal: &principal, now: at(1), header: None };
        engine.receive(&mut peer.clone(), caller, read_one(message.as_bytes()).unwrap())
    }

    fn answer(action: Action) -> Value {
        match action {
            Action::Reply(_, json) | Action::Open(json) => serde_json::from_slice(&json).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    fn stateless(knows_tasks: bool) -> Peer {
        let mut peer = Peer { is_initialized: true, ..Peer::stranger(Revision::V2026_07_28) };
        peer.client.capabilities.tasks = knows_tasks;
        peer
    }

    /// A task of the tool `job`, which goes on; its id.
    fn begin(engine: &Engine, peer: &Peer) -> TaskId {
        let (id, request) = (TaskId::new([1; 16]), Id::parse("7").unwrap());
        let work = Work::Tool(engine.catalog().find("job").unwrap().clone());
        let call = Finished { id: &request, work: &work, peer };
        let principal = Principal::anonymous(Scopes::none());
        engine.begin_task(id, &call, (&principal, at(0)), TaskWanted { ttl_ms: None, is_required: true }).unwrap();
        let output = Ok(Yield::Output(Output::from("done")));
        engine.end_task(id, at(1), &call, &output);
        id
    }

    #[test]
    fn a_server_whose_tools_are_no_tasks_knows_nothing_of_them() {
        let engine = engine(TaskSupport::Forbidden);
        let call = ask(&engine, &Peer::stranger(NEWEST), "tools/call", &json!({"name": "job", "task": {"ttl": 1}}));
        assert!(matches!(call, Action::Run(pending) if pending.task.is_none()), "the parameter is ignored");
        for (peer, methods) in [
            (Peer::stranger(NEWEST), ["tasks/get", "tasks/result", "tasks/list", "tasks/cancel"]),
            (stateless(true), ["tasks/get", "tasks/update", "tasks/list", "tasks/cancel"]),
        ] {
            for method in methods {
                assert_eq!(answer(ask(&engine, &peer, method, &json!({"taskId": "x"})))["error"]["code"], -32601, "{method}");
            }
            let capabilities = engine.capabilities(peer.revision);
            assert!(capabilities.get("tasks").is_none() && capabilities.get("extensions").is_none());
        }
    }

    #[test]
    fn only_revisions_that_have_tasks_are_told_of_them() {
        let engine = engine(TaskSupport::Optional);
        for revision in Revision::ALL {
            let capabilities = engine.capabilities(revision);
            assert_eq!(capabilities.get("tasks").is_some(), revision == NEWEST);
            assert_eq!(capabilities.get("extensions").is_some(), revision.is_stateless());
        }
        for revision in &Revision::ALL[..3] {
            let call = ask(&engine, &Peer::stranger(*revision), "tools/call", &json!({"name": "job", "task": {}}));
            assert!(matches!(call, Action::Run(pending) if pending.task.is_none()));
        }
    }

    #[test]
    fn a_tool_that_must_be_a_task_is_refused_to_who_can_have_none() {
        let engine = engine(TaskSupport::Required);
        for revision in &Revision::ALL[..4] {
            let call = ask(&engine, &Peer::stranger(*revision), "tools/call", &json!({"name": "job"}));
            assert_eq!(answer(call)["error"]["code"], -32601, "{revision:?}");
        }
        assert_eq!(answer(ask(&engine, &stateless(false), "tools/call", &json!({"name": "job"})))["error"]["code"], -32021);
        let call = ask(&engine, &stateless(true), "tools/call", &json!({"name": "job"}));
        assert!(matches!(call, Action::Run(pending) if pending.task.is_some()));
    }

    #[test]
    fn tasks_go_on_when_what_is_offered_changes() {
        let before = engine(TaskSupport::Optional);
        let peer = Peer::stranger(NEWEST);
        let id = begin(&before, &peer);
        let after = engine(TaskSupport::Required).take_tasks(&before);
        let task = answer(ask(&after, &peer, "tasks/get", &json!({"taskId": id.to_string()})));
        assert_eq!(task["result"]["status"], "completed");
        let result = answer(ask(&after, &peer, "tasks/result", &json!({"taskId": id.to_string()})));
        assert_eq!(result["result"]["content"][0]["text"], "done");
    }

    #[test]
    fn who_listens_for_tasks_must_know_what_they_are() {
        let engine = engine(TaskSupport::Optional);
        let listen = |peer: &Peer| ask(&engine, peer, "subscriptions/listen", &json!({"notifications": {"taskIds": ["x"]}}));
        assert_eq!(answer(listen(&stateless(false)))["error"]["code"], -32021);
        assert!(matches!(listen(&stateless(true)), Action::Listen(_)));
    }

    #[test]
    fn parameters_that_name_no_task_are_refused() {
        let engine = engine(TaskSupport::Optional);
        for params in [json!({}), json!({"taskId": 5}), json!({"taskId": null}), json!({"taskId": "../x"})] {
            for (peer, method) in [(Peer::stranger(NEWEST), "tasks/result"), (stateless(true), "tasks/cancel")] {
                assert_eq!(answer(ask(&engine, &peer, method, &params))["error"]["code"], -32602, "{params}");
            }
        }
    }
}
