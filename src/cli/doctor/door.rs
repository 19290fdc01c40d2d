//! The way in: the challenge, what the server says of itself, the registration, the token.

use super::report::Stop;
use super::speech;
use super::talk::{Talk, answer, body};
use super::way::Way;
use super::way::quoted;
use crate::cli::server;
use crate::client::fault::Fault;
use crate::client::http::{Client, Response};
use crate::client::oauth::discovery::{Metadata, Resource, resource, server as authorization_server};
use crate::client::oauth::{Access, Challenge, NOBODY, plain};
use crate::client::url::Url;
use crate::error::{Error, Exit};
use crate::json;
use crate::limits;
use crate::server::desk::{Answer, Request};
use serde_json::Value;
use std::future::Future;
use std::rc::Rc;
use std::time::Duration;
use tokio::time::timeout;

impl Way<'_> {
    /// From the first answer to the tools.
    pub(super) async fn enter(&self, client: Client, first: Response) -> Result<(), Stop> {
        let client = Rc::new(client);
        let challenge = self.challenge(&client, first).await?;
        let access = Access::new(Rc::clone(&client), self.url.clone(), self.plan.sign_in.clone());
        let access = access.map_err(|error| self.failed("token", &error, ""))?;
        let token = match challenge {
            None => {
                for step in ["resource", "sign-in server", "registration", "token"] {
                    self.report.absent(step, "not needed: nobody has to sign in");
                }
                // Some ask only after the first message.
                access.token().await.unwrap_or_default()
            }
            Some(challenge) => {
                let resource = self.resource(&access, &challenge).await?;
                let server = self.sign_in_server(&access, &resource).await?;
                self.registration(&access, &server).await;
                Some(self.token(&access).await?)
            }
        };
        speech::speak(self, &client, token.as_deref()).await
    }

    /// What the server asks for; `None` where it lets everybody in.
    async fn challenge(&self, client: &Client, first: Response) -> Result<Option<Challenge>, Stop> {
        self.report.begin("challenge");
        let response = match first.status {
            // HTTP with SSE: the stream is asked instead.
            404 | 405 => {
                let stream = Talk { client, token: None }.get_stream(self.url).await;
                stream.map_err(|fault| self.fault("challenge", fault))?
            }
            _ => first,
        };
        let status = response.status;
        let curl = self.curl_message();
        match status {
            401 => {
                let challenges = response.headers("www-authenticate").filter(|text| text.starts_with("Bearer"));
                let Some(challenge) = challenges.map(Challenge::parse).last() else {
                    let error = self.error("the server asks for a sign-in, but no `WWW-Authenticate: Bearer` says where");
                    let remedy = "Something on the way may take that line out; or this is no MCP server.";
                    return Err(self.failed("challenge", &error.remedy(remedy), &curl));
                };
                let scope = challenge.scope.as_deref().map_or_else(String::new, |scope| format!(", scopes: {}", plain(scope)));
                self.report.ok("challenge", &format!("401, as it should be{scope}"));
                Ok(Some(challenge))
            }
            200 | 400 => {
                if response.is_of("text/event-stream") || answer(response).await.is_ok() {
                    self.report.ok("challenge", "none: the server lets everybody in");
                    return Ok(None);
                }
                let error = self.error(&format!("this is no MCP server: it answers {status}, and nothing of JSON-RPC"));
                Err(self.failed("challenge", &error.remedy("The address of an MCP server ends in /mcp, or in /sse."), &curl))
            }
            _ => {
                let error = refused(self.url, response).await;
                Err(self.failed("challenge", &error, &curl))
            }
        }
    }

    async fn resource(&self, access: &Access, challenge: &Challenge) -> Result<Resource, Stop> {
        self.report.begin("resource");
        let named = challenge.resource_metadata.as_deref().and_then(Url::parse);
        let place = named
            .unwrap_or_else(|| self.url.with_path(&format!("/.well-known/oauth-protected-resource{}", self.url.path_alone())));
        let found = self.in_time(&place, resource(access, challenge)).await;
        let found = found.map_err(|error| self.failed("resource", &error, &self.curl("-i", &place)))?;
        self.report.ok("resource", &format!("{}, let in by {}", plain(&found.url), plain(&found.issuer(access))));
        Ok(found)
    }

    async fn sign_in_server(&self, access: &Access, resource: &Resource) -> Result<Metadata, Stop> {
        self.report.begin("sign-in server");
        let issuer = Url::parse(&resource.issuer(access)).unwrap_or_else(|| self.url.clone());
        let path = issuer.path_alone().trim_end_matches('/');
        let place = issuer.with_path(&format!("/.well-known/oauth-authorization-server{path}"));
        let curl = self.curl("-i", &place);
        let found = self.in_time(&place, authorization_server(access, resource)).await;
        let found = found.map_err(|error| self.failed("sign-in server", &error, &curl))?;
        if !found.code_challenge_methods_supported.iter().any(|method| method == "S256") {
            let error = Error::new(Exit::Unavailable, "the authorization server knows no PKCE with S256").at(&place);
            return Err(self.failed("sign-in server", &error.remedy("Clients of MCP sign in with nothing less."), &curl));
        }
        self.report.ok("sign-in server", &plain(&found.issuer));
        Ok(found)
    }

    /// Whoever has a token goes on without it.
    async fn registration(&self, access: &Access, server: &Metadata) {
        self.report.begin("registration");
        let Some(endpoint) = server.registration_endpoint.as_deref().and_then(Url::parse) else {
            return self.report.absent("registration", "the sign-in server registers nobody: use --token-file");
        };
        let is_real = self.plan.board.is_some();
        match self.in_time(&endpoint, access.try_registration(server, is_real)).await {
            Ok(true) => self.report.ok("registration", "what no server may register was refused; nothing is left behind"),
            Ok(false) if is_real => self.report.ok("registration", "a client may register; nothing is left behind"),
            Ok(false) => self.report.ok("registration", "it registers even what it must not: `perchd doctor` may be left there"),
            Err(error) => {
                let words = format!("-i -H 'Content-Type: application/json' -d {}", quoted(NOBODY));
                self.failed("registration", &error, &self.curl(&words, &endpoint));
            }
        }
    }

    /// The token that there is. Nobody is asked to sign in.
    async fn token(&self, access: &Access) -> Result<String, Stop> {
        self.report.begin("token");
        let found = self.in_time(self.url, access.token()).await.map_err(|error| self.failed("token", &error, ""))?;
        let Some(token) = found.filter(|token| !token.is_empty()) else {
            let how = format!("nobody has signed in from here. To go on: perchd connect {}, or --token-file FILE", self.url);
            return Err(self.report.unreached("token", &how));
        };
        let place = match &self.plan.sign_in.token_file {
            Some(file) => format!("from {}", file.display()),
            None => "that of `perchd connect`".to_owned(),
        };
        if let Some(fault) = self.inspected(&token) {
            let error = Error::new(Exit::Permission, fault).at(&place).remedy(anew(self));
            return Err(self.failed("token", &error, &self.curl_token()));
        }
        self.report.ok("token", &place);
        Ok(token)
    }

    /// What the board itself knows to be wrong with a token.
    fn inspected(&self, token: &str) -> Option<String> {
        let which = self.plan.board.as_ref()?;
        let Ok(Answer::Inspection { inspection }) = server::ask_or_do(which, Request::Inspect { text: token.to_owned() }) else {
            return None;
        };
        let Some(told) = inspection else {
            return Some("the token is another board's, or the key that sealed it is gone".to_owned());
        };
        let word = |name: &str| told[name].as_str().unwrap_or_default().replace('_', " ");
        if word("kind") != "access token" {
            return Some(format!("this is no access token, but a {}", word("kind")));
        }
        match word("state").as_str() {
            "good" => None,
            "expired" => {
                let date = told["ends_unix"].as_u64().map(crate::cli::when::date).unwrap_or_default();
                Some(format!("the token has expired, on {date}"))
            }
            "elsewhere" => Some("the token is for a server of another address that shares the keys".to_owned()),
            state => Some(format!("the token was {state}")),
        }
    }

    /// A 401 or 403 although there was a token, or though the first message needed none.
    pub(super) fn not_let_in(&self, step: &str, response: &Response, has_token: bool) -> Stop {
        if !has_token {
            let how = format!("here it asks for a sign-in. To go on: perchd connect {}, or --token-file FILE", self.url);
            return self.report.unreached(step, &how);
        }
        let challenges = response.headers("www-authenticate").filter(|text| text.starts_with("Bearer"));
        let challenge = challenges.map(Challenge::parse).last().unwrap_or_default();
        let (what, remedy) = match (response.status, challenge.error.as_deref()) {
            (403, Some("insufficient_scope")) => {
                let scope = plain(challenge.scope.as_deref().unwrap_or_default());
                (format!("the token lacks a scope: {scope}"), anew(self))
            }
            (403, _) => (
                "the server forbids it (403)".to_owned(),
                "A proxy or a page's Origin may be why: look at the log of the server.".to_owned(),
            ),
            (_, Some(_)) => {
                let remedy = format!("On the board: perchd token inspect <FILE tells which. {}", anew(self));
                ("the server does not take the token: it is over, revoked, or of another board".to_owned(), remedy)
            }
            _ => {
                let remedy = "A proxy that is to ask for passwords itself does so: let `Authorization` through, as it comes.";
                (
                    "the token does not arrive: something on the way takes the header `Authorization` out".to_owned(),
                    remedy.to_owned(),
                )
            }
        };
        self.failed(step, &Error::new(Exit::Permission, what).at(self.url.origin()).remedy(remedy), &self.curl_token())
    }

    /// The first message with a token, which stands in a file.
    pub(super) fn curl_token(&self) -> String {
        let line = self.curl_message().replacen("curl -i", "curl -i --header @token.txt", 1);
        format!("{line}   # token.txt: Authorization: Bearer ...")
    }

    pub(super) fn error(&self, what: &str) -> Error {
        Error::new(Exit::Unavailable, what).at(self.url)
    }

    async fn in_time<T>(&self, place: &Url, work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        let late = |_| Err(Fault::Late.told(place));
        timeout(Duration::from_secs(limits::STEP_SECS), work).await.unwrap_or_else(late)
    }
}

fn anew(way: &Way<'_>) -> String {
    match way.plan.sign_in.token_file {
        Some(_) => "Make another one on the board: perchd token new --help".to_owned(),
        None => format!("Sign in anew: perchd connect {} --forget, and start the client again", way.url),
    }
}

/// What a status means that is none of an MCP server at work.
async fn refused(url: &Url, response: Response) -> Error {
    let status = response.status;
    let elsewhere = response.header("location").map(plain);
    let told: Value = json::read(&body(response).await).unwrap_or_default();
    let said =
        ["error_description", "message", "error"].iter().find_map(|name| told[*name].as_str()).map_or_else(String::new, plain);
    if let Some(elsewhere) = elsewhere.filter(|_| (300..400).contains(&status)) {
        let what = format!("the server sends clients elsewhere: status {status}, {elsewhere}");
        return Error::new(Exit::Unavailable, what).at(url).remedy("Many clients do not follow: take that address.");
    }
    let (what, remedy) = match status {
        404 | 405 => ("there is no MCP server at this address", "It ends in /mcp, or in /sse. Is this the right port?"),
        421 => {
            ("the board does not go by this name", "Put it under `names` in its configuration; behind a proxy, under `public`.")
        }
        403 => ("the server forbids it", "On the board, the log says why: journalctl -u perchd"),
        429 | 503 => ("the server is too busy", "Try again later; on the board: perchd health. [limits] says how much it takes."),
        502 | 504 => ("a proxy answers, and does not reach the server behind it", "On the board: perchd health"),
        _ => ("the server answers with an error", "On the board, the log says why: journalctl -u perchd"),
    };
    let said = if said.is_empty() { said } else { format!(" ({said})") };
    Error::new(Exit::Unavailable, format!("{what}: status {status}{said}")).at(url).remedy(remedy)
}
