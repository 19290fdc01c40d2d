//! What a token is for: which server, and which of its endpoints (RFC 8707).

use super::Error;
use ring::digest;

/// A short name for a server: the first bytes of the SHA-256 of its origin.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Audience(pub [u8; 8]);

impl Audience {
    /// The audience of an origin. `localhost`, `127.0.0.1` and `[::1]` are one server under three names.
    pub fn of(origin: &str) -> Self {
        let loopback = on_loopback(origin).map(|(scheme, port)| format!("{scheme}://localhost{port}"));
        let digest = digest::digest(&digest::SHA256, loopback.as_deref().unwrap_or(origin).as_bytes());
        let mut audience = [0; 8];
        audience.copy_from_slice(&digest.as_ref()[..8]);
        Audience(audience)
    }
}

/// The scheme and the port of an origin that names this computer.
fn on_loopback(origin: &str) -> Option<(&str, &str)> {
    let (scheme, rest) = origin.split_once("://").filter(|(scheme, _)| matches!(*scheme, "http" | "https"))?;
    let port = super::redirect::LOOPBACK.iter().find_map(|host| rest.strip_prefix(host))?;
    (port.is_empty() || port.starts_with(':')).then_some((scheme, port))
}

/// The server as one client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Base {
    /// Scheme, host and port, without a slash at the end: `http://localhost:8787`. It is the issuer (RFC 8414 2), and
    /// must be the same string everywhere, as clients compare it byte by byte (RFC 9207 2.4).
    pub origin: Box<str>,
    /// Which server that is.
    pub audience: Audience,
}

impl Base {
    /// The base with this origin; a slash at its end is left out.
    pub fn new(origin: &str) -> Self {
        let origin = origin.trim_end_matches('/');
        Base { origin: origin.into(), audience: Audience::of(origin) }
    }

    /// Whether nobody can read on the way: it is https, or it does not leave this computer.
    pub fn is_protected(&self) -> bool {
        self.origin.starts_with("https://") || on_loopback(&self.origin).is_some()
    }
}

/// An endpoint that wants a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Endpoint {
    /// Streamable HTTP.
    Mcp,
    /// HTTP+SSE; its `/messages` belongs to it.
    Sse,
}

impl Endpoint {
    /// Both.
    pub const ALL: [Endpoint; 2] = [Endpoint::Mcp, Endpoint::Sse];

    /// Where it is.
    pub const fn path(self) -> &'static str {
        match self {
            Endpoint::Mcp => "/mcp",
            Endpoint::Sse => "/sse",
        }
    }
}

/// Some of the endpoints.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoints(u8);

impl Endpoints {
    /// All of them. As what a request needs: any of them, as at `/messages`.
    pub const ANY: Endpoints = Endpoints(3);

    /// Those that are in both.
    pub(super) fn intersection(self, other: Endpoints) -> Option<Endpoints> {
        let both = self.0 & other.0;
        (both != 0).then_some(Endpoints(both))
    }

    pub(super) fn bits(self) -> u8 {
        self.0
    }

    pub(super) fn from_bits(bits: u8) -> Self {
        Endpoints(bits & Endpoints::ANY.0)
    }
}

impl From<Endpoint> for Endpoints {
    fn from(endpoint: Endpoint) -> Self {
        match endpoint {
            Endpoint::Mcp => Endpoints(1),
            Endpoint::Sse => Endpoints(2),
        }
    }
}

/// What a token is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) audience: Audience,
    pub(super) endpoints: Endpoints,
}

impl Target {
    /// The whole server.
    pub(super) fn whole(base: &Base) -> Self {
        Target { audience: base.audience, endpoints: Endpoints::ANY }
    }

    /// What a `resource` parameter names: the server under any of its `bases`, with or without a slash, or one endpoint.
    pub(super) fn named<'a>(resource: &str, mut bases: impl Iterator<Item = &'a Base>) -> Result<Self, Error> {
        bases
            .find_map(|base| Target::within(base, resource))
            .ok_or(Error::invalid_target("The resource is none of this server's."))
    }

    /// What is left when a client asks for `resource` of what it was allowed. RFC 8707 2.2.
    pub(super) fn narrowed<'a>(self, resource: Option<&str>, bases: impl Iterator<Item = &'a Base>) -> Result<Self, Error> {
        let Some(resource) = resource else {
            return Ok(self);
        };
        let asked = Target::named(resource, bases)?;
        let endpoints = self.endpoints.intersection(asked.endpoints).filter(|_| self.audience == asked.audience);
        let endpoints = endpoints.ok_or(Error::invalid_target("The resource is not what was asked for at the beginning."))?;
        Ok(Target { endpoints, ..self })
    }

    fn within(base: &Base, resource: &str) -> Option<Self> {
        let endpoints = match resource.strip_prefix(&*base.origin)? {
            "" | "/" => Endpoints::ANY,
            path => Endpoint::ALL.into_iter().find(|endpoint| endpoint.path() == path)?.into(),
        };
        Some(Target { audience: base.audience, endpoints })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(resource: &str) -> Result<Target, Error> {
        Target::named(resource, [Base::new("http://localhost:8787"), Base::new("https://pi.local")].iter())
    }

    #[test]
    fn a_resource_that_is_not_ours_is_refused() {
        for resource in [
            "",
            "/",
            "/mcp",
            "http://localhost:878",
            "http://localhost:87870",
            "http://localhost:8787.evil.example",
            "http://localhost:8787@evil.example/mcp",
            "http://localhost:8787/messages",
            "http://localhost:8787/mcp/",
            "http://localhost:8787/mcp#fragment",
            "http://localhost:8787/#",
            "http://localhost:8787/mcp?x",
            "http://localhost:8787//",
            "https://localhost:8787/mcp",
            "http://127.0.0.1:8787/mcp",
            "https://pi.local:443/mcp",
            "HTTP://localhost:8787",
        ] {
            assert_eq!(named(resource).map_err(|error| error.error()), Err("invalid_target"), "{resource}");
        }
    }

    #[test]
    fn the_origin_names_both_endpoints_and_a_path_names_one() {
        assert_eq!(named("http://localhost:8787").unwrap().endpoints, Endpoints::ANY);
        assert_eq!(named("http://localhost:8787/").unwrap().endpoints, Endpoints::ANY);
        assert_eq!(named("http://localhost:8787/mcp").unwrap().endpoints, Endpoint::Mcp.into());
        assert_eq!(named("https://pi.local/sse").unwrap().endpoints, Endpoint::Sse.into());
    }

    #[test]
    fn what_was_allowed_can_only_shrink() {
        let bases = [Base::new("http://localhost:8787"), Base::new("https://pi.local")];
        let whole = Target::whole(&bases[0]);
        let mcp = whole.narrowed(Some("http://localhost:8787/mcp"), bases.iter()).unwrap();
        assert_eq!(mcp.endpoints, Endpoint::Mcp.into());
        assert!(mcp.narrowed(Some("http://localhost:8787/sse"), bases.iter()).is_err());
        assert!(mcp.narrowed(Some("https://pi.local/mcp"), bases.iter()).is_err());
        assert_eq!(mcp.narrowed(Some("http://localhost:8787"), bases.iter()).unwrap(), mcp);
        assert_eq!(mcp.narrowed(None, bases.iter()).unwrap(), mcp);
    }

    #[test]
    fn the_loopback_names_are_one_server_and_other_names_are_others() {
        let audience = Audience::of("http://localhost:8787");
        assert_eq!(Audience::of("http://127.0.0.1:8787"), audience);
        assert_eq!(Audience::of("http://[::1]:8787"), audience);
        for other in
            ["http://localhost", "https://localhost:8787", "http://localhost:8788", "http://127.0.0.11:8787", "http://pi:8787"]
        {
            assert_ne!(Audience::of(other), audience, "{other}");
        }
    }

    #[test]
    fn plain_http_beyond_this_computer_can_be_read_on_the_way() {
        for origin in ["http://192.168.1.20:8787", "http://pi.local", "http://localhost.evil.example", "http://127.0.0.11", "x"] {
            assert!(!Base::new(origin).is_protected(), "{origin}");
        }
        for origin in ["https://192.168.1.20", "http://localhost:8787", "http://127.0.0.1", "http://[::1]:1", "https://localhost"]
        {
            assert!(Base::new(origin).is_protected(), "{origin}");
        }
    }

    #[test]
    fn a_base_has_no_slash_at_its_end() {
        assert_eq!(Base::new("http://localhost:8787/"), Base::new("http://localhost:8787"));
    }
}
