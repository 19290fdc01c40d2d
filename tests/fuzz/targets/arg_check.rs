//! Any JSON as the arguments of a tool: within their bounds, or refused in words.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|json: &str| perchd::fuzzing::arg_check(json));
