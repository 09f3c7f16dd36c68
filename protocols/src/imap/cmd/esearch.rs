//! ESEARCH (RFC 7377): a SEARCH through many mailboxes, which need not be selected. Tells uids, one response for each mailbox in which
//! something was found. A mailbox that the session may not read, or that goes meanwhile, is passed over as if it had never been named.
use super::search::Search;
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::listing::take_turns;
use crate::imap::place::{self, Place};
use crate::imap::search::results::Wanted;
use crate::imap::search::sources::Sources;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Account;
use std::collections::BTreeMap;
use std::sync::Arc;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let sources = Sources::parse(&mut args, session.names_utf8())?;
        let wanted = Wanted::parse(&mut args, true)?;
        if sources.selected {
            session.selected()?;
        }
        if wanted.save && !sources.is_selected_alone() {
            return Ok(Answer::bad("SAVE is for a search of the selected mailbox alone"));
        }
        if wanted.update {
            // RFC 5267 section 4.3.1.
            session.no_update(&request.tag, "Only SEARCH and SORT are kept up to date");
        }
        let done = session.esearch(&request, &sources, &wanted, args.clone()).await;
        done.map_err(|fail| session.nothing_saved(&wanted, fail))
    })
}

/// A mailbox to be searched.
struct Target {
    account: AccountId,
    mailbox: MailboxId,
    /// What stands before the owner's name of it.
    prefix: Arc<str>,
    /// What the session needs there.
    rights: Rights,
    messages: usize,
}

/// Mailboxes to be searched, each once.
#[derive(Default)]
struct Targets {
    found: Vec<Target>,
    /// Where each stands in `found`.
    places: BTreeMap<(AccountId, MailboxId), usize>,
}

impl Targets {
    /// Adds a mailbox. Who has named it needs to read it, who has not needs to see it as well (RFC 7377 section 2.2).
    fn add(&mut self, place: &Place, named: bool) {
        let key = (place.account, place.mailbox.id);
        let rights = if named { Rights::READ } else { Rights::READ.union(Rights::LOOKUP) };
        if let Some(at) = self.places.get(&key) {
            if named && let Some(target) = self.found.get_mut(*at) {
                target.rights = rights;
            }
            return;
        }
        self.places.insert(key, self.found.len());
        // Neighbours have the same.
        let last = self.found.last().map(|last| last.prefix.clone()).filter(|last| **last == *place.prefix);
        let prefix = last.unwrap_or_else(|| place.prefix.as_str().into());
        let messages = place.mailbox.entries.len();
        self.found.push(Target { account: key.0, mailbox: key.1, prefix, rights, messages });
    }
}

impl Session {
    async fn esearch(
        &mut self,
        request: &Request,
        sources: &Sources,
        wanted: &Wanted,
        mut args: Args<'_>,
    ) -> Result<Answer, Fail> {
        let charset = self.charset(&mut args)?;
        let own = self.shared.engine.account(self.account())?;
        if let Some(inbox) = own.mailbox(MailboxId::INBOX) {
            // Whether the keys are keys does not depend on which mailboxes there are.
            self.search_in(charset, &mut args.clone(), &self.own_place(inbox))?;
        }
        let targets = self.targets(sources, &own).await?;
        let mut progress = self.progress(request, targets.iter().map(|target| target.messages).sum());
        let mut cut = None;
        for target in targets {
            yield_now().await;
            self.check_client().await?;
            let Some((mut search, name)) = self.begin(&target, sources, charset, args.clone())? else {
                progress.passed(target.messages);
                continue;
            };
            self.find(&mut search, &mut progress, wanted).await?;
            self.tell_found_in(&search, wanted, &request.tag, &name).await?;
            self.stream.flush_if_large().await?;
            cut = cut.or(search.cut);
        }
        Ok(self.with_cut(cut, request.completed()))
    }

    /// A search of a mailbox as it is now, with its name; `None` if it is gone, or the session may not read it.
    fn begin(
        &mut self,
        target: &Target,
        sources: &Sources,
        charset: Option<&str>,
        mut args: Args<'_>,
    ) -> Result<Option<(Search, String)>, Answer> {
        let rights = self.rights(target.account, target.mailbox);
        let Ok(mailbox) = self.shared.engine.mailbox(target.account, target.mailbox) else {
            return Ok(None);
        };
        if !rights.contains(target.rights) {
            return Ok(None);
        }
        let reader = (target.account != self.account()).then(|| self.account());
        let place = Place { account: target.account, mailbox, rights, reader, prefix: target.prefix.to_string() };
        let is_selected = |selected: &crate::imap::state::Selected| {
            (selected.account, selected.mailbox) == (target.account, target.mailbox)
        };
        let search = match sources.selected && self.selected.as_deref().is_some_and(is_selected) {
            true => self.search_for(charset, &mut args)?,
            false => self.search_in(charset, &mut args, &place)?,
        };
        Ok(Some((search, place.name())))
    }

    /// The mailboxes that the sources of a search mean.
    async fn targets(&mut self, sources: &Sources, own: &Account) -> Result<Vec<Target>, Fail> {
        let mut targets = Targets::default();
        if sources.selected
            && let Some(selected) = &self.selected
            && let Ok(mailbox) = self.shared.engine.mailbox(selected.account, selected.mailbox)
        {
            let (account, reader) = (selected.account, selected.reader);
            let prefix = self.prefix_of(account);
            targets.add(&Place { account, mailbox, rights: Rights::NONE, reader, prefix }, true);
        }
        for (count, name) in sources.mailboxes.iter().enumerate() {
            if let Ok(place) = self.place_named(name) {
                targets.add(&place, true);
            }
            take_turns(count).await;
        }
        for mailbox in &own.mailboxes {
            let subscribed = sources.subscribed && own.subscriptions.contains(&*mailbox.name);
            if sources.personal || subscribed || sources.in_subtree(&mailbox.name) {
                targets.add(&self.own_place(mailbox), false);
            }
        }
        let of_others = own.subscriptions.iter().filter(|name| sources.subscribed && place::may_be_of_others(name));
        for (count, name) in of_others.enumerate() {
            if let Ok(place) = self.place_named(name) {
                targets.add(&place, false);
            }
            take_turns(count).await;
        }
        if sources.subtrees_of_others() {
            for (name, place) in self.visible(own).await? {
                if sources.in_subtree(&name) {
                    targets.add(&place, false);
                }
            }
        }
        if targets.found.len() > limits::IMAP_ESEARCH_MAILBOXES_MAX {
            let max = limits::IMAP_ESEARCH_MAILBOXES_MAX;
            return Err(Answer::no(format!("[LIMIT] At most {max} mailboxes are searched at a time")).into());
        }
        Ok(targets.found)
    }
}
