//! The headers that are looked at with each request, read in one pass: to look one up is to hash its name.

use hyper::header::{HeaderMap, HeaderValue};

/// What a request says in its headers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Told<'a> {
    /// All of them.
    pub(crate) headers: &'a HeaderMap,
    pub(crate) accept: Field<'a>,
    pub(crate) authorization: Field<'a>,
    pub(crate) content_type: Field<'a>,
    pub(crate) host: Field<'a>,
    pub(crate) origin: Field<'a>,
    /// `Mcp-Session-Id`.
    pub(crate) session: Field<'a>,
    /// `MCP-Protocol-Version`; see [`Field::text`].
    pub(crate) revision: Option<&'a str>,
}

impl<'a> Told<'a> {
    pub(crate) fn read(headers: &'a HeaderMap) -> Self {
        let none = Field::default();
        let mut told = Told {
            headers,
            accept: none,
            authorization: none,
            content_type: none,
            host: none,
            origin: none,
            session: none,
            revision: None,
        };
        let mut revision = none;
        for (name, value) in headers {
            let field = match name.as_str() {
                "accept" => &mut told.accept,
                "authorization" => &mut told.authorization,
                "content-type" => &mut told.content_type,
                "host" => &mut told.host,
                "origin" => &mut told.origin,
                "mcp-session-id" => &mut told.session,
                "mcp-protocol-version" => &mut revision,
                _ => continue,
            };
            field.is_repeated = field.first.is_some();
            field.first = field.first.or(Some(value));
        }
        told.revision = revision.text();
        told
    }
}

/// A header: its first value, if it came, and whether it came more than once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Field<'a> {
    pub(crate) first: Option<&'a HeaderValue>,
    pub(crate) is_repeated: bool,
}

impl<'a> Field<'a> {
    /// The value of a header that came once.
    pub(crate) fn only(self) -> Option<&'a HeaderValue> {
        self.first.filter(|_| !self.is_repeated)
    }

    /// What it says. One that comes twice, or that is no text, says something that no body does: a proxy may have gone by
    /// the other one.
    pub(crate) fn text(self) -> Option<&'a str> {
        const NOTHING: &str = "\0";
        let first = self.first?;
        Some(first.to_str().ok().filter(|_| !self.is_repeated).map_or(NOTHING, str::trim))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hyper::header::HeaderName;

    fn headers(lines: &[(&'static str, &'static [u8])]) -> HeaderMap {
        let line = |(name, value): &(&'static str, &'static [u8])| {
            (HeaderName::from_static(name), HeaderValue::from_bytes(value).unwrap())
        };
        lines.iter().map(line).collect()
    }

    #[test]
    fn each_field_is_that_of_its_header() {
        let names = ["accept", "authorization", "content-type", "host", "origin", "mcp-session-id"];
        for (index, name) in names.into_iter().enumerate() {
            let headers = headers(&[("x-other", b"other"), (name, b" told ")]);
            let told = Told::read(&headers);
            let Told { accept, authorization, content_type, host, origin, session, .. } = told;
            for (place, field) in [accept, authorization, content_type, host, origin, session].into_iter().enumerate() {
                assert_eq!(field.only().is_some(), place == index, "{name}");
                assert_eq!(field.text(), (place == index).then_some("told"), "{name}");
            }
            assert_eq!(told.revision, None);
        }
        assert_eq!(
            Told::read(&headers(&[("host", b"a"), ("mcp-protocol-version", b" 2025-11-25")])).revision,
            Some("2025-11-25")
        );
        assert_eq!(Told::read(&headers(&[("mcp-protocol-version", b"a"), ("mcp-protocol-version", b"a")])).revision, Some("\0"));
    }

    #[test]
    fn a_header_that_came_twice_says_nothing() {
        for lines in [
            [("origin", b"a".as_slice()), ("origin", b"a"), ("host", b"x")],
            [("origin", b"a"), ("host", b"x"), ("origin", b"b")],
            [("origin", b"a"), ("origin", b"b"), ("origin", b"c")],
        ] {
            let headers = headers(&lines);
            let origin = Told::read(&headers).origin;
            assert!(origin.is_repeated && origin.only().is_none() && origin.first.is_some_and(|first| first == "a"));
            assert_eq!(origin.text(), Some("\0"));
        }
        assert_eq!(Told::read(&headers(&[("host", b"\xff")])).host.text(), Some("\0"));
        assert_eq!(Field::default().text(), None);
    }
}
