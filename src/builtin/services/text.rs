//! Texts and times of systemd, as a client sees them.

use crate::date::Date;

/// The beginning of a text, without control characters but line breaks and tabs, and whether there was more.
///
/// What stands in a journal was written by whoever talks to a service: on a terminal, such characters act.
pub(super) fn bounded(text: &str, most_bytes: usize) -> (String, bool) {
    let mut kept = String::new();
    for c in text.chars() {
        let c = if c.is_control() && !matches!(c, '\n' | '\t') { char::REPLACEMENT_CHARACTER } else { c };
        if kept.len() + c.len_utf8() > most_bytes {
            return (kept, true);
        }
        kept.push(c);
    }
    (kept, false)
}

/// A time as systemd prints it where the zone is UTC, `Tue 2026-11-24 03:36:17 UTC`, as RFC 3339 has it.
pub(super) fn date(printed: &str) -> Option<String> {
    let mut words = printed.split(' ').skip(1);
    let (day, time) = (words.next()?, words.next()?);
    let fits = |text: &str, form: &str| {
        text.len() == form.len()
            && text
                .bytes()
                .zip(form.bytes())
                .all(|(byte, wanted)| if wanted == b'0' { byte.is_ascii_digit() } else { byte == wanted })
    };
    let is_good = fits(day, "0000-00-00") && fits(time, "00:00:00") && words.next() == Some("UTC");
    is_good.then(|| format!("{day}T{time}Z"))
}

/// A time of the journal, in microseconds since 1970, as RFC 3339 has it.
pub(super) fn moment(micros: u64) -> String {
    let millis = micros / 1000 % 1000;
    Date::of(micros / 1_000_000).rfc3339(&format!(".{millis:03}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_is_none() {
        for printed in [
            "",
            "n/a",
            "0",
            "Tue 2026-11-24 03:36:17 CET",
            "Tue 2026-11-24",
            "2026-11-24 03:36:17 UTC",
            "Tue 2026-1-24 03:36:17 UTC",
            "Tue 2026-11-24 03:36:1x UTC",
        ] {
            assert_eq!(date(printed), None, "{printed}");
        }
        assert_eq!(date("Tue 2026-11-24 03:36:17 UTC").unwrap(), "2026-11-24T03:36:17Z");
    }

    #[test]
    fn a_moment_is_a_date_and_a_time() {
        for (micros, shown) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000Z"),
            (1_709_164_799_999_999, "2024-02-28T23:59:59.999Z"),
            (1_709_251_200_000_000, "2024-03-01T00:00:00.000Z"),
            (1_795_491_377_123_456, "2026-11-24T03:36:17.123Z"),
            (4_107_542_400_000_000, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(moment(micros), shown);
        }
        assert!(moment(u64::MAX).ends_with('Z'));
    }

    #[test]
    fn a_text_is_cut_between_characters() {
        assert_eq!(bounded("äöü", 5), ("äö".to_owned(), true));
        assert_eq!(bounded("äöü", 6), ("äöü".to_owned(), false));
        assert_eq!(bounded("a\tb\nc\u{1b}[2J\0\u{9b}", 99).0, "a\tb\nc\u{fffd}[2J\u{fffd}\u{fffd}");
    }
}
