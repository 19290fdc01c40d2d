//! Any text as a configuration with declared tools: it is offered, or refused with its place.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| perchd::fuzzing::tool_toml(text));
