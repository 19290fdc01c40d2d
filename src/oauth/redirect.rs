//! Where a browser may be sent: the one thing that five other servers got wrong.
//!
//! Allowed are http to a loopback address, on any port (RFC 8252 7.3), and https to the very URIs that the owner has
//! listed. Everything else is refused by not being one of these.

use crate::limits;
use ring::digest;
use std::ops::Range;

/// The hosts that are this machine. RFC 8252 7.3; each is a name of its own, none stands for another.
pub(super) const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// The first bytes of a SHA-256: enough to tell redirect URIs apart, also on purpose.
pub(super) type Fingerprint = [u8; 16];

/// A redirect URI that may be redirected to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RedirectUri {
    text: Box<str>,
    /// Where host and port stand.
    authority: Range<usize>,
    /// Where the port stands, colon included; empty where there is none.
    port: Range<usize>,
    is_loopback: bool,
}

impl RedirectUri {
    /// Parses a redirect URI; `allowed` lists the https URIs.
    ///
    /// # Errors
    /// A sentence that says why it is refused.
    pub fn parse(text: &str, allowed: &[String]) -> Result<Self, &'static str> {
        if text.len() > limits::REDIRECT_URI_BYTES {
            return Err("The redirect URI is too long.");
        }
        // RFC 3986 2: browsers drop tabs and newlines and turn `\` into `/`, so that what is no URI must not pass as one.
        if !text.bytes().all(is_uri_byte) {
            return Err("The redirect URI has characters that no URI has.");
        }
        if text.contains('#') {
            return Err("The redirect URI has a fragment."); // RFC 6749 3.1.2.
        }
        if let Some(rest) = text.strip_prefix("https://") {
            if !allowed.iter().any(|uri| uri == text) {
                return Err("This https redirect URI is not on the server's list.");
            }
            let end = text.len() - rest.len() + authority_length(rest);
            return Ok(RedirectUri { text: text.into(), authority: 8..end, port: end..end, is_loopback: false });
        }
        let rest = text.strip_prefix("http://").ok_or("The redirect URI is neither https nor http to a loopback address.")?;
        let authority = &rest[..authority_length(rest)];
        let (host, _) = LOOPBACK
            .into_iter()
            .find_map(|host| Some((host, authority.strip_prefix(host)?)))
            .filter(|(_, port)| port.is_empty() || is_port(port))
            .ok_or("An http redirect URI must go to localhost, 127.0.0.1 or [::1].")?;
        let (start, end) = (7 + host.len(), 7 + authority.len());
        Ok(RedirectUri { text: text.into(), authority: 7..end, port: start..end, is_loopback: true })
    }

    /// As the client wrote it.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// Host and port, for the person to read.
    pub fn host(&self) -> &str {
        &self.text[self.authority.clone()]
    }

    /// Scheme, host and port, for `form-action` in the page's Content-Security-Policy: Chromium applies it to the
    /// redirect that follows the form.
    pub fn origin(&self) -> &str {
        &self.text[..self.authority.end]
    }

    /// Whether it goes to the machine of the browser.
    pub fn is_loopback(&self) -> bool {
        self.is_loopback
    }

    /// What a registration remembers: without the port, where it goes to a loopback address. RFC 8252 7.3.
    pub(super) fn registered(&self) -> Fingerprint {
        fingerprint(&[&self.text[..self.port.start], &self.text[self.port.end..]])
    }

    /// What a code remembers: the URI to the byte, port included. RFC 6749 4.1.3.
    pub(super) fn exact(&self) -> Fingerprint {
        exact(&self.text)
    }

    /// The URI with `parameters` added to the query that it may have. RFC 6749 4.1.2.
    pub(super) fn with(&self, parameters: &[(&str, &str)]) -> String {
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.extend_pairs(parameters);
        let joint = match self.text.split_once('?') {
            None => "?",
            Some((_, "")) => "",
            Some(_) => "&",
        };
        format!("{}{joint}{}", self.text, query.finish())
    }
}

/// The fingerprint of a redirect URI as it was sent, port included.
pub(super) fn exact(text: &str) -> Fingerprint {
    fingerprint(&[text])
}

fn fingerprint(parts: &[&str]) -> Fingerprint {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(part.as_bytes());
    }
    let mut fingerprint = [0; 16];
    fingerprint.copy_from_slice(&context.finish().as_ref()[..16]);
    fingerprint
}

/// RFC 3986 2.2 to 2.4, of what may stand in a URI with an http host; `#` is dealt with by name.
fn is_uri_byte(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~:/?#[]@!$&'()*+,;=%".contains(&byte)
}

fn authority_length(rest: &str) -> usize {
    rest.find(['/', '?']).unwrap_or(rest.len())
}

/// A colon and a number from 1 to 65535, without leading zeros.
fn is_port(text: &str) -> bool {
    text.strip_prefix(':').is_some_and(|digits| {
        digits.bytes().all(|byte| byte.is_ascii_digit()) && !digits.starts_with('0') && digits.parse::<u16>().is_ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLAUDE: &str = "https://claude.ai/api/mcp/auth_callback";

    fn parse(text: &str) -> Result<RedirectUri, &'static str> {
        RedirectUri::parse(text, &[CLAUDE.to_owned()])
    }

    #[test]
    fn everything_else_is_refused() {
        for text in [
            "",
            "/callback",
            "callback",
            "//localhost/callback",
            "localhost:3335/callback",
            "javascript:alert(1)",
            "JaVaScRiPt:alert(1)",
            "java\tscript:alert(1)",
            "java\nscript:alert(1)",
            " http://localhost/callback",
            "http://localhost/callback ",
            "http://localhost/call\tback",
            "http://localhost/call\nback",
            "http://localhost/call\0back",
            "data:text/html,<script>alert(1)</script>",
            "vbscript:x",
            "file:///etc/passwd",
            "cursor://anysphere/callback",
            "com.example.app:/callback",
            "HTTP://localhost/callback",
            "http:localhost/callback",
            "http:/localhost/callback",
            "http:///localhost/callback",
            "http://LOCALHOST/callback",
            "http://localhost/callback#",
            "http://localhost/callback#fragment",
            "http://user@localhost/callback",
            "http://localhost@evil.example/callback",
            "http://localhost:80@evil.example/callback",
            "http://evil.example/callback",
            "http://evil.example/http://localhost/",
            "http://localhost.evil.example/callback",
            "http://127.0.0.1.evil.example/callback",
            "http://localhost\\@evil.example/callback",
            "http://localhost\\.evil.example/",
            "http://localhost;evil.example/",
            "http://localhost%2eevil.example/",
            "http://127.0.0.2/callback",
            "http://127.1/callback",
            "http://2130706433/callback",
            "http://0.0.0.0/callback",
            "http://[::1/callback",
            "http://[::1]evil.example/callback",
            "http://[::ffff:127.0.0.1]/callback",
            "http://::1/callback",
            "http://192.168.1.20/callback",
            "http://localhost:/callback",
            "http://localhost:0/callback",
            "http://localhost:080/callback",
            "http://localhost:+80/callback",
            "http://localhost:65536/callback",
            "http://localhost:8080:80/callback",
            "http://localhost:80a/callback",
            "http://lоcalhost/callback",
            "https://localhost/callback",
            "https://claude.ai/",
            "https://claude.ai/api/mcp/auth_callback/",
            "https://claude.ai/api/mcp/auth_callback?x",
            "https://claude.ai/api/mcp/auth_callback#x",
            "https://claude.ai:443/api/mcp/auth_callback",
            "https://claude.ai:8443/api/mcp/auth_callback",
            "https://claude.ai.evil.example/api/mcp/auth_callback",
            "https://evil.example/?https://claude.ai/api/mcp/auth_callback",
            "https://user@claude.ai/api/mcp/auth_callback",
            "http://claude.ai/api/mcp/auth_callback",
        ] {
            assert!(parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn five_hundred_and_thirteen_bytes_are_too_long() {
        let start = "http://localhost/";
        let fits = format!("{start}{}", "a".repeat(limits::REDIRECT_URI_BYTES - start.len()));
        assert!(parse(&fits).is_ok());
        assert!(parse(&format!("{fits}a")).is_err());
        assert!(parse(&format!("{start}{}", "a".repeat(1 << 20))).is_err());
    }

    #[test]
    fn the_owners_list_opens_no_other_scheme() {
        assert!(RedirectUri::parse("javascript:alert(1)", &["javascript:alert(1)".to_owned()]).is_err());
        assert!(RedirectUri::parse("http://evil.example/", &["http://evil.example/".to_owned()]).is_err());
    }

    #[test]
    fn a_loopback_uri_is_registered_without_its_port_but_used_with_it() {
        for host in LOOPBACK {
            let one = parse(&format!("http://{host}:3335/oauth/callback?a=b")).unwrap();
            let other = parse(&format!("http://{host}/oauth/callback?a=b")).unwrap();
            assert_eq!(one.registered(), other.registered());
            assert_ne!(one.exact(), other.exact());
            assert_eq!(one.host(), format!("{host}:3335"));
            assert_eq!(one.origin(), format!("http://{host}:3335"));
            assert!(one.is_loopback());
        }
    }

    #[test]
    fn another_path_host_or_query_is_another_uri() {
        let registered = parse("http://localhost:1/callback").unwrap().registered();
        for other in [
            "http://localhost:1/callback/",
            "http://localhost:1/",
            "http://127.0.0.1:1/callback",
            "http://localhost:1/callback?a",
        ] {
            assert_ne!(parse(other).unwrap().registered(), registered, "{other}");
        }
    }

    #[test]
    fn a_listed_https_uri_is_allowed() {
        let uri = parse(CLAUDE).unwrap();
        assert_eq!((uri.host(), uri.origin(), uri.is_loopback()), ("claude.ai", "https://claude.ai", false));
        assert_eq!(uri.as_str(), CLAUDE);
    }

    #[test]
    fn parameters_are_added_to_the_query_that_is_there() {
        let with = |text: &str| parse(text).unwrap().with(&[("code", "x"), ("state", "a b&=+é")]);
        assert_eq!(with("http://localhost/cb"), "http://localhost/cb?code=x&state=a+b%26%3D%2B%C3%A9");
        assert_eq!(with("http://localhost/cb?"), "http://localhost/cb?code=x&state=a+b%26%3D%2B%C3%A9");
        assert_eq!(with("http://localhost/cb?a=%20"), "http://localhost/cb?a=%20&code=x&state=a+b%26%3D%2B%C3%A9");
    }
}
