//! From a 401 to the endpoints of the authorization server (RFC 9728, RFC 8414).

use super::{Access, failed, plain, unlike};
use crate::client::url::Url;
use crate::error::Error;
use crate::json::Members;

/// What a `WWW-Authenticate: Bearer` says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Challenge {
    pub(crate) resource_metadata: Option<String>,
    pub(crate) scope: Option<String>,
    pub(crate) error: Option<String>,
}

impl Challenge {
    pub(crate) fn parse(text: &str) -> Self {
        let mut challenge = Challenge::default();
        let mut rest = text.trim_start_matches("Bearer").trim_start();
        while let Some((name, after)) = rest.split_once('=') {
            let (value, after) = match after.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"').unwrap_or((quoted, "")),
                None => after.split_once(',').unwrap_or((after, "")),
            };
            let slot = match name.trim().to_ascii_lowercase().as_str() {
                "resource_metadata" => Some(&mut challenge.resource_metadata),
                "scope" => Some(&mut challenge.scope),
                "error" => Some(&mut challenge.error),
                _ => None,
            };
            if let Some(slot) = slot {
                *slot = Some(value.trim().to_owned());
            }
            rest = after.trim_start_matches([',', ' ']);
        }
        challenge
    }
}

/// What the resource says of itself.
#[derive(Default)]
pub(crate) struct Resource {
    pub(crate) url: String,
    authorization_servers: Vec<String>,
    scopes_supported: Vec<String>,
}

/// What the authorization server says of itself.
#[derive(Default)]
pub(crate) struct Metadata {
    pub(crate) issuer: String,
    pub(super) authorization_endpoint: Option<String>,
    pub(super) token_endpoint: String,
    pub(crate) registration_endpoint: Option<String>,
    pub(super) device_authorization_endpoint: Option<String>,
    pub(crate) code_challenge_methods_supported: Vec<String>,
    token_endpoint_auth_methods_supported: Vec<String>,
    pub(super) authorization_response_iss_parameter_supported: bool,
    scopes_supported: Vec<String>,
}

impl Metadata {
    pub(crate) fn read(about: &mut Members) -> Option<Self> {
        let read = Metadata {
            issuer: about.text("issuer"),
            authorization_endpoint: about.text_if_any("authorization_endpoint"),
            token_endpoint: about.text("token_endpoint"),
            registration_endpoint: about.text_if_any("registration_endpoint"),
            device_authorization_endpoint: about.text_if_any("device_authorization_endpoint"),
            code_challenge_methods_supported: about.texts("code_challenge_methods_supported"),
            token_endpoint_auth_methods_supported: about.texts("token_endpoint_auth_methods_supported"),
            authorization_response_iss_parameter_supported: about.flag("authorization_response_iss_parameter_supported"),
            scopes_supported: about.texts("scopes_supported"),
        };
        about.sound(read)
    }

    /// How a client says at the token endpoint who it is: not at all, where the server lets it.
    pub(super) fn auth_method(&self) -> &'static str {
        let all = &self.token_endpoint_auth_methods_supported;
        let preferred = ["none", "client_secret_post", "client_secret_basic"];
        preferred.into_iter().find(|known| all.iter().any(|method| method == known)).unwrap_or("none")
    }
}

/// All that a sign-in needs to know.
pub(super) struct Found {
    pub(super) resource: String,
    pub(super) scope: Option<String>,
    pub(super) server: Metadata,
}

impl Resource {
    pub(crate) fn read(about: &mut Members) -> Option<Self> {
        let read = Resource {
            url: about.text("resource"),
            authorization_servers: about.texts("authorization_servers"),
            scopes_supported: about.texts("scopes_supported"),
        };
        about.sound(read)
    }

    /// The server that lets people in: itself, where it names none.
    pub(crate) fn issuer(&self, access: &Access) -> String {
        self.authorization_servers.first().cloned().unwrap_or_else(|| access.url.origin())
    }
}

pub(super) async fn discover(access: &Access, challenge: &Challenge) -> Result<Found, Error> {
    let resource = resource(access, challenge).await?;
    let server = server(access, &resource).await?;
    let join = |list: &[String]| Some(list.join(" ")).filter(|text| !text.is_empty());
    let scope = challenge.scope.clone().or_else(|| join(&resource.scopes_supported));
    let scope = scope.or_else(|| join(&server.scopes_supported));
    Ok(Found { resource: resource.url, scope, server })
}

/// What the authorization server of this resource says of itself.
pub(crate) async fn server(access: &Access, resource: &Resource) -> Result<Metadata, Error> {
    let issuer = resource.issuer(access);
    let base = access.endpoint(&issuer)?;
    let path = base.path_alone().trim_end_matches('/').to_owned();
    let places = [
        format!("/.well-known/oauth-authorization-server{path}"),
        format!("/.well-known/openid-configuration{path}"),
        format!("{path}/.well-known/openid-configuration"),
    ];
    for place in places {
        let place = base.with_path(&place);
        let Some(mut about) = access.document(&place).await? else { continue };
        let server = Metadata::read(&mut about).ok_or_else(|| unlike(&place))?;
        // RFC 8414 3.3: else anybody could speak for another server.
        if server.issuer.trim_end_matches('/') != issuer.trim_end_matches('/') {
            return Err(
                failed(&format!("the authorization server calls itself something else: {}", plain(&server.issuer))).at(&issuer)
            );
        }
        return Ok(server);
    }
    Err(failed("the server asks for a sign-in, but does not say where").at(&issuer))
}

/// What the resource says of itself, where the challenge or the standard says that it does.
pub(crate) async fn resource(access: &Access, challenge: &Challenge) -> Result<Resource, Error> {
    let url = &access.url;
    let known =
        [format!("/.well-known/oauth-protected-resource{}", url.path_alone()), "/.well-known/oauth-protected-resource".into()];
    let named = challenge.resource_metadata.as_deref().map(|text| access.endpoint(text)).transpose()?;
    for place in named.into_iter().chain(known.iter().map(|path| url.with_path(path))) {
        let Some(mut about) = access.document(&place).await? else { continue };
        let resource = Resource::read(&mut about).ok_or_else(|| unlike(&place))?;
        // A token for another server is none of this one's business.
        let is_ours =
            Url::parse(&resource.url).is_some_and(|of| of.origin() == url.origin() && url.path().starts_with(of.path_alone()));
        if !is_ours {
            return Err(failed("the server speaks of another resource than its own").at(plain(&resource.url)));
        }
        return Ok(resource);
    }
    // Before 2025-06-18 the server is its own authorization server.
    Ok(Resource { url: url.to_string(), ..Resource::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_challenge_is_read_in_any_order() {
        let text = "Bearer error=\"insufficient_scope\", scope=\"math system:read\", resource_metadata=\"http://l/x?a=b,c\"";
        let challenge = Challenge::parse(text);
        assert_eq!(challenge.scope.as_deref(), Some("math system:read"));
        assert_eq!(challenge.error.as_deref(), Some("insufficient_scope"));
        assert_eq!(challenge.resource_metadata.as_deref(), Some("http://l/x?a=b,c"));
        assert_eq!(Challenge::parse("Bearer"), Challenge::default());
        assert_eq!(Challenge::parse("Bearer realm=x, scope=y").scope.as_deref(), Some("y"));
    }
}
