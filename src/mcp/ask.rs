//! Questions of a running call to its client: as requests of ours in the handshake dialect, as a result that asks for input
//! in the stateless one (MCP 2026-07-28, basic/utilities, multi round-trip requests).

use crate::json::Raw;
use crate::limits;
use crate::mcp::answer::member;
use crate::mcp::message::value;
use crate::mcp::{Error, Id};
use crate::principal::Principal;
use crate::seal::{KeyRing, Purpose, Reader, Writer};
use crate::tool::{Ask, Capabilities, Need};
use crate::world::Now;
use ring::digest::{Context, SHA256};
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use std::borrow::Cow;

/// Answers by the key of their question.
pub type Answers = Map<String, Value>;

/// The fingerprint of a call: which method, on what, with which arguments.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Fingerprint([u8; 16]);

impl Fingerprint {
    pub(super) fn of(method: &str, params: Option<Raw<'_>>) -> Self {
        #[derive(Deserialize)]
        struct Bound<'a> {
            #[serde(borrow, default)]
            name: Option<Cow<'a, str>>,
            #[serde(borrow, default)]
            uri: Option<Cow<'a, str>>,
            #[serde(default)]
            arguments: Value,
        }
        let bound = params.and_then(|params| serde_json::from_str::<Bound<'_>>(params.get()).ok());
        let bound = bound.map(|bound| json!([method, bound.name, bound.uri, bound.arguments])).unwrap_or_default();
        let mut hash = Context::new(&SHA256);
        hash.update(bound.to_string().as_bytes());
        let mut fingerprint = [0; 16];
        fingerprint.copy_from_slice(&hash.finish().as_ref()[..16]);
        Fingerprint(fingerprint)
    }
}

/// Whether a client can be asked this.
pub(crate) fn can(capabilities: Capabilities, need: Need) -> bool {
    match need {
        Need::Elicitation => capabilities.elicitation,
        Need::ElicitationUrl => capabilities.elicitation_url,
        Need::Sampling => capabilities.sampling,
        Need::Roots => capabilities.roots,
        Need::Presence => true,
    }
}

/// The capability that a client lacks, as -32021 names it.
pub(super) fn named(need: Need) -> Value {
    match need {
        Need::Elicitation => json!({"elicitation": {}}),
        Need::ElicitationUrl => json!({"elicitation": {"url": {}}}),
        Need::Sampling => json!({"sampling": {}}),
        Need::Roots => json!({"roots": {}}),
        Need::Presence => json!({}),
    }
}

/// Writes a request of ours.
pub(crate) fn request(id: &Id, ask: &Ask) -> Vec<u8> {
    let mut json = Vec::with_capacity(limits::REPLY_BYTES);
    json.extend_from_slice(br#"{"jsonrpc":"2.0","id":"#);
    json.extend_from_slice(id.as_json().as_bytes());
    member(&mut json, "method", ask.method);
    member(&mut json, "params", &ask.params);
    json.push(b'}');
    json
}

/// What a repeated call brings along.
#[derive(Deserialize)]
struct Brought<'a> {
    #[serde(default, rename = "inputResponses")]
    input_responses: Option<Answers>,
    #[serde(borrow, default, rename = "requestState")]
    request_state: Option<&'a RawValue>,
}

/// Whose state it is, for which call, and until when.
pub(crate) struct Round<'a> {
    pub(crate) keys: &'a KeyRing,
    pub(crate) now: Now,
    pub(crate) principal: &'a Principal,
    pub(crate) fingerprint: Fingerprint,
}

impl Round<'_> {
    /// The answers that a call brings: those of this round, and those of earlier ones out of its state.
    pub(super) fn answers(&self, params: Option<Raw<'_>>) -> Result<Answers, Error> {
        let Some(params) =
            params.filter(|params| params.get().contains("\"inputResponses\"") || params.get().contains("\"requestState\""))
        else {
            return Ok(Answers::new());
        };
        let bad = || Error::invalid_params("Invalid params: inputResponses or requestState cannot be read");
        let brought: Brought<'_> = serde_json::from_str(params.get()).map_err(|_| bad())?;
        let mut answers = match brought.request_state {
            None => Answers::new(),
            Some(state) => {
                let state: String = serde_json::from_str(state.get()).map_err(|_| bad())?;
                self.open(&state)
                    .ok_or_else(|| Error::invalid_params("Invalid params: the requestState is not valid (any more)"))?
            }
        };
        // Each kind of answer is an object. What is none answers nothing: the question is put once more.
        let given = brought.input_responses.unwrap_or_default();
        answers.extend(given.into_iter().filter(|(_, answer)| answer.is_object()));
        Ok(answers)
    }

    fn open(&self, state: &str) -> Option<Answers> {
        let payload = self.keys.open_within::<{ limits::STATE_TOKEN_BYTES }>(Purpose::RequestState, state.as_bytes()).ok()?;
        let mut fields = Reader::new(&payload);
        let (expires, grant, fingerprint) = (fields.u64().ok()?, fields.array::<16>().ok()?, fields.array::<16>().ok()?);
        let (subject, answers) = (fields.text().ok()?, fields.text().ok()?);
        fields.end().ok()?;
        let is_ours = expires > self.now.unix
            && grant == self.principal.grant.0
            && subject == self.principal.subject
            && fingerprint == self.fingerprint.0;
        is_ours.then(|| serde_json::from_str(answers).ok()).flatten()
    }

    /// Seals the answers that were given so far; `None` when they are too long to be carried.
    fn seal(&self, answers: &Answers) -> Option<String> {
        let answers = serde_json::to_string(answers).ok()?;
        let fields = Writer::<{ limits::STATE_TOKEN_BYTES }>::new()
            .u64(self.now.unix + limits::INPUT_SECS)
            .array(&self.principal.grant.0)
            .array(&self.fingerprint.0)
            .text(&self.principal.subject)
            .text(&answers);
        Some(self.keys.seal(Purpose::RequestState, &fields.finish().ok()?))
    }

    /// Writes the members of a result that asks for input.
    pub(super) fn write_questions(&self, json: &mut Vec<u8>, asked: &[(String, Ask)], answers: &Answers) -> Result<(), Error> {
        let state = self.seal(answers).ok_or_else(|| Error::internal("The answers are too long to be carried along"))?;
        let mut questions = Map::new();
        for (key, ask) in asked {
            questions.insert(key.clone(), json!({ "method": ask.method, "params": ask.params }));
        }
        json.extend_from_slice(br#""inputRequests":"#);
        value(json, &questions);
        member(json, "requestState", &state);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Nothing;
    use crate::principal::{GrantId, Scopes};
    use crate::world::{Kernel, World};

    struct Bench {
        keys: KeyRing,
        ada: Principal,
    }

    const CALL: &str = r#"{"name":"reboot","arguments":{"when":"now"}}"#;

    fn bench() -> Bench {
        let now = Now { unix: limits::BUILD_UNIX_SECS, uptime_ms: 0 };
        let keys = KeyRing::generate(&World { now, random: &Kernel::new(), audit: &Nothing });
        Bench { keys, ada: Principal::anonymous(Scopes::none()) }
    }

    fn round<'a>(bench: &'a Bench, principal: &'a Principal, secs: u64, call: &str) -> Round<'a> {
        let now = Now { unix: limits::BUILD_UNIX_SECS + secs, uptime_ms: secs * 1000 };
        Round { keys: &bench.keys, now, principal, fingerprint: Fingerprint::of("tools/call", Raw::read(call)) }
    }

    fn answers(round: &Round<'_>, state: &str, responses: &str) -> Result<Answers, Error> {
        let params = format!(r#"{{"inputResponses":{responses},"requestState":"{state}"}}"#);
        round.answers(Raw::read(&params))
    }

    #[test]
    fn a_state_is_good_for_one_person_one_call_and_a_while() {
        let bench = bench();
        let given = Answers::from_iter([("a".to_owned(), json!(1))]);
        let state = round(&bench, &bench.ada, 0, CALL).seal(&given).unwrap();
        let bob = Principal { grant: GrantId([9; 16]), ..bench.ada.clone() };
        assert!(answers(&round(&bench, &bob, 1, CALL), &state, "{}").is_err());
        assert!(answers(&round(&bench, &bench.ada, limits::INPUT_SECS, CALL), &state, "{}").is_err());
        let other = r#"{"name":"reboot","arguments":{"when":"later"}}"#;
        assert!(answers(&round(&bench, &bench.ada, 1, other), &state, "{}").is_err());
        let all = answers(&round(&bench, &bench.ada, 1, CALL), &state, r#"{"b":{},"extra":{}}"#).unwrap();
        assert_eq!(all.keys().collect::<Vec<_>>(), ["a", "b", "extra"]);
    }

    #[test]
    fn an_answer_that_is_no_object_answers_nothing() {
        let bench = bench();
        let here = round(&bench, &bench.ada, 0, CALL);
        let state = here.seal(&Answers::new()).unwrap();
        let given = answers(&here, &state, r#"{"a":12345,"b":null,"c":[],"d":"{}","e":{}}"#).unwrap();
        assert_eq!(given.keys().collect::<Vec<_>>(), ["e"]);
    }

    #[test]
    fn a_state_that_was_tampered_with_is_refused() {
        let bench = bench();
        let here = round(&bench, &bench.ada, 0, CALL);
        let state = here.seal(&Answers::new()).unwrap();
        for position in 0..state.len() {
            let mut flipped = state.clone().into_bytes();
            flipped[position] = if flipped[position] == b'A' { b'B' } else { b'A' };
            assert_eq!(answers(&here, &String::from_utf8(flipped).unwrap(), "{}").unwrap_err().code, -32602);
        }
        assert!(answers(&here, "", "{}").is_err());
        assert!(answers(&here, &state, "[]").is_err());
    }

    #[test]
    fn answers_too_long_to_be_carried_are_not() {
        let bench = bench();
        let long = Answers::from_iter([("a".to_owned(), json!("x".repeat(limits::STATE_TOKEN_BYTES)))]);
        assert!(round(&bench, &bench.ada, 0, CALL).seal(&long).is_none());
    }
}
