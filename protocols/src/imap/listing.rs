//! The names that LIST goes through and what it shows of each (RFC 5258): mailboxes, levels above them that are none, and subscriptions of
//! what no longer exists. Matches no pattern and writes no name.
use super::answer::Answer;
use super::answer::Fail;
use super::args::Args;
use super::place::{self, Place};
use super::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use crate::session::Work;
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::{Rights, Sharer};
use posthouse_engine::index::{Account, Mailbox};
use std::collections::BTreeMap;
use std::ops::Bound;

/// Lets other sessions of the reactor be served now and then, in whoever goes through many names.
pub(super) async fn take_turns(count: usize) {
    if count % limits::IMAP_LIST_BATCH == limits::IMAP_LIST_BATCH - 1 {
        yield_now().await;
    }
}

/// The selection options of LIST (RFC 5258 section 3.1, RFC 6154 section 2).
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Selection {
    pub(super) subscribed: bool,
    special_use: bool,
    recursive: bool,
}

impl Selection {
    /// Reads one option.
    pub(super) fn option(&mut self, args: &mut Args<'_>) -> Result<(), Answer> {
        if args.eat_word("SUBSCRIBED") {
            self.subscribed = true;
        } else if args.eat_word("SPECIAL-USE") {
            self.special_use = true;
        } else if args.eat_word("RECURSIVEMATCH") {
            self.recursive = true;
        } else if !args.eat_word("REMOTE") {
            // REMOTE asks for mailboxes elsewhere too; there are none.
            args.wrong("a selection option of LIST")?;
        }
        Ok(())
    }

    /// "RECURSIVEMATCH cannot be used alone, nor with REMOTE only" (RFC 5258 section 3.1).
    pub(super) fn check(&self) -> Result<(), Answer> {
        if self.recursive && !self.selects() {
            return Err(Answer::bad("RECURSIVEMATCH needs SUBSCRIBED or SPECIAL-USE beside it"));
        }
        Ok(())
    }

    /// Whether not every name is shown.
    fn selects(&self) -> bool {
        self.subscribed || self.special_use
    }

    fn takes(&self, account: &Account, name: &str, mailbox: Option<Listed<'_>>) -> bool {
        (!self.subscribed || account.subscriptions.contains(name))
            && (!self.special_use || mailbox.is_some_and(|mailbox| mailbox.special_use().is_some()))
    }
}

/// A mailbox that is listed.
#[derive(Clone, Copy)]
pub(super) struct Listed<'a> {
    pub(super) mailbox: &'a Mailbox,
    /// Whose it is.
    pub(super) account: AccountId,
    pub(super) rights: Rights,
    /// It is the session's own.
    is_own: bool,
}

impl Listed<'_> {
    /// Others' special uses are none of this session's: a client would put its own drafts there.
    fn special_use(&self) -> Option<posthouse_engine::index::SpecialUse> {
        self.mailbox.special_use.filter(|_| self.is_own)
    }
}

/// All names that a session may see.
pub(super) struct Names<'a>(BTreeMap<&'a str, Option<Listed<'a>>>);

/// What is shown of a name.
pub(super) struct Shown<'a> {
    pub(super) mailbox: Option<Listed<'a>>,
    has_children: bool,
    subscribed: bool,
    /// CHILDINFO: names below it are selected (RFC 5258 section 3.5).
    pub(super) has_selected_below: bool,
}

impl<'a> Names<'a> {
    pub(super) async fn of(
        account: &'a Account,
        others: &'a [(String, Place)],
        selection: &Selection,
        work: &mut Work,
    ) -> Names<'a> {
        let mut names: BTreeMap<&str, Option<Listed<'a>>> = BTreeMap::new();
        let mut add = |name: &'a str, mailbox: Option<Listed<'a>>| {
            match mailbox {
                Some(_) => drop(names.insert(name, mailbox)),
                None => drop(names.entry(name).or_insert(None)),
            }
            let mut levels = 1;
            for (at, _) in name.match_indices('/') {
                names.entry(&name[..at]).or_insert(None);
                levels += 1;
            }
            // Each is compared with some others.
            levels * name.len()
        };
        for mailbox in &account.mailboxes {
            let own = Listed { mailbox, account: account.id, rights: Rights::ALL, is_own: true };
            work.did(add(&mailbox.name, Some(own))).await;
        }
        for (name, place) in others {
            let (mailbox, account, rights) = (&*place.mailbox, place.account, place.rights);
            work.did(add(name, Some(Listed { mailbox, account, rights, is_own: false }))).await;
        }
        if selection.subscribed {
            for name in account.subscriptions.iter() {
                work.did(add(name, None)).await;
            }
        }
        Names(names)
    }

    pub(super) fn inbox_first(&self) -> impl Iterator<Item = &'a str> + '_ {
        let inbox = self.0.get_key_value("INBOX").into_iter();
        let others = self.0.iter().filter(|(name, _)| **name != "INBOX");
        inbox.chain(others).map(|(name, _)| *name)
    }

    /// Whether one of the names below a name is as asked.
    fn any_below(&self, name: &str, work: &mut Work, mut asked: impl FnMut(&str, Option<Listed<'a>>) -> bool) -> bool {
        let prefix = format!("{name}/");
        let from = self.0.range::<str, _>((Bound::Included(prefix.as_str()), Bound::Unbounded));
        from.take_while(|(below, _)| below.starts_with(&prefix)).any(|(below, mailbox)| {
            work.count(below.len());
            asked(below, *mailbox)
        })
    }

    /// `* LIST (...) "/" ` of a name that something has happened to, whether there is such a mailbox or not (RFC 5465 sections 5.4 and 5.5).
    /// `is_lost`: the session may no longer know whether there is.
    pub(super) fn write_now(&self, out: &mut Vec<u8>, account: &Account, name: &str, is_lost: bool, work: &mut Work) {
        if let Some(shown) = self.shown(account, name, &Selection::default(), work) {
            let unread = shown.mailbox.is_some_and(|mailbox| !mailbox.rights.contains(Rights::READ));
            shown.write_attributes(out, true, true, is_lost || unread);
        }
    }

    /// What is shown of a name; `None` if it is not selected.
    pub(super) fn shown(
        &self,
        account: &Account,
        name: &str,
        selection: &Selection,
        work: &mut Work,
    ) -> Option<Shown<'a>> {
        let mailbox = self.0.get(name).copied().flatten();
        let selected = selection.takes(account, name, mailbox);
        let selected_below = selection.recursive
            && self.any_below(name, work, |below, mailbox| selection.takes(account, below, mailbox));
        (selected || selected_below).then(|| Shown {
            mailbox,
            has_children: self.any_below(name, work, |_, mailbox| mailbox.is_some()),
            subscribed: account.subscriptions.contains(name),
            has_selected_below: selected_below,
        })
    }
}

impl Session {
    /// The accounts of which the session may see something. A mailbox of its own that is called like one of the roots hides those below it.
    pub(super) fn sharers(&self, account: &Account) -> Vec<Sharer> {
        let (hides_shared, hides_others) =
            (place::has_own(account, place::SHARED), place::has_own(account, place::OTHER_USERS));
        let mut sharers = self.shared.engine.directory(|directory| directory.sharers(account.id));
        sharers.retain(|sharer| !if sharer.is_business { hides_shared } else { hides_others });
        sharers
    }

    /// The mailboxes of others that the session may see, with the names that it knows them by.
    pub(super) async fn visible(&mut self, account: &Account) -> Result<Vec<(String, Place)>, Fail> {
        let (user, engine) = (self.account(), self.shared.engine.clone());
        let mut found = Vec::new();
        for (count, sharer) in self.sharers(account).into_iter().enumerate() {
            if count % limits::IMAP_SHARERS_BATCH == limits::IMAP_SHARERS_BATCH - 1 {
                yield_now().await;
            }
            // A business mailbox is there for those who may open it, also before its first mail.
            let view = match sharer.is_business {
                true => engine.open_account(sharer.account).await,
                false => engine.account(sharer.account),
            };
            let Ok(view) = view else { continue };
            let (owner, prefix) = (sharer.account, place::prefix(&sharer));
            let rights: Vec<Rights> = engine.directory(|directory| {
                view.mailboxes.iter().map(|mailbox| directory.rights(user, owner, mailbox.id)).collect()
            });
            for (mailbox, rights) in view.mailboxes.iter().zip(rights) {
                if !rights.contains(Rights::LOOKUP) {
                    continue;
                }
                if found.len() >= limits::IMAP_SHARED_MAILBOXES_MAX {
                    self.untagged("NO [LIMIT] Not all shared mailboxes are listed: there are too many");
                    return Ok(found);
                }
                let (mailbox, prefix) = (mailbox.clone(), prefix.clone());
                let place = Place { account: owner, mailbox, rights, reader: Some(user), prefix };
                found.push((place.name(), place));
            }
        }
        Ok(found)
    }
}

impl Shown<'_> {
    /// `* LIST (...) "/" `
    pub(super) fn write_attributes(&self, out: &mut Vec<u8>, subscribed: bool, extended: bool, no_access: bool) {
        out.extend_from_slice(b"* LIST (");
        out.extend_from_slice(if self.has_children { b"\\HasChildren" } else { b"\\HasNoChildren" });
        match self.mailbox {
            // \NonExistent implies \Noselect, to those who know it (RFC 5258 section 3).
            None if extended => out.extend_from_slice(b" \\NonExistent"),
            None => out.extend_from_slice(b" \\Noselect"),
            Some(mailbox) => {
                if let Some(special_use) = mailbox.special_use() {
                    out.push(b' ');
                    out.extend_from_slice(special_use.attribute().as_bytes());
                }
            }
        }
        if subscribed && self.subscribed {
            out.extend_from_slice(b" \\Subscribed");
        }
        if no_access {
            // RFC 5465 sections 3.1 and 5.9.
            out.extend_from_slice(b" \\NoAccess");
        }
        out.extend_from_slice(b") \"/\" ");
    }

    /// ` ("CHILDINFO" ("SUBSCRIBED"))`
    pub(super) fn write_child_info(&self, out: &mut Vec<u8>, selection: &Selection) {
        out.extend_from_slice(b" (\"CHILDINFO\" (");
        let options = [(selection.subscribed, "\"SUBSCRIBED\""), (selection.special_use, "\"SPECIAL-USE\"")];
        let named: Vec<&str> = options.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
        out.extend_from_slice(named.join(" ").as_bytes());
        out.extend_from_slice(b"))");
    }
}
