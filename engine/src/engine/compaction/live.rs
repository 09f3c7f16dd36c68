//! What is alive: what an entry of any mailbox or a queue item refers to, as of the last commit. An account is looked at as a whole, and nothing
//! that was dead in a sealed segment comes to life again, since entries are only made from entries and from new frames.
use super::Work;
use super::plan::Group;
use crate::base::{AccountId, Locator, MailboxId, Result, Uid};
use crate::index::Account;
use std::collections::HashMap;
use std::sync::Arc;

/// Accounts whose views are kept at hand while events are looked at.
const ACCOUNTS_MAX: usize = 4096;

impl Work {
    /// Calls `found` for the place of every entry's and queue item's message; one that several refer to, several times.
    pub(super) fn each_live(&self, found: &mut dyn FnMut(Locator)) -> Result<()> {
        // One moment for all: what one account hands to another while this goes on is seen with one of them.
        let moment = self.shared.published.moment();
        for item in moment.queue.iter() {
            found(item.locator);
        }
        for id in moment.ids() {
            let Some(account) = moment.account(id)? else { continue };
            for mailbox in &account.mailboxes {
                for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                    found(entry?.locator);
                }
            }
        }
        Ok(())
    }

    /// The live messages of each group, in the order of the log, each once.
    pub(super) fn live(&self, groups: &[Group]) -> Result<Vec<Vec<Locator>>> {
        let mut live = vec![Vec::new(); groups.len()];
        self.each_live(&mut |at| {
            let group = groups.partition_point(|group| group.last < at.segment);
            if groups.get(group).is_some_and(|group| group.holds(at.segment)) {
                live[group].push(at);
            }
        })?;
        for places in &mut live {
            places.sort_unstable();
            places.dedup();
        }
        Ok(live)
    }
}

/// Answers whether entries are there, with the views of a few accounts at hand.
pub(super) struct Entries<'a> {
    work: &'a Work,
    accounts: HashMap<AccountId, Option<Arc<Account>>>,
}

impl<'a> Entries<'a> {
    pub(super) fn new(work: &'a Work) -> Entries<'a> {
        Entries { work, accounts: HashMap::new() }
    }

    pub(super) fn has(&mut self, account: AccountId, mailbox: MailboxId, uid: Uid) -> Result<bool> {
        if !self.accounts.contains_key(&account) {
            if self.accounts.len() >= ACCOUNTS_MAX {
                self.accounts.clear();
            }
            self.accounts.insert(account, self.work.shared.published.peek(account)?);
        }
        let view = self.accounts.get(&account).and_then(Option::as_ref);
        match view.and_then(|view| view.mailbox(mailbox)) {
            Some(mailbox) => Ok(mailbox.entries.position(uid)?.is_some()),
            None => Ok(false),
        }
    }
}
