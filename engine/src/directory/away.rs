//! What is answered for a member who is away: its record, its bytes and its words. Answers nobody: `mailflow` decides that.
use std::fmt;
use std::str::FromStr;

use crate::base::bytes::{Put, Reader};
use crate::base::{Error, Result, limits};

use super::codec::{self, Decoded};

/// An answer for the time in which somebody is away (F11).
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Away {
    /// One sender is answered once in so many days (RFC 5230 section 4.1).
    pub days: u32,
    /// From when on, seconds since 1970-01-01 UTC; 0: at once.
    pub from: i64,
    /// Until when; 0: until it is taken back.
    pub until: i64,
    /// The subject of the answer; empty: that of the message, behind `Auto: `.
    pub subject: Box<str>,
    /// The answer.
    pub text: Box<str>,
}

const FORM: &str = "expected: away days=7 from=0 until=0 subject=\"\" text=\"...\" (times in seconds since 1970; \\n, \\\" and \\\\ in texts)";

impl Away {
    /// Whether it holds at a time.
    pub fn holds(&self, now: i64) -> bool {
        now >= self.from && (self.until == 0 || now < self.until)
    }

    fn check(self) -> Result<Away> {
        let (days_max, bytes_max) = (limits::AWAY_DAYS_MAX, limits::AWAY_TEXT_BYTES_MAX);
        let is_line = self.subject.len() <= limits::RULE_TEXT_BYTES_MAX && !self.subject.chars().any(char::is_control);
        let is_text = self.text.chars().all(|c| !c.is_control() || c == '\n' || c == '\t');
        if !(1..=days_max).contains(&self.days) {
            return Err(Error::Invalid(format!("away: days={}; allowed are 1 to {days_max}", self.days)));
        }
        if self.text.is_empty() || self.text.len() > bytes_max || !is_text {
            return Err(Error::Invalid(format!("away: text; allowed are 1 to {bytes_max} bytes, lines and tabs")));
        }
        if !is_line {
            let max = limits::RULE_TEXT_BYTES_MAX;
            return Err(Error::Invalid(format!("away: subject; allowed are {max} bytes without control characters")));
        }
        if self.from < 0 || self.until < 0 || (self.until > 0 && self.until <= self.from) {
            return Err(Error::Invalid("away: until must be after from".into()));
        }
        Ok(self)
    }

    pub(super) fn put(&self, out: &mut Vec<u8>) {
        out.put_varint(u64::from(self.days));
        out.put_i64(self.from);
        out.put_i64(self.until);
        out.put_str(&self.subject);
        out.put_str(&self.text);
    }

    pub(super) fn get(reader: &mut Reader<'_>) -> Decoded<Away> {
        Ok(Away {
            days: reader.varint_u32()?,
            from: reader.i64()?,
            until: reader.i64()?,
            subject: codec::get_box(reader)?,
            text: codec::get_box(reader)?,
        })
    }
}

pub(super) fn quoted(f: &mut fmt::Formatter<'_>, text: &str) -> fmt::Result {
    let text =
        text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n").replace('\t', "\\t").replace('\r', "\\r");
    write!(f, "\"{text}\"")
}

impl fmt::Display for Away {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "days={} from={} until={} subject=", self.days, self.from, self.until)?;
        quoted(f, &self.subject)?;
        f.write_str(" text=")?;
        quoted(f, &self.text)
    }
}

/// A text in quotes at the front, and the rest.
pub(super) fn unquoted(text: &str) -> Option<(String, &str)> {
    let mut out = String::new();
    let mut chars = text.strip_prefix('"')?.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '"' => return Some((out, &text[at + 2..])),
            '\\' => out.push(match chars.next()?.1 {
                'n' => '\n',
                't' => '\t',
                'r' => '\r',
                c @ ('"' | '\\') => c,
                _ => return None,
            }),
            c => out.push(c),
        }
    }
    None
}

fn parse(text: &str) -> Option<Away> {
    let mut away = Away { days: limits::AWAY_DAYS_DEFAULT, ..Away::default() };
    let mut rest = text.trim();
    while !rest.is_empty() {
        let (key, value) = rest.split_once('=')?;
        let (word, quoted);
        (word, quoted, rest) = match unquoted(value) {
            Some((text, rest)) => ("", Some(text), rest),
            None => {
                let end = value.find(char::is_whitespace).unwrap_or(value.len());
                (&value[..end], None, &value[end..])
            }
        };
        match (key, quoted) {
            ("days", None) => away.days = word.parse().ok()?,
            ("from", None) => away.from = word.parse().ok()?,
            ("until", None) => away.until = word.parse().ok()?,
            ("subject", Some(text)) => away.subject = text.into(),
            ("text", Some(text)) => away.text = text.into(),
            _ => return None,
        }
        rest = rest.trim_start();
    }
    Some(away)
}

impl FromStr for Away {
    type Err = Error;

    /// Reads what `Display` writes; what is left out gets its default.
    fn from_str(text: &str) -> Result<Away> {
        parse(text).ok_or_else(|| Error::Invalid(format!("rule away {text:?}; {FORM}")))?.check()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_come_back_and_wrong_ones_are_told() {
        let away = Away {
            days: 3,
            from: 5,
            until: 9,
            subject: "a \"b\" \\ = c".into(),
            text: "Gone.\nBack\tsoon = \u{4f60}".into(),
        };
        assert_eq!(away.to_string().parse::<Away>().expect("its own words"), away);
        let short: Away = "text=\"x\"".parse().expect("defaults");
        assert_eq!((short.days, short.holds(0), short.holds(i64::MAX)), (7, true, true));
        assert_eq!([4, 5, 8, 9].map(|now| away.holds(now)), [false, true, true, false]);
        for wrong in [
            "",
            "text=x",
            "text=\"\"",
            "text=\"a",
            "text=\"a\" days=0",
            "text=\"a\" days=99999",
            "text=\"\\q\"",
            "colour=1",
        ] {
            wrong.parse::<Away>().expect_err(wrong);
        }
        "text=\"a\" from=9 until=9".parse::<Away>().expect_err("no time at all");
        "text=\"a\" subject=\"a\\nb\"".parse::<Away>().expect_err("a header of its own");
    }
}
