//! The calendar, in UTC.

/// A date and a time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Date {
    pub(crate) year: u64,
    pub(crate) month: u64,
    pub(crate) day: u64,
    pub(crate) hour: u64,
    pub(crate) minute: u64,
    pub(crate) second: u64,
}

impl Date {
    /// That of so many seconds since 1970.
    pub(crate) fn of(unix: u64) -> Self {
        // Eras of 400 years that begin in March: the day that may be missing is the last one of its year.
        let days = unix / 86_400 + 719_468;
        let (era, of_era) = (days / 146_097, days % 146_097);
        let of_era_year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
        let of_year = of_era - (365 * of_era_year + of_era_year / 4 - of_era_year / 100);
        let from_march = (5 * of_year + 2) / 153;
        let day = of_year - (153 * from_march + 2) / 5 + 1;
        let (month, next) = if from_march < 10 { (from_march + 3, 0) } else { (from_march - 9, 1) };
        let year = era * 400 + of_era_year + next;
        Date { year, month, day, hour: unix / 3600 % 24, minute: unix / 60 % 60, second: unix % 60 }
    }

    /// As RFC 3339 has it, with so much behind the seconds: nothing, or a fraction of one.
    pub(crate) fn rfc3339(self, fraction: &str) -> String {
        let Date { year, month, day, hour, minute, second } = self;
        format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z")
    }
}

/// Days from 1970-01-01 to a date of the Gregorian calendar.
pub(crate) fn days(year: i64, month: i64, day: i64) -> i64 {
    // Years begin in March here, too.
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day - 719_469
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_a_date_and_a_time() {
        for (unix, shown) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_827_696, "2000-02-29T12:34:56Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"),
            (1_795_491_377, "2026-11-24T03:36:17Z"),
            (4_107_542_399, "2100-02-28T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"),
            (253_402_300_799, "9999-12-31T23:59:59Z"),
        ] {
            assert_eq!(Date::of(unix).rfc3339(""), shown);
        }
        assert_eq!(Date::of(1).rfc3339(".250"), "1970-01-01T00:00:01.250Z");
        assert!(Date::of(u64::MAX).year > 9999);
    }

    #[test]
    fn a_date_is_counted_in_days() {
        for (date, unix_days) in [
            ((1970, 1, 1), 0),
            ((1969, 12, 31), -1),
            ((2000, 2, 29), 11_016),
            ((2000, 3, 1), 11_017),
            ((2026, 11, 23), 20_780),
            ((2100, 3, 1), 47_541),
        ] {
            assert_eq!(days(date.0, date.1, date.2), unix_days, "{date:?}");
        }
        for day in (0..100_000).step_by(13) {
            let date = Date::of(day * 86_400);
            let [year, month, of_month] = [date.year, date.month, date.day].map(u64::cast_signed);
            assert_eq!(days(year, month, of_month), day.cast_signed());
        }
    }
}
