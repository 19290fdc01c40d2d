//! Resources: what can be read by its URI (MCP 2025-11-25, server/resources).

use crate::error::{Error, Exit};
use crate::tool::handler::{Handler, Yield};
use crate::tool::{Arguments, Call, Contents, ToolError};
use std::borrow::Cow;
use std::fmt;
use std::future::Future;

/// A resource with one URI, or a template for many.
#[derive(Clone)]
pub struct Resource {
    pub(crate) about: About,
    pub(crate) handler: Handler,
}

/// What clients are told about a resource.
#[derive(Clone, Debug)]
pub(crate) struct About {
    pub(crate) uri: Pattern,
    pub(crate) name: String,
    pub(crate) title: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) mime_type: Option<Cow<'static, str>>,
    pub(crate) scope: Option<String>,
    pub(crate) completions: Vec<crate::tool::complete::Completer>,
}

/// A resource that still lacks its handler.
#[derive(Clone, Debug)]
pub struct ResourceDraft(About);

impl Resource {
    /// The resource at `uri`, such as `board://health`. With `{names}` in it, it is a template (RFC 6570, level 1), and
    /// `call.arg("name")` gives what stands in their place.
    // The draft is what one wants: a resource without a handler cannot be written down.
    #[allow(clippy::new_ret_no_self)]
    pub fn new(uri: impl Into<String>, name: impl Into<String>) -> ResourceDraft {
        ResourceDraft(About {
            uri: Pattern(uri.into()),
            name: name.into(),
            title: None,
            description: None,
            mime_type: None,
            scope: None,
            completions: Vec::new(),
        })
    }

    /// The scope that a token needs for it.
    pub(crate) fn scope(&self) -> &str {
        self.about.scope.as_deref().unwrap_or("resources:read")
    }
}

impl fmt::Debug for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.about.fmt(f)
    }
}

impl ResourceDraft {
    /// A name for people.
    pub fn title(mut self, title: impl Into<String>) -> Self {
        self.0.title = Some(title.into());
        self
    }

    /// What it holds.
    pub fn about(mut self, about: impl Into<String>) -> Self {
        self.0.description = Some(about.into());
        self
    }

    /// What kind of thing it is, such as `text/plain`.
    pub fn mime_type(mut self, mime_type: impl Into<Cow<'static, str>>) -> Self {
        self.0.mime_type = Some(mime_type.into());
        self
    }

    /// The scope that a token needs, in place of `resources:read`.
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.0.scope = Some(scope.into());
        self
    }

    /// Completes the name `argument` of a template; `complete` gets what was typed so far.
    pub fn complete(mut self, argument: impl Into<String>, complete: impl Fn(&str) -> Vec<String> + 'static) -> Self {
        self.0.completions.push(crate::tool::complete::Completer::new(argument, complete));
        self
    }

    /// What it holds at the moment. Rules as for [`Draft::handler`](crate::tool::Draft::handler).
    pub fn handler<F, Fut>(self, handler: F) -> Resource
    where
        F: Fn(Call) -> Fut + 'static,
        Fut: Future<Output = Result<Contents, ToolError>> + 'static,
    {
        Resource { about: self.0, handler: Handler::local(handler, |contents| Yield::Contents(vec![contents])) }
    }

    /// What it holds at the moment, where reading that blocks.
    pub fn handler_blocking<F>(self, handler: F) -> Resource
    where
        F: Fn(Arguments) -> Result<Contents, ToolError> + Send + Sync + 'static,
    {
        Resource { about: self.0, handler: Handler::blocking(handler, |contents| Yield::Contents(vec![contents])) }
    }
}

/// A URI, or a template of one: text with `{names}` (RFC 6570, level 1: simple string expansion).
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(String);

impl Pattern {
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it stands for many URIs.
    pub(crate) fn is_template(&self) -> bool {
        self.0.contains('{')
    }

    /// The names in it.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.split('{').skip(1).filter_map(|rest| rest.split_once('}').map(|(name, _)| name))
    }

    /// What stands in place of each name in `uri`, in order; `None` when it is no URI of this pattern.
    ///
    /// A value is what RFC 6570 3.2.2 expands to: nothing reserved, percent signs decoded. No value is empty, and none
    /// reaches over a slash, so that no part of a path can be smuggled into another.
    pub(crate) fn values(&self, uri: &str) -> Option<Vec<String>> {
        let (start, mut pattern) = self.0.split_at(self.0.find('{').unwrap_or(self.0.len()));
        let mut uri = uri.strip_prefix(start)?;
        let mut values = Vec::new();
        while let Some((_, rest)) = pattern.strip_prefix('{').and_then(|pattern| pattern.split_once('}')) {
            let (literal, next) = rest.split_at(rest.find('{').unwrap_or(rest.len()));
            let end = if literal.is_empty() { uri.len() } else { uri.find(literal)? };
            values.push(decoded(&uri[..end])?);
            uri = &uri[end + literal.len()..];
            pattern = next;
        }
        uri.is_empty().then_some(values)
    }

    /// Whether every brace has its partner and every name is one.
    pub(crate) fn check(&self) -> Result<(), Error> {
        let opened = self.0.matches('{').count();
        let is_name = |name: &str| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
        let is_good = opened == self.0.matches('}').count() && opened == self.names().filter(|name| is_name(name)).count();
        if is_good && !self.0.contains("}{") && self.0.contains(':') {
            return Ok(());
        }
        let what = "a resource's URI has a scheme, and names in braces with something between them, such as unit://{name}/log";
        Err(Error::new(Exit::Config, what).at(format!("resource `{}`", self.0)).remedy("Write it like that."))
    }
}

/// A value out of a URI (RFC 3986 2): unreserved characters and percent signs.
fn decoded(text: &str) -> Option<String> {
    let is_unreserved = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_' | b'~');
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = match (*first, after) {
            (b'%', [high, low, after @ ..]) => {
                let digit = |b: u8| char::from(b).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
                bytes.push(digit(*high)? << 4 | digit(*low)?);
                after
            }
            (b, after) if is_unreserved(b) => {
                bytes.push(b);
                after
            }
            _ => return None,
        };
    }
    (!bytes.is_empty()).then(|| String::from_utf8(bytes).ok()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn values(pattern: &str, uri: &str) -> Option<Vec<String>> {
        Pattern(pattern.into()).values(uri)
    }

    #[test]
    fn another_uri_is_not_of_the_pattern() {
        for uri in [
            "",
            "test://",
            "test://t/",
            "test://t//data",
            "test://t/a/b/data",
            "test://t/a/data/",
            "test://t/a/dat",
            "x://t/a/data",
            "test://t/a%2/data",
            "test://t/%zz/data",
            "test://t/%ff/data",
            "test://t/a?b/data",
            "test://t/../data/data",
        ] {
            assert_eq!(values("test://t/{id}/data", uri), None, "{uri}");
        }
        assert_eq!(values("test://whole", "test://whole2"), None);
    }

    #[test]
    fn values_are_what_stands_in_place_of_the_names() {
        assert_eq!(values("test://t/{id}/data", "test://t/123/data"), Some(vec!["123".into()]));
        assert_eq!(values("a://{x}/{y}", "a://1/%C3%A4%2Fb"), Some(vec!["1".into(), "ä/b".into()]));
        assert_eq!(values("a://whole", "a://whole"), Some(vec![]));
    }

    #[test]
    fn a_pattern_that_is_none_is_refused() {
        for pattern in ["", "no-scheme", "a://{", "a://}", "a://{}", "a://{x}{y}", "a://{x y}", "a://{+x}", "a://{x*}"] {
            assert!(Pattern(pattern.into()).check().is_err(), "{pattern}");
        }
        assert!(Pattern("a://{x}/{y_2}".into()).check().is_ok());
    }
}
