//! An export of ours, by its manifest: flags, keywords and dates exactly, and each message proven by its hash before it is taken.
use super::eml::fatal;
use super::feed::{Feeder, Item};
use super::gather::Gathered;
use super::kind::{Quoting, Stop};
use super::mbox::unquoted;
use super::tree::Dir;
use crate::carry::manifest::{self, Line, Lines, Message, Within};
use crate::carry::sha;
use crate::ops::bulk::Annotation;
use crate::ops::{Failure, Kind};
use crate::time::parse_rfc3339;
use std::fs::File;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

/// Bytes read at once.
const READ_BYTES: u64 = 128 << 10;

/// Every message of the export that is `from`'s; of an export of several accounts one must be named, or all are meant (`each`).
pub(super) fn read(dir: &Dir, from: Option<&str>, each: bool, to: &mut Feeder) -> Result<(), Stop> {
    let refused = |what: String| Stop::Failure(Failure::new(Kind::Refused, what));
    let open = || -> Result<Lines<BufReader<File>>, Stop> {
        let file = dir.file(manifest::NAME.as_bytes());
        file.map(|file| Lines::new(BufReader::new(file)))
            .map_err(|error| fatal(dir.shown(manifest::NAME.as_bytes()), &error))
    };
    let mut reader = Reader { dir, each, open: None, to };
    let from = match from {
        Some(from) => Some(from.to_owned()),
        None if each => None,
        None => the_one(open()?, dir)?,
    };
    let mut seen = false;
    for line in open()? {
        let line = line.map_err(|what| refused(format!("{}: {what}", dir.path().display())))?;
        let wanted = |account: &str| from.as_deref().is_none_or(|from| from.eq_ignore_ascii_case(account));
        match line {
            Line::Mailbox { account, mailbox, special_use, subscribed, .. } if wanted(&account) => {
                seen = true;
                reader.mailbox(&account, &mailbox, special_use, subscribed)?;
            }
            Line::Annotation { account, mailbox, annotation } if wanted(&account) => {
                reader.annotation(&account, mailbox.as_deref(), annotation)?;
            }
            Line::Message(message) if wanted(&message.account) => reader.message(message)?,
            _ => {}
        }
    }
    match from {
        Some(from) if !seen => Err(Stop::Failure(Failure::not_found(format_args!("mail of {from} in this export")))),
        _ => Ok(()),
    }
}

/// The only account of an export, if it has only one.
fn the_one(lines: Lines<BufReader<File>>, dir: &Dir) -> Result<Option<String>, Stop> {
    let mut accounts: Vec<String> = Vec::new();
    for line in lines {
        if let Ok(Line::Mailbox { account, .. }) = line
            && !accounts.contains(&account)
        {
            accounts.push(account);
        }
        if accounts.len() > 8 {
            accounts.push("...".into());
            break;
        }
    }
    if accounts.len() > 1 {
        let all = accounts.join(", ");
        let text = format!(
            "{}: an export of several accounts; --from says whose mail is meant ({all}), --each takes all",
            dir.path().display()
        );
        return Err(Stop::Failure(Failure::new(Kind::Refused, text)));
    }
    Ok(accounts.pop())
}

struct Reader<'a> {
    dir: &'a Dir,
    each: bool,
    /// The mbox file that was read last.
    open: Option<(String, File)>,
    to: &'a mut Feeder,
}

impl Reader<'_> {
    fn mailbox(
        &mut self,
        account: &str,
        mailbox: &str,
        special_use: Option<String>,
        subscribed: bool,
    ) -> Result<(), Stop> {
        let account = if self.each { account } else { "" };
        let special_use = special_use.filter(|_| self.to.names.is_at_home());
        let name = self.to.names.exact(mailbox);
        Ok(self.to.make(account, &name, special_use, subscribed)?)
    }

    /// Those of the account itself come only with the whole of it.
    fn annotation(&mut self, account: &str, mailbox: Option<&str>, annotation: Annotation) -> Result<(), Stop> {
        let account = if self.each { account } else { "" };
        let mailbox = mailbox.map(|mailbox| self.to.names.exact(mailbox));
        if mailbox.is_none() && !self.to.names.is_at_home() {
            return Ok(());
        }
        Ok(self.to.annotate(account, mailbox, annotation)?)
    }

    fn message(&mut self, message: Message) -> Result<(), Stop> {
        let account = if self.each { message.account.clone() } else { String::new() };
        let mailbox = self.to.names.exact(&message.mailbox);
        self.to.mailbox(&account, mailbox)?;
        let what = format!("{} (mailbox {}, uid {})", message.path, message.mailbox, message.uid);
        let Some(date) = parse_rfc3339(&message.date) else {
            return Ok(self.to.bad(what, format!("{:?} is no date", message.date))?);
        };
        match self.bytes(&message) {
            Ok(bytes) => {
                let item =
                    Item { what, flags: message.flags, date: Some(date), pop3_uidl: message.pop3_uidl, message: bytes };
                Ok(self.to.message(item)?)
            }
            Err(why) => Ok(self.to.bad(what, why)?),
        }
    }

    /// The message's bytes, proven by size and hash.
    fn bytes(&mut self, message: &Message) -> Result<Gathered, String> {
        let mut gather = self.to.gather();
        let text = |error: io::Error| error.to_string();
        match message.within {
            None => {
                let mut file = self.dir.file_below(&message.path).map_err(text)?;
                gather.file(&mut file, true).map_err(text)?;
            }
            Some(within) => {
                if self.open.as_ref().is_none_or(|(path, _)| *path != message.path) {
                    let file = self.dir.file_below(&message.path).map_err(text)?;
                    self.open = Some((message.path.clone(), file));
                }
                if let Some((_, file)) = &mut self.open {
                    part(file, within, &mut gather).map_err(text)?;
                }
            }
        }
        let bytes = gather.done()?;
        if bytes.bytes.len() as u64 != message.size || !sha::of(&bytes.bytes).eq_ignore_ascii_case(&message.sha256) {
            return Err("is not what was exported: size or SHA-256 differ from the manifest's".into());
        }
        Ok(bytes)
    }
}

/// A message within an mbox file of ours.
fn part(file: &mut File, within: Within, gather: &mut super::gather::Gather) -> io::Result<()> {
    file.seek(SeekFrom::Start(within.offset))?;
    let mut rest = BufReader::with_capacity(READ_BYTES as usize, file.take(within.length));
    let mut line = Vec::new();
    let mut begins = true;
    loop {
        line.clear();
        // A line in pieces: only its beginning can be quoted.
        let got = io::BufRead::read_until(&mut rest.by_ref().take(READ_BYTES), b'\n', &mut line)?;
        if got == 0 {
            return Ok(());
        }
        let bytes = if begins { unquoted(&line, Quoting::Rd) } else { &line[..] };
        if within.lf {
            gather.text(bytes)
        } else {
            gather.raw(bytes)
        }
        begins = line.ends_with(b"\n");
    }
}
