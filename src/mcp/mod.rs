//! The protocol engine: messages in, decisions out. It opens no socket and waits for nothing.
//!
//! [`Engine::receive`] says what a message asks for; where that is work, the edge does it and has the engine write the
//! answer. Five revisions are two dialects: in that of the handshake, `initialize` settles once what both speak; in the
//! stateless one, each request says it for itself. What revisions differ in stands in [`Revision`].

mod answer;
mod ask;
mod content;
mod engine;
mod error;
mod handshake;
mod list;
mod logging;
mod message;
mod param;
mod progress;
mod prompts;
mod request;
mod resources;
mod revision;
mod session;
mod stateless;
mod subscription;
#[cfg(feature = "tasks")]
mod task;
#[cfg(feature = "tasks")]
mod task_message;
#[cfg(feature = "tasks")]
mod task_request;
#[cfg(feature = "tasks")]
mod task_running;
#[cfg(feature = "tasks")]
mod task_store;
mod tools;
mod work;

pub use ask::Answers;
pub(crate) use ask::{Fingerprint, can, request};
pub use engine::{Action, Caller, Engine, Headed, Peer};
pub use error::Error;
pub use handshake::Implementation;
pub(crate) use logging::notification as log_message;
pub use message::{Body, Id, Message, Params, error, error_without_null, read, read_batch, read_one};
pub use progress::Token;
pub use revision::Revision;
pub use session::Session;
pub use stateless::{Dialect, Envelope, Headers, dialect};
pub use subscription::Subscription;
pub(crate) use subscription::change_notification;
#[cfg(feature = "tasks")]
pub use task::TaskId;
#[cfg(feature = "tasks")]
pub(crate) use task_message::related as related_to_task;
#[cfg(feature = "tasks")]
pub use task_request::TaskAction;
#[cfg(feature = "tasks")]
pub(crate) use task_request::TaskWanted;
pub use work::Pending;
pub(crate) use work::{Finished, Work};
