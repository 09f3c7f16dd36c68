//! What repair's events do to the accounts, and what the fold makes up where events were lost. Never changes what is not named by an event.
use super::Accounts;
use super::account::Account;
use super::entry::Entry;
use super::mailbox::Mailbox;
use super::record;
use super::shard::corrupt;
use super::table::EntryTable;
use crate::base::limits::MAILBOXES_MAX;
use crate::base::{AccountId, MailboxId, Result};
use crate::format::{Event, Mending};
use std::sync::Arc;

impl Accounts {
    pub(super) fn mend(&mut self, mending: &Mending) -> Result<()> {
        match mending {
            Mending::Void { .. } | Mending::EventsLost { .. } | Mending::EventsWhole | Mending::Dated { .. } => Ok(()),
            Mending::UidsRaised { account, mailbox, uid_next, modseq } => {
                let mailbox = self.place(*account, *mailbox)?.2;
                mailbox.uid_next = mailbox.uid_next.max(*uid_next);
                mailbox.highest_modseq = mailbox.highest_modseq.max(*modseq);
                Ok(())
            }
            Mending::AccountPut { record } => match record::decode(record, &|_| None) {
                Ok(account) if account.messages == 0 && account.used_bytes == 0 => {
                    self.dirty.insert(account.id);
                    self.hot.insert(account.id, Arc::new(account));
                    Ok(())
                }
                Ok(account) => corrupt(format!("a record of account {} without entries expected", account.id)),
                Err(why) => corrupt(why),
            },
            Mending::EntriesPut { account, mailbox, entries } => {
                let (used_bytes, messages, mailbox) = self.place(*account, *mailbox)?;
                if !entries.len().is_multiple_of(Entry::BYTES) {
                    return corrupt("whole entries expected".into());
                }
                for bytes in entries.chunks_exact(Entry::BYTES) {
                    let entry = Entry::decode(bytes).or_else(|why| corrupt(why.to_string()))?;
                    put_entry(mailbox, entry)?;
                    *used_bytes += u64::from(entry.size_bytes);
                    *messages += 1;
                }
                Ok(())
            }
        }
    }

    /// What must have happened before `event` can: events that stood where the log lost some. None in a log that is whole.
    pub fn missing_before(&mut self, event: &Event) -> Result<Vec<Event>> {
        let mut missing = Vec::new();
        match event {
            Event::Delivered { to, .. } => {
                for copy in to {
                    self.missing_place(copy.account, copy.mailbox, &mut missing)?;
                    self.missing_keywords(copy.account, copy.mailbox, copy.keywords.0, &mut missing)?;
                }
            }
            Event::FlagsChanged { account, mailbox, keywords, .. } => {
                self.missing_place(*account, *mailbox, &mut missing)?;
                self.missing_keywords(*account, *mailbox, keywords.0, &mut missing)?;
            }
            Event::MailboxRenamed { account, mailbox, name } => {
                self.missing_place(*account, *mailbox, &mut missing)?;
                self.name_in_use(*account, Some(*mailbox), name, &mut missing)?;
            }
            Event::MailboxRemoved { account, mailbox }
            | Event::KeywordMade { account, mailbox, .. }
            | Event::SeenChanged { account, mailbox, .. }
            | Event::Expunged { account, mailbox, .. } => {
                self.missing_place(*account, *mailbox, &mut missing)?;
            }
            Event::RecentClaimed { account, mailbox, uid } => {
                self.missing_place(*account, *mailbox, &mut missing)?;
                let (account, mailbox, uid_next) = (*account, *mailbox, *uid);
                let view = self.get(account)?.and_then(|view| view.mailbox(mailbox));
                // Entries below it were given out, and their deliveries are lost.
                if let Some(modseq) = view.filter(|view| view.uid_next < uid_next).map(|view| view.highest_modseq) {
                    let raised = Mending::UidsRaised { account, mailbox, uid_next, modseq };
                    self.make_up(Event::Mending(raised), &mut missing)?;
                }
            }
            Event::MailboxMade { account, mailbox, name, .. } => {
                self.missing_account(*account, &mut missing)?;
                let before = MailboxId(mailbox.0.saturating_sub(1));
                if before.0 > 0 {
                    self.missing_up_to(*account, before, &mut missing)?;
                }
                self.name_in_use(*account, None, name, &mut missing)?;
            }
            Event::MetadataSet { account, mailbox, .. } => self.missing_place(*account, *mailbox, &mut missing)?,
            Event::Subscribed { account, .. } | Event::AccountPurged { account } => {
                self.missing_account(*account, &mut missing)?;
            }
            _ => {}
        }
        Ok(missing)
    }

    fn missing_account(&mut self, account: AccountId, missing: &mut Vec<Event>) -> Result<()> {
        if self.get(account)?.is_none() {
            self.make_up(Event::AccountOpened { account, uid_validity: 1 }, missing)?;
        }
        Ok(())
    }

    /// The account, and the mailbox with all of smaller numbers that were never made.
    fn missing_place(&mut self, account: AccountId, mailbox: MailboxId, missing: &mut Vec<Event>) -> Result<()> {
        self.missing_account(account, missing)?;
        self.missing_up_to(account, mailbox, missing)
    }

    fn missing_up_to(&mut self, account: AccountId, mailbox: MailboxId, missing: &mut Vec<Event>) -> Result<()> {
        let next = self.get(account)?.map_or(mailbox, |view| view.mailbox_next);
        // Nobody makes so many between two events that are left: the number is no number, and to make them all up would take all memory.
        if mailbox.0.saturating_sub(next.0) as usize > MAILBOXES_MAX {
            return corrupt(format!("mailbox {mailbox} of account {account}, of which the next one is {next}"));
        }
        while let Some(view) = self.get(account)?.filter(|view| view.mailbox_next <= mailbox).cloned() {
            let (next, uid_validity) = (view.mailbox_next, view.uid_validity_next);
            let name = free_name(&view, &format!("Recovered {next}"));
            let made = Event::MailboxMade { account, mailbox: next, uid_validity, special_use: None, name };
            self.make_up(made, missing)?;
        }
        Ok(())
    }

    /// Keywords that an entry has and the mailbox's table does not.
    fn missing_keywords(
        &mut self,
        account: AccountId,
        mailbox: MailboxId,
        bits: u64,
        missing: &mut Vec<Event>,
    ) -> Result<()> {
        let needed = 64 - bits.leading_zeros() as usize;
        while let Some(known) =
            self.get(account)?.and_then(|view| view.mailbox(mailbox)).map(|view| view.keywords.len())
            && known < needed
        {
            let name = format!("Recovered{}", known + 1);
            self.make_up(Event::KeywordMade { account, mailbox, name }, missing)?;
        }
        Ok(())
    }

    /// A mailbox that has the name still, although another gets it: its renaming or removal was lost.
    fn name_in_use(
        &mut self,
        account: AccountId,
        but: Option<MailboxId>,
        name: &str,
        missing: &mut Vec<Event>,
    ) -> Result<()> {
        let Some(view) = self.get(account)?.cloned() else { return Ok(()) };
        if let Some(other) = view.mailbox_named(name).filter(|other| Some(other.id) != but) {
            let name = free_name(&view, &format!("Recovered {}", other.id));
            self.make_up(Event::MailboxRenamed { account, mailbox: other.id, name }, missing)?;
        }
        Ok(())
    }

    fn make_up(&mut self, event: Event, missing: &mut Vec<Event>) -> Result<()> {
        self.apply(&event)?;
        missing.push(event);
        Ok(())
    }
}

/// The name, or the name with a number that makes it free.
fn free_name(account: &Account, name: &str) -> String {
    let tries = std::iter::once(name.to_owned()).chain((2..).map(|number| format!("{name} ({number})")));
    tries.into_iter().find(|tried| account.mailbox_named(tried).is_none()).unwrap_or_default()
}

fn put_entry(mailbox: &mut Mailbox, entry: Entry) -> Result<()> {
    let last = match mailbox.entries.len() {
        0 => None,
        len => Some(mailbox.entries.get(len - 1)?.uid),
    };
    if last.is_some_and(|last| entry.uid <= last)
        || entry.uid >= mailbox.uid_next
        || entry.modseq > mailbox.highest_modseq
    {
        return corrupt(format!("entry {} of {} is out of order or beyond its counters", entry.uid, mailbox.name));
    }
    mailbox.entries.push(entry)?;
    mailbox.count(entry.flags, 1);
    mailbox.size_bytes += u64::from(entry.size_bytes);
    Ok(())
}

/// Entries of one event: a frame is a few hundred kilobytes.
const ENTRIES_OF_ONE_EVENT: usize = 4096;

/// The events that make an account what it is, whatever it was before.
pub fn put_account(account: &Account) -> Result<Vec<Event>> {
    let mut bare = account.clone();
    (bare.used_bytes, bare.messages) = (0, 0);
    for mailbox in &mut bare.mailboxes {
        let mailbox = Arc::make_mut(mailbox);
        mailbox.entries = EntryTable::default();
        (mailbox.unseen, mailbox.deleted, mailbox.size_bytes) = (0, 0, 0);
    }
    let mut bytes = Vec::new();
    record::encode(&bare, &[], &mut bytes);
    let mut events = vec![Event::Mending(Mending::AccountPut { record: bytes })];
    for mailbox in &account.mailboxes {
        let mut at = 0;
        while at < mailbox.entries.len() {
            let mut entries = Vec::new();
            let end = mailbox.entries.len().min(at + ENTRIES_OF_ONE_EVENT);
            for entry in mailbox.entries.range(at..end) {
                entry?.encode(&mut entries);
            }
            at = end;
            let put = Mending::EntriesPut { account: account.id, mailbox: mailbox.id, entries };
            events.push(Event::Mending(put));
        }
    }
    Ok(events)
}
