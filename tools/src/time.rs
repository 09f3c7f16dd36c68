//! Points in time for people and in files. UTC only, no time zones.

/// `2026-11-24T04:30:00Z` for seconds since 1970-01-01 UTC (RFC 3339).
pub fn rfc3339(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    format!("{year:04}-{month:02}-{date:02}T{:02}:{:02}:{:02}Z", second / 3600, second / 60 % 60, second % 60)
}

/// `Tue Nov 24 04:30:00 2026` for seconds since 1970-01-01 UTC, as C's `asctime` and mbox have it.
pub fn asctime(seconds: i64) -> String {
    let (day, second) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let (year, month, date) = civil(day);
    // 1970-01-01 was a Thursday.
    let weekday = ["Thu", "Fri", "Sat", "Sun", "Mon", "Tue", "Wed"][day.rem_euclid(7) as usize];
    let month = MONTHS[(month - 1) as usize];
    format!("{weekday} {month} {date:>2} {:02}:{:02}:{:02} {year:04}", second / 3600, second / 60 % 60, second % 60)
}

/// The months as mail and C write them.
pub const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// Seconds since 1970-01-01 UTC of what `rfc3339` writes.
pub fn parse_rfc3339(text: &str) -> Option<i64> {
    let (date, time) = text.strip_suffix('Z')?.split_once('T')?;
    let (date, sign) = date.strip_prefix('-').map_or((date, 1), |date| (date, -1));
    let mut date = date.splitn(3, '-').map(|part| part.parse::<i64>().ok());
    let mut time = time.splitn(3, ':').map(|part| part.parse::<i64>().ok());
    let (year, month, day) = (date.next()?? * sign, date.next()??, date.next()??);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    seconds_of((year, month, day), (hour, minute, second))
}

/// Seconds since 1970-01-01 UTC of a day (its beginning) or of what `rfc3339` writes.
pub fn parse_day_or_rfc3339(text: &str) -> Option<i64> {
    parse_rfc3339(text).or_else(|| parse_rfc3339(&format!("{text}T00:00:00Z")))
}

/// Seconds since 1970-01-01 UTC of a date (year, month, day) and a time; `None` if there is no such date.
pub fn seconds_of((year, month, day): (i64, i64, i64), (hour, minute, second): (i64, i64, i64)) -> Option<i64> {
    let fits = (-9999..=9999).contains(&year)
        && (0..24).contains(&hour)
        && (0..60).contains(&minute)
        && (0..=60).contains(&second);
    if !fits || !(1..=12).contains(&month) || !(1..=31).contains(&day) {
        return None;
    }
    let number = day_number(year, month, day);
    // The 31st of a month of 30 days comes out as another day.
    (civil(number) == (year, month, day)).then_some(number * 86_400 + hour * 3600 + minute * 60 + second)
}

/// The inverse of `civil`.
fn day_number(year: i64, month: i64, day: i64) -> i64 {
    let year = year - i64::from(month <= 2);
    let (era, year_of_era) = (year.div_euclid(400), year.rem_euclid(400));
    let of_year = (153 * (month + if month > 2 { -3 } else { 9 }) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + of_year - 719_468
}

/// Year, month and day of a day counted from 1970-01-01, in the proleptic Gregorian calendar. Counts years from March, so that the leap
/// day is the last one.
fn civil(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468;
    let era = day.div_euclid(146_097);
    let of_era = day.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let march_month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * march_month + 2) / 5 + 1;
    let month = if march_month < 10 { march_month + 3 } else { march_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, date)
}

#[cfg(test)]
mod tests {
    use super::{asctime, parse_rfc3339, rfc3339, seconds_of};

    #[test]
    fn known_days() {
        for (seconds, told) in [
            (0, "1970-01-01T00:00:00Z"),
            (951_782_399, "2000-02-28T23:59:59Z"),
            (951_782_400, "2000-02-29T00:00:00Z"),
            (1_795_496_400, "2026-11-24T05:00:00Z"),
            (-1, "1969-12-31T23:59:59Z"),
        ] {
            assert_eq!(rfc3339(seconds), told);
            assert_eq!(parse_rfc3339(told), Some(seconds));
        }
        assert_eq!(asctime(0), "Thu Jan  1 00:00:00 1970");
        assert_eq!(asctime(1_795_496_400), "Tue Nov 24 05:00:00 2026");
    }

    #[test]
    fn every_day_comes_back_and_no_other_is_taken() {
        for day in (-800_000..800_000).step_by(97) {
            assert_eq!(parse_rfc3339(&rfc3339(day * 86_400 + 5)), Some(day * 86_400 + 5));
        }
        assert_eq!(seconds_of((2023, 2, 29), (0, 0, 0)), None);
        for text in ["2024-13-01T00:00:00Z", "2024-01-01", "2024-01-01T24:00:00Z", "", "Z", "9999999999999-1-1T0:0:0Z"]
        {
            assert_eq!(parse_rfc3339(text), None, "{text}");
        }
    }
}
