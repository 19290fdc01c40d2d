//! What goes on by itself beside what waits for it.

use crate::error::Error;
use std::future::Future;
use std::pin::{Pin, pin};
use tokio::runtime::LocalRuntime;
use tokio::task::{JoinHandle, spawn_local};

/// Begins work in a task of its own. It is of one type, whatever it does: tokio's machinery for a task comes to 2 KB for each type
/// of it, so that what begins seldom is boxed. What each connection or call begins is not.
pub(crate) fn begin(work: impl Future<Output = ()> + 'static) -> JoinHandle<()> {
    let work: Pin<Box<dyn Future<Output = ()>>> = Box::pin(work);
    spawn_local(work)
}

/// Waits until work is done that has this thread to itself. It is of one type as well: 2.5 KB.
pub(crate) fn wait(runtime: &LocalRuntime, work: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    block(runtime, pin!(work))
}

fn block(runtime: &LocalRuntime, work: Pin<&mut dyn Future<Output = Result<(), Error>>>) -> Result<(), Error> {
    runtime.block_on(work)
}
