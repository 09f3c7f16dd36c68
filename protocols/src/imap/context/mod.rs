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

    fn size(&self) -> usize {
        self.list.iter().map(Context::size).sum()
    }
}

impl Session {
    /// Two searches with UPDATE must not have one tag: the second is refused (RFC 5267 section 4.3).
    pub(super) fn check_tag(&self, wanted: &Wanted, request: &Request) -> Result<(), Answer> {
        let used = self.selected()?.contexts.position(&request.tag).is_some();
        if wanted.update && used { Err(Answer::bad("A search with UPDATE has that tag already")) } else { Ok(()) }
    }

    /// Keeps a search that UPDATE has been asked for; says so when there is no room for it (RFC 5267 section 4.3.1).
    pub(super) fn keep_context(
        &mut self,
        search: Search,
        wanted: &Wanted,
        request: &Request,
        criteria: Option<Criteria>,
    ) -> Result<(), Error> {
        let Some(selected) = self.selected.as_mut().filter(|_| wanted.update) else {
            return Ok(());
        };
        let (entries, mut key) = (&search.view.entries, search.key);
        // Numbers mean the messages that had them when the command came.
        Arc::make_mut(&mut key).fix(entries)?;
        let order: Result<Vec<Uid>, Error> =
            search.found.slice(0..search.found.len()).map(|at| Ok(entries.get(at)?.uid)).collect();
        let order = order?;
        let context = Context {
            tag: request.tag.clone(),
            uid: request.is_uid(),
            key,
            keywords: selected.data().keywords.len(),
            found: UidSet::from_ranges(order.iter().map(|uid| (uid.0, uid.0))),
            sorted: criteria.map(|criteria| Sorted { criteria, order }),
            from: search.view.uid_next,
            fetch: wanted.fetch.clone(),
        };
        let contexts = &mut selected.contexts;
        if contexts.list.len() >= limits::IMAP_CONTEXTS_MAX
            || contexts.size() + context.size() > limits::IMAP_CONTEXT_RESULTS_MAX
        {
            self.no_update(&context.tag, "Too many results are kept already; CANCELUPDATE what you no longer need");
        } else {
            contexts.list.push(context);
        }
        Ok(())
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
