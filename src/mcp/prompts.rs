//! Prompts and the completion of arguments on the wire (MCP 2025-11-25, server/prompts, server/utilities/completion).

use crate::json::{Members, Raw};
use crate::limits;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::{Error, Revision, content};
use crate::tool::{Arguments, Catalog, Completer, Messages, Prompt};
use serde_json::Value;

/// Writes one prompt of a list.
pub(super) fn write_prompt(json: &mut Vec<u8>, prompt: &Prompt, revision: Revision) {
    let spec = &prompt.spec;
    json.extend_from_slice(br#"{"name":"#);
    value(json, &spec.name);
    if let Some(title) = spec.title.as_ref().filter(|_| revision.has_titles()) {
        member(json, "title", title);
    }
    member(json, "description", &spec.about);
    if !spec.args.is_empty() {
        let arguments = spec
            .args
            .iter()
            .map(|arg| serde_json::json!({ "name": arg.name, "description": arg.about, "required": arg.is_required }));
        member(json, "arguments", &arguments.collect::<Vec<_>>());
    }
    json.push(b'}');
}

/// Writes the members of the result of getting a prompt.
pub(super) fn write_messages(json: &mut Vec<u8>, about: &str, messages: &Messages, revision: Revision) {
    json.extend_from_slice(br#""description":"#);
    value(json, about);
    json.extend_from_slice(br#","messages":["#);
    for (index, (role, block)) in messages.0.iter().enumerate() {
        if index > 0 {
            json.push(b',');
        }
        json.extend_from_slice(br#"{"role":"#);
        value(json, role.as_str());
        json.extend_from_slice(br#","content":"#);
        content::write(json, block, revision);
        json.push(b'}');
    }
    json.push(b']');
}

pub(super) struct GetParams {
    pub(super) name: String,
    arguments: Members,
}

/// Reads the parameters of `prompts/get`.
pub(super) fn read_get(params: Option<Raw<'_>>) -> Result<GetParams, Error> {
    let params = params.and_then(|params| {
        let mut params = Members::read(params.get().as_bytes())?;
        let (name, arguments) = (params.text_if_any("name")?, Members::of(params.take("arguments").unwrap_or_default()));
        arguments.sound(())?;
        Some(GetParams { name, arguments })
    });
    params.ok_or_else(|| {
        Error::invalid_params("Invalid params: prompts/get needs the `name` of a prompt, and texts as `arguments`")
    })
}

impl GetParams {
    /// What was filled in, for each blank of the prompt.
    pub(super) fn fill(mut self, prompt: &Prompt) -> Result<Arguments, Error> {
        let names: Vec<String> = prompt.spec.args.iter().map(|arg| arg.name.clone()).collect();
        let mut values = Vec::with_capacity(names.len());
        for arg in &prompt.spec.args {
            values.push(match self.arguments.take(&arg.name).unwrap_or_default() {
                Value::String(text) => Value::String(text),
                Value::Null if !arg.is_required => Value::Null,
                Value::Null => {
                    return Err(Error::invalid_params(format!("Invalid params: the argument `{}` is missing", arg.name)));
                }
                _ => return Err(Error::invalid_params(format!("Invalid params: the argument `{}` must be a string", arg.name))),
            });
        }
        Ok(Arguments::new(names.into(), values))
    }
}

/// What is completed: of a prompt by its name, or of a resource by its URI.
enum Reference {
    Prompt(String),
    Resource(String),
}

/// What there is of an argument.
struct Argument {
    name: String,
    value: String,
}

fn read_complete(params: Option<Raw<'_>>) -> Option<(Reference, Argument)> {
    let mut params = Members::read(params?.get().as_bytes())?;
    let (mut reference, mut argument) = (Members::of(params.take("ref")?), Members::of(params.take("argument")?));
    let of = match &*reference.text("type") {
        "ref/prompt" => Reference::Prompt(reference.text("name")),
        "ref/resource" => Reference::Resource(reference.text("uri")),
        _ => return None,
    };
    let given = Argument { name: argument.text("name"), value: argument.text("value") };
    reference.sound(()).and_then(|()| argument.sound((of, given)))
}

/// What a client wants completed.
pub(super) struct Completion<'a> {
    /// What a token needs for it: the same as for that which is completed.
    pub(super) scope: &'a str,
    completers: &'a [Completer],
    argument: Argument,
}

impl<'a> Completion<'a> {
    pub(super) fn read(catalog: &'a Catalog, params: Option<Raw<'_>>) -> Result<Self, Error> {
        let (reference, argument) = read_complete(params)
            .ok_or_else(|| Error::invalid_params("Invalid params: completion/complete needs a `ref` and an `argument`"))?;
        let (scope, completers) = match reference {
            Reference::Prompt(name) => {
                let prompt = catalog.prompt(&name).ok_or_else(|| Error::invalid_params("Unknown prompt"))?;
                (prompt.scope(), &prompt.spec.completions)
            }
            Reference::Resource(uri) => {
                let known = catalog.resources().iter().find(|resource| resource.about.uri.as_str() == uri);
                let known = known.ok_or_else(|| Error::invalid_params("Unknown resource template"))?;
                (known.scope(), &known.about.completions)
            }
        };
        Ok(Completion { scope, completers, argument })
    }

    /// Writes the members of the result of `completion/complete`.
    pub(super) fn write(&self, json: &mut Vec<u8>) {
        let completer = self.completers.iter().find(|completer| completer.argument == self.argument.name);
        let values = completer.map(|completer| completer.complete(&self.argument.value)).unwrap_or_default();
        let shown = &values[..values.len().min(limits::COMPLETIONS)];
        json.extend_from_slice(br#""completion":{"values":"#);
        value(json, shown);
        member(json, "total", &values.len());
        member(json, "hasMore", &(shown.len() < values.len()));
        json.push(b'}');
    }
}
