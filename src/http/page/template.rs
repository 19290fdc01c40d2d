//! Templates: HTML with `{{names}}` in it. What fills them is escaped, unless it is HTML by its type.

use std::borrow::Cow;

/// HTML that may stand in a page as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Html(Cow<'static, str>);

impl Html {
    /// HTML that is written in this program.
    pub(super) const fn fixed(html: &'static str) -> Self {
        Html(Cow::Borrowed(html))
    }

    /// HTML that a template made.
    pub(super) const fn made(html: String) -> Self {
        Html(Cow::Owned(html))
    }

    /// One after the other.
    pub(super) fn all(parts: impl IntoIterator<Item = Html>) -> Self {
        Html(Cow::Owned(parts.into_iter().map(|part| part.0).collect()))
    }

    /// One after the other, as long as they have room in so many bytes; and how many have none.
    pub(super) fn within(bytes: usize, parts: impl IntoIterator<Item = Html>) -> (Self, usize) {
        let (mut all, mut left_out) = (String::new(), 0);
        for part in parts {
            if left_out == 0 && all.len() + part.0.len() <= bytes {
                all.push_str(&part.0);
            } else {
                left_out += 1;
            }
        }
        (Html(Cow::Owned(all)), left_out)
    }

    /// How many bytes it has.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    /// As it is sent.
    pub(super) fn into_string(self) -> String {
        self.0.into_owned()
    }
}

/// What fills a place.
#[derive(Clone, Debug)]
pub(super) enum Value<'a> {
    /// Anybody's text: escaped.
    Text(&'a str),
    /// Ours.
    Html(Html),
}

impl<'a> From<&'a str> for Value<'a> {
    fn from(text: &'a str) -> Self {
        Value::Text(text)
    }
}

impl<'a> From<&'a String> for Value<'a> {
    fn from(text: &'a String) -> Self {
        Value::Text(text)
    }
}

impl From<Html> for Value<'_> {
    fn from(html: Html) -> Self {
        Value::Html(html)
    }
}

/// Fills the places of `template`.
///
/// A place that nothing fills, or a value without a place, is a mistake of ours: tests stop at it, and a page that is
/// sent is only the poorer by it.
pub(super) fn fill(template: &'static str, values: &[(&str, Value<'_>)]) -> Html {
    let (html, mistakes) = filled(template, values);
    debug_assert!(mistakes.is_empty(), "{}", mistakes.join(", "));
    Html(Cow::Owned(html))
}

fn filled(template: &str, values: &[(&str, Value<'_>)]) -> (String, Vec<String>) {
    let unasked = values.iter().map(|(name, _)| *name).filter(|name| !template.contains(&format!("{{{{{name}}}}}")));
    let mut mistakes: Vec<String> = unasked.map(|name| format!("no place for `{name}`")).collect();
    let mut html = String::with_capacity(2 * template.len());
    let mut rest = template;
    while let Some((before, after)) = rest.split_once("{{") {
        html.push_str(before);
        let Some((name, after)) = after.split_once("}}") else {
            mistakes.push("a place without an end".to_owned());
            return (html, mistakes);
        };
        match values.iter().find(|(known, _)| *known == name) {
            Some((_, Value::Text(text))) => escape(text, &mut html),
            Some((_, Value::Html(known))) => html.push_str(&known.0),
            None => mistakes.push(format!("nothing fills `{name}`")),
        }
        rest = after;
    }
    html.push_str(rest);
    (html, mistakes)
}

/// Makes text safe between tags and in quoted attributes, and keeps it from turning the words around it about.
fn escape(text: &str, html: &mut String) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            '\n' | '\t' => html.push(c),
            // Characters that reorder text can make one host look like another (UTR 36, 2.8).
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => html.push(char::REPLACEMENT_CHARACTER),
            c if c.is_control() => html.push(char::REPLACEMENT_CHARACTER),
            c => html.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(template: &'static str, text: &str) -> String {
        fill(template, &[("x", text.into())]).into_string()
    }

    #[test]
    fn an_unfilled_place_fails() {
        assert_eq!(filled("{{x}}{{y}}", &[("x", "".into())]).1, ["nothing fills `y`"]);
    }

    #[test]
    fn an_unknown_name_fails() {
        assert_eq!(filled("{{x}}", &[("x", "".into()), ("y", "".into())]).1, ["no place for `y`"]);
    }

    #[test]
    fn a_place_without_an_end_fails() {
        assert_eq!(filled("{{x}}{{x", &[("x", "".into())]).1, ["a place without an end"]);
    }

    #[test]
    #[cfg(debug_assertions)]
    #[should_panic(expected = "nothing fills `x`")]
    fn a_page_with_a_mistake_stops_the_tests() {
        fill("{{x}}", &[]);
    }

    #[test]
    fn text_cannot_leave_its_place() {
        let attack = "</p><script>alert('1')</script>\" onclick=\"&amp;";
        let escaped = "&lt;/p&gt;&lt;script&gt;alert(&#39;1&#39;)&lt;/script&gt;&quot; onclick=&quot;&amp;amp;";
        assert_eq!(html("<p title=\"{{x}}\">{{x}}</p>", attack), format!("<p title=\"{escaped}\">{escaped}</p>"));
    }

    #[test]
    fn text_with_a_place_in_it_is_not_filled_again() {
        assert_eq!(html("<p>{{x}}</p>", "{{x}}"), "<p>{{x}}</p>");
    }

    #[test]
    fn characters_that_nobody_sees_are_shown() {
        assert_eq!(html("{{x}}", "a\u{202e}b\u{0}c\rd\u{2066}e\u{85}"), "a\u{fffd}b\u{fffd}c\u{fffd}d\u{fffd}e\u{fffd}");
        assert_eq!(html("{{x}}", "a\n\tb"), "a\n\tb");
    }

    #[test]
    fn html_stands_as_it_is() {
        let part = fill("<b>{{x}}</b>", &[("x", "<".into())]);
        let both = Html::all([part, Html::fixed("<hr>")]);
        assert_eq!(fill("{{x}}!", &[("x", both.into())]).into_string(), "<b>&lt;</b><hr>!");
    }
}
