//! A call of the owner, on the board itself: checked, bounded and run as those of clients are, without a server.

use crate::approval::Board;
use crate::builtin::exec::Commands;
use crate::errand;
use crate::error::Error;
use crate::limits;
use crate::principal::{Principal, Scopes};
use crate::server::Server;
use crate::tool::{Call, Catalog, Client, Handler, Line, Output, ToolError, Wire, Yield};
use serde_json::value::RawValue;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::signal::ctrl_c;
use tokio::time::{sleep, timeout};

/// What can be called.
pub(crate) struct Local {
    catalog: Catalog,
    commands: Rc<Commands>,
}

impl Local {
    /// What `server` offers. `board` decides on calls that need approval.
    ///
    /// # Errors
    /// When a tool is wrong.
    pub(crate) fn of(server: Server, board: impl Board + 'static) -> Result<Self, Error> {
        server.offer.approvals.connect(board);
        let commands = Rc::clone(&server.offer.commands);
        Ok(Local { catalog: server.checked()?.1, commands })
    }

    /// What is offered.
    pub(crate) fn catalog(&self) -> &Catalog {
        &self.catalog
    }

    /// Calls a tool, as `subject`. What it says while it runs goes to `line`.
    ///
    /// # Errors
    /// When the system refuses an event loop. What becomes of the call is within.
    pub(crate) fn call(
        &self,
        name: &str,
        arguments: &RawValue,
        line: impl Line + 'static,
    ) -> Result<Result<Output, ToolError>, Error> {
        let runtime = super::runtime().map_err(super::unstarted)?;
        let mut done = Err(ToolError::new("It was given up."));
        errand::wait(&runtime, async {
            {
                let (mut given_up, mut running) = (pin!(ctrl_c()), pin!(self.run(name, arguments, Wire::new(line))));
                let first = poll_fn(|context| match given_up.as_mut().poll(context) {
                    Poll::Ready(_) => Poll::Ready(()),
                    Poll::Pending => running.as_mut().poll(context).map(|outcome| done = outcome),
                });
                first.await;
            }
            self.settle().await;
            Ok(())
        })?;
        Ok(done)
    }

    async fn run(&self, name: &str, arguments: &RawValue, wire: Rc<Wire>) -> Result<Output, ToolError> {
        let tool = self.catalog.find(name).ok_or_else(|| ToolError::new(format!("There is no tool `{name}`.")))?;
        let arguments = tool.read(Some(arguments.into()))?;
        let outcome = async {
            match tool.handler() {
                Handler::Local(handler) => {
                    let principal = Principal::anonymous(Scopes::none());
                    handler(Call::new(arguments, principal, Client::default(), wire)).await
                }
                Handler::Blocking(handler) => {
                    let handler = Arc::clone(handler);
                    let thread = tokio::task::spawn_blocking(move || handler(arguments));
                    thread.await.unwrap_or_else(|_| Err(ToolError::new("The tool failed by a fault of its own.")))
                }
            }
        };
        let deadline = tool.spec().deadline();
        let late = |_| Err(ToolError::new(format!("The tool did not finish within {} s.", deadline.as_secs_f64())));
        match timeout(deadline, outcome).await.unwrap_or_else(late)? {
            Yield::Output(output) => tool.check(&output).map(|()| output),
            _ => Err(ToolError::new("The tool returned something else.")),
        }
    }

    /// Waits until no command runs any more: what was given up is ended, with all that it left behind.
    async fn settle(&self) {
        let gone = async {
            while !self.commands.are_idle() {
                sleep(Duration::from_millis(5)).await;
            }
        };
        let _ = timeout(Duration::from_millis(limits::GRACE_MS + 4 * limits::AFTERLIFE_MS), gone).await;
    }
}
