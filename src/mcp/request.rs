//! The requests that are about what a server offers: lists, calls, readings.

use crate::json::Raw;
use crate::mcp::answer::Cache;
use crate::mcp::ask::{self, Answers, Fingerprint, Round};
use crate::mcp::message::result;
use crate::mcp::prompts::{self, Completion};
use crate::mcp::{Action, Caller, Engine, Error, Id, Params, Peer, Pending, Subscription, Token, Work};
use crate::mcp::{engine, list, param, resources, tools};
use crate::tool::{Arguments, AskError, Tool, ToolError};
use engine::reply;
use serde_json::Value;

/// A request, taken apart.
pub(super) struct Request<'a> {
    pub(super) id: &'a Id,
    pub(super) method: &'a str,
    pub(super) params: Option<Raw<'a>>,
    /// The same, with what they hold.
    pub(super) parts: Option<Params<'a>>,
}

impl Engine {
    pub(super) fn list(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let start = list::start(request.params)?;
        let (scopes, revision) = (&caller.principal.scopes, peer.revision);
        let resources = |is_template| {
            let all = self.catalog.resources().iter().filter(move |resource| resource.about.uri.is_template() == is_template);
            all.filter(|resource| scopes.contains(resource.scope()))
        };
        let mut members = Vec::new();
        match request.method {
            "tools/list" => {
                let tools = self.catalog.tools().iter().map(Tool::spec).filter(|spec| scopes.contains(spec.scope()));
                list::write(&mut members, "tools", start, tools, |json, spec| tools::write_tool(json, spec, revision))?;
            }
            _ if self.catalog.prompts().is_empty() && request.method == "prompts/list" => return Err(Error::method_not_found()),
            "prompts/list" => {
                let prompts = self.catalog.prompts().iter().filter(|prompt| scopes.contains(prompt.scope()));
                list::write(&mut members, "prompts", start, prompts, |json, prompt| {
                    prompts::write_prompt(json, prompt, revision);
                })?;
            }
            _ if self.catalog.resources().is_empty() => return Err(Error::method_not_found()),
            method => {
                let is_template = method == "resources/templates/list";
                let name = if is_template { "resourceTemplates" } else { "resources" };
                let write = |json: &mut Vec<u8>, resource| resources::write_resource(json, resource, revision);
                list::write(&mut members, name, start, resources(is_template), write)?;
            }
        }
        Ok(reply(self.result(peer, request.id, Cache::Private, |json| json.extend_from_slice(&members))))
    }

    pub(super) fn call(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let (name, params) = tools::read_call(request.parts)?;
        let Some(tool) = self.catalog.find(&name) else {
            return Err(Error::invalid_params(format!("Unknown tool: {}", shortened(&name))));
        };
        let spec = tool.spec();
        if !caller.principal.scopes.contains(spec.scope()) {
            return Ok(Action::Forbid { id: request.id.clone(), scope: spec.scope().to_owned() });
        }
        let capabilities = peer.client.capabilities;
        if let Some(need) = spec.needs.iter().find(|need| !ask::can(capabilities, **need)) {
            if peer.revision.is_stateless() {
                return Err(Error::missing_capability(&ask::named(*need)));
            }
            // The handshake dialect has no error for it: the model is told.
            let told = ToolError::from(AskError::Unsupported);
            return Ok(reply(self.result(peer, request.id, Cache::No, |json| tools::write_refusal(json, &told))));
        }
        #[cfg(feature = "tasks")]
        let task = self.task_wanted(peer, spec, request.params)?;
        if let Some(header) = caller.header.filter(|_| peer.revision.is_stateless()) {
            param::check(&spec.params, params.arguments, header)?;
        }
        match tool.read(params.arguments) {
            Ok(arguments) => {
                let progress = Token::within(params.meta);
                let action = self.run(peer, caller, request, (Work::Tool(tool.clone()), progress), arguments);
                #[cfg(feature = "tasks")]
                let action = action.map(|action| action.with_task(task));
                action
            }
            // MCP 2025-11-25, server/tools, error handling: bad input is a result, so that the model can mend it.
            Err(refusal) => Ok(reply(self.result(peer, request.id, Cache::No, |json| tools::write_refusal(json, &refusal)))),
        }
    }

    pub(super) fn read(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let uri = resources::uri(request.params)?;
        let Some((resource, values)) = self.catalog.resource(&uri) else {
            return Err(Error::resource_not_found(shortened(&uri), peer.revision));
        };
        if !caller.principal.scopes.contains(resource.scope()) {
            return Ok(Action::Forbid { id: request.id.clone(), scope: resource.scope().to_owned() });
        }
        let names = resource.about.uri.names().map(str::to_owned).chain(["uri".to_owned()]).collect();
        let values = values.into_iter().map(Value::String).chain([Value::String(uri.into_owned())]).collect();
        let work = (Work::Resource(resource.clone()), Token::of(request.params));
        self.run(peer, caller, request, work, Arguments::new(names, values))
    }

    pub(super) fn get(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let params = prompts::read_get(request.params)?;
        let Some(prompt) = self.catalog.prompt(&params.name) else {
            return Err(Error::invalid_params(format!("Unknown prompt: {}", shortened(&params.name))));
        };
        if !caller.principal.scopes.contains(prompt.scope()) {
            return Ok(Action::Forbid { id: request.id.clone(), scope: prompt.scope().to_owned() });
        }
        let arguments = params.fill(prompt)?;
        self.run(peer, caller, request, (Work::Prompt(prompt.clone()), Token::of(request.params)), arguments)
    }

    pub(super) fn run(
        &self,
        peer: &Peer,
        caller: Caller<'_>,
        request: &Request<'_>,
        (work, progress): (Work, Option<Token>),
        arguments: Arguments,
    ) -> Result<Action, Error> {
        let (fingerprint, answers) = if peer.revision.is_stateless() {
            let fingerprint = Fingerprint::of(request.method, request.params);
            let round = Round { keys: &self.keys, now: caller.now, principal: caller.principal, fingerprint };
            (fingerprint, round.answers(request.params)?)
        } else {
            (Fingerprint::default(), Answers::new())
        };
        let (id, peer) = (request.id.clone(), peer.clone());
        Ok(Action::Run(Pending {
            id,
            work,
            arguments,
            progress,
            peer,
            answers,
            fingerprint,
            #[cfg(feature = "tasks")]
            task: None,
        }))
    }

    pub(super) fn complete(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let completion = Completion::read(&self.catalog, request.params)?;
        if !caller.principal.scopes.contains(completion.scope) {
            return Ok(Action::Forbid { id: request.id.clone(), scope: completion.scope.to_owned() });
        }
        Ok(reply(self.result(peer, request.id, Cache::No, |json| completion.write(json))))
    }

    pub(super) fn listen(&self, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let subscription = Subscription::read(request.id, request.params)?;
        // A resource that there is not (yet) needs no scope: there is nothing to hear of it.
        let watched = subscription.resources().filter_map(|uri| self.catalog.resource(uri)).map(|(resource, _)| resource.scope());
        let missing = { watched }.find(|scope| !caller.principal.scopes.contains(scope));
        Ok(match missing {
            Some(scope) => Action::Forbid { id: request.id.clone(), scope: scope.to_owned() },
            None => Action::Listen(subscription),
        })
    }

    pub(super) fn watch(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let uri = resources::uri(request.params)?;
        let Some((resource, _)) = self.catalog.resource(&uri) else {
            return Err(Error::resource_not_found(shortened(&uri), peer.revision));
        };
        if !caller.principal.scopes.contains(resource.scope()) {
            return Ok(Action::Forbid { id: request.id.clone(), scope: resource.scope().to_owned() });
        }
        let answer = result(request.id, |json| json.extend_from_slice(b"{}"));
        Ok(Action::Watch { uri: uri.into_owned(), begins: request.method == "resources/subscribe", answer })
    }
}

/// A name that a peer gave, as an error shows it.
fn shortened(name: &str) -> &str {
    const CHARS: usize = 64;
    name.char_indices().nth(CHARS).map_or(name, |(end, _)| &name[..end])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::limits;
    use crate::mcp::{Implementation, Revision, read_one};
    use crate::principal::{Principal, Scopes};
    use crate::seal::KeyRing;
    use crate::tool::{Catalog, Contents, Prompt, Resource};
    use crate::world::{Kernel, Now, World};
    use serde_json::json;
    use std::rc::Rc;

    const NOW: Now = Now { unix: limits::BUILD_UNIX_SECS, uptime_ms: 0 };

    fn engine() -> Engine {
        let mut catalog = Catalog::default();
        catalog.add(Tool::new("wipe", "Wipes the disk").destroys().scope("disk").handler(|_| async { Ok("") })).unwrap();
        let lamp = Resource::new("lamp://{room}", "A lamp").scope("lamp").complete("room", |_| vec!["hall".to_owned()]);
        catalog.add_resource(lamp.handler(|_| async { Ok(Contents::text("lamp://hall", "on")) })).unwrap();
        let report =
            Prompt::new("report", "A report").scope("talk").arg("room", "").complete("room", |_| vec!["hall".to_owned()]);
        catalog.add_prompt(report.handler(|_| async { Ok("") })).unwrap();
        let keys = KeyRing::generate(&World { now: NOW, random: &Kernel::new(), audit: &Nothing });
        Engine::new(Implementation::new("test", "1"), catalog, Rc::new(keys)).tells_changes(true)
    }

    fn asked(revision: Revision, scopes: &str, method: &str, params: &Value) -> Action {
        let mut peer = Peer { is_initialized: true, ..Peer::stranger(revision) };
        let principal = Principal::anonymous(Scopes::parse(scopes, |_| true));
        let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params}).to_string();
        let caller = Caller { principal: &principal, now: NOW, header: None };
        engine().receive(&mut peer, caller, read_one(message.as_bytes()).unwrap())
    }

    #[test]
    fn what_a_token_does_not_cover_is_neither_listed_nor_given_and_the_missing_scope_is_named() {
        let completion = |reference: Value| json!({"ref": reference, "argument": {"name": "room", "value": ""}});
        let uri = json!({"uri": "lamp://hall"});
        let of_template = completion(json!({"type": "ref/resource", "uri": "lamp://{room}"}));
        let watch = json!({"notifications": {"toolsListChanged": true, "resourceSubscriptions": ["no://such", "lamp://hall"]}});
        let report = json!({"name": "report", "arguments": {"room": "hall"}});
        let (old, new) = (Revision::NEWEST, Revision::V2026_07_28);
        for (revisions, method, params, scope) in [
            (&[old, new][..], "tools/call", &json!({"name": "wipe"}), "disk"),
            (&[old, new], "resources/read", &uri, "lamp"),
            (&[old], "resources/subscribe", &uri, "lamp"),
            (&[old], "resources/unsubscribe", &uri, "lamp"),
            (&[new], "subscriptions/listen", &watch, "lamp"),
            (&[old, new], "completion/complete", &of_template, "lamp"),
            (&[old, new], "prompts/get", &report, "talk"),
            (&[old, new], "completion/complete", &completion(json!({"type": "ref/prompt", "name": "report"})), "talk"),
        ] {
            for revision in revisions {
                for scopes in ["", "other"] {
                    let Action::Forbid { scope: named, .. } = asked(*revision, scopes, method, params) else {
                        panic!("{revision:?} {method}");
                    };
                    assert_eq!(named, scope, "{method}");
                }
                let action = asked(*revision, scope, method, params);
                let is_error = matches!(&action, Action::Reply(_, json) if json.windows(7).any(|part| part == b"\"error\""));
                assert!(!is_error && !matches!(action, Action::Forbid { .. }), "{revision:?} {method}: {action:?}");
            }
        }
    }

    #[test]
    fn lists_show_what_a_token_covers_in_both_dialects() {
        let lists = [
            ("tools/list", "tools", "disk"),
            ("resources/templates/list", "resourceTemplates", "lamp"),
            ("prompts/list", "prompts", "talk"),
        ];
        for (method, member, scope) in lists {
            for revision in [Revision::NEWEST, Revision::V2026_07_28] {
                for (scopes, length) in [("", 0), ("math other", 0), (scope, 1)] {
                    let Action::Reply(_, json) = asked(revision, scopes, method, &json!({})) else { panic!("{method}") };
                    let answer: Value = serde_json::from_slice(&json).unwrap();
                    assert_eq!(answer["result"][member].as_array().map(Vec::len), Some(length), "{method} {scopes}");
                }
            }
        }
    }
}
