//! A client makes itself known to an authorization server (RFC 7591).

use super::discovery::Metadata;
use super::store::Kept;
use super::{Access, device, failed, plain, refusal};
use crate::error::Error;
use crate::json::Members;
use serde_json::json;

/// A client that nobody may register.
pub(crate) const NOBODY: &str =
    r#"{"client_name":"perchd doctor","redirect_uris":["http://127.0.0.1/#"],"token_endpoint_auth_method":"none"}"#;

impl Access {
    /// RFC 7591.
    pub(super) async fn register(
        &self,
        server: &Metadata,
        kept: &mut Kept,
        redirect_uri: &str,
        scope: &str,
    ) -> Result<(), Error> {
        let method = server.auth_method();
        let mut about = json!({
            "client_name": "perchd connect", "redirect_uris": [redirect_uri], "token_endpoint_auth_method": method,
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"], "application_type": "native",
        });
        if redirect_uri.is_empty() {
            about["redirect_uris"] = json!(["http://127.0.0.1/callback"]);
            about["grant_types"] = json!([device::GRANT, "refresh_token"]);
        }
        if !scope.is_empty() {
            about["scope"] = json!(scope);
        }
        let (status, body) = self.registration(server, &about.to_string()).await?;
        let mut registered = Members::read(&body).unwrap_or_default();
        let client_id = Some(registered.text("client_id")).filter(|id| (200..300).contains(&status) && !id.is_empty());
        kept.client_id = client_id.ok_or_else(|| not_registered(server, status))?;
        kept.client_secret = registered.text_if_any("client_secret");
        let given = registered.text_if_any("token_endpoint_auth_method");
        kept.is_basic = given.as_deref().unwrap_or(method) == "client_secret_basic";
        (kept.access_token, kept.refresh_token) = (None, None);
        Ok(())
    }

    async fn registration(&self, server: &Metadata, about: &str) -> Result<(u16, Vec<u8>), Error> {
        let none = || failed("the authorization server registers nobody").remedy("Use a token: --token-file FILE");
        let endpoint = self.endpoint(server.registration_endpoint.as_deref().ok_or_else(none)?)?;
        let headers = [("Content-Type", "application/json"), ("Accept", "application/json")];
        self.exchange("POST", &endpoint, &headers, about.as_bytes()).await
    }

    /// Looks whether somebody could register. If it `is_real`, somebody does. Else every server must refuse what is sent, as
    /// no address may have a fragment (RFC 6749 3.1.2): nothing is left behind. Whether it was refused.
    pub(crate) async fn try_registration(&self, server: &Metadata, is_real: bool) -> Result<bool, Error> {
        if is_real {
            return self.register(server, &mut Kept::default(), "http://127.0.0.1/callback", "").await.map(|()| false);
        }
        let (status, body) = self.registration(server, NOBODY).await?;
        match refusal(&body) {
            Some(code) if status == 400 && !code.is_empty() => Ok(true),
            _ if (200..300).contains(&status) => Ok(false),
            _ => Err(not_registered(server, status)),
        }
    }
}

fn not_registered(server: &Metadata, status: u16) -> Error {
    let endpoint = server.registration_endpoint.as_deref().map(plain).unwrap_or_default();
    failed(&format!("the registration was refused with status {status}")).at(endpoint)
}
