//! The closed list of things worth remembering. No event carries a token, a code, a password or a key.

use crate::principal::{ClientTag, GrantId};
use serde::Serialize;
use serde_json::value::RawValue;

/// Something that happened and that an owner may want to know about later.
#[derive(Clone, Copy, Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// A client registered itself (RFC 7591). Costs nothing and allows nothing.
    Registered {
        /// The name that it gave itself.
        name: &'a str,
        /// Where it wants the browser sent.
        redirect_host: &'a str,
    },
    /// A registration was refused.
    RegistrationRefused {
        /// Why.
        reason: &'static str,
    },
    /// A browser came with a request for authorization that is not good.
    AuthorizationRefused {
        /// Why.
        reason: &'static str,
    },
    /// A person signed in.
    SignedIn {
        /// Who.
        subject: &'a str,
        /// For which client.
        client: ClientTag,
    },
    /// A sign-in was refused.
    SignInRefused {
        /// Why.
        reason: &'static str,
    },
    /// A person allowed a client to act for him.
    Approved {
        /// Who.
        subject: &'a str,
        /// Which client.
        client: ClientTag,
        /// What it may do.
        scopes: &'a str,
    },
    /// A person refused a client.
    Rejected {
        /// Who.
        subject: &'a str,
        /// Which client.
        client: ClientTag,
    },
    /// An access token was minted.
    TokenIssued {
        /// For whom.
        subject: &'a str,
        /// For which client.
        client: ClientTag,
        /// The grant that it came from.
        grant: GrantId,
        /// The `grant_type` of the request.
        grant_type: &'static str,
    },
    /// A request to the token endpoint was refused.
    TokenRefused {
        /// The private reason, which the client does not get.
        reason: &'static str,
    },
    /// A code or an old refresh token came a second time: all tokens of its grant are dead.
    ReuseDetected {
        /// The grant.
        grant: GrantId,
    },
    /// A client gave its tokens back (RFC 7009).
    Revoked {
        /// The grant.
        grant: GrantId,
    },
    /// The same person allowed the same client anew: the older grant ends.
    Superseded {
        /// The older grant.
        grant: GrantId,
    },
    /// Every token that was ever issued is dead: too many grants were revoked to remember each, or the owner wished it.
    AllRevoked {
        /// Tokens of an epoch before this one are dead.
        epoch: u32,
    },
    /// A request came with a token that is not good.
    BearerRefused {
        /// The private reason, which the client does not get.
        reason: &'static str,
    },
    /// A tool ran.
    ToolCalled {
        /// For whom.
        subject: &'a str,
        /// Through which client.
        client: ClientTag,
        /// Which tool.
        tool: &'a str,
        /// With what, where the tool has that shown.
        #[serde(skip_serializing_if = "Option::is_none")]
        arguments: Option<&'a RawValue>,
        /// `ok`, `error` (the tool's own), `cancelled` or `timeout`.
        outcome: &'static str,
        /// How long it took, in milliseconds.
        ms: u64,
    },
}

/// Takes events. It must not block: it is called between two requests of everybody else.
pub trait Audit {
    /// Remembers `event`.
    fn record(&self, event: &Event<'_>);
}

/// Remembers nothing; for tests and for those who do not want an audit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nothing;

impl Audit for Nothing {
    fn record(&self, _: &Event<'_>) {}
}
