//! Searches whose results a client is told of as they change (RFC 5267 section 4.3): which there are, and what each has found. They end with the
//! selection of their mailbox.
//!
//! `places` says where results go in and out; `update` looks at what has changed and writes ADDTO and REMOVEFROM.
mod places;
mod update;

use super::answer::Answer;
use super::cmd::search::Search;
use super::fetch::plan::Plan;
use super::order::sort::Criteria;
use super::out;
use super::search::keys::Key;
use super::search::results::Wanted;
use super::state::Session;
use super::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{Error, Uid};
use posthouse_engine::index::UidSet;
use std::sync::Arc;

/// The contexts of the selected mailbox.
#[derive(Debug, Default)]
pub(super) struct Contexts {
    list: Vec<Context>,
    /// Messages with other flags than when they were looked at.
    changed: UidSet,
}

/// One search.
#[derive(Debug)]
struct Context {
    /// Of its command.
    tag: String,
    /// Messages are named by their uids.
    uid: bool,
    key: Arc<Key>,
    /// How many keywords the mailbox had when the key was made ready.
    keywords: usize,
    found: UidSet,
    sorted: Option<Sorted>,
    /// Messages from this uid on have not been looked at.
    from: Uid,
    /// What is told of each new message that it finds (RFC 5465 section 7).
    fetch: Option<Arc<Plan>>,
}

/// What SORT has found, in order.
#[derive(Debug)]
struct Sorted {
    criteria: Criteria,
    order: Vec<Uid>,
}

impl Context {
    /// How many ranges and numbers it keeps.
    fn size(&self) -> usize {
        self.found.ranges().len() + self.sorted.as_ref().map_or(0, |sorted| sorted.order.len())
    }
}

impl Contexts {
    pub(super) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Whether something is to be looked at besides new messages.
    pub(super) fn has_changed(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Flags of these have changed.
    pub(super) fn note(&mut self, changed: &UidSet) {
        if !self.is_empty() && !changed.is_empty() {
            self.changed = self.changed.union(changed);
        }
    }

    fn position(&self, tag: &str) -> Option<usize> {
        self.list.iter().position(|context| context.tag == tag)
    }

    /// How much more may be kept: ranges and numbers.
    fn room(&self) -> usize {
        if self.list.len() >= limits::IMAP_CONTEXTS_MAX {
            return 0;
        }
        limits::IMAP_CONTEXT_RESULTS_MAX.saturating_sub(self.list.iter().map(Context::size).sum())
    }
}

impl Session {
    /// Two searches with UPDATE must not have one tag: the second is refused (RFC 5267 section 4.3).
    pub(super) fn check_tag(&self, wanted: &Wanted, request: &Request) -> Result<(), Answer> {
        let used = self.selected()?.contexts.position(&request.tag).is_some();
        if wanted.update && used { Err(Answer::bad("A search with UPDATE has that tag already")) } else { Ok(()) }
    }

    /// Keeps a search that UPDATE has been asked for; says so when there is no room for it (RFC 5267 section 4.3.1).
    pub(super) async fn keep_context(
        &mut self,
        search: Search,
        wanted: &Wanted,
        request: &Request,
        criteria: Option<Criteria>,
    ) -> Result<(), Error> {
        let Some(selected) = self.selected.as_ref().filter(|_| wanted.update) else {
            return Ok(());
        };
        let keywords = selected.data().keywords.len();
        let found = self.kept_results(&search, criteria.is_some(), selected.contexts.room()).await?;
        let Some((found, order)) = found else {
            self.no_update(&request.tag, "Too many results are kept already; CANCELUPDATE what you no longer need");
            return Ok(());
        };
        let mut key = search.key;
        // Numbers mean the messages that had them when the command came.
        Arc::make_mut(&mut key).fix(&search.view.entries)?;
        let context = Context {
            tag: request.tag.clone(),
            uid: request.is_uid(),
            key,
            keywords,
            found,
            sorted: criteria.map(|criteria| Sorted { criteria, order }),
            from: search.view.uid_next,
            fetch: wanted.fetch.clone(),
        };
        if let Some(selected) = &mut self.selected {
            selected.contexts.list.push(context);
        }
        Ok(())
    }

    /// What was found, and its order where that is kept too; `None` when there is no room for it. Goes no further than that.
    async fn kept_results(
        &self,
        search: &Search,
        ordered: bool,
        room: usize,
    ) -> Result<Option<(UidSet, Vec<Uid>)>, Error> {
        let (mut found, mut order) = (UidSet::new(), Vec::new());
        if room == 0 || ordered && search.found.len() > room {
            return Ok(None);
        }
        for (count, at) in search.found.slice(0..search.found.len()).enumerate() {
            let uid = search.view.entries.get(at)?.uid;
            if ordered {
                order.push(uid);
            } else {
                found.push(uid);
            }
            if found.ranges().len() > room {
                return Ok(None);
            }
            if count % limits::IMAP_BATCH_MESSAGES == limits::IMAP_BATCH_MESSAGES - 1 {
                yield_now().await;
            }
        }
        if ordered {
            let uids = order.clone();
            let sorted = move || UidSet::from_ranges(uids.iter().map(|uid| (uid.0, uid.0)));
            found = self.shared.engine.work_for(self.mail_account().0, sorted).await?;
        }
        Ok(Some((found, order)).filter(|(found, order)| found.ranges().len() + order.len() <= room))
    }

    /// `* NO [NOUPDATE "tag"] text`
    pub(in crate::imap) fn no_update(&mut self, tag: &str, text: &str) {
        let out = self.stream.output();
        out.extend_from_slice(b"* NO [NOUPDATE ");
        out::quoted(out, tag.as_bytes());
        out.extend_from_slice(b"] ");
        out.extend_from_slice(text.as_bytes());
        out.extend_from_slice(b"\r\n");
    }

    /// CANCELUPDATE: forgets contexts; the first tag that none has.
    pub(super) fn cancel_updates<'t>(&mut self, tags: &'t [String]) -> Option<&'t str> {
        let contexts = &mut self.selected.as_mut()?.contexts;
        let mut unknown = None;
        for tag in tags {
            match contexts.position(tag) {
                Some(at) => drop(contexts.list.remove(at)),
                None => drop(unknown.get_or_insert(tag.as_str())),
            }
        }
        unknown
    }
}
