//! Any order of pushing, reading, leaving and coming back: every event once, in order, in frames that a reader can split.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|steps: &[u8]| perchd::fuzzing::frames(steps));
