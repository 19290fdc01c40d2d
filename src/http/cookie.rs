//! The cookie that binds the forms of a sign-in to one browser.

use crate::http::reply::Reply;
use crate::oauth::Base;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// Binds the forms of a sign-in to the browser that opened the page.
const COOKIE_NAME: &str = "perchd";
/// The same over TLS: no page but ours can set one of this name, nor one of another host, nor one over plain HTTP (RFC 6265bis
/// 4.1.3.2).
const HOST_COOKIE_NAME: &str = "__Host-perchd";
/// Gives the browser our cookie.
pub(crate) fn set_cookie(base: &Base, mut reply: Reply, cookie: &str) -> Reply {
    let secure = if is_secure(base) { "; Secure" } else { "" };
    let cookie = format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict{secure}", cookie_name(base));
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        reply.headers_mut().insert(SET_COOKIE, cookie);
    }
    reply
}

/// The value of our cookie.
pub(crate) fn browser<'a>(base: &Base, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == cookie_name(base)).map(|(_, value)| value)
}

fn cookie_name(base: &Base) -> &'static str {
    if is_secure(base) { HOST_COOKIE_NAME } else { COOKIE_NAME }
}

/// Whether the browser came over TLS, to us or to a proxy.
fn is_secure(base: &Base) -> bool {
    base.origin.starts_with("https://")
}
