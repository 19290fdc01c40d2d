//! Whether a form comes from our own page (RFC 6454; Fetch Metadata).

use super::Base;

impl Base {
    /// Whether a browser sent a form from a page of this origin: `origin` and `fetch_site` are the headers `Origin` and
    /// `Sec-Fetch-Site`.
    ///
    /// Browsers name the origin with every form, but `null` from a page with `Referrer-Policy: no-referrer`. Then, and
    /// where it is absent, only `Sec-Fetch-Site` can vouch for it, which browsers send to https and loopback alone; a page
    /// that is also to work on http in a LAN says `Referrer-Policy: same-origin`.
    pub fn is_own_form(&self, origin: Option<&[u8]>, fetch_site: Option<&[u8]>) -> bool {
        let is_same_site = fetch_site.map(|site| site == b"same-origin");
        match origin {
            None | Some(b"null") => is_same_site == Some(true),
            Some(origin) => origin == self.origin.as_bytes() && is_same_site != Some(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_own(origin: Option<&str>, fetch_site: Option<&str>) -> bool {
        Base::new("http://localhost:8787").is_own_form(origin.map(str::as_bytes), fetch_site.map(str::as_bytes))
    }

    #[test]
    fn a_form_of_another_page_is_refused() {
        for origin in ["https://evil.example", "http://localhost", "http://localhost:87870", "http://127.0.0.1:8787", ""] {
            assert!(!is_own(Some(origin), None), "{origin}");
            assert!(!is_own(Some(origin), Some("same-origin")), "{origin}");
        }
        for site in ["cross-site", "same-site", "none", ""] {
            assert!(!is_own(Some("http://localhost:8787"), Some(site)), "{site}");
            assert!(!is_own(None, Some(site)), "{site}");
        }
    }

    #[test]
    fn a_form_of_which_nobody_knows_where_it_comes_from_is_refused() {
        assert!(!is_own(None, None));
        assert!(!is_own(Some("null"), None));
        assert!(!is_own(Some("null"), Some("cross-site")));
    }

    #[test]
    fn a_form_of_our_own_page_is_taken() {
        assert!(is_own(Some("http://localhost:8787"), Some("same-origin")));
        assert!(is_own(Some("http://localhost:8787"), None));
        assert!(is_own(Some("null"), Some("same-origin")));
        assert!(is_own(None, Some("same-origin")));
    }
}
