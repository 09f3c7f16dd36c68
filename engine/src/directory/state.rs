//! The directory as it stands: tables by id and by address, and the lists that people look at. Changes only by events.
use crate::base::{AccountId, Error, Result, TenantId};

use super::{Account, Address, Change, Domain, Event, Group, Tenant};

/// Everything the control shard's events add up to.
#[derive(Clone, Debug, Default)]
pub struct Directory {}

/// Which entries a list shall have.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    /// Only this enterprise's.
    pub tenant: Option<TenantId>,
    /// Only those whose address or name contains this, in any case; empty is all.
    pub contains: &'a str,
    /// Only those after this address: the last one of the page before.
    pub after: Option<&'a Address>,
}

impl Directory {
    /// Checks one change against what is and says what would happen: the events to log and then `apply`. Changes
    /// nothing. `now` in seconds since 1970-01-01 UTC. Between `plan` and `apply` no other change may be planned.
    pub fn plan(&self, change: &Change, now: i64) -> Result<Vec<Event>> {
        let _ = now;
        Err(Error::Invalid(format!("{change:?}: not yet")))
    }

    /// Plans many changes for one transaction: each sees the effect of those before it; one that fails has no effect.
    /// One result per change, in order; the events of all `Ok` ones are applied in that order.
    pub fn plan_all(&self, changes: &[Change], now: i64) -> Vec<Result<Vec<Event>>> {
        changes.iter().map(|change| self.plan(change, now)).collect()
    }

    /// Folds one event in. Fails only with `Error::Corrupt`, and has changed nothing then.
    pub fn apply(&mut self, event: &Event) -> Result<()> {
        let _ = event;
        Ok(())
    }

    /// The account of that id.
    pub fn account(&self, id: AccountId) -> Option<&Account> {
        let _ = id;
        None
    }

    /// The account whose address or alias this is, disabled or not.
    pub fn account_at(&self, address: &Address) -> Option<&Account> {
        let _ = address;
        None
    }

    /// The tenant of that id.
    pub fn tenant(&self, id: TenantId) -> Option<&Tenant> {
        let _ = id;
        None
    }

    /// The tenant of that slug.
    pub fn tenant_named(&self, name: &str) -> Option<&Tenant> {
        let _ = name;
        None
    }

    /// The domain of that name, in A-labels and small letters (`normalise_domain`, `Address::domain`).
    pub fn domain(&self, name: &str) -> Option<&Domain> {
        let _ = name;
        None
    }

    /// The group of that address.
    pub fn group(&self, address: &Address) -> Option<&Group> {
        let _ = address;
        None
    }

    /// All tenants, sorted by name.
    pub fn tenants(&self) -> impl Iterator<Item = &Tenant> {
        std::iter::empty()
    }

    /// Domains sorted by name.
    pub fn domains(&self, tenant: Option<TenantId>) -> impl Iterator<Item = &Domain> {
        let _ = tenant;
        std::iter::empty()
    }

    /// Members' accounts, sorted by address (domain first). A page is `.take(n)`, the next one begins `after` its last.
    pub fn members<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Account> {
        let _ = filter;
        std::iter::empty()
    }

    /// Business mailboxes, sorted by address (domain first).
    pub fn business<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Account> {
        let _ = filter;
        std::iter::empty()
    }

    /// Groups, sorted by address (domain first).
    pub fn groups<'a>(&'a self, filter: Filter<'a>) -> impl Iterator<Item = &'a Group> {
        let _ = filter;
        std::iter::empty()
    }

    /// The business mailboxes that a member may open, sorted by id.
    pub fn business_of(&self, member: AccountId) -> impl Iterator<Item = &Account> {
        let _ = member;
        std::iter::empty()
    }

    /// Accounts of all kinds and tenants.
    pub fn account_count(&self) -> usize {
        0
    }

    /// Appends the whole state, for a checkpoint.
    pub fn encode_snapshot(&self, out: &mut Vec<u8>) {
        let _ = out;
    }

    /// Reads what `encode_snapshot` wrote; `Error::Corrupt` when it contradicts itself.
    pub fn decode_snapshot(bytes: &[u8]) -> Result<Directory> {
        let _ = bytes;
        Ok(Directory::default())
    }
}
