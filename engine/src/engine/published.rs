//! What readers see of a shard: the accounts as of the last commit. Changed by the committer only; a reader holds the lock for one look-up.
use crate::base::limits::READ_ACCOUNTS_MAX;
use crate::base::{AccountId, Error, MailboxId, QueueId, Result};
use crate::index::{Account, Mailbox, Parts};
use crate::queue::{Queue, QueueItem};
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Accounts that are looked up under one lock.
const ACCOUNTS_AT_A_TIME: usize = 1024;

/// A shard's state as of one moment: nothing that happens later is seen through it.
pub(crate) struct Moment {
    accounts: HashMap<AccountId, Arc<Account>>,
    parts: Arc<Parts>,
    pub(crate) queue: Queue,
}

impl Moment {
    /// All accounts that the shard holds.
    pub(crate) fn ids(&self) -> BTreeSet<AccountId> {
        let parts = self.parts.list().iter().flat_map(|part| part.accounts());
        self.accounts.keys().copied().chain(parts).collect()
    }

    pub(crate) fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>> {
        match self.accounts.get(&id) {
            Some(account) => Ok(Some(account.clone())),
            None => Ok(self.parts.load(id)?.map(Arc::new)),
        }
    }
}

/// The committed state of a shard.
#[derive(Default)]
pub(crate) struct Published(RwLock<State>);

#[derive(Default)]
struct State {
    /// Those that differ from the parts.
    accounts: HashMap<AccountId, Arc<Account>>,
    /// Some of those that do not, as readers asked for them.
    read: HashMap<AccountId, Arc<Account>>,
    parts: Arc<Parts>,
    queue: Queue,
}

impl State {
    /// Takes in what a reader has loaded; there may be a newer one meanwhile.
    fn keep(&mut self, account: Account) -> Arc<Account> {
        if let Some(changed) = self.accounts.get(&account.id) {
            return changed.clone();
        }
        if self.read.len() >= READ_ACCOUNTS_MAX {
            self.read.clear();
        }
        self.read.entry(account.id).or_insert_with(|| Arc::new(account)).clone()
    }
}

impl Published {
    pub(crate) fn new(accounts: Vec<Arc<Account>>, parts: Arc<Parts>, queue: Queue) -> Published {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Published(RwLock::new(State { accounts, read: HashMap::new(), parts, queue }))
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// The account as of the last commit, from memory or from the index parts.
    pub(crate) fn account(&self, id: AccountId) -> Result<Option<Arc<Account>>> {
        loop {
            let parts = {
                let state = self.read();
                if let Some(account) = state.accounts.get(&id).or_else(|| state.read.get(&id)) {
                    return Ok(Some(account.clone()));
                }
                state.parts.clone()
            };
            let Some(account) = parts.load(id)? else {
                let state = self.read();
                if Arc::ptr_eq(&state.parts, &parts) && !state.accounts.contains_key(&id) {
                    return Ok(None);
                }
                continue;
            };
            let mut state = self.write();
            if Arc::ptr_eq(&state.parts, &parts) {
                return Ok(Some(state.keep(account)));
            }
        }
    }

    /// The accounts that differ from the index parts.
    pub(crate) fn changed(&self) -> Vec<Arc<Account>> {
        self.read().accounts.values().cloned().collect()
    }

    /// The index parts below.
    pub(crate) fn parts(&self) -> Arc<Parts> {
        self.read().parts.clone()
    }

    /// Everything as of one moment.
    pub(crate) fn moment(&self) -> Moment {
        let state = self.read();
        Moment { accounts: state.accounts.clone(), parts: state.parts.clone(), queue: state.queue.clone() }
    }

    /// The account as of the last commit, without keeping it in memory for the next who asks.
    pub(crate) fn peek(&self, id: AccountId) -> Result<Option<Arc<Account>>> {
        let parts = {
            let state = self.read();
            if let Some(account) = state.accounts.get(&id) {
                return Ok(Some(account.clone()));
            }
            state.parts.clone()
        };
        Ok(parts.load(id)?.map(Arc::new))
    }

    pub(crate) fn mailbox(&self, id: AccountId, mailbox: MailboxId) -> Result<Arc<Mailbox>> {
        let account = self.account(id)?.ok_or_else(|| Error::NotFound(format!("account {id}")))?;
        account.mailbox(mailbox).cloned().ok_or_else(|| Error::NotFound("the mailbox".into()))
    }

    /// Whether the account's record would have to be read from the disk. A hint.
    pub(crate) fn is_cold(&self, id: AccountId) -> bool {
        let parts = {
            let state = self.read();
            if state.accounts.contains_key(&id) || state.read.contains_key(&id) {
                return false;
            }
            state.parts.clone()
        };
        parts.is_cold(id)
    }

    /// The accounts that the shard holds, in no order.
    pub(crate) fn ids(&self) -> Vec<AccountId> {
        let state = self.read();
        let parts = state.parts.list().iter().flat_map(|part| part.accounts());
        let mut ids: Vec<AccountId> = state.accounts.keys().copied().chain(parts).collect();
        ids.sort_unstable();
        ids.dedup();
        ids
    }

    /// The account if it is in memory: what the committer goes back to when a group fails.
    pub(crate) fn in_memory(&self, id: AccountId) -> Option<Arc<Account>> {
        self.read().accounts.get(&id).cloned()
    }

    pub(crate) fn queue(&self) -> Queue {
        self.read().queue.clone()
    }

    pub(crate) fn queue_item(&self, id: QueueId) -> Option<Arc<QueueItem>> {
        // Outside the lock: it may have to be unpacked.
        self.queue().get(id)
    }

    /// Shows a group's changes, all at once.
    pub(crate) fn publish(&self, accounts: Vec<Arc<Account>>, queue: Option<Queue>) {
        let mut before = Vec::with_capacity(2 * accounts.len());
        let mut state = self.write();
        for account in accounts {
            before.push(state.read.remove(&account.id));
            before.push(state.accounts.insert(account.id, account));
        }
        let queue = queue.map(|queue| std::mem::replace(&mut state.queue, queue));
        drop(state);
        // To give back an account of ten thousand mailboxes takes its time.
        drop((before, queue));
    }

    /// Takes new index parts and forgets the accounts that are in them as they are, and of the large ones of `written` what is. Readers wait for
    /// the exchange of the maps alone: accounts are changed by the committer only, which is here.
    pub(crate) fn rebase(&self, parts: Arc<Parts>, is_dirty: impl Fn(AccountId) -> bool, written: &[Account]) {
        let ids: Vec<AccountId> = self.read().accounts.keys().copied().collect();
        let dirty: Vec<AccountId> = ids.into_iter().filter(|id| is_dirty(*id)).collect();
        let mut accounts = HashMap::with_capacity(dirty.len());
        for some in dirty.chunks(ACCOUNTS_AT_A_TIME) {
            let state = self.read();
            accounts.extend(some.iter().filter_map(|id| Some((*id, state.accounts.get(id)?.clone()))));
        }
        for there in written {
            if let Some(account) = accounts.get_mut(&there.id) {
                Arc::make_mut(account).adopt(there);
            }
        }
        let mut state = self.write();
        // What is read again comes from the new parts, so that no file is held that they do not need.
        let read = std::mem::take(&mut state.read);
        let before = (std::mem::replace(&mut state.accounts, accounts), std::mem::replace(&mut state.parts, parts));
        drop(state);
        // To give back what a hundred thousand accounts hold takes its time.
        drop((read, before));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::index::Metadata;
    use std::sync::mpsc::channel;
    use std::time::Duration;

    #[test]
    fn readers_wait_for_nothing_while_the_new_maps_are_made() {
        let account = |id| {
            Arc::new(Account {
                id: AccountId(id),
                used_bytes: 0,
                messages: 0,
                mailbox_next: MailboxId(1),
                uid_validity_next: 1,
                mailboxes: Vec::new(),
                subscriptions: Arc::default(),
                metadata: Metadata::default(),
            })
        };
        let published = Arc::new(Published::new(vec![account(1), account(2)], Arc::default(), Queue::default()));
        let is_dirty = |id| {
            let (done, seen) = channel();
            let reader = published.clone();
            std::thread::spawn(move || done.send(reader.account(AccountId(1)).is_ok_and(|found| found.is_some())));
            assert_eq!(seen.recv_timeout(Duration::from_secs(20)), Ok(true), "a reader had to wait");
            id == AccountId(2)
        };
        published.rebase(Arc::default(), is_dirty, &[]);
        assert!(published.in_memory(AccountId(1)).is_none() && published.in_memory(AccountId(2)).is_some());
    }
}
