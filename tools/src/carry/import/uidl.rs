//! Which unique-ids the messages of a Maildir had by POP3, so that their owner's client does not fetch them all again: from Courier's and
//! Dovecot's lists beside them, or by the form that the old server made them in. Brings no message.
use super::tree::Dir;
use crate::limits::{IMPORT_UIDL_FORMAT_BYTES_MAX, IMPORT_UIDLIST_BYTES_MAX};
use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Read;

/// What the operator says of the old server's ids.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ids {
    /// Those that stand in a list, message by message.
    Listed,
    /// None is kept.
    None,
    /// Those, and for the other messages what this form makes.
    Form(Vec<Piece>),
}

/// A piece of a form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Piece {
    /// As it stands.
    Text(String),
    /// `%f`: the file's name without its flags.
    File,
    /// `%u` and `%v`: the uid or UIDVALIDITY, in so many digits at least, with zeros before them.
    Number { validity: bool, hex: bool, digits: usize },
}

/// Reads `listed`, `none`, `dovecot` (its default), `file`, or a form in Dovecot's words (`pop3_uidl_format`): text with %u, %v and %f.
pub fn parse_format(text: &str) -> Result<Ids, String> {
    match text {
        "listed" => return Ok(Ids::Listed),
        "none" => return Ok(Ids::None),
        "dovecot" => return parse_format("%08Xu%08Xv"),
        "file" => return parse_format("%f"),
        _ => {}
    }
    let wrong = || {
        format!(
            "{text:?}: allowed are listed, none, dovecot, file, or a form with %u, %v or %f, as in %v-%u or %08Xu%08Xv"
        )
    };
    if text.len() > IMPORT_UIDL_FORMAT_BYTES_MAX {
        return Err(wrong());
    }
    let mut pieces = Vec::new();
    let mut parts = text.split('%');
    pieces.extend(parts.next().filter(|first| !first.is_empty()).map(|first| Piece::Text(first.to_owned())));
    for part in parts {
        let zeros = part.strip_prefix('0').unwrap_or(part);
        let letters = zeros.trim_start_matches(|c: char| c.is_ascii_digit());
        let digits = zeros[..zeros.len() - letters.len()].parse().unwrap_or(0);
        let (hex, letters) = letters.strip_prefix('X').map_or((false, letters), |rest| (true, rest));
        let mut rest = letters.chars();
        pieces.push(match rest.next() {
            Some('f') if !hex && digits == 0 => Piece::File,
            Some(letter @ ('u' | 'v')) if digits <= 20 => Piece::Number { validity: letter == 'v', hex, digits },
            _ => return Err(wrong()),
        });
        pieces.extend(Some(rest.as_str()).filter(|rest| !rest.is_empty()).map(|rest| Piece::Text(rest.to_owned())));
    }
    let makes_many = |piece: &Piece| matches!(piece, Piece::File | Piece::Number { validity: false, .. });
    if pieces.iter().any(makes_many) { Ok(Ids::Form(pieces)) } else { Err(wrong()) }
}

/// What the lists of a folder say of its messages, by the files' names without flags.
#[derive(Debug, Default)]
pub(super) struct Known {
    listed: HashMap<Vec<u8>, String>,
    uids: HashMap<Vec<u8>, u32>,
    validity: Option<u32>,
}

impl Known {
    /// Reads the lists of a folder as far as they are needed; what is not there says nothing.
    pub(super) fn of(dir: &Dir, ids: &Ids) -> Known {
        let mut known = Known::default();
        if *ids == Ids::None {
            return known;
        }
        if let Some(text) = list(dir, b"dovecot-uidlist").or_else(|| list(dir, b"courierimapuiddb")) {
            parse_uidlist(&text, &mut known);
        }
        if let Some(text) = list(dir, b"courierpop3dsizelist") {
            parse_sizelist(&text, &mut known);
        }
        known
    }

    /// The id of the message in a file.
    pub(super) fn id(&self, file: &[u8], ids: &Ids) -> Option<String> {
        let base = base(file);
        match (self.listed.get(base), ids) {
            (Some(id), _) => Some(id.clone()),
            (None, Ids::Form(pieces)) => made(pieces, base, self.uids.get(base).copied(), self.validity),
            (None, Ids::Listed | Ids::None) => None,
        }
    }
}

fn list(dir: &Dir, name: &[u8]) -> Option<Vec<u8>> {
    let mut text = Vec::new();
    dir.file(name).and_then(|file| file.take(IMPORT_UIDLIST_BYTES_MAX).read_to_end(&mut text)).ok()?;
    Some(text)
}

/// A file's name without its flags, which change while the id stays.
fn base(file: &[u8]) -> &[u8] {
    let flags = file.windows(3).rposition(|three| matches!(three[0], b':' | b';' | b'!') && &three[1..] == b"2,");
    &file[..flags.unwrap_or(file.len())]
}

fn made(pieces: &[Piece], base: &[u8], uid: Option<u32>, validity: Option<u32>) -> Option<String> {
    let mut id = String::new();
    for piece in pieces {
        match piece {
            Piece::Text(text) => id.push_str(text),
            Piece::File => id.push_str(std::str::from_utf8(base).ok()?),
            Piece::Number { validity: of_mailbox, hex, digits } => {
                let number = if *of_mailbox { validity? } else { uid? };
                // Writing to memory does not fail.
                let _ = if *hex { write!(id, "{number:0digits$x}") } else { write!(id, "{number:0digits$}") };
            }
        }
    }
    Some(id)
}

/// dovecot-uidlist: version 3 has `3 V<UIDVALIDITY> ...`, then `<uid> [<letter><value> ...] :<file>` with `P<id>` where POP3's id is not made by
/// the form; version 1, which is courierimapuiddb's too, has `1 <UIDVALIDITY> <next uid>`, then `<uid> <file>`.
pub(super) fn parse_uidlist(text: &[u8], known: &mut Known) {
    let mut lines = text.split(|byte| *byte == b'\n');
    let head = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let mut words = head.split(' ');
    let is_newer = match words.next() {
        Some("3") => true,
        Some("1") => false,
        _ => return,
    };
    known.validity = match is_newer {
        true => words.find_map(|word| word.strip_prefix('V')?.parse().ok()),
        false => words.next().and_then(|word| word.parse().ok()),
    };
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b' ');
        let uid = parts.next().and_then(|uid| std::str::from_utf8(uid).ok()?.parse().ok());
        let (Some(uid), Some(rest)) = (uid, parts.next()) else { continue };
        let (fields, file) = match is_newer {
            false => (&rest[..0], rest),
            true if rest.starts_with(b":") => (&rest[..0], &rest[1..]),
            true => match rest.windows(2).position(|two| two == b" :") {
                Some(at) => (&rest[..at], &rest[at + 2..]),
                None => continue,
            },
        };
        let id = fields.split(|byte| *byte == b' ').find_map(|field| field.strip_prefix(b"P"));
        if let Some(id) = id.and_then(|id| std::str::from_utf8(id).ok()) {
            known.listed.insert(base(file).to_vec(), id.to_owned());
        }
        known.uids.insert(base(file).to_vec(), uid);
    }
}

/// courierpop3dsizelist: `/<version> ...`, then `<file> <size> <number>:<UIDVALIDITY>[:<utf8>]`. The id is `UID<number>-<UIDVALIDITY>`, without
/// UIDVALIDITY when that is 0; with number 0 it is the file's name, some of its characters as `+` and two digits.
pub(super) fn parse_sizelist(text: &[u8], known: &mut Known) {
    let mut lines = text.split(|byte| *byte == b'\n');
    if !lines.next().is_some_and(|head| head.starts_with(b"/2 ") || head.starts_with(b"/3 ")) {
        return;
    }
    for line in lines {
        // A name may have spaces.
        let mut parts = line.rsplitn(3, |byte| *byte == b' ');
        let (Some(numbers), Some(_), Some(file)) = (parts.next(), parts.next(), parts.next()) else { continue };
        let Ok(numbers) = std::str::from_utf8(numbers) else { continue };
        let mut numbers = numbers.split(':').map(|number| number.parse::<u64>().ok());
        let (Some(Some(number)), Some(Some(validity))) = (numbers.next(), numbers.next()) else { continue };
        let file = file.split(|byte| *byte == b':').next().unwrap_or_default();
        let id = match (number, validity) {
            (0, _) => escaped(file),
            (number, 0) => format!("UID{number}"),
            (number, validity) => format!("UID{number}-{validity}"),
        };
        known.listed.insert(file.to_vec(), id);
    }
}

fn escaped(file: &[u8]) -> String {
    let mut id = String::new();
    for byte in file {
        match byte {
            b'\'' | b'"' | b'+' | 0..=0x20 | 0x7f.. => drop(write!(id, "+{byte:02X}")),
            byte => id.push(char::from(*byte)),
        }
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(text: &str) -> Ids {
        parse_format(text).unwrap_or_else(|why| panic!("{why}"))
    }

    #[test]
    fn forms() {
        let mut known = Known { validity: Some(0x4c0a_3b38), ..Known::default() };
        known.uids.insert(b"17.host,S=1".to_vec(), 10);
        let id = |text: &str| known.id(b"17.host,S=1:2,S", &form(text));
        assert_eq!(id("dovecot").as_deref(), Some("0000000a4c0a3b38"));
        assert_eq!(id("%v-%u").as_deref(), Some("1275738936-10"));
        assert_eq!(id("%v.%u").as_deref(), Some("1275738936.10"));
        assert_eq!(id("UID%04u").as_deref(), Some("UID0010"));
        assert_eq!(id("file").as_deref(), Some("17.host,S=1"));
        assert_eq!(id("listed"), None);
        assert_eq!(known.id(b"18.host", &form("%u")), None, "nobody knows its uid");
        for wrong in ["", "x", "%", "%v", "%08Xf", "%m", "%99u", &"%u".repeat(100)] {
            assert!(parse_format(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn lists() {
        let mut known = Known::default();
        parse_uidlist(
            b"3 V1275660208 N25022 G3085f01b7f11094c501100008c4a11c1\n25006 :1.a,S=1:2,\n25007 W10 Pold.id S9 :2.b:2,S\nx\n25008 P\xff :3.c\n25009 nothing",
            &mut known,
        );
        assert_eq!(known.validity, Some(1_275_660_208));
        assert_eq!(known.id(b"1.a,S=1:2,RS", &form("%u")).as_deref(), Some("25006"));
        assert_eq!(known.id(b"2.b", &form("%u")).as_deref(), Some("old.id"), "what is listed goes before the form");
        assert_eq!(known.id(b"2.b", &Ids::Listed).as_deref(), Some("old.id"));
        assert_eq!((known.listed.len(), known.uids.len()), (1, 3));
        let mut known = Known::default();
        parse_uidlist(b"1 7 9\n8 1.a:2,\n", &mut known);
        assert_eq!(known.id(b"1.a", &form("%v-%u")).as_deref(), Some("7-8"));
        let mut known = Known::default();
        parse_sizelist(
            b"/3 9 1700\n1.a b:2,S 10 5:1700:0\n2.b 1 6:0:1\n3.c+\xff 1 0:0:0\n4.d 1 x:0\n5.e 1\n",
            &mut known,
        );
        let listed = |name: &[u8]| known.id(name, &Ids::Listed);
        assert_eq!(listed(b"1.a b:2,RS").as_deref(), Some("UID5-1700"));
        assert_eq!(listed(b"2.b").as_deref(), Some("UID6"));
        assert_eq!(listed(b"3.c+\xff").as_deref(), Some("3.c+2B+FF"));
        assert_eq!((listed(b"4.d"), listed(b"5.e")), (None, None));
        let mut older = Known::default();
        parse_sizelist(b"/1 9\n6.f 1 7:0\n", &mut older);
        assert_eq!(older.id(b"6.f", &Ids::Listed), None, "another version");
    }
}
