//! perchd driven from outside, over its sockets and its command line.

// All of this is a test; the lint sees only what stands under #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::similar_names)]

mod board;
mod cli;
mod limits;
mod stop;
mod streams;
mod transcripts;
mod wire;
