//! The documents by which a client finds its way: RFC 9728 for the resources, RFC 8414 for the sign-in.

use super::error::json;
use super::{Authority, Base, Endpoint, device};
use serde::Serialize;

/// Where [`Authority::resource_metadata`] is served, followed by the path of the endpoint. RFC 9728 3.
pub const RESOURCE_METADATA_PATH: &str = "/.well-known/oauth-protected-resource";

/// The last one not over plain HTTP on a network.
const GRANT_TYPES: [&str; 3] = ["authorization_code", device::GRANT_TYPE, "refresh_token"];

#[derive(Serialize)]
struct ResourceMetadata<'a> {
    resource: String,
    authorization_servers: [&'a str; 1],
    scopes_supported: Vec<&'a str>,
    bearer_methods_supported: [&'a str; 1],
    resource_name: &'a str,
}

#[derive(Serialize)]
struct ServerMetadata<'a> {
    issuer: &'a str,
    authorization_endpoint: String,
    token_endpoint: String,
    registration_endpoint: String,
    revocation_endpoint: String,
    device_authorization_endpoint: String,
    response_types_supported: [&'a str; 1],
    response_modes_supported: [&'a str; 1],
    grant_types_supported: &'a [&'a str],
    token_endpoint_auth_methods_supported: [&'a str; 1],
    revocation_endpoint_auth_methods_supported: [&'a str; 1],
    code_challenge_methods_supported: [&'a str; 1],
    scopes_supported: Vec<&'a str>,
    authorization_response_iss_parameter_supported: bool,
}

impl Authority {
    /// The metadata of one endpoint, or of the server as a whole. RFC 9728 2.
    ///
    /// The server's own resource is the bare origin, so that it fits a client of either endpoint.
    pub fn resource_metadata(&self, base: &Base, endpoint: Option<Endpoint>) -> Vec<u8> {
        json(&ResourceMetadata {
            resource: format!("{}{}", base.origin, endpoint.map_or("", Endpoint::path)),
            authorization_servers: [&base.origin],
            scopes_supported: self.scopes().iter().collect(),
            bearer_methods_supported: ["header"],
            resource_name: &self.settings().board,
        })
    }

    /// The metadata of the authorization server. RFC 8414 2.
    pub fn server_metadata(&self, base: &Base) -> Vec<u8> {
        let at = |path: &str| format!("{}{path}", base.origin);
        json(&ServerMetadata {
            issuer: &base.origin,
            authorization_endpoint: at("/authorize"),
            token_endpoint: at("/token"),
            registration_endpoint: at("/register"),
            revocation_endpoint: at("/revoke"),
            device_authorization_endpoint: at("/device_authorization"),
            response_types_supported: ["code"],
            response_modes_supported: ["query"],
            grant_types_supported: if base.is_protected() { &GRANT_TYPES } else { &GRANT_TYPES[..2] },
            token_endpoint_auth_methods_supported: ["none"],
            revocation_endpoint_auth_methods_supported: ["none"],
            code_challenge_methods_supported: ["S256"],
            scopes_supported: self.scopes().iter().collect(),
            authorization_response_iss_parameter_supported: true,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::Bench;

    fn text(json: Vec<u8>) -> String {
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn each_resource_is_named_as_the_client_typed_it() {
        let bench = Bench::new();
        for (endpoint, resource) in [(None, ""), (Some(Endpoint::Mcp), "/mcp"), (Some(Endpoint::Sse), "/sse")] {
            assert_eq!(
                text(bench.authority.resource_metadata(&bench.base, endpoint)),
                format!(
                    "{{\"resource\":\"http://localhost:8787{resource}\",\"authorization_servers\":[\"http://localhost:8787\"],\
                     \"scopes_supported\":[\"math\",\"system:read\",\"gpio:write\"],\"bearer_methods_supported\":[\"header\"],\
                     \"resource_name\":\"pi\"}}"
                )
            );
        }
    }

    #[test]
    fn plain_http_on_a_network_offers_no_refresh_token() {
        let bench = Bench::new();
        let plain = text(bench.authority.server_metadata(&Base::new("http://192.168.1.20:8787")));
        assert!(plain.contains(GRANT_TYPES[1]) && !plain.contains("refresh_token"), "{plain}");
    }

    #[test]
    fn the_server_is_described_as_in_rfc_8414() {
        let bench = Bench::new();
        assert_eq!(
            text(bench.authority.server_metadata(&bench.base)),
            concat!(
                r#"{"issuer":"http://localhost:8787","authorization_endpoint":"http://localhost:8787/authorize","#,
                r#""token_endpoint":"http://localhost:8787/token","registration_endpoint":"http://localhost:8787/register","#,
                r#""revocation_endpoint":"http://localhost:8787/revoke","#,
                r#""device_authorization_endpoint":"http://localhost:8787/device_authorization","response_types_supported":["code"],"#,
                r#""response_modes_supported":["query"],"grant_types_supported":["authorization_code","urn:ietf:params:oauth:grant-type:device_code","refresh_token"],"#,
                r#""token_endpoint_auth_methods_supported":["none"],"revocation_endpoint_auth_methods_supported":["none"],"#,
                r#""code_challenge_methods_supported":["S256"],"scopes_supported":["math","system:read","gpio:write"],"#,
                r#""authorization_response_iss_parameter_supported":true}"#
            )
        );
    }
}
