//! Dynamic client registration (RFC 7591). It stores nothing: the `client_id` is the registration.

use super::client::{Client, Name, Registering, cleaned};
use super::device;
use super::error::json;
use super::redirect::RedirectUri;
use super::throttle::Source;
use super::{Authority, Error};
use crate::audit::Event;
use crate::json::Members;
use crate::limits;
use crate::principal::Scopes;
use crate::world::World;
use serde::Serialize;

/// What is read of a registration. RFC 7591 2: what is not known is ignored.
struct Request {
    redirect_uris: Option<Vec<String>>,
    token_endpoint_auth_method: Option<String>,
    grant_types: Option<Vec<String>>,
    response_types: Option<Vec<String>>,
    client_name: Option<String>,
    scope: Option<String>,
    application_type: Option<String>,
}

impl Request {
    fn read(body: &[u8]) -> Option<Self> {
        let mut members = Members::read(body)?;
        let request = Request {
            redirect_uris: members.texts_if_any("redirect_uris"),
            token_endpoint_auth_method: members.text_if_any("token_endpoint_auth_method"),
            grant_types: members.texts_if_any("grant_types"),
            response_types: members.texts_if_any("response_types"),
            client_name: members.text_if_any("client_name"),
            scope: members.text_if_any("scope"),
            application_type: members.text_if_any("application_type"),
        };
        members.sound(request)
    }
}

/// RFC 7591 3.2.1. What is not known is left out, never null: clients stumble over it.
#[derive(Serialize)]
struct Registration<'a> {
    client_id: &'a str,
    client_id_issued_at: u64,
    redirect_uris: Vec<&'a str>,
    token_endpoint_auth_method: &'a str,
    grant_types: Vec<&'a str>,
    response_types: &'a [&'a str],
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
    /// `invalid_redirect_uri` or `invalid_client_metadata`, status 400. RFC 7591 3.2.2. Or 429: one more than `source` may.
    pub fn register(&self, world: &World<'_>, body: &[u8], source: Source) -> Result<Vec<u8>, Error> {
        let counted = self.registrations.borrow_mut().take(world.now, source);
        let registered = counted.and_then(|()| {
            // One that is refused leaves nothing behind.
            self.registered(world, body).inspect_err(|_| self.registrations.borrow_mut().give_back(source))
        });
        registered.inspect_err(|error| world.audit.record(&Event::RegistrationRefused { reason: error.reason() }))
    }

    fn registered(&self, world: &World<'_>, body: &[u8]) -> Result<Vec<u8>, Error> {
        let request = parse(body)?;
        let grants = Grants::of(request.grant_types.as_deref())?;
        let redirect_uris = self.redirect_uris(request.redirect_uris.as_deref().unwrap_or_default(), grants.has_code)?;
        let name: Name = cleaned(request.client_name.as_deref().unwrap_or_default());
        let registering = Registering { redirect_uris: &redirect_uris, name: &name, is_device: grants.has_device };
        let client_id = Client::seal(world, &self.ring(), &registering)?;
        let redirect_host = redirect_uris.first().map_or("", RedirectUri::host);
        world.audit.record(&Event::Registered { name: &name, redirect_host });
        let application_type = request.application_type.as_deref().filter(|kind| matches!(*kind, "native" | "web"));
        Ok(json(&Registration {
            client_id: &client_id,
            client_id_issued_at: world.now.unix,
            redirect_uris: redirect_uris.iter().map(RedirectUri::as_str).collect(),
            token_endpoint_auth_method: "none",
            grant_types: grants.names(),
            response_types: if grants.has_code { &["code"] } else { &[] },
            client_name: &name,
            scope: Scopes::parse(request.scope.as_deref().unwrap_or_default(), |name| self.scopes().contains(name)).as_str(),
            application_type,
        }))
    }

    fn redirect_uris(&self, texts: &[String], is_needed: bool) -> Result<Vec<RedirectUri>, Error> {
        if texts.is_empty() && is_needed {
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
    let request =
        Request::read(body).ok_or_else(|| Error::invalid_client_metadata("The registration is not the JSON of RFC 7591."))?;
    // RFC 7591 2: a method left out means client_secret_basic, and RFC 7591 3.2.1 lets the server put another in its
    // place; it puts `none`, as it hands out no secrets.
    let method = request.token_endpoint_auth_method.as_deref().unwrap_or("none");
    if !["none", "client_secret_basic", "client_secret_post"].contains(&method) {
        return Err(Error::invalid_client_metadata("token_endpoint_auth_method must be none."));
    }
    let grants = Grants::of(request.grant_types.as_deref())?;
    if grants.has_code && request.response_types.as_ref().is_some_and(|types| !types.iter().any(|name| name == "code")) {
        return Err(Error::invalid_client_metadata("response_types must have code."));
    }
    Ok(request)
}

/// What a client may begin with. A refresh token comes of either, where it comes at all.
#[derive(Clone, Copy)]
struct Grants {
    has_code: bool,
    has_device: bool,
}

impl Grants {
    /// RFC 7591 2: left out, it is the code. Grants that are not known here are passed over.
    fn of(types: Option<&[String]>) -> Result<Self, Error> {
        let Some(types) = types else { return Ok(Grants { has_code: true, has_device: false }) };
        let has = |name: &str| types.iter().any(|other| other == name);
        let grants = Grants { has_code: has("authorization_code"), has_device: has(device::GRANT_TYPE) };
        if grants.has_code || grants.has_device {
            return Ok(grants);
        }
        Err(Error::invalid_client_metadata("grant_types must have authorization_code, or that of RFC 8628 for devices."))
    }

    fn names(self) -> Vec<&'static str> {
        let names = [(self.has_code, "authorization_code"), (self.has_device, device::GRANT_TYPE), (true, "refresh_token")];
        names.into_iter().filter_map(|(is_so, name)| is_so.then_some(name)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::testing::{Bench, HERE};
    use serde_json::{Value, json};

    fn register(body: &Value) -> Result<Value, Error> {
        let bench = Bench::new();
        let answer = bench.authority.register(&bench.world(), body.to_string().as_bytes(), HERE)?;
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
            let error = bench.authority.register(&bench.world(), body.as_bytes(), HERE).unwrap_err();
            assert_eq!(error.error(), "invalid_client_metadata", "{body:.50}");
        }
        assert!(bench.audit.has("RegistrationRefused"));
    }

    #[test]
    fn who_registers_too_often_waits_and_others_do_not() {
        let mut bench = Bench::new();
        let body = json!({"redirect_uris": ["http://localhost/"]}).to_string();
        let register = |bench: &Bench, source| bench.authority.register(&bench.world(), body.as_bytes(), source);
        let other = Source::new([2; 16]);
        for _ in 0..limits::REGISTRATIONS.0 {
            assert!(register(&bench, other).is_ok());
        }
        let error = register(&bench, other).unwrap_err();
        assert_eq!((error.status(), error.retry_secs()), (429, Some(limits::REGISTRATIONS.1)));
        assert!(bench.audit.has("too many attempts"));
        assert!(register(&bench, HERE).is_ok());
        bench.pass(limits::REGISTRATIONS.1);
        assert!(register(&bench, other).is_ok() && register(&bench, other).is_err());
        for _ in 0..2 * limits::REGISTRATIONS.0 {
            assert_eq!(bench.authority.register(&bench.world(), b"{}", HERE).unwrap_err().status(), 400);
        }
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
    fn a_device_needs_no_redirect_uri_and_others_do() {
        let device = device::GRANT_TYPE;
        let answer = register(&json!({"grant_types": [device, "refresh_token"], "client_name": "tv"})).unwrap();
        assert_eq!(answer["grant_types"], json!([device, "refresh_token"]));
        assert_eq!((&answer["redirect_uris"], &answer["response_types"]), (&json!([]), &json!([])));
        assert_eq!(error(&json!({"grant_types": [device, "authorization_code"]})), "invalid_redirect_uri");
        let body = json!({"grant_types": [device, "authorization_code"], "redirect_uris": ["http://localhost/"]});
        assert_eq!(register(&body).unwrap()["grant_types"], json!(["authorization_code", device, "refresh_token"]));
        assert_eq!(error(&json!({"grant_types": [device], "redirect_uris": ["javascript:alert(1)"]})), "invalid_redirect_uri");
        assert_eq!(error(&json!({"grant_types": ["refresh_token"]})), "invalid_client_metadata");
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
        bench.authority.register(&bench.world(), body.to_string().as_bytes(), HERE).unwrap();
        assert!(bench.audit.has("name: \"<script></script>\", redirect_host: \"localhost:1\""));
    }
}
