//! INTERNALDATE and days (RFC 3501 section 2.3.3): seconds since 1970 UTC to text and back to days. Keeps no time zone: what we
//! write is always `+0000`.

use crate::wire::MONTHS;
pub(super) use crate::wire::{DAY, civil};

/// The day's number, counted from 1970-01-01; `None` if there is no such day.
fn day_number(year: i64, month: u8, day: u8) -> Option<i64> {
    let (year_from_march, month_from_march) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let era = year_from_march.div_euclid(400);
    let year_of_era = year_from_march.rem_euclid(400);
    let day_of_year = (153 * i64::from(month_from_march) + 2) / 5 + i64::from(day) - 1;
    let days = era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468;
    // The 31st of a short month comes out as another day.
    (day > 0 && civil(days) == (year, month, day)).then_some(days)
}

/// `1-Feb-2026`, `01-Feb-2026` as days since 1970-01-01 (RFC 3501 section 9, date).
pub(super) fn parse_day(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?;
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() || !(1..=2).contains(&day.len()) || year.len() != 4 {
        return None;
    }
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month.as_bytes()))? + 1;
    day_number(digits(year)?, month as u8, digits(day)? as u8)
}

fn digits(text: &str) -> Option<i64> {
    if text.bytes().all(|byte| byte.is_ascii_digit()) { text.parse().ok() } else { None }
}

/// `dd-Mon-yyyy hh:mm:ss +zzzz`, the day with a space or 0 before a single digit, as seconds since 1970 UTC (RFC 3501 section 9,
/// date-time).
pub(super) fn parse_time(text: &[u8]) -> Option<i64> {
    let text = std::str::from_utf8(text).ok()?.trim_start_matches(' ');
    let mut parts = text.split(' ');
    let (day, time, zone) = (parts.next()?, parts.next()?, parts.next()?);
    let [hour, minute, second] = <[&str; 3]>::try_from(time.split(':').collect::<Vec<_>>()).ok()?;
    let (hour, minute, second) = (two_digits(hour, 23)?, two_digits(minute, 59)?, two_digits(second, 60)?);
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let (zone_hours, zone_minutes) = (two_digits(zone.get(1..3)?, 99)?, two_digits(zone.get(3..)?, 59)?);
    let offset = sign * (zone_hours * 3600 + zone_minutes * 60);
    parts.next().is_none().then_some(())?;
    Some(parse_day(day.as_bytes())? * DAY + hour * 3600 + minute * 60 + second - offset)
}

/// `2026-11-24T03:50:48Z`, also with parts of a second and `+08:00` (RFC 3339 section 5.6), as whole seconds since 1970 UTC.
pub(super) fn parse_rfc3339(text: &str) -> Option<i64> {
    let (day, time) = text.split_once(['T', 't'])?;
    let [year, month, day] = <[&str; 3]>::try_from(day.split('-').collect::<Vec<_>>()).ok()?;
    let year = digits(year).filter(|_| year.len() == 4)?;
    let day = day_number(year, two_digits(month, 12).filter(|month| *month > 0)? as u8, two_digits(day, 31)? as u8)?;
    let zone_at = time.find(['Z', 'z', '+', '-'])?;
    let (time, zone) = time.split_at(zone_at);
    let (time, fraction) = time.split_once('.').unwrap_or((time, "0"));
    digits(fraction).filter(|_| !fraction.is_empty() && fraction.len() <= 9)?;
    let [hour, minute, second] = <[&str; 3]>::try_from(time.split(':').collect::<Vec<_>>()).ok()?;
    let seconds = two_digits(hour, 23)? * 3600 + two_digits(minute, 59)? * 60 + two_digits(second, 60)?;
    let offset = match zone.as_bytes().first()? {
        b'Z' | b'z' if zone.len() == 1 => 0,
        sign @ (b'+' | b'-') => {
            let (hours, minutes) = zone[1..].split_once(':')?;
            let offset = two_digits(hours, 23)? * 3600 + two_digits(minutes, 59)? * 60;
            if *sign == b'+' { offset } else { -offset }
        }
        _ => return None,
    };
    Some(day * DAY + seconds - offset)
}

fn two_digits(text: &str, max: i64) -> Option<i64> {
    digits(text).filter(|number| text.len() == 2 && *number <= max)
}

/// `"dd-Mon-yyyy hh:mm:ss +0000"` with its quotes. Times that no four-digit year can hold are shown as the nearest that one can.
pub(super) fn internal_date(out: &mut Vec<u8>, seconds: i64) {
    // 0000-01-01 and 9999-12-31 23:59:59.
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let second = seconds.rem_euclid(DAY) as u32;
    let year = year as u32;
    let two = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    let mut text = *b"\"00-Jan-0000 00:00:00 +0000\"";
    text[1] = if day < 10 { b' ' } else { b'0' + day / 10 };
    text[2] = b'0' + day % 10;
    text[4..7].copy_from_slice(MONTHS[usize::from(month - 1)]);
    text[8..10].copy_from_slice(&two(year / 100));
    text[10..12].copy_from_slice(&two(year % 100));
    text[13..15].copy_from_slice(&two(second / 3600));
    text[16..18].copy_from_slice(&two(second / 60 % 60));
    text[19..21].copy_from_slice(&two(second % 60));
    out.extend_from_slice(&text);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_internet() {
        for (text, seconds) in [
            ("2026-11-24T03:50:48Z", 1_795_492_248),
            ("2026-11-24t11:50:48.25+08:00", 1_795_492_248),
            ("2026-11-23T22:20:48-05:30", 1_795_492_248),
            ("1970-01-01T00:00:00z", 0),
        ] {
            assert_eq!(parse_rfc3339(text), Some(seconds), "{text}");
        }
        for bad in [
            "",
            "2026-11-24",
            "2026-11-24T03:50:48",
            "2026-02-30T00:00:00Z",
            "2026-00-01T00:00:00Z",
            "26-11-24T03:50:48Z",
            "2026-11-24T24:00:00Z",
            "2026-11-24T03:50Z",
            "2026-11-24T03:50:48+0800",
            "2026-11-24T03:50:48.Z",
            "2026-11-24T03:50:48Zx",
            "2026-11-24T03:50:48+\u{e9}:00",
        ] {
            assert_eq!(parse_rfc3339(bad), None, "{bad}");
        }
    }

    fn shown(seconds: i64) -> String {
        let mut out = Vec::new();
        internal_date(&mut out, seconds);
        String::from_utf8(out).expect("ASCII is written")
    }

    #[test]
    fn days_and_times_are_read() {
        assert_eq!(parse_day(b"1-Jan-1970"), Some(0));
        assert_eq!(parse_day(b"29-feb-2000"), Some(11_016));
        assert_eq!(parse_time(b"24-Nov-2026 05:50:48 +0200"), Some(1_795_492_248));
        assert_eq!(parse_time(b" 1-Jan-1970 00:00:00 -0130"), Some(5400));
        for text in
            ["31-Apr-2020", "0-Jan-2020", "29-Feb-2001", "1-Foo-2020", "1-Jan-20", "001-Jan-2020", "+1-Jan-2020"]
        {
            assert_eq!(parse_day(text.as_bytes()), None, "{text}");
        }
        for text in [
            "1-Jan-2020 24:00:00 +0000",
            "1-Jan-2020 00:00 +0000",
            "1-Jan-2020 00:00:00 0000",
            "1-Jan-2020 1:00:00 +0000",
        ] {
            assert_eq!(parse_time(text.as_bytes()), None, "{text}");
        }
        for day in (-200_000..200_000).step_by(37) {
            let (year, month, of_month) = civil(day);
            assert_eq!(day_number(year, month, of_month), Some(day));
        }
    }

    #[test]
    fn known_dates() {
        assert_eq!(shown(0), "\" 1-Jan-1970 00:00:00 +0000\"");
        assert_eq!(shown(951_782_400), "\"29-Feb-2000 00:00:00 +0000\"");
        assert_eq!(shown(1_795_492_248), "\"24-Nov-2026 03:50:48 +0000\"");
        assert_eq!(shown(-1), "\"31-Dec-1969 23:59:59 +0000\"");
        assert_eq!(shown(i64::MAX), "\"31-Dec-9999 23:59:59 +0000\"");
        assert_eq!(shown(i64::MIN), "\" 1-Jan-0000 00:00:00 +0000\"");
    }
}
