//! Export: the mail of an account, a mailbox, a tenant or everything as files, one message after the other. Goes on past a message that the
//! store cannot read, and never leaves a half export that looks whole: the manifest gets its name last.
mod eml;
mod maildir;
mod mbox;
mod target;

pub(crate) use mbox::is_from_line;

use super::manifest::{self, Format, Line, Message};
use super::sha;
use crate::ops::bulk::{AccountRow, Answer, Ask, MailboxRow, Outgoing, Scope};
use crate::ops::{Failure, Kind};
use crate::progress::Progress;
use crate::session::Session;
use crate::time::rfc3339;
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;
pub(super) use target::Target;

/// What to export and how.
pub struct Options<'a> {
    /// Whose mail.
    pub scope: Scope,
    /// Only this mailbox of each account.
    pub mailbox: Option<String>,
    /// How it shall lie in files.
    pub format: Format,
    /// An empty or new directory.
    pub to: &'a Path,
}

/// What came of it.
#[derive(Debug, Default, Serialize)]
pub struct Report {
    /// Accounts with mail or mailboxes.
    pub accounts: u64,
    /// Mailboxes.
    pub mailboxes: u64,
    /// Messages written.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Annotations of accounts and mailboxes, which the manifest holds.
    pub annotations: u64,
    /// Messages that the store could not read; the manifest lists them.
    pub unreadable: u64,
}

/// Where a message was put.
pub(super) struct Placed {
    pub(super) path: String,
    pub(super) within: Option<manifest::Within>,
}

/// One way in which messages lie in files.
pub(super) trait Layout {
    /// Begins a mailbox; its path from the export's directory on.
    fn mailbox(&mut self, account: &str, mailbox: &MailboxRow) -> io::Result<String>;
    /// The next message of that mailbox.
    fn message(&mut self, message: &Outgoing, bytes: &[u8]) -> io::Result<Placed>;
    /// The mailbox is whole.
    fn end(&mut self) -> io::Result<()>;
}

/// Exports.
///
/// # Errors
/// The target is not empty, the scope names nobody, the disk fails or is full. The directory holds no manifest then.
pub fn run(session: &mut Session, options: &Options<'_>) -> Result<Report, Failure> {
    // Asked first: a name that nobody has shall leave no directory behind.
    let first = accounts(session, &options.scope, None)?;
    let target = Target::make(options.to)?;
    let unfinished = options.to.join(manifest::UNFINISHED);
    let manifest = target.create(Path::new(manifest::UNFINISHED)).map_err(|error| written(&unfinished, error))?;
    let layout = layout(options.format, target.clone());
    let mut export = Export {
        session,
        options,
        layout,
        manifest: BufWriter::new(manifest),
        report: Report::default(),
        progress: Progress::new(first.0.iter().map(|row| row.bytes).sum()),
    };
    let done = export.all(first);
    export.progress.end();
    done?;
    let report = export.finish()?;
    target.finish(manifest::UNFINISHED, manifest::NAME).map_err(|error| written(options.to, error))?;
    Ok(report)
}

/// The files of a format below a target.
pub(super) fn layout(format: Format, target: Target) -> Box<dyn Layout> {
    match format {
        Format::Maildir => Box::new(maildir::Maildir::new(target)),
        Format::Mbox => Box::new(mbox::Mbox::new(target)),
        Format::Eml => Box::new(eml::Eml::new(target)),
    }
}

fn written(path: &Path, error: io::Error) -> Failure {
    Failure::io(format_args!("{}: the export is not whole", path.display()), &error)
}

type Page = (Vec<AccountRow>, Option<String>);

fn accounts(session: &mut Session, scope: &Scope, after: Option<String>) -> Result<Page, Failure> {
    match session.bulk(Ask::Accounts { scope: scope.clone(), after }, Vec::new())? {
        (Answer::Accounts { accounts, next }, _) => Ok((accounts, next)),
        _ => Err(unexpected()),
    }
}

fn unexpected() -> Failure {
    Failure::new(Kind::Failed, "the store answered something else than was asked")
}

struct Export<'a> {
    session: &'a mut Session,
    options: &'a Options<'a>,
    layout: Box<dyn Layout>,
    manifest: BufWriter<File>,
    report: Report,
    progress: Progress,
}

impl Export<'_> {
    fn all(&mut self, first: Page) -> Result<(), Failure> {
        self.line(&Line::Export { version: manifest::VERSION, format: self.options.format })?;
        let mut page = first;
        loop {
            for account in &page.0 {
                self.account(account)?;
            }
            let Some(after) = page.1 else { break };
            page = accounts(self.session, &self.options.scope, Some(after))?;
            self.progress.grow(page.0.iter().map(|row| row.bytes).sum());
        }
        match &self.options.mailbox {
            Some(name) if self.report.mailboxes == 0 => Err(Failure::not_found(format_args!("mailbox {name}"))),
            _ => Ok(()),
        }
    }

    fn account(&mut self, account: &AccountRow) -> Result<(), Failure> {
        let (Answer::Mailboxes { mailboxes }, _) =
            self.session.bulk(Ask::Mailboxes { account: account.id }, Vec::new())?
        else {
            return Err(unexpected());
        };
        let wanted = |row: &&MailboxRow| match &self.options.mailbox {
            Some(name) => row.name == *name || (name.eq_ignore_ascii_case("INBOX") && row.name == "INBOX"),
            None => true,
        };
        let mailboxes: Vec<&MailboxRow> = mailboxes.iter().filter(wanted).collect();
        self.report.accounts += u64::from(!mailboxes.is_empty());
        if self.options.mailbox.is_none() {
            self.annotations(account, None)?;
        }
        mailboxes.into_iter().try_for_each(|mailbox| self.mailbox(account, mailbox))
    }

    /// Those of a mailbox, or of the account itself.
    fn annotations(&mut self, account: &AccountRow, mailbox: Option<&MailboxRow>) -> Result<(), Failure> {
        let ask = Ask::Annotations { account: account.id, mailbox: mailbox.map_or(0, |mailbox| mailbox.id) };
        let (Answer::Annotations { annotations }, _) = self.session.bulk(ask, Vec::new())? else {
            return Err(unexpected());
        };
        self.report.annotations += annotations.len() as u64;
        let mailbox = mailbox.map(|mailbox| mailbox.name.clone());
        annotations.into_iter().try_for_each(|annotation| {
            self.line(&Line::Annotation { account: account.address.clone(), mailbox: mailbox.clone(), annotation })
        })
    }

    fn mailbox(&mut self, account: &AccountRow, mailbox: &MailboxRow) -> Result<(), Failure> {
        let path = self.layout.mailbox(&account.address, mailbox).map_err(|error| written(self.options.to, error))?;
        self.report.mailboxes += 1;
        self.line(&Line::Mailbox {
            account: account.address.clone(),
            mailbox: mailbox.name.clone(),
            path,
            special_use: mailbox.special_use.clone(),
            subscribed: mailbox.subscribed,
        })?;
        self.annotations(account, Some(mailbox))?;
        let mut after = 0;
        loop {
            let ask = Ask::Fetch { account: account.id, mailbox: mailbox.id, after };
            let (Answer::Fetched { messages, next }, bytes) = self.session.bulk(ask, Vec::new())? else {
                return Err(unexpected());
            };
            let mut rest = &bytes[..];
            for message in messages {
                let Some((own, others)) = rest.split_at_checked(message.size as usize) else {
                    return Err(unexpected());
                };
                rest = others;
                self.message(account, mailbox, message, own)?;
            }
            match next {
                Some(uid) => after = uid,
                None => break,
            }
        }
        self.layout.end().map_err(|error| written(self.options.to, error))
    }

    fn message(
        &mut self,
        account: &AccountRow,
        mailbox: &MailboxRow,
        message: Outgoing,
        bytes: &[u8],
    ) -> Result<(), Failure> {
        let (account, name) = (account.address.clone(), mailbox.name.clone());
        if let Some(error) = message.unreadable {
            self.report.unreadable += 1;
            self.progress.tell(&format!("{account}, mailbox {name}, uid {}: {error}", message.uid));
            return self.line(&Line::Unreadable { account, mailbox: name, uid: message.uid, error });
        }
        let placed = self.layout.message(&message, bytes).map_err(|error| written(self.options.to, error))?;
        self.line(&Line::Message(Message {
            account,
            mailbox: name,
            uid: message.uid,
            date: rfc3339(message.date),
            flags: message.flags,
            pop3_uidl: message.pop3_uidl,
            size: message.size,
            sha256: sha::of(bytes),
            path: placed.path,
            within: placed.within,
        }))?;
        self.report.messages += 1;
        self.report.bytes += message.size;
        let Report { messages, unreadable, .. } = self.report;
        self.progress.at(self.report.bytes, || format!("{messages} messages exported, {unreadable} unreadable"));
        Ok(())
    }

    fn line(&mut self, line: &Line) -> Result<(), Failure> {
        let done = serde_json::to_writer(&mut self.manifest, line).map_err(io::Error::from);
        let done = done.and_then(|()| self.manifest.write_all(b"\n"));
        done.map_err(|error| written(&self.options.to.join(manifest::UNFINISHED), error))
    }

    fn finish(mut self) -> Result<Report, Failure> {
        let Report { messages, bytes, unreadable, .. } = self.report;
        self.line(&Line::End { messages, bytes, unreadable })?;
        let flushed = self.manifest.flush();
        flushed.map_err(|error| written(&self.options.to.join(manifest::UNFINISHED), error))?;
        Ok(self.report)
    }
}
