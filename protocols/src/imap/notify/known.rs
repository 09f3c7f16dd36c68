//! What a client knows of the mailboxes of one account, and what is news to it (RFC 5465 section 5). Pure: takes views, writes nothing.
use super::filter::{Events, Filter, Named};
use crate::imap::cmd::status::Item;
use posthouse_engine::Watch;
use posthouse_engine::base::{AccountId, MailboxId, ModSeq, Uid};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Account, Mailbox, Metadata};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Annotations that only the owner of a mailbox sees begin so.
const PRIVATE: &str = "/private/";

/// An account of which mailboxes are watched.
#[derive(Debug)]
pub(super) struct Watched {
    pub(super) account: AccountId,
    /// What stands before the owner's names of its mailboxes.
    pub(super) prefix: String,
    pub(super) watch: Watch,
    /// There may be something new.
    pub(super) changed: bool,
    /// All its mailboxes, by id.
    pub(super) known: Vec<Known>,
}

/// What a client knows of one mailbox.
#[derive(Clone, Debug)]
pub(super) struct Known {
    id: MailboxId,
    /// The owner's name of it.
    name: Arc<str>,
    /// What the session may do there.
    rights: Rights,
    events: Events,
    uid_validity: u32,
    uid_next: Uid,
    messages: u32,
    unseen: u32,
    modseq: ModSeq,
    metadata: Metadata,
}

/// Who looks, and how.
pub(super) struct Look<'a> {
    pub(super) filter: &'a Filter,
    pub(super) subscriptions: &'a BTreeSet<Arc<str>>,
    /// The session's account.
    pub(super) user: AccountId,
    /// The selected mailbox as the client has been told of it: its messages are told otherwise.
    pub(super) selected: Option<(AccountId, &'a Mailbox)>,
    /// MODSEQ belongs to every STATUS.
    pub(super) condstore: bool,
    /// How the watched mailboxes stand is asked for.
    pub(super) status: bool,
    /// Other mailboxes may be meant than at the last look.
    pub(super) filter_moved: bool,
}

/// What has happened to a name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    /// What it was called before.
    pub(super) old: Option<String>,
    /// There is such a mailbox.
    pub(super) is_there: bool,
    /// The right to see it was taken.
    pub(super) is_lost: bool,
}

/// What is to be told, by the names that the session knows.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) names: BTreeMap<String, Name>,
    pub(super) subscriptions: BTreeMap<String, bool>,
    pub(super) status: Vec<Status>,
    pub(super) annotations: BTreeMap<String, BTreeSet<String>>,
}

/// A STATUS response.
#[derive(Debug)]
pub(super) struct Status {
    pub(super) name: String,
    pub(super) account: AccountId,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) items: Vec<Item>,
    /// How many of the messages have come since the client knew of them, and from which uid on.
    pub(super) appended: (u32, Uid),
    /// Nothing but these has changed.
    pub(super) only_appended: bool,
}

/// Both rights that every event needs.
const SEES: Rights = Rights::LOOKUP.union(Rights::READ);

impl Known {
    /// A mailbox that the client has not heard of is empty to it.
    fn new(mailbox: &Mailbox) -> Known {
        Known {
            id: mailbox.id,
            name: mailbox.name.clone(),
            rights: Rights::NONE,
            events: Events::NONE,
            uid_validity: mailbox.uid_validity,
            uid_next: Uid(1),
            messages: 0,
            unseen: 0,
            modseq: ModSeq(1),
            metadata: Metadata::default(),
        }
    }

    /// Whether nothing at all has changed.
    fn is_as(&self, mailbox: &Mailbox, rights: Rights) -> bool {
        (self.rights, self.uid_validity, self.uid_next) == (rights, mailbox.uid_validity, mailbox.uid_next)
            && self.modseq == mailbox.highest_modseq
            && self.name == mailbox.name
            && self.metadata == mailbox.metadata
    }

    fn count(&mut self, mailbox: &Mailbox, reader: Option<AccountId>) {
        (self.uid_validity, self.uid_next) = (mailbox.uid_validity, mailbox.uid_next);
        self.messages = mailbox.entries.len() as u32;
        self.unseen = mailbox.unseen_for(reader) as u32;
        self.modseq = mailbox.highest_modseq;
    }

    /// What of a mailbox's messages is news (RFC 5465 sections 5.1 to 5.3).
    fn items(&self, mailbox: &Mailbox, unseen: u32, condstore: bool) -> Vec<Item> {
        let counts = self.events.contains(Events::COUNTS)
            && (self.uid_next, self.messages) != (mailbox.uid_next, mailbox.entries.len() as u32);
        let flags = self.events.contains(Events::FLAGS);
        let (seen, modseq) = (self.unseen != unseen, self.modseq != mailbox.highest_modseq);
        let mut items = Vec::new();
        if counts {
            items.extend([Item::Messages, Item::UidNext]);
        }
        if flags && seen {
            items.push(Item::Unseen);
        }
        if condstore && (!items.is_empty() || flags && modseq) {
            items.push(Item::HighestModSeq);
        }
        if !items.is_empty() || self.uid_validity != mailbox.uid_validity {
            items.push(Item::UidValidity);
        }
        items
    }
}

impl Watched {
    /// Takes the account as the client knows it from elsewhere.
    pub(super) fn learn(&mut self, account: Option<&Account>, rights: &[Rights], look: &Look<'_>) {
        let mailboxes = account.map_or(&[][..], |account| account.mailboxes.as_slice());
        let reader = self.reader(look);
        let learnt = mailboxes.iter().zip(rights).map(|(mailbox, rights)| {
            let mut known = Known::new(mailbox);
            known.count(mailbox, reader);
            (known.rights, known.metadata) = (*rights, mailbox.metadata.clone());
            known.events = look.events(&self.prefix, &mailbox.name, reader.is_none());
            known
        });
        self.known = learnt.collect();
    }

    fn reader(&self, look: &Look<'_>) -> Option<AccountId> {
        (self.account != look.user).then_some(look.user)
    }

    /// Adds what is news about the account to `news` and takes it for known. `rights`: for each mailbox of the account.
    pub(super) fn compare(&mut self, account: Option<&Account>, rights: &[Rights], look: &Look<'_>, news: &mut News) {
        let mailboxes = account.map_or(&[][..], |account| account.mailboxes.as_slice());
        let before = std::mem::take(&mut self.known);
        let renamed = self.renamed(&before, mailboxes, look);
        let mut before = before.into_iter().peekable();
        for (mailbox, rights) in mailboxes.iter().zip(rights) {
            while let Some(gone) = before.next_if(|known| known.id < mailbox.id) {
                self.removed(&gone, look, news, false);
            }
            let known = before.next_if(|known| known.id == mailbox.id);
            // The rule, among thousands.
            let same = known.as_ref().filter(|known| !look.filter_moved && known.is_as(mailbox, *rights));
            if let Some(same) = same {
                self.known.push(same.clone());
                continue;
            }
            let known = self.changed(known, mailbox, *rights, (look, &renamed), news);
            self.known.push(known);
        }
        before.for_each(|gone| self.removed(&gone, look, news, false));
    }

    /// Old names with the new ones, of those that are told.
    fn renamed(&self, before: &[Known], now: &[Arc<Mailbox>], look: &Look<'_>) -> BTreeMap<Arc<str>, Arc<str>> {
        let new_name = |known: &Known| {
            let at = now.binary_search_by_key(&known.id, |mailbox| mailbox.id).ok()?;
            let name = Some(&now[at].name).filter(|name| **name != known.name)?;
            let events = known.events.union(look.events(&self.prefix, name, self.account == look.user));
            (known.rights.contains(Rights::LOOKUP) && events.contains(Events::NAME)).then(|| name.clone())
        };
        before.iter().filter_map(|known| Some((known.name.clone(), new_name(known)?))).collect()
    }

    fn removed(&self, gone: &Known, look: &Look<'_>, news: &mut News, is_lost: bool) {
        if gone.events.contains(Events::NAME) && gone.rights.contains(Rights::LOOKUP) {
            let name = format!("{}{}", self.prefix, gone.name);
            self.parent(&gone.name, look, news);
            news.names.insert(name, Name { is_lost, ..Name::default() });
        }
    }

    /// "The mailbox itself and its direct parent are considered to be affected" (RFC 5465 section 5.4).
    fn parent(&self, name: &str, look: &Look<'_>, news: &mut News) {
        let Some((parent, _)) = name.rsplit_once('/') else { return };
        if look.events(&self.prefix, parent, self.account == look.user).contains(Events::NAME) {
            let above = Name { is_there: true, ..Name::default() };
            news.names.entry(format!("{}{parent}", self.prefix)).or_insert(above);
        }
    }

    fn changed(
        &self,
        known: Option<Known>,
        mailbox: &Arc<Mailbox>,
        rights: Rights,
        (look, renamed): (&Look<'_>, &BTreeMap<Arc<str>, Arc<str>>),
        news: &mut News,
    ) -> Known {
        let (reader, is_new) = (self.reader(look), known.is_none());
        let mut known = known.unwrap_or_else(|| Known::new(mailbox));
        let name = format!("{}{}", self.prefix, mailbox.name);
        let events = look.events(&self.prefix, &mailbox.name, reader.is_none());
        let (was, is) = (known.rights.contains(Rights::LOOKUP), rights.contains(Rights::LOOKUP));
        if was && !is {
            self.removed(&known, look, news, true);
        } else if is && !was && events.contains(Events::NAME) {
            self.parent(&mailbox.name, look, news);
            news.names.insert(name.clone(), Name { is_there: true, ..Name::default() });
        } else if was && is && known.name != mailbox.name && known.events.union(events).contains(Events::NAME) {
            if !is_with_parent(&known.name, &mailbox.name, renamed) {
                let old = Some(format!("{}{}", self.prefix, known.name));
                news.names.insert(name.clone(), Name { old, is_there: true, ..Name::default() });
            }
        } else if is && events != Events::NONE && known.rights.contains(Rights::READ) != rights.contains(Rights::READ) {
            // \NoAccess, or no longer (section 5.9).
            news.names.insert(name.clone(), Name { is_there: true, ..Name::default() });
        }
        (known.name, known.rights, known.events) = (mailbox.name.clone(), rights, events);
        if !rights.contains(SEES) {
            return known;
        }
        self.annotations(&known, mailbox, is_new, &name, news);
        known.metadata = mailbox.metadata.clone();
        match look.selected {
            Some((account, selected)) if (account, selected.id) == (self.account, mailbox.id) => {
                known.count(selected, reader);
            }
            _ => {
                self.messages(&known, mailbox, (reader, look.condstore), name, news);
                known.count(mailbox, reader);
            }
        }
        known
    }

    fn annotations(&self, known: &Known, mailbox: &Mailbox, is_new: bool, name: &str, news: &mut News) {
        if is_new || !known.events.contains(Events::METADATA) || known.metadata == mailbox.metadata {
            return;
        }
        let mut changed = differing(&known.metadata.of_clients(), &mailbox.metadata.of_clients());
        changed.retain(|entry| self.prefix.is_empty() || !entry.starts_with(PRIVATE));
        if !changed.is_empty() {
            news.annotations.insert(name.to_owned(), changed);
        }
    }

    fn messages(
        &self,
        known: &Known,
        mailbox: &Arc<Mailbox>,
        (reader, condstore): (Option<AccountId>, bool),
        name: String,
        news: &mut News,
    ) {
        if !known.events.has_any(Events::COUNTS) {
            return;
        }
        let unseen = mailbox.unseen_for(reader) as u32;
        let items = known.items(mailbox, unseen, condstore);
        if items.is_empty() {
            return;
        }
        let appended = mailbox.uid_next.0.saturating_sub(known.uid_next.0);
        let only_appended = known.uid_validity == mailbox.uid_validity
            && mailbox.entries.len() as u64 == u64::from(known.messages) + u64::from(appended)
            && mailbox.highest_modseq.0 == known.modseq.0 + u64::from(appended);
        news.status.push(Status {
            name,
            account: self.account,
            mailbox: mailbox.clone(),
            items,
            appended: (appended, known.uid_next),
            only_appended,
        });
    }

    /// The mailboxes whose messages are watched, with what is told of them at once (RFC 5465 section 3.1); and those that may be seen and not
    /// be read.
    pub(super) fn standing(&self, account: Option<&Account>, look: &Look<'_>, news: &mut News) {
        let mailboxes = account.map_or(&[][..], |account| account.mailboxes.as_slice());
        for (known, mailbox) in self.known.iter().zip(mailboxes) {
            let name = format!("{}{}", self.prefix, known.name);
            if known.events == Events::NONE || !known.rights.contains(Rights::LOOKUP) {
                continue;
            }
            if !known.rights.contains(Rights::READ) {
                news.names.insert(name, Name { is_there: true, ..Name::default() });
                continue;
            }
            let is_selected = look.selected.is_some_and(|at| (at.0, at.1.id) == (self.account, known.id));
            if !look.status || is_selected || !known.events.contains(Events::COUNTS) {
                continue;
            }
            let mut items = vec![Item::Messages, Item::UidNext, Item::UidValidity];
            if known.events.contains(Events::FLAGS) {
                items.extend([Item::Unseen, Item::HighestModSeq]);
            } else if look.condstore {
                items.push(Item::HighestModSeq);
            }
            let (account, mailbox) = (self.account, mailbox.clone());
            let (appended, only_appended) = ((0, known.uid_next), false);
            news.status.push(Status { name, account, mailbox, items, appended, only_appended });
        }
    }
}

impl Look<'_> {
    fn events(&self, prefix: &str, name: &str, is_own: bool) -> Events {
        let named =
            |name: &str| self.filter.events(Named { name, is_own, is_subscribed: self.subscriptions.contains(name) });
        if prefix.is_empty() { named(name) } else { named(&format!("{prefix}{name}")) }
    }
}

/// Whether a mailbox has another name only because one above it has.
fn is_with_parent(old: &str, new: &str, renamed: &BTreeMap<Arc<str>, Arc<str>>) -> bool {
    old.match_indices('/').any(|(at, _)| {
        let above = renamed.get(&old[..at]);
        above.is_some_and(|above| new.strip_prefix(&**above) == Some(&old[at..]))
    })
}

/// The entries that are not the same in both.
pub(super) fn differing(old: &Metadata, new: &Metadata) -> BTreeSet<String> {
    let names = old.iter().chain(new.iter()).map(|(name, _)| name);
    names.filter(|name| old.get(name) != new.get(name)).map(str::to_owned).collect()
}
