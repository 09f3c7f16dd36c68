//! What one session at a time may do with an account: be its POP3 session (RFC 1939 section 3: the exclusive-access lock). Never blocks: who
//! comes second is told.
use posthouse_engine::base::AccountId;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

/// The accounts with such a session.
#[derive(Clone, Debug, Default)]
pub struct Exclusive(Arc<Mutex<HashSet<AccountId>>>);

/// The right to be it; dropping it ends it.
#[derive(Debug)]
pub struct Held {
    all: Exclusive,
    account: AccountId,
}

impl Exclusive {
    /// Takes the lock; `None` while another session has it.
    pub fn lock(&self, account: AccountId) -> Option<Held> {
        let mut locked = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        locked.insert(account).then(|| Held { all: self.clone(), account })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.all.0.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.account);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_at_a_time() {
        let all = Exclusive::default();
        let lock = all.lock(AccountId(1));
        assert!(lock.is_some());
        assert!(all.lock(AccountId(1)).is_none());
        assert!(all.lock(AccountId(2)).is_some());
        drop(lock);
        assert!(all.lock(AccountId(1)).is_some());
    }
}
