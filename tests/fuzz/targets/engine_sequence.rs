//! Any messages, one a line, in any order, at any revision: one answer for each request, none for anything else.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perchd::audit::Nothing;
use perchd::mcp::{Action, Caller, Dialect, Engine, Headers, Implementation, Message, Peer, Revision, dialect, read_one};
use perchd::principal::{Principal, Scopes};
use perchd::seal::KeyRing;
use perchd::tool::Catalog;
use perchd::world::{Kernel, Now, World};
use perchd::{Arg, Contents, Prompt, Resource, Tool};
use std::rc::Rc;

thread_local!(static ENGINE: Engine = engine());

const NOW: Now = Now { unix: perchd::limits::BUILD_UNIX_SECS, uptime_ms: 0 };

fn engine() -> Engine {
    let mut catalog = Catalog::default();
    let add = Tool::new("add", "").arg(Arg::number("a", "")).arg(Arg::strings("b", "").optional()).handler(|_| async { Ok("") });
    let raw = serde_json::json!({"type": "object", "properties": {"a": {"enum": [1, "x"]}}, "required": ["a"], "$ref": "#"});
    catalog.add(add).expect("a tool");
    catalog.add(Tool::new("raw", "").input_schema(&raw).needs_sampling().handler(|_| async { Ok("") })).expect("a tool");
    catalog.add(Tool::new("other", "").scope("other").handler(|_| async { Ok("") })).expect("a tool");
    let resource = Resource::new("a://{b}/c", "r").handler(|_| async { Ok(Contents::text("a://b/c", "")) });
    catalog.add_resource(resource).expect("a resource");
    let prompt = Prompt::new("p", "").arg("x", "").complete("x", |typed| vec![typed.to_owned(); 150]).handler(|_| async { Ok("") });
    catalog.add_prompt(prompt).expect("a prompt");
    let keys = KeyRing::generate(&World { now: NOW, random: &Kernel::new(), audit: &Nothing });
    Engine::new(Implementation::new("fuzz", "0"), catalog, Rc::new(keys)).tells_changes(true)
}

fuzz_target!(|input: &[u8]| {
    let Some((first, lines)) = input.split_first() else { return };
    let revision = Revision::ALL[usize::from(*first) % Revision::ALL.len()];
    let principal = Principal::anonymous(Scopes::parse("tools:read resources:read prompts:read", |_| true));
    let mut peer = Peer::stranger(revision);
    for line in lines.split(|byte| *byte == b'\n').take(64) {
        let Ok(message) = read_one(line) else { continue };
        let asked = match &message {
            Message::Request { id, .. } => Some(id.clone()),
            _ => None,
        };
        let headers = Headers { version: revision.is_stateless().then_some("2026-07-28"), ..Headers::default() };
        if let Ok(Dialect::Stateless(envelope)) = dialect(&message, &headers) {
            peer = Peer::stateless(envelope);
        }
        let action = ENGINE.with(|engine| engine.receive(&mut peer, Caller { principal: &principal, now: NOW, header: None }, message));
        match (asked, action) {
            (Some(id), Action::Reply(status, json)) => {
                assert!(status < 500);
                let answer: serde_json::Value = serde_json::from_slice(&json).expect("an answer is JSON");
                assert_eq!(answer["id"], serde_json::from_str::<serde_json::Value>(id.as_json()).expect("an id is JSON"));
                assert!(answer.get("result").is_some() != answer.get("error").is_some());
            }
            (Some(_), Action::Accept | Action::Cancel(_) | Action::Answered(..)) => panic!("a request goes unanswered"),
            (Some(_), _) | (None, Action::Accept | Action::Cancel(_) | Action::Answered(..)) => {}
            (None, action) => panic!("nobody asked, and yet: {action:?}"),
        }
    }
});
