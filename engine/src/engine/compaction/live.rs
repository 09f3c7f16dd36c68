//! What is alive: what an entry of any mailbox or a queue item refers to, as of the last commit. An account is looked at as a whole, and nothing
//! that was dead in a sealed segment comes to life again, since entries are only made from entries and from new frames.
use super::plan::Group;
use super::{Compaction, Work};
use crate::base::{AccountId, Locator, MailboxId, Result, Uid};
use crate::index::Account;
use std::collections::HashMap;
use std::sync::Arc;

/// Accounts whose views are kept at hand while events are looked at.
const ACCOUNTS_MAX: usize = 4096;
/// Fewer values are not looked through for equal ones.
const TIDY_AT_LEAST: usize = 4096;

/// Values, each once, in memory for about twice as many as there are different ones: a message that ten thousand have is one value.
pub(super) struct Distinct<T> {
    all: Vec<T>,
    tidy_at: usize,
}

impl<T> Default for Distinct<T> {
    fn default() -> Distinct<T> {
        Distinct { all: Vec::new(), tidy_at: TIDY_AT_LEAST }
    }
}

impl<T: Ord> Distinct<T> {
    pub(super) fn push(&mut self, value: T) {
        self.all.push(value);
        if self.all.len() >= self.tidy_at {
            self.tidy();
            self.tidy_at = TIDY_AT_LEAST.max(2 * self.all.len());
        }
    }

    fn tidy(&mut self) {
        self.all.sort_unstable();
        self.all.dedup();
    }

    pub(super) fn sorted(mut self) -> Vec<T> {
        self.tidy();
        self.all
    }
}

impl Work {
    /// Calls `found` for the place of every entry's and queue item's message; one that several refer to, several times.
    pub(super) fn each_live(&self, run: &Compaction, found: &mut dyn FnMut(Locator)) -> Result<()> {
        // One moment for all: what one account hands to another while this goes on is seen with one of them.
        let moment = self.shared.published.moment();
        for item in moment.queue.iter() {
            found(item.locator);
        }
        for id in moment.ids() {
            run.go_on()?;
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
    pub(super) fn live(&self, groups: &[Group], run: &Compaction) -> Result<Vec<Vec<Locator>>> {
        let mut live: Vec<Distinct<Locator>> = groups.iter().map(|_| Distinct::default()).collect();
        self.each_live(run, &mut |at| {
            let group = groups.partition_point(|group| group.last < at.segment);
            if groups.get(group).is_some_and(|group| group.holds(at.segment)) {
                live[group].push(at);
            }
        })?;
        Ok(live.into_iter().map(Distinct::sorted).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_values_take_no_room() {
        let mut all = Distinct::default();
        for number in 0..1_000_000u32 {
            all.push(number % 5000);
        }
        assert!(all.all.capacity() <= 4 * 5000, "{}", all.all.capacity());
        assert_eq!(all.sorted(), (0..5000).collect::<Vec<_>>());
    }
}
