//! The tools that a server offers, and the scopes that follow from them.

use crate::error::{Error, Exit};
use crate::principal::Scopes;
use crate::tool::{Effect, Tool};

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

/// The tools that a server offers, in the order in which they were added.
#[derive(Clone, Debug, Default)]
pub struct Catalog {
    tools: Vec<Tool>,
    abouts: Vec<(String, String)>,
}

impl Catalog {
    /// Offers one more tool.
    ///
    /// # Errors
    /// When the name is no tool name or is taken, or when the scope is no scope token.
    pub fn add(&mut self, tool: Tool) -> Result<(), Error> {
        let name = tool.spec().name();
        let is_name = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.' | b'-');
        if name.is_empty() || name.len() > 128 || !name.bytes().all(is_name) {
            let what = "a tool's name is 1 to 128 letters, digits, `_`, `.` and `-`";
            return Err(Error::new(Exit::Config, what).at(format!("tool `{name}`")).remedy("Rename the tool."));
        }
        if self.find(name).is_some() {
            let what = "there is a tool of this name already";
            return Err(Error::new(Exit::Config, what).at(format!("tool `{name}`")).remedy("Rename one of the two."));
        }
        if Scopes::parse(tool.spec().scope(), |_| true).iter().count() != 1 {
            let what = "a tool's scope is one word without quotes and backslashes";
            return Err(Error::new(Exit::Config, what).at(format!("tool `{name}`")).remedy("Rename the scope."));
        }
        self.tools.push(tool);
        Ok(())
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
        for spec in self.tools.iter().map(Tool::spec) {
            let is_write = spec.effect() != Effect::Reads;
            if let Some(scope) = scopes.iter_mut().find(|scope| scope.name == spec.scope()) {
                scope.is_write |= is_write;
            } else {
                scopes.push(Scope { name: spec.scope().to_owned(), about: self.about(spec.scope()), is_write });
            }
        }
        scopes
    }

    fn about(&self, scope: &str) -> String {
        if let Some((_, about)) = self.abouts.iter().find(|(name, _)| name == scope) {
            return about.clone();
        }
        let in_scope = self.tools.iter().map(Tool::spec).filter(|spec| spec.scope() == scope);
        let names: Vec<&str> = in_scope.map(|spec| spec.title().unwrap_or(spec.name())).collect();
        format!("Use {}", names.join(", "))
    }
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
