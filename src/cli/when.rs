//! Times and spans, as people write and read them.

use crate::date::Date;
use std::fmt::Write;

/// `90d`, `12h`, `30m`, `45s` in seconds; a bare number is seconds.
pub(super) fn span(text: &str) -> Option<u64> {
    let split = text.len() - usize::from(text.ends_with(['s', 'm', 'h', 'd']));
    let (number, unit) = text.split_at(split);
    let secs = match unit {
        "d" => 24 * 3600,
        "h" => 3600,
        "m" => 60,
        _ => 1,
    };
    let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    number.parse::<u64>().ok().filter(|_| is_number)?.checked_mul(secs)
}

/// Seconds in the one or two units that matter.
pub(super) fn spoken(secs: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(24 * 3600, "day"), (3600, "hour"), (60, "minute"), (1, "second")];
    let first = UNITS.iter().position(|(unit, _)| secs >= *unit).unwrap_or(3);
    let mut text = String::new();
    let mut rest = secs;
    for (unit, name) in UNITS.iter().skip(first).take(2) {
        let count = rest / unit;
        rest %= unit;
        if count > 0 || (text.is_empty() && *unit == 1) {
            let (comma, plural) = (if text.is_empty() { "" } else { ", " }, if count == 1 { "" } else { "s" });
            // Writing to a String does not fail.
            let _ = write!(text, "{comma}{count} {name}{plural}");
        }
    }
    text
}

/// A moment, in UTC, to the minute.
pub(super) fn date(unix: u64) -> String {
    let Date { year, month, day, hour, minute, .. } = Date::of(unix);
    format!("{year}-{month:02}-{day:02} {hour:02}:{minute:02} UTC")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_span_is_none() {
        for text in ["", "d", "1w", "-1d", "+1d", "1.5h", "1 d", "d1", "99999999999999999999", "999999999999999999d"] {
            assert_eq!(span(text), None, "{text}");
        }
        assert_eq!(["90d", "12h", "30m", "45s", "7"].map(span), [7_776_000, 43_200, 1800, 45, 7].map(Some));
    }

    #[test]
    fn a_span_is_spoken_in_the_units_that_matter() {
        let said = [0, 1, 59, 60, 300, 3661, 7_776_000, 90_061].map(spoken);
        let meant =
            ["0 seconds", "1 second", "59 seconds", "1 minute", "5 minutes", "1 hour, 1 minute", "90 days", "1 day, 1 hour"];
        assert_eq!(said, meant);
    }

    #[test]
    fn a_date_is_that_of_the_calendar() {
        for (unix, meant) in [
            (0, "1970-01-01 00:00 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (1_795_392_000, "2026-11-23 00:00 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
        ] {
            assert_eq!(date(unix), meant);
        }
    }
}
