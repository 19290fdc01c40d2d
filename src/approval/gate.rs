//! A tool behind its approval: what the call is told, and when it goes on.

use crate::approval::Approvals;
use crate::approval::plans::{Full, Plan, Wanted, Word};
use crate::config::Confirm;
use crate::limits;
use crate::tool::{Answer, Call, Handler, Outcome, Tool, ToolError};
use std::fmt::Write;
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;
use tokio::task::spawn_blocking;
use tokio::time::timeout;

/// The key of the one question that is put to the client.
const KEY: &str = "approval";

/// The tool, which runs when a person has approved the call.
pub(crate) fn behind(tool: Tool, confirm: &Confirm, approvals: &Rc<Approvals>) -> Tool {
    let note = match confirm {
        Confirm::Page => "A person must approve each call on the board's page before it runs.".to_owned(),
        Confirm::Button(name) => format!("A person must press the button `{name}` at the board before each call runs."),
    };
    let gate = Rc::new(Gate { tool: tool.clone(), confirm: confirm.clone(), approvals: Rc::clone(approvals) });
    let handler = Handler::Local(Rc::new(move |call| {
        let gate = Rc::clone(&gate);
        Outcome::waits(async move {
            gate.pass(&call).await?;
            gate.run(call).await
        })
    }));
    let wait = Duration::from_secs(limits::PLAN_SECS + limits::PLAN_WAIT_SECS);
    tool.behind(&note, wait, handler)
}

/// One tool that needs approval.
struct Gate {
    tool: Tool,
    confirm: Confirm,
    approvals: Rc<Approvals>,
}

impl Gate {
    /// Runs what was approved.
    fn run(&self, call: Call) -> Outcome {
        match self.tool.handler() {
            Handler::Local(handler) => handler(call),
            Handler::Blocking(handler) => {
                let (handler, arguments) = (Arc::clone(handler), call.arguments().clone());
                Outcome::waits(async move {
                    let done = spawn_blocking(move || handler(arguments)).await;
                    done.unwrap_or_else(|_| Err(ToolError::new("The tool failed by a fault of its own.")))
                })
            }
        }
    }

    /// Ready when the call may run; else the error says what is missing.
    async fn pass(&self, call: &Call) -> Result<(), ToolError> {
        let Some(line) = self.tool.preview(call)? else { return Ok(()) };
        let plan = self.plan(call, line);
        if let Some(is_approved) = self.approvals.here(&plan) {
            return if is_approved { Ok(()) } else { Err(ToolError::new("It was not approved, and did not run.")) };
        }
        let plan = self.approvals.make(plan).map_err(|full| self.no_plan(full))?;
        match self.approvals.ask(&plan) {
            Word::Wait => {}
            word => return Self::heard(word),
        }
        let is_shown = self.confirm == Confirm::Page && call.client().capabilities.elicitation_url;
        match self.approvals.page().filter(|_| is_shown) {
            Some(page) => self.send_there(call, &plan, &page).await?,
            // A button is near; whoever asked for it may have a finger on it.
            None if self.confirm != Confirm::Page => {}
            None => return Err(self.missing(&plan)),
        }
        let wait = Duration::from_secs(limits::PLAN_WAIT_SECS);
        match timeout(wait, self.decided(&plan)).await {
            Ok(()) => Self::heard(self.approvals.ask(&plan)),
            Err(_) => Err(self.missing(&plan)),
        }
    }

    fn plan(&self, call: &Call, line: Vec<String>) -> Plan {
        let (principal, spec) = (call.principal(), self.tool.spec());
        let wanted = Wanted {
            subject: principal.subject.as_str().to_owned(),
            client: principal.client,
            grant: principal.grant,
            tool: spec.name().to_owned(),
            line,
        };
        let program = call.client().name.as_str().to_owned();
        Plan { id: self.approvals.new_id(), wanted, program, scope: spec.scope().to_owned(), confirm: self.confirm.clone() }
    }

    /// Has the client send its user to the page; ready when he is on his way, or has decided already.
    async fn send_there(&self, call: &Call, plan: &Plan, page: &str) -> Result<(), ToolError> {
        let message = format!("`{}` needs your approval. It would run: {}", plan.wanted.tool, shown(&plan.wanted.line));
        let id = plan.id.to_string();
        let mut asked = pin!(call.elicit_url(KEY, &message, page, &id));
        let mut decided = pin!(self.decided(plan));
        let first = poll_fn(|context| match decided.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(None),
            Poll::Pending => asked.as_mut().poll(context).map(Some),
        });
        let answer = timeout(Duration::from_secs(limits::PLAN_SECS), first).await;
        match answer {
            Ok(None | Some(Ok(Answer::Accepted(_)))) => Ok(()),
            Ok(Some(Ok(Answer::Declined | Answer::Cancelled))) => {
                self.approvals.withdraw(plan);
                Err(ToolError::new("Its user did not want to approve it, so that it did not run."))
            }
            // The client cannot, after all.
            Ok(Some(Err(_))) | Err(_) => Err(self.missing(plan)),
        }
    }

    /// Ready when somebody has decided, or nobody will.
    ///
    /// It does not take an approval: the one who looks next does.
    async fn decided(&self, plan: &Plan) {
        poll_fn(|context| if self.approvals.waits(plan, context.waker()) { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    fn heard(word: Word) -> Result<(), ToolError> {
        Err(ToolError::new(match word {
            Word::Go => return Ok(()),
            Word::No => {
                "A person looked at this call and rejected it. It did not run; do not call it again unless you are asked to."
            }
            Word::Wait | Word::Gone => "Nobody approved it in time, so that it did not run. Call it again to ask once more.",
        }))
    }

    /// What the model is to tell the person whom it works for.
    fn missing(&self, plan: &Plan) -> ToolError {
        let line = shown(&plan.wanted.line);
        let minutes = limits::PLAN_SECS / 60;
        let what = format!("It has not run yet: a person must approve it within {minutes} minutes. It would run: {line}");
        let how = match (&self.confirm, self.approvals.page()) {
            (Confirm::Button(name), _) => format!("Ask the person to press the button `{name}` at the board"),
            (Confirm::Page, Some(page)) => format!("Ask the person to open {page} in a browser, sign in and approve it"),
            (Confirm::Page, None) => "Ask the person to open the page /approvals of the board and approve it".to_owned(),
        };
        ToolError::new(format!("{what}\n{how}. After that, call this tool again with exactly the same arguments."))
    }

    fn no_plan(&self, full: Full) -> ToolError {
        ToolError::new(match (full, &self.confirm) {
            (Full::Long, _) => format!(
                "This needs the approval of a person, and is longer than the {} bytes that one can check. Make it shorter.",
                limits::PLAN_BYTES
            ),
            (Full::Button, Confirm::Button(name)) => {
                format!("Another call waits for the button `{name}`. Wait until it is pressed, or two minutes are over.")
            }
            _ => "Too many calls wait for approval. Wait until a person has decided on some of them.".to_owned(),
        })
    }
}

/// A command line for people: an element that could be taken for two, or for none, stands in quotes.
pub(crate) fn shown(line: &[String]) -> String {
    let mut text = String::new();
    for element in line {
        let is_plain = |c: char| c.is_ascii_alphanumeric() || "%+,-./:=@_{}[]\"".contains(c);
        let gap = if text.is_empty() { "" } else { " " };
        // Writing to a String does not fail.
        let _ = match element {
            plain if !plain.is_empty() && !plain.starts_with('"') && plain.chars().all(is_plain) => write!(text, "{gap}{plain}"),
            other => write!(text, "{gap}{other:?}"),
        };
    }
    text
}
