//! What the fold makes up where the control shard's log lost events: accounts whose mail is there come back under made-up addresses, so that
//! no number is ever given to somebody else. Pure.
use super::tables::Tables;
use super::{Account, AccountKind, Address, Directory, Domain, Event, LoginRules, Quota, Tenant};
use crate::base::{AccountId, Error, Result, TenantId, limits};
use std::sync::Arc;

/// Where made-up accounts live when nobody knows better. RFC 2606 section 2 keeps `.invalid` free for ever.
const DOMAIN: &str = "recovered.invalid";

impl Directory {
    /// Folds in what must have happened before `event` can: events that stood where the log lost some. None in a log that is whole.
    pub fn make_up_before(&mut self, event: &Event) -> Vec<Event> {
        let mut scratch = MakeUp { tables: self, events: Vec::new() };
        // What cannot be made up leaves the event to be passed over.
        let _ = scratch.before(event);
        scratch.events
    }

    /// Gives every id below `next` to somebody, if it was given to nobody.
    pub fn make_up_accounts(&mut self, next: AccountId) -> Vec<Event> {
        let mut scratch = MakeUp { tables: self, events: Vec::new() };
        let _ = scratch.accounts_below(next, None);
        scratch.events
    }

    /// The id that the next account gets.
    pub fn account_next(&self) -> AccountId {
        self.next().account
    }
}

struct MakeUp<'a> {
    tables: &'a mut Directory,
    events: Vec<Event>,
}

impl MakeUp<'_> {
    fn add(&mut self, event: Event) -> Result<()> {
        self.tables.apply(&event)?;
        self.events.push(event);
        Ok(())
    }

    fn before(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::TenantAdded(tenant) => self.tenants_below(tenant.id),
            Event::DomainAdded(domain) => self.tenants_below(TenantId(domain.tenant.0.saturating_add(1))),
            Event::AccountAdded(account) => {
                self.domain(&account.address, account.tenant)?;
                self.accounts_below(account.id, Some(&account.address))?;
                self.free(&account.address, account.created)?;
                account.users.iter().try_for_each(|user| self.accounts_below(AccountId(user.0 + 1), None))
            }
            Event::AccountSet(edit) => self.accounts_below(AccountId(edit.id.0 + 1), None),
            Event::Access(event) => {
                event.account().map_or(Ok(()), |account| self.accounts_below(AccountId(account.0 + 1), None))
            }
            Event::AliasAdded { account, alias } => {
                self.accounts_below(AccountId(account.0 + 1), None)?;
                let tenant = Directory::account(self.tables, *account).map(|account| account.tenant);
                tenant.map_or(Ok(()), |tenant| self.domain(alias, tenant))?;
                self.free(alias, self.latest())
            }
            Event::GroupAdded(group) => {
                self.domain(&group.address, group.tenant)?;
                self.free(&group.address, group.created)
            }
            Event::AccountPurgeBegun { id, when } => self.remove(*id, *when),
            Event::AccountRestored { id, .. } => self.remove(*id, self.latest()),
            _ => Ok(()),
        }
    }

    /// The latest time that an account was made or removed at.
    fn latest(&self) -> i64 {
        let removed = self.tables.removed(None).map(|removed| removed.when);
        let made = self.tables.members(Default::default()).map(|account| account.created);
        removed.chain(made).max().unwrap_or(0)
    }

    /// All tenants up to that id, as far as none of them ever was.
    fn tenants_below(&mut self, next: TenantId) -> Result<()> {
        while self.tables.next().tenant < next {
            let id = self.tables.next().tenant;
            let (name, title) = (format!("recovered-{id}").into(), format!("Recovered {id}").into());
            let accounts_max = limits::TENANT_ACCOUNTS_DEFAULT;
            let tenant = Tenant {
                id,
                name,
                title,
                accounts_max,
                disabled: false,
                rules: LoginRules::default(),
                created: 0,
                accounts: 0,
                domains: Vec::new(),
            };
            self.add(Event::TenantAdded(tenant))?;
        }
        Ok(())
    }

    /// The domain of an address that is to be `tenant`'s.
    fn domain(&mut self, address: &Address, tenant: TenantId) -> Result<()> {
        self.tenants_below(TenantId(tenant.0.saturating_add(1)))?;
        if Directory::domain(self.tables, address.domain()).is_some() {
            return Ok(());
        }
        self.add(Event::DomainAdded(Domain { name: address.domain().into(), tenant, created: 0, addresses: 0 }))
    }

    /// All accounts below `next` that never were, in the domain of `like` or in one that is made for them.
    fn accounts_below(&mut self, next: AccountId, like: Option<&Address>) -> Result<()> {
        while self.tables.next().account < next {
            let id = self.tables.next().account;
            let domain = like.map_or(DOMAIN, Address::domain).to_owned();
            let tenant = self.tenant_of(&domain)?;
            let address = Address::from_stored(&format!("recovered-{id}@{domain}"))
                .ok_or_else(|| Error::Invalid("an address".into()))?;
            self.free(&address, self.latest())?;
            self.add(Event::AccountAdded(Account {
                id,
                kind: AccountKind::Member,
                tenant,
                address,
                name: format!("Recovered {id}").into(),
                vip: true,
                quota: Quota::Unlimited,
                password_hash: None,
                access: None,
                disabled: false,
                aliases: Box::default(),
                users: Box::default(),
                created: 0,
            }))?;
        }
        Ok(())
    }

    fn tenant_of(&mut self, domain: &str) -> Result<TenantId> {
        if let Some(domain) = Directory::domain(self.tables, domain) {
            return Ok(domain.tenant);
        }
        let tenant = self.tables.next().tenant;
        self.tenants_below(TenantId(tenant.0.saturating_add(1)))?;
        self.add(Event::DomainAdded(Domain { name: Arc::from(domain), tenant, created: 0, addresses: 0 }))?;
        Ok(tenant)
    }

    /// Takes an address away from a group or an alias that has it still, although another gets it.
    fn free(&mut self, address: &Address, when: i64) -> Result<()> {
        match self.tables.occupant(address) {
            Some(super::tables::Occupant::Alias(_)) => self.add(Event::AliasRemoved(address.clone())),
            Some(super::tables::Occupant::Group) => self.add(Event::GroupRemoved(address.clone())),
            // Its removal was lost; it keeps its number, so its mail stays its own.
            Some(super::tables::Occupant::Account(id)) => self.remove(id, when),
            None => Ok(()),
        }
    }

    /// Into the recycle bin, where every removed account goes first: its mail is still to be had. When it went there is not known better than
    /// from what came after.
    fn remove(&mut self, id: AccountId, when: i64) -> Result<()> {
        if Directory::account(self.tables, id).is_none() {
            return Ok(());
        }
        for business in self.tables.opens(id).to_vec() {
            let edit = super::AccountEdit { id: business, users_remove: vec![id], ..Default::default() };
            self.add(Event::AccountSet(edit))?;
        }
        self.add(Event::AccountBinned { id, when })
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, id_of, town};
    use super::*;

    #[test]
    fn whose_removal_was_lost_is_in_the_bin() {
        let mut directory = town();
        let ann = id_of(&directory, "ann@acme.example");
        let next = directory.account_next();
        let account = Account {
            id: next,
            created: 5_000,
            users: Box::default(),
            ..directory.account(ann).cloned().expect("ann")
        };
        let event = Event::AccountAdded(account);
        directory.make_up_before(&event);
        directory.apply(&event).expect("the address is free");
        assert_eq!(id_of(&directory, "ann@acme.example"), next);
        assert_eq!(directory.removed_account(ann).map(|removed| removed.when), Some(5_000));

        let bob = id_of(&directory, "bob@acme.example");
        let event = Event::AccountPurgeBegun { id: bob, when: 6_000 };
        directory.make_up_before(&event);
        directory.apply(&event).expect("it is in the bin");
        assert!(directory.account_at(&at("bob@acme.example")).is_none());
        assert!(directory.removed_account(bob).is_some_and(|removed| removed.purge_begun && removed.when == 6_000));
    }
}
