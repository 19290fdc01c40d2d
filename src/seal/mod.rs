//! Tokens that carry their own proof.
//!
//! perchd keeps no store: a registration, a code, a token, a session is its own record, sealed with HMAC-SHA256
//! (RFC 2104) under a key that is derived for that one purpose (RFC 5869). Who holds the [`KeyRing`] can tell whether a
//! text was written here, and what it says; who does not, can neither write one nor pass one kind for another.
//!
//! ```
//! use perchd::seal::{Forged, KeyRing, Purpose, Reader, Writer};
//! # use perchd::{audit, world};
//! # let kernel = world::Kernel::new();
//! # let now = world::Now { unix: 1_795_400_000, uptime_ms: 0 };
//! # let world = world::World { now, random: &kernel, audit: &audit::Nothing };
//! let ring = KeyRing::generate(&world);
//! let payload = Writer::<64>::new().u64(7).text("2025-11-25").finish()?;
//! let session = ring.seal(Purpose::Session, &payload);
//!
//! let opened = ring.open(Purpose::Session, session.as_bytes()).map_err(|Forged| "not ours")?;
//! let mut fields = Reader::new(&opened);
//! assert_eq!((fields.u64(), fields.text()), (Ok(7), Ok("2025-11-25")));
//! assert_eq!(fields.end(), Ok(()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod fields;
mod proved;
mod ring;
#[cfg(test)]
mod testing;
mod token;

pub use fields::{Full, Reader, Writer};
pub use ring::{Fault, KeyRing};
use token::TAG;
pub use token::{Forged, Opened, Purpose};
