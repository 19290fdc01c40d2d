//! Any text as a redirect URI: what passes leads to this computer, or is on the owner's list to the byte.
#![no_main]

use libfuzzer_sys::fuzz_target;
use perchd::oauth::{REDIRECT_URIS, RedirectUri};

fuzz_target!(|text: &str| {
    let allowed = REDIRECT_URIS.map(str::to_owned);
    let Ok(uri) = RedirectUri::parse(text, &allowed) else { return };
    assert_eq!(uri.as_str(), text);
    assert!(text.len() <= perchd::limits::REDIRECT_URI_BYTES);
    assert!(text.bytes().all(|byte| byte.is_ascii_graphic() && !b"\\#<>\"".contains(&byte)), "{text}");
    if allowed.iter().any(|allowed| allowed == text) {
        return assert!(!uri.is_loopback());
    }
    // Where a browser goes: whatever is between the scheme and what ends the authority, a name in front of an @ not counted.
    let rest = text.strip_prefix("http://").expect("nothing but http");
    let authority = &rest[..rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len())];
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    let bare = host.rsplit_once(':').filter(|(_, port)| !port.contains(']')).map_or(host, |(name, port)| {
        assert!(port.parse::<u16>().is_ok_and(|port| port > 0), "{text}");
        name
    });
    assert!(matches!(bare, "localhost" | "127.0.0.1" | "[::1]") && uri.is_loopback() && !authority.contains('@'), "{text}");
    assert_eq!((uri.host(), uri.origin()), (authority, format!("http://{authority}").as_str()));
});
