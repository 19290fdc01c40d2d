//! perchd driven from outside, over its sockets and its command line.

// All of this is a test; the lint sees only what stands under #[test].
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::similar_names)]

mod approval;
mod audit;
mod board;
mod boxed;
mod certificates;
mod cli;
mod commands;
mod configs;
mod declared;
mod device;
mod embed;
mod fixtures;
mod fleet;
mod grant_abuse;
mod http_abuse;
mod init;
mod limits;
mod log;
mod oauth;
mod oauth_abuse;
mod oauth_pages;
mod oauth_tokens;
mod owners;
mod package;
mod passwords;
mod reference;
mod registry;
mod reload;
mod scopes;
mod services;
mod sign_in;
mod stop;
mod stream_abuse;
mod streams;
mod systemd;
#[cfg(feature = "tasks")]
mod tasks;
mod threats;
mod tls;
mod token_abuse;
mod transcripts;
mod watching;
mod wire;
