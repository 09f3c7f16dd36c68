//! What became of a recipient in the words of SMTP: code, enhanced status code (RFC 3463), text; from another host or from us. Bounded and on
//! one line, whatever the other host has sent.
use crate::limits;
use std::fmt;

/// A reply of another host, or our own reason in the same form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reply {
    /// 200 to 599; 0 when no host has said it.
    pub(crate) code: u16,
    /// `5.1.1`.
    pub(crate) status: String,
    /// One line, without the status.
    pub(crate) text: String,
}

impl Reply {
    /// Our own reason; the status' first digit is its class.
    pub(crate) fn own(status: &str, text: impl AsRef<str>) -> Reply {
        Reply { code: 0, status: status.to_owned(), text: one_line(text.as_ref()) }
    }

    /// What a host has said. `text` may begin with an enhanced status code; one of another class than the code's means nothing (RFC 2034
    /// section 4).
    pub(crate) fn heard(code: u16, text: &str) -> Reply {
        let class = code / 100;
        let (first, rest) = text.split_once(' ').unwrap_or((text, ""));
        match is_status(first) && first.starts_with(&class.to_string()) {
            true => Reply { code, status: first.to_owned(), text: one_line(rest) },
            false => Reply { code, status: format!("{class}.0.0"), text: one_line(text) },
        }
    }

    /// 2, 4 or 5.
    pub(crate) fn class(&self) -> u8 {
        self.status.bytes().next().map_or(4, |digit| digit.wrapping_sub(b'0'))
    }

    pub(crate) fn is_positive(&self) -> bool {
        self.class() == 2
    }

    /// Not now, perhaps later.
    pub(crate) fn is_transient(&self) -> bool {
        self.class() == 4
    }

    /// The same as a final failure: nothing is tried again. That is our word, which quotes a host's.
    pub(crate) fn given_up(&self, why: &str) -> Reply {
        let last = if self.code == 0 { self.text.clone() } else { self.to_string() };
        Reply::own(&format!("5{}", self.status.get(1..).unwrap_or(".0.0")), format!("{why}: {last}"))
    }
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.code != 0 {
            write!(f, "{} ", self.code)?;
        }
        write!(f, "{} {}", self.status, self.text)
    }
}

/// `class.subject.detail` (RFC 3463 section 2).
fn is_status(text: &str) -> bool {
    let parts: Vec<&str> = text.split('.').collect();
    let number = |part: &&str| (1..=3).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
    parts.len() == 3 && parts[0].len() == 1 && "245".contains(parts[0]) && parts.iter().all(number)
}

/// Printable, without line ends, bounded.
fn one_line(text: &str) -> String {
    let shown = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c });
    shown.take(limits::REPLY_TEXT_CHARS_KEPT).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statuses_are_read_where_they_fit_the_code() {
        let heard = Reply::heard(550, "5.1.1 No such user");
        assert_eq!((heard.status.as_str(), heard.text.as_str()), ("5.1.1", "No such user"));
        assert_eq!(heard.to_string(), "550 5.1.1 No such user");
        assert_eq!(Reply::heard(450, "5.1.1 greylisted").status, "4.0.0");
        assert_eq!(Reply::heard(250, "ok").status, "2.0.0");
        assert_eq!(Reply::heard(421, "").to_string(), "421 4.0.0 ");
        assert!(Reply::heard(450, "x").is_transient() && Reply::heard(250, "x").is_positive());
        let late = Reply::heard(450, "4.2.0 come\r\nagain").given_up("expired");
        assert_eq!((late.code, late.to_string()), (0, "5.2.0 expired: 450 4.2.0 come  again".into()));
        assert_eq!(Reply::own("4.4.1", "no\r\nanswer").given_up("expired").to_string(), "5.4.1 expired: no  answer");
    }
}
