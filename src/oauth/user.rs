//! Who is in the configuration.

use super::Settings;
use super::client::is_visible;
use super::password::{Check, Phc};
use crate::limits;
use crate::principal::Scopes;

/// Somebody who may sign in with a password.
#[derive(Clone, Debug)]
pub struct User {
    /// What he types, to the byte; see [`User::is_name`].
    pub name: String,
    /// His password, hashed.
    pub password: Phc,
    /// What he may allow a client at most; everything where nothing is said.
    pub scopes: Option<Scopes>,
}

impl User {
    /// Whether somebody can be called so: the name has room, all of it can be seen, and it does not begin or end with a space.
    pub fn is_name(name: &str) -> bool {
        !name.is_empty() && name.len() <= limits::SUBJECT_BYTES && name.trim() == name && name.chars().all(is_visible)
    }
}

impl Settings {
    /// The user of this name.
    pub(super) fn user(&self, name: &str) -> Option<&User> {
        self.users.iter().find(|user| user.name == name)
    }

    /// What is to be done to check a password of whoever calls himself so.
    pub(super) fn check(&self, name: &str) -> Check {
        Check::new(self.user(name).map(|user| &user.password), self.users.iter().map(|user| user.password.iterations()))
    }

    /// What of `scopes` this person may allow at most.
    pub(super) fn limited(&self, name: &str, scopes: &str) -> Scopes {
        match self.user(name).and_then(|user| user.scopes.as_ref()) {
            Some(limit) => Scopes::parse(scopes, |scope| limit.contains(scope)),
            None => Scopes::sealed(scopes),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::Bench;

    #[test]
    fn a_name_that_cannot_be_typed_or_told_from_another_is_none() {
        let long = "x".repeat(limits::SUBJECT_BYTES + 1);
        for name in ["", " ", " anna", "anna ", "an\nna", "an\0na", "an\u{202e}na", "an\u{200b}na", &long] {
            assert!(!User::is_name(name), "{name:?}");
        }
        for name in ["anna", "anna@example.com", "Ännchen von Tharau", "a:b", &long[1..]] {
            assert!(User::is_name(name), "{name:?}");
        }
    }

    #[test]
    fn who_has_no_limit_may_allow_everything() {
        let user = |name: &str, scopes: Option<&str>| User {
            name: name.to_owned(),
            password: Phc::make("x", 0, [0; 16]),
            scopes: scopes.map(|scopes| Scopes::parse(scopes, |_| true)),
        };
        let users = vec![user("anna", None), user("bob", Some("math")), user("carl", Some(""))];
        let settings = Settings { users, ..Bench::open().settings() };
        let limited = |name| settings.limited(name, "system:read math").as_str().to_owned();
        let all = "system:read math".to_owned();
        assert_eq!(["anna", "bob", "carl", "dora"].map(limited), [all.clone(), "math".to_owned(), String::new(), all]);
    }
}
