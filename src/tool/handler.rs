//! How tools, resources and prompts do their work.

use crate::tool::{Arguments, Call, Contents, Messages, Output, ToolError};
use std::any::Any;
use std::future::{Future, Ready, ready};
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

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

/// What a handler gives back, at once or some time.
pub(crate) enum Outcome {
    /// It is there.
    Ready(Ready<Result<Yield, ToolError>>),
    /// It is waited for.
    Waits(Pin<Box<dyn Future<Output = Result<Yield, ToolError>>>>),
}

impl Outcome {
    /// What comes some time.
    pub(crate) fn waits(work: impl Future<Output = Result<Yield, ToolError>> + 'static) -> Self {
        Outcome::Waits(Box::pin(work))
    }

    /// What is there.
    pub(crate) fn ready(result: Result<Yield, ToolError>) -> Self {
        Outcome::Ready(ready(result))
    }
}

impl Future for Outcome {
    type Output = Result<Yield, ToolError>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match self.get_mut() {
            Outcome::Ready(result) => Pin::new(result).poll(context),
            Outcome::Waits(work) => work.as_mut().poll(context),
        }
    }
}

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
            let mut answer = handler(call);
            // What says `ready(…)` waits for nothing: it needs no block of the heap to wait in.
            if let Some(ready) = (&mut answer as &mut dyn Any).downcast_mut::<Ready<Result<T, ToolError>>>()
                && let Poll::Ready(result) = Pin::new(ready).poll(&mut Context::from_waker(Waker::noop()))
            {
                return Outcome::ready(result.map(wrap));
            }
            Outcome::waits(async move { answer.await.map(wrap) })
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::principal::{Principal, Scopes};
    use crate::tool::{Client, Nobody, Tool, Wire};

    fn outcome(tool: &Tool) -> Outcome {
        let call =
            Call::new(tool.read(None).unwrap(), Principal::anonymous(Scopes::none()), Client::default(), Wire::new(Nobody));
        let Handler::Local(handler) = tool.handler() else { panic!("it does not block") };
        handler(call)
    }

    #[test]
    fn what_is_ready_is_there_at_once_and_takes_no_block_to_wait_in() {
        let (is_ready, fails) = (ready::<Result<_, ToolError>>, || Err::<String, _>(ToolError::new("no")));
        assert!(matches!(outcome(&Tool::new("t", "").handler(move |_| is_ready(Ok("")))), Outcome::Ready(_)));
        assert!(matches!(outcome(&Tool::new("t", "").handler(move |_| ready(fails()))), Outcome::Ready(_)));
        assert!(matches!(outcome(&Tool::new("t", "").handler(|_| async { Ok("") })), Outcome::Waits(_)));
    }
}
