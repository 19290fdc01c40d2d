//! One request to one response.

pub(crate) mod connect;
pub(crate) mod page;
