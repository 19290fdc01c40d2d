//! Patterns of texts.

use crate::error::{Error, Exit};
use crate::limits;
use regex_lite::{Regex, RegexBuilder};

/// A regular expression that a text must match as a whole, without look-around and back-references: it is matched in a time
/// that grows no faster than the text.
#[derive(Clone, Debug)]
pub struct Pattern {
    /// As clients see it: an expression of JSON Schema may match a part, so this one says that it does not.
    anchored: String,
    regex: Regex,
}

impl Pattern {
    /// The pattern that `source` says, such as `[a-z]+\.service`; it need not begin with `^` and end with `$`.
    ///
    /// # Errors
    /// When it is no regular expression, or one too large.
    pub fn new(source: &str) -> Result<Self, Error> {
        let fault = |what: String| Error::new(Exit::Config, what).remedy("The syntax is that of the crate regex-lite.");
        if source.len() > limits::PATTERN_BYTES {
            return Err(fault(format!("the pattern is longer than {} bytes", limits::PATTERN_BYTES)));
        }
        let compiled = |text: &str| {
            let built = RegexBuilder::new(text).size_limit(limits::PATTERN_MEMORY_BYTES).build();
            built.map_err(|error| fault(format!("`{source}` is no pattern: {error}")))
        };
        // By itself first: `a)|(b` would be one only within the parentheses.
        compiled(source)?;
        let anchored = format!("^(?:{source})$");
        Ok(Pattern { regex: compiled(&anchored)?, anchored })
    }

    /// Whether `text` matches.
    pub(crate) fn is_match(&self, text: &str) -> bool {
        self.regex.is_match(text)
    }

    /// With its anchors.
    pub(crate) fn as_str(&self) -> &str {
        &self.anchored
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_pattern_is_refused() {
        for source in ["(", "a)|(b", "[z-a]", "a{2,1}", r"\1", "(?=a)", "(?x)a # b", "(?:a{100}){100}", &"a".repeat(257)] {
            assert!(Pattern::new(source).is_err(), "{source}");
        }
    }

    #[test]
    fn a_text_matches_as_a_whole() {
        let pattern = Pattern::new("[a-z]+|[0-9]+").unwrap();
        for text in ["", "a1", "1a", "a\n", "\na", "a\nb", "A", "ä"] {
            assert!(!pattern.is_match(text), "{text:?}");
        }
        assert!(pattern.is_match("abc") && pattern.is_match("123"));
        assert!(!Pattern::new("(?m)^a$").unwrap().is_match("a\nb"));
    }
}
