//! One POP3 session at a time for each account (RFC 1939 section 3: the exclusive-access lock). Never blocks: who comes second is told.
use posthouse_engine::base::AccountId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The accounts with a POP3 session.
#[derive(Clone, Debug, Default)]
pub struct Maildrops(Arc<Mutex<HashSet<AccountId>>>);

/// The right to be an account's POP3 session; dropping it ends it.
#[derive(Debug)]
pub struct MaildropLock {
    maildrops: Maildrops,
    account: AccountId,
}

impl Maildrops {
    /// Takes the lock; `None` while another session has it.
    pub fn lock(&self, account: AccountId) -> Option<MaildropLock> {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked.insert(account).then(|| MaildropLock { maildrops: self.clone(), account })
    }
}

impl Drop for MaildropLock {
    fn drop(&mut self) {
        self.maildrops.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let maildrops = Maildrops::default();
        let lock = maildrops.lock(AccountId(1));
        assert!(lock.is_some());
        assert!(maildrops.lock(AccountId(1)).is_none());
        assert!(maildrops.lock(AccountId(2)).is_some());
        drop(lock);
        assert!(maildrops.lock(AccountId(1)).is_some());
    }
}
