//! How much each account has sent in its period. In memory only: a restart begins new periods.
use crate::base::{AccountId, limits};
use std::collections::HashMap;

/// One account's period: its end, and what was counted in it.
#[derive(Clone, Copy, Debug)]
struct Period {
    end: i64,
    count: u32,
}

/// All accounts that have sent something in a period that still runs. A period begins with its first message.
#[derive(Clone, Debug, Default)]
pub struct Counters(HashMap<AccountId, Period>);

impl Counters {
    /// What was counted in the period that runs now.
    pub(super) fn used(&self, account: AccountId, seconds: u32, now: i64) -> u32 {
        match self.0.get(&account) {
            // A rule that has become shorter ends the period sooner.
            Some(period) if now < period.end && period.end - now <= i64::from(seconds) => period.count,
            _ => 0,
        }
    }

    pub(super) fn charge(&mut self, account: AccountId, seconds: u32, recipients: u32, now: i64) {
        if self.0.len() >= limits::RATE_ACCOUNTS_MAX {
            self.0.retain(|_, period| now < period.end);
        }
        let used = self.used(account, seconds, now);
        let fresh = Period { end: now + i64::from(seconds), count: 0 };
        let period = self.0.entry(account).or_insert(fresh);
        if used == 0 {
            *period = fresh;
        }
        period.count = used.saturating_add(recipients);
    }
}
