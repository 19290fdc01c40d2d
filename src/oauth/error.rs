//! What a client is told when it does not get what it asked for, and what the audit log is told beside it.

use crate::seal::Full;
use serde::Serialize;

/// A refusal: RFC 6749 5.2 and 4.1.2.1, RFC 7591 3.2.2, RFC 8707 2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Error {
    status: u16,
    code: &'static str,
    description: &'static str,
    reason: &'static str,
    challenge: Option<&'static str>,
    retry_secs: Option<u64>,
}

impl Error {
    const fn new(status: u16, code: &'static str, description: &'static str) -> Self {
        Error { status, code, description, reason: description, challenge: None, retry_secs: None }
    }

    /// The request itself is wrong. RFC 6749 5.2.
    pub(super) const fn invalid_request(description: &'static str) -> Self {
        Error::new(400, "invalid_request", description)
    }

    /// At the token endpoint: no client of ours. Clients register anew when they hear it. RFC 6749 5.2.
    pub(super) const fn invalid_client(reason: &'static str) -> Self {
        Error { reason, ..Error::new(401, "invalid_client", "This client is not registered here.") }
    }

    /// A client that named itself in the Authorization header must be told how to. RFC 6749 5.2.
    pub(super) const fn in_header(self) -> Self {
        Error { challenge: Some("Basic realm=\"perchd\""), ..self }
    }

    /// At the authorization endpoint: no client of ours, or none with this redirect URI. PROTOCOL: clients that hold an
    /// old registration look for this before they open a browser.
    pub(super) const fn unknown_client(description: &'static str) -> Self {
        Error::new(400, "invalid_client", description)
    }

    /// The code or the refresh token is not good; which check it failed is not told. RFC 6749 5.2.
    pub(super) const fn invalid_grant(reason: &'static str) -> Self {
        Error { reason, ..Error::new(400, "invalid_grant", "The code or refresh token is not valid (any more).") }
    }

    /// None of the scopes was allowed. RFC 6749 5.2.
    pub(super) const fn invalid_scope(description: &'static str) -> Self {
        Error::new(400, "invalid_scope", description)
    }

    /// The resource is none of ours, or not one that was asked for at the beginning. RFC 8707 2.
    pub(super) const fn invalid_target(description: &'static str) -> Self {
        Error::new(400, "invalid_target", description)
    }

    /// RFC 6749 5.2.
    pub(super) const fn unsupported_grant_type() -> Self {
        Error::new(400, "unsupported_grant_type", "This grant_type is not supported here.")
    }

    /// The client is not registered for this grant. RFC 6749 5.2.
    pub(super) const fn unauthorized_client() -> Self {
        Error::new(400, "unauthorized_client", "The client is not registered for this grant.")
    }

    /// Nobody has decided yet. RFC 8628 3.5.
    pub(super) const fn authorization_pending() -> Self {
        Error::new(400, "authorization_pending", "Nobody has allowed it yet.")
    }

    /// Nor then, and the device asks too often. RFC 8628 3.5.
    pub(super) const fn slow_down() -> Self {
        Error::new(400, "slow_down", "Nobody has allowed it yet. Wait five seconds longer between two requests.")
    }

    /// Nobody has decided in time. RFC 8628 3.5.
    pub(super) const fn expired_token() -> Self {
        Error::new(400, "expired_token", "Nobody has allowed it in time. Ask anew.")
    }

    /// Whether it only says that nobody has decided yet.
    pub(super) fn is_pending(&self) -> bool {
        matches!(self.code, "authorization_pending" | "slow_down")
    }

    /// RFC 6749 4.1.2.1.
    pub(super) const fn unsupported_response_type() -> Self {
        Error::new(400, "unsupported_response_type", "response_type is code.")
    }

    /// The person said no. RFC 6749 4.1.2.1.
    pub(super) const fn access_denied() -> Self {
        Error::new(400, "access_denied", "The request was rejected.")
    }

    /// A table is full; it empties by itself. RFC 6749 4.1.2.1.
    pub(super) const fn temporarily_unavailable(reason: &'static str) -> Self {
        let error = Error::new(503, "temporarily_unavailable", "Too many sign-ins at once. Try again in a few minutes.");
        Error { reason, retry_secs: Some(60), ..error }
    }

    /// Whoever asks has tried too often, or all have. RFC 6585 4.
    pub(super) const fn too_many(retry_secs: u64) -> Self {
        let error = Error::new(429, "temporarily_unavailable", "There were too many attempts.");
        Error { reason: "too many attempts", retry_secs: Some(retry_secs), ..error }
    }

    /// Others sign in at the moment, and the queue is full.
    pub const fn busy() -> Self {
        let error = Error::new(503, "temporarily_unavailable", "Too many people sign in at this moment.");
        Error { retry_secs: Some(5), ..error }
    }

    /// RFC 7591 3.2.2.
    pub(super) const fn invalid_redirect_uri(description: &'static str) -> Self {
        Error::new(400, "invalid_redirect_uri", description)
    }

    /// RFC 7591 3.2.2.
    pub(super) const fn invalid_client_metadata(description: &'static str) -> Self {
        Error::new(400, "invalid_client_metadata", description)
    }

    /// Nobody signs in on this server.
    pub(super) const fn nobody_signs_in() -> Self {
        Error::new(404, "not_found", "Nobody signs in on this server: it asks for no token.")
    }

    /// The HTTP status, where the error is not sent with a redirect.
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The code of the error, for the client.
    pub fn error(&self) -> &'static str {
        self.code
    }

    /// The same as a sentence, for whoever reads it.
    pub fn description(&self) -> &'static str {
        self.description
    }

    /// What the audit log is told, and the client is not.
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// The value of a `WWW-Authenticate` header, where the answer needs one.
    pub fn challenge(&self) -> Option<&'static str> {
        self.challenge
    }

    /// After how many seconds to try again, where that helps.
    pub fn retry_secs(&self) -> Option<u64> {
        self.retry_secs
    }

    /// The body: `{"error":…,"error_description":…}`.
    pub fn to_json(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body {
            error: &'static str,
            error_description: &'static str,
        }
        json(&Body { error: self.code, error_description: self.description })
    }
}

impl From<Full> for Error {
    /// Every field has a bound and the bounds have room together, so that this is a fault of ours.
    fn from(_: Full) -> Self {
        Error::new(500, "server_error", "The server could not seal its answer.")
    }
}

/// The documents of this room are plain structures of texts and numbers: writing them into memory cannot fail.
pub(super) fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_private_reason_stays_private() {
        let error = Error::invalid_grant("code used twice");
        assert!(!String::from_utf8(error.to_json()).unwrap().contains("twice"));
        assert_eq!(error.reason(), "code used twice");
    }

    #[test]
    fn an_error_is_json_as_in_rfc_6749() {
        assert_eq!(
            String::from_utf8(Error::invalid_request("grant_type is missing.").to_json()).unwrap(),
            r#"{"error":"invalid_request","error_description":"grant_type is missing."}"#
        );
    }

    #[test]
    fn only_a_client_that_used_the_header_is_challenged() {
        assert_eq!(Error::invalid_client("forged").challenge(), None);
        assert!(Error::invalid_client("forged").in_header().challenge().is_some_and(|value| value.starts_with("Basic ")));
    }
}
