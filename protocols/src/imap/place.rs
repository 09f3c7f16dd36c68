//! Where a name leads: to a mailbox of the session's own account or, below `Other Users/` and `Shared/`, to one of another account of its
//! tenant; and what the session may do there (RFC 4314). A mailbox in which it may do nothing does not exist for it. Changes nothing.
use super::answer::Answer;
use super::state::Session;
use crate::session::Shared;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::{AccountKind, Address, Directory, Rights, Sharer};
use posthouse_engine::index::{Account, Flags, Mailbox};
use posthouse_engine::{At, Guest, UrlPlace};
use std::sync::Arc;

/// Above what members share.
pub(super) const OTHER_USERS: &str = "Other Users";
/// Above business mailboxes.
pub(super) const SHARED: &str = "Shared";

/// A mailbox that the session may do something in.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Whose mailbox it is.
    pub(super) account: AccountId,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) rights: Rights,
    /// The session's account if it is not the owner's.
    pub(super) reader: Option<AccountId>,
    /// What stands before the owner's name of it: nothing, or `Other Users/ann@example.org/`.
    pub(super) prefix: String,
}

/// Whether a name leads to others' mailboxes, unless the session has one of its own that is called so.
pub(super) fn may_be_of_others(name: &str) -> bool {
    let root = name.split('/').next().unwrap_or_default();
    root == OTHER_USERS || root == SHARED
}

/// An account that a name leads into, and the rest of the name.
pub(super) struct Home {
    pub(super) account: AccountId,
    pub(super) prefix: String,
    pub(super) rest: String,
}

impl Place {
    /// The name that the session knows it by.
    pub(super) fn name(&self) -> String {
        format!("{}{}", self.prefix, self.mailbox.name)
    }

    /// As the engine is told of it.
    pub(super) fn at(&self) -> At {
        at(self.account, self.mailbox.id, self.rights, self.reader)
    }

    /// As keys of URLs are kept for it.
    pub(super) fn for_urls(&self) -> UrlPlace {
        UrlPlace { account: self.account, mailbox: self.mailbox.id, uid_validity: self.mailbox.uid_validity }
    }

    /// That all of these rights are there.
    pub(super) fn need(&self, wanted: Rights) -> Result<(), Answer> {
        check(self.rights, wanted)
    }
}

/// That what is wanted is among the rights. Who may not know of the mailbox hears what it would hear if there were none.
fn check(rights: Rights, wanted: Rights) -> Result<(), Answer> {
    match wanted.without(rights) {
        missing if missing.is_empty() => Ok(()),
        _ if !rights.contains(Rights::LOOKUP) => Err(nonexistent()),
        missing => Err(no_permission(missing)),
    }
}

/// A mailbox with who comes to it.
pub(super) fn at(account: AccountId, mailbox: MailboxId, rights: Rights, reader: Option<AccountId>) -> At {
    let guest = reader.map(|reader| Guest { reader, flags: flags(rights), keywords: rights.contains(Rights::WRITE) });
    At { account, mailbox, guest }
}

/// The flags that these rights let one change (RFC 4314 section 4).
pub(super) fn flags(rights: Rights) -> Flags {
    let each = [
        (Rights::SEEN, Flags::SEEN),
        (Rights::DELETE_MESSAGES, Flags::DELETED),
        (Rights::WRITE, Flags::ANSWERED.union(Flags::FLAGGED).union(Flags::DRAFT)),
    ];
    let may = each.iter().filter(|(right, _)| rights.contains(*right));
    may.fold(Flags::NONE, |flags, (_, more)| flags.union(*more))
}

/// There is no such mailbox, or none that the session may know of.
pub(super) fn nonexistent() -> Answer {
    Answer::no("[NONEXISTENT] There is no such mailbox")
}

/// The session may know of the mailbox and not do this.
pub(super) fn no_permission(missing: Rights) -> Answer {
    Answer::no(format!("[NOPERM] You have not the rights for that here ({missing} missing)"))
}

/// `Other Users/ann@example.org/`
pub(super) fn prefix(sharer: &Sharer) -> String {
    let root = if sharer.is_business { SHARED } else { OTHER_USERS };
    // A local part may hold the separator (RFC 5321 section 4.1.2).
    let level = sharer.address.as_str().replace('%', "%25").replace('/', "%2F");
    format!("{root}/{level}/")
}

/// The account that the second level of a name below one of the two roots means, if it is of the same tenant as `user`.
pub(super) fn sharer(directory: &Directory, user: AccountId, root: &str, level: &str) -> Option<Sharer> {
    let address = Address::parse(&level.replace("%2F", "/").replace("%25", "%")).ok()?;
    let account = directory.account_at(&address).filter(|account| account.address == address && account.id != user)?;
    let tenant = directory.account(user)?.tenant;
    let is_business = account.kind == AccountKind::Business;
    let fits = is_business == (root == SHARED) && account.tenant == tenant;
    fits.then_some(Sharer { account: account.id, address, is_business })
}

/// Whether an account has a mailbox of its own that is called like one of the two roots, or one below it: these hide what others share there.
pub(super) fn has_own(account: &Account, root: &str) -> bool {
    let is_below = |name: &str| name.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    account.mailboxes.iter().any(|mailbox| is_below(&mailbox.name))
}

/// Who looks for mailboxes: the session's member, or who has made a URL.
#[derive(Clone, Copy)]
pub(super) struct Viewer<'a> {
    pub(super) shared: &'a Shared,
    pub(super) user: AccountId,
}

impl Viewer<'_> {
    /// The account that a name leads into: the viewer's own, unless the name goes below `Other Users` or `Shared` and the viewer has no
    /// mailbox of its own that is called so. `None`: there is nothing.
    fn home(self, name: &str) -> Result<Option<Home>, Answer> {
        let user = self.user;
        let own = || Home { account: user, prefix: String::new(), rest: name.to_owned() };
        let root = name.split('/').next().unwrap_or_default();
        if !may_be_of_others(name) || has_own(&*self.shared.engine.account(user)?, root) {
            return Ok(Some(own()));
        }
        let mut levels = name.splitn(3, '/').skip(1);
        let (Some(level), Some(rest)) = (levels.next(), levels.next()) else {
            return Ok(None);
        };
        let found = self.shared.engine.directory(|directory| sharer(directory, user, root, level));
        Ok(found.map(|found| {
            // The account's first level is INBOX in any case here, too.
            let first = rest.split('/').next().unwrap_or_default();
            let inbox = first.eq_ignore_ascii_case("INBOX");
            let rest = if inbox { format!("INBOX{}", &rest[first.len()..]) } else { rest.to_owned() };
            Home { account: found.account, prefix: prefix(&found), rest }
        }))
    }

    /// The mailbox of that name, where the viewer has these rights; `[NONEXISTENT]` when it may do nothing there.
    pub(super) fn place_for(self, name: &str, wanted: Rights) -> Result<Place, Answer> {
        let place = self.place_named(name)?;
        place.need(wanted).map(|()| place)
    }

    fn place_named(self, name: &str) -> Result<Place, Answer> {
        let Home { account, prefix, rest } = self.home(name)?.ok_or_else(nonexistent)?;
        let reader = (account != self.user).then_some(self.user);
        let view = match self.shared.engine.account(account) {
            Ok(view) => view,
            // An account that nobody has used yet has no mailbox to be seen.
            Err(posthouse_engine::base::Error::NotFound(_)) if reader.is_some() => return Err(nonexistent()),
            Err(error) => return Err(error.into()),
        };
        let Some(mailbox) = view.mailbox_named(&rest).cloned() else {
            return Err(nonexistent());
        };
        let rights = self.rights(account, mailbox.id);
        if rights.is_empty() {
            return Err(nonexistent());
        }
        Ok(Place { account, mailbox, rights, reader, prefix })
    }

    /// What the viewer may do in a mailbox now.
    fn rights(self, account: AccountId, mailbox: MailboxId) -> Rights {
        if self.user == account {
            return Rights::ALL;
        }
        self.shared.engine.directory(|directory| directory.rights(self.user, account, mailbox))
    }
}

impl Session {
    pub(super) fn viewer(&self) -> Viewer<'_> {
        Viewer { shared: &self.shared, user: self.account() }
    }

    /// The account that a name leads into. `None`: there is nothing.
    pub(super) fn home(&self, name: &str) -> Result<Option<Home>, Answer> {
        self.viewer().home(name)
    }

    /// A mailbox of the session's own account.
    pub(super) fn own_place(&self, mailbox: &Arc<Mailbox>) -> Place {
        let (account, mailbox) = (self.account(), mailbox.clone());
        Place { account, mailbox, rights: Rights::ALL, reader: None, prefix: String::new() }
    }

    /// What stands before the names of an account's mailboxes.
    pub(super) fn prefix_of(&self, account: AccountId) -> String {
        if account == self.account() {
            return String::new();
        }
        let found = self.shared.engine.directory(|directory| {
            let owner = directory.account(account)?;
            let is_business = owner.kind == AccountKind::Business;
            Some(Sharer { account, address: owner.address.clone(), is_business })
        });
        found.map_or_else(String::new, |sharer| prefix(&sharer))
    }

    /// The mailbox of that name; `[NONEXISTENT]` when the session may do nothing there.
    pub(super) fn place_named(&self, name: &str) -> Result<Place, Answer> {
        self.viewer().place_named(name)
    }

    /// The mailbox of that name, where the session has these rights.
    pub(super) fn place_for(&self, name: &str, wanted: Rights) -> Result<Place, Answer> {
        self.viewer().place_for(name, wanted)
    }

    /// What the session may do in a mailbox now.
    pub(super) fn rights(&self, account: AccountId, mailbox: MailboxId) -> Rights {
        self.viewer().rights(account, mailbox)
    }

    /// What it may do in the selected mailbox now: rights may have been taken since.
    pub(super) fn selected_rights(&self) -> Rights {
        self.selected.as_ref().map_or(Rights::NONE, |selected| self.rights(selected.account, selected.mailbox))
    }

    /// That the session has these rights in the selected mailbox.
    pub(super) fn need_selected(&self, wanted: Rights) -> Result<(), Answer> {
        let missing = wanted.without(self.selected_rights());
        if missing.is_empty() { Ok(()) } else { Err(no_permission(missing)) }
    }

    /// The selected mailbox, with what the session may do there now.
    pub(super) fn selected_at(&self) -> Result<At, Answer> {
        let selected = self.selected()?;
        Ok(at(selected.account, selected.mailbox, self.selected_rights(), selected.reader))
    }

    /// A mailbox that was looked up before, with what the session may do there now; what is needed has to be there still.
    pub(super) fn still(&self, place: At, wanted: Rights) -> Result<At, Answer> {
        let rights = self.rights(place.account, place.mailbox);
        check(rights, wanted).map(|()| at(place.account, place.mailbox, rights, place.reader()))
    }

    /// Whose mail it is that the session has selected; its own if none is.
    pub(super) fn mail_account(&self) -> AccountId {
        self.selected.as_ref().map_or_else(|| self.account(), |selected| selected.account)
    }

    /// Whom rights are needed of to make a mailbox of that name: the one above it that there is, or INBOX at the top. `None` in the
    /// session's own account.
    pub(super) fn may_make(&self, home: &Home) -> Result<(), Answer> {
        if home.account == self.account() {
            return Ok(());
        }
        let above = home.rest.rmatch_indices('/').map(|(at, _)| &home.rest[..at]).chain(["INBOX"]);
        let view = self.shared.engine.account(home.account).map_err(|_| no_permission(Rights::CREATE))?;
        let found = above.into_iter().find_map(|name| view.mailbox_named(name));
        let rights = found.map_or(Rights::NONE, |mailbox| self.rights(home.account, mailbox.id));
        if rights.contains(Rights::CREATE) { Ok(()) } else { Err(no_permission(Rights::CREATE)) }
    }
}
