//! The protocol engine: messages in, decisions out. It opens no socket and waits for nothing.
//!
//! [`Engine::receive`] says what a message asks for; where that is work, the edge does it and [`Engine::finish`] writes
//! the answer. The revisions 2024-11-05 to 2025-11-25 are one dialect, which begins with `initialize`; what they differ
//! in stands in [`Revision`].

mod engine;
mod error;
mod handshake;
mod message;
mod progress;
mod revision;
mod session;
mod tools;

pub use engine::{Action, Engine, Peer, Pending};
pub use error::Error;
pub use handshake::Implementation;
pub use message::{Body, Id, Message, error, read, read_one};
pub use progress::Token;
pub use revision::Revision;
pub use session::Session;
