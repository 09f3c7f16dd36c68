//! Maildir: messages in cur/ and new/, folders as `.Name.Sub` (Maildir++) or as directories below. Flags come from the names, keywords from
//! Dovecot's list beside them, dates from the files.
use super::eml::{Walk, below, header_or_file_date};
use super::feed::{Feeder, Gone, Item};
use super::kind::Stop;
use super::tree::{Dir, LINK, What};
use super::uidl;
use crate::carry::names;
use crate::limits::IMPORT_DEPTH_MAX;
use posthouse_protocols::imap::utf7;
use std::io::Read;

/// Bytes of the list of keywords.
const KEYWORDS_BYTES_MAX: u64 = 64 << 10;

/// Every message of a Maildir and its folders.
pub(super) fn read(dir: &Dir, to: &mut Feeder) -> Result<(), Stop> {
    folder(dir, &[], to)?;
    folders(dir, &mut Vec::new(), to)
}

/// The folders in a directory.
fn folders(dir: &Dir, levels: &mut Vec<String>, to: &mut Feeder) -> Result<(), Stop> {
    let mut subs: Vec<Vec<u8>> = Vec::new();
    let done = dir.sorted(
        |_| 0,
        |name, what| {
            match what {
                What::Directory if !matches!(name, b"cur" | b"new" | b"tmp") => subs.push(name.to_vec()),
                What::Link => to.bad(dir.shown(name), LINK)?,
                _ => {}
            }
            Ok::<(), Walk>(())
        },
    );
    below(dir, done, to)?;
    for name in subs {
        let sub = match dir.sub(&name) {
            Ok(sub) => sub,
            Err(error) => {
                to.bad(dir.shown(&name), error)?;
                continue;
            }
        };
        let text = String::from_utf8_lossy(&name);
        let depth = levels.len();
        match text.strip_prefix('.') {
            // Other hidden directories are some program's own.
            Some(_) if sub.sub(b"cur").is_err() => continue,
            Some(folder) => levels.extend(names::mailbox_of_maildir(folder).split('/').map(str::to_owned)),
            None => levels.push(utf7::decode(text.as_bytes()).unwrap_or_else(|| text.clone().into_owned())),
        }
        if levels.len() > IMPORT_DEPTH_MAX {
            to.bad(dir.shown(&name), format!("lies more than {IMPORT_DEPTH_MAX} levels deep"))?;
        } else {
            folder(&sub, levels, to)?;
            folders(&sub, levels, to)?;
        }
        levels.truncate(depth);
    }
    Ok(())
}

/// The messages of one folder.
fn folder(dir: &Dir, levels: &[String], to: &mut Feeder) -> Result<(), Stop> {
    let Ok(cur) = dir.sub(b"cur") else { return Ok(()) };
    let mailbox = to.names.place(levels);
    to.make("", &mailbox, None, true)?;
    to.mailbox("", mailbox)?;
    let keywords = keywords(dir);
    // POP3 has no other folder.
    let ids = if levels.is_empty() { uidl::Known::of(dir, &to.pop3_uidl) } else { uidl::Known::default() };
    let beside = Beside { keywords: Some(&keywords), ids: &ids };
    let done = cur.sorted(delivered, |name, what| Ok::<(), Walk>(message(&cur, name, what, beside, to)?));
    below(&cur, done, to)?;
    if let Ok(new) = dir.sub(b"new") {
        let done = new.sorted(delivered, |name, what| {
            Ok::<(), Walk>(message(&new, name, what, Beside { keywords: None, ..beside }, to)?)
        });
        below(&new, done, to)?;
    }
    Ok(())
}

/// The time of delivery, with which a name begins.
fn delivered(name: &[u8]) -> u64 {
    let digits = name.iter().take_while(|byte| byte.is_ascii_digit()).take(18);
    digits.fold(0, |number, digit| number * 10 + u64::from(digit - b'0'))
}

/// What lies beside a folder's messages.
#[derive(Clone, Copy)]
struct Beside<'a> {
    /// Of letters in names, which those in new/ do not have.
    keywords: Option<&'a [Option<String>]>,
    ids: &'a uidl::Known,
}

fn message(dir: &Dir, name: &[u8], what: What, beside: Beside<'_>, to: &mut Feeder) -> Result<(), Gone> {
    match what {
        // The specification: names that begin with a dot are no messages.
        What::File if name.starts_with(b".") => return Ok(()),
        What::File => {}
        What::Link => return to.bad(dir.shown(name), LINK),
        _ => return Ok(()),
    }
    let mut file = match dir.file(name) {
        Ok(file) => file,
        Err(error) => return to.bad(dir.shown(name), error),
    };
    let mut gather = to.gather();
    let read = gather.file(&mut file, false);
    match read.map_err(|error| error.to_string()).and_then(|()| gather.done()) {
        Ok(message) => {
            let flags = beside.keywords.map(|keywords| parse_flags(name, keywords)).unwrap_or_default();
            let pop3_uidl = beside.ids.id(name, &to.pop3_uidl);
            to.message(Item { what: dir.shown(name), flags, date: header_or_file_date(&file), pop3_uidl, message })
        }
        Err(why) => to.bad(dir.shown(name), why),
    }
}

/// The flags behind `:2,`; some file systems have another character than the colon.
pub(super) fn parse_flags(name: &[u8], keywords: &[Option<String>]) -> Vec<String> {
    let info = name.windows(3).rposition(|three| matches!(three[0], b':' | b';' | b'!') && &three[1..] == b"2,");
    let letters = info.map(|at| &name[at + 3..]).unwrap_or_default();
    let flag = |letter: &u8| match letter {
        b'D' => Some("\\Draft".to_owned()),
        b'F' => Some("\\Flagged".to_owned()),
        b'P' => Some("$Forwarded".to_owned()),
        b'R' => Some("\\Answered".to_owned()),
        b'S' => Some("\\Seen".to_owned()),
        b'T' => Some("\\Deleted".to_owned()),
        b'a'..=b'z' => keywords.get(usize::from(letter - b'a')).cloned().flatten(),
        _ => None,
    };
    letters.iter().take_while(|letter| **letter != b',').filter_map(flag).collect()
}

/// Dovecot's list: `0 Name` a line, 0 for the letter a.
fn keywords(dir: &Dir) -> Vec<Option<String>> {
    let mut text = String::new();
    let read = dir.file(b"dovecot-keywords").and_then(|file| file.take(KEYWORDS_BYTES_MAX).read_to_string(&mut text));
    parse_keywords(if read.is_ok() { &text } else { "" })
}

pub(super) fn parse_keywords(text: &str) -> Vec<Option<String>> {
    let mut out = vec![None; 26];
    for (number, name) in text.lines().filter_map(|line| line.split_once(' ')) {
        if let Some(slot) = number.parse::<usize>().ok().and_then(|number| out.get_mut(number)) {
            *slot = Some(name.trim().to_owned());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_flags_and_times() {
        let keywords = vec![Some("$Label1".to_owned()), None];
        let of = |name: &str| parse_flags(name.as_bytes(), &keywords);
        assert_eq!(of("1700000000.M1P2.host,S=10:2,RSa"), ["\\Answered", "\\Seen", "$Label1"]);
        assert_eq!(of("1.x;2,P"), ["$Forwarded"]);
        assert_eq!(of("1.x:2,Sb,unknown=T"), ["\\Seen"]);
        assert_eq!(of("1.x"), Vec::<String>::new());
        assert_eq!(delivered(b"1700000000.M1P2"), 1_700_000_000);
        assert_eq!(delivered(b"99999999999999999999999999.x"), 999_999_999_999_999_999);
    }
}
