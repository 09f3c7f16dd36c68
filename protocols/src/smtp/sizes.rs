//! Whether the parameters of a command can be meant: sizes are numbers, and each is given once. smtp-proto takes no number at all for the largest there is, and one of too
//! many digits for that of its last digits; with BDAT that would take a message for commands, or commands for a message.
use super::message;
use super::reply::Reply;

/// Digits of a size that is read; RFC 1870 section 3 allows 20, and what has more than these is over every limit.
const DIGITS_MAX: usize = 15;

/// Other parameters that are numbers, and the digits that each may have: RFC 2852 section 4, RFC 4865 section 3, RFC 6710 section 7.
const COUNTED: [(&str, usize); 3] = [("BY", 9), ("HOLDFOR", 9), ("MT-PRIORITY", 1)];

/// Refuses MAIL and RCPT with a parameter twice, and MAIL with a senseless SIZE (RFC 1870) or one that is over every limit, or with other numbers
/// that cannot be meant.
pub(super) fn check(line: &str, size_bytes_max: u64) -> Result<(), Reply> {
    let is_mail = is_command(line, "MAIL");
    if !is_mail && !is_command(line, "RCPT") {
        return Ok(());
    }
    // Behind the address, in which anything may stand.
    let parameters = line.rsplit_once('>').map_or("", |(_, parameters)| parameters);
    check_once(parameters)?;
    if is_mail { check_mail(parameters, size_bytes_max) } else { Ok(()) }
}

/// RFC 3461 section 5.1, RFC 4865 section 4.2, RFC 6710 section 4.1: of two nobody knows which is meant.
fn check_once(parameters: &str) -> Result<(), Reply> {
    let mut seen: Vec<String> = Vec::new();
    for word in parameters.split(' ').filter(|word| !word.is_empty()) {
        let name = word.split('=').next().unwrap_or(word).to_ascii_uppercase();
        if seen.contains(&name) {
            return Err(Reply::new(501, format!("5.5.4 {} is given twice", super::reply::printable(&name))));
        }
        seen.push(name);
    }
    Ok(())
}

fn check_mail(parameters: &str, size_bytes_max: u64) -> Result<(), Reply> {
    let given = || parameters.split(' ').filter_map(|word| word.split_once('='));
    let not_allowed = |name: &str| Reply::new(501, format!("5.5.4 The value of {name} is not allowed"));
    for (name, value) in given() {
        let counted = COUNTED.iter().find(|(known, _)| name.eq_ignore_ascii_case(known));
        if let Some((name, _)) = counted.filter(|(_, digits)| !is_short(value, *digits)) {
            return Err(not_allowed(name));
        }
        // RFC 4865 section 3: in UTC.
        if name.eq_ignore_ascii_case("HOLDUNTIL") && !value.ends_with(['Z', 'z']) {
            return Err(not_allowed("HOLDUNTIL"));
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
    let size = line.split(' ').filter(|word| !word.is_empty()).nth(1).unwrap_or("");
    is_command(line, "BDAT") && !(is_number(size) && size.len() <= DIGITS_MAX)
}

pub(super) fn is_command(line: &str, name: &str) -> bool {
    line.split(' ').next().is_some_and(|word| word.eq_ignore_ascii_case(name))
}

/// Whether a number of so many digits stands before a semicolon or the end, with a sign or without.
fn is_short(value: &str, digits_max: usize) -> bool {
    let number = value.split(';').next().unwrap_or("");
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    is_number(digits) && digits.len() <= digits_max
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}
