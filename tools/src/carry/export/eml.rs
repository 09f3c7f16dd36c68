//! A directory for each mailbox and a file for each message, byte for byte. Flags and keywords stand in the manifest only.
use super::target::{Target, set_date};
use super::{Layout, Placed};
use crate::carry::names;
use crate::ops::bulk::{MailboxRow, Outgoing};
use std::io::{self, Write};
use std::path::PathBuf;

pub(super) struct Eml {
    target: Target,
    at: PathBuf,
}

impl Eml {
    pub(super) fn new(target: Target) -> Eml {
        Eml { target, at: PathBuf::new() }
    }
}

/// The account's directory and a directory for each level of the name.
pub(super) fn path_of(account: &str, mailbox: &str) -> PathBuf {
    std::iter::once(account).chain(mailbox.split('/')).map(names::file_name).collect()
}

impl Layout for Eml {
    fn mailbox(&mut self, account: &str, mailbox: &MailboxRow) -> io::Result<String> {
        self.at = path_of(account, &mailbox.name);
        self.target.create_dir(&self.at)?;
        Ok(self.at.to_string_lossy().into_owned())
    }

    fn message(&mut self, message: &Outgoing, bytes: &[u8]) -> io::Result<Placed> {
        let path = self.at.join(format!("{:010}.eml", message.uid));
        let mut file = self.target.create(&path)?;
        file.write_all(bytes)?;
        set_date(&file, message.date)?;
        Ok(Placed { path: path.to_string_lossy().into_owned(), within: None })
    }

    fn end(&mut self) -> io::Result<()> {
        Ok(())
    }
}
