//! Any first bytes on a port with TLS: no panic, an end, and an answer of the kind that was begun.
#![no_main]

use libfuzzer_sys::fuzz_target;

const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;

fuzz_target!(|bytes: &[u8]| {
    let (is_handshake, back) = perchd::fuzzing::greet(bytes);
    assert_eq!(is_handshake, bytes.first() == Some(&HANDSHAKE));
    match back.first() {
        None => {}
        Some(first) if is_handshake => assert!(matches!(*first, ALERT | HANDSHAKE) && back[1] == 3, "{back:?}"),
        Some(_) => assert!(back.starts_with(b"HTTP/1."), "{}", String::from_utf8_lossy(&back)),
    }
});
