//! How tools, resources and prompts do their work.

use crate::tool::{Arguments, Call, Contents, Messages, Output, ToolError};
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

/// What work leads to.
#[derive(Clone, Debug)]
pub(crate) enum Yield {
    /// Of a tool.
    Output(Output),
    /// Of a resource.
    Contents(Vec<Contents>),
    /// Of a prompt.
    Messages(Messages),
}

/// What a handler gives back, some time.
pub(crate) type Outcome = Pin<Box<dyn Future<Output = Result<Yield, ToolError>>>>;

/// Work that runs on the server's thread.
pub(crate) type Local = Rc<dyn Fn(Call) -> Outcome>;

/// Work that blocks.
pub(crate) type Blocking = Arc<dyn Fn(Arguments) -> Result<Yield, ToolError> + Send + Sync>;

/// How work is done.
#[derive(Clone)]
pub(crate) enum Handler {
    /// On the one thread that everything runs on; need not be `Send`.
    Local(Local),
    /// On a thread of its own, because it blocks.
    Blocking(Blocking),
}

impl Handler {
    pub(crate) fn local<F, Fut, T>(handler: F, wrap: fn(T) -> Yield) -> Self
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Result<T, ToolError>> + 'static,
        T: 'static,
    {
        Handler::Local(Rc::new(move |call| {
            let answer = handler(call);
            Box::pin(async move { answer.await.map(wrap) })
        }))
    }

    pub(crate) fn blocking<F, T>(handler: F, wrap: fn(T) -> Yield) -> Self
    where
        F: Fn(Arguments) -> Result<T, ToolError> + Send + Sync + 'static,
        T: 'static,
    {
        Handler::Blocking(Arc::new(move |arguments| handler(arguments).map(wrap)))
    }
}
