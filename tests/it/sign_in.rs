//! A sign-in as clients and browsers do it, one request after the other.

use crate::wire::{Reply, Wire, ask, request};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};

/// RFC 7636 4.1, with every kind of character that it may have.
pub(crate) const VERIFIER: &str = "a-verifier.of~43_characters-or-more-0123456789";
pub(crate) const STATE: &str = "state of / the+client & é";
pub(crate) const FORM: &str = "content-type: application/x-www-form-urlencoded";
pub(crate) const JSON: &str = "content-type: application/json";

/// A program that was registered.
pub(crate) struct Client {
    pub(crate) port: u16,
    pub(crate) id: String,
    pub(crate) redirect_uri: String,
}

/// What a sign-in comes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Tokens {
    pub(crate) access: String,
    pub(crate) refresh: String,
    pub(crate) scope: String,
}

impl Client {
    pub(crate) fn register(port: u16) -> Client {
        Client::with_redirect(port, "http://localhost:3334/oauth/callback")
    }

    pub(crate) fn with_redirect(port: u16, redirect_uri: &str) -> Client {
        let body = serde_json::json!({ "client_name": "A client", "redirect_uris": [redirect_uri] });
        let reply = ask(port, "POST /register", &[JSON], &body.to_string());
        assert_eq!(reply.status, 201, "{reply:?}");
        let id = reply.json()["client_id"].as_str().unwrap().to_owned();
        Client { port, id, redirect_uri: redirect_uri.to_owned() }
    }

    /// The parameters of a good request for authorization.
    pub(crate) fn asks(&self) -> Vec<(&str, String)> {
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, VERIFIER.as_bytes()));
        vec![
            ("response_type", "code".to_owned()),
            ("client_id", self.id.clone()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("state", STATE.to_owned()),
            ("code_challenge", challenge),
            ("code_challenge_method", "S256".to_owned()),
        ]
    }

    /// The address that this client opens in a browser.
    pub(crate) fn address(&self) -> String {
        format!("/authorize?{}", encoded(&self.asks()))
    }

    /// Signs in with a browser of its own, up to the redirect with the code.
    pub(crate) fn approved(&self, email: &str, scopes: &[&str]) -> Redirect {
        let mut browser = Browser::new(self.port);
        let consent = browser.consent(&self.address(), email);
        Redirect::read(&browser.approve(&consent, scopes))
    }

    pub(crate) fn code(&self, email: &str, scopes: &[&str]) -> String {
        self.approved(email, scopes).one("code")
    }

    /// The whole way.
    pub(crate) fn sign_in(&self, email: &str, scopes: &[&str]) -> Tokens {
        Tokens::read(&self.exchange(&self.code(email, scopes)))
    }

    pub(crate) fn exchange(&self, code: &str) -> Reply {
        self.post("/token", &self.exchanges(code))
    }

    /// The parameters of a good exchange.
    pub(crate) fn exchanges(&self, code: &str) -> Vec<(&str, String)> {
        vec![
            ("grant_type", "authorization_code".to_owned()),
            ("client_id", self.id.clone()),
            ("code", code.to_owned()),
            ("redirect_uri", self.redirect_uri.clone()),
            ("code_verifier", VERIFIER.to_owned()),
        ]
    }

    pub(crate) fn refresh(&self, token: &str) -> Reply {
        let fields = [("grant_type", "refresh_token"), ("client_id", &self.id), ("refresh_token", token)];
        self.post("/token", &fields)
    }

    pub(crate) fn revoke(&self, token: &str) -> Reply {
        self.post("/revoke", &[("client_id", self.id.as_str()), ("token", token)])
    }

    pub(crate) fn post(&self, path: &str, fields: &[(&str, impl AsRef<str>)]) -> Reply {
        ask(self.port, &format!("POST {path}"), &[FORM], &encoded(fields))
    }
}

impl Tokens {
    pub(crate) fn read(reply: &Reply) -> Tokens {
        assert_eq!((reply.status, reply.header("cache-control")), (200, Some("no-store")), "{reply:?}");
        let json = reply.json();
        assert_eq!((&json["token_type"], &json["expires_in"]), (&"Bearer".into(), &3600.into()));
        let text = |name: &str| json[name].as_str().unwrap().to_owned();
        Tokens { access: text("access_token"), refresh: text("refresh_token"), scope: text("scope") }
    }

    /// One JSON-RPC message to `/mcp` with this access token.
    pub(crate) fn rpc(&self, port: u16, message: &str) -> Reply {
        ask(port, "POST /mcp", &[JSON, &bearer(&self.access)], message)
    }

    /// Whether the access token opens `/mcp`.
    pub(crate) fn is_good(&self, port: u16) -> bool {
        self.rpc(port, r#"{"jsonrpc":"2.0","id":1,"method":"ping"}"#).status == 200
    }
}

pub(crate) fn bearer(token: &str) -> String {
    format!("authorization: Bearer {token}")
}

/// A browser with one open page.
pub(crate) struct Browser {
    port: u16,
    pub(crate) host: String,
    pub(crate) cookie: Option<String>,
}

impl Browser {
    pub(crate) fn new(port: u16) -> Browser {
        Browser { port, host: format!("localhost:{port}"), cookie: None }
    }

    pub(crate) fn open(&mut self, address: &str) -> Reply {
        self.send(&format!("GET {address}"), &["accept: text/html", "sec-fetch-site: cross-site"], "")
    }

    /// Opens the sign-in page, signs in and shows the consent page.
    pub(crate) fn consent(&mut self, address: &str, email: &str) -> Form {
        let page = Form::read(&self.open(address));
        let fields = [("email", email), ("password", "correct horse"), ("action", "sign_in")];
        let consent = Form::read(&self.submit(&page, &fields));
        assert_eq!(consent.action, "/consent");
        consent
    }

    pub(crate) fn approve(&mut self, consent: &Form, scopes: &[&str]) -> Reply {
        let mut fields: Vec<_> = scopes.iter().map(|scope| ("scope", *scope)).collect();
        fields.push(("action", "approve"));
        self.submit(consent, &fields)
    }

    /// Sends a form with these fields and those that it hides.
    pub(crate) fn submit(&mut self, form: &Form, fields: &[(&str, &str)]) -> Reply {
        let origin = format!("origin: http://{}", self.host);
        self.submit_with(form, fields, &[&origin, "sec-fetch-site: same-origin"])
    }

    /// The same with other headers than those of a browser.
    pub(crate) fn submit_with(&mut self, form: &Form, fields: &[(&str, &str)], headers: &[&str]) -> Reply {
        let hidden = form.hidden.iter().map(|(name, value)| (name.as_str(), value.as_str()));
        let all: Vec<_> = hidden.chain(fields.iter().copied()).collect();
        let headers = [&[FORM, "accept: text/html"], headers].concat();
        self.send(&format!("POST {}", form.action), &headers, &encoded(&all))
    }

    fn send(&mut self, line: &str, headers: &[&str], body: &str) -> Reply {
        let host = format!("host: {}", self.host);
        let cookie = self.cookie.as_ref().map(|cookie| format!("cookie: theme=dark; {cookie}"));
        let headers: Vec<&str> = headers.iter().copied().chain([host.as_str()]).chain(cookie.as_deref()).collect();
        let mut wire = Wire::open(self.port);
        wire.send(&request(self.port, line, &headers, body)).unwrap();
        let reply = wire.reply().unwrap();
        for (_, cookie) in reply.headers.iter().filter(|(name, _)| name == "set-cookie") {
            self.keep(cookie.split(';').next().unwrap());
        }
        reply
    }

    /// Puts a cookie in the place of the one of its name.
    fn keep(&mut self, cookie: &str) {
        let name = |cookie: &str| cookie.split('=').next().map(str::to_owned);
        let before = self.cookie.take().unwrap_or_default();
        let others = before.split("; ").filter(|other| !other.is_empty() && name(other) != name(cookie));
        self.cookie = Some(others.chain([cookie]).collect::<Vec<_>>().join("; "));
    }
}

/// A form on a page: where it goes, what it hides, and which boxes it has.
#[derive(Clone, Debug)]
pub(crate) struct Form {
    pub(crate) action: String,
    pub(crate) hidden: Vec<(String, String)>,
    /// Name, value, and whether it is ticked.
    pub(crate) boxes: Vec<(String, String, bool)>,
}

impl Form {
    /// Reads the one form of a page.
    pub(crate) fn read(page: &Reply) -> Form {
        let mut forms = Form::all(page);
        assert_eq!(forms.len(), 1, "{page:?}");
        forms.remove(0)
    }

    /// Reads each form of a page.
    pub(crate) fn all(page: &Reply) -> Vec<Form> {
        assert_eq!(page.status, 200, "{page:?}");
        let mut forms: Vec<Form> = Vec::new();
        for tag in page.body.split('<').skip(1).filter_map(|rest| rest.split('>').next()) {
            let text = |name: &str| attribute(tag, name).unwrap_or_default();
            match (tag.split(' ').next(), text("type").as_str(), forms.last_mut()) {
                (Some("form"), _, _) => {
                    forms.push(Form { action: text("action"), hidden: Vec::new(), boxes: Vec::new() });
                }
                (Some("input"), "hidden", Some(form)) => form.hidden.push((text("name"), text("value"))),
                (Some("input"), "checkbox", Some(form)) => {
                    form.boxes.push((text("name"), text("value"), tag.ends_with(" checked")));
                }
                _ => {}
            }
        }
        forms
    }

    /// The same with another value in a hidden field.
    pub(crate) fn with(&self, name: &str, value: &str) -> Form {
        let mut form = self.clone();
        form.hidden.retain(|(other, _)| other != name);
        form.hidden.push((name.to_owned(), value.to_owned()));
        form
    }

    pub(crate) fn transaction(&self) -> &str {
        &self.hidden.iter().find(|(name, _)| name == "transaction").unwrap().1
    }
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, rest) = tag.split_once(&format!(" {name}=\""))?;
    let (value, _) = rest.split_once('"')?;
    let plain = [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    Some(plain.iter().fold(value.to_owned(), |value, (escaped, plain)| value.replace(escaped, plain)))
}

/// Where an answer sends the browser.
#[derive(Debug)]
pub(crate) struct Redirect {
    /// Without the query.
    pub(crate) address: String,
    pub(crate) parameters: Vec<(String, String)>,
}

impl Redirect {
    pub(crate) fn read(reply: &Reply) -> Redirect {
        // 307 would have the browser send the form along.
        assert_eq!(reply.status, 303, "{reply:?}");
        let (address, query) = reply.header("location").unwrap().split_once('?').unwrap();
        let parameters = form_urlencoded::parse(query.as_bytes()).into_owned().collect();
        Redirect { address: address.to_owned(), parameters }
    }

    pub(crate) fn one(&self, name: &str) -> String {
        let mut values = self.parameters.iter().filter(|(other, _)| other == name);
        let value = values.next().unwrap_or_else(|| panic!("no {name}: {self:?}"));
        assert!(values.next().is_none(), "{name} came twice: {self:?}");
        value.1.clone()
    }

    /// The names of what it tells, in order.
    pub(crate) fn names(&self) -> Vec<&str> {
        let mut names: Vec<_> = self.parameters.iter().map(|(name, _)| name.as_str()).collect();
        names.sort_unstable();
        names
    }
}

/// Fields as a query or a form has them.
pub(crate) fn encoded(fields: &[(&str, impl AsRef<str>)]) -> String {
    form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish()
}
