//! Any query of `/authorize`: a page, or word to the client where it is registered, and never a code.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|query: &str| perchd::fuzzing::authorize(query));
