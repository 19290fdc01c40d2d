//! What a sealed text says, for the owner who has found one: what it is, whose, for what, and whether it is still good.

use super::Authority;
use super::claims::{Allowance, Code, Token};
use super::client::{Client, Registered};
use crate::principal::{ClientTag, GrantId};
use crate::seal::{Forged, Purpose};
use crate::world::World;
use serde::Serialize;

/// What a text is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An access token, from a sign-in or made by hand.
    AccessToken,
    /// A refresh token.
    RefreshToken,
    /// An authorization code.
    AuthorizationCode,
    /// A client's registration.
    ClientId,
}

/// Whether it is good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It is.
    Good,
    /// Its time is over.
    Expired,
    /// It, or what it belongs to, was revoked.
    Revoked,
    /// It was good once, and was used.
    Used,
    /// It is for a server of another address that shares the keys.
    Elsewhere,
}

/// What a text says. The text itself is not in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Inspection {
    /// What it is.
    pub kind: Kind,
    /// Whether it is good.
    pub state: State,
    /// Which client it was given to, or is.
    pub client: ClientTag,
    /// What that client calls itself, where the text says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub client_name: Option<String>,
    /// Who signed in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// What it allows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<String>,
    /// The sign-in that it came of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantId>,
    /// When it was made, as far as the text says: to the day.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub born_unix: Option<u64>,
    /// When it ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ends_unix: Option<u64>,
}

impl Authority {
    /// Takes any sealed text of ours apart. It changes nothing, and is no event.
    ///
    /// # Errors
    /// [`Forged`] for what was not sealed here, or by a key that has left the ring.
    pub fn inspect(&self, world: &World<'_>, text: &str) -> Result<Inspection, Forged> {
        let opened = |purpose| self.ring().open(purpose, text.as_bytes());
        if let Ok(payload) = opened(Purpose::Access) {
            return Ok(self.of_token(world, Kind::AccessToken, &Token::read(&payload)?));
        }
        if let Ok(payload) = opened(Purpose::Refresh) {
            return Ok(self.of_token(world, Kind::RefreshToken, &Token::read(&payload)?));
        }
        if let Ok(payload) = opened(Purpose::Code) {
            return Ok(self.of_code(world, &Code::read(&payload)?));
        }
        let Registered { client, born_unix } = Client::registered(&self.ring(), text)?;
        Ok(Inspection {
            kind: Kind::ClientId,
            state: State::Good,
            client: client.tag,
            client_name: Some(client.name.as_str().to_owned()),
            subject: None,
            scopes: None,
            grant: None,
            born_unix: Some(born_unix),
            ends_unix: None,
        })
    }

    fn of_token(&self, world: &World<'_>, kind: Kind, token: &Token<'_>) -> Inspection {
        let Token { life, counter, allowance } = *token;
        let is_refresh = kind == Kind::RefreshToken;
        let denied = self.denied.borrow();
        let is_revoked =
            if is_refresh { denied.has(&allowance.standing()) } else { denied.has_access(&allowance.standing(), counter) };
        let is_over = life.is_over(world.now, self.boot);
        let is_used = is_refresh && self.families.borrow().is_used(allowance.grant, counter);
        let ends_unix = if is_over { life.end_unix } else { life.ends_unix(world.now, self.boot) };
        self.of(kind, &allowance, ends_unix, [(is_over, State::Expired), (is_revoked, State::Revoked), (is_used, State::Used)])
    }

    fn of_code(&self, world: &World<'_>, code: &Code<'_>) -> Inspection {
        let Code { deadline, allowance, .. } = *code;
        let is_revoked = self.denied.borrow().has(&allowance.standing());
        let is_used = self.spent.borrow().has(world.now, allowance.grant.0);
        let is_over = deadline.is_past(world.now, self.boot);
        let ends_unix = world.now.unix + deadline.uptime_ms.saturating_sub(world.now.uptime_ms) / 1000;
        let faults = [(is_over, State::Expired), (is_revoked, State::Revoked), (is_used, State::Used)];
        let inspection = self.of(Kind::AuthorizationCode, &allowance, ends_unix, faults);
        // The end of a code is told by uptime, and says nothing once that is over.
        Inspection { ends_unix: inspection.ends_unix.filter(|_| !is_over), ..inspection }
    }

    fn of(&self, kind: Kind, allowance: &Allowance<'_>, ends_unix: u64, faults: [(bool, State); 3]) -> Inspection {
        let is_elsewhere = !self.settings().bases.iter().any(|base| base.audience == allowance.target.audience);
        let faults = faults.into_iter().chain([(is_elsewhere, State::Elsewhere)]);
        Inspection {
            kind,
            state: faults.into_iter().find(|(is_so, _)| *is_so).map_or(State::Good, |(_, state)| state),
            client: allowance.client,
            client_name: None,
            subject: Some(allowance.subject.to_owned()),
            scopes: Some(allowance.scopes.to_owned()),
            grant: Some(allowance.grant),
            born_unix: None,
            ends_unix: Some(ends_unix),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits;
    use crate::oauth::testing::Bench;

    fn inspect(bench: &Bench, text: &str) -> Inspection {
        bench.authority.inspect(&bench.world(), text).unwrap()
    }

    fn tokens(bench: &Bench) -> [String; 2] {
        let tokens = bench.tokens();
        ["access_token", "refresh_token"].map(|member| tokens[member].as_str().unwrap().to_owned())
    }

    #[test]
    fn what_is_none_of_ours_says_nothing() {
        let bench = Bench::new();
        let [access, _] = tokens(&bench);
        let session = bench.ring.seal(Purpose::Session, b"session");
        let odd = bench.ring.seal(Purpose::Access, b"odd");
        for text in ["", "x", &access[1..], &session, &odd, &"A".repeat(1 << 20)] {
            assert_eq!(bench.authority.inspect(&bench.world(), text), Err(Forged), "{text:.30}");
        }
    }

    #[test]
    fn each_kind_is_told_from_the_others() {
        let bench = Bench::new();
        let [access, refresh] = tokens(&bench);
        let code = bench.code();
        let now = bench.world().now.unix;
        for (text, kind, secs) in [
            (&access, Kind::AccessToken, limits::ACCESS_SECS),
            (&refresh, Kind::RefreshToken, limits::REFRESH_SECS),
            (&code, Kind::AuthorizationCode, limits::CODE_SECS),
            (&bench.mint("meter", "me@example.com", 5), Kind::AccessToken, 5),
        ] {
            let said = inspect(&bench, text);
            assert_eq!((said.kind, said.state, said.ends_unix), (kind, State::Good, Some(now + secs)));
            assert_eq!(said.subject.as_deref(), Some("me@example.com"));
            assert!(said.scopes.as_deref().is_some_and(|scopes| scopes.starts_with("math")));
            let json = serde_json::to_string(&said).unwrap();
            assert!(!json.contains(text.as_str()) && !format!("{said:?}").contains(text.as_str()), "{json}");
        }
        let client = inspect(&bench, &bench.client);
        assert_eq!((client.kind, client.client_name.as_deref()), (Kind::ClientId, Some("A client")));
        assert_eq!(client.client, inspect(&bench, &access).client);
        assert_eq!(client.born_unix, Some(now / 86400 * 86400));
    }

    #[test]
    fn the_state_is_that_of_the_bearer_check() {
        let mut bench = Bench::new();
        let [access, refresh] = tokens(&bench);
        let code = bench.code();
        bench.exchange(&bench.client, &code, &[]).unwrap();
        assert_eq!(inspect(&bench, &code).state, State::Used);
        // The newer sign-in has taken the place of the older.
        assert_eq!([&access, &refresh].map(|text| inspect(&bench, text).state), [State::Revoked; 2]);
        let [access, refresh] = tokens(&bench);
        bench.refresh(&bench.client, &refresh, &[]).unwrap();
        assert_eq!([&access, &refresh].map(|text| inspect(&bench, text).state), [State::Good, State::Used]);
        bench.authority.revoke_token(&bench.world(), &refresh).unwrap();
        assert_eq!([&access, &refresh].map(|text| inspect(&bench, text).state), [State::Revoked; 2]);
        let elsewhere = bench.sibling(&["http://other.local:8787"]).inspect(&bench.world(), &access).unwrap();
        assert_eq!(elsewhere.state, State::Elsewhere);
        let ends = inspect(&bench, &access).ends_unix;
        bench.pass(limits::ACCESS_SECS);
        assert_eq!((inspect(&bench, &access).state, inspect(&bench, &access).ends_unix), (State::Expired, ends));
        assert_eq!((inspect(&bench, &code).state, inspect(&bench, &code).ends_unix), (State::Expired, None));
    }
}
