//! Names of accounts and mailboxes as names of files and back. A name in the store may hold anything but control characters; a file's name
//! must not lead out of its directory, nor be longer than file systems take.
use super::sha;
use posthouse_protocols::imap::utf7;

/// Bytes of a file's name, with room for what is put behind it.
const NAME_BYTES_MAX: usize = 200;
/// Characters that some file system or shell takes for something else.
const UNSAFE: &str = "/\\:*?\"<>|%";
/// Endings that mean a file of mail, so that a directory must not have them.
const ENDINGS: [&str; 2] = [".mbox", ".eml"];
/// Begins the hash behind a name that was cut; no name that was not cut has it.
const CUT: &str = "%~";

/// An account's address or one level of a mailbox's name as a file's name. Different texts give different names.
pub fn file_name(text: &str) -> String {
    let dot = ENDINGS.iter().find_map(|ending| {
        let at = text.len().checked_sub(ending.len())?;
        text.get(at..)?.eq_ignore_ascii_case(ending).then_some(at)
    });
    let last = text.char_indices().next_back().map_or(0, |(at, _)| at);
    let mut out = String::with_capacity(text.len());
    for (at, c) in text.char_indices() {
        let edge = at == 0 || at == last;
        if c.is_control() || UNSAFE.contains(c) || Some(at) == dot || (edge && matches!(c, '.' | ' ')) {
            c.encode_utf8(&mut [0; 4]).bytes().for_each(|byte| out.push_str(&format!("%{byte:02X}")));
        } else {
            out.push(c);
        }
    }
    cut(out, text)
}

/// The text that `file_name` made this of; `None`: it made no such name, or cut it.
pub fn text_of(name: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(name.len());
    let mut rest = name.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = std::str::from_utf8(after.get(..2)?).ok().filter(|digits| digits.bytes().all(is_digit))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        rest = &after[2..];
    }
    String::from_utf8(bytes).ok()
}

fn is_digit(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'A'..=b'F').contains(&byte)
}

/// A name that is too long keeps its beginning; what follows becomes a hash of the whole.
fn cut(mut name: String, text: &str) -> String {
    if name.len() > NAME_BYTES_MAX {
        let mut end = NAME_BYTES_MAX;
        while !name.is_char_boundary(end) {
            end -= 1;
        }
        name.truncate(end);
        name.push_str(CUT);
        name.push_str(&sha::of(text.as_bytes())[..32]);
    }
    name
}

/// A mailbox's name as Maildir++ has it: `.Level.Level` in modified UTF-7; empty for INBOX, which is the directory itself.
pub fn maildir_folder(mailbox: &str) -> String {
    if mailbox == "INBOX" {
        return String::new();
    }
    let mut out = String::new();
    for level in mailbox.split('/') {
        out.push('.');
        // The dot separates levels, so one in a name must be something else.
        let level = level.replace('%', "%25").replace('.', "%2E");
        out.push_str(&String::from_utf8_lossy(&utf7::encode(&level)));
    }
    cut(out, mailbox)
}

/// The levels of a Maildir++ folder's name (without its first dot) as a mailbox's name. What is no modified UTF-7 is taken as it is.
pub fn mailbox_of_maildir(folder: &str) -> String {
    let level = |level: &str| utf7::decode(level.as_bytes()).unwrap_or_else(|| level.to_owned());
    mailbox(folder.split('.').map(level))
}

/// A mailbox's name of levels that come from outside: no control characters, no empty level, no `/` within one.
pub fn mailbox(levels: impl IntoIterator<Item = String>) -> String {
    let clean = |level: String| -> String {
        let level: String = level.chars().map(|c| if c.is_control() || c == '/' { '_' } else { c }).collect();
        if level.is_empty() { "_".into() } else { level }
    };
    levels.into_iter().map(clean).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn safe_names_come_back() {
        for text in
            ["项目", "..", ".", ".hidden", "a/b", "50%", "x.eml", "X.MBOX", " end ", "a:b*c?", "é", "a\\b", "a\u{1}"]
        {
            let name = file_name(text);
            assert!(!name.contains(['/', '\\', '\0']) && !name.starts_with('.'), "{name}");
            assert_eq!(text_of(&name).as_deref(), Some(text), "{name}");
        }
        assert_eq!(file_name("项目 2024"), "项目 2024", "what is safe stays readable");
        for strange in ["50%", "%zz", "%2e", "%~00", "%FF"] {
            assert_eq!(text_of(strange), None, "{strange}");
        }
    }

    #[test]
    fn long_names_are_cut_and_stay_different() {
        let (one, two) = ("项".repeat(341), "项".repeat(340) + "x");
        for name in [file_name(&one), maildir_folder(&one), maildir_folder(&two)] {
            assert!(name.len() <= 240, "{}", name.len());
        }
        assert_ne!(file_name(&one), file_name(&two));
        assert_ne!(maildir_folder(&one), maildir_folder(&two));
        assert_eq!(text_of(&file_name(&one)), None, "its text is in the manifest only");
    }

    #[test]
    fn maildir_folders_are_those_of_other_servers() {
        assert_eq!(maildir_folder("INBOX"), "");
        assert_eq!(maildir_folder("Work/项目"), ".Work.&mHl27g-");
        assert_eq!(mailbox_of_maildir("Work.&mHl27g-"), "Work/项目");
        assert_eq!(maildir_folder("v1.2"), ".v1%2E2");
        assert_eq!(mailbox_of_maildir("a..b\u{7}c"), "a/_/b_c");
    }
}
