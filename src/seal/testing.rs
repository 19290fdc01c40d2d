//! A ring and a world for the tests of this room.

use super::KeyRing;
use crate::audit::Nothing;
use crate::limits;
use crate::world::{Now, Random, World};

struct Sevens;

impl Random for Sevens {
    fn fill(&self, bytes: &mut [u8]) {
        bytes.fill(7);
    }
}

/// The same moment and the same bytes each time.
pub(super) fn world() -> World<'static> {
    World { now: Now { unix: limits::BUILD_UNIX_SECS + 100, uptime_ms: 0 }, random: &Sevens, audit: &Nothing }
}

/// The same ring each time.
pub(super) fn ring() -> KeyRing {
    KeyRing::generate(&world())
}
