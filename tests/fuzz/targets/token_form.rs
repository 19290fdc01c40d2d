//! Any form of `/token`: tokens only for who brings a code or a refresh token that is good.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|form: &str| perchd::fuzzing::token(form));
