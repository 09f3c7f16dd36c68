//! Who besides its owner may do what in a mailbox (RFC 4314): rights, whom they are given to, and what they add up to for a member. Nobody of
//! another tenant ever has any. Pure; stored as rules of the scope `Mailbox`.
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use crate::base::bytes::{Put, Reader};
use crate::base::{AccountId, Error, MailboxId, Result, TenantId};

use super::codec::{self, Decoded};
use super::{Account, AccountKind, Address, Directory, Rule, Scope};

/// A set of rights (RFC 4314 section 2.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rights(u16);

impl Rights {
    /// None.
    pub const NONE: Rights = Rights(0);
    /// `l`: the mailbox is shown.
    pub const LOOKUP: Rights = Rights(1);
    /// `r`: it can be opened and read.
    pub const READ: Rights = Rights(2);
    /// `s`: \Seen is kept.
    pub const SEEN: Rights = Rights(4);
    /// `w`: other flags and keywords can be changed.
    pub const WRITE: Rights = Rights(8);
    /// `i`: messages can be put in.
    pub const INSERT: Rights = Rights(16);
    /// `p`: mail can be sent to it. Kept for clients; mail goes to accounts here.
    pub const POST: Rights = Rights(32);
    /// `k`: mailboxes can be made below it.
    pub const CREATE: Rights = Rights(64);
    /// `x`: it can be removed and renamed.
    pub const DELETE_MAILBOX: Rights = Rights(128);
    /// `t`: \Deleted can be changed.
    pub const DELETE_MESSAGES: Rights = Rights(256);
    /// `e`: messages can be expunged.
    pub const EXPUNGE: Rights = Rights(512);
    /// `a`: rights can be seen and changed.
    pub const ADMINISTER: Rights = Rights(1024);
    /// All of them: what an owner has.
    pub const ALL: Rights = Rights(2047);
    /// What a member has in a business mailbox that it may open.
    pub const BUSINESS: Rights = Rights(1023);
    /// Each right with its letter, in the order of RFC 4314.
    pub const LETTERS: [(Rights, char); 11] = [
        (Rights::LOOKUP, 'l'),
        (Rights::READ, 'r'),
        (Rights::SEEN, 's'),
        (Rights::WRITE, 'w'),
        (Rights::INSERT, 'i'),
        (Rights::POST, 'p'),
        (Rights::CREATE, 'k'),
        (Rights::DELETE_MAILBOX, 'x'),
        (Rights::DELETE_MESSAGES, 't'),
        (Rights::EXPUNGE, 'e'),
        (Rights::ADMINISTER, 'a'),
    ];
    /// `c` and `d` of RFC 2086, and what they stand for (RFC 4314 section 2.1.1).
    pub const VIRTUAL: [(Rights, char); 2] = [
        (Rights(Rights::CREATE.0 | Rights::DELETE_MAILBOX.0), 'c'),
        (Rights(Rights::DELETE_MESSAGES.0 | Rights::EXPUNGE.0), 'd'),
    ];

    /// Whether all rights of `other` are among them.
    pub fn contains(self, other: Rights) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether one of the rights of `other` is among them.
    pub fn has_any(self, other: Rights) -> bool {
        self.0 & other.0 != 0
    }

    /// Both sets together.
    #[must_use]
    pub const fn union(self, other: Rights) -> Rights {
        Rights(self.0 | other.0)
    }

    /// Those that are not in `other`.
    #[must_use]
    pub const fn without(self, other: Rights) -> Rights {
        Rights(self.0 & !other.0)
    }

    /// Whether there is none.
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// The letters with the virtual ones of which something is among them, as responses have them (RFC 4314 section 2.1.1).
    pub fn on_the_wire(self) -> String {
        let virtual_ = Rights::VIRTUAL.iter().filter(|(rights, _)| self.has_any(*rights)).map(|(_, letter)| *letter);
        self.to_string().chars().chain(virtual_).collect()
    }
}

impl fmt::Display for Rights {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let letters = Rights::LETTERS.iter().filter(|(right, _)| self.contains(*right));
        letters.into_iter().try_for_each(|(_, letter)| write!(f, "{letter}"))
    }
}

impl FromStr for Rights {
    type Err = Error;

    /// Reads letters in any order, `c` and `d` too.
    fn from_str(text: &str) -> Result<Rights> {
        text.chars().try_fold(Rights::NONE, |rights, wanted| {
            let known = Rights::LETTERS.iter().chain(&Rights::VIRTUAL).find(|(_, letter)| *letter == wanted);
            let (right, _) = known.ok_or_else(|| {
                Error::Invalid(format!(
                    "rights {text:?}: allowed are the letters l r s w i p k x t e a, and c for kx, d for te"
                ))
            })?;
            Ok(rights.union(*right))
        })
    }
}

/// Whom rights are given to.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Grantee {
    /// A member of the owner's tenant.
    Account(AccountId),
    /// `anyone`: all members of the owner's tenant.
    Tenant(TenantId),
    /// The members of a group of the tenant.
    Group(Address),
}

/// One entry of an access control list; a negative one takes away.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Grant {
    /// Who.
    pub who: Grantee,
    /// Its rights are taken from what others give.
    pub negative: bool,
    /// Which rights; not none.
    pub rights: Rights,
}

/// What SETACL does with the rights it names (RFC 4314 section 3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AclMode {
    /// They are all.
    Replace,
    /// `+`
    Add,
    /// `-`
    Remove,
}

/// A change of access control lists. Mailboxes are named by their numbers, which the directory does not check: it does not know them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AclChange {
    /// Other rights for somebody.
    Set {
        /// Whose mailbox.
        owner: AccountId,
        /// Which one.
        mailbox: MailboxId,
        /// Who.
        who: Grantee,
        /// In the entry that takes away.
        negative: bool,
        /// What to do with the rights.
        mode: AclMode,
        /// Which rights.
        rights: Rights,
    },
    /// A new mailbox gets the list of the one above it.
    Inherit {
        /// Whose mailboxes.
        owner: AccountId,
        /// The one above.
        from: MailboxId,
        /// The new one.
        to: MailboxId,
    },
    /// The mailbox is gone.
    Clear {
        /// Whose it was.
        owner: AccountId,
        /// Which one.
        mailbox: MailboxId,
    },
}

/// An account of which a member may see something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sharer {
    /// Whose.
    pub account: AccountId,
    /// Its address.
    pub address: Address,
    /// A business mailbox.
    pub is_business: bool,
}

impl Directory {
    /// What a member may do in a mailbox: all in its own, else what the list gives, and what it has as a user of a business mailbox, less
    /// what the list takes away. Nothing in another tenant's.
    pub fn rights(&self, user: AccountId, owner: AccountId, mailbox: MailboxId) -> Rights {
        if user == owner {
            return Rights::ALL;
        }
        let (Some(user), Some(account)) = (self.account(user), self.account(owner)) else {
            return Rights::NONE;
        };
        if user.tenant != account.tenant {
            return Rights::NONE;
        }
        let opened = account.users.binary_search(&user.id).is_ok();
        let (mut given, mut taken) = (if opened { Rights::BUSINESS } else { Rights::NONE }, Rights::NONE);
        for grant in self.grants(owner, mailbox) {
            if self.means(&grant.who, user) {
                let sum = if grant.negative { &mut taken } else { &mut given };
                *sum = sum.union(grant.rights);
            }
        }
        given.without(taken)
    }

    /// The list of a mailbox.
    pub fn grants(&self, owner: AccountId, mailbox: MailboxId) -> impl Iterator<Item = &Grant> {
        self.rules(&Scope::Mailbox(owner, mailbox)).iter().filter_map(|rule| match rule {
            Rule::Acl(grant) => Some(grant),
            _ => None,
        })
    }

    /// Whether a grantee is or holds that member.
    fn means(&self, who: &Grantee, user: &Account) -> bool {
        match who {
            Grantee::Account(id) => *id == user.id,
            Grantee::Tenant(tenant) => *tenant == user.tenant,
            Grantee::Group(address) => self.group(address).is_some_and(|group| {
                let listed = |address: &Address| group.members.binary_search(address).is_ok();
                group.tenant == user.tenant && (listed(&user.address) || user.aliases.iter().any(listed))
            }),
        }
    }

    /// The accounts that share something with a member, by address: its business mailboxes, and those whose lists name it. What of theirs it
    /// may see is for `rights` to say.
    pub fn sharers(&self, user: AccountId) -> Vec<Sharer> {
        let Some(user) = self.account(user) else { return Vec::new() };
        let mut found: BTreeMap<&Address, &Account> = BTreeMap::new();
        let mut add = |id: AccountId| {
            let account = self.account(id).filter(|account| account.tenant == user.tenant && account.id != user.id);
            found.extend(account.map(|account| (&account.address, account)));
        };
        self.opens.get(&user.id).into_iter().flatten().for_each(|id| add(*id));
        let groups = self.groups_shared_with(user).filter(|who| self.means(who, user)).cloned();
        let all = [Grantee::Account(user.id), Grantee::Tenant(user.tenant)].into_iter().chain(groups);
        for who in all {
            self.shared.get(&who).into_iter().flatten().for_each(|(owner, _)| add(*owner));
        }
        let sharer = |account: &Account| Sharer {
            account: account.id,
            address: account.address.clone(),
            is_business: account.kind == AccountKind::Business,
        };
        found.into_values().map(sharer).collect()
    }

    /// The groups of a member's tenant that lists name, domain by domain, as they stand in their order: no other tenant's is looked at.
    fn groups_shared_with(&self, user: &Account) -> impl Iterator<Item = &Grantee> {
        let domains = self.tenant(user.tenant).into_iter().flat_map(|tenant| &tenant.domains);
        domains.flat_map(|domain| {
            let of_domain = move |who: &&Grantee| matches!(who, Grantee::Group(group) if group.domain() == &**domain);
            let from = Grantee::Group(Address::first_of(domain));
            self.shared.range(from..).map(|(who, _)| who).take_while(of_domain)
        })
    }

    /// Whom a name means to the owner of a mailbox: `anyone`, or a member or group of its tenant by address. Of other tenants' names nothing
    /// is said, not even whether they exist.
    pub fn grantee(&self, owner: AccountId, name: &str) -> Option<Grantee> {
        let tenant = self.account(owner)?.tenant;
        if name == "anyone" {
            return Some(Grantee::Tenant(tenant));
        }
        let address = Address::parse(name).ok()?;
        if let Some(account) = self.account_at(&address) {
            return (account.tenant == tenant).then_some(Grantee::Account(account.id));
        }
        let group = self.group(&address).filter(|group| group.tenant == tenant)?;
        Some(Grantee::Group(group.address.clone()))
    }

    /// The name of a grantee, as `grantee` reads it.
    pub fn grantee_name(&self, who: &Grantee) -> String {
        match who {
            Grantee::Account(id) => self.account(*id).map_or_else(|| id.to_string(), |found| found.address.to_string()),
            Grantee::Tenant(_) => "anyone".into(),
            Grantee::Group(address) => address.to_string(),
        }
    }
}

pub(super) fn put_grant(out: &mut Vec<u8>, grant: &Grant) {
    match &grant.who {
        Grantee::Account(id) => {
            out.put_u8(0);
            out.put_varint(id.0);
        }
        Grantee::Tenant(id) => {
            out.put_u8(1);
            out.put_varint(u64::from(id.0));
        }
        Grantee::Group(address) => {
            out.put_u8(2);
            codec::put_address(out, address);
        }
    }
    out.put_u8(u8::from(grant.negative));
    out.put_varint(u64::from(grant.rights.0));
}

pub(super) fn get_grant(reader: &mut Reader<'_>) -> Decoded<Grant> {
    let who = match reader.u8()? {
        0 => Grantee::Account(AccountId(reader.varint()?)),
        1 => Grantee::Tenant(TenantId(reader.varint_u32()?)),
        2 => Grantee::Group(codec::get_address(reader)?),
        _ => return reader.error("a kind of grantee expected before this byte"),
    };
    let negative = codec::bits(reader, 1)? == 1;
    match u16::try_from(reader.varint()?) {
        Ok(bits) if bits > 0 && bits <= Rights::ALL.0 => Ok(Grant { who, negative, rights: Rights(bits) }),
        _ => reader.error("one right at least, and known ones, expected before this byte"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{at, domain, group, id_of, make, town};
    use super::super::{Change, Event};
    use super::*;

    #[test]
    fn letters() {
        let rights = |text: &str| text.parse::<Rights>().map(|rights| rights.to_string());
        assert_eq!(rights("alr").ok().as_deref(), Some("lra"));
        assert_eq!(rights("cd").ok().as_deref(), Some("kxte"));
        assert_eq!(rights("").ok().as_deref(), Some(""));
        for bad in ["q", "L", "l r", "0", "\u{e9}"] {
            assert!(rights(bad).is_err(), "{bad}");
        }
        assert_eq!(Rights::ALL.to_string(), "lrswipkxtea");
        assert_eq!(Rights::BUSINESS.union(Rights::ADMINISTER), Rights::ALL);
        assert_eq!("lx".parse::<Rights>().expect("rights").on_the_wire(), "lxc");
        let sum = Rights::LETTERS.iter().fold(Rights::NONE, |sum, (right, _)| sum.union(*right));
        assert_eq!(sum, Rights::ALL, "each right has its letter");
    }

    /// Does what is asked, through the bytes of the log.
    fn set(directory: &mut Directory, owner: AccountId, who: Grantee, negative: bool, rights: &str) -> Result<()> {
        let rights = rights.parse()?;
        let set = AclChange::Set { owner, mailbox: MailboxId(1), who, negative, mode: AclMode::Replace, rights };
        for event in directory.plan(&Change::Acl(set), 0)? {
            let mut bytes = Vec::new();
            event.encode(&mut bytes);
            let mut reader = Reader::new(&bytes);
            let read = Event::decode(&mut reader).map_err(|why| Error::Invalid(why.to_string()))?;
            assert!(reader.is_empty() && read == event, "{event:?}");
            directory.apply(&read)?;
        }
        Ok(())
    }

    #[test]
    fn groups_of_every_domain_of_the_tenant_share() {
        let mut directory = town();
        make(&mut directory, domain("acme", "zz.example")).expect("made");
        make(&mut directory, domain("acme", "aa.example")).expect("made");
        let (ann, bob) = (id_of(&directory, "ann@acme.example"), id_of(&directory, "bob@acme.example"));
        for address in ["g@aa.example", "all@acme.example", "g@zz.example"] {
            if address != "all@acme.example" {
                make(&mut directory, group(address, &["bob@acme.example"])).expect("made");
            }
            let who = || Grantee::Group(at(address));
            assert!(directory.sharers(bob).is_empty());
            set(&mut directory, ann, who(), false, "lr").expect("set");
            assert_eq!(
                directory.sharers(bob).iter().map(|sharer| sharer.account).collect::<Vec<_>>(),
                [ann],
                "{address}"
            );
            assert!(directory.sharers(id_of(&directory, "eve@other.example")).is_empty());
            set(&mut directory, ann, who(), false, "").expect("taken away");
        }
    }

    #[test]
    fn what_lists_add_up_to() {
        let mut directory = town();
        let (ann, bob) = (id_of(&directory, "ann@acme.example"), id_of(&directory, "bob@acme.example"));
        let tenant = directory.account(ann).expect("ann").tenant;
        let rights = |directory: &Directory| directory.rights(bob, ann, MailboxId(1)).to_string();
        assert_eq!((rights(&directory), directory.sharers(bob).len()), (String::new(), 0));
        set(&mut directory, ann, Grantee::Account(bob), false, "lrw").expect("set");
        set(&mut directory, ann, Grantee::Tenant(tenant), false, "li").expect("set");
        assert_eq!(rights(&directory), "lrwi");
        set(&mut directory, ann, Grantee::Account(bob), true, "w").expect("set");
        assert_eq!(rights(&directory), "lri");
        assert_eq!(directory.rights(ann, ann, MailboxId(1)), Rights::ALL);
        assert_eq!(directory.rights(bob, ann, MailboxId(2)), Rights::NONE);
        assert_eq!(directory.sharers(bob).iter().map(|sharer| sharer.account).collect::<Vec<_>>(), [ann]);
        set(&mut directory, ann, Grantee::Account(bob), false, "").expect("taken away");
        assert_eq!(rights(&directory), "li");
        assert!(set(&mut directory, ann, Grantee::Account(ann), false, "l").is_err());
        assert!(set(&mut directory, ann, Grantee::Tenant(TenantId(99)), false, "l").is_err());
        assert_eq!(directory.grantee(ann, "anyone"), Some(Grantee::Tenant(tenant)));
        assert_eq!(directory.grantee(ann, "nobody@acme.example"), None);
        let mut bytes = Vec::new();
        directory.encode_snapshot(&mut bytes);
        let read = Directory::decode_snapshot(&bytes).expect("a snapshot");
        assert_eq!((rights(&read), read.sharers(bob).len()), ("li".to_owned(), 1));
        assert!(directory.account_at(&at("ann@acme.example")).is_some());
    }
}
