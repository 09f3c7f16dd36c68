//! ORCPT (RFC 3461 section 4.2, RFC 6533 section 3): the address that a sender gave, as parameter of RCPT, as the store keeps it
//! (`type;address`, decoded) and as reports show it. Read here because smtp-proto knows addresses of type rfc822 only, and whoever passes on mail for
//! an address in UTF-8 gives it as type utf-8. Looks nobody up.
use crate::limits;
use std::fmt::Write;
use std::ops::Range;

/// The value is no ORCPT, or there are two of them.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong;

/// Takes the parameter out of a RCPT line; any other line is left alone.
pub(crate) fn take(line: &mut Vec<u8>) -> Result<Option<String>, Wrong> {
    let Some(begin) = parameters(line) else { return Ok(None) };
    let mut found = None;
    let mut at = begin;
    for word in line[begin..].split(|byte| matches!(byte, b' ' | b'\t')) {
        let is_it = word.get(..6).is_some_and(|name| name.eq_ignore_ascii_case(b"orcpt="));
        if is_it && found.replace((at..at + word.len(), decoded(&word[6..])?)).is_some() {
            return Err(Wrong);
        }
        at += word.len() + 1;
    }
    Ok(found.map(|(word, orcpt): (Range<usize>, String)| {
        line.drain(word);
        orcpt
    }))
}

/// Where the parameters of a RCPT line begin. As with smtp-proto spaces may stand before the command's name, and a tab behind it.
fn parameters(line: &[u8]) -> Option<usize> {
    let at = line.iter().position(|byte| !matches!(byte, b' ' | b'\t'))?;
    let is_it = line.get(at..at + 4)?.eq_ignore_ascii_case(b"rcpt") && matches!(line.get(at + 4)?, b' ' | b'\t');
    if is_it { path_end(line, at + 5) } else { None }
}

/// The end of the path in MAIL or RCPT, in whose quotes anything may stand.
pub(crate) fn path_end(line: &[u8], from: usize) -> Option<usize> {
    let (mut quoted, mut at) = (false, from);
    loop {
        match line.get(at)? {
            b'\\' if quoted => at += 1,
            b'"' => quoted = !quoted,
            b'>' if !quoted => return Some(at + 1),
            _ => {}
        }
        at += 1;
    }
}

/// `type;address` without its encoding.
fn decoded(value: &[u8]) -> Result<String, Wrong> {
    let value = std::str::from_utf8(value).map_err(|_| Wrong)?;
    let (kind, address) = value.split_once(';').ok_or(Wrong)?;
    let is_atom = !kind.is_empty() && kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let address = if is_utf8(kind) { unembedded(address) } else { unxtext(address) }.ok_or(Wrong)?;
    if !is_atom || address.is_empty() || kind.len() + address.len() > limits::SMTP_ORCPT_BYTES_MAX {
        return Err(Wrong);
    }
    Ok(format!("{kind};{address}"))
}

fn is_utf8(kind: &str) -> bool {
    kind.eq_ignore_ascii_case("utf-8")
}

/// RFC 3461 section 4: `+2B` stands for a byte.
fn unxtext(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'+' => hex(bytes.next()?)? << 4 | hex(bytes.next()?)?,
            byte => byte,
        });
    }
    String::from_utf8(out).ok()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).map(|digit| digit as u8)
}

/// RFC 6533 section 3: `\x{2B}` stands for a character.
fn unembedded(text: &str) -> Option<String> {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("\\x{") {
        let (point, after) = after.split_once('}')?;
        let is_short = (1..=6).contains(&point.len()) && point.bytes().all(|byte| byte.is_ascii_hexdigit());
        out.push_str(before);
        out.push(u32::from_str_radix(point, 16).ok().filter(|_| is_short).and_then(char::from_u32)?);
        rest = after;
    }
    out.push_str(rest);
    Some(out)
}

/// The parameter for the next host, in ASCII. `utf8`: it has offered SMTPUTF8; another need not know the type.
pub(crate) fn parameter(orcpt: &str, utf8: bool) -> Option<String> {
    let (kind, address) = orcpt.split_once(';')?;
    match (is_utf8(kind), utf8) {
        (true, true) => Some(format!("ORCPT={kind};{}", embedded(address))),
        (true, false) => None,
        (false, _) => Some(format!("ORCPT={kind};{}", xtext(address))),
    }
}

/// As a report shows it: on one line, in UTF-8 where the report may hold that (`global`, RFC 6533 section 4), else in ASCII.
pub(crate) fn shown(orcpt: &str, global: bool) -> Option<String> {
    let (kind, address) = orcpt.split_once(';')?;
    let plain: String = address.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    match (global || plain.is_ascii(), is_utf8(kind)) {
        (true, _) => Some(format!("{kind};{plain}")),
        (false, true) => Some(format!("{kind};{}", embedded(&plain))),
        (false, false) => Some(format!("{kind};{}", xtext(&plain))),
    }
}

/// RFC 3461 section 4: what could end a parameter goes as hexadecimal digits.
pub(crate) fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'!'..=b'~' if byte != b'+' && byte != b'=' => out.push(char::from(byte)),
            _ => {
                let _ = write!(out, "+{byte:02X}");
            }
        }
    }
    out
}

/// The same for addresses in UTF-8, in its form for ASCII.
fn embedded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '!'..='~' if !matches!(c, '+' | '=' | '\\') => out.push(c),
            _ => {
                let _ = write!(out, "\\x{{{:02X}}}", u32::from(c));
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(line: &str) -> (String, Result<Option<String>, Wrong>) {
        let mut bytes = line.as_bytes().to_vec();
        let found = take(&mut bytes);
        (String::from_utf8(bytes).expect("UTF-8"), found)
    }

    #[test]
    fn every_type_is_taken_and_the_line_goes_without_it() {
        for (value, kept) in [
            ("rfc822;Bob+2Bx@x.test", "rfc822;Bob+x@x.test"),
            ("RFC822;+E9+82+AE@x.test", "RFC822;\u{90ae}@x.test"),
            ("utf-8;\\x{90AE}+2B@x.test", "utf-8;\u{90ae}+2B@x.test"),
            ("UTF-8;\u{90ae}\\x{2B}@x.test", "UTF-8;\u{90ae}+@x.test"),
            ("x400;/C=de/>", "x400;/C=de/>"),
        ] {
            let (rest, found) = taken(&format!("rcpt to:<\"a> ORCPT=\\\"x;\"@b.test> orcpt={value} NOTIFY=NEVER"));
            assert_eq!(found, Ok(Some(kept.to_owned())), "{value}");
            assert_eq!(rest, "rcpt to:<\"a> ORCPT=\\\"x;\"@b.test>  NOTIFY=NEVER");
        }
        for begin in ["RCPT\tTO:<a@b.test>", "  rcpt TO:<a@b.test>"] {
            assert_eq!(taken(&format!("{begin}\tORCPT=rfc822;c")), (format!("{begin}\t"), Ok(Some("rfc822;c".into()))));
        }
        for line in ["RCPT TO:<a@b.test> NOTIFY=NEVER", "RCPT TO:<a@b.test", "NOOP > ORCPT=x", "RCPT", ""] {
            assert_eq!(taken(line), (line.to_owned(), Ok(None)));
        }
    }

    #[test]
    fn what_is_none_is_told() {
        let long = format!("rfc822;{}", "x".repeat(limits::SMTP_ORCPT_BYTES_MAX));
        for value in [
            "",
            ";",
            "rfc822",
            "rfc822;",
            ";a",
            "r 8;a",
            "r(;a",
            "rfc822;+4",
            "rfc822;+xy",
            "rfc822;+FF",
            "utf-8;\\x{}",
            "utf-8;\\x{D800}",
            "utf-8;\\x{+41}",
            "utf-8;\\x{90AE",
            &long,
        ] {
            assert_eq!(taken(&format!("RCPT TO:<a@b.test> ORCPT={value}")).1, Err(Wrong), "{value:?}");
        }
        assert_eq!(taken("RCPT TO:<a@b.test> ORCPT=a;b ORCPT=a;b").1, Err(Wrong));
    }

    #[test]
    fn it_goes_on_as_it_came_and_can_end_nothing() {
        assert_eq!(parameter("rfc822;a+b=c d\r\n", false).as_deref(), Some("ORCPT=rfc822;a+2Bb+3Dc+20d+0D+0A"));
        let utf8 = "utf-8;\u{90ae}+\\ @x.test";
        let encoded = "utf-8;\\x{90AE}\\x{2B}\\x{5C}\\x{20}@x.test";
        assert_eq!((parameter(utf8, true), parameter(utf8, false)), (Some(format!("ORCPT={encoded}")), None));
        assert_eq!((shown(utf8, true).as_deref(), shown(utf8, false).as_deref()), (Some(utf8), Some(encoded)));
        assert_eq!(shown("rfc822;a\r\nb", false).as_deref(), Some("rfc822;a??b"));
        assert_eq!(decoded(encoded.as_bytes()).as_deref(), Ok(utf8));
    }
}
