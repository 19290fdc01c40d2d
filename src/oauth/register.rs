//! Dynamic client registration (RFC 7591). It stores nothing: the `client_id` is the registration.

use super::client::{Client, Name, cleaned};
use super::error::json;
use super::redirect::RedirectUri;
use super::{Authority, Error};
use crate::audit::Event;
use crate::limits;
use crate::principal::Scopes;
use crate::world::World;
use serde::{Deserialize, Serialize};

/// What is read of a registration. RFC 7591 2: what is not known is ignored.
#[derive(Deserialize)]
struct Request {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    scope: Option<String>,
    application_type: Option<String>,
}

/// RFC 7591 3.2.1. What is not known is left out, never null: clients stumble over it.
#[derive(Serialize)]
struct Registration<'a> {
    client_id: &'a str,
    client_id_issued_at: u64,
    redirect_uris: Vec<&'a str>,
    token_endpoint_auth_method: &'a str,
    grant_types: [&'a str; 2],
    response_types: [&'a str; 1],
    #[serde(skip_serializing_if = "str::is_empty")]
    client_name: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    scope: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    application_type: Option<&'a str>,
}

impl Authority {
    /// `POST /register`: the body of the 201 answer.
    ///
    /// # Errors
    /// `invalid_redirect_uri` or `invalid_client_metadata`, status 400. RFC 7591 3.2.2.
    pub fn register(&self, world: &World<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        let registered = self.registered(world, body);
        registered.inspect_err(|error| world.audit.record(&Event::RegistrationRefused { reason: error.reason() }))
    }

    fn registered(&self, world: &World<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        let request = parse(body)?;
        let redirect_uris = self.redirect_uris(request.redirect_uris.as_deref().unwrap_or_default())?;
        let name: Name = cleaned(request.client_name.as_deref().unwrap_or_default());
        let client_id = Client::seal(world, &self.ring, &redirect_uris, &name)?;
        let redirect_host = redirect_uris.first().map_or("", RedirectUri::host);
        world.audit.record(&Event::Registered { name: &name, redirect_host });
        let application_type = request.application_type.as_deref().filter(|kind| matches!(*kind, "native" | "web"));
        Ok(json(&Registration {
            client_id: &client_id,
            client_id_issued_at: world.now.unix,
            redirect_uris: redirect_uris.iter().map(RedirectUri::as_str).collect(),
            token_endpoint_auth_method: "none",
            grant_types: ["authorization_code", "refresh_token"],
            response_types: ["code"],
            client_name: &name,
            scope: Scopes::parse(request.scope.as_deref().unwrap_or_default(), |name| self.scopes().contains(name)).as_str(),
            application_type,
        }))
    }

    fn redirect_uris(&self, texts: &[String]) -> Result<Vec<RedirectUri>, Error> {
        if texts.is_empty() {
            return Err(Error::invalid_redirect_uri("redirect_uris is missing or empty."));
        }
        if texts.len() > limits::REDIRECT_URIS {
            return Err(Error::invalid_redirect_uri("There are too many redirect URIs."));
        }
        let parse = |text: &String| RedirectUri::parse(text, &self.settings().redirect_uris).map_err(Error::invalid_redirect_uri);
        texts.iter().map(parse).collect()
    }
}

fn parse(body: &[u8]) -> Result<Request, Error> {
    if body.len() > limits::FORM_BYTES {
        return Err(Error::invalid_client_metadata("The registration is too long."));
    }
    // serde reads structs from arrays, too.
    let object = Some(body).filter(|body| body.trim_ascii_start().starts_with(b"{")).unwrap_or_default();
    let request: Request = serde_json::from_slice(object)
        .map_err(|_| Error::invalid_client_metadata("The registration is not the JSON of RFC 7591."))?;
    // RFC 7591 2: a method left out means client_secret_basic, and RFC 7591 3.2.1 lets the server put another in its
    // place; it puts `none`, as it hands out no secrets.
    let method = request.token_endpoint_auth_method.as_deref().unwrap_or("none");
    if !["none", "client_secret_basic", "client_secret_post"].contains(&method) {
        return Err(Error::invalid_client_metadata("token_endpoint_auth_method must be none."));
    }
    if request.grant_types.as_ref().is_some_and(|types| !types.iter().any(|name| name == "authorization_code")) {
        return Err(Error::invalid_client_metadata("grant_types must have authorization_code."));
    }
    if request.response_types.as_ref().is_some_and(|types| !types.iter().any(|name| name == "code")) {
        return Err(Error::invalid_client_metadata("response_types must have code."));
    }
    Ok(request)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::Bench;
    use serde_json::{Value, json};

    fn register(body: &Value) -> Result<Value, Error> {
        let bench = Bench::new();
        let answer = bench.authority.register(&bench.world(), body.to_string().as_bytes())?;
        Ok(serde_json::from_slice(&answer).unwrap())
    }

    fn error(body: &Value) -> &'static str {
        let error = register(body).unwrap_err();
        assert_eq!(error.status(), 400);
        error.error()
    }

    #[test]
    fn redirect_uris_must_be_some_but_not_many_and_each_allowed() {
        assert_eq!(error(&json!({})), "invalid_redirect_uri");
        assert_eq!(error(&json!({"redirect_uris": null})), "invalid_redirect_uri");
        assert_eq!(error(&json!({"redirect_uris": []})), "invalid_redirect_uri");
        assert_eq!(error(&json!({"redirect_uris": vec!["http://localhost/"; 5]})), "invalid_redirect_uri");
        for uri in ["javascript:alert(1)", "data:,x", "/cb", "http://pi.local/cb", "http://localhost/#", "http://a@localhost/"] {
            assert_eq!(error(&json!({"redirect_uris": [uri]})), "invalid_redirect_uri", "{uri}");
            assert_eq!(error(&json!({"redirect_uris": ["http://localhost/", uri]})), "invalid_redirect_uri", "{uri}");
        }
    }

    #[test]
    fn metadata_of_another_shape_is_refused() {
        for (member, value) in [
            ("redirect_uris", json!("http://localhost/")),
            ("redirect_uris", json!([1])),
            ("client_name", json!(1)),
            ("client_name", json!(["a"])),
            ("scope", json!(["math"])),
            ("token_endpoint_auth_method", json!("private_key_jwt")),
            ("token_endpoint_auth_method", json!("tls_client_auth")),
            ("token_endpoint_auth_method", json!("")),
            ("grant_types", json!(["implicit"])),
            ("grant_types", json!(["client_credentials"])),
            ("response_types", json!(["token"])),
            ("response_types", json!([])),
        ] {
            let mut body = json!({"redirect_uris": ["http://localhost/"]});
            body[member] = value;
            assert_eq!(error(&body), "invalid_client_metadata", "{body}");
        }
    }

    #[test]
    fn what_is_no_json_or_too_long_is_refused() {
        let bench = Bench::new();
        let long = format!(r#"{{"redirect_uris":["http://localhost/"],"x":"{}"}}"#, "a".repeat(limits::FORM_BYTES));
        let deep = "[".repeat(limits::FORM_BYTES);
        let doubled = r#"{"redirect_uris":["http://localhost/"],"redirect_uris":["http://localhost/"]}"#;
        for body in
            ["", "[]", r#"[["http://localhost/"]]"#, "{", "null", "redirect_uris=x", &long, &deep, doubled, &"a".repeat(1 << 20)]
        {
            let error = bench.authority.register(&bench.world(), body.as_bytes()).unwrap_err();
            assert_eq!(error.error(), "invalid_client_metadata", "{body:.50}");
        }
        assert!(bench.audit.has("RegistrationRefused"));
    }

    #[test]
    fn a_registration_comes_back_without_what_is_not_known() {
        let answer = register(&json!({
            "redirect_uris": ["http://localhost:3335/oauth/callback"], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "client_name": "MCP CLI Proxy", "client_uri": "https://example.com", "software_id": "x", "logo_uri": null,
            "scope": "openid math", "application_type": "native"
        }))
        .unwrap();
        let client_id = answer["client_id"].as_str().unwrap();
        assert!(client_id.len() < 160, "{}", client_id.len());
        let mut expected = json!({
            "redirect_uris": ["http://localhost:3335/oauth/callback"], "token_endpoint_auth_method": "none",
            "grant_types": ["authorization_code", "refresh_token"], "response_types": ["code"],
            "client_name": "MCP CLI Proxy", "scope": "math", "application_type": "native"
        });
        expected["client_id"] = client_id.into();
        expected["client_id_issued_at"] = Bench::new().world().now.unix.into();
        assert_eq!(answer, expected);
    }

    #[test]
    fn a_client_that_wants_a_secret_is_told_that_it_needs_none() {
        for method in ["client_secret_basic", "client_secret_post"] {
            let body =
                json!({"redirect_uris": ["https://claude.ai/api/mcp/auth_callback"], "token_endpoint_auth_method": method});
            let answer = register(&body).unwrap();
            assert_eq!(answer["token_endpoint_auth_method"], "none");
            assert!(answer.get("client_secret").is_none() && answer.get("client_name").is_none());
        }
    }

    #[test]
    fn a_registration_is_remembered_with_the_name_it_shows() {
        let bench = Bench::new();
        let body = json!({"redirect_uris": ["http://localhost:1/"], "client_name": "<script>\u{202e}\n</script>"});
        bench.authority.register(&bench.world(), body.to_string().as_bytes()).unwrap();
        assert!(bench.audit.has("name: \"<script></script>\", redirect_host: \"localhost:1\""));
    }
}
