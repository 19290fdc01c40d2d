//! Any files as those of `/proc` and `/sys`: each tool that looks there keeps its promises.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|tree: &str| perchd::fuzzing::proc_parse(tree));
