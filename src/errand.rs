//! What goes on by itself beside what waits for it.

use std::future::Future;
use std::pin::Pin;

/// Work in a task of its own, of one type whatever it does: tokio's machinery for a task comes to 2 KB for each type of it.
pub(crate) type Errand = Pin<Box<dyn Future<Output = ()>>>;
