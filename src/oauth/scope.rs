//! What a client may be allowed to do (RFC 6749 3.3).

use super::Error;
use crate::principal::Scopes;
pub use crate::tool::Scope;

/// The scopes of a request for authorization.
///
/// Unknown ones are left out: a client that knows nothing better asks for `openid email profile`. Who names none that
/// is known is offered all, and the person unticks what he does not want.
pub(super) fn offered(known: &Scopes, asked: Option<&str>) -> Scopes {
    let asked = Scopes::parse(asked.unwrap_or_default(), |name| known.contains(name));
    if asked.is_empty() { known.clone() } else { asked }
}

/// The scopes of a refreshed token: those that were `granted`, or fewer. RFC 6749 6.
pub(super) fn narrowed(known: &Scopes, granted: &Scopes, asked: Option<&str>) -> Result<Scopes, Error> {
    let asked = Scopes::parse(asked.unwrap_or_default(), |name| known.contains(name));
    if asked.is_empty() {
        return Ok(granted.clone());
    }
    let both = granted.intersection(&asked);
    if both.is_empty() { Err(Error::invalid_scope("None of these scopes was allowed.")) } else { Ok(both) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Scopes {
        Scopes::parse("math system:read gpio:write", |_| true)
    }

    #[test]
    fn unknown_scopes_are_left_out() {
        assert_eq!(offered(&known(), Some("openid math email")).as_str(), "math");
    }

    #[test]
    fn who_asks_for_nothing_known_is_offered_all() {
        for asked in [None, Some("openid email profile"), Some(" ")] {
            assert_eq!(offered(&known(), asked), known());
        }
    }

    fn narrowed(known: &Scopes, granted: &str, asked: Option<&str>) -> Result<Scopes, Error> {
        super::narrowed(known, &Scopes::parse(granted, |_| true), asked)
    }

    #[test]
    fn a_refresh_cannot_widen() {
        assert_eq!(narrowed(&known(), "math", Some("gpio:write")).map_err(|error| error.error()), Err("invalid_scope"));
        assert_eq!(narrowed(&known(), "math", Some("gpio:write math")).unwrap().as_str(), "math");
    }

    #[test]
    fn a_refresh_can_narrow() {
        assert_eq!(narrowed(&known(), "math system:read", Some("system:read")).unwrap().as_str(), "system:read");
        for asked in [None, Some("openid")] {
            assert_eq!(narrowed(&known(), "math system:read", asked).unwrap().as_str(), "math system:read");
        }
    }
}
