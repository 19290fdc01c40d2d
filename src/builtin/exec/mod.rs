//! What the owner declares, as tools, resources and prompts: commands that run without a shell, files, and texts.

pub(crate) mod argv;
mod capture;
mod child;
mod gate;
mod outcome;
mod program;
mod progress;
mod resource;

pub(crate) use child::{End, Ran};
pub(crate) use gate::Commands;
pub(crate) use outcome::refusal;
pub(crate) use program::Program;

use crate::approval::{self, Approvals};
use crate::builtin::exec::capture::Capture;
use crate::builtin::exec::child::Child;
use crate::builtin::exec::gate::{Gate, Permit, Share};
use crate::builtin::exec::progress::Reports;
use crate::config::declared::{Declared, DeclaredPrompt, DeclaredTool, Piece, Setting, dry_run};
use crate::errand;
use crate::error::Error;
use crate::limits;
use crate::tool::{Call, Catalog, Effect, Messages, Output, Prompt, Tool, ToolError};
use std::rc::Rc;
use std::time::Duration;
use tokio::sync::oneshot;

/// Offers all that is declared. `commands` outlives the configuration: what runs goes on running under the next one.
///
/// # Errors
/// When a name or URI is none, or is taken.
pub(crate) fn offer(
    catalog: &mut Catalog,
    declared: &Declared,
    commands: &Rc<Commands>,
    approvals: &Rc<Approvals>,
) -> Result<(), Error> {
    for declared in &declared.tools {
        let mut tool = tool(declared, commands);
        if let Some(confirm) = &declared.confirm {
            tool = approval::behind(tool, confirm, approvals);
        }
        catalog.add(tool).map_err(|error| error.at(&declared.place))?;
    }
    for declared in &declared.resources {
        catalog.add_resource(resource::resource(declared, commands)).map_err(|error| error.at(&declared.place))?;
    }
    for declared in &declared.prompts {
        catalog.add_prompt(prompt(declared)).map_err(|error| error.at(&declared.place))?;
    }
    Ok(())
}

fn tool(declared: &DeclaredTool, commands: &Rc<Commands>) -> Tool {
    let mut draft = Tool::new(&declared.name, &declared.about).audited().deadline(deadline(&declared.setting));
    if let Some(title) = &declared.title {
        draft = draft.title(title);
    }
    if let Some(scope) = &declared.scope {
        draft = draft.scope(scope);
    }
    draft = match declared.effect {
        Effect::Reads => draft,
        Effect::Writes => draft.writes(),
        Effect::Destroys => draft.destroys(),
    };
    for declared in &declared.args {
        draft = draft.arg(declared.arg.clone());
    }
    if declared.dry_run.is_some() {
        draft = draft.arg(dry_run());
    }
    if let crate::config::declared::Product::Json(Some(schema)) = &declared.product {
        draft = draft.output_schema(schema);
    }
    let share = Share { concurrency: declared.concurrency, rate: declared.rate, output_bytes: declared.setting.output_bytes };
    let gate = commands.gate(&declared.name);
    let (declared, commands) = (Rc::new(declared.clone()), Rc::clone(commands));
    let previewed = Rc::clone(&declared);
    let preview = move |call: &Call| {
        // Only to look needs nobody's approval.
        if is_dry(&previewed, call)? { Ok(None) } else { line(&previewed, call, false).map(Some) }
    };
    let tool = draft.handler(move |call| run(Rc::clone(&declared), Rc::clone(&commands), Rc::clone(&gate), share, call));
    tool.previewed(Rc::new(preview))
}

/// Whether a call asks only what would happen.
fn is_dry(declared: &DeclaredTool, call: &Call) -> Result<bool, ToolError> {
    Ok(declared.dry_run.is_some() && call.arg(dry_run().name())?)
}

/// The command line of a call.
fn line(declared: &DeclaredTool, call: &Call, is_dry: bool) -> Result<Vec<String>, ToolError> {
    let template = declared.dry_run.as_ref().filter(|_| is_dry).unwrap_or(&declared.run);
    argv::fill(template, &declared.args, |name| call.value(name))
}

/// When the server gives a call up that does not end by itself. A command's own time is up before.
fn deadline(setting: &Setting) -> Duration {
    setting.timeout + Duration::from_millis(limits::GRACE_MS + 4 * limits::AFTERLIFE_MS)
}

async fn run(
    declared: Rc<DeclaredTool>,
    commands: Rc<Commands>,
    gate: Rc<Gate>,
    share: Share,
    call: Call,
) -> Result<Output, ToolError> {
    let is_dry = is_dry(&declared, &call)?;
    let argv = line(&declared, &call, is_dry)?;
    let permit = commands.admit(&gate, share, &call.principal().subject)?;
    let is_stopped_when_full = is_dry || declared.effect == Effect::Reads;
    let mut capture = Capture::new(share.output_bytes, is_stopped_when_full);
    if declared.has_progress {
        capture.report(Reports::to(call));
    }
    let ran = execute(&argv, &declared.setting, capture, permit).await?;
    outcome::output(&declared.name, &declared.product, declared.setting.timeout, &ran)
}

/// Runs a command in a task of its own, which sees it to its end whatever becomes of the call: when nobody waits here any
/// more, it ends the command.
async fn execute(argv: &[String], setting: &Setting, capture: Capture, permit: Permit) -> Result<Ran, ToolError> {
    let child =
        Child::start(argv, setting).map_err(|error| ToolError::new(format!("The command cannot be started: {error}.")))?;
    let (mut caller, ran) = oneshot::channel();
    let timeout = setting.timeout;
    errand::begin(async move {
        let (mut child, _permit) = (child, permit);
        let ran = child.attend(capture, timeout, &mut caller).await;
        let _ = caller.send(ran);
        child.tidy().await;
    });
    ran.await.map_err(|_| ToolError::new("The board is stopping."))
}

fn prompt(declared: &DeclaredPrompt) -> Prompt {
    let mut draft = Prompt::new(&declared.name, &declared.about);
    if let Some(title) = &declared.title {
        draft = draft.title(title);
    }
    if let Some(scope) = &declared.scope {
        draft = draft.scope(scope);
    }
    for blank in &declared.blanks {
        draft = if blank.is_optional { draft.optional(&blank.name, &blank.about) } else { draft.arg(&blank.name, &blank.about) };
    }
    let text: Rc<[Piece]> = declared.text.as_slice().into();
    draft.handler(move |call| std::future::ready(filled(&text, &call)))
}

fn filled(text: &[Piece], call: &Call) -> Result<Messages, ToolError> {
    let mut filled = String::new();
    for piece in text {
        match piece {
            Piece::Text(text) => filled.push_str(text),
            Piece::Blank(name) => filled.push_str(&call.arg::<Option<String>>(name)?.unwrap_or_default()),
        }
    }
    Ok(Messages::user(filled))
}
