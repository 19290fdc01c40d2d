//! The client's side of OAuth 2.1: a token for each request, renewed before it ends; a sign-in where there is none.

mod browser;
mod device;
pub(crate) mod discovery;
mod registration;
mod store;

pub(crate) use discovery::Challenge;
pub(crate) use registration::NOBODY;

use crate::client::fault::Fault;
use crate::client::http::{Client, Request};
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::json::Members;
use crate::limits;
use crate::world::{Clock, Kernel, Random};
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use discovery::{Found, discover};
use ring::digest::{SHA256, digest};
use std::io::{self, Write};
use std::path::PathBuf;
use std::rc::Rc;
use store::{Kept, Store};
use tokio::sync::Mutex;

/// How one signs in.
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    /// By a code on another device, even where there is a browser.
    pub(crate) is_device: bool,
    /// Tokens may be sent in the clear.
    pub(crate) allows_http: bool,
    /// What to ask for; else what the server names.
    pub(crate) scope: Option<String>,
    /// A token that others look after.
    pub(crate) token_file: Option<PathBuf>,
    /// Where the user has given a token that goes with every request, such as `--header`.
    pub(crate) header: Option<&'static str>,
}

/// The way into one server.
pub(crate) struct Access {
    client: Rc<Client>,
    url: Url,
    settings: Settings,
    store: Store,
    clock: Clock,
    /// One sign-in at a time.
    turn: Mutex<()>,
}

impl Access {
    pub(crate) fn new(client: Rc<Client>, url: Url, settings: Settings) -> Result<Self, Error> {
        let store = Store::of(&url)?;
        Ok(Access { client, url, settings, store, clock: Clock::start(0), turn: Mutex::new(()) })
    }

    /// Forgets what is kept of the server of `url`; whether there was anything.
    pub(crate) fn forget(url: &Url) -> Result<bool, Error> {
        Store::of(url)?.forget()
    }

    /// The token of the moment, if there is one; renewed when it is about to end.
    pub(crate) async fn token(&self) -> Result<Option<String>, Error> {
        if self.settings.header.is_some() {
            return Ok(None);
        }
        if let Some(file) = &self.settings.token_file {
            let remedy = "Make one on the board, and put it there: perchd token new --help";
            let unread =
                |error| Error::new(Exit::Config, "cannot read the token").at(file.display()).because(error).remedy(remedy);
            let text = std::fs::read_to_string(file).map_err(unread)?;
            return Ok(Some(text.trim().to_owned()));
        }
        let kept = self.store.read();
        let is_ending = kept.expires_unix.is_some_and(|ends| ends <= self.clock.now().unix + limits::RENEW_SECS);
        if is_ending && kept.refresh_token.is_some() {
            let _turn = self.turn.lock().await;
            let _lock = self.store.lock().await?;
            if let Some(token) = self.renew(kept.access_token.as_deref()).await? {
                return Ok(Some(token));
            }
        }
        Ok(kept.access_token)
    }

    /// The server refused `token`, or none: gets another one. `None` where that takes a person and none may be asked.
    pub(crate) async fn another(&self, challenge: &Challenge, token: Option<&str>, asks: bool) -> Result<Option<String>, Error> {
        if self.settings.header.is_some() || self.settings.token_file.is_some() {
            let how = self.settings.header.unwrap_or("--token-file");
            let remedy = "Make one on the board: perchd token new --help. Or leave the option out, and sign in.";
            return Err(Error::new(Exit::Permission, format!("the server does not take the token of {how}"))
                .at(self.url.origin())
                .remedy(remedy));
        }
        let _turn = self.turn.lock().await;
        let _lock = self.store.lock().await?;
        let more = challenge.error.as_deref() == Some("insufficient_scope");
        let now = self.store.read().access_token;
        if now.is_some() && now.as_deref() != token {
            return Ok(now);
        }
        if !more && let Some(token) = self.renew(token).await? {
            return Ok(Some(token));
        }
        if !asks {
            return Ok(None);
        }
        self.sign_in(challenge, more).await.map(Some)
    }

    /// A new token for the refresh token, unless somebody else has got one meanwhile. `None` where the server takes it no more.
    async fn renew(&self, old: Option<&str>) -> Result<Option<String>, Error> {
        let mut kept = self.store.read();
        if kept.access_token.is_some() && kept.access_token.as_deref() != old {
            return Ok(kept.access_token);
        }
        let Some(refresh_token) = kept.refresh_token.clone() else { return Ok(None) };
        let resource = kept.resource.clone();
        let fields = [("grant_type", "refresh_token"), ("refresh_token", &refresh_token), ("resource", &resource)];
        match self.grant(&mut kept, &fields).await? {
            Ok(token) => Ok(Some(token)),
            Err(code) => {
                (kept.access_token, kept.refresh_token) = (None, None);
                if code != "invalid_grant" {
                    // The server has lost its keys: it knows us no more.
                    kept.client_id.clear();
                }
                self.store.write(&kept)?;
                Ok(None)
            }
        }
    }

    async fn sign_in(&self, challenge: &Challenge, more: bool) -> Result<String, Error> {
        let found = discover(self, challenge).await?;
        let mut kept = self.store.read();
        if kept.issuer != found.server.issuer {
            kept = Kept { issuer: found.server.issuer.clone(), ..Kept::default() };
        }
        kept.token_endpoint = self.endpoint(&found.server.token_endpoint)?.to_string();
        kept.resource.clone_from(&found.resource);
        let mut scope = self.settings.scope.clone().or_else(|| found.scope.clone()).unwrap_or_default();
        if more {
            // What was allowed before is asked for again: the new token replaces the old one.
            let old = kept.scope.clone().unwrap_or_default();
            let new: Vec<_> =
                old.split(' ').filter(|word| !scope.split(' ').any(|known| known == *word)).map(str::to_owned).collect();
            new.iter().filter(|word| !word.is_empty()).for_each(|word| scope.extend([" ", word]));
        }
        let has_screen = ["DISPLAY", "WAYLAND_DISPLAY", "BROWSER"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        let has_browser = has_screen || cfg!(any(target_os = "macos", windows));
        let is_device = self.settings.is_device || (!has_browser && found.server.device_authorization_endpoint.is_some());
        let token = if is_device {
            self.by_device(&found, &mut kept, &scope).await?
        } else {
            self.by_browser(&found, &mut kept, &scope).await?
        };
        tell("Signed in.\n");
        Ok(token)
    }

    async fn by_browser(&self, found: &Found, kept: &mut Kept, scope: &str) -> Result<String, Error> {
        let server = &found.server;
        if !server.code_challenge_methods_supported.iter().any(|method| method == "S256") {
            return Err(failed("the authorization server knows no PKCE with S256").at(&server.issuer));
        }
        let endpoint = self.endpoint(server.authorization_endpoint.as_deref().unwrap_or_default())?;
        let listener = browser::listen(kept.redirect_port).await?;
        let port = listener.local_addr().map_or(0, |address| address.port());
        let redirect_uri = format!("http://127.0.0.1:{port}{}", browser::PATH);
        let (verifier, state) = (random(), random());
        let code_challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let link = |client_id: &str| {
            let fields = [
                ("response_type", "code"),
                ("client_id", client_id),
                ("redirect_uri", &redirect_uri),
                ("state", &state),
                ("scope", scope),
                ("resource", &found.resource),
                ("code_challenge", &code_challenge),
                ("code_challenge_method", "S256"),
            ];
            browser::link(&endpoint, &fields)
        };
        let is_known =
            !kept.client_id.is_empty() && kept.redirect_port == port && !self.is_forgotten(&link(&kept.client_id)).await?;
        if !is_known {
            self.register(server, kept, &redirect_uri, scope).await?;
            kept.redirect_port = port;
            self.store.write(kept)?;
        }
        browser::open(&link(&kept.client_id));
        let callback = browser::wait(listener, &state).await?;
        // RFC 9207: an answer of another server is none.
        let is_other = callback.iss.as_ref().is_some_and(|iss| *iss != server.issuer);
        if is_other || (callback.iss.is_none() && server.authorization_response_iss_parameter_supported) {
            return Err(failed("the answer of the browser is from another server").at(&server.issuer));
        }
        let Some(code) = callback.code else {
            let why = callback.error.unwrap_or_default();
            return Err(Error::new(Exit::Permission, format!("the sign-in was refused: {}", plain(&why))).at(self.url.origin()));
        };
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", &redirect_uri),
            ("code_verifier", &verifier),
            ("resource", &found.resource),
        ];
        self.granted(kept, &fields).await
    }

    async fn granted(&self, kept: &mut Kept, fields: &[(&str, &str)]) -> Result<String, Error> {
        let refused =
            |code: String| Error::new(Exit::Permission, format!("the server gave no token: {code}")).at(self.url.origin());
        self.grant(kept, fields).await?.map_err(refused)
    }

    /// Whether the server knows the registration no more; the page is only looked at.
    async fn is_forgotten(&self, link: &str) -> Result<bool, Error> {
        let Some(url) = Url::parse(link) else { return Ok(true) };
        let (status, body) = self.exchange("GET", &url, &[("Accept", "application/json")], b"").await?;
        let told = refusal(&body).unwrap_or_default();
        Ok(matches!(status, 400 | 401) && matches!(told.as_str(), "invalid_client" | "unauthorized_client"))
    }

    /// Asks for a token and keeps it. `Err` within is the code of OAuth with which that was refused.
    async fn grant(&self, kept: &mut Kept, fields: &[(&str, &str)]) -> Result<Result<String, String>, Error> {
        let endpoint = self.endpoint(&kept.token_endpoint)?;
        let (status, body) = self.form(&endpoint, kept, fields).await?;
        let mut granted = Members::read(&body).unwrap_or_default();
        if let Some(token) = granted.text_if_any("access_token").filter(|_| status == 200) {
            kept.expires_unix = granted.number_if_any("expires_in").map(|secs| self.clock.now().unix.saturating_add(secs));
            kept.scope = granted.text_if_any("scope").or(kept.scope.take());
            kept.refresh_token = granted.text_if_any("refresh_token").or(kept.refresh_token.take());
            kept.access_token = Some(token.clone());
            self.store.write(kept)?;
            return Ok(Ok(token));
        }
        match granted.text_if_any("error") {
            Some(code) if (400..500).contains(&status) => Ok(Err(plain(&code))),
            _ => Err(failed(&format!("no token came, but status {status}")).at(endpoint)),
        }
    }

    async fn form(&self, endpoint: &Url, kept: &Kept, fields: &[(&str, &str)]) -> Result<(u16, Vec<u8>), Error> {
        let mut form = form_urlencoded::Serializer::new(String::new());
        form.extend_pairs(fields.iter().filter(|(_, value)| !value.is_empty()));
        let mut headers = vec![("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json")];
        let basic;
        match &kept.client_secret {
            Some(secret) if kept.is_basic => {
                // RFC 6749 2.3.1: both are encoded as in a form first.
                let coded = |text: &str| form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
                basic = format!("Basic {}", STANDARD.encode(format!("{}:{}", coded(&kept.client_id), coded(secret))));
                headers.push(("Authorization", &basic));
            }
            secret => {
                form.append_pair("client_id", &kept.client_id);
                if let Some(secret) = secret {
                    form.append_pair("client_secret", secret);
                }
            }
        }
        self.exchange("POST", endpoint, &headers, form.finish().as_bytes()).await
    }

    /// A JSON document; `None` where there is none.
    async fn document(&self, url: &Url) -> Result<Option<Members>, Error> {
        let (status, body) = self.exchange("GET", url, &[("Accept", "application/json")], b"").await?;
        match status {
            200 => Members::read(&body).map(Some).ok_or_else(|| unlike(url)),
            400..500 => Ok(None),
            other => Err(failed(&format!("the server answers with status {other}")).at(url)),
        }
    }

    async fn exchange(&self, method: &str, url: &Url, headers: &[(&str, &str)], body: &[u8]) -> Result<(u16, Vec<u8>), Error> {
        let told = |fault: Fault| fault.told(url);
        let request = Request { method, url, headers, body, secs: limits::DOCUMENT_SECS };
        let response = self.client.send(&request).await.map_err(told)?;
        let status = response.status;
        Ok((status, response.body.whole(limits::DOCUMENT_BYTES, limits::DOCUMENT_SECS).await.map_err(told)?))
    }

    /// An endpoint that secrets go to: not in the clear, unless that is allowed. Nor does a server elsewhere send us to what
    /// listens on this machine.
    fn endpoint(&self, text: &str) -> Result<Url, Error> {
        let url = Url::parse(text).ok_or_else(|| failed("the server names an endpoint that is none"))?;
        if url.is_here() && !self.url.is_here() {
            return Err(failed("the server names an endpoint on this computer, which is not its own").at(url));
        }
        if url.is_private() || self.settings.allows_http {
            return Ok(url);
        }
        Err(failed("no secret is sent there in the clear")
            .at(url)
            .remedy("The server should speak https; --allow-http takes the risk."))
    }
}

impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access").field("url", &self.url).finish_non_exhaustive()
    }
}

/// The code with which a server refuses.
fn refusal(body: &[u8]) -> Option<String> {
    Members::read(body)?.text_if_any("error")
}

fn unlike(url: &Url) -> Error {
    failed("this is not what it should be").at(url)
}

fn failed(what: &str) -> Error {
    Error::new(Exit::Unavailable, what)
}

/// For people, on stderr: stdout belongs to the protocol.
fn tell(text: &str) {
    let _ = io::stderr().lock().write_all(text.as_bytes());
}

/// A word of a server, without what a terminal would obey.
pub(crate) fn plain(text: &str) -> String {
    text.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(100).collect()
}

/// 32 bytes that nobody can guess, as text (RFC 7636 4.1).
fn random() -> String {
    let mut bytes = [0; 32];
    Kernel::new().fill(&mut bytes);
    URL_SAFE_NO_PAD.encode(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client::tls::{Tls, Trust};

    #[test]
    fn a_server_elsewhere_cannot_name_an_endpoint_on_this_computer() {
        let endpoint = |server: &str, text: &str| {
            let client = Rc::new(Client::new(Tls::new(Trust::System).unwrap()));
            let access = Access::new(client, Url::parse(server).unwrap(), Settings::default()).unwrap();
            access.endpoint(text).map(|url| url.to_string()).map_err(|error| error.to_string())
        };
        for text in ["http://127.0.0.1:8080/token", "http://localhost/token", "https://[::1]/token"] {
            assert!(endpoint("https://board.local/mcp", text).unwrap_err().contains("on this computer"), "{text}");
            assert!(endpoint("http://localhost:8787/mcp", text).is_ok(), "{text}");
        }
        assert!(endpoint("https://board.local/mcp", "https://elsewhere.example/token").is_ok());
        assert!(endpoint("https://board.local/mcp", "http://elsewhere.example/token").unwrap_err().contains("in the clear"));
    }
}
