//! Who may talk to us at all: the Host that was asked for, and the page that asks (DNS rebinding, CSRF).

use crate::oauth::Base;
use hyper::Uri;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use std::net::{IpAddr, SocketAddr};

/// Where the page stands that made a browser send this, towards us; no page can set it (Fetch Metadata).
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// The names under which the server answers. A request for another name is refused: a page of a stranger can make a
/// browser call this address under a name of its own (CVE-2025-66414).
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    listen: SocketAddr,
    canonical: Base,
}

/// A name that the server answers to, with its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'a>(&'a str);

impl Host<'_> {
    /// The origin as this client sees it.
    pub(crate) fn origin(self) -> String {
        format!("http://{}", self.0)
    }

    /// Whether the address of the request names no other host: in its absolute form it would hold instead of this one
    /// (RFC 9112 3.2.2).
    pub(crate) fn is_asked_for(self, uri: &Uri) -> bool {
        uri.authority().is_none_or(|authority| authority.as_str() == self.0)
    }
}

impl Hosts {
    /// The names of a server that listens on a loopback address: whatever loopback is called, on any port, since a
    /// forwarded port (`ssh -L 9000:localhost:8787`) is asked for by its own number.
    pub(crate) fn loopback(listen: SocketAddr) -> Self {
        Hosts { listen, canonical: Base::new(&format!("http://localhost:{}", listen.port())) }
    }

    /// The server under its first name; its audience is that of all of them.
    pub(crate) fn canonical(&self) -> Base {
        self.canonical.clone()
    }

    /// The host that was asked for, if it is one of ours.
    pub(crate) fn find<'a>(&self, headers: &'a HeaderMap) -> Option<Host<'a>> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = hosts.next()?.to_str().ok()?;
        (hosts.next().is_none() && self.is_ours(host)).then_some(Host(host))
    }

    /// What the authorization server calls itself towards this client.
    pub(crate) fn base(&self, host: Host<'_>) -> Base {
        Base { origin: host.origin().into_boxed_str(), audience: self.canonical.audience }
    }

    /// Whether a page may call us: there is none (programs send no Origin), or it stands on this machine, or it is our
    /// own and the browser hides that (`null`: an extension that strips referrers does it) but vouches for it.
    pub(crate) fn is_welcome(&self, headers: &HeaderMap) -> bool {
        let is_own = headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
        headers.get_all(ORIGIN).iter().all(|origin| self.is_welcome_origin(origin) || (is_own && origin == "null"))
    }

    fn is_welcome_origin(&self, origin: &HeaderValue) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.is_ours(host))
    }

    fn is_ours(&self, host: &str) -> bool {
        let Some((name, port)) = split(host) else { return false };
        if !port.is_none_or(is_port) {
            return false;
        }
        name.eq_ignore_ascii_case("localhost")
            || name == "[::1]"
            || name.parse::<IpAddr>().is_ok_and(|address| address == IpAddr::from([127, 0, 0, 1]) || address == self.listen.ip())
    }
}

/// Name and port of a host; an IPv6 address keeps its brackets.
fn split(host: &str) -> Option<(&str, Option<&str>)> {
    let end = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    match host.split_at(end) {
        (name, "") => Some((name, None)),
        (name, port) => Some((name, Some(port.strip_prefix(':')?))),
    }
}

fn is_port(port: &str) -> bool {
    port.len() <= 5 && port.bytes().all(|digit| digit.is_ascii_digit()) && port.parse::<u16>().is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hosts() -> Hosts {
        Hosts::loopback(SocketAddr::from(([127, 0, 0, 1], 8787)))
    }

    fn headers(name: &HeaderName, values: &[&str]) -> HeaderMap {
        values.iter().map(|value| (name.clone(), HeaderValue::from_str(value).unwrap())).collect()
    }

    #[test]
    fn a_foreign_host_is_not_ours() {
        for host in [
            "evil.example",
            "evil.example:8787",
            "localhost.evil.example",
            "127.0.0.1.evil.example",
            "127.0.0.2",
            "0.0.0.0:8787",
            "[::1]evil",
            "[::1",
            "[::2]:8787",
            "localhost:",
            "localhost:99999",
            "localhost:+80",
            "localhost:80:80",
            "user@localhost",
            "localhost/",
            "",
        ] {
            assert_eq!(hosts().find(&headers(&HOST, &[host])), None, "{host}");
        }
        assert_eq!(hosts().find(&HeaderMap::new()), None);
        assert_eq!(hosts().find(&headers(&HOST, &["localhost", "localhost"])), None);
    }

    #[test]
    fn every_name_of_loopback_is_ours_on_any_port() {
        for host in ["localhost", "localhost:8787", "LOCALHOST:1", "127.0.0.1:8787", "[::1]:8787", "[::1]"] {
            let headers = headers(&HOST, &[host]);
            let found = hosts().find(&headers).unwrap();
            assert_eq!(found.origin(), format!("http://{host}"));
            assert_eq!(hosts().base(found).audience, hosts().canonical().audience);
        }
    }

    #[test]
    fn a_foreign_page_is_not_welcome() {
        for origin in
            ["http://evil.example", "https://evil.example:8787", "null", "file://", "localhost", "http://localhost.evil.example"]
        {
            assert!(!hosts().is_welcome(&headers(&ORIGIN, &[origin])), "{origin}");
        }
        assert!(!hosts().is_welcome(&headers(&ORIGIN, &["http://localhost:8787", "http://evil.example"])));
        let mut vouched = headers(&ORIGIN, &["null"]);
        vouched.insert(SEC_FETCH_SITE, HeaderValue::from_static("cross-site"));
        assert!(!hosts().is_welcome(&vouched));
        vouched.insert(SEC_FETCH_SITE, HeaderValue::from_static("same-origin"));
        assert!(hosts().is_welcome(&vouched));
        vouched.insert(ORIGIN, HeaderValue::from_static("http://evil.example"));
        assert!(!hosts().is_welcome(&vouched));
    }

    #[test]
    fn programs_and_local_pages_are_welcome() {
        assert!(hosts().is_welcome(&HeaderMap::new()));
        for origin in ["http://localhost:8787", "http://127.0.0.1:6274", "https://localhost"] {
            assert!(hosts().is_welcome(&headers(&ORIGIN, &[origin])), "{origin}");
        }
    }
}
