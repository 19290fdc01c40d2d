//! The requests that are about what a server offers: lists, calls, readings.

use crate::mcp::answer::Cache;
use crate::mcp::ask::{self, Answers, Fingerprint, Round};
use crate::mcp::message::result;
use crate::mcp::{Action, Caller, Engine, Error, Id, Peer, Pending, Token, Work, engine, list, param, prompts, resources, tools};
use crate::tool::{Arguments, AskError, Tool, ToolError};
use engine::reply;
use serde_json::Value;
use serde_json::value::RawValue;

/// A request, taken apart.
pub(super) struct Request<'a> {
    pub(super) id: &'a Id,
    pub(super) method: &'a str,
    pub(super) params: Option<&'a RawValue>,
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
        let params = tools::read_call(request.params)?;
        let Some(tool) = self.catalog.find(&params.name) else {
            return Err(Error::invalid_params(format!("Unknown tool: {}", shortened(&params.name))));
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
        if let Some(header) = caller.header.filter(|_| peer.revision.is_stateless()) {
            param::check(spec.params(), params.arguments, header)?;
        }
        match tool.read(params.arguments) {
            Ok(arguments) => self.run(peer, caller, request, Work::Tool(tool.clone()), arguments),
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
        self.run(peer, caller, request, Work::Resource(resource.clone()), Arguments::new(names, values))
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
        self.run(peer, caller, request, Work::Prompt(prompt.clone()), arguments)
    }

    pub(super) fn run(
        &self,
        peer: &Peer,
        caller: Caller<'_>,
        request: &Request<'_>,
        work: Work,
        arguments: Arguments,
    ) -> Result<Action, Error> {
        let (fingerprint, answers) = if peer.revision.is_stateless() {
            let fingerprint = Fingerprint::of(request.method, request.params);
            let round = Round { keys: &self.keys, now: caller.now, principal: caller.principal, fingerprint };
            (fingerprint, round.answers(request.params)?)
        } else {
            (Fingerprint::default(), Answers::new())
        };
        let progress = Token::of(request.params);
        let (id, peer) = (request.id.clone(), peer.clone());
        Ok(Action::Run(Box::new(Pending { id, work, arguments, progress, peer, answers, fingerprint })))
    }

    pub(super) fn complete(&self, peer: &Peer, request: &Request<'_>) -> Result<Action, Error> {
        let mut members = Vec::new();
        prompts::complete(&mut members, &self.catalog, request.params)?;
        Ok(reply(self.result(peer, request.id, Cache::No, |json| json.extend_from_slice(&members))))
    }

    pub(super) fn watch(&self, peer: &Peer, caller: Caller<'_>, request: &Request<'_>) -> Result<Action, Error> {
        let uri = resources::uri(request.params)?;
        let known = self.catalog.resource(&uri).filter(|(resource, _)| caller.principal.scopes.contains(resource.scope()));
        if known.is_none() {
            return Err(Error::resource_not_found(shortened(&uri), peer.revision));
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
