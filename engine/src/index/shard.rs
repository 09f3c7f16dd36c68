//! The accounts of one shard as a fold over events: `apply` is the only way they change. Accounts not touched lately lie in the index parts.
use super::account::Account;
use super::entry::Entry;
use super::expunged::Expunged;
use super::mailbox::Mailbox;
use super::metadata::Metadata;
use super::part::Parts;
use super::readers::Readers;
use super::table::EntryTable;
use crate::base::limits::{ADOPT_CHUNKS_MIN, KEYWORDS_MAX};
use crate::base::{AccountId, Error, Flags, MailboxId, ModSeq, Result, SpecialUse, Uid, UidSet};
use crate::format::{DeliveredTo, Event};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// The mailboxes every account begins with, by id from 1.
pub const DEFAULT_MAILBOXES: [(&str, Option<SpecialUse>); 5] = [
    ("INBOX", None),
    ("Drafts", Some(SpecialUse::Drafts)),
    ("Sent", Some(SpecialUse::Sent)),
    ("Junk", Some(SpecialUse::Junk)),
    ("Trash", Some(SpecialUse::Trash)),
];

/// The accounts of one shard.
#[derive(Default)]
pub struct Accounts {
    pub(super) hot: HashMap<AccountId, Arc<Account>>,
    /// Accounts that differ from the index parts.
    pub(super) dirty: HashSet<AccountId>,
    parts: Arc<Parts>,
}

pub(super) fn corrupt<T>(what: String) -> Result<T> {
    Err(Error::corrupt("shard event", 0, what))
}

/// A sum without what is gone; never wraps, since a wrapped sum would be believed by everything that follows.
fn less(sum: u64, gone: u64) -> Result<u64> {
    sum.checked_sub(gone).map_or_else(|| corrupt(format!("{gone} of {sum} are gone: the sums are wrong")), Ok)
}

impl Accounts {
    /// The accounts as of a checkpoint.
    pub fn new(parts: Arc<Parts>) -> Accounts {
        Accounts { parts, ..Accounts::default() }
    }

    /// The index parts below.
    pub fn parts(&self) -> &Arc<Parts> {
        &self.parts
    }

    /// The account's state now.
    pub fn get(&mut self, id: AccountId) -> Result<Option<&Arc<Account>>> {
        if !self.hot.contains_key(&id)
            && let Some(account) = self.parts.load(id)?
        {
            self.hot.insert(id, Arc::new(account));
        }
        Ok(self.hot.get(&id))
    }

    /// The account's state now, without keeping it in memory when it lies in the parts.
    pub fn load(&self, id: AccountId) -> Result<Option<Arc<Account>>> {
        match self.hot.get(&id) {
            Some(account) => Ok(Some(account.clone())),
            None => Ok(self.parts.load(id)?.map(Arc::new)),
        }
    }

    /// Every account, ascending.
    pub fn ids(&self) -> BTreeSet<AccountId> {
        let parts = self.parts.list().iter().flat_map(|part| part.accounts());
        self.hot.keys().copied().chain(parts).collect()
    }

    /// Puts an account back as it was: a group of events was not committed.
    pub fn restore(&mut self, id: AccountId, former: Option<Arc<Account>>) {
        match former {
            Some(account) => self.hot.insert(id, account),
            None => self.hot.remove(&id),
        };
    }

    /// The accounts that differ from the index parts, to be written to a new one. `rebase` or `keep_dirty` must follow.
    pub fn take_dirty(&mut self) -> Vec<Arc<Account>> {
        let dirty = std::mem::take(&mut self.dirty);
        dirty.iter().filter_map(|id| self.hot.get(id).cloned()).collect()
    }

    /// The new index part could not be written: its accounts are still dirty.
    pub fn keep_dirty(&mut self, taken: &[Arc<Account>]) {
        self.dirty.extend(taken.iter().map(|account| account.id));
    }

    /// The accounts that differ from the index parts.
    pub(crate) fn dirty_ids(&self) -> impl Iterator<Item = AccountId> + '_ {
        self.dirty.iter().copied()
    }

    /// Bytes that the account takes at most in an index part beside those that are there; 0 if it need not be written.
    pub(crate) fn checkpoint_bytes(&self, id: AccountId) -> u64 {
        let account = self.hot.get(&id).filter(|_| self.dirty.contains(&id));
        account.map_or(0, |account| account.checkpoint_bytes_max(&|part| self.parts.has(part)))
    }

    /// Takes new index parts; accounts that did not change since they were written need no memory any more, and of large ones that did,
    /// only what changed. Answers those as they are in the parts.
    pub fn rebase(&mut self, parts: Arc<Parts>) -> Vec<Account> {
        self.hot.retain(|id, _| self.dirty.contains(id));
        self.parts = parts;
        let mut written = Vec::new();
        for (id, account) in &mut self.hot {
            if account.chunks_in_memory() < ADOPT_CHUNKS_MIN {
                continue;
            }
            // A record that cannot be read costs memory here; who needs it hears of it.
            if let Ok(Some(there)) = self.parts.load(*id) {
                Arc::make_mut(account).adopt(&there);
                written.push(there);
            }
        }
        written
    }

    /// How many accounts differ from the index parts.
    pub fn dirty_count(&self) -> usize {
        self.dirty.len()
    }

    /// Whether the account differs from the index parts.
    pub fn is_dirty(&self, id: AccountId) -> bool {
        self.dirty.contains(&id)
    }

    pub(super) fn account(&mut self, id: AccountId) -> Result<&mut Account> {
        if self.get(id)?.is_none() {
            return corrupt(format!("account {id} is not open"));
        }
        self.dirty.insert(id);
        match self.hot.get_mut(&id) {
            Some(account) => Ok(Arc::make_mut(account)),
            None => corrupt(format!("account {id} is not open")),
        }
    }

    /// The account with its mailbox, to change both.
    pub(super) fn place(&mut self, id: AccountId, mailbox: MailboxId) -> Result<(&mut u64, &mut u64, &mut Mailbox)> {
        let Account { used_bytes, messages, mailboxes, .. } = self.account(id)?;
        match mailboxes.binary_search_by_key(&mailbox, |mailbox| mailbox.id) {
            Ok(at) => Ok((used_bytes, messages, Arc::make_mut(&mut mailboxes[at]))),
            Err(_) => corrupt(format!("account {id} has no mailbox {mailbox}")),
        }
    }

    /// Folds one event in. Fails only when the event contradicts the state.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::AccountOpened { account, uid_validity } => self.open(*account, *uid_validity),
            Event::MailboxMade { account, mailbox, uid_validity, special_use, name } => {
                self.account(*account)?.add_mailbox(*mailbox, *uid_validity, *special_use, name)
            }
            Event::MailboxRenamed { account, mailbox, name } => {
                self.place(*account, *mailbox)?.2.name = name.as_str().into();
                Ok(())
            }
            Event::MailboxRemoved { account, mailbox } => self.remove_mailbox(*account, *mailbox),
            Event::Subscribed { account, on, name } => {
                let names = Arc::make_mut(&mut self.account(*account)?.subscriptions);
                if *on {
                    names.insert(name.as_str().into())
                } else {
                    names.remove(name.as_str())
                };
                Ok(())
            }
            Event::KeywordMade { account, mailbox, name } => {
                let mailbox = self.place(*account, *mailbox)?.2;
                if mailbox.keywords.len() >= KEYWORDS_MAX {
                    return corrupt(format!("keyword {name} is one too many"));
                }
                Arc::make_mut(&mut mailbox.keywords).push(name.clone());
                Ok(())
            }
            Event::Delivered { to, .. } => to.iter().try_for_each(|copy| self.deliver(event, copy)),
            Event::FlagsChanged { .. } => self.change_flags(event),
            Event::SeenChanged { .. } => self.change_seen(event),
            Event::Expunged { account, mailbox, modseq, uids } => self.expunge(*account, *mailbox, *modseq, uids),
            Event::RecentClaimed { account, mailbox, uid } => {
                let mailbox = self.place(*account, *mailbox)?.2;
                if *uid > mailbox.uid_next {
                    return corrupt(format!("uid {uid} of {} is not given yet", mailbox.name));
                }
                mailbox.recent_from = *uid;
                Ok(())
            }
            Event::MetadataSet { account, mailbox: MailboxId(0), name, value } => {
                self.account(*account)?.metadata.set(name, value.as_deref());
                Ok(())
            }
            Event::MetadataSet { account, mailbox, name, value } => {
                self.place(*account, *mailbox)?.2.metadata.set(name, value.as_deref());
                Ok(())
            }
            Event::Queued { .. }
            | Event::QueueChanged { .. }
            | Event::QueueRemoved { .. }
            | Event::QueueTried { .. }
            | Event::QueueWarned { .. }
            | Event::Reached { .. }
            | Event::ReachedForgotten { .. } => Ok(()),
            Event::Skipped { account, mailbox, uid, modseq } => self.skip(*account, *mailbox, *uid, *modseq),
            Event::Mending(mending) => self.mend(mending),
            Event::AccountPurged { account } => self.purge(*account),
        }
    }

    fn open(&mut self, id: AccountId, uid_validity: u32) -> Result<()> {
        if self.get(id)?.is_some() {
            return corrupt(format!("account {id} is open already"));
        }
        let mut account = Account {
            id,
            used_bytes: 0,
            messages: 0,
            mailbox_next: MailboxId::INBOX,
            uid_validity_next: uid_validity,
            mailboxes: Vec::with_capacity(DEFAULT_MAILBOXES.len()),
            subscriptions: Arc::new(DEFAULT_MAILBOXES.iter().map(|(name, _)| Arc::from(*name)).collect()),
            metadata: Metadata::default(),
        };
        for (name, special_use) in DEFAULT_MAILBOXES {
            account.add_mailbox(account.mailbox_next, account.uid_validity_next, special_use, name)?;
        }
        self.dirty.insert(id);
        self.hot.insert(id, Arc::new(account));
        Ok(())
    }

    /// Leaves a shell without mailboxes: every other account has at least INBOX.
    fn purge(&mut self, id: AccountId) -> Result<()> {
        let account = self.account(id)?;
        account.mailboxes = Vec::new();
        account.subscriptions = Arc::default();
        account.metadata = Metadata::default();
        (account.used_bytes, account.messages) = (0, 0);
        Ok(())
    }

    fn remove_mailbox(&mut self, id: AccountId, mailbox: MailboxId) -> Result<()> {
        let account = self.account(id)?;
        let Ok(at) = account.mailboxes.binary_search_by_key(&mailbox, |mailbox| mailbox.id) else {
            return corrupt(format!("account {id} has no mailbox {mailbox}"));
        };
        let gone = account.mailboxes.remove(at);
        account.used_bytes = less(account.used_bytes, gone.size_bytes)?;
        account.messages = less(account.messages, gone.entries.len() as u64)?;
        Ok(())
    }

    fn deliver(&mut self, event: &Event, copy: &DeliveredTo) -> Result<()> {
        let Event::Delivered { guid, locator, size_bytes, internal_date, save_date, .. } = event else {
            return Ok(());
        };
        let (used_bytes, messages, mailbox) = self.place(copy.account, copy.mailbox)?;
        if copy.uid < mailbox.uid_next || copy.modseq <= mailbox.highest_modseq {
            return corrupt(format!("uid {} or modseq {} of {} is used already", copy.uid, copy.modseq, mailbox.name));
        }
        let Some(uid_next) = copy.uid.0.checked_add(1) else {
            return corrupt(format!("the uids of {} are used up", mailbox.name));
        };
        mailbox.entries.push(Entry {
            uid: copy.uid,
            size_bytes: *size_bytes,
            modseq: copy.modseq,
            flags: copy.flags,
            keywords: copy.keywords,
            internal_date: *internal_date,
            save_date: *save_date,
            locator: *locator,
            guid: *guid,
        })?;
        mailbox.uid_next = Uid(uid_next);
        mailbox.highest_modseq = copy.modseq;
        mailbox.count(copy.flags, 1);
        mailbox.size_bytes += u64::from(*size_bytes);
        *used_bytes += u64::from(*size_bytes);
        *messages += 1;
        Ok(())
    }

    fn skip(&mut self, account: AccountId, mailbox: MailboxId, uid: Uid, modseq: ModSeq) -> Result<()> {
        let mailbox = self.place(account, mailbox)?.2;
        let uid_next = uid.0.checked_add(1).map(Uid).filter(|_| uid >= mailbox.uid_next);
        match uid_next {
            Some(uid_next) if modseq > mailbox.highest_modseq => {
                (mailbox.uid_next, mailbox.highest_modseq) = (uid_next, modseq);
                Ok(())
            }
            _ => corrupt(format!("uid {uid} or modseq {modseq} of {} is used already", mailbox.name)),
        }
    }

    fn change_flags(&mut self, event: &Event) -> Result<()> {
        let Event::FlagsChanged { account, mailbox, modseq, mode, flags, keywords, uids } = event else {
            return Ok(());
        };
        let mailbox = self.place(*account, *mailbox)?.2;
        if *modseq <= mailbox.highest_modseq {
            return corrupt(format!("modseq {modseq} of {} is used already", mailbox.name));
        }
        let (mut unseen, mut deleted) = (i64::from(mailbox.unseen), i64::from(mailbox.deleted));
        mailbox.entries.update(uids, |entry| {
            let old = (entry.flags, entry.keywords);
            let new = mode.apply(old, (*flags, *keywords));
            if new == old {
                return false;
            }
            (entry.flags, entry.keywords) = new;
            entry.modseq = *modseq;
            let set = |flag| i64::from(new.0.contains(flag)) - i64::from(old.0.contains(flag));
            unseen -= set(Flags::SEEN);
            deleted += set(Flags::DELETED);
            true
        })?;
        mailbox.highest_modseq = *modseq;
        mailbox.unseen = unseen as u32;
        mailbox.deleted = deleted as u32;
        Ok(())
    }

    fn expunge(&mut self, id: AccountId, mailbox: MailboxId, modseq: ModSeq, uids: &UidSet) -> Result<()> {
        let (used_bytes, messages, mailbox) = self.place(id, mailbox)?;
        if modseq <= mailbox.highest_modseq {
            return corrupt(format!("modseq {modseq} of {} is used already", mailbox.name));
        }
        let (mut bytes, mut flags) = (0, Vec::new());
        mailbox.entries.remove(uids, modseq, |entry| {
            bytes += u64::from(entry.size_bytes);
            flags.push(entry.flags);
        })?;
        mailbox.expunged.note(uids, modseq);
        mailbox.readers.forget(uids);
        mailbox.highest_modseq = modseq;
        mailbox.size_bytes = less(mailbox.size_bytes, bytes)?;
        *used_bytes = less(*used_bytes, bytes)?;
        *messages = less(*messages, flags.len() as u64)?;
        for flags in flags {
            mailbox.count(flags, -1);
        }
        Ok(())
    }
}

impl Mailbox {
    pub(super) fn count(&mut self, flags: Flags, by: i32) {
        if !flags.contains(Flags::SEEN) {
            self.unseen = self.unseen.wrapping_add_signed(by);
        }
        if flags.contains(Flags::DELETED) {
            self.deleted = self.deleted.wrapping_add_signed(by);
        }
    }
}

impl Account {
    fn add_mailbox(
        &mut self,
        id: MailboxId,
        uid_validity: u32,
        special_use: Option<SpecialUse>,
        name: &str,
    ) -> Result<()> {
        if id < self.mailbox_next || uid_validity < self.uid_validity_next {
            return corrupt(format!("mailbox {id} of account {} or its UIDVALIDITY is used already", self.id));
        }
        let Some(next) = id.0.checked_add(1) else {
            return corrupt(format!("the mailbox ids of account {} are used up", self.id));
        };
        self.mailbox_next = MailboxId(next);
        self.uid_validity_next = uid_validity.saturating_add(1);
        self.mailboxes.push(Arc::new(Mailbox {
            id,
            name: name.into(),
            uid_validity,
            uid_next: Uid(1),
            highest_modseq: ModSeq(1),
            special_use,
            keywords: Arc::default(),
            entries: EntryTable::default(),
            unseen: 0,
            deleted: 0,
            size_bytes: 0,
            recent_from: Uid(1),
            expunged: Expunged::default(),
            metadata: Metadata::default(),
            readers: Readers::default(),
        }));
        Ok(())
    }
}
