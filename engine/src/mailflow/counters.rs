//! How much each account and each tenant has sent in its period. In memory only: a restart begins new periods.
use crate::base::{AccountId, TenantId, limits};
use std::collections::HashMap;

/// Whose recipients are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Counted {
    /// One member's.
    Account(AccountId),
    /// Those of all members of a tenant.
    Tenant(TenantId),
}

/// One period: its end, and what was counted in it.
#[derive(Clone, Copy, Debug)]
struct Period {
    end: i64,
    count: u32,
}

/// All that have sent something in a period that still runs. A period begins with its first recipient.
#[derive(Clone, Debug, Default)]
pub struct Counters(HashMap<Counted, Period>);

/// What was counted, to be given back when nothing was sent after all.
#[derive(Debug)]
pub struct Spent {
    pub(super) recipients: u32,
    /// Each with its period's end.
    pub(super) of: Vec<(Counted, i64)>,
}

impl Counters {
    /// What was counted in the period that runs now.
    pub(super) fn used(&self, counted: Counted, seconds: u32, now: i64) -> u32 {
        match self.0.get(&counted) {
            // A rule that has become shorter ends the period sooner.
            Some(period) if now < period.end && period.end - now <= i64::from(seconds) => period.count,
            _ => 0,
        }
    }

    pub(super) fn spend(&mut self, counted: Counted, seconds: u32, recipients: u32, now: i64) -> (Counted, i64) {
        if self.0.len() >= limits::RATE_ACCOUNTS_MAX {
            self.0.retain(|_, period| now < period.end);
        }
        let used = self.used(counted, seconds, now);
        let fresh = Period { end: now + i64::from(seconds), count: 0 };
        let period = self.0.entry(counted).or_insert(fresh);
        if used == 0 {
            *period = fresh;
        }
        period.count = used.saturating_add(recipients);
        (counted, period.end)
    }

    /// What was counted for recipients that got nothing. In a later period it is forgotten already.
    pub fn give_back(&mut self, spent: &Spent) {
        for (counted, end) in &spent.of {
            if let Some(period) = self.0.get_mut(counted).filter(|period| period.end == *end) {
                period.count = period.count.saturating_sub(spent.recipients);
            }
        }
    }
}
