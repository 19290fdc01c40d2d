//! Any element of a command line and any argument: it arrives byte for byte, in one element, or is refused.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&str, &str)| perchd::fuzzing::argv_template(input.0, input.1));
