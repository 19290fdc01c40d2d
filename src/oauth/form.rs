//! The parameters of a query or a form.

use super::Error;
use std::borrow::Cow;

/// What came in a query or in a body of type `application/x-www-form-urlencoded`.
#[derive(Debug)]
pub(super) struct Parameters<'a>(Vec<(Cow<'a, str>, Cow<'a, str>)>);

impl<'a> Parameters<'a> {
    /// Takes them apart, if they are at most `bytes_max` long.
    pub(super) fn parse(form: &'a [u8], bytes_max: usize) -> Result<Self, Error> {
        if form.len() > bytes_max {
            return Err(Error::invalid_request("The request is too long."));
        }
        let pairs: Vec<_> = form_urlencoded::parse(form).collect();
        // What is no UTF-8 comes out as U+FFFD, and could not be given back as it came.
        if pairs.iter().any(|(name, value)| name.contains('\u{fffd}') || value.contains('\u{fffd}')) {
            return Err(Error::invalid_request("The request is not UTF-8."));
        }
        Ok(Parameters(pairs))
    }

    /// The value of a parameter. RFC 6749 3.1: one without a value counts as left out, and none may come twice.
    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Error> {
        let mut values = self.all(name);
        let value = values.next();
        if values.next().is_some() {
            return Err(Error::invalid_request("A parameter came twice."));
        }
        Ok(value.filter(|value| !value.is_empty()))
    }

    /// The value of a parameter that must be there; `missing` says that it is not.
    pub(super) fn required(&self, name: &str, missing: &'static str) -> Result<&str, Error> {
        self.one(name)?.ok_or(Error::invalid_request(missing))
    }

    /// All values of a parameter that may come several times.
    pub(super) fn all(&self, name: &str) -> impl Iterator<Item = &str> {
        self.0.iter().filter(move |(key, _)| key == name).map(|(_, value)| value.as_ref())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Parameters<'_> {
        Parameters::parse(form.as_bytes(), 100).unwrap()
    }

    #[test]
    fn a_parameter_that_comes_twice_is_refused_even_with_one_value() {
        assert!(parse("a=1&a=1").one("a").is_err());
        assert!(parse("a=1&a=").one("a").is_err());
        assert!(parse("a=1&%61=2").one("a").is_err());
    }

    #[test]
    fn a_form_that_is_too_long_is_refused() {
        assert!(Parameters::parse(&[b'a'; 101], 100).is_err());
        assert!(Parameters::parse(&vec![b'&'; 1 << 20], 100).is_err());
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        assert!(Parameters::parse(b"state=%ff", 100).is_err());
        assert!(Parameters::parse(b"%c3=a", 100).is_err());
        assert!(Parameters::parse(b"state=\xff", 100).is_err());
    }

    #[test]
    fn an_empty_value_counts_as_left_out() {
        assert_eq!(parse("a=&b").one("a"), Ok(None));
        assert_eq!(parse("a=&b").one("b"), Ok(None));
        assert!(parse("a=").required("a", "a is missing").is_err());
    }

    #[test]
    fn values_are_decoded() {
        assert_eq!(parse("a=x+y%2Bz%26").one("a"), Ok(Some("x y+z&")));
        assert_eq!(parse("s=1&s=2").all("s").collect::<Vec<_>>(), ["1", "2"]);
    }
}
