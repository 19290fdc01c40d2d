//! The cookie that binds the forms of a sign-in to one browser.

use crate::http::reply::Reply;
use crate::limits;
use crate::oauth::Base;
use hyper::header::{COOKIE, HeaderMap, HeaderValue, SET_COOKIE};

/// Binds the forms of a sign-in to the browser that opened the page.
const COOKIE_NAME: &str = "perchd";
/// The same over TLS: no page but ours can set one of this name, nor one of another host, nor one over plain HTTP (RFC 6265bis
/// 4.1.3.2).
const HOST_COOKIE_NAME: &str = "__Host-perchd";
/// The sign-in of somebody who approves what assistants want to run.
const APPROVER_NAME: &str = "perchd-approver";
const HOST_APPROVER_NAME: &str = "__Host-perchd-approver";

/// Gives the browser our cookie.
pub(crate) fn set_cookie(base: &Base, reply: Reply, cookie: &str) -> Reply {
    set(base, reply, &format!("{}={cookie}; Path=/; HttpOnly; SameSite=Strict", cookie_name(base)))
}

/// Gives the browser its sign-in. It is `Lax`, as a client sends people to the page by a link, which must find them signed in;
/// a form of another site still comes without it.
pub(crate) fn set_approver(base: &Base, reply: Reply, cookie: &str) -> Reply {
    let age = limits::APPROVER_SECS;
    set(base, reply, &format!("{}={cookie}; Path=/; HttpOnly; SameSite=Lax; Max-Age={age}", approver_name(base)))
}

/// Takes it away.
pub(crate) fn drop_approver(base: &Base, reply: Reply) -> Reply {
    set(base, reply, &format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0", approver_name(base)))
}

fn set(base: &Base, mut reply: Reply, cookie: &str) -> Reply {
    let secure = if is_secure(base) { "; Secure" } else { "" };
    let cookie = format!("{cookie}{secure}");
    if let Ok(cookie) = HeaderValue::from_str(&cookie) {
        reply.headers_mut().insert(SET_COOKIE, cookie);
    }
    reply
}

/// The value of our cookie.
pub(crate) fn browser<'a>(base: &Base, headers: &'a HeaderMap) -> Option<&'a str> {
    named(cookie_name(base), headers)
}

/// The value of the sign-in.
pub(crate) fn approver_cookie<'a>(base: &Base, headers: &'a HeaderMap) -> Option<&'a str> {
    named(approver_name(base), headers)
}

fn named<'a>(wanted: &str, headers: &'a HeaderMap) -> Option<&'a str> {
    let cookies = headers.get_all(COOKIE).iter().filter_map(|cookies| cookies.to_str().ok());
    let mut pairs = cookies.flat_map(|cookies| cookies.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(name, _)| *name == wanted).map(|(_, value)| value)
}

fn cookie_name(base: &Base) -> &'static str {
    if is_secure(base) { HOST_COOKIE_NAME } else { COOKIE_NAME }
}

fn approver_name(base: &Base) -> &'static str {
    if is_secure(base) { HOST_APPROVER_NAME } else { APPROVER_NAME }
}

/// Whether the browser came over TLS, to us or to a proxy.
fn is_secure(base: &Base) -> bool {
    base.origin.starts_with("https://")
}
