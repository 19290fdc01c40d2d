//! `perchd tools`: what is offered, and to whom.

use crate::cli::{Which, Word, next, say, surplus, value};
use crate::error::{Error, Exit};
use crate::server::Server;
use crate::tool::{Catalog, Tool};
use lexopt::Parser;
use std::fmt::Write;

const HELP: &str = "\
Lists the tools that the configuration offers: each with the scope that a token
must have to see and call it, and whether it changes anything.

Usage: perchd tools [--scope SCOPE]

  --scope SCOPE         Only those that a token with it can call; may be said
                        several times
  --config FILE         The configuration
  --state DIR           Its state folder

Exit: 0, or 78 if something is wrong with the configuration.

Example:
  perchd tools --scope system:read --scope math
";

/// As wide as a terminal.
const WIDTH: usize = 80;

/// Lists them.
pub(super) fn run(mut words: Parser) -> Result<(), Error> {
    let (mut which, mut scopes) = (Which::default(), Vec::new());
    while let Some(word) = next(&mut words)? {
        match word {
            Word::Option(name) if name == "help" => return say(HELP),
            Word::Option(name) if name == "scope" => scopes.push(value(&mut words)?),
            Word::Option(name) => which.take(&name, &mut words)?,
            Word::Value(text) => return Err(surplus(&text)),
        }
    }
    let (_, catalog) = Server::new(which.config()?).builtin().checked()?;
    let all = catalog.scopes();
    if let Some(unknown) = scopes.iter().find(|scope| !all.iter().any(|known| known.name == **scope)) {
        let names: Vec<_> = all.iter().map(|scope| scope.name.as_str()).collect();
        let remedy = format!("Name some of these: {}.", names.join(" "));
        return Err(Error::new(Exit::Usage, format!("there is no scope `{unknown}`")).remedy(remedy));
    }
    say(&table(&catalog, &scopes))
}

fn table(catalog: &Catalog, scopes: &[String]) -> String {
    let is_meant = |tool: &&Tool| scopes.is_empty() || scopes.iter().any(|scope| scope == tool.spec().scope());
    let tools: Vec<_> = catalog.tools().iter().filter(is_meant).collect();
    let widest =
        |of: fn(&Tool) -> &str, title: &str| tools.iter().map(|tool| of(tool).chars().count()).fold(title.len(), usize::max);
    let name = widest(|tool| tool.spec().name(), "TOOL");
    let scope = widest(|tool| tool.spec().scope(), "SCOPE");
    let mut text = format!("{:<name$}  {:<scope$}  {:<8}  DOES\n", "TOOL", "SCOPE", "EFFECT");
    let room = WIDTH.saturating_sub(name + scope + 8 + 3 * 2).max(20);
    for spec in tools.iter().map(|tool| tool.spec()) {
        let effect = spec.effect().as_str();
        // Writing to a String does not fail.
        let _ = writeln!(text, "{:<name$}  {:<scope$}  {effect:<8}  {}", spec.name(), spec.scope(), cut(spec.about(), room));
    }
    text
}

/// The beginning of a text, where all of it has no room.
fn cut(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(room - 1).collect();
    let end = beginning.rfind(' ').unwrap_or(beginning.len());
    format!("{}…", &beginning[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_words() {
        assert_eq!(cut("Adds two numbers", 16), "Adds two numbers");
        assert_eq!(cut("Adds two numbers", 15), "Adds two…");
        assert_eq!(cut("Überraschungsei", 5), "Über…");
    }
}
