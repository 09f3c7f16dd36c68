//! Whether the parameters of a command can be meant: sizes are numbers, and each is given once. smtp-proto takes no number at all for the largest there is, and one of too
//! many digits for that of its last digits; with BDAT that would take a message for commands, or commands for a message. In xtext it passes over what is none, and with it
//! the space before the next parameter. Takes commands apart as smtp-proto
//! does: spaces may stand before the name, and a tab is as good as a space behind it.
use super::message;
use super::reply::Reply;
use crate::orcpt;

/// What stands between the words of a command.
const BLANK: [char; 2] = [' ', '\t'];

/// Digits of a size that is read; RFC 1870 section 3 allows 20, and what has more than these is over every limit.
const DIGITS_MAX: usize = 15;

/// Other parameters that are numbers, and the digits that each may have: RFC 2852 section 4, RFC 4865 section 3, RFC 6710 section 7.
const COUNTED: [(&str, usize); 3] = [("BY", 9), ("HOLDFOR", 9), ("MT-PRIORITY", 1)];

/// Parameters in xtext, and the last byte that each may stand for: ENVID is ASCII (RFC 3461 section 4.4), AUTH an address (RFC 4954 section 5).
const XTEXT: [(&str, u8); 2] = [("ENVID", b'~'), ("AUTH", 0xff)];

/// RFC 3461 section 4.4: characters of ENVID, encoded.
const ENVID_BYTES_MAX: usize = 100;

/// Refuses MAIL and RCPT with a parameter twice, and MAIL with a senseless SIZE (RFC 1870) or one that is over every limit, or with other numbers
/// that cannot be meant.
pub(super) fn check(line: &str, size_bytes_max: u64) -> Result<(), Reply> {
    let is_mail = is_command(line, "MAIL");
    if !is_mail && !is_command(line, "RCPT") {
        return Ok(());
    }
    // Behind the address, in whose quotes anything may stand; of a line without one, all.
    let parameters = orcpt::path_end(line.as_bytes(), 0).map_or(line, |end| &line[end..]);
    check_once(parameters)?;
    if is_mail { check_mail(parameters, size_bytes_max) } else { Ok(()) }
}

/// RFC 3461 section 5.1, RFC 4865 section 4.2, RFC 6710 section 4.1: of two nobody knows which is meant.
fn check_once(parameters: &str) -> Result<(), Reply> {
    let mut seen: Vec<String> = Vec::new();
    for word in parameters.split(BLANK).filter(|word| !word.is_empty()) {
        let name = word.split('=').next().unwrap_or(word).to_ascii_uppercase();
        if seen.contains(&name) {
            return Err(Reply::new(501, format!("5.5.4 {} is given twice", super::reply::printable(&name))));
        }
        seen.push(name);
    }
    Ok(())
}

fn check_mail(parameters: &str, size_bytes_max: u64) -> Result<(), Reply> {
    let given = || parameters.split(BLANK).filter_map(|word| word.split_once('='));
    let not_allowed = |name: &str| Reply::new(501, format!("5.5.4 The value of {name} is not allowed"));
    for (name, value) in given() {
        let counted = COUNTED.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        if let Some((name, _)) = counted.filter(|(_, digits)| !is_short(value, *digits)) {
            return Err(not_allowed(name));
        }
        if name.eq_ignore_ascii_case("ENVID") && value.len() > ENVID_BYTES_MAX {
            return Err(Reply::new(501, format!("5.5.4 ENVID has more than {ENVID_BYTES_MAX} characters")));
        }
        // RFC 4865 section 3: in UTC.
        if name.eq_ignore_ascii_case("HOLDUNTIL") && !value.ends_with(['Z', 'z']) {
            return Err(not_allowed("HOLDUNTIL"));
        }
        let encoded = XTEXT.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        if let Some((name, _)) = encoded.filter(|(_, last)| !is_xtext(value, *last)) {
            return Err(not_allowed(name));
        }
    }
    for (_, size) in given().filter(|(name, _)| name.eq_ignore_ascii_case("SIZE")) {
        if !is_number(size) {
            return Err(not_allowed("SIZE"));
        }
        if size.len() > DIGITS_MAX {
            return Err(message::too_big(size_bytes_max));
        }
    }
    Ok(())
}

/// Whether this is BDAT (RFC 3030 section 2) without a size that can be read. Nobody knows then where the chunk ends.
pub(super) fn is_endless_chunk(line: &str) -> bool {
    let size = line.split(BLANK).filter(|word| !word.is_empty()).nth(1).unwrap_or("");
    is_command(line, "BDAT") && !(is_number(size) && size.len() <= DIGITS_MAX)
}

pub(super) fn is_command(line: &str, name: &str) -> bool {
    line.trim_start_matches(BLANK).split(BLANK).next().is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// Whether this is RCPT to nobody. The null path is for the other direction (RFC 5321 section 3.3); smtp-proto takes it for that of `<Postmaster>`.
pub(super) fn is_null_recipient(line: &str) -> bool {
    is_command(line, "RCPT") && has_null_path(line)
}

/// Whether nothing stands in the brackets of a command.
pub(super) fn has_null_path(line: &str) -> bool {
    line.split_once('<').and_then(|(_, rest)| rest.split_once('>')).is_some_and(|(path, _)| path.trim().is_empty())
}

/// Whether a number of so many digits stands before a semicolon or the end, with a sign or without.
fn is_short(value: &str, digits_max: usize) -> bool {
    let number = value.split(';').next().unwrap_or("");
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    is_number(digits) && digits.len() <= digits_max
}

/// Whether two digits stand behind each plus, and every byte is a printable one up to `last`.
fn is_xtext(value: &str, last: u8) -> bool {
    let is_allowed = |byte: u8| byte >= b' ' && byte != 0x7f && byte <= last;
    let is_coded = |piece: &str| {
        let digits = piece.get(..2).filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()));
        digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()).is_some_and(is_allowed)
    };
    value.bytes().all(is_allowed) && value.split('+').skip(1).all(is_coded)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> Option<u16> {
        check(line, 1000).err().map(|refusal| refusal.code)
    }

    #[test]
    fn no_number_hides_behind_another_parameter() {
        let endless = "9".repeat(25);
        for (size, expected) in [("5", None), ("x", Some(501)), ("", Some(501)), (&*endless, Some(552))] {
            for line in [
                format!("MAIL FROM:<a@b.test> SIZE={size}"),
                format!("mail FROM:<a@b.test> SIZE={size} ENVID=x>"),
                format!("MAIL FROM:<\"a>b\"@c.test> SIZE={size} ENVID=>"),
                format!("MAIL FROM:<a@b.test>\tSIZE={size}\tENVID=x"),
                format!("MAIL\tFROM:<a@b.test> SIZE={size}"),
                format!("  MAIL FROM:<a@b.test> SIZE={size}"),
            ] {
                assert_eq!(code(&line), expected, "{line:?}");
            }
        }
        assert_eq!(code("MAIL FROM:<\"a> SIZE=x \"@c.test> SIZE=1"), None);
        assert_eq!(code("MAIL FROM:<a@b.test> BY=1234567890;R ENVID=>"), Some(501));
        let envid = |length: usize| code(&format!("MAIL FROM:<a@b.test> envid={}", "x".repeat(length)));
        assert_eq!((envid(100), envid(101)), (None, Some(501)));
        assert_eq!(code("MAIL FROM:<a@b.test> HOLDFOR=1234567890\tENVID=>"), Some(501));
    }

    /// smtp-proto would take `REQUIRETLS` for a part of the value before it.
    #[test]
    fn no_parameter_hides_in_xtext() {
        for value in ["QQ+2B1+3D+20x", "a=b", "<>", "+7e"] {
            assert_eq!(code(&format!("MAIL FROM:<a@b.test> ENVID={value} AUTH={value} RET=FULL")), None, "{value}");
        }
        for wrong in ["x+", "x+4", "x+ZZ", "x+4Z", "+0D+0A", "+00", "+7F", "+\u{e9}"] {
            for name in ["ENVID", "envid", "AUTH"] {
                assert_eq!(code(&format!("MAIL FROM:<a@b.test> {name}={wrong} REQUIRETLS")), Some(501), "{wrong}");
            }
        }
        assert_eq!(code("MAIL FROM:<a@b.test> ENVID=+E9"), Some(501));
        assert_eq!(code("MAIL FROM:<a@b.test> AUTH=+E9+82+AE@b.test"), None);
    }

    #[test]
    fn a_chunk_has_a_size_however_its_command_is_written() {
        let endless = "1".repeat(25);
        for (size, is_endless) in [("10", false), (&*endless, true), ("x", true), ("", true), ("-1", true)] {
            for line in [format!("BDAT {size}"), format!("BDAT\t{size} LAST"), format!("  bdat {size}\tLAST")] {
                assert_eq!(is_endless_chunk(&line), is_endless, "{line:?}");
            }
        }
        assert!(is_endless_chunk("BDAT") && !is_endless_chunk("BDATA x"));
    }

    #[test]
    fn nobody_is_no_recipient() {
        for line in ["RCPT TO:<>", "rcpt\tTO:< > NOTIFY=NEVER", " RCPT TO: <>"] {
            assert!(is_null_recipient(line), "{line:?}");
        }
        for line in ["RCPT TO:<Postmaster>", "MAIL FROM:<>", "RCPT TO:", "RCPT TO:<\"<>\"@b.test>"] {
            assert!(!is_null_recipient(line), "{line:?}");
        }
    }
}
