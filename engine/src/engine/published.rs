//! What readers see of a shard: the accounts as of the last commit. Changed by the committer only; a reader holds the lock for one look-up.
use crate::base::{AccountId, Error, MailboxId, Result};
use crate::index::{Account, Mailbox, Parts};
use crate::queue::Queue;
use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// The committed state of a shard.
#[derive(Default)]
pub(crate) struct Published(RwLock<State>);

#[derive(Default)]
struct State {
    accounts: HashMap<AccountId, Arc<Account>>,
    parts: Arc<Parts>,
    queue: Queue,
}

impl Published {
    pub(crate) fn new(accounts: Vec<Arc<Account>>, parts: Arc<Parts>, queue: Queue) -> Published {
        let accounts = accounts.into_iter().map(|account| (account.id, account)).collect();
        Published(RwLock::new(State { accounts, parts, queue }))
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
                if let Some(account) = state.accounts.get(&id) {
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
                return Ok(Some(state.accounts.entry(id).or_insert_with(|| Arc::new(account)).clone()));
            }
        }
    }

    /// The index parts below.
    pub(crate) fn parts(&self) -> Arc<Parts> {
        self.read().parts.clone()
    }

    /// All accounts that were ever used.
    pub(crate) fn ids(&self) -> BTreeSet<AccountId> {
        let (parts, mut ids): (Arc<Parts>, BTreeSet<AccountId>) = {
            let state = self.read();
            (state.parts.clone(), state.accounts.keys().copied().collect())
        };
        parts.list().iter().for_each(|part| ids.extend(part.accounts()));
        ids
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

    /// The account if it is in memory: what the committer goes back to when a group fails.
    pub(crate) fn in_memory(&self, id: AccountId) -> Option<Arc<Account>> {
        self.read().accounts.get(&id).cloned()
    }

    pub(crate) fn queue(&self) -> Queue {
        self.read().queue.clone()
    }

    /// Shows a group's changes, all at once.
    pub(crate) fn publish(&self, accounts: impl Iterator<Item = Arc<Account>>, queue: Option<Queue>) {
        let mut state = self.write();
        for account in accounts {
            state.accounts.insert(account.id, account);
        }
        if let Some(queue) = queue {
            state.queue = queue;
        }
    }

    /// Takes new index parts and forgets the accounts that are in them as they are.
    pub(crate) fn rebase(&self, parts: Arc<Parts>, is_dirty: impl Fn(AccountId) -> bool) {
        let mut state = self.write();
        state.accounts.retain(|id, _| is_dirty(*id));
        state.parts = parts;
    }
}
