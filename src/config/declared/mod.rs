//! What the owner declares: tools that run a command, resources and prompts; in the configuration, and in the files of
//! `tools.d` beside it.

mod argument;
pub(crate) mod argv;
pub(super) mod program;
mod quantity;
mod read;
mod shape;

pub(crate) use argv::{Element, Piece, Template};
pub(crate) use read::dry_run;
pub(super) use shape::{PromptTable, ResourceTable, Tables, ToolTable};

use crate::config::confirm::Confirm;
use crate::config::read::Source;
use crate::config::tree;
use crate::error::{Error, Exit};
use crate::limits;
use crate::order;
use crate::tool::{Arg, Effect};
use serde_json::Value;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The folder beside the configuration whose files declare more.
const FOLDER: &str = "tools.d";

/// What the owner declares, already checked.
#[derive(Clone, Debug, Default)]
pub struct Declared {
    pub(crate) tools: Vec<DeclaredTool>,
    pub(crate) resources: Vec<DeclaredResource>,
    pub(crate) prompts: Vec<DeclaredPrompt>,
}

/// A tool that runs a command.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredTool {
    /// The file and line, for errors.
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) about: String,
    pub(crate) scope: Option<String>,
    pub(crate) effect: Effect,
    pub(crate) args: Vec<DeclaredArg>,
    pub(crate) run: Template,
    /// What runs in its place when a call asks what would happen.
    pub(crate) dry_run: Option<Template>,
    /// Who must approve a call before it runs.
    pub(crate) confirm: Option<Confirm>,
    pub(crate) setting: Setting,
    pub(crate) rate: Option<Rate>,
    pub(crate) concurrency: usize,
    pub(crate) product: Product,
    /// Whether lines of its stderr say how far it has got.
    pub(crate) has_progress: bool,
}

/// An argument, and what holds beyond its schema.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredArg {
    pub(crate) arg: Arg,
    /// Whether a value may begin with a hyphen.
    pub(crate) allows_dash: bool,
    /// The element that a boolean stands for.
    pub(crate) flag: Option<String>,
}

/// How a command is run.
#[derive(Clone, Debug)]
pub(crate) struct Setting {
    pub(crate) cwd: PathBuf,
    pub(crate) env: Vec<(String, String)>,
    pub(crate) timeout: Duration,
    pub(crate) output_bytes: usize,
}

/// So many calls in so much time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rate {
    pub(crate) count: u32,
    pub(crate) per_ms: u64,
}

/// What becomes of what a command prints.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Product {
    /// It is for the model to read.
    Text,
    /// It is structured content, perhaps of this schema.
    Json(Option<Value>),
    /// It is a file of this type.
    File(String),
}

/// A resource.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredResource {
    pub(crate) place: String,
    pub(crate) uri: String,
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) about: Option<String>,
    pub(crate) mime: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) origin: Origin,
}

/// Where the contents of a resource come from.
#[derive(Clone, Debug)]
pub(crate) enum Origin {
    /// From a file.
    File { path: PathBuf, most_bytes: usize },
    /// From what a command prints.
    Command { run: Template, setting: Setting },
}

/// A prompt.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredPrompt {
    pub(crate) place: String,
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) about: String,
    pub(crate) scope: Option<String>,
    pub(crate) blanks: Vec<DeclaredBlank>,
    pub(crate) text: Vec<Piece>,
}

/// A blank of a prompt.
#[derive(Clone, Debug)]
pub(crate) struct DeclaredBlank {
    pub(crate) name: String,
    pub(crate) about: String,
    pub(crate) is_optional: bool,
}

impl Declared {
    /// Adds what the files of `tools.d` declare, in the order of their names. `config` is the file that they stand beside.
    pub(super) fn read_folder(&mut self, config: &Path) -> Result<(), Error> {
        let folder = config.parent().unwrap_or(Path::new("")).join(FOLDER);
        for path in files(&folder).map_err(|error| unread(&folder, error))? {
            let text = read_text(&path).map_err(|error| unread(&path, error))?;
            self.read_text(&text, &path)?;
        }
        Ok(())
    }

    /// Adds what such a file declares.
    pub(super) fn read_text(&mut self, text: &str, path: &Path) -> Result<(), Error> {
        let source = Source { text, path };
        let tables: Tables = tree::read(text).map_err(|fault| source.unread(&fault))?;
        self.add(&source, &tables)
    }

    /// Adds what these tables declare.
    pub(super) fn add(&mut self, source: &Source<'_>, tables: &Tables) -> Result<(), Error> {
        let Declared { tools, resources, prompts } = self;
        each(source, tools, &tables.tool, |table| source.tool(table))?;
        each(source, resources, &tables.resource, |table| source.resource(table))?;
        each(source, prompts, &tables.prompt, |table| source.prompt(table))
    }
}

fn each<T, U>(
    source: &Source<'_>,
    declared: &mut Vec<T>,
    tables: &[toml::Spanned<U>],
    read: impl Fn(&toml::Spanned<U>) -> Result<T, Error>,
) -> Result<(), Error> {
    for table in tables {
        if declared.len() >= limits::DECLARED {
            let what = format!("there are more than {} of these", limits::DECLARED);
            return Err(source.fault(table.span(), what, "A model chooses badly among so many: declare fewer."));
        }
        declared.push(read(table)?);
    }
    Ok(())
}

/// The files of the folder; a folder that is not there has none.
fn files(folder: &Path) -> io::Result<Vec<PathBuf>> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries?,
    };
    let mut files = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "toml") {
            files.push(path);
        }
        if files.len() > limits::TOOL_FILES {
            return Err(io::Error::other(format!("there are more than {} files", limits::TOOL_FILES)));
        }
    }
    order::sort(&mut files, |a, b| a < b);
    Ok(files)
}

/// A file as text, if it is no longer than any of these is.
pub(super) fn read_text(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(limits::CONFIG_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > limits::CONFIG_BYTES {
        return Err(io::Error::other(format!("it is longer than {} MiB", limits::CONFIG_BYTES / 1024 / 1024)));
    }
    Ok(text)
}

fn unread(path: &Path, error: io::Error) -> Error {
    let remedy = "Check who owns it: perchd must be able to read it, and it must be text in UTF-8.";
    Error::new(Exit::Config, "cannot read what is declared").at(path.display()).because(error).remedy(remedy)
}
