//! Times, sizes and paces, as people write them.

use crate::config::declared::Rate;
use crate::limits;
use std::time::Duration;

/// A time, such as `20s`.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let parsed = parts(text).and_then(|(number, unit)| {
        let ms = match unit {
            "ms" => 1,
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            _ => return None,
        };
        Some(Duration::from_millis(number.checked_mul(ms)?))
    });
    let most = Duration::from_secs(limits::COMMAND_SECS);
    parsed.filter(|time| !time.is_zero() && *time <= most).ok_or_else(|| {
        let hours = limits::COMMAND_SECS / 3600;
        format!("`{text}` is no time of at most {hours} h, such as \"500ms\", \"20s\" or \"5min\"")
    })
}

/// A size, such as `64 KiB`.
pub(super) fn size(text: &str) -> Result<usize, String> {
    let parsed = parts(text).and_then(|(number, unit)| {
        let bytes = match unit {
            "B" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return None,
        };
        usize::try_from(number.checked_mul(bytes)?).ok()
    });
    parsed.filter(|bytes| (1..=limits::OUTPUT_BYTES_MAX).contains(bytes)).ok_or_else(|| {
        let most = limits::OUTPUT_BYTES_MAX / 1024 / 1024;
        format!("`{text}` is no size of at most {most} MiB, such as \"64 KiB\" or \"2 MiB\"")
    })
}

/// A pace, such as `6/min`.
pub(super) fn rate(text: &str) -> Result<Rate, String> {
    let parsed = text.split_once('/').and_then(|(count, per)| {
        let per_ms = match per.trim() {
            "s" => 1000,
            "min" => 60_000,
            "h" => 3_600_000,
            "day" => 86_400_000,
            _ => return None,
        };
        let count = count.trim().parse().ok().filter(|count| (1..=1000).contains(count))?;
        Some(Rate { count, per_ms })
    });
    parsed.ok_or_else(|| format!("`{text}` is no pace of 1 to 1000 calls, such as \"6/min\", \"1/s\", \"10/h\" or \"3/day\""))
}

/// A number and its unit.
fn parts(text: &str) -> Option<(u64, &str)> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    Some((text[..digits].parse().ok()?, text[digits..].trim_start_matches(' ')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_time_size_or_pace_is_refused_with_an_example() {
        for text in ["", "20", "s", "0s", "-1s", "1.5s", "20 S", "25h", "99999999999999999999s", "18446744073709551615h", "1s2"] {
            assert!(time(text).unwrap_err().contains("20s"), "{text}");
        }
        for text in ["", "64", "0 B", "64 KB", "64 kib", "5 MiB", "-1 B", "18446744073709551615 MiB"] {
            assert!(size(text).unwrap_err().contains("64 KiB"), "{text}");
        }
        for text in ["", "6", "6/", "/min", "0/min", "6/week", "1001/s", "-1/s", "1.5/s"] {
            assert!(rate(text).unwrap_err().contains("6/min"), "{text}");
        }
    }

    #[test]
    fn times_sizes_and_paces_are_read() {
        assert_eq!(time("500ms").unwrap(), Duration::from_millis(500));
        assert_eq!(time("20 s").unwrap(), Duration::from_secs(20));
        assert_eq!(time("24h").unwrap(), Duration::from_secs(86_400));
        assert_eq!(size("64KiB").unwrap(), 65_536);
        assert_eq!(size("4 MiB").unwrap(), limits::OUTPUT_BYTES_MAX);
        assert_eq!(rate("6/min").unwrap(), Rate { count: 6, per_ms: 60_000 });
        assert_eq!(rate("1 / day").unwrap(), Rate { count: 1, per_ms: 86_400_000 });
    }
}
