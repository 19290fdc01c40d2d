//! Work that is to be done, and what becomes of it.

use crate::limits;
#[cfg(feature = "tasks")]
use crate::mcp::TaskWanted;
use crate::mcp::answer::Cache;
use crate::mcp::ask::{Answers, Fingerprint, Round};
use crate::mcp::message::result;
use crate::mcp::{Caller, Engine, Error, Id, Peer, Token, error, prompts, resources, tools};
use crate::tool::{Arguments, Ask, Handler, Prompt, Resource, Tool, ToolError, Yield};
use serde_json::value::RawValue;
use std::time::Duration;

/// Work that is yet to be done.
#[derive(Debug)]
pub struct Pending {
    /// The request.
    pub id: Id,
    pub(crate) work: Work,
    /// With what; checked already.
    pub(crate) arguments: Arguments,
    /// Where progress goes, if the client wants any.
    pub(crate) progress: Option<Token>,
    /// Who asks, and how he is answered.
    pub(crate) peer: Peer,
    /// What the client has answered already, in the stateless dialect.
    pub(crate) answers: Answers,
    pub(crate) fingerprint: Fingerprint,
    /// Whether it is to be a task.
    #[cfg(feature = "tasks")]
    pub(crate) task: Option<TaskWanted>,
}

/// What is to be done.
#[derive(Clone, Debug)]
pub(crate) enum Work {
    Tool(Tool),
    Resource(Resource),
    Prompt(Prompt),
}

impl Work {
    /// How it is done.
    pub(crate) fn handler(&self) -> &Handler {
        match self {
            Work::Tool(tool) => tool.handler(),
            Work::Resource(resource) => &resource.handler,
            Work::Prompt(prompt) => &prompt.handler,
        }
    }

    /// What it is called in the audit.
    pub(crate) fn name(&self) -> &str {
        match self {
            Work::Tool(tool) => tool.spec().name(),
            Work::Resource(resource) => resource.about.uri.as_str(),
            Work::Prompt(prompt) => &prompt.spec.name,
        }
    }

    /// What it does to the world, as the audit shows it.
    pub(crate) fn effect(&self) -> Option<&'static str> {
        match self {
            Work::Tool(tool) => Some(tool.spec().effect().as_str()),
            Work::Resource(_) | Work::Prompt(_) => None,
        }
    }

    /// With what it is done, as the audit shows it.
    pub(crate) fn redacted(&self, arguments: &Arguments) -> Option<Box<RawValue>> {
        match self {
            Work::Tool(tool) => tool.redacted(arguments),
            Work::Resource(_) | Work::Prompt(_) => None,
        }
    }

    /// How long it may wait for a client that was asked something.
    pub(crate) fn patience(&self) -> Duration {
        match self {
            Work::Tool(tool) => tool.spec().patience,
            Work::Resource(_) | Work::Prompt(_) => Duration::from_secs(limits::INPUT_SECS),
        }
    }

    /// How long it may take.
    pub(crate) fn deadline(&self) -> Duration {
        match self {
            Work::Tool(tool) => tool.spec().deadline(),
            Work::Resource(_) | Work::Prompt(_) => Duration::from_secs(limits::CALL_SECS),
        }
    }
}

/// Work that is done, and for whom.
#[derive(Clone, Copy)]
pub(crate) struct Finished<'a> {
    pub(crate) id: &'a Id,
    pub(crate) work: &'a Work,
    pub(crate) peer: &'a Peer,
}

impl Engine {
    /// Writes the answer to a piece of work.
    pub(crate) fn finish(&self, pending: &Finished<'_>, outcome: &Result<Yield, ToolError>) -> Vec<u8> {
        let Finished { id, work, peer } = *pending;
        let revision = peer.revision;
        match (outcome, work) {
            (outcome, Work::Tool(tool)) => self.result(peer, id, Cache::No, |json| {
                tools::write_outcome(json, revision, tool, outcome);
            }),
            (Ok(Yield::Contents(contents)), _) => {
                self.result(peer, id, Cache::Never, |json| resources::write_contents(json, contents))
            }
            (Ok(Yield::Messages(messages)), Work::Prompt(prompt)) => {
                self.result(peer, id, Cache::No, |json| prompts::write_messages(json, &prompt.spec.about, messages, revision))
            }
            (Err(refusal), _) => error(Some(id), &Error::internal(refusal.to_string())),
            // A handler yields what its kind yields: the builders let nothing else be written.
            (Ok(_), _) => error(Some(id), &Error::internal("The handler yielded something else")),
        }
    }

    /// Writes the answer to a piece of work that cannot go on without input (MCP 2026-07-28).
    pub(crate) fn ask(
        &self,
        caller: Caller<'_>,
        pending: &Finished<'_>,
        round: (Fingerprint, &Answers),
        asked: &[(String, Ask)],
    ) -> Vec<u8> {
        let (fingerprint, answers) = round;
        let round = Round { keys: &self.keys, now: caller.now, principal: caller.principal, fingerprint };
        let mut members = Vec::new();
        match round.write_questions(&mut members, asked, answers) {
            Ok(()) => result(pending.id, |json| {
                json.extend_from_slice(br#"{"resultType":"input_required","#);
                self.write_meta(json);
                json.extend_from_slice(&members);
                json.push(b'}');
            }),
            Err(fault) => error(Some(pending.id), &fault),
        }
    }
}
