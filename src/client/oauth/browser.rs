//! The sign-in by browser: it is sent to the server, and comes back to an address of this machine (RFC 8252 7.3).

use super::failed;
use crate::client::body::Connection;
use crate::client::url::Url;
use crate::errand;
use crate::error::Error;
use crate::limits;
use std::cell::Cell;
use std::process::{Command, Stdio};
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

/// Where the browser comes back to.
pub(super) const PATH: &str = "/callback";

/// What it brings.
#[derive(Debug, Default)]
pub(super) struct Callback {
    pub(super) code: Option<String>,
    pub(super) error: Option<String>,
    pub(super) iss: Option<String>,
}

/// Shows `link` to a person. No shell sees it, and nothing depends on a browser being there.
pub(super) fn open(link: &str) {
    super::tell(&format!("Sign in here; a browser may have opened it:\n  {link}\n"));
    let named =
        std::env::var("BROWSER").ok().and_then(|all| all.split(':').next().map(str::to_owned)).filter(|name| !name.is_empty());
    let opener = named.unwrap_or_else(|| (if cfg!(target_os = "macos") { "open" } else { "xdg-open" }).to_owned());
    // What a browser prints is no JSON-RPC.
    let child = Command::new(opener).arg(link).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    if let Ok(mut child) = child {
        std::thread::spawn(move || child.wait());
    }
}

/// Waits for the browser to bring what belongs to `state`.
pub(super) async fn wait(listener: TcpListener, state: &str) -> Result<Callback, Error> {
    let (sender, mut received) = mpsc::channel(1);
    let open = Rc::<Cell<usize>>::default();
    let state = state.to_owned();
    let accept = errand::begin(async move {
        loop {
            let Ok((socket, _)) = listener.accept().await else { continue };
            if open.get() >= limits::CALLBACK_CONNECTIONS {
                continue;
            }
            open.set(open.get() + 1);
            let (sender, state, open) = (sender.clone(), state.clone(), Rc::clone(&open));
            errand::begin(async move {
                let answered = tokio::time::timeout(Duration::from_secs(limits::HEAD_SECS), answer(socket, &state)).await;
                open.set(open.get() - 1);
                if let Ok(Some(callback)) = answered {
                    let _ = sender.try_send(callback);
                }
            });
        }
    });
    let found = tokio::time::timeout(Duration::from_secs(limits::SIGN_IN_SECS), received.recv()).await;
    accept.abort();
    let late = || failed("nobody signed in within ten minutes").remedy("Start it again, or try --device.");
    found.ok().flatten().ok_or_else(late)
}

/// Answers one request; what it brought, if it is the one.
async fn answer(socket: TcpStream, state: &str) -> Option<Callback> {
    let mut connection =
        Connection { stream: Box::new(socket), unread: Vec::new(), origin: String::new(), since: Instant::now() };
    while !connection.unread.windows(4).any(|end| end == b"\r\n\r\n") {
        if connection.unread.len() > limits::HEAD_BYTES {
            return None;
        }
        connection.fill().await.ok()?;
    }
    let head = String::from_utf8_lossy(&connection.unread).into_owned();
    let target = head.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).unwrap_or("");
    let found = callback(target, state);
    let (status, text) = match &found {
        Some(Callback { error: None, .. }) => ("200 OK", "You are signed in. You can close this page."),
        Some(_) => ("200 OK", "The sign-in was refused. You can close this page."),
        None => ("404 Not Found", "This page belongs to no sign-in that is under way."),
    };
    let page = format!("<!doctype html><meta charset=utf-8><title>perchd</title><p>{text}</p>\n");
    let length = page.len();
    let whole = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html\r\nContent-Length: {length}\r\nConnection: close\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'\r\n\r\n{page}"
    );
    let _ = crate::client::dial::write(&mut *connection.stream, whole.as_bytes()).await;
    found
}

fn callback(target: &str, state: &str) -> Option<Callback> {
    let query = target.strip_prefix(PATH)?.strip_prefix('?')?;
    let mut found = Callback::default();
    let mut given_state = None;
    for (name, value) in form_urlencoded::parse(query.as_bytes()) {
        let value = Some(value.into_owned());
        match &*name {
            "code" => found.code = value,
            "error" => found.error = value,
            "iss" => found.iss = value,
            "state" => given_state = value,
            _ => {}
        }
    }
    (given_state.as_deref() == Some(state) && (found.code.is_some() || found.error.is_some())).then_some(found)
}

/// A listener on this machine: at the port that the registration knows, if it is free.
pub(super) async fn listen(port: u16) -> Result<TcpListener, Error> {
    let listener = match TcpListener::bind(("127.0.0.1", port)).await {
        Err(_) if port != 0 => TcpListener::bind(("127.0.0.1", 0)).await,
        bound => bound,
    };
    listener.map_err(|error| failed("cannot listen for the browser").because(error))
}

/// The page of the server that asks a person.
pub(super) fn link(endpoint: &Url, fields: &[(&str, &str)]) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    fields.iter().filter(|(_, value)| !value.is_empty()).for_each(|(name, value)| _ = query.append_pair(name, value));
    let joint = if endpoint.path().contains('?') { '&' } else { '?' };
    format!("{endpoint}{joint}{}", query.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_belongs_to_this_sign_in_is_taken() {
        assert_eq!(callback("/callback?code=c&state=s&iss=http%3A%2F%2Fl", "s").unwrap().iss.as_deref(), Some("http://l"));
        assert_eq!(callback("/callback?error=access_denied&state=s", "s").unwrap().error.as_deref(), Some("access_denied"));
        for target in
            ["/callback?code=c&state=other", "/callback?code=c", "/callback?state=s", "/?code=c&state=s", "/favicon.ico", ""]
        {
            assert!(callback(target, "s").is_none(), "{target}");
        }
    }
}
