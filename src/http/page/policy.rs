//! What a browser lets our pages do: show one style sheet, and send forms to where they belong.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::digest::{SHA256, digest};

/// The style sheet that every page carries, byte for byte.
pub(super) const STYLE: &str = include_str!("style.css");

/// The script of the home page, byte for byte.
pub(super) const SCRIPT: &str = include_str!("home.js");

/// The policy of the home page: it runs that script, which asks this server and nobody else.
pub(crate) fn live_policy() -> String {
    format!("{}; script-src 'sha256-{}'; connect-src 'self'", content_security_policy(None), hash(SCRIPT))
}

fn hash(text: &str) -> String {
    STANDARD.encode(digest(&SHA256, text.as_bytes()))
}

/// The `Content-Security-Policy` of a page whose forms lead to this server, and through a redirect of it to the origin
/// `redirect`, such as `http://localhost:3335`: Chromium asks `form-action` about the redirect as well.
pub(crate) fn content_security_policy(redirect: Option<&str>) -> String {
    let style = hash(STYLE);
    let form = redirect.and_then(source).map(|source| format!(" {source}")).unwrap_or_default();
    format!(
        "default-src 'none'; style-src 'sha256-{style}'; img-src data:; base-uri 'none'; frame-ancestors 'none'; \
         form-action 'self'{form}"
    )
}

/// An origin as a policy can name it; `None` where it would say something else there (CSP 3, 2.3.1).
fn source(origin: &str) -> Option<&str> {
    let (scheme, host) = origin.split_once("://")?;
    if !matches!(scheme, "http" | "https") {
        return None;
    }
    // No policy can name an IPv6 address: its scheme has to do.
    if host.starts_with('[') {
        return origin.get(..=scheme.len());
    }
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':');
    (!host.is_empty() && host.bytes().all(is_plain)).then_some(origin)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form_action(redirect: &str) -> String {
        content_security_policy(Some(redirect)).rsplit("; ").next().unwrap().to_owned()
    }

    #[test]
    fn an_origin_that_would_say_more_is_left_out() {
        for origin in
            ["", "localhost", "http://", "http://a; script-src *", "http://a b", "http://*", "javascript://a", "http://a/b"]
        {
            assert_eq!(form_action(origin), "form-action 'self'", "{origin}");
        }
    }

    #[test]
    fn the_home_page_runs_its_script_and_asks_its_own_server() {
        let policy = live_policy();
        let added = policy.strip_prefix(&content_security_policy(None)).unwrap();
        assert!(added.starts_with("; script-src 'sha256-") && added.ends_with("'; connect-src 'self'"), "{policy}");
        assert_eq!(added.matches("sha256-").count(), 1);
    }

    #[test]
    fn forms_may_lead_to_the_client() {
        assert_eq!(form_action("http://localhost:3335"), "form-action 'self' http://localhost:3335");
        assert_eq!(form_action("https://claude.ai"), "form-action 'self' https://claude.ai");
        assert_eq!(form_action("http://[::1]:3335"), "form-action 'self' http:");
    }

    #[test]
    fn nothing_but_our_style_is_allowed() {
        let policy = content_security_policy(None);
        assert!(policy.starts_with("default-src 'none'; style-src 'sha256-"), "{policy}");
        assert!(policy.ends_with("; img-src data:; base-uri 'none'; frame-ancestors 'none'; form-action 'self'"), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("script"), "{policy}");
    }
}
