//! Dates as mail writes them: seconds since 1970 UTC to days, and to the date-time of a header field. Keeps no time zone: what we write is
//! always `+0000`.

/// Names of the months (RFC 5322 section 3.3, RFC 3501 section 9).
pub const MONTHS: [&[u8; 3]; 12] =
    [b"Jan", b"Feb", b"Mar", b"Apr", b"May", b"Jun", b"Jul", b"Aug", b"Sep", b"Oct", b"Nov", b"Dec"];
const WEEKDAYS: [&[u8; 3]; 7] = [b"Thu", b"Fri", b"Sat", b"Sun", b"Mon", b"Tue", b"Wed"];

/// Seconds of a day.
pub const DAY: i64 = 86_400;

/// Year, month (1 to 12) and day of a day counted from 1970-01-01 in the proleptic Gregorian calendar.
pub fn civil(days: i64) -> (i64, u8, u8) {
    // Counted from 0000-03-01, so that the leap day is the last of its year.
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted + 2) / 5 + 1;
    let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    (year, month as u8, day as u8)
}

/// `Thu, 01 Jan 1970 00:00:00 +0000` (RFC 5322 section 3.3). Times that no four-digit year can hold are written as the nearest that one can.
pub fn write_date_time(out: &mut Vec<u8>, seconds: i64) {
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let days = seconds.div_euclid(DAY);
    let (year, month, day) = civil(days);
    let second = seconds.rem_euclid(DAY) as u32;
    let two = |n: u32| [b'0' + (n / 10 % 10) as u8, b'0' + (n % 10) as u8];
    let mut text = *b"Thu, 00 Jan 0000 00:00:00 +0000";
    text[0..3].copy_from_slice(WEEKDAYS[days.rem_euclid(7) as usize]);
    text[5..7].copy_from_slice(&two(u32::from(day)));
    text[8..11].copy_from_slice(MONTHS[usize::from(month - 1)]);
    text[12..14].copy_from_slice(&two(year as u32 / 100));
    text[14..16].copy_from_slice(&two(year as u32));
    text[17..19].copy_from_slice(&two(second / 3600));
    text[20..22].copy_from_slice(&two(second / 60 % 60));
    text[23..25].copy_from_slice(&two(second % 60));
    out.extend_from_slice(&text);
}

/// `1970-01-01T00:00:00Z` (RFC 3339 section 5.6), bounded in the same way.
pub fn rfc3339(seconds: i64) -> String {
    let seconds = seconds.clamp(-62_167_219_200, 253_402_300_799);
    let ((year, month, day), second) = (civil(seconds.div_euclid(DAY)), seconds.rem_euclid(DAY));
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}Z")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn header_dates() {
        for (seconds, shown) in [
            (0, "Thu, 01 Jan 1970 00:00:00 +0000"),
            (951_782_400, "Tue, 29 Feb 2000 00:00:00 +0000"),
            (1_795_492_248, "Tue, 24 Nov 2026 03:50:48 +0000"),
            (-1, "Wed, 31 Dec 1969 23:59:59 +0000"),
            (i64::MAX, "Fri, 31 Dec 9999 23:59:59 +0000"),
        ] {
            let mut out = Vec::new();
            write_date_time(&mut out, seconds);
            assert_eq!(String::from_utf8(out).expect("ASCII is written"), shown);
        }
    }
}
