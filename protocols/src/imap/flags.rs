//! Flags as they are written and read (RFC 3501 section 2.3.2): system flags, keywords, \Recent. Changes no entry.
use imap_codec::imap_types::flag::Flag;
use posthouse_engine::base::limits::KEYWORD_BYTES_MAX;
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

/// Splits named flags into system flags and keywords. The error says which flag cannot be set.
pub(super) fn split(named: &[Flag<'_>]) -> Result<(Flags, Vec<String>), String> {
    let mut flags = Flags::NONE;
    let mut keywords: Vec<String> = Vec::new();
    for flag in named {
        let system = match flag {
            Flag::Answered => Flags::ANSWERED,
            Flag::Deleted => Flags::DELETED,
            Flag::Draft => Flags::DRAFT,
            Flag::Flagged => Flags::FLAGGED,
            Flag::Seen => Flags::SEEN,
            Flag::Extension(_) => return Err(format!("{flag} cannot be set")),
            Flag::Keyword(keyword) => {
                let keyword = keyword.as_ref();
                if keyword.len() > KEYWORD_BYTES_MAX {
                    return Err(format!("a keyword has at most {KEYWORD_BYTES_MAX} bytes"));
                }
                if !keywords.iter().any(|known| known.eq_ignore_ascii_case(keyword)) {
                    keywords.push(keyword.to_owned());
                }
                continue;
            }
        };
        flags = flags.union(system);
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
        let named = [Flag::try_from("\\Seen"), Flag::try_from("$Junk"), Flag::try_from("$junk")];
        let named: Vec<Flag<'_>> = named.into_iter().map(|flag| flag.expect("a valid flag")).collect();
        assert_eq!(split(&named), Ok((Flags::SEEN, vec!["$Junk".to_owned()])));
        let recent = [Flag::try_from("\\Recent").expect("a valid flag")];
        assert!(split(&recent).is_err());
    }
}
