//! Any bytes as a body: they are read or refused, and an id that is read goes back as it came.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perchd::mcp::{Body, Error, Headers, Message, dialect, error, read, read_one};
use serde_json::value::RawValue;
use std::collections::BTreeMap;

fuzz_target!(|body: &[u8]| {
    match read(body) {
        Ok(Body::One(message)) => {
            // What is passed over by code of ours is what serde finds sound.
            assert!(serde_json::from_slice::<&RawValue>(body).is_ok());
            check(&message);
        }
        Ok(Body::Batch(messages)) => {
            assert!(!messages.is_empty() && messages.len() <= perchd::limits::BATCH);
            for message in messages {
                if let Ok(message) = read_one(message.get().as_bytes()) {
                    check(&message);
                }
            }
        }
        Err(refusal) => assert!(matches!(refusal.code, -32700 | -32600)),
    }
});

fn check(message: &Message<'_>) {
    let headers = Headers { version: Some("2026-07-28"), method: Some("tools/call"), name: Some("=?base64?YWRk?=") };
    let _ = dialect(message, &headers);
    if let Message::Request { id, .. } = message {
        let answer = error(Some(id), &Error::parse());
        // As text: a number may be JSON and larger than any that serde reads.
        let answer: BTreeMap<&str, &RawValue> = serde_json::from_slice(&answer).expect("an answer is JSON");
        assert_eq!(answer["id"].get(), id.as_json());
    }
}
