//! INTERNALDATE and days (RFC 3501 section 2.3.3): seconds since 1970 UTC to text and back to days. Keeps no time zone: what we
//! write is always `+0000`.

use crate::wire::MONTHS;
pub(super) use crate::wire::{DAY, civil};

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

    fn shown(seconds: i64) -> String {
        let mut out = Vec::new();
        internal_date(&mut out, seconds);
        String::from_utf8(out).expect("ASCII is written")
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
