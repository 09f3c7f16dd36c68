//! Which accounts an address means, who may log in by a name, who may send as whom. Never changes anything.
use crate::base::{AccountId, Bound, TenantId};
use std::collections::HashSet;

use super::tables::{Occupant, Tables};
use super::{Account, Address, Directory, Group, Rule, Scope};

/// An account that gets a copy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Recipient {
    /// Whose mail store.
    pub account: AccountId,
    /// The account's address (not the alias or the group that was asked for).
    pub address: Address,
    /// What it may hold; `None` is any amount.
    pub bound: Option<Bound>,
    /// It was asked for by an address that nobody has, and its account takes the mail of such addresses (F8).
    pub is_transfer: bool,
}

/// What an address means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Resolution {
    /// The domain is not ours.
    NotLocal,
    /// The domain is ours, and nobody has this address.
    Unknown,
    /// The address exists, and nobody receives by it: the account or its tenant is disabled, or the group has no
    /// member who receives.
    Disabled,
    /// Who gets a copy; never both empty.
    Recipients {
        /// Each account once, sorted by id.
        local: Vec<Recipient>,
        /// Members of a group that live elsewhere, or that are groups: to be sent as new mail.
        external: Vec<Address>,
    },
}

impl Directory {
    /// What `address` means as a recipient.
    pub fn resolve(&self, address: &Address) -> Resolution {
        match self.occupant(address) {
            Some(Occupant::Account(id) | Occupant::Alias(id)) => match self.recipient(id) {
                Some(recipient) => Resolution::Recipients { local: vec![recipient], external: Vec::new() },
                None => Resolution::Disabled,
            },
            Some(Occupant::Group) => self.group(address).map_or(Resolution::Unknown, |group| self.expand(group)),
            None if self.domain(address.domain()).is_some() => self.resolve_unknown(address),
            None => Resolution::NotLocal,
        }
    }

    /// An address in a domain of ours that nobody has: an account's with a tag (RFC 5233), or one for the catch-all.
    fn resolve_unknown(&self, address: &Address) -> Resolution {
        let tagged = address.without_tag().and_then(|plain| self.account_at(&plain));
        if let Some(account) = tagged {
            return match self.recipient(account.id) {
                Some(recipient) => Resolution::Recipients { local: vec![recipient], external: Vec::new() },
                None => Resolution::Disabled,
            };
        }
        let rules = self.rules(&Scope::Domain(address.domain().into())).iter();
        let named = |rule: &Rule| if let Rule::CatchAll(to) = rule { self.account_at(to) } else { None };
        match rules.filter_map(named).find_map(|account| self.recipient(account.id)) {
            Some(recipient) => {
                let local = vec![Recipient { is_transfer: true, ..recipient }];
                Resolution::Recipients { local, external: Vec::new() }
            }
            None => Resolution::Unknown,
        }
    }

    /// The account that `name` (an address or an alias, in any case) may log in to; `None` too when it or its tenant
    /// is disabled. The caller checks the password, or spends `password::verify_dummy` on `None`.
    pub fn login(&self, name: &str) -> Option<&Account> {
        let address = Address::parse(name).ok()?;
        self.account_at(&address).filter(|account| self.is_active(account))
    }

    /// Whether `account` may send as `address`: its own address or alias, or that of a business mailbox it opens, with a tag or
    /// not; or that of a group that it represents.
    /// Never when one of the two is disabled.
    pub fn may_send_as(&self, account: AccountId, address: &Address) -> bool {
        let active = |id| self.account(id).is_some_and(|account| self.is_active(account));
        let plain = || address.without_tag().and_then(|plain| self.account_at(&plain));
        match self.account_at(address).or_else(plain) {
            Some(owner) => {
                (owner.id == account || owner.users.binary_search(&account).is_ok())
                    && active(account)
                    && active(owner.id)
            }
            None => self.group(address).is_some_and(|group| active(account) && self.represents(account, group)),
        }
    }

    /// Who gets reports about mail that was sent as a group: those who may send as it, and not all of its members. `None`: there is no such group.
    pub fn representatives(&self, group: &Address) -> Option<Vec<Recipient>> {
        let group = self.group(group).filter(|group| self.is_tenant_active(group.tenant))?;
        let named = |rule: &Rule| match rule {
            Rule::Representative(address) => self.recipient(self.account_at(address)?.id),
            _ => None,
        };
        let mut all: Vec<Recipient> =
            self.rules(&Scope::Group(group.address.clone())).iter().filter_map(named).collect();
        all.sort_unstable_by_key(|recipient| recipient.account);
        all.dedup_by_key(|recipient| recipient.account);
        Some(all)
    }

    fn represents(&self, account: AccountId, group: &Group) -> bool {
        let is_named = |rule: &Rule| match rule {
            Rule::Representative(address) => self.account_at(address).is_some_and(|named| named.id == account),
            _ => false,
        };
        self.is_tenant_active(group.tenant) && self.rules(&Scope::Group(group.address.clone())).iter().any(is_named)
    }

    /// Neither the account nor its tenant is disabled.
    pub fn is_active(&self, account: &Account) -> bool {
        !account.disabled && self.is_tenant_active(account.tenant)
    }

    fn is_tenant_active(&self, tenant: TenantId) -> bool {
        self.tenant(tenant).is_some_and(|tenant| !tenant.disabled)
    }

    fn recipient(&self, id: AccountId) -> Option<Recipient> {
        let account = self.account(id).filter(|account| self.is_active(account))?;
        let bound = self.bound(account);
        Some(Recipient { account: id, address: account.address.clone(), bound, is_transfer: false })
    }

    /// What an account may hold, by its quota and its rule `messages`; `None`: any amount.
    pub fn bound(&self, account: &Account) -> Option<Bound> {
        let mut rules = self.rules(&Scope::Account(account.id)).iter();
        let messages = rules.find_map(|rule| if let Rule::Messages(max) = rule { Some(u64::from(*max)) } else { None });
        match (account.quota_bytes_max(), messages) {
            (None, None) => None,
            (bytes, messages) => {
                Some(Bound { bytes_max: bytes.unwrap_or(u64::MAX), messages_max: messages.unwrap_or(u64::MAX) })
            }
        }
    }

    /// Whom mail to a group comes to outside a tenant, by way of groups in it too, each of which is asked once. Another tenant's group is one of them.
    pub fn members_outside(&self, group: &Address, tenant: TenantId) -> impl Iterator<Item = &Address> {
        let members = |address: &Address| self.group(address).map_or(&[][..], |group| &group.members).iter();
        let mut known: HashSet<&Address> = self.group(group).map(|group| &group.address).into_iter().collect();
        let mut left = vec![members(group)];
        std::iter::from_fn(move || {
            while let Some(last) = left.last_mut() {
                match last.next() {
                    None => drop(left.pop()),
                    Some(member) if self.domain(member.domain()).is_none_or(|domain| domain.tenant != tenant) => {
                        return Some(member);
                    }
                    Some(member) if self.group(member).is_some() && known.insert(member) => left.push(members(member)),
                    Some(_) => {}
                }
            }
            None
        })
    }

    /// One level: what stands in a group is an account or is sent on.
    fn expand(&self, group: &Group) -> Resolution {
        if !self.is_tenant_active(group.tenant) {
            return Resolution::Disabled;
        }
        let (mut local, mut external) = (Vec::new(), Vec::new());
        for member in &group.members {
            match self.occupant(member) {
                Some(Occupant::Account(id) | Occupant::Alias(id)) => local.extend(self.recipient(id)),
                Some(Occupant::Group) => external.push(member.clone()),
                None if self.domain(member.domain()).is_none() => external.push(member.clone()),
                // In a domain that became ours after it was listed, and nobody has the address.
                None => {}
            }
        }
        local.sort_unstable_by_key(|recipient| recipient.account);
        local.dedup_by_key(|recipient| recipient.account);
        if local.is_empty() && external.is_empty() {
            return Resolution::Disabled;
        }
        Resolution::Recipients { local, external }
    }
}
