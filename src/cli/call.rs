//! `perchd call`: one call of a tool, from the terminal of the board.

use crate::approval::{Board, Plan, shown};
use crate::audit::Event;
use crate::cli::{Which, Word, next, remark, say, unknown};
use crate::error::{Error, Exit};
use crate::server::Server;
use crate::server::local::Local;
use crate::tool::{Arg, Ask, AskError, Content, Data, Kind, Level, Line, Output, Progress, Slot, Spec};
use lexopt::Parser;
use serde_json::value::to_raw_value;
use serde_json::{Map, Value};
use std::io::{self, BufRead, IsTerminal, Write};
use std::rc::Rc;

const HELP: &str = "\
Calls a tool that the configuration offers, with the same checks and limits as
a call of a client, and prints what it returns. No server need run.

Usage: perchd call TOOL [NAME=VALUE ...]

  TOOL                  One of those that `perchd tools` lists
  NAME=VALUE            An argument; a list is one for each item, or JSON
  --config FILE         The configuration
  --state DIR           Its state folder

What the tool reports while it runs goes to stderr. A tool that needs approval
(`confirm`) asks at the terminal; where there is none, it does not run. The
lines of [gpio] belong to the server: their tools are called through it.

Exit: 0 if the tool did its work, 1 if it did not, 64 for a wrong command line,
78 for a wrong configuration.

Example: perchd call control_service action=restart unit=nginx.service
";

/// Calls it.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut name, mut given) = (Which::default(), None, Vec::new());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(option) if option == "help" => return say(HELP),
            Word::Option(option) => which.take(&option, &mut words)?,
            Word::Value(text) if name.is_none() => name = Some(text),
            Word::Value(text) => given.push(text),
        }
    }
    let name = name.ok_or_else(|| unknown("`call` is followed by the name of a tool".to_owned()))?;
    let local = Local::of(Server::new(which.config()?).builtin(), Terminal)?;
    let tool = local
        .catalog()
        .find(&name)
        .ok_or_else(|| Error::new(Exit::Usage, format!("there is no tool `{name}`")).remedy("See what there is: perchd tools"))?;
    let arguments = to_raw_value(&arguments(tool.spec(), &given)?);
    let arguments = arguments.map_err(|error| Error::new(Exit::Software, error.to_string()))?;
    match local.call(&name, &arguments, Terminal)? {
        Ok(output) => print(&output),
        Err(refusal) => Err(Error::new(Exit::Failed, refusal.to_string())),
    }
}

/// The arguments as a client would send them; what is wrong with their values, the tool says.
fn arguments(spec: &Spec, given: &[String]) -> Result<Value, Error> {
    let mut arguments = Map::new();
    for word in given {
        let Some((name, text)) = word.split_once('=') else {
            return Err(unknown(format!("{word:?} is no argument: write NAME=VALUE")));
        };
        let arg = spec.args().iter().find(|arg| arg.name() == name);
        if arg.is_none() && spec.input_schema.is_none() {
            let names: Vec<_> = spec.args().iter().map(Arg::name).collect();
            let remedy = if names.is_empty() { "It takes none.".to_owned() } else { format!("It takes: {}.", names.join(", ")) };
            return Err(Error::new(Exit::Usage, format!("`{}` has no argument `{name}`", spec.name())).remedy(remedy));
        }
        let json = || serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
        let value = match arg.map(Arg::kind) {
            Some(Kind::String) => Value::from(text),
            Some(Kind::Strings) if !text.starts_with('[') => Value::from(vec![text]),
            _ => json(),
        };
        match (arguments.get_mut(name), value) {
            (None, value) => drop(arguments.insert(name.to_owned(), value)),
            (Some(Value::Array(items)), Value::Array(more)) => items.extend(more),
            (Some(_), _) => return Err(unknown(format!("`{name}` is given twice"))),
        }
    }
    Ok(Value::Object(arguments))
}

fn print(output: &Output) -> Result<(), Error> {
    for content in output.content() {
        match content {
            Content::Text(text) => say(&format!("{}\n", text.trim_end_matches('\n')))?,
            Content::Image { data, mime_type } | Content::Audio { data, mime_type } => bytes(data, mime_type)?,
            Content::Resource(contents) => match &contents.data {
                Data::Text(text) => say(text)?,
                Data::Blob(data) => bytes(data, contents.mime_type.as_deref().unwrap_or("bytes"))?,
            },
            Content::Link { uri, .. } => say(&format!("{uri}\n"))?,
        }
    }
    Ok(())
}

/// A terminal would make something else of them.
fn bytes(data: &[u8], mime_type: &str) -> Result<(), Error> {
    if io::stdout().is_terminal() {
        return say(&format!("{mime_type}, {} bytes. Send it to a file: perchd call … > FILE\n", data.len()));
    }
    let written = io::stdout().lock().write_all(data);
    written.map_err(|error| Error::new(Exit::System, "cannot print").because(error))
}

/// The person who calls.
struct Terminal;

impl Board for Terminal {
    fn page(&self) -> Option<String> {
        None
    }

    fn record(&self, _: &Event<'_>) {}

    /// What cannot ask does not run: a program that calls has nobody's approval.
    fn decide(&self, plan: &Plan) -> Option<bool> {
        let stdin = io::stdin();
        if !stdin.is_terminal() || !io::stderr().is_terminal() {
            remark("This needs the approval of a person, and nobody sits at a terminal here.\n");
            return Some(false);
        }
        remark(&format!("It would run: {}\nRun it? [y/N] ", shown(&plan.wanted.line)));
        let mut answer = String::new();
        let read = stdin.lock().read_line(&mut answer);
        Some(read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes"))
    }
}

impl Line for Terminal {
    fn progress(&self, progress: Progress<'_>) {
        let of = progress.total.map_or_else(String::new, |total| format!("/{total}"));
        let message = progress.message.map_or_else(String::new, |message| format!(" {message}"));
        remark(&format!("{}{of}{message}\n", progress.progress));
    }

    fn log(&self, level: Level, _: Option<&str>, data: &Value) {
        remark(&format!("{}: {}\n", level.as_str(), data.as_str().map_or_else(|| data.to_string(), str::to_owned)));
    }

    fn ask(&self, _: &str, _: &Ask) -> Result<Rc<Slot>, AskError> {
        Err(AskError::Unsupported)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Tool;
    use serde_json::json;

    fn read(words: &[&str]) -> Result<Value, String> {
        let tool = Tool::new("t", "")
            .arg(Arg::string("text", ""))
            .arg(Arg::strings("list", ""))
            .arg(Arg::integer("n", ""))
            .arg(Arg::boolean("is", ""))
            .handler(|_| async { Ok("") });
        let words: Vec<_> = words.iter().map(|word| (*word).to_owned()).collect();
        arguments(tool.spec(), &words).map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_no_argument_is_refused() {
        for words in [&["x"][..], &["other=1"], &["text=a", "text=b"], &["n=1", "n=2"], &["=1"]] {
            assert!(read(words).is_err(), "{words:?}");
        }
        assert!(read(&["other=1"]).unwrap_err().contains("It takes: text, list, n, is."));
    }

    #[test]
    fn values_are_what_the_tool_takes() {
        let words = ["text=1=2", "list=a b", "list=[\"c\",\"d\"]", "n=7", "is=true"];
        assert_eq!(read(&words).unwrap(), json!({"text": "1=2", "list": ["a b", "c", "d"], "n": 7, "is": true}));
        // The tool itself says what is wrong with it.
        assert_eq!(read(&["n=seven"]).unwrap(), json!({"n": "seven"}));
    }
}
