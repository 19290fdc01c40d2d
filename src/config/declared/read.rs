//! Tools, resources and prompts: from their tables to what is declared, or to the first thing that is wrong.

use super::argument::{argument_name, no_nul};
use super::argv::{Element, Piece, Template, element, pieces};
use super::shape::{PromptTable, ResourceTable, ToolTable};
use super::{
    DeclaredArg, DeclaredBlank, DeclaredPrompt, DeclaredResource, DeclaredTool, Origin, Product, Setting, program, quantity,
};
use crate::config::confirm::Confirm;
use crate::config::file::Placed;
use crate::config::read::Source;
use crate::config::tree::Named;
use crate::error::Error;
use crate::limits;
use crate::tool::{Arg, Effect, Kind};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The argument of a tool that can say what it would do.
const DRY_RUN: &str = "dry_run";

impl Source<'_> {
    pub(super) fn tool(&self, placed: &Placed<ToolTable>) -> Result<DeclaredTool, Error> {
        let table = placed.get_ref();
        let args = self.arguments(&table.args)?;
        let run = self.template(&table.run, &args)?;
        let dry_run = table.dry_run.as_ref().map(|run| self.template(run, &args)).transpose()?;
        self.all_used(&table.args, &[Some(&run), dry_run.as_ref()])?;
        let clash = table.args.0.iter().find(|(name, _)| name.get_ref() == DRY_RUN);
        if let (Some((name, _)), Some(_)) = (clash, &dry_run) {
            let what = "a tool with a dry run has the argument `dry_run` already";
            return Err(self.fault(name.span(), what, "Rename yours."));
        }
        let product = self.product(table)?;
        let output_bytes = if matches!(product, Product::File(_)) { limits::OUTPUT_FILE_BYTES } else { limits::OUTPUT_BYTES };
        Ok(DeclaredTool {
            place: self.place(Some(table.name.span())),
            name: table.name.get_ref().clone(),
            title: text(table.title.as_ref()),
            about: self.checked(&table.about, said)?,
            scope: text(table.scope.as_ref()),
            effect: self.checked(&table.effect, effect)?,
            args,
            run,
            dry_run,
            confirm: table.confirm.as_ref().map(|confirm| self.checked(confirm, Confirm::parse)).transpose()?,
            setting: Setting {
                cwd: self.cwd(table.cwd.as_ref())?,
                env: self.env(&table.env)?,
                timeout: self.or(table.timeout.as_ref(), quantity::time, Duration::from_secs(limits::CALL_SECS))?,
                output_bytes: self.or(table.max_output.as_ref(), quantity::size, output_bytes)?,
            },
            rate: table.rate.as_ref().map(|rate| self.checked(rate, quantity::rate)).transpose()?,
            concurrency: self.concurrency(table.concurrency.as_ref())?,
            product,
            has_progress: table.progress,
        })
    }

    pub(super) fn resource(&self, placed: &Placed<ResourceTable>) -> Result<DeclaredResource, Error> {
        let table = placed.get_ref();
        let most_bytes = self.or(table.max_size.as_ref(), quantity::size, limits::OUTPUT_FILE_BYTES)?;
        let longest = Duration::from_secs(limits::CALL_SECS);
        let timeout = self.or(table.timeout.as_ref(), quantity::time, longest)?;
        if let Some(given) = table.timeout.as_ref().filter(|_| timeout > longest) {
            let what = format!("a resource has at most {} s", limits::CALL_SECS);
            return Err(self.fault(given.span(), what, "What takes longer is a tool."));
        }
        let origin = match (&table.file, &table.run) {
            (Some(path), None) => Origin::File { path: self.absolute(path)?, most_bytes },
            (None, Some(run)) => Origin::Command {
                run: self.template(run, &[])?,
                setting: Setting {
                    cwd: self.cwd(table.cwd.as_ref())?,
                    env: self.env(&table.env)?,
                    timeout,
                    output_bytes: most_bytes,
                },
            },
            _ => {
                let what = "a resource has either a file or a command";
                return Err(self.fault(table.uri.span(), what, "Write file = \"/path\" or run = [\"/path\", …]."));
            }
        };
        Ok(DeclaredResource {
            place: self.place(Some(table.uri.span())),
            uri: self.checked(&table.uri, uri)?,
            name: self.checked(&table.name, said)?,
            title: text(table.title.as_ref()),
            about: text(table.about.as_ref()),
            mime: table.mime.as_ref().map(|mime| self.checked(mime, mime_type)).transpose()?,
            scope: text(table.scope.as_ref()),
            origin,
        })
    }

    pub(super) fn prompt(&self, placed: &Placed<PromptTable>) -> Result<DeclaredPrompt, Error> {
        let table = placed.get_ref();
        if let Some((name, _)) = table.args.0.get(limits::ARGUMENTS) {
            let what = format!("there are more than {} blanks", limits::ARGUMENTS);
            return Err(self.fault(name.span(), what, "A person fills few in: make two prompts of it."));
        }
        let text_pieces = self.checked(&table.text, pieces)?;
        let is_used = |name: &str| text_pieces.iter().any(|piece| matches!(piece, Piece::Blank(blank) if blank == name));
        let mut blanks = Vec::new();
        for (name, blank) in &table.args.0 {
            if !is_used(name.get_ref()) {
                let what = format!("the argument `{}` stands nowhere in the text", name.get_ref());
                return Err(self.fault(name.span(), what, "Write it into the text in braces, or take it out."));
            }
            let name = self.checked(name, argument_name)?;
            blanks.push(DeclaredBlank { name, about: blank.about.clone().unwrap_or_default(), is_optional: blank.optional });
        }
        for piece in &text_pieces {
            if let Piece::Blank(name) = piece
                && !blanks.iter().any(|blank| blank.name == *name)
            {
                let what = format!("there is no argument `{name}`");
                return Err(self.fault(table.text.span(), what, "Declare it, or write braces that are none twice: {{ }}"));
            }
        }
        Ok(DeclaredPrompt {
            place: self.place(Some(table.name.span())),
            name: table.name.get_ref().clone(),
            title: text(table.title.as_ref()),
            about: self.checked(&table.about, said)?,
            scope: text(table.scope.as_ref()),
            blanks,
            text: text_pieces,
        })
    }

    /// A command line whose blanks can be filled with `args`.
    fn template(&self, line: &Placed<Vec<Placed<String>>>, args: &[DeclaredArg]) -> Result<Template, Error> {
        let Some((program, rest)) = line.get_ref().split_first() else {
            return Err(self.fault(line.span(), "there is nothing to run", "Write run = [\"/path/to/program\", \"word\", …]."));
        };
        if rest.len() > limits::COMMAND_ELEMENTS {
            let what = format!("a command line has at most {} elements", limits::COMMAND_ELEMENTS);
            return Err(self.fault(line.span(), what, "Write a script that has them."));
        }
        let literals: Vec<&str> = rest.iter().map(|element| element.get_ref().as_str()).collect();
        program::check(Path::new(program.get_ref()), &literals)
            .map_err(|(what, remedy)| self.fault(program.span(), what, remedy))?;
        let mut elements: Vec<Element> = Vec::new();
        for placed in rest {
            let read = self.checked(placed, |text| {
                let element = element(text, |name| args.iter().position(|arg| arg.arg.name() == name))?;
                fits(&element, elements.last(), args).map(|()| element)
            })?;
            elements.push(read);
        }
        Ok(Template { program: program.get_ref().clone(), elements })
    }

    /// Refuses arguments that no command line takes.
    fn all_used<T>(&self, tables: &Named<T>, templates: &[Option<&Template>]) -> Result<(), Error> {
        let is_used = |wanted: usize| {
            let mut elements = templates.iter().flatten().flat_map(|template| &template.elements);
            elements.any(|element| matches!(element, Element::Argument { index, .. } if *index == wanted))
        };
        match tables.0.iter().enumerate().find(|(index, _)| !is_used(*index)) {
            None => Ok(()),
            Some((_, (name, _))) => {
                let what = format!("the argument `{}` stands nowhere in the command line", name.get_ref());
                Err(self.fault(name.span(), what, "Write it there in braces, or take it out."))
            }
        }
    }

    fn product(&self, table: &ToolTable) -> Result<Product, Error> {
        let product = match table.output.as_ref() {
            None => Product::Text,
            Some(output) => match output.get_ref().as_str() {
                "text" => Product::Text,
                "json" => Product::Json(None),
                _ => Product::File(self.checked(output, |output| {
                    mime_type(output)
                        .map_err(|_| format!("`{output}` is none of \"text\", \"json\" and types such as \"image/png\""))
                })?),
            },
        };
        match (&table.schema, product) {
            (None, product) => Ok(product),
            (Some(schema), Product::Json(_)) => self.schema(schema).map(|schema| Product::Json(Some(schema))),
            (Some(schema), _) => Err(self.fault(schema.span(), "a schema goes with output = \"json\"", "Take one of them out.")),
        }
    }

    /// A schema: as a table, or as JSON in a text.
    fn schema(&self, placed: &Placed<Value>) -> Result<Value, Error> {
        let remedy = "Structured content is an object: schema = { type = \"object\", properties = { … } }";
        let schema = match placed.get_ref() {
            Value::String(json) => serde_json::from_str(json)
                .map_err(|error| self.fault(placed.span(), format!("the schema is no JSON: {error}"), remedy))?,
            table => table.clone(),
        };
        if schema.get("type").and_then(Value::as_str) == Some("object") {
            return Ok(schema);
        }
        Err(self.fault(placed.span(), "the schema is not one of the type \"object\"", remedy))
    }

    fn env(&self, table: &Named<Placed<String>>) -> Result<Vec<(String, String)>, Error> {
        let variable = |name: &str| match name {
            "" => Err("a variable has a name".to_owned()),
            name if name.contains(['=', '\0']) => Err(format!("`{name}` is no name of a variable")),
            name => Ok(name.to_owned()),
        };
        let entry =
            |(name, value): &(Placed<String>, Placed<String>)| Ok((self.checked(name, variable)?, self.checked(value, no_nul)?));
        table.0.iter().map(entry).collect()
    }

    fn cwd(&self, path: Option<&Placed<PathBuf>>) -> Result<PathBuf, Error> {
        let Some(path) = path else { return Ok(PathBuf::from("/")) };
        program::folder(path.get_ref()).map_err(|what| self.fault(path.span(), what, "Make it, or name another."))
    }

    fn concurrency(&self, given: Option<&Placed<usize>>) -> Result<usize, Error> {
        match given {
            None => Ok(limits::COMMAND_CONCURRENCY),
            Some(given) if (1..=limits::CALLS).contains(given.get_ref()) => Ok(*given.get_ref()),
            Some(given) => {
                let what = format!("{} is not between 1 and {}", given.get_ref(), limits::CALLS);
                Err(self.fault(given.span(), what, "The board runs no more calls at once, whatever they do."))
            }
        }
    }

    fn or<T>(&self, given: Option<&Placed<String>>, parse: fn(&str) -> Result<T, String>, default: T) -> Result<T, Error> {
        given.map_or(Ok(default), |given| self.checked(given, parse))
    }
}

/// Whether a blank may stand where it stands.
fn fits(element: &Element, before: Option<&Element>, args: &[DeclaredArg]) -> Result<(), String> {
    let Element::Argument { prefix, index } = element else { return Ok(()) };
    let Some(DeclaredArg { arg, allows_dash, flag }) = args.get(*index) else { return Ok(()) };
    let name = arg.name();
    if !prefix.is_empty() && (*arg.kind() == Kind::Strings || flag.is_some()) {
        return Err(format!("`{name}` is an element of its own: nothing stands before a list or a flag"));
    }
    if !prefix.is_empty() && prefix.bytes().all(|byte| byte == b'-') && !allows_dash {
        return Err(format!("behind hyphens alone, `{name}` would choose an option: allow_dash = true says that it may"));
    }
    let may_be_absent = flag.is_none() && (!arg.is_required() && !arg.has_default());
    let is_option = |before: &Element| matches!(before, Element::Literal(text) if text.starts_with('-') && text != "--");
    if prefix.is_empty() && may_be_absent && before.is_some_and(is_option) {
        return Err(format!(
            "without `{name}` the option before it would stand alone: write them as one element, such as --lines={{n}} or \
             -n{{n}}, put `--` between them, or give it a default"
        ));
    }
    Ok(())
}

fn effect(name: &str) -> Result<Effect, String> {
    match name {
        "read" => Ok(Effect::Reads),
        "write" => Ok(Effect::Writes),
        "destructive" => Ok(Effect::Destroys),
        _ => Err(format!("`{name}` is no effect: there are \"read\", \"write\" and \"destructive\"")),
    }
}

/// A text that says something.
fn said(text: &str) -> Result<String, String> {
    if text.trim().is_empty() { Err("this says nothing: a model goes by it".to_owned()) } else { Ok(text.to_owned()) }
}

fn uri(text: &str) -> Result<String, String> {
    if text.contains(['{', '}']) {
        return Err("a declared resource has one URI: there are no blanks in it".to_owned());
    }
    Ok(text.to_owned())
}

fn mime_type(text: &str) -> Result<String, String> {
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&^_.+-".contains(&b));
    match text.split_once('/') {
        Some((kind, subtype)) if text.len() <= 127 && is_word(kind) && is_word(subtype) => Ok(text.to_ascii_lowercase()),
        _ => Err(format!("`{text}` is no type, such as \"text/plain\" or \"image/jpeg\"")),
    }
}

fn text(given: Option<&Placed<String>>) -> Option<String> {
    given.map(|given| given.get_ref().clone())
}

/// What the argument of a dry run is.
pub(crate) fn dry_run() -> Arg {
    Arg::boolean(DRY_RUN, "true: say what would happen, and change nothing").default(false)
}
