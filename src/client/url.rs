//! Addresses of servers: http and https, and nothing else that a program might be made to open.

use crate::limits;
use std::fmt::{self, Write};
use std::net::{IpAddr, Ipv6Addr};

/// An absolute address, without user, password and fragment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Url {
    is_tls: bool,
    /// A name or an address; an IPv6 address without brackets.
    host: String,
    port: u16,
    /// Path and query.
    path: String,
}

impl Url {
    /// Reads an address; `None` where it is none of ours.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > limits::URL_BYTES || !text.bytes().all(|byte| byte.is_ascii_graphic()) {
            return None;
        }
        let (scheme, rest) = text.split_once("://")?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        let rest = rest.split('#').next()?;
        let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = authority_of(authority)?;
        let port = port.unwrap_or(if is_tls { 443 } else { 80 });
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        (!path.contains('\\')).then_some(Url { is_tls, host, port, path })
    }

    /// What `reference` means on this page: an absolute address, or a path of this origin.
    pub(crate) fn join(&self, reference: &str) -> Option<Self> {
        if reference.contains("://") {
            return Url::parse(reference);
        }
        if reference.starts_with("//") {
            return None;
        }
        if reference.starts_with('/') {
            return Url::parse(&format!("{}{reference}", self.origin()));
        }
        let folder = self.path_alone().rsplit_once('/').map_or("", |(folder, _)| folder);
        let path = if reference.starts_with('?') { self.path_alone().to_owned() } else { format!("{folder}/") };
        Url::parse(&format!("{}{path}{reference}", self.origin()))
    }

    /// The same origin with another path.
    pub(crate) fn with_path(&self, path: &str) -> Self {
        Url { path: path.to_owned(), ..self.clone() }
    }

    /// Scheme, host and port; a port that goes without saying is left out.
    pub(crate) fn origin(&self) -> String {
        format!("{}://{}", if self.is_tls { "https" } else { "http" }, self.authority())
    }

    /// Host and port, as they stand in `Host`.
    pub(crate) fn authority(&self) -> String {
        let mut text = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        if self.port != if self.is_tls { 443 } else { 80 } {
            // Writing to a String does not fail.
            let _ = write!(text, ":{}", self.port);
        }
        text
    }

    pub(crate) fn is_tls(&self) -> bool {
        self.is_tls
    }

    /// A name or an address, without brackets.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Path and query.
    pub(crate) fn path(&self) -> &str {
        &self.path
    }

    pub(crate) fn path_alone(&self) -> &str {
        self.path.split('?').next().unwrap_or("/")
    }

    /// Whether nobody on the way can read what goes there: it is https, or does not leave this machine.
    pub(crate) fn is_private(&self) -> bool {
        self.is_tls || self.is_here()
    }

    /// Whether it is this machine.
    pub(crate) fn is_here(&self) -> bool {
        self.host == "localhost" || self.host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.origin(), self.path)
    }
}

fn authority_of(text: &str) -> Option<(String, Option<u16>)> {
    if let Some(rest) = text.strip_prefix('[') {
        let (address, after) = rest.split_once(']')?;
        let address: Ipv6Addr = address.parse().ok()?;
        let port = if after.is_empty() { None } else { Some(port(after.strip_prefix(':')?)?) };
        return Some((address.to_string(), port));
    }
    let (host, port) = match text.split_once(':') {
        Some((host, after)) => (host, Some(port(after)?)),
        None => (text, None),
    };
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    let is_good = !host.is_empty() && host.len() <= 253 && host.bytes().all(is_name);
    is_good.then(|| (host.to_ascii_lowercase(), port))
}

fn port(text: &str) -> Option<u16> {
    let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|port| is_number && *port != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_address_of_a_server_is_none() {
        for text in [
            "file:///etc/passwd",
            "javascript://x/%0aalert(1)",
            "http://",
            "http://user@host/",
            "http://a:b@host/",
            "https://host:0/",
            "https://host:+1/",
            "https://host:70000/",
            "https://ho st/",
            "https://host/\r\nX: y",
            "https://good.test\\@evil.test/",
            "http://[::1/",
            "http://$(reboot)/",
            "board.local",
        ] {
            assert_eq!(Url::parse(text), None, "{text}");
        }
    }

    #[test]
    fn an_address_is_written_as_it_was_read() {
        for text in
            ["http://localhost:8787/mcp", "https://board.local/mcp?x=1", "http://[fd00::7]:8080/", "https://192.168.1.20:1/a"]
        {
            assert_eq!(Url::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Url::parse("HTTPS://Board.Local:443#x").unwrap().to_string(), "https://board.local/");
    }

    #[test]
    fn references_stay_on_the_page_unless_they_are_absolute() {
        let page = Url::parse("https://board.local:8787/a/sse?x=1").unwrap();
        for (reference, whole) in [
            ("/messages?s=1", "https://board.local:8787/messages?s=1"),
            ("messages", "https://board.local:8787/a/messages"),
            ("?s=2", "https://board.local:8787/a/sse?s=2"),
            ("https://other.test/x", "https://other.test/x"),
        ] {
            assert_eq!(page.join(reference).unwrap().to_string(), whole);
        }
        assert_eq!(page.join("//other.test/x"), None);
    }

    #[test]
    fn only_what_leaves_this_machine_in_the_clear_can_be_read() {
        for (text, is_private) in [
            ("http://localhost:1/", true),
            ("http://127.0.0.2/", true),
            ("http://[::1]/", true),
            ("https://board.local/", true),
            ("http://board.local/", false),
            ("http://localhost.evil.test/", false),
            ("http://192.168.1.2/", false),
        ] {
            assert_eq!(Url::parse(text).unwrap().is_private(), is_private, "{text}");
        }
    }
}
