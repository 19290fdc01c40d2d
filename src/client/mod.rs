//! perchd as a client: one HTTP request to one response, over TLS or plain, and the sign-in that a server asks for.
//!
//! [`http`], [`tls`] and [`sse`] know nothing of MCP or OAuth; [`oauth`] stands on them.

pub(crate) mod body;
pub(crate) mod dial;
pub(crate) mod fault;
pub(crate) mod http;
pub(crate) mod oauth;
pub(crate) mod sse;
pub(crate) mod tls;
pub(crate) mod url;
