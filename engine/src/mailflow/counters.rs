//! How much each account and each tenant has sent in its period. In memory, and as bytes for who keeps it over a restart (docs/format.md, "Kept notes").
use crate::base::bytes::{DecodeError, Put, Reader};
use crate::base::{AccountId, TenantId, limits};
use std::collections::HashMap;

/// Whose recipients are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
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

    /// What is counted in the periods that run at `now`, as bytes; nothing for nothing.
    pub fn encode(&self, now: i64) -> Vec<u8> {
        let mut out = Vec::new();
        let mut running: Vec<_> = self.0.iter().filter(|(_, period)| now < period.end && period.count > 0).collect();
        running.sort_unstable_by_key(|(counted, _)| **counted);
        for (counted, period) in running {
            let (kind, id) = match counted {
                Counted::Account(id) => (0, id.0),
                Counted::Tenant(id) => (1, u64::from(id.0)),
            };
            out.put_u8(kind);
            out.put_varint(id);
            out.put_i64(period.end);
            out.put_varint(u64::from(period.count));
        }
        out
    }

    /// Reads them back, as far as they can be read.
    pub fn decode(bytes: &[u8]) -> Counters {
        let (mut all, mut reader) = (HashMap::new(), Reader::new(bytes));
        while !reader.is_empty() && all.len() < limits::RATE_ACCOUNTS_MAX {
            match Counters::decode_one(&mut reader) {
                Ok((counted, period)) => all.insert(counted, period),
                Err(why) => {
                    tracing::warn!(%why, "what members have sent before this start cannot be read whole");
                    break;
                }
            };
        }
        Counters(all)
    }

    fn decode_one(reader: &mut Reader<'_>) -> Result<(Counted, Period), DecodeError> {
        let (kind, id) = (reader.u8()?, reader.varint()?);
        let counted = match (kind, u32::try_from(id)) {
            (0, _) => Counted::Account(AccountId(id)),
            (1, Ok(id)) => Counted::Tenant(TenantId(id)),
            _ => return reader.error("an account or a tenant expected before this byte"),
        };
        Ok((counted, Period { end: reader.i64()?, count: reader.varint_u32()? }))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_that_run_come_back_and_others_do_not() {
        let mut counters = Counters::default();
        let (ann, acme) = (Counted::Account(AccountId(300)), Counted::Tenant(TenantId(2)));
        let spent = counters.spend(ann, 100, 3, 1000);
        counters.spend(acme, 50, 7, 1000);
        let back = Counters::decode(&counters.encode(1060));
        assert_eq!((back.used(ann, 100, 1060), back.used(acme, 50, 1060), back.0.len()), (3, 0, 1));
        assert_eq!(Counters::decode(&counters.encode(1010)).used(acme, 50, 1010), 7);
        counters.give_back(&Spent { recipients: 3, of: vec![spent] });
        assert!(counters.encode(1060).is_empty() && Counters::decode(&[]).0.is_empty());
        // What cannot be read takes nothing of the rest with it.
        let cut = Counters::decode(&[&back.encode(1060)[..], &[9, 9]].concat());
        assert_eq!(cut.used(ann, 100, 1060), 3);
    }
}
