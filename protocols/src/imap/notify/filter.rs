//! Which events of which mailboxes a client wants (RFC 5465 sections 5 and 6). Pure: names in, events out.
use std::borrow::Borrow;
use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;

/// A set of events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Events(u8);

impl Events {
    pub(super) const NONE: Events = Events(0);
    /// MessageNew and MessageExpunge, which only come together.
    pub(super) const COUNTS: Events = Events(1);
    /// FlagChange.
    pub(super) const FLAGS: Events = Events(2);
    /// MailboxName.
    pub(super) const NAME: Events = Events(4);
    /// SubscriptionChange.
    pub(super) const SUBSCRIPTION: Events = Events(8);
    /// MailboxMetadataChange.
    pub(super) const METADATA: Events = Events(16);
    /// ServerMetadataChange: of no mailbox.
    pub(super) const SERVER_METADATA: Events = Events(32);

    pub(super) fn contains(self, other: Events) -> bool {
        self.0 & other.0 == other.0
    }

    pub(super) fn has_any(self, other: Events) -> bool {
        self.0 & other.0 != 0
    }

    #[must_use]
    pub(super) fn union(self, other: Events) -> Events {
        Events(self.0 | other.0)
    }
}

/// Which mailboxes a group of events is for, besides the selected one.
#[derive(Debug)]
pub(super) enum Which {
    /// `personal`; `inboxes` too, as rules and scripts deliver to any of them (RFC 5465 section 6.3).
    Personal,
    Subscribed,
    /// These and all below.
    Subtree(BTreeSet<String>),
    Mailboxes(BTreeSet<String>),
}

/// A mailbox, as a filter is asked for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Named<'a> {
    /// As the client knows it.
    pub(super) name: &'a str,
    /// It is in the client's own account.
    pub(super) is_own: bool,
    pub(super) is_subscribed: bool,
}

/// What a NOTIFY SET asks, but for the selected mailbox. A group without events takes its mailboxes out of all others.
#[derive(Debug, Default)]
pub(super) struct Filter(pub(super) Vec<(Which, Events)>);

impl Which {
    fn takes(&self, of: Named<'_>) -> bool {
        match self {
            Which::Personal => of.is_own,
            Which::Subscribed => of.is_subscribed,
            Which::Mailboxes(names) => names.contains(of.name),
            Which::Subtree(names) => {
                let ends = of.name.match_indices('/').map(|(at, _)| at).chain([of.name.len()]);
                ends.into_iter().any(|end| names.contains(&of.name[..end]))
            }
        }
    }

    /// Whether a mailbox whose name begins with `prefix` (`Shared/x@y.example/`) may be meant.
    fn reaches(&self, prefix: &str, subscriptions: &BTreeSet<Arc<str>>) -> bool {
        match self {
            Which::Personal => false,
            Which::Subscribed => has_below(subscriptions, prefix),
            Which::Mailboxes(names) => has_below(names, prefix),
            Which::Subtree(names) => {
                has_below(names, prefix) || prefix.match_indices('/').any(|(at, _)| names.contains(&prefix[..at]))
            }
        }
    }
}

fn has_below<Name: Borrow<str> + Ord>(names: &BTreeSet<Name>, prefix: &str) -> bool {
    let from = names.range::<str, _>((Bound::Included(prefix), Bound::Unbounded)).next();
    from.is_some_and(|name| name.borrow().starts_with(prefix))
}

impl Filter {
    /// The events of that mailbox that are to be told.
    pub(super) fn events(&self, of: Named<'_>) -> Events {
        let mut all = Events::NONE;
        for (_, events) in self.0.iter().filter(|(which, _)| which.takes(of)) {
            if *events == Events::NONE {
                return Events::NONE;
            }
            all = all.union(*events);
        }
        all
    }

    /// Whether any group asks for this.
    pub(super) fn asks(&self, wanted: Events) -> bool {
        self.0.iter().any(|(_, events)| events.contains(wanted))
    }

    /// Whether something of an account whose mailboxes begin with `prefix` may be asked for.
    pub(super) fn reaches(&self, prefix: &str, subscriptions: &BTreeSet<Arc<str>>) -> bool {
        self.0.iter().any(|(which, events)| *events != Events::NONE && which.reaches(prefix, subscriptions))
    }

    /// Whether mailboxes of others can be meant, now or once they are shared or subscribed.
    pub(super) fn reaches_others(&self, roots: [&str; 2]) -> bool {
        let is_below = |name: &String| roots.iter().any(|root| name.split('/').next() == Some(*root));
        self.0.iter().any(|(which, _)| match which {
            Which::Personal => false,
            Which::Subscribed => true,
            Which::Subtree(names) | Which::Mailboxes(names) => names.iter().any(is_below),
        })
    }

    /// Whether it depends on what is subscribed.
    pub(super) fn asks_subscribed(&self) -> bool {
        self.0.iter().any(|(which, _)| matches!(which, Which::Subscribed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn groups_add_up_and_none_takes_out() {
        let filter = Filter(vec![
            (Which::Personal, Events::COUNTS),
            (Which::Subtree(names(&["Lists", "Shared"])), Events::NAME),
            (Which::Mailboxes(names(&["Lists/spam"])), Events::NONE),
            (Which::Subscribed, Events::FLAGS),
        ]);
        let events = |name, is_own, is_subscribed| filter.events(Named { name, is_own, is_subscribed });
        assert_eq!(events("a", true, false), Events::COUNTS);
        assert_eq!(events("a", true, true), Events::COUNTS.union(Events::FLAGS));
        assert_eq!(events("Lists", true, false), Events::COUNTS.union(Events::NAME));
        assert_eq!(events("Lists/a/b", true, false), Events::COUNTS.union(Events::NAME));
        assert_eq!(events("Listsx", true, false), Events::COUNTS);
        assert_eq!(events("Lists/spam", true, true), Events::NONE);
        assert_eq!(events("Shared/x/INBOX", false, false), Events::NAME);
        assert_eq!(events("Other Users/x/INBOX", false, false), Events::NONE);
    }

    #[test]
    fn accounts_that_are_meant() {
        let subscriptions = BTreeSet::from([Arc::from("Other Users/b/INBOX")]);
        let reaches = |which, prefix| Filter(vec![(which, Events::NAME)]).reaches(prefix, &subscriptions);
        assert!(!reaches(Which::Personal, "Shared/x/"));
        assert!(reaches(Which::Subscribed, "Other Users/b/") && !reaches(Which::Subscribed, "Shared/x/"));
        for tree in ["Shared", "Shared/x", "Shared/x/INBOX"] {
            assert!(reaches(Which::Subtree(names(&[tree])), "Shared/x/"), "{tree}");
        }
        assert!(!reaches(Which::Subtree(names(&["Shared/y"])), "Shared/x/"));
        assert!(reaches(Which::Mailboxes(names(&["Shared/x/a"])), "Shared/x/"));
        assert!(!reaches(Which::Mailboxes(names(&["Shared", "Shared/xy/a"])), "Shared/x/"));
    }
}
