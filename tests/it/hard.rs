//! perchd under bad clients, for a long time, with faults around it, and behind a balancer: what takes minutes, and what is
//! measured. `PERCHD_MEASURED` names the program that ships.

// All of this is a test; the lint sees only what stands under #[test]. What the modules lend is for more tests than these.
// And its figures are printed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, clippy::similar_names, dead_code)]

mod abuse;
mod balancer;
mod board;
mod elsewhere;
mod faults;
mod oauth;
mod oauth_abuse;
mod sign_in;
mod soak;
mod tls;
mod wire;
