//! Any bytes as a token, and any payload in one: nothing is opened that was not sealed here, for this, to the bit.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perchd::audit::Nothing;
use perchd::seal::KeyRing;
use perchd::world::{Kernel, Now, World};

thread_local!(static RING: KeyRing = ring());

fn ring() -> KeyRing {
    let now = Now { unix: perchd::limits::BUILD_UNIX_SECS, uptime_ms: 0 };
    let kernel = Kernel::new();
    let world = World { now, random: &kernel, audit: &Nothing };
    KeyRing::generate(&world).rotated(&world)
}

fuzz_target!(|input: &[u8]| {
    RING.with(|ring| {
        for purpose in perchd::fuzzing::purposes() {
            assert!(ring.open(*purpose, input).is_err(), "{purpose:?} was never sealed");
        }
        let [which, at_0, at_1, bit, payload @ ..] = input else { return };
        let purposes = perchd::fuzzing::purposes();
        let purpose = purposes[usize::from(*which) % purposes.len()];
        let text = ring.seal(purpose, payload);
        let opened = ring.open(purpose, text.as_bytes());
        assert_eq!(opened.is_ok(), text.len() <= perchd::limits::TOKEN_BYTES);
        let Ok(opened) = opened else { return };
        assert_eq!(&*opened, payload);
        for other in perchd::fuzzing::purposes() {
            assert_eq!(ring.open(*other, text.as_bytes()).is_ok(), *other == purpose);
        }
        // One bit of the text, and then its bytes exchanged for others, cut and drawn out.
        let at = usize::from(u16::from_be_bytes([*at_0, *at_1])) % text.len();
        let mut broken = text.clone().into_bytes();
        broken[at] ^= 1 << (bit % 8);
        assert!(ring.open(purpose, &broken).is_err(), "a flipped bit at {at}");
        assert!(ring.open(purpose, &text.as_bytes()[..at]).is_err(), "cut at {at}");
        let mut spliced = text.into_bytes();
        spliced.splice(at.., payload.iter().copied());
        assert!(ring.open(purpose, &spliced).is_err() || spliced == ring.seal(purpose, payload).as_bytes());
    });
});
