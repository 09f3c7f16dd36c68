//! Gets every good message out of a damaged directory, with the account, mailbox, flags and dates that events or a checkpoint still tell. Reads
//! only; never stops at damage; works without footers, without index parts, with segments missing and garbage between frames.
use super::contents::Contents;
use super::finding::{Finding, Severity, Told, Watch};
use super::fold::Scratch;
use super::heads::Heads;
use super::inventory;
use super::repair::shard::{Planner, ShardPlan};
use super::survey::Done;
use crate::base::{AccountId, Error, Locator, Result, ShardId, SystemClock, Uid};
use crate::directory::Directory;
use crate::disk::Disk;
use crate::index::{Account, Entry, Flags, Mailbox};
use std::collections::HashSet;
use std::path::Path;
use std::rc::Rc;

/// Where a message belongs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Belongs {
    /// To an entry.
    Entry {
        /// The account.
        account: AccountId,
        /// Its address, if the directory still tells.
        address: Option<String>,
        /// The mailbox's full name.
        mailbox: String,
        /// The entry.
        uid: Uid,
        /// Its flags.
        flags: Flags,
        /// Its keywords by name.
        keywords: Vec<String>,
        /// INTERNALDATE, seconds since 1970 UTC.
        internal_date: i64,
    },
    /// To the queue: it waits to go to other hosts.
    Queue {
        /// The item.
        id: u64,
        /// The reverse-path.
        sender: String,
        /// The forward-paths.
        recipients: Vec<String>,
    },
    /// Nobody knows: its events are lost.
    Unfiled {
        /// Where its frame stands.
        shard: u16,
        /// See there.
        at: Locator,
    },
}

/// One thing that comes out.
pub enum Salvaged<'a> {
    /// Who lived there, as far as the control shard still tells; once, before all else.
    People(&'a Directory),
    /// A mailbox; its messages follow.
    Mailbox {
        /// The account.
        account: AccountId,
        /// Its address, if the directory still tells.
        address: Option<String>,
        /// The mailbox.
        mailbox: &'a Mailbox,
        /// Whether it is subscribed to.
        subscribed: bool,
    },
    /// A message that is whole, proven by its own crc.
    Message {
        /// Whose it is.
        belongs: Belongs,
        /// Its bytes.
        bytes: &'a [u8],
    },
    /// An entry or queue item whose message cannot be read.
    Lost {
        /// Whose it was.
        belongs: Belongs,
        /// Bytes of it.
        size_bytes: u32,
        /// Why it cannot be read.
        why: String,
    },
}

/// How much came out.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Salvage {
    /// Messages given, one for each entry, queue item and unfiled message.
    pub messages: u64,
    /// Bytes of them.
    pub bytes: u64,
    /// Of these, with nobody who is known to own them.
    pub unfiled: u64,
    /// Entries and queue items whose message cannot be read.
    pub lost: u64,
    /// Findings of damage: ranges of bytes that are not what was written, files that are missing.
    pub damages: u64,
    /// Accounts with mail.
    pub accounts: u64,
}

/// Who gets what comes out.
pub type Give<'a> = &'a mut dyn FnMut(Salvaged<'_>) -> Result<()>;

/// Salvages the store below `disk`'s root. Bad ranges are told as findings.
///
/// # Errors
/// `NotFound`: there is nothing of a store. What `give` returns. Damage is no error.
pub fn salvage(disk: &dyn Disk, scratch: Scratch<'_>, watch: Watch<'_>, give: Give<'_>) -> Result<Salvage> {
    let inventory = inventory::take(disk)?;
    if inventory.is_empty() {
        return Err(Error::NotFound(format!("a store in {}", disk.full_path(Path::new("")).display())));
    }
    let mut report = Salvage::default();
    let tell = |findings: &[Finding], report: &mut Salvage, watch: Watch<'_>| {
        for finding in findings {
            report.damages += u64::from(finding.severity == Severity::Damage);
            watch(Told::Finding(finding));
        }
    };
    tell(&inventory.findings, &mut report, watch);
    let mut done = Done::new(inventory.total_bytes());
    let mut planner = Planner { disk, clock: &SystemClock, done: &mut done };
    let directory = match inventory.logs.get(&ShardId::CONTROL) {
        Some(log) if log.newer.is_none() => {
            let control = planner.control(log, watch)?;
            tell(&control.findings, &mut report, watch);
            control.wanted
        }
        _ => Directory::default(),
    };
    give(Salvaged::People(&directory))?;
    for (shard, log) in inventory.logs.range(..ShardId::CONTROL).filter(|(_, log)| log.newer.is_none()) {
        let (instead, (plan, found, ..)) = planner.settled(*shard, log, scratch, watch)?;
        let log = instead.as_ref().unwrap_or(log);
        tell(&plan.findings, &mut report, watch);
        let mut giving = Giving {
            shard: *shard,
            plan: &plan,
            directory: &directory,
            heads: Heads::new(disk, log),
            contents: plan.contents.clone(),
            orphans: plan.orphans.iter().copied().collect(),
            report: &mut report,
        };
        // Nobody was promised what a torn end holds, but a whole message is a whole message.
        if let Some((id, range, _)) = found.torn {
            giving.orphans.extend(giving.heads.messages(id, range));
        }
        giving.all(give)?;
    }
    Ok(report)
}

/// One shard's messages on their way out.
struct Giving<'a> {
    shard: ShardId,
    plan: &'a ShardPlan,
    directory: &'a Directory,
    heads: Heads<'a>,
    contents: Rc<Contents>,
    orphans: HashSet<Locator>,
    report: &'a mut Salvage,
}

impl Giving<'_> {
    fn all(&mut self, give: Give<'_>) -> Result<()> {
        for id in self.plan.accounts() {
            let of = |fold: &super::fold::Fold| fold.accounts.load(id);
            let wanted = self.plan.target.as_ref().map(of).transpose()?.flatten();
            let Some(account) = wanted.map_or_else(|| of(&self.plan.fold), |account| Ok(Some(account)))? else {
                continue;
            };
            self.report.accounts += u64::from(account.messages > 0);
            self.account(&account, give)?;
        }
        let queue = self.plan.target.as_ref().map_or(&self.plan.fold.queue, |target| &target.queue);
        for item in queue.iter() {
            let recipients = item.item.recipients.iter().map(|recipient| recipient.address.clone()).collect();
            let belongs = Belongs::Queue { id: item.id.0, sender: item.item.sender.clone(), recipients };
            self.one(item.locator, item.size_bytes, belongs, give)?;
        }
        let mut orphans: Vec<Locator> = self.orphans.iter().copied().collect();
        orphans.sort_unstable();
        for at in orphans {
            let Ok((_, size_bytes)) = self.heads.message(at) else { continue };
            self.report.unfiled += 1;
            self.one(at, size_bytes, Belongs::Unfiled { shard: self.shard.0, at }, give)?;
        }
        Ok(())
    }

    fn account(&mut self, account: &Account, give: Give<'_>) -> Result<()> {
        let address = self.directory.account(account.id).map(|account| account.address.to_string());
        for mailbox in &account.mailboxes {
            let subscribed = account.subscriptions.contains(&*mailbox.name);
            give(Salvaged::Mailbox { account: account.id, address: address.clone(), mailbox, subscribed })?;
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry?;
                let belongs = belongs(account.id, &address, mailbox, &entry);
                self.one(entry.locator, entry.size_bytes, belongs, give)?;
            }
        }
        Ok(())
    }

    fn one(&mut self, at: Locator, size_bytes: u32, belongs: Belongs, give: Give<'_>) -> Result<()> {
        self.orphans.remove(&at);
        match self.read(at, size_bytes) {
            Ok(bytes) => {
                self.report.messages += 1;
                self.report.bytes += bytes.len() as u64;
                give(Salvaged::Message { belongs, bytes: &bytes })
            }
            Err(why) => {
                self.report.lost += 1;
                give(Salvaged::Lost { belongs, size_bytes, why })
            }
        }
    }

    fn read(&mut self, at: Locator, size_bytes: u32) -> std::result::Result<Vec<u8>, String> {
        if let Some(why) = self.plan.lost.why(at) {
            return Err(why.to_owned());
        }
        let bytes = self.heads.read(at, &self.contents)?;
        match bytes.len() == size_bytes as usize {
            true => Ok(bytes),
            false => Err("another message stands there".into()),
        }
    }
}

fn belongs(account: AccountId, address: &Option<String>, mailbox: &Mailbox, entry: &Entry) -> Belongs {
    let named = mailbox.keywords.iter().enumerate().filter(|(bit, _)| entry.keywords.0 >> bit & 1 == 1);
    Belongs::Entry {
        account,
        address: address.clone(),
        mailbox: mailbox.name.to_string(),
        uid: entry.uid,
        flags: entry.flags,
        keywords: named.map(|(_, name)| name.clone()).collect(),
        internal_date: entry.internal_date,
    }
}
