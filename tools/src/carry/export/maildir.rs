//! Maildir++ as Dovecot and Courier read it: flags in the file's name, the internal date as its time, keywords as letters that the file
//! `dovecot-keywords` explains. Messages are written byte for byte, with CRLF.
use super::target::{Target, set_date};
use super::{Layout, Placed};
use crate::carry::names;
use crate::ops::bulk::{MailboxRow, Outgoing};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Keywords that have a letter.
const LETTERS: usize = 26;

pub(super) struct Maildir {
    target: Target,
    /// The mailbox's directory.
    at: PathBuf,
    keywords: Vec<String>,
}

impl Maildir {
    pub(super) fn new(target: Target) -> Maildir {
        Maildir { target, at: PathBuf::new(), keywords: Vec::new() }
    }

    /// The letter of a keyword; the first 26 of a mailbox get one.
    fn letter(&mut self, keyword: &str) -> Option<char> {
        let at = match self.keywords.iter().position(|known| known.eq_ignore_ascii_case(keyword)) {
            Some(at) => at,
            None if self.keywords.len() < LETTERS => {
                self.keywords.push(keyword.to_owned());
                self.keywords.len() - 1
            }
            None => return None,
        };
        Some(char::from(b'a' + at as u8))
    }

    /// The letters behind `:2,`, in ASCII order as the Maildir specification asks.
    fn info(&mut self, flags: &[String]) -> String {
        let mut letters: Vec<char> = Vec::new();
        for flag in flags {
            letters.extend(match flag.as_str() {
                "\\Draft" => Some('D'),
                "\\Flagged" => Some('F'),
                "\\Answered" => Some('R'),
                "\\Seen" => Some('S'),
                "\\Deleted" => Some('T'),
                keyword => self.letter(keyword),
            });
        }
        letters.sort_unstable();
        letters.into_iter().collect()
    }
}

impl Layout for Maildir {
    fn mailbox(&mut self, account: &str, mailbox: &MailboxRow) -> io::Result<String> {
        let folder = names::maildir_folder(&mailbox.name);
        self.at = Path::new(&names::file_name(account)).join(&folder);
        self.keywords.clear();
        for sub in ["cur", "new", "tmp"] {
            self.target.create_dir(&self.at.join(sub))?;
        }
        if !folder.is_empty() {
            self.target.create(&self.at.join("maildirfolder"))?;
        }
        Ok(self.at.to_string_lossy().into_owned())
    }

    fn message(&mut self, message: &Outgoing, bytes: &[u8]) -> io::Result<Placed> {
        let info = self.info(&message.flags);
        let (seconds, uid, size) = (message.date.max(0), message.uid, bytes.len());
        let path = self.at.join("cur").join(format!("{seconds}.U{uid}.posthouse,S={size},W={size}:2,{info}"));
        let mut file = self.target.create(&path)?;
        file.write_all(bytes)?;
        set_date(&file, message.date)?;
        Ok(Placed { path: path.to_string_lossy().into_owned(), within: None })
    }

    fn end(&mut self) -> io::Result<()> {
        if self.keywords.is_empty() {
            return Ok(());
        }
        let text: String = self.keywords.iter().enumerate().map(|(at, name)| format!("{at} {name}\n")).collect();
        self.target.create(&self.at.join("dovecot-keywords"))?.write_all(text.as_bytes())
    }
}
