//! Flags as they are written and read (RFC 3501 section 2.3.2): system flags, keywords, \Recent. Changes no entry.
use super::answer::Answer;
use posthouse_engine::base::limits::{KEYWORD_BYTES_MAX, KEYWORDS_MAX};
use posthouse_engine::index::{Flags, Keywords};

/// `(\Seen $Forwarded \Recent)`
pub(super) fn write(out: &mut Vec<u8>, flags: Flags, keywords: Keywords, table: &[String], recent: bool) {
    out.push(b'(');
    let start = out.len();
    let mut put = |name: &[u8]| {
        if out.len() > start {
            out.push(b' ');
        }
        out.extend_from_slice(name);
    };
    if flags != Flags::NONE {
        for (flag, name) in Flags::NAMES {
            if flags.contains(flag) {
                put(name.as_bytes());
            }
        }
    }
    let mut bits = keywords.0;
    while bits != 0 {
        if let Some(keyword) = table.get(bits.trailing_zeros() as usize) {
            put(keyword.as_bytes());
        }
        bits &= bits - 1;
    }
    if recent {
        put(b"\\Recent");
    }
    out.push(b')');
}

/// All system flags and the mailbox's keywords, with spaces between.
pub(super) fn write_known(out: &mut Vec<u8>, table: &[String]) {
    let system = Flags::NAMES.iter().map(|(_, name)| *name);
    for (at, name) in system.chain(table.iter().map(String::as_str)).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// Those of them that can be changed: `(flags, keywords)`.
pub(super) fn write_permanent(out: &mut Vec<u8>, may: (Flags, bool), table: &[String]) {
    let system = Flags::NAMES.iter().filter(|(flag, _)| may.0.contains(*flag)).map(|(_, name)| *name);
    let keywords = table.iter().map(String::as_str).filter(|_| may.1);
    for (at, name) in system.chain(keywords).enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        out.extend_from_slice(name.as_bytes());
    }
}

/// Splits named flags into system flags and keywords. The error says which flag cannot be set.
pub(super) fn named(names: &[&str]) -> Result<(Flags, Vec<String>), Answer> {
    let mut flags = Flags::NONE;
    let mut keywords: Vec<String> = Vec::new();
    for name in names {
        if name.starts_with('\\') {
            let known = Flags::NAMES.iter().find(|(_, known)| known.eq_ignore_ascii_case(name));
            let Some((flag, _)) = known else {
                return Err(Answer::bad(format!("{name} cannot be set")));
            };
            flags = flags.union(*flag);
            continue;
        }
        if name.len() > KEYWORD_BYTES_MAX || name.contains(['\\', ']']) {
            return Err(Answer::bad(format!("a keyword has at most {KEYWORD_BYTES_MAX} bytes and neither \\ nor ]")));
        }
        if name.eq_ignore_ascii_case(Keywords::POP3_FETCHED) {
            // With it others would have mail removed. A client that gives back all that it has read does not mean it.
            continue;
        }
        if !keywords.iter().any(|known| known.eq_ignore_ascii_case(name)) {
            keywords.push((*name).to_owned());
        }
        if keywords.len() > KEYWORDS_MAX {
            return Err(Answer::no(format!("[LIMIT] A mailbox has at most {KEYWORDS_MAX} keywords")));
        }
    }
    Ok((flags, keywords))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_written_with_one_space_between() {
        let table = ["$Forwarded".to_owned(), "work".to_owned()];
        let mut out = Vec::new();
        write(&mut out, Flags::SEEN.union(Flags::DELETED), Keywords(2), &table, true);
        assert_eq!(out, b"(\\Deleted \\Seen work \\Recent)");
        out.clear();
        write(&mut out, Flags::NONE, Keywords(0), &table, false);
        assert_eq!(out, b"()");
        out.clear();
        // A bit beyond the table is not shown, and does not panic.
        write(&mut out, Flags::NONE, Keywords(1 << 63), &table, false);
        assert_eq!(out, b"()");
    }

    #[test]
    fn recent_cannot_be_set() {
        assert_eq!(named(&["\\seen", "$Junk", "$junk"]), Ok((Flags::SEEN, vec!["$Junk".to_owned()])));
        assert_eq!(named(&["\\Recent"]), Err(Answer::bad("\\Recent cannot be set")));
        assert!(named(&["a\\b"]).is_err());
    }
}
