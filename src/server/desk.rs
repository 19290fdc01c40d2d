//! What the owner may ask of a server: the one that runs, over its control socket; or, where none runs, the state itself.

use crate::error::{Error, Exit};
use crate::http::Service;
use crate::oauth::Mint;
use crate::principal::ClientTag;
use crate::seal::KeyRing;
use crate::server::state::State;
use crate::server::stop::Stop;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::net::SocketAddr;
use std::rc::Rc;
use zeroize::Zeroizing;

/// What the owner wants. It may hold a token or keys, so that it cannot be printed.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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

/// Whose tokens end.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
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

/// What he gets. It may hold a token or a code, so that it cannot be printed.
#[derive(Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Answer {
    /// The server is there.
    Health {
        version: String,
        pid: u32,
        uptime_secs: u64,
        connections: usize,
        /// Where it listens, whatever its configuration says: systemd may have handed it the sockets.
        #[serde(default)]
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
