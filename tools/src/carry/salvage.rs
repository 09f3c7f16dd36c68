//! Salvage into files: every good message of a damaged directory, laid out as an export is, so that `import` takes it; with lists of what is lost
//! and of every bad range of bytes. Reads the source only.
use super::export::{Layout, Target, layout};
use super::manifest::{self, Line, Message};
use super::sha;
use crate::cli::SalvageArgs;
use crate::ops::bulk::{MailboxRow, Outgoing, annotations};
use crate::ops::{Failure, Kind};
use crate::rescue::{self, FindingView, Pace, Scratch};
use crate::time::rfc3339;
use posthouse_engine::base::{AccountId, Error, Flags};
use posthouse_engine::index::mime::sent_date;
use posthouse_engine::index::{Mailbox, Uidls};
use posthouse_engine::rescue::{Belongs, Salvage, Salvaged, Told};
use serde::Serialize;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// Bad ranges of bytes and missing files, one JSON object a line.
const DAMAGE: &str = "DAMAGE.jsonl";
/// What salvaged messages wait in the queue for, one JSON object a line.
const QUEUE: &str = "QUEUE.jsonl";
/// The directory of messages of which nobody knows whose they are.
const UNFILED: &str = "unfiled";
/// The directory of messages that wait to go to other hosts.
const QUEUED: &str = "queue";

/// What came out.
#[derive(Debug, Serialize)]
pub struct Report {
    /// Accounts with mail.
    pub accounts: u64,
    /// Messages written: one for each entry, queue item and message without an owner.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Of these, in `unfiled/`.
    pub unfiled: u64,
    /// Entries and queue items whose message cannot be read; the manifest lists them.
    pub lost: u64,
    /// Findings of damage; DAMAGE.jsonl lists them.
    pub damages: u64,
}

impl Report {
    /// In words.
    pub fn words(&self) -> String {
        let Report { accounts, messages, bytes, unfiled, lost, damages } = self;
        format!(
            "{messages} messages ({bytes} bytes) of {accounts} accounts salvaged, {unfiled} of them unfiled; {lost} lost; {damages} findings of damage"
        )
    }
}

impl From<Salvage> for Report {
    fn from(done: Salvage) -> Report {
        let Salvage { messages, bytes, unfiled, lost, damages, accounts } = done;
        Report { accounts, messages, bytes, unfiled, lost, damages }
    }
}

/// Salvages.
///
/// # Errors
/// The target is not empty or cannot be written; the source holds no store. Damage is no error.
pub fn run(args: &SalvageArgs) -> Result<Report, Failure> {
    let disk = rescue::look(&args.source)?;
    let to = args.to.as_deref().ok_or_else(|| Failure::new(Kind::Refused, "--to DIR or --into DIR is needed"))?;
    let target = Target::make(to)?;
    let made = |name: &str| {
        target.create(Path::new(name)).map(BufWriter::new).map_err(|why| Failure::io(to.join(name).display(), &why))
    };
    let mut out = Out {
        layout: layout(args.format, target.clone()),
        manifest: made(manifest::UNFINISHED)?,
        queue: made(QUEUE)?,
        at: None,
        pop3_uidls: Uidls::default(),
        lost: 0,
    };
    let mut damage = made(DAMAGE)?;
    let written = |why: &io::Error| Failure::io(to.display(), why);
    out.line(&Line::Export { version: manifest::VERSION, format: args.format }).map_err(|why| written(&why))?;
    let mut scratch = Scratch::new(args.scratch.clone());
    let mut pace = Pace::new("searched", 0);
    let mut failed = Ok(());
    let mut watch = |told: Told<'_>| match told {
        Told::Finding(finding) => {
            if failed.is_ok() {
                failed = json_line(&mut damage, &FindingView::from(finding));
            }
        }
        Told::Progress { done_bytes, total_bytes } => pace.at(done_bytes, total_bytes),
    };
    let mut give = |item: Salvaged<'_>| out.take(item).map_err(|why| Error::io(to.display().to_string(), why));
    let done = posthouse_engine::rescue::salvage(&disk, &mut || scratch.disk(), &mut watch, &mut give);
    pace.end();
    let done = done?;
    failed.and_then(|()| damage.flush()).map_err(|why| written(&why))?;
    out.finish(&done).map_err(|why| written(&why))?;
    target.finish(manifest::UNFINISHED, manifest::NAME).map_err(|why| written(&why))?;
    Ok(done.into())
}

pub(super) fn json_line(to: &mut impl Write, value: &impl Serialize) -> io::Result<()> {
    serde_json::to_writer(&mut *to, value).map_err(io::Error::from)?;
    to.write_all(b"\n")
}

/// The files on their way.
struct Out {
    layout: Box<dyn Layout>,
    manifest: BufWriter<File>,
    queue: BufWriter<File>,
    /// The account and mailbox that messages go to now.
    at: Option<(String, String)>,
    /// Unique-ids by POP3 of messages of that mailbox.
    pop3_uidls: Uidls,
    lost: u64,
}

fn name_of(account: AccountId, address: Option<String>) -> String {
    address.unwrap_or_else(|| format!("account-{account}"))
}

impl Out {
    fn line(&mut self, line: &Line) -> io::Result<()> {
        json_line(&mut self.manifest, line)
    }

    fn take(&mut self, item: Salvaged<'_>) -> io::Result<()> {
        match item {
            // Files of mail have no place for it.
            Salvaged::People(_) => Ok(()),
            Salvaged::Mailbox { account, address, mailbox, subscribed } => {
                let (account, annotations) = (name_of(account, address), annotations::list(&mailbox.metadata));
                self.mailbox(account.clone(), row(mailbox, subscribed))?;
                self.pop3_uidls = mailbox.pop3_uidls();
                annotations.into_iter().try_for_each(|annotation| {
                    let mailbox = Some(mailbox.name.to_string());
                    self.line(&Line::Annotation { account: account.clone(), mailbox, annotation })
                })
            }
            Salvaged::Message { belongs, bytes } => self.message(belongs, bytes),
            Salvaged::Lost { belongs, why, .. } => self.lost(belongs, why),
        }
    }

    fn mailbox(&mut self, account: String, mailbox: MailboxRow) -> io::Result<()> {
        if self.at.take().is_some() {
            self.layout.end()?;
        }
        let path = self.layout.mailbox(&account, &mailbox)?;
        self.at = Some((account.clone(), mailbox.name.clone()));
        let (special_use, subscribed) = (mailbox.special_use, mailbox.subscribed);
        self.line(&Line::Mailbox { account, mailbox: mailbox.name, path, special_use, subscribed })
    }

    /// Begins the folder of messages that are in no mailbox, unless it is the one of the message before.
    fn folder(&mut self, account: &str, name: String) -> io::Result<()> {
        if self.at.as_ref().is_some_and(|(now, mailbox)| now == account && *mailbox == name) {
            return Ok(());
        }
        let (special_use, subscribed, messages, bytes) = (None, false, 0, 0);
        self.mailbox(account.to_owned(), MailboxRow { id: 1, name, special_use, subscribed, messages, bytes })
    }

    fn message(&mut self, belongs: Belongs, bytes: &[u8]) -> io::Result<()> {
        let size = bytes.len() as u64;
        let mut pop3_uidl = None;
        let (uid, flags, date) = match &belongs {
            Belongs::Entry { uid, flags, keywords, internal_date, .. } => {
                pop3_uidl = self.pop3_uidls.get(*uid).map(str::to_owned);
                (uid.0, flag_names(*flags, keywords), *internal_date)
            }
            Belongs::Queue { id, .. } => {
                self.folder(QUEUED, format!("shard-{}", id & 0xffff))?;
                (number(*id), Vec::new(), sent_date(bytes).map_or(0, |date| date.0))
            }
            Belongs::Unfiled { shard, at } => {
                self.folder(UNFILED, format!("shard-{shard}/segment-{}", at.segment))?;
                (at.offset, Vec::new(), sent_date(bytes).map_or(0, |date| date.0))
            }
        };
        let outgoing = Outgoing { uid, size, flags, date, pop3_uidl, unreadable: None };
        let placed = self.layout.message(&outgoing, bytes)?;
        let (account, mailbox) = self.at.clone().unwrap_or_default();
        if let Belongs::Queue { id, sender, recipients } = &belongs {
            let item = serde_json::json!({ "id": id, "sender": sender, "recipients": recipients, "path": placed.path });
            json_line(&mut self.queue, &item)?;
        }
        let (path, within, sha256) = (placed.path, placed.within, sha::of(bytes));
        let date = rfc3339(date);
        self.line(&Line::Message(Message {
            account,
            mailbox,
            uid,
            flags: outgoing.flags,
            pop3_uidl: outgoing.pop3_uidl,
            date,
            size,
            sha256,
            path,
            within,
        }))
    }

    fn lost(&mut self, belongs: Belongs, error: String) -> io::Result<()> {
        self.lost += 1;
        let (account, mailbox, uid) = match belongs {
            Belongs::Entry { account, address, mailbox, uid, .. } => (name_of(account, address), mailbox, uid.0),
            Belongs::Queue { id, .. } => (QUEUED.to_owned(), format!("shard-{}", id & 0xffff), number(id)),
            Belongs::Unfiled { .. } => return Ok(()),
        };
        self.line(&Line::Unreadable { account, mailbox, uid, error })
    }

    fn finish(&mut self, done: &Salvage) -> io::Result<()> {
        if self.at.take().is_some() {
            self.layout.end()?;
        }
        let (messages, bytes, unreadable) = (done.messages, done.bytes, self.lost);
        self.line(&Line::End { messages, bytes, unreadable })?;
        self.queue.flush()?;
        self.manifest.flush()
    }
}

/// A queue item's number as a file's; the whole one stands in QUEUE.jsonl.
fn number(id: u64) -> u32 {
    (id >> 16) as u32
}

fn row(mailbox: &Mailbox, subscribed: bool) -> MailboxRow {
    MailboxRow {
        id: mailbox.id.0,
        name: mailbox.name.to_string(),
        special_use: mailbox.special_use.map(|special_use| special_use.attribute().to_owned()),
        subscribed,
        messages: mailbox.entries.len() as u64,
        bytes: mailbox.size_bytes,
    }
}

fn flag_names(flags: Flags, keywords: &[String]) -> Vec<String> {
    let system = Flags::NAMES.iter().filter(|(flag, _)| flags.contains(*flag)).map(|(_, name)| (*name).to_owned());
    system.chain(keywords.iter().cloned()).collect()
}
