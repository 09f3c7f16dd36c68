//! How many connections each account has open, over all protocols that open one: a member's own programs, or somebody who has stolen a
//! password, take no more than their part of the server. Never blocks: who comes above that is told.
use posthouse_engine::base::AccountId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

/// The accounts with open connections.
#[derive(Clone, Debug)]
pub struct Attendance {
    counts: Arc<Mutex<HashMap<AccountId, u32>>>,
    per_account_max: u32,
}

/// The right of a connection to have its account open; dropping it gives the place back.
#[derive(Debug)]
pub struct Seat {
    attendance: Attendance,
    account: AccountId,
}

impl Attendance {
    /// With so many connections for each account.
    pub fn new(per_account_max: u32) -> Attendance {
        Attendance { counts: Arc::default(), per_account_max }
    }

    /// How many an account may have.
    pub fn per_account_max(&self) -> u32 {
        self.per_account_max
    }

    /// A place for one more connection; `None`: the account has all it may have.
    pub fn take(&self, account: AccountId) -> Option<Seat> {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        let count = counts.entry(account).or_default();
        if *count >= self.per_account_max {
            return None;
        }
        *count += 1;
        Some(Seat { attendance: self.clone(), account })
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut counts = self.attendance.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = counts.get_mut(&self.account) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.account);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_at_a_time_for_each() {
        let attendance = Attendance::new(2);
        let first = attendance.take(AccountId(1));
        let second = attendance.take(AccountId(1));
        assert!(first.is_some() && second.is_some());
        assert!(attendance.take(AccountId(1)).is_none());
        assert!(attendance.take(AccountId(2)).is_some());
        drop(first);
        let third = attendance.take(AccountId(1));
        assert!(third.is_some() && attendance.take(AccountId(1)).is_none());
        drop((second, third));
        assert!(attendance.counts.lock().unwrap().is_empty(), "nothing is kept of who is gone");
    }
}
