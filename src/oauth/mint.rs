//! Tokens that the owner makes by hand, for programs that cannot sign in: curl, a script, a client with a fixed header.

use super::Authority;
use super::claims::{Allowance, Token};
use super::client::{is_visible, tag};
use super::life::Life;
use super::login::Way;
use super::resource::Target;
use crate::audit::Event;
use crate::error::{Error, Exit};
use crate::limits;
use crate::principal::{ClientTag, GrantId, Scopes};
use crate::seal::Purpose;
use crate::world::World;

/// What the owner wants.
#[derive(Clone, Copy, Debug)]
pub struct Mint<'a> {
    /// What he calls it. Tokens of one name are one client: they are revoked together, and the audit tells them by it.
    pub name: &'a str,
    /// For whom it speaks.
    pub subject: &'a str,
    /// What it may do: names with spaces between.
    pub scopes: &'a str,
    /// How long it lasts, at most [`limits::STATIC_SECS`].
    pub secs: u64,
}

impl Mint<'_> {
    /// What stands for a client in tokens of this name. A space is in no `client_id`, so that no client is taken for it.
    pub fn client(name: &str) -> ClientTag {
        tag(&format!("token {name}"))
    }
}

impl Authority {
    /// An access token without a refresh token, good for the whole server. It ends with its time, when it is revoked, or
    /// when the key that sealed it has left the ring.
    ///
    /// # Errors
    /// When something of it is missing, too long or not known here.
    pub fn mint(&self, world: &World<'_>, mint: &Mint<'_>) -> Result<String, Error> {
        let Mint { name, subject, secs, .. } = *mint;
        check_name(name, "name", limits::CLIENT_NAME_BYTES)?;
        check_name(subject, "user", limits::SUBJECT_BYTES)?;
        let scopes = self.known(mint.scopes)?;
        if !(1..=limits::STATIC_SECS).contains(&secs) {
            let remedy = format!("Choose between a second and {} days.", limits::STATIC_SECS / (24 * 3600));
            return Err(Error::new(Exit::Usage, "a token cannot last that long").remedy(remedy));
        }
        let settings = self.settings();
        let base = settings.bases.first().ok_or_else(|| Error::new(Exit::Config, "the server has no address"))?;
        let client = Mint::client(name);
        let (grant, epoch) = (GrantId(world.bytes()), self.denied.borrow().epoch());
        let allowance =
            Allowance { grant, epoch, client, target: Target::whole(base), way: Way::Made, subject, scopes: scopes.as_str() };
        let token = Token { life: Life::lasting(secs, world.now, self.boot), counter: 0, allowance };
        let text = token.seal(&self.ring(), Purpose::Access).map_err(|full| Error::new(Exit::Software, full.to_string()))?;
        world.audit.record(&Event::TokenMinted { name, subject, client, grant, scopes: scopes.as_str(), secs });
        Ok(text)
    }

    fn known(&self, names: &str) -> Result<Scopes, Error> {
        let remedy = || format!("Name some of these: {}.", self.scopes().as_str());
        if let Some(unknown) = names.split_whitespace().find(|name| !self.scopes().contains(name)) {
            return Err(Error::new(Exit::Usage, format!("there is no scope `{unknown}`")).remedy(remedy()));
        }
        let scopes = Scopes::parse(names, |_| true);
        if scopes.is_empty() {
            return Err(Error::new(Exit::Usage, "a token without a scope can do nothing").remedy(remedy()));
        }
        Ok(scopes)
    }
}

fn check_name(text: &str, what: &str, bytes_max: usize) -> Result<(), Error> {
    let is_good = !text.is_empty() && text.trim() == text && text.len() <= bytes_max && text.chars().all(is_visible);
    if is_good {
        return Ok(());
    }
    let remedy = format!("Give it 1 to {bytes_max} characters that can be seen, with no space at either end.");
    Err(Error::new(Exit::Usage, format!("this is no {what} for a token")).remedy(remedy))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::Endpoints;
    use crate::oauth::testing::Bench;

    const GOOD: Mint<'static> = Mint { name: "meter", subject: "ada", scopes: "system:read math", secs: 60 };

    #[test]
    fn what_is_missing_too_long_or_unknown_is_refused() {
        let bench = Bench::new();
        let long = "n".repeat(limits::CLIENT_NAME_BYTES + 1);
        let mut bad = Vec::new();
        for text in ["", " meter", "a\nb", "\u{202e}", &long] {
            bad.extend([Mint { name: text, ..GOOD }, Mint { subject: text, ..GOOD }]);
        }
        bad.extend(["", " ", "root", "math root", "math,system:read"].map(|scopes| Mint { scopes, ..GOOD }));
        bad.extend([0, limits::STATIC_SECS + 1, u64::MAX].map(|secs| Mint { secs, ..GOOD }));
        for mint in bad {
            let error = bench.authority.mint(&bench.world(), &mint).unwrap_err();
            assert_eq!(error.exit(), Exit::Usage, "{mint:?}");
        }
        assert!(!bench.audit.has("TokenMinted"));
    }

    #[test]
    fn an_unknown_scope_is_named_with_those_that_there_are() {
        let bench = Bench::new();
        let error = bench.authority.mint(&bench.world(), &Mint { scopes: "math root", ..GOOD }).unwrap_err();
        assert_eq!(error.to_string(), "there is no scope `root`\n  Name some of these: math system:read gpio:write.");
    }

    #[test]
    fn it_passes_the_bearer_check_until_its_time_is_over() {
        let mut bench = Bench::new();
        let token = bench.authority.mint(&bench.world(), &GOOD).unwrap();
        let principal = bench.bearer(&token, Endpoints::ANY).unwrap();
        assert_eq!((principal.subject.as_str(), principal.scopes.as_str()), ("ada", "system:read math"));
        assert!(bench.audit.has("name: \"meter\", subject: \"ada\"") && !bench.audit.has(&token));
        bench.pass(59);
        assert!(bench.bearer(&token, Endpoints::ANY).is_ok());
        bench.pass(1);
        assert_eq!(bench.bearer(&token, Endpoints::ANY).unwrap_err().reason(), "token expired");
    }

    #[test]
    fn it_outlives_a_power_cut_and_is_no_refresh_token() {
        let mut bench = Bench::new();
        let token = bench.authority.mint(&bench.world(), &Mint { secs: limits::STATIC_SECS, ..GOOD }).unwrap();
        bench.restart();
        bench.step(300 * 24 * 3600);
        assert!(bench.bearer(&token, Endpoints::ANY).is_ok());
        assert_eq!(bench.refresh(&bench.client, &token, &[]).unwrap_err().error(), "invalid_grant");
    }

    #[test]
    fn tokens_of_one_name_are_one_client_and_each_is_a_grant_of_its_own() {
        let bench = Bench::new();
        let [one, two, other] = ["meter", "meter", "clock"].map(|name| bench.mint(name, "ada", 60));
        let principal = |token: &str| bench.bearer(token, Endpoints::ANY).unwrap();
        assert_eq!(principal(&one).client, principal(&two).client);
        assert_ne!(principal(&one).grant, principal(&two).grant);
        assert_ne!(principal(&one).client, principal(&other).client);
        bench.authority.revoke_token(&bench.world(), &one).unwrap();
        assert!(bench.bearer(&one, Endpoints::ANY).is_err() && bench.bearer(&two, Endpoints::ANY).is_ok());
        bench.authority.revoke_client(&bench.world(), principal(&two).client);
        assert!(bench.bearer(&two, Endpoints::ANY).is_err() && bench.bearer(&other, Endpoints::ANY).is_ok());
    }
}
