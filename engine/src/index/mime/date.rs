//! Reads the Date field (RFC 5322 section 3.3 with the obsolete forms of section 4.3) for SENTBEFORE, SENTON and
//! SENTSINCE. Never uses the clock; a date that cannot exist is no date.
use super::header::find_header;
use super::lexer::Lexer;

const MONTHS: [&[u8]; 12] =
    [b"jan", b"feb", b"mar", b"apr", b"may", b"jun", b"jul", b"aug", b"sep", b"oct", b"nov", b"dec"];

/// The Date of a header: seconds since 1970 in UTC, and the offset of its zone in minutes. RFC 3501 section 6.4.4
/// compares the day as written: `(seconds + offset * 60) / 86400`.
pub fn sent_date(header: &[u8]) -> Option<(i64, i16)> {
    parse_date(find_header(header, b"Date")?)
}

/// Reads a date-time as `sent_date` gives it.
pub fn parse_date(value: &[u8]) -> Option<(i64, i16)> {
    let mut reader = Reader { lexer: Lexer::new(value) };
    reader.skip_day_name();
    let day = reader.number(2)?;
    reader.skip(b'-');
    let month = reader.month()?;
    reader.skip(b'-');
    let year = reader.year()?;
    let hour = reader.number(2)?;
    let minute = reader.colon_number()?;
    let second = reader.colon_number().unwrap_or(0);
    let zone_minutes = reader.zone()?;
    if day == 0 || day > days_in_month(year, month) || hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let local = days_since_1970(year, month, day) * 86_400 + hour * 3600 + minute * 60 + second;
    Some((local - i64::from(zone_minutes) * 60, zone_minutes))
}

struct Reader<'a> {
    lexer: Lexer<'a>,
}

impl Reader<'_> {
    fn word(&mut self) -> Vec<u8> {
        self.lexer.skip_cfws();
        self.lexer.run_of(|b| b.is_ascii_alphabetic()).to_ascii_lowercase()
    }

    fn skip(&mut self, byte: u8) -> bool {
        self.lexer.skip_cfws();
        let found = self.lexer.peek() == Some(byte);
        if found {
            self.lexer.bump();
        }
        found
    }

    fn skip_day_name(&mut self) {
        self.word();
        self.skip(b',');
    }

    /// A number of one to `digits_max` digits.
    fn number(&mut self, digits_max: usize) -> Option<i64> {
        Some(self.digits(digits_max)?.0)
    }

    /// A number and how many digits it was written with.
    fn digits(&mut self, digits_max: usize) -> Option<(i64, usize)> {
        self.lexer.skip_cfws();
        let digits = self.lexer.run_of(|b| b.is_ascii_digit());
        let fits = !digits.is_empty() && digits.len() <= digits_max;
        let value = digits.iter().fold(0i64, |sum, digit| sum.wrapping_mul(10) + i64::from(digit - b'0'));
        fits.then_some((value, digits.len()))
    }

    fn colon_number(&mut self) -> Option<i64> {
        if self.skip(b':') { self.number(2) } else { None }
    }

    /// 1 to 12; full month names are let pass.
    fn month(&mut self) -> Option<i64> {
        let word = self.word();
        let number = MONTHS.iter().zip(1..).find(|(name, _)| word.starts_with(name))?;
        Some(number.1)
    }

    /// RFC 5322 section 4.3: two digits below 50 are after 2000, other two or three digits after 1900. Section 3.3 knows no year before 1900:
    /// what software made of 2002 in four digits (`0102`) is no date.
    fn year(&mut self) -> Option<i64> {
        match self.digits(4)? {
            (year, 2) if year < 50 => Some(year + 2000),
            (year, 2 | 3) => Some(year + 1900),
            (year, 4) if year >= 1900 => Some(year),
            _ => None,
        }
    }

    /// Minutes east of UTC; a zone that is missing, unknown or broken counts as UTC (RFC 5322 section 4.3).
    fn zone(&mut self) -> Option<i16> {
        self.lexer.skip_cfws();
        let sign = match self.lexer.peek() {
            Some(b'+') => 1,
            Some(b'-') => -1,
            _ => return Some(named_zone(&self.word())),
        };
        self.lexer.bump();
        match self.digits(4) {
            Some((digits, 4)) => Some(sign * (digits / 100 * 60 + digits % 100) as i16),
            _ => Some(0),
        }
    }
}

fn named_zone(name: &[u8]) -> i16 {
    match name {
        b"edt" => -4 * 60,
        b"est" | b"cdt" => -5 * 60,
        b"cst" | b"mdt" => -6 * 60,
        b"mst" | b"pdt" => -7 * 60,
        b"pst" => -8 * 60,
        _ => 0,
    }
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Days from 1970-01-01 in the Gregorian calendar; the year begins in March here, so that the leap day comes last.
fn days_since_1970(year: i64, month: i64, day: i64) -> i64 {
    let year = if month <= 2 { year - 1 } else { year };
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + day_of_year - 719_468
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_rfc_5322_and_older() {
        let cases: [(&str, Option<(i64, i16)>); 18] = [
            ("Fri, 21 Nov 1997 09:55:06 -0600", Some((880_127_706, -360))),
            ("Thu, 22 Aug 2002 18:26:25 +0700 (ICT)", Some((1_030_015_585, 420))),
            ("21 Nov 97 09:55:06 GMT", Some((880_106_106, 0))),
            ("Fri, 21 Nov 1997 09(comment):   55  :  06 -0600", Some((880_127_706, -360))),
            ("21 Nov 102 09:55 EDT", Some((1_037_886_900, -240))),
            ("1 Jan 00 00:00:00 Z", Some((946_684_800, 0))),
            ("29 Feb 2000 00:00:00 +0000", Some((951_782_400, 0))),
            ("29 Feb 1900 00:00:00 +0000", None),
            ("1 Jan 1970 00:00:00 +0000", Some((0, 0))),
            ("31 Dec 1969 23:59:59 +0000", Some((-1, 0))),
            ("Mon,5-August-2002 1:02:03", Some((1_028_509_323, 0))),
            ("Tue, 17 Sep 2002 11:59:30 +-0500", Some((1_032_263_970, 0))),
            ("Thu, 22 Aug 0102 12:07:35 +0800", None),
            ("32 Jan 2002 00:00:00 +0000", None),
            ("1 Foo 2002 00:00:00 +0000", None),
            ("1 Jan 2002 24:00:00 +0000", None),
            ("1 Jan 99999999999999999999999 00:00:00", None),
            ("", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_date(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn the_date_field_is_found() {
        assert_eq!(sent_date(b"Subject: x\r\ndate :\r\n 1 Jan 1970 00:01 +0000\r\n\r\n"), Some((60, 0)));
        assert_eq!(sent_date(b"Subject: x\r\n\r\nDate: 1 Jan 1970 00:01 +0000\r\n"), None);
    }
}
