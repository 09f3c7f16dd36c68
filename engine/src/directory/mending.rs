//! What the fold makes up where the control shard's log lost events: accounts whose mail is there come back under made-up addresses, so that
//! no number is ever given to somebody else. Pure.
use super::tables::Tables;
use super::{Account, AccountKind, Address, Directory, Domain, Event, Quota, Rules, Tenant};
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
                self.free(&account.address)?;
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
                self.free(alias)
            }
            Event::GroupAdded(group) => {
                self.domain(&group.address, group.tenant)?;
                self.free(&group.address)
            }
            _ => Ok(()),
        }
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
                rules: Rules::default(),
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
            self.free(&address)?;
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
    fn free(&mut self, address: &Address) -> Result<()> {
        match self.tables.occupant(address) {
            Some(super::tables::Occupant::Alias(_)) => self.add(Event::AliasRemoved(address.clone())),
            Some(super::tables::Occupant::Group) => self.add(Event::GroupRemoved(address.clone())),
            // Its removal was lost; it keeps its number, so its mail stays its own.
            Some(super::tables::Occupant::Account(id)) => self.remove(id),
            None => Ok(()),
        }
    }

    fn remove(&mut self, id: AccountId) -> Result<()> {
        for business in self.tables.opens(id).to_vec() {
            let edit = super::AccountEdit { id: business, users_remove: vec![id], ..Default::default() };
            self.add(Event::AccountSet(edit))?;
        }
        self.add(Event::AccountRemoved(id))
    }
}
