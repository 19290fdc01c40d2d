//! Who must approve a call before it runs.

use super::file::Placed;
use super::read::Source;
use super::tree::Named;
use crate::error::Error;
use std::fmt;

/// How a person approves a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Confirm {
    /// Signed in to the board, on its page.
    Page,
    /// By pressing a button, which is an input of `[gpio]` with this name.
    Button(String),
}

impl Confirm {
    /// As it stands in the configuration.
    pub(in crate::config) fn parse(text: &str) -> Result<Self, String> {
        match (text, text.strip_prefix("button:")) {
            ("page", _) => Ok(Confirm::Page),
            (_, Some(name)) if !name.is_empty() => Ok(Confirm::Button(name.to_owned())),
            _ => Err(format!("`{text}` is none of \"page\" and \"button:NAME\", with the name of an input under [gpio]")),
        }
    }
}

impl fmt::Display for Confirm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Confirm::Page => f.write_str("page"),
            Confirm::Button(name) => write!(f, "button:{name}"),
        }
    }
}

/// A tool of the box that needs approval.
#[derive(Clone, Debug)]
pub struct Confirmed {
    /// The file and line, for errors.
    pub(crate) place: String,
    pub(crate) tool: String,
    pub(crate) confirm: Confirm,
}

impl Source<'_> {
    pub(super) fn confirmed(&self, tools: &Named<Placed<String>>) -> Result<Vec<Confirmed>, Error> {
        let each = |(name, confirm): &(Placed<String>, Placed<String>)| {
            let place = self.place(Some(name.span()));
            Ok(Confirmed { place, tool: name.get_ref().clone(), confirm: self.checked(confirm, Confirm::parse)? })
        };
        tools.0.iter().map(each).collect()
    }
}
