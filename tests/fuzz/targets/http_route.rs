//! Any bytes on a connection: no panic, no 5xx, and an end.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let answers = perchd::fuzzing::converse(bytes);
    for head in answers.split(|byte| *byte == b'\n').filter(|line| line.starts_with(b"HTTP/1.")) {
        assert!(!head.get(9..).unwrap_or_default().starts_with(b"5"), "{}", String::from_utf8_lossy(head));
    }
});
