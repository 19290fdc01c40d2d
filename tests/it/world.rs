//! perchd driven from outside, in a world that other programs make: one moves its clock, one watches what it writes,
//! one gives it a machine of its own.

// All of this is a test; the lint sees only what stands under #[test]. What the modules lend is for more tests than these.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::similar_names, dead_code)]

mod board;
mod clock;
mod elsewhere;
mod oauth;
mod oauth_abuse;
mod sign_in;
mod wire;
mod writes;
