//! Who may talk to us at all: the Host that was asked for, and the page that asks (DNS rebinding, CSRF).

use crate::config::{Config, Tls};
use crate::http::Link;
use crate::http::told::Told;
use crate::oauth::{Audience, Base};
use hyper::Uri;
use hyper::header::{HeaderName, HeaderValue, ORIGIN};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// Where the page stands that made a browser send this, towards us; no page can set it (Fetch Metadata).
pub(crate) const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// What `localhost` stands for.
const LOOPBACK: [IpAddr; 2] = [IpAddr::V4(Ipv4Addr::LOCALHOST), IpAddr::V6(Ipv6Addr::LOCALHOST)];

/// The names under which the server answers. A request for another name is refused: a page of a stranger can make a
/// browser call this address under a name of its own (CVE-2025-66414).
#[derive(Clone, Debug)]
pub(crate) struct Hosts {
    /// In lower case.
    names: Vec<String>,
    /// What most clients ask for: one of these names, or `localhost`, with the port of the first address.
    usual: Option<Box<str>>,
    /// Where a proxy that ends TLS is reached.
    publics: Vec<Base>,
    /// Origins of pages elsewhere that may call.
    origins: Vec<String>,
    canonical: Base,
}

/// A name that the server answers to, with its port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Host<'a> {
    scheme: &'static str,
    authority: &'a str,
}

impl Host<'_> {
    /// The origin as this client sees it.
    pub(crate) fn origin(self) -> String {
        format!("{}://{}", self.scheme, self.authority)
    }

    /// The same over TLS.
    pub(crate) fn secure_origin(self) -> String {
        format!("https://{}", self.authority)
    }

    /// Whether the address of the request names no other host: in its absolute form it would hold instead of this one
    /// (RFC 9112 3.2.2).
    pub(crate) fn is_asked_for(self, uri: &Uri) -> bool {
        uri.authority().is_none_or(|authority| authority.as_str() == self.authority)
    }
}

impl Hosts {
    /// The names that `config` gives the server, which listens on these addresses.
    ///
    /// Whatever loopback is called is one of them, on any port, since a forwarded port (`ssh -L 9000:localhost:8787`) is
    /// asked for by its own number; and so is the address that a connection came to, as no name can be made to stand for
    /// a bare address.
    pub(crate) fn new(config: &Config, addresses: &[SocketAddr]) -> Self {
        let first = origins(config, addresses).into_iter().next();
        let mut canonical = Base::new(&first.unwrap_or_default());
        if let Some(audience) = &config.audience {
            canonical.audience = Audience::of(audience);
        }
        let public = |origin: &String| Base { audience: canonical.audience, ..Base::new(origin) };
        let names: Vec<_> = config.names.iter().map(|name| name.to_ascii_lowercase()).collect();
        let usual = canonical.origin.split_once("://").map(|(_, authority)| authority.to_owned().into_boxed_str());
        let is_name = |authority: &str| {
            split(authority).is_some_and(|(name, _)| name == "localhost" || names.iter().any(|ours| ours == name))
        };
        let usual = usual.filter(|authority| is_name(authority));
        Hosts { names, usual, publics: config.public.iter().map(public).collect(), origins: config.origins.clone(), canonical }
    }

    /// The server under its first name; its audience is that of all of them.
    pub(crate) fn canonical(&self) -> Base {
        self.canonical.clone()
    }

    /// The host that was asked for, if it is one of ours.
    pub(crate) fn find<'a>(&'a self, told: &Told<'a>, link: Link) -> Option<Host<'a>> {
        let asked = told.host.only()?;
        let usual = self.usual.as_deref().filter(|usual| asked == usual);
        // Only what is another one must be looked at for whether it is text.
        let authority = usual.or_else(|| asked.to_str().ok())?;
        if self.publics.iter().any(|base| base.origin.strip_prefix("https://") == Some(authority)) {
            return Some(Host { scheme: "https", authority });
        }
        let scheme = if link.is_tls { "https" } else { "http" };
        let is_ours = usual.is_some() || self.is_ours(authority, link);
        is_ours.then_some(Host { scheme, authority })
    }

    /// What the authorization server calls itself towards this client.
    pub(crate) fn base(&self, host: Host<'_>) -> Base {
        Base { origin: host.origin().into_boxed_str(), audience: self.canonical.audience }
    }

    /// Whether a page may call us: there is none (programs send no Origin), or it stands on this machine, or it is our
    /// own and the browser hides that (`null`: an extension that strips referrers does it) but vouches for it.
    pub(crate) fn is_welcome(&self, told: &Told<'_>, link: Link) -> bool {
        if told.origin.first.is_none() {
            return true;
        }
        let is_own = || told.headers.get(SEC_FETCH_SITE).is_some_and(|site| site == "same-origin");
        told.headers.get_all(ORIGIN).iter().all(|origin| self.is_welcome_origin(origin, link) || (origin == "null" && is_own()))
    }

    fn is_welcome_origin(&self, origin: &HeaderValue, link: Link) -> bool {
        let Ok(origin) = origin.to_str() else { return false };
        let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
        host.is_some_and(|host| self.is_ours(host, link))
            || self.origins.iter().any(|ours| ours == origin)
            || self.publics.iter().any(|base| *base.origin == *origin)
    }

    fn is_ours(&self, host: &str, link: Link) -> bool {
        let Some((name, port)) = split(host) else { return false };
        if !port.is_none_or(is_port) {
            return false;
        }
        if name.eq_ignore_ascii_case("localhost") {
            return true;
        }
        let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
        match bare.parse::<IpAddr>() {
            Ok(address) if (address.is_ipv6()) != name.starts_with('[') => false,
            Ok(address) => LOOPBACK.contains(&address) || address == link.local || self.is_name(bare),
            Err(_) => self.is_name(name),
        }
    }

    fn is_name(&self, name: &str) -> bool {
        self.names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
    }
}

/// Whether a request must be made over TLS: there is TLS, and others could read or change what comes plain. Within this
/// machine nobody can; and the operator may say that it does not matter.
pub(crate) fn needs_tls(config: &Config, link: Link) -> bool {
    config.tls != Tls::Off && !config.allow_plain && !link.is_tls && !link.peer.is_loopback()
}

/// Under which origins a server with this configuration is reached that listens on these addresses. By the first it calls
/// itself: one that other computers find, if any of them can come.
pub(crate) fn origins(config: &Config, addresses: &[SocketAddr]) -> Vec<String> {
    let scheme = if config.tls == Tls::Off { "http" } else { "https" };
    let mut all = config.public.clone();
    let (near, far): (Vec<_>, Vec<_>) = addresses.iter().copied().partition(|address| address.ip().is_loopback());
    for address in far.into_iter().chain(near) {
        let names = config.names.iter().map(String::as_str).filter(|_| !address.ip().is_loopback());
        let own = match address.ip().to_canonical() {
            ip if ip.is_unspecified() || ip == LOOPBACK[0] => "localhost".to_owned(),
            // One of its own: nothing listens on 127.0.0.1, which `localhost` stands for.
            ip => ip.to_string(),
        };
        let bracketed = |name: &str| if name.contains(':') { format!("[{name}]") } else { name.to_owned() };
        for name in names.chain([own.as_str()]) {
            let origin = format!("{scheme}://{}:{}", bracketed(name), address.port());
            if !all.contains(&origin) {
                all.push(origin);
            }
        }
    }
    all
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
    use hyper::header::{HOST, HeaderMap};

    fn hosts() -> Hosts {
        Hosts::new(&Config::with_state("/".into()), &["127.0.0.1:8787".parse().unwrap()])
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
            assert_eq!(hosts().find(&Told::read(&headers(&HOST, &[host])), Link::LOOPBACK), None, "{host}");
        }
        assert_eq!(hosts().find(&Told::read(&HeaderMap::new()), Link::LOOPBACK), None);
        assert_eq!(hosts().find(&Told::read(&headers(&HOST, &["localhost", "localhost"])), Link::LOOPBACK), None);
    }

    #[test]
    fn every_name_of_loopback_is_ours_on_any_port() {
        for host in ["localhost", "localhost:8787", "LOCALHOST:1", "127.0.0.1:8787", "[::1]:8787", "[::1]"] {
            let headers = headers(&HOST, &[host]);
            let hosts = hosts();
            let found = hosts.find(&Told::read(&headers), Link::LOOPBACK).unwrap();
            assert_eq!(found.origin(), format!("http://{host}"));
            assert_eq!(hosts.base(found).audience, hosts.canonical().audience);
        }
    }

    #[test]
    fn a_name_under_which_nothing_listens_is_not_said() {
        let config = Config { names: vec!["pi.local".to_owned(), "fd00::7".to_owned()], ..Config::with_state("/".into()) };
        for (listen, wanted) in [
            (&["127.0.0.1:1"][..], &["http://localhost:1"][..]),
            (&["127.0.0.2:1"], &["http://127.0.0.2:1"]),
            (&["[::1]:1"], &["http://[::1]:1"]),
            (&["[::1]:1", "127.0.0.1:1"], &["http://[::1]:1", "http://localhost:1"]),
            (&["0.0.0.0:1"], &["http://pi.local:1", "http://[fd00::7]:1", "http://localhost:1"]),
            (&["0.0.0.0:1", "[::]:1"], &["http://pi.local:1", "http://[fd00::7]:1", "http://localhost:1"]),
            (&["192.168.1.20:1"], &["http://pi.local:1", "http://[fd00::7]:1", "http://192.168.1.20:1"]),
            (&["127.0.0.1:1", "[fd00::7]:2"], &["http://pi.local:2", "http://[fd00::7]:2", "http://localhost:1"]),
        ] {
            let listen: Vec<SocketAddr> = listen.iter().map(|address| address.parse().unwrap()).collect();
            assert_eq!(origins(&config, &listen), wanted);
            assert_eq!(&*Hosts::new(&config, &listen).canonical().origin, wanted[0]);
        }
        let proxied = Config { public: vec!["https://pi.example.org".to_owned()], tls: Tls::Own, ..config };
        let said = origins(&proxied, &["127.0.0.2:1".parse().unwrap()]);
        assert_eq!(said, ["https://pi.example.org", "https://127.0.0.2:1"]);
    }

    #[test]
    fn what_others_could_read_needs_tls_where_there_is_tls() {
        let far = |last: u8| IpAddr::from([192, 168, 1, last]);
        let config = |tls, allow_plain| Config { tls, allow_plain, ..Config::with_state("/".into()) };
        let files = Tls::Files { certificate: "c".into(), key: "k".into() };
        let plain = Link { peer: far(7), local: far(20), is_tls: false };
        for tls in [Tls::Own, files] {
            assert!(needs_tls(&config(tls.clone(), false), plain));
            assert!(!needs_tls(&config(tls.clone(), true), plain));
            assert!(!needs_tls(&config(tls.clone(), false), Link { is_tls: true, ..plain }));
            for here in ["127.0.0.1", "127.0.0.2", "::1"] {
                assert!(!needs_tls(&config(tls.clone(), false), Link { peer: here.parse().unwrap(), ..plain }), "{here}");
            }
            // A computer of this network is not this computer, even when it is this computer by its own address.
            assert!(needs_tls(&config(tls, false), Link { peer: plain.local, ..plain }));
        }
        assert!(!needs_tls(&config(Tls::Off, false), plain));
    }

    #[test]
    fn over_tls_the_server_calls_itself_by_https() {
        let headers = headers(&HOST, &["localhost:8787"]);
        let hosts = hosts();
        let found = hosts.find(&Told::read(&headers), Link { is_tls: true, ..Link::LOOPBACK }).unwrap();
        assert_eq!(found.origin(), "https://localhost:8787");
        let plain = hosts.find(&Told::read(&headers), Link::LOOPBACK).unwrap();
        assert_eq!((plain.origin().as_str(), plain.secure_origin()), ("http://localhost:8787", found.origin()));
    }

    #[test]
    fn a_foreign_page_is_not_welcome() {
        for origin in
            ["http://evil.example", "https://evil.example:8787", "null", "file://", "localhost", "http://localhost.evil.example"]
        {
            assert!(!hosts().is_welcome(&Told::read(&headers(&ORIGIN, &[origin])), Link::LOOPBACK), "{origin}");
        }
        assert!(
            !hosts()
                .is_welcome(&Told::read(&headers(&ORIGIN, &["http://localhost:8787", "http://evil.example"])), Link::LOOPBACK)
        );
        let mut vouched = headers(&ORIGIN, &["null"]);
        vouched.insert(SEC_FETCH_SITE, HeaderValue::from_static("cross-site"));
        assert!(!hosts().is_welcome(&Told::read(&vouched), Link::LOOPBACK));
        vouched.insert(SEC_FETCH_SITE, HeaderValue::from_static("same-origin"));
        assert!(hosts().is_welcome(&Told::read(&vouched), Link::LOOPBACK));
        vouched.insert(ORIGIN, HeaderValue::from_static("http://evil.example"));
        assert!(!hosts().is_welcome(&Told::read(&vouched), Link::LOOPBACK));
    }

    #[test]
    fn programs_and_local_pages_are_welcome() {
        assert!(hosts().is_welcome(&Told::read(&HeaderMap::new()), Link::LOOPBACK));
        for origin in ["http://localhost:8787", "http://127.0.0.1:6274", "https://localhost"] {
            assert!(hosts().is_welcome(&Told::read(&headers(&ORIGIN, &[origin])), Link::LOOPBACK), "{origin}");
        }
    }
}
