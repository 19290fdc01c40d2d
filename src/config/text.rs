//! Texts that mean something: addresses, names and origins.

use std::net::{IpAddr, SocketAddr};

/// An address with its port; `localhost` stands for 127.0.0.1.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let numeric = text.strip_prefix("localhost:").map_or_else(|| text.to_owned(), |port| format!("127.0.0.1:{port}"));
    numeric.parse().map_err(|_| format!("`{text}` is no address with a port, such as \"0.0.0.0:8787\" or \"[::]:8787\""))
}

/// The name of a host, or its address; without a port.
pub(super) fn host(text: &str) -> Result<String, String> {
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
            && !label.starts_with('-')
    };
    let is_name = text.len() <= 253 && text.split('.').all(is_label);
    if text.parse::<IpAddr>().is_ok() || is_name {
        return Ok(text.to_ascii_lowercase());
    }
    Err(format!("`{text}` is no name of a host or address, such as \"greenhouse.local\" (without scheme and port)"))
}

/// An origin: scheme, host and perhaps a port. One that is not https is good for this machine alone.
pub(super) fn origin(text: &str) -> Result<String, String> {
    let fault = |why: &str| Err(format!("`{text}` {why}, such as \"https://board.example.org\""));
    let trimmed = text.strip_suffix('/').unwrap_or(text);
    let Some((scheme, authority)) = trimmed.split_once("://") else { return fault("is no origin") };
    let name = match authority.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.parse::<u16>().is_ok() => name,
        Some((_, _)) if !authority.ends_with(']') => return fault("has a port that is none; write a full origin"),
        _ => authority,
    };
    let bare = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    if host(bare).is_err() {
        return fault("is no origin: scheme, host and perhaps a port");
    }
    match scheme {
        "https" => Ok(trimmed.to_ascii_lowercase()),
        "http" if matches!(bare, "localhost" | "127.0.0.1" | "::1") => Ok(trimmed.to_ascii_lowercase()),
        _ => fault("must begin with https://"),
    }
}

/// A time within these bounds, such as `1h`, in seconds.
pub(super) fn secs(text: &str, least: u64, most: u64) -> Result<u64, String> {
    const UNITS: [(&str, u64); 3] = [("min", 60), ("h", 3600), ("d", 24 * 3600)];
    let parsed = UNITS.iter().find_map(|(unit, secs)| {
        let number = text.strip_suffix(unit)?.trim_end_matches(' ');
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(*secs)
    });
    parsed.filter(|secs| (least..=most).contains(secs)).ok_or_else(|| {
        let spoken = |secs: u64| {
            let unit = UNITS.iter().rev().find(|(_, unit)| secs >= *unit && secs.is_multiple_of(*unit)).unwrap_or(&UNITS[0]);
            format!("\"{}{}\"", secs / unit.1, unit.0)
        };
        format!("`{text}` is no time from {} to {}", spoken(least), spoken(most))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_a_port() {
        assert_eq!(address("localhost:1").unwrap(), SocketAddr::from(([127, 0, 0, 1], 1)));
        assert!(address("[::]:8787").is_ok());
        for text in ["", "8787", ":8787", "0.0.0.0", "0.0.0.0:99999", "pi.local:8787", "::1:8787"] {
            let told = address(text).unwrap_err();
            assert!(text == ":8787" || told.contains("0.0.0.0:8787"), "{told}");
        }
    }

    #[test]
    fn a_host_has_neither_scheme_nor_port() {
        assert_eq!(host("Greenhouse.LOCAL").unwrap(), "greenhouse.local");
        for text in ["192.168.1.20", "fd00::1", "pi", "my_pi", "a.b.c"] {
            assert!(host(text).is_ok(), "{text}");
        }
        for text in ["", "http://pi", "pi:8787", "pi/", "a..b", "-pi", "a b", "pi\"", &"a".repeat(64), "*.local"] {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_time_is_within_its_bounds() {
        let secs = |text: &str| secs(text, 600, 24 * 3600);
        for text in ["", "h", "1", "-1h", "+1h", "1.5h", "9min", "25h", "2d", "1w", "1 h ", "3600s", "99999999999999999999d"] {
            assert_eq!(secs(text), Err(format!("`{text}` is no time from \"10min\" to \"1d\"")));
        }
        assert_eq!(["10min", "1h", "1 h", "1d"].map(secs), [600, 3600, 3600, 86400].map(Ok));
    }

    #[test]
    fn an_origin_is_https_unless_it_is_this_machine() {
        assert_eq!(origin("https://Board.example.org/").unwrap(), "https://board.example.org");
        for text in ["https://a.example:8443", "http://localhost:3000", "http://[::1]:1", "https://[fd00::1]:8787"] {
            assert!(origin(text).is_ok(), "{text}");
        }
        for text in
            ["http://a.example", "a.example", "https://", "https://a/b", "https://a:99999", "https://a:", "ftp://a", "null"]
        {
            assert!(origin(text).is_err(), "{text}");
        }
    }
}
