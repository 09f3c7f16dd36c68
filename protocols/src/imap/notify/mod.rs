//! NOTIFY (RFC 5465): what a client wants to be told without asking, what it knows already, and what is news to it. A session that has not asked
//! holds nothing of this and is woken by nothing here.
//!
//! `asked` reads the command, `filter` says which events of which names are meant, `known` compares what a client knows of an account with
//! what is, `reach` finds the accounts to be watched, `told` writes the news.
pub(super) mod asked;
mod filter;
mod known;
mod reach;
mod told;

use super::fetch::plan::Plan;
use super::state::Session;
use filter::Filter;
use known::Watched;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::index::{Metadata, UidSet};
use posthouse_engine::{At, Watch};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::task::Context;

/// What the client of a session has asked for. NOTIFY NONE is one that wants nothing: another thing than no NOTIFY at all.
#[derive(Debug, Default)]
pub(super) struct Notify {
    pub(super) selected: OfSelected,
    filter: Filter,
    accounts: Vec<Watched>,
    /// Who may do what: watched when mailboxes of others are meant.
    rights: Option<Watch>,
    rights_changed: bool,
    /// What is subscribed has changed, and with it which mailboxes are meant.
    filter_moved: bool,
    /// What the client knows of its own account besides the mailboxes.
    subscriptions: Arc<BTreeSet<Arc<str>>>,
    annotations: Metadata,
    /// The mailbox that was selected at the last look.
    place: Option<(AccountId, MailboxId)>,
    own: Own,
}

/// Which events of the selected mailbox are told (RFC 5465 section 6.1).
#[derive(Debug, Default)]
pub(super) struct OfSelected {
    /// MessageNew and MessageExpunge.
    pub(super) counts: bool,
    /// FlagChange.
    pub(super) flags: bool,
    /// EXPUNGE waits for a command after which it may be told.
    pub(super) delayed: bool,
    /// What is told of each new message.
    pub(super) fetch: Option<Arc<Plan>>,
}

/// What the client has done itself since the last look: it "SHOULD" not be told of that (RFC 5465 section 5).
#[derive(Debug, Default)]
struct Own {
    /// Names that it made (`true`), removed (`false`) or changed otherwise.
    names: BTreeMap<String, Option<bool>>,
    subscriptions: BTreeMap<String, bool>,
    /// Annotations by mailbox name.
    annotations: BTreeSet<(String, String)>,
    /// Messages that it put somewhere.
    messages: Vec<(AccountId, MailboxId, UidSet)>,
}

impl Notify {
    /// Whether anything may come without a command.
    fn listens(&self) -> bool {
        self.selected.counts || !self.accounts.is_empty()
    }

    /// Whether one of its watches has something new; leaves its waker with those that have not.
    pub(super) fn poll_changed(&mut self, cx: &mut Context<'_>) -> bool {
        let mut changed = false;
        for watched in &mut self.accounts {
            watched.changed |= watched.watch.poll_changed(cx).is_ready();
            changed |= watched.changed;
        }
        self.rights_changed |= self.rights.as_ref().is_some_and(|watch| watch.poll_changed(cx).is_ready());
        changed | self.rights_changed
    }

    /// The same without waiting.
    fn has_changed(&mut self) -> bool {
        for watched in &mut self.accounts {
            watched.changed |= watched.watch.take();
        }
        self.rights_changed |= self.rights.as_ref().is_some_and(Watch::take);
        self.rights_changed || self.accounts.iter().any(|watched| watched.changed)
    }

    fn mailbox_count(&self) -> usize {
        self.accounts.iter().map(|watched| watched.known.len()).sum()
    }
}

impl Session {
    /// Whether the client is to be told things while it sends no command.
    pub(super) fn listens(&self) -> bool {
        self.notify.as_ref().is_some_and(|notify| notify.listens())
    }

    /// The client has put messages into a mailbox.
    pub(super) fn has_put(&mut self, to: At, uids: &UidSet) {
        if let Some(notify) = &mut self.notify {
            notify.own.messages.push((to.account, to.mailbox, uids.clone()));
        }
    }

    /// The messages that the client has put into the selected mailbox with the command that is under way.
    pub(super) fn own_messages(&self) -> UidSet {
        let (Some(notify), Some(selected)) = (&self.notify, &self.selected) else {
            return UidSet::new();
        };
        let here = notify.own.messages.iter().filter(|own| (own.0, own.1) == (selected.account, selected.mailbox));
        here.fold(UidSet::new(), |all, (_, _, uids)| all.union(uids))
    }

    /// The client has made a mailbox (`Some(true)`) or removed one; with it the levels above may look otherwise.
    pub(super) fn has_named(&mut self, name: &str, is_there: Option<bool>) {
        if let Some(notify) = &mut self.notify {
            for (at, _) in name.match_indices('/') {
                notify.own.names.entry(name[..at].to_owned()).or_insert(None);
            }
            notify.own.names.insert(name.to_owned(), is_there);
        }
    }

    /// The client has changed a subscription.
    pub(super) fn has_subscribed(&mut self, name: &str, on: bool) {
        if let Some(notify) = &mut self.notify {
            notify.own.subscriptions.insert(name.to_owned(), on);
        }
    }

    /// The client has changed annotations of a mailbox, or with the empty name of its account.
    pub(super) fn has_annotated<'a>(&mut self, name: &str, entries: impl Iterator<Item = &'a str>) {
        if let Some(notify) = &mut self.notify {
            notify.own.annotations.extend(entries.map(|entry| (name.to_owned(), entry.to_owned())));
        }
    }
}
