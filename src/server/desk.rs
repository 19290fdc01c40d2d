//! What the owner may ask of a server: the one that runs, over its control socket; or, where none runs, the state itself.

use crate::error::{Error, Exit};
use crate::http::Service;
use crate::json::Members;
use crate::oauth::Mint;
use crate::principal::ClientTag;
use crate::seal::KeyRing;
use crate::server::state::State;
use crate::server::stop::Stop;
use serde::Serialize;
use serde_json::Value;
use std::net::SocketAddr;
use std::rc::Rc;
use zeroize::Zeroizing;

/// What the owner wants. It may hold a token or keys, so that it cannot be printed.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Request {
    /// Word that the server is there.
    Health,
    /// A code with which somebody may sign in once.
    Pair { user: String, scopes: Option<String> },
    /// A token made by hand.
    Mint { name: String, user: String, scopes: String, secs: u64 },
    /// What a sealed text says.
    Inspect { text: String },
    /// An end to tokens.
    Revoke { whose: Whose },
    /// Word that a user gets another password: his tokens end, unless he stays signed in.
    Password { user: String, stays: bool },
    /// A new key in front of the ring.
    Rotate,
    /// Another ring, as it stands in a file.
    Import { ring: String },
}

impl Request {
    /// Reads what serde wrote. What is not known is refused: a newer perchd may mean something by it.
    pub(crate) fn read(json: Value) -> Option<Self> {
        let (name, held) = variant(json)?;
        let mut held = Members::of(held);
        let request = match &*name {
            "health" => Request::Health,
            "pair" => Request::Pair { user: held.text("user"), scopes: held.text_if_any("scopes") },
            "mint" => Request::Mint {
                name: held.text("name"),
                user: held.text("user"),
                scopes: held.text("scopes"),
                secs: held.number("secs"),
            },
            "inspect" => Request::Inspect { text: held.text("text") },
            "revoke" => Request::Revoke { whose: Whose::read(held.take("whose")?)? },
            "password" => Request::Password { user: held.text("user"), stays: held.flag("stays") },
            "rotate" => Request::Rotate,
            "import" => Request::Import { ring: held.text("ring") },
            _ => return None,
        };
        held.whole(request)
    }
}

/// A variant by its name, and what it holds.
fn variant(json: Value) -> Option<(String, Value)> {
    match json {
        Value::String(name) => Some((name, Value::Null)),
        Value::Object(members) if members.len() == 1 => members.into_iter().next(),
        _ => None,
    }
}

/// Whose tokens end.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Whose {
    /// Everybody's.
    Everybody,
    /// A user's.
    User(String),
    /// A client's, which is named by its tag or by its whole id.
    Client(String),
    /// Those that were made by hand under this name.
    Name(String),
    /// Those of the sign-in that this token belongs to.
    Token(String),
}

impl Whose {
    fn read(json: Value) -> Option<Self> {
        let (name, held) = variant(json)?;
        Some(match (&*name, held) {
            ("everybody", Value::Null) => Whose::Everybody,
            ("user", Value::String(text)) => Whose::User(text),
            ("client", Value::String(text)) => Whose::Client(text),
            ("name", Value::String(text)) => Whose::Name(text),
            ("token", Value::String(text)) => Whose::Token(text),
            _ => return None,
        })
    }
}

/// What he gets. It may hold a token or a code, so that it cannot be printed.
#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The server is there.
    Health {
        version: String,
        pid: u32,
        uptime_secs: u64,
        connections: usize,
        /// Where it listens, whatever its configuration says: systemd may have handed it the sockets.
        listens: Vec<SocketAddr>,
    },
    /// A code, for how long it is good, and where the server is reached.
    Pairing { code: String, secs: u64, origin: String },
    /// A token, and what stands for a client in it.
    Token { text: String, client: String, origin: String },
    /// What a text says; nothing if it is none of ours.
    Inspection { inspection: Option<Value> },
    /// They are dead.
    Revoked,
    /// Another ring holds, with so many keys. `has_dropped`: one that was there before is not any more.
    Keys { count: usize, has_dropped: bool },
    /// The server has another state folder.
    Elsewhere,
    /// It cannot be done.
    Fault { exit: u8, told: String },
}

impl Answer {
    /// Reads what serde wrote.
    pub(crate) fn read(json: Value) -> Option<Self> {
        let (name, held) = variant(json)?;
        let mut held = Members::of(held);
        let answer = match &*name {
            "health" => Answer::Health {
                version: held.text("version"),
                pid: held.number("pid"),
                uptime_secs: held.number("uptime_secs"),
                connections: held.number("connections"),
                listens: held.texts("listens").iter().filter_map(|address| address.parse().ok()).collect(),
            },
            "pairing" => Answer::Pairing { code: held.text("code"), secs: held.number("secs"), origin: held.text("origin") },
            "token" => Answer::Token { text: held.text("text"), client: held.text("client"), origin: held.text("origin") },
            "inspection" => Answer::Inspection { inspection: held.take("inspection") },
            "revoked" => Answer::Revoked,
            "keys" => Answer::Keys { count: held.number("count"), has_dropped: held.flag("has_dropped") },
            "elsewhere" => Answer::Elsewhere,
            "fault" => Answer::Fault { exit: held.number("exit"), told: held.text("told") },
            _ => return None,
        };
        held.sound(answer)
    }
}

/// Does what the owner asks for.
pub(crate) struct Desk {
    service: Rc<Service>,
    state: State,
    stop: Rc<Stop>,
}

impl Desk {
    pub(crate) fn new(service: Rc<Service>, state: State, stop: Rc<Stop>) -> Self {
        Desk { service, state, stop }
    }

    /// The state that is at stake.
    pub(crate) fn state(&self) -> &State {
        &self.state
    }

    /// Answers one request.
    pub(crate) fn answer(&self, request: Request) -> Answer {
        let done = match request {
            Request::Health => Ok(self.health()),
            Request::Pair { user, scopes } => self.pair(&user, scopes.as_deref()),
            Request::Mint { name, user, scopes, secs } => self.mint(&Mint { name: &name, subject: &user, scopes: &scopes, secs }),
            Request::Inspect { text } => self.inspect(&text),
            Request::Revoke { whose } => self.revoke(&whose),
            Request::Password { user, stays } => self.service.new_password(&user, stays).map(|()| Answer::Revoked),
            Request::Rotate => self.replace(self.service.rotated(), "rotated"),
            Request::Import { ring } => self.import(&Zeroizing::new(ring)),
        };
        done.unwrap_or_else(|error| Answer::Fault { exit: error.exit().code(), told: error.to_string() })
    }

    fn health(&self) -> Answer {
        Answer::Health {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            uptime_secs: self.service.uptime().as_secs(),
            connections: self.stop.count(),
            listens: self.service.addresses().to_vec(),
        }
    }

    fn pair(&self, user: &str, scopes: Option<&str>) -> Result<Answer, Error> {
        let pairing = self.service.pair(user, scopes)?;
        Ok(Answer::Pairing { code: pairing.code, secs: pairing.secs, origin: self.service.origin() })
    }

    fn mint(&self, mint: &Mint<'_>) -> Result<Answer, Error> {
        let text = self.service.mint(mint)?;
        Ok(Answer::Token { text, client: Mint::client(mint.name).to_string(), origin: self.service.origin() })
    }

    fn inspect(&self, text: &str) -> Result<Answer, Error> {
        let inspection = self.service.inspect(text).ok().map(serde_json::to_value).transpose();
        let inspection = inspection.map_err(|error| Error::new(Exit::Software, error.to_string()))?;
        Ok(Answer::Inspection { inspection })
    }

    fn revoke(&self, whose: &Whose) -> Result<Answer, Error> {
        match whose {
            Whose::Everybody => self.service.revoke_everything()?,
            Whose::User(name) => self.service.revoke_user(name)?,
            Whose::Client(client) => self.service.revoke_client(self.client(client)?)?,
            Whose::Name(name) => self.service.revoke_client(Mint::client(name))?,
            Whose::Token(text) => {
                let what = "this is no token of this server, or the key that sealed it is gone";
                let grant = self.service.revoke_token(text)?;
                grant.ok_or_else(|| Error::new(Exit::Usage, what).remedy("Look at it: perchd token inspect"))?;
            }
        }
        Ok(Answer::Revoked)
    }

    fn client(&self, text: &str) -> Result<ClientTag, Error> {
        let tag = ClientTag::parse(text).or_else(|| self.service.inspect(text).ok().map(|inspection| inspection.client));
        tag.ok_or_else(|| {
            let remedy = "The log names each client by 16 digits, such as 9f86d081884c7d65; so does perchd token inspect.";
            Error::new(Exit::Usage, "there is no such client").at("--client").remedy(remedy)
        })
    }

    fn import(&self, text: &str) -> Result<Answer, Error> {
        let keys = KeyRing::parse(text).map_err(|fault| Error::new(Exit::Config, fault.to_string()).at("the ring to import"))?;
        self.replace(keys, "imported")
    }

    /// It is on disk before anything is sealed with it: a power cut takes back nothing that somebody has got.
    fn replace(&self, keys: KeyRing, how: &'static str) -> Result<Answer, Error> {
        let (before, count) = (self.service.key_count(), keys.count());
        self.state.keep_keys(&keys)?;
        self.service.rekey(keys, how);
        Ok(Answer::Keys { count, has_dropped: before >= count })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_means_more_than_is_known_is_refused() {
        let json = |text: &str| serde_json::from_str(text).unwrap();
        for text in [
            r#"{"pair":{"user":"anna","scopes":["math"]}}"#,
            r#"{"pair":{"user":"anna","only":"math"}}"#,
            r#"{"pair":{"user":"anna"},"rotate":{}}"#,
            r#"{"pair":{}}"#,
            r#"{"health":[]}"#,
            r#""restart""#,
            r#"{"revoke":{"whose":{"user":1}}}"#,
            r#"{"revoke":{"whose":{"user":"anna","name":"b"}}}"#,
            r#"{"revoke":{"whose":"anna"}}"#,
            r#"{"mint":{"name":"a","user":"b","scopes":"c","secs":-1}}"#,
        ] {
            assert!(Request::read(json(text)).is_none(), "{text}");
        }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = || "a".to_owned();
        let whose = [Whose::Everybody, Whose::User(text()), Whose::Client(text()), Whose::Name(text()), Whose::Token(text())];
        let mut requests = vec![
            Request::Health,
            Request::Pair { user: text(), scopes: None },
            Request::Pair { user: text(), scopes: Some(text()) },
            Request::Mint { name: text(), user: text(), scopes: text(), secs: 1 },
            Request::Inspect { text: text() },
            Request::Password { user: text(), stays: true },
            Request::Rotate,
            Request::Import { ring: text() },
        ];
        requests.extend(whose.map(|whose| Request::Revoke { whose }));
        for request in requests {
            let json = serde_json::to_value(request).unwrap();
            assert_eq!(serde_json::to_value(Request::read(json.clone())).unwrap(), json);
        }
        let listens = vec!["127.0.0.1:1".parse().unwrap(), "[::1]:2".parse().unwrap()];
        for answer in [
            Answer::Health { version: text(), pid: 1, uptime_secs: 2, connections: 3, listens },
            Answer::Pairing { code: text(), secs: 1, origin: text() },
            Answer::Token { text: text(), client: text(), origin: text() },
            Answer::Inspection { inspection: None },
            Answer::Inspection { inspection: Some(Value::from(1)) },
            Answer::Revoked,
            Answer::Keys { count: 1, has_dropped: true },
            Answer::Elsewhere,
            Answer::Fault { exit: 64, told: text() },
        ] {
            let json = serde_json::to_value(answer).unwrap();
            assert_eq!(serde_json::to_value(Answer::read(json.clone())).unwrap(), json);
        }
    }
}
