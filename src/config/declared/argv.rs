//! Command lines with blanks. There is no shell: what is filled in stays within its element, whatever it is.

/// A piece of a text with blanks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// As it stands.
    Text(String),
    /// What the argument of this name is.
    Blank(String),
}

/// One element of a command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Element {
    /// As it stands.
    Literal(String),
    /// What an argument is, behind a text that may be empty.
    Argument {
        /// The text before it.
        prefix: String,
        /// Which one, by its place among those that are declared.
        index: usize,
    },
}

/// A command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Template {
    /// The program, as an absolute path.
    pub(crate) program: String,
    /// What follows.
    pub(crate) elements: Vec<Element>,
}

/// Takes a text apart: `{name}` is a blank, `{{` and `}}` are braces.
pub(crate) fn pieces(text: &str) -> Result<Vec<Piece>, String> {
    let (mut pieces, mut literal, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find(['{', '}']) {
        literal.push_str(&rest[..at]);
        let brace = &rest[at..=at];
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix(brace) {
            literal.push_str(brace);
            rest = after;
            continue;
        }
        let blank = rest.split_once('}').filter(|(name, _)| brace == "{" && is_name(name));
        let Some((name, after)) = blank else {
            return Err(format!("a `{brace}` stands alone in `{text}`: blanks look like {{name}}, and braces are written twice"));
        };
        if !literal.is_empty() {
            pieces.push(Piece::Text(std::mem::take(&mut literal)));
        }
        pieces.push(Piece::Blank(name.to_owned()));
        rest = after;
    }
    literal.push_str(rest);
    if !literal.is_empty() || pieces.is_empty() {
        pieces.push(Piece::Text(literal));
    }
    Ok(pieces)
}

/// Reads one element. `index` says which argument has a name.
pub(crate) fn element(text: &str, index: impl Fn(&str) -> Option<usize>) -> Result<Element, String> {
    if text.contains('\0') {
        return Err("an element of a command line has no NUL".to_owned());
    }
    let find =
        |name: &str| index(name).ok_or_else(|| format!("there is no argument `{name}`: it needs an args.{name} = {{ … }}"));
    match pieces(text)?.as_slice() {
        [Piece::Text(text)] => Ok(Element::Literal(text.clone())),
        [Piece::Blank(name)] => Ok(Element::Argument { prefix: String::new(), index: find(name)? }),
        [Piece::Text(prefix), Piece::Blank(name)] => Ok(Element::Argument { prefix: prefix.clone(), index: find(name)? }),
        _ => Err(format!("`{text}` has more than one blank, or text behind it: a blank is the end of its element")),
    }
}

/// Whether arguments can be called this.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && !name.starts_with(|first: char| first.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Element, String> {
        element(text, |name| ["unit", "n"].iter().position(|known| *known == name))
    }

    #[test]
    fn a_blank_that_is_not_the_end_of_its_element_is_refused() {
        for text in ["{n}s", "{unit}{n}", "a{n}b", "{unit}/{n}", "{{{n}}}"] {
            assert!(read(text).unwrap_err().contains("the end of its element"), "{text}");
        }
    }

    #[test]
    fn a_brace_that_stands_alone_and_an_argument_that_is_not_declared_are_refused() {
        for text in ["{", "}", "{}", "{n", "n}", "{ n }", "{n-}", "{{n}", "{n}}", "{1}", "{.Names}", "{ä}", "a\0b"] {
            assert!(read(text).is_err(), "{text}");
        }
        assert!(read("{other}").unwrap_err().contains("args.other"));
    }

    #[test]
    fn elements_are_texts_or_end_in_a_blank() {
        let argument = |prefix: &str, index| Ok(Element::Argument { prefix: prefix.to_owned(), index });
        assert_eq!(read("{unit}"), argument("", 0));
        assert_eq!(read("--lines={n}"), argument("--lines=", 1));
        assert_eq!(read("{{{n}"), argument("{", 1));
        for (text, literal) in [("", ""), ("a b", "a b"), ("{{.Names}}", "{.Names}"), ("$(n) `n` ;", "$(n) `n` ;"), ("}}", "}")] {
            assert_eq!(read(text), Ok(Element::Literal(literal.to_owned())));
        }
    }

    #[test]
    fn a_text_has_as_many_blanks_as_it_likes() {
        let text = |text: &str| Piece::Text(text.to_owned());
        let blank = |name: &str| Piece::Blank(name.to_owned());
        assert_eq!(pieces("a{b}{c}d{b}").unwrap(), [text("a"), blank("b"), blank("c"), text("d"), blank("b")]);
        assert_eq!(pieces("").unwrap(), [text("")]);
    }
}
