//! What a server offers, and the scopes that follow from it.

use crate::error::{Error, Exit};
use crate::principal::Scopes;
use crate::tool::{Effect, Param, Prompt, Resource, Spec, Tool};
use std::rc::Rc;

/// What a token can allow, as a person is asked about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scope {
    /// As it stands in tokens (RFC 6749 3.3).
    pub name: String,
    /// What it lets the assistant do.
    pub about: String,
    /// Whether a tool in it changes anything.
    pub is_write: bool,
}

/// What a server offers, in the order in which it was added.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tools: Vec<Tool>,
    resources: Vec<Resource>,
    prompts: Vec<Prompt>,
    abouts: Vec<(String, String)>,
}

impl Catalog {
    /// Offers one more tool.
    ///
    /// # Errors
    /// When the name is no tool name or is taken, when the scope is no scope token, or when clients cannot follow an
    /// `x-mcp-header` of its arguments.
    pub fn add(&mut self, tool: Tool) -> Result<(), Error> {
        let name = tool.spec().name();
        check_name(name, "tool")?;
        if self.find(name).is_some() {
            let what = "there is a tool of this name already";
            return Err(Error::new(Exit::Config, what).at(format!("tool `{name}`")).remedy("Rename one of the two."));
        }
        check_scope(tool.spec().scope(), format!("tool `{name}`"))?;
        Param::check(&tool.spec().params).map_err(|what| {
            Error::new(Exit::Config, what).at(format!("tool `{name}`")).remedy("Mark its arguments like that.")
        })?;
        self.tools.push(tool);
        Ok(())
    }

    /// Offers one more resource, or template of resources.
    ///
    /// # Errors
    /// When its URI is none or is taken, or when the scope is no scope token.
    pub fn add_resource(&mut self, resource: Resource) -> Result<(), Error> {
        let uri = &resource.about.uri;
        uri.check()?;
        let place = format!("resource `{}`", uri.as_str());
        if self.resources.iter().any(|other| other.about.uri == *uri) {
            return Err(Error::new(Exit::Config, "there is a resource with this URI already")
                .at(place)
                .remedy("Remove one of the two."));
        }
        check_scope(resource.scope(), place)?;
        self.resources.push(resource);
        Ok(())
    }

    /// Offers one more prompt.
    ///
    /// # Errors
    /// When the name is no name or is taken, or when the scope is no scope token.
    pub fn add_prompt(&mut self, prompt: Prompt) -> Result<(), Error> {
        check_name(&prompt.spec.name, "prompt")?;
        let place = format!("prompt `{}`", prompt.spec.name);
        if self.prompt(&prompt.spec.name).is_some() {
            return Err(Error::new(Exit::Config, "there is a prompt of this name already")
                .at(place)
                .remedy("Rename one of the two."));
        }
        check_scope(prompt.scope(), place)?;
        self.prompts.push(prompt);
        Ok(())
    }

    /// All resources, templates among them.
    pub(crate) fn resources(&self) -> &[Resource] {
        &self.resources
    }

    /// The resource at `uri`, with what stands in place of the names if it is one of a template.
    pub(crate) fn resource(&self, uri: &str) -> Option<(&Resource, Vec<String>)> {
        self.resources.iter().find_map(|resource| resource.about.uri.values(uri).map(|values| (resource, values)))
    }

    /// All prompts.
    pub(crate) fn prompts(&self) -> &[Prompt] {
        &self.prompts
    }

    /// The prompt `name`.
    pub(crate) fn prompt(&self, name: &str) -> Option<&Prompt> {
        self.prompts.iter().find(|prompt| prompt.spec.name == name)
    }

    /// Offers all that `other` offers as well.
    ///
    /// # Errors
    /// When a name or URI is taken.
    pub fn join(&mut self, other: Catalog) -> Result<(), Error> {
        other.tools.into_iter().try_for_each(|tool| self.add(tool))?;
        other.resources.into_iter().try_for_each(|resource| self.add_resource(resource))?;
        other.prompts.into_iter().try_for_each(|prompt| self.add_prompt(prompt))?;
        self.abouts.extend(other.abouts);
        Ok(())
    }

    /// Takes a tool out. Returns whether there was one of this name.
    pub fn hide(&mut self, name: &str) -> bool {
        let tools = self.tools.len();
        self.tools.retain(|tool| tool.spec().name() != name);
        self.tools.len() < tools
    }

    /// Puts another tool in the place of one. Returns whether there was one of this name.
    pub(crate) fn replace(&mut self, name: &str, change: impl FnOnce(Tool) -> Tool) -> bool {
        let found = self.tools.iter_mut().find(|tool| tool.spec().name() == name);
        found.is_some_and(|tool| {
            *tool = change(tool.clone());
            true
        })
    }

    /// Goes on counting where `before` has stopped.
    pub(crate) fn count_on(&mut self, before: &Catalog) {
        for tool in &mut self.tools {
            if let Some(known) = before.find(tool.spec.name()) {
                tool.tally = Rc::clone(&known.tally);
            }
        }
    }

    /// Says what a scope lets the assistant do, in the words of the consent page.
    pub fn describe(&mut self, scope: impl Into<String>, about: impl Into<String>) {
        self.abouts.push((scope.into(), about.into()));
    }

    /// The tool `name`.
    pub fn find(&self, name: &str) -> Option<&Tool> {
        self.tools.iter().find(|tool| tool.spec().name() == name)
    }

    /// All tools.
    pub fn tools(&self) -> &[Tool] {
        &self.tools
    }

    /// Every scope that a tool asks for, each once, in the order of the tools.
    pub fn scopes(&self) -> Vec<Scope> {
        let mut scopes: Vec<Scope> = Vec::new();
        for (name, is_write) in self.uses() {
            if let Some(scope) = scopes.iter_mut().find(|scope| scope.name == name) {
                scope.is_write |= is_write;
            } else {
                scopes.push(Scope { name: name.to_owned(), about: self.about(name), is_write });
            }
        }
        scopes
    }

    /// Every scope as often as something asks for it, and whether that changes anything.
    fn uses(&self) -> impl Iterator<Item = (&str, bool)> {
        let tools = self.tools.iter().map(|tool| (tool.spec().scope(), tool.spec().effect() != Effect::Reads));
        let resources = self.resources.iter().map(|resource| (resource.scope(), false));
        let prompts = self.prompts.iter().map(|prompt| (prompt.scope(), false));
        tools.chain(resources).chain(prompts)
    }

    fn about(&self, scope: &str) -> String {
        if let Some((_, about)) = self.abouts.iter().find(|(name, _)| name == scope) {
            return about.clone();
        }
        let tools = self.tools.iter().map(Tool::spec).filter(|spec| spec.scope() == scope);
        let abouts: Vec<&str> = tools.clone().map(Spec::about).collect();
        let tools: Vec<&str> = tools.map(|spec| spec.title().unwrap_or(spec.name())).collect();
        let resources = self.resources.iter().filter(|resource| resource.scope() == scope);
        let resources: Vec<&str> = resources.map(|resource| resource.about.name.as_str()).collect();
        // One tool says best what it does, unless it goes on and on: people are to read this.
        if let ([about], []) = (abouts.as_slice(), resources.as_slice())
            && about.chars().count() <= 120
        {
            return about.trim_end_matches('.').to_owned();
        }
        match (tools.as_slice(), resources.as_slice()) {
            ([], []) => "Use prompts".to_owned(),
            ([], resources) => format!("Read {}", resources.join(", ")),
            (tools, []) => format!("Use {}", tools.join(", ")),
            (tools, resources) => format!("Use {}; read {}", tools.join(", "), resources.join(", ")),
        }
    }
}

fn check_name(name: &str, what: &str) -> Result<(), Error> {
    let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
    if !name.is_empty() && name.len() <= 128 && name.bytes().all(is_name) {
        return Ok(());
    }
    let rule = "a name is 1 to 128 letters, digits, `_`, `.` and `-`";
    Err(Error::new(Exit::Config, rule).at(format!("{what} `{name}`")).remedy("Rename it."))
}

fn check_scope(scope: &str, place: String) -> Result<(), Error> {
    if Scopes::parse(scope, |_| true).iter().count() == 1 {
        return Ok(());
    }
    Err(Error::new(Exit::Config, "a scope is one word without quotes and backslashes").at(place).remedy("Rename the scope."))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tool::Draft;

    fn tool(draft: Draft) -> Tool {
        draft.handler(|_| async { Ok("") })
    }

    #[test]
    fn a_bad_or_taken_name_is_refused() {
        let mut catalog = Catalog::default();
        for name in ["", "a b", "ä", "a/b", &"x".repeat(129)] {
            assert!(catalog.add(tool(Tool::new(name, ""))).is_err(), "{name}");
        }
        catalog.add(tool(Tool::new("a", ""))).unwrap();
        assert!(catalog.add(tool(Tool::new("a", ""))).is_err());
        assert!(catalog.add(tool(Tool::new("b", "").scope("two words"))).is_err());
        assert!(catalog.add(tool(Tool::new("b", "").scope(""))).is_err());
    }

    #[test]
    fn a_scope_writes_when_one_of_its_tools_does() {
        let mut catalog = Catalog::default();
        catalog.add(tool(Tool::new("look", "").scope("lamp"))).unwrap();
        catalog.add(tool(Tool::new("switch", "").scope("lamp").title("Switch it").writes())).unwrap();
        catalog.add(tool(Tool::new("sum", "").scope("math"))).unwrap();
        catalog.describe("math", "Calculate");
        let scopes = catalog.scopes();
        assert_eq!(scopes.len(), 2);
        assert_eq!(scopes[0], Scope { name: "lamp".into(), about: "Use look, Switch it".into(), is_write: true });
        assert_eq!(scopes[1], Scope { name: "math".into(), about: "Calculate".into(), is_write: false });
    }
}
