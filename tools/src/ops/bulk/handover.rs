//! A removed account's mail for another member, in a folder, piece by piece. In one shard no message is copied; across shards each is stored
//! again under its own name. What the folder has already is passed over, so that an interrupted hand-over is simply repeated.
use super::fetch::flag_names;
use super::ingest::flags_of;
use super::{Answer, MailboxRow};
use crate::limits::{BULK_BYTES, BULK_MESSAGES_MAX};
use crate::ops::{Failure, Kind};
use posthouse_engine::base::{AccountId, Error, Guid, MailboxId, Uid, UidSet};
use posthouse_engine::directory::Address;
use posthouse_engine::index::{Account, Entry, Mailbox};
use posthouse_engine::{Append, Engine};
use std::sync::Arc;

/// Where one mailbox's entries go.
pub(super) struct Handing {
    from: (AccountId, MailboxId),
    to: (AccountId, MailboxId),
    view: Arc<Mailbox>,
    /// What the target has, by name; true: matched with an entry of the source.
    known: Vec<(Guid, bool)>,
}

/// Whether it may be, and what there is to hand over.
pub(super) fn begin(engine: &Engine, from: AccountId, to: &str, folder: &str) -> Result<Answer, Failure> {
    let address = Address::parse(to)?;
    let refused = |text: String| Failure::new(Kind::Refused, text);
    let (old, tenant, begun) = engine
        .directory(|directory| {
            let removed = directory.removed_account(from)?;
            Some((removed.account.address.to_string(), removed.account.tenant, removed.purge_begun))
        })
        .ok_or_else(|| Failure::not_found(format_args!("account {from} in the recycle bin")))?;
    if begun {
        return Err(refused(format!("the purge of {old} has begun; its mail can no longer be handed over")));
    }
    let heir = engine.directory(|directory| directory.account_at(&address).map(|heir| (heir.id, heir.tenant)));
    let (heir, its_tenant) = heir.ok_or_else(|| Failure::not_found(format_args!("account {address}")))?;
    if its_tenant != tenant {
        return Err(refused(format!("{address} belongs to another tenant than {old}")));
    }
    let source = match engine.account(from) {
        Ok(source) => source,
        // It was never used.
        Err(Error::NotFound(_)) => return Ok(Answer::HandOver { to: heir.0, mailboxes: Vec::new() }),
        Err(why) => return Err(why.into()),
    };
    let target = engine.open_account(heir).wait()?;
    let there = bytes_below(&target, folder);
    let after = target.used_bytes.saturating_add(source.used_bytes.saturating_sub(there));
    if let Some(max) = engine.quota_bytes_max(heir).filter(|max| after > *max) {
        return Err(refused(format!(
            "{address} would hold {after} bytes and may hold {max}; raise it first (posthouse member set {address} --quota SIZE)"
        )));
    }
    let row = |mailbox: &Arc<Mailbox>| MailboxRow {
        id: mailbox.id.0,
        name: mailbox.name.to_string(),
        special_use: None,
        subscribed: false,
        messages: mailbox.entries.len() as u64,
        bytes: mailbox.size_bytes,
    };
    let mailboxes = source.mailboxes.iter().filter(|mailbox| !mailbox.entries.is_empty()).map(row).collect();
    Ok(Answer::HandOver { to: heir.0, mailboxes })
}

/// What an earlier, interrupted hand-over has brought.
fn bytes_below(target: &Account, folder: &str) -> u64 {
    let below = format!("{folder}/");
    let there = target.mailboxes.iter().filter(|mailbox| mailbox.name.starts_with(&below));
    there.map(|mailbox| mailbox.size_bytes).sum()
}

impl Handing {
    /// Makes the mailbox and looks what is in it.
    pub(super) fn new(
        engine: &Engine,
        from: (AccountId, MailboxId),
        to: (AccountId, MailboxId),
    ) -> Result<Handing, Failure> {
        let target = engine.mailbox(to.0, to.1)?;
        let guids = target.entries.range(0..target.entries.len()).map(|entry| Ok((entry?.guid, false)));
        let mut known: Vec<(Guid, bool)> = guids.collect::<Result<_, Error>>()?;
        known.sort_unstable();
        let view = engine.mailbox(from.0, from.1)?;
        Ok(Handing { from, to, view, known })
    }

    /// Whether this is the way of the next piece.
    pub(super) fn is(&self, from: (AccountId, MailboxId), to: AccountId) -> bool {
        self.from == from && self.to.0 == to
    }

    /// The entries after uid `after`, as many as make a piece.
    pub(super) fn piece(&mut self, engine: &Engine, after: u32) -> Result<Answer, Failure> {
        let from = self.view.entries.lower_bound(Uid(after.saturating_add(1)))?;
        let copies = !engine.share_a_shard(self.from.0, self.to.0);
        let (mut fresh, mut known, mut bytes, mut next) = (Vec::new(), 0, 0, None);
        let view = self.view.clone();
        for entry in view.entries.range(from..view.entries.len()) {
            let entry = entry?;
            bytes += if copies { entry.size_bytes as usize } else { 0 };
            if fresh.len() >= BULK_MESSAGES_MAX || (bytes > BULK_BYTES && !fresh.is_empty()) {
                next = Some(entry.uid.0 - 1);
                break;
            }
            match self.take_known(entry.guid) {
                true => known += 1,
                false => fresh.push(entry),
            }
        }
        let (copied, unreadable) = match (fresh.is_empty(), copies) {
            (true, _) => (0, Vec::new()),
            (false, false) => (self.adopt(engine, &fresh)?, Vec::new()),
            (false, true) => self.copy(engine, &fresh)?,
        };
        Ok(Answer::HandedOver { copied, known, unreadable, next })
    }

    fn take_known(&mut self, guid: Guid) -> bool {
        let at = self.known.partition_point(|(known, _)| *known < guid);
        let free = self.known[at..].iter_mut().take_while(|(known, _)| *known == guid).find(|(_, taken)| !taken);
        free.map(|(_, taken)| *taken = true).is_some()
    }

    fn adopt(&self, engine: &Engine, entries: &[Entry]) -> Result<u64, Failure> {
        let mut uids = UidSet::new();
        entries.iter().for_each(|entry| uids.push(entry.uid));
        Ok(engine.adopt(self.from, uids, self.to).wait()?)
    }

    fn copy(&self, engine: &Engine, entries: &[Entry]) -> Result<(u64, Vec<String>), Failure> {
        let (mut appends, mut unreadable) = (Vec::new(), Vec::new());
        for entry in entries {
            match engine.message_here(self.from.0, entry) {
                Err(why) => unreadable.push(format!("mailbox {}, uid {}: {why}", self.view.name, entry.uid)),
                Ok(message) => {
                    let (flags, keywords) = flags_of(&flag_names(&self.view, entry));
                    let staged = engine.restage(message.into_vec(), entry.guid)?;
                    appends.push(Append { staged, flags, keywords, internal_date: Some(entry.internal_date) });
                }
            }
        }
        let answers = engine.ingest(self.to.0, self.to.1, appends).wait()?;
        let mut copied = 0;
        for answer in answers {
            answer?;
            copied += 1;
        }
        Ok((copied, unreadable))
    }
}
