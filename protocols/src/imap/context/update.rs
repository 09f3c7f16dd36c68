//! Looks at what has changed for the contexts of a session, and tells it: FETCH of new messages, then ESEARCH with ADDTO and REMOVEFROM, in the
//! order of RFC 5465 section 7.
use super::places::{self, Pieces};
use super::{Context, Contexts, Sorted};
use crate::imap::fetch::plan::Plan;
use crate::imap::listing::take_turns;
use crate::imap::out;
use crate::imap::search::eval::Facts;
use crate::imap::search::lines::SetWriter;
use crate::imap::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{Error, Result, Uid};
use posthouse_engine::index::{Entry, Mailbox, UidSet};
use std::cmp::Ordering;
use std::io;
use std::sync::Arc;

/// What has become of the results of one context.
#[derive(Default)]
struct Update {
    removed: Pieces,
    added: Pieces,
    /// The new messages among the added ones.
    fetched: UidSet,
}

impl Update {
    /// How many ranges and numbers it keeps.
    fn size(&self) -> usize {
        self.removed.size() + self.added.size() + self.fetched.ranges().len()
    }
}

impl Session {
    /// Whether what has been told of the mailbox concerns contexts, or NOTIFY wants to tell of new messages.
    pub(in crate::imap) fn has_updates(&mut self) -> bool {
        let wants_new = self.notify.as_ref().is_some_and(|notify| notify.selected.fetch.is_some());
        let Some(selected) = &mut self.selected else {
            return false;
        };
        if selected.contexts.is_empty() && !wants_new {
            selected.new_from = selected.view.uid_next;
        }
        selected.contexts.has_changed() || selected.view.uid_next > selected.new_from
    }

    /// Messages are about to go: REMOVEFROM comes before EXPUNGE, while their numbers are theirs (RFC 5267 section 4.3.4).
    pub(in crate::imap) async fn tell_removed(&mut self, view: &Mailbox, expunged: &UidSet) -> io::Result<()> {
        let Some(selected) = &mut self.selected else {
            return Ok(());
        };
        let mut contexts = std::mem::take(&mut selected.contexts);
        contexts.changed = contexts.changed.without(expunged);
        for context in &mut contexts.list {
            let gone = context.found.without(&context.found.without(expunged));
            if !gone.is_empty() {
                let update = Update { removed: context.remove(&gone), ..Update::default() };
                self.write_update(context, view, &update).await?;
            }
        }
        if let Some(selected) = &mut self.selected {
            selected.contexts = contexts;
        }
        Ok(())
    }

    /// Tells of new messages, and what contexts have found or lost since the last time.
    pub(in crate::imap) async fn tell_updates(&mut self) -> io::Result<()> {
        let Some(selected) = &mut self.selected else {
            return Ok(());
        };
        let view = selected.view.clone();
        let new_from = std::mem::replace(&mut selected.new_from, view.uid_next);
        let Contexts { list, changed } = std::mem::take(&mut selected.contexts);
        let (mut kept, mut updates) = (Vec::with_capacity(list.len()), Vec::with_capacity(list.len()));
        // All contexts together have as much room for what they keep, and as much again for what is to be told.
        let (mut room, mut told_room) = (limits::IMAP_CONTEXT_RESULTS_MAX, limits::IMAP_CONTEXT_RESULTS_MAX);
        for mut context in list {
            let looked = self.look_again(&mut context, &view, &changed, new_from, told_room).await;
            let looked = looked.and_then(|update| if context.size() > room { Err(too_many()) } else { Ok(update) });
            match looked {
                Ok(update) => {
                    room -= context.size();
                    told_room = told_room.saturating_sub(update.size());
                    updates.push(update);
                    kept.push(context);
                }
                Err(error) => {
                    tracing::warn!(%error, "imap: the results of a search can no longer be kept");
                    self.no_update(&context.tag, "Its results can no longer be kept; search again");
                }
            }
        }
        self.tell_new_messages(&view, new_from, &kept, &updates).await?;
        for (context, update) in kept.iter().zip(&updates) {
            self.write_update(context, &view, update).await?;
        }
        if let Some(selected) = &mut self.selected {
            selected.contexts.list = kept;
        }
        Ok(())
    }

    /// Looks at the messages that have changed or come. `room`: how many ranges and numbers may be told of them.
    async fn look_again(
        &mut self,
        context: &mut Context,
        view: &Mailbox,
        changed: &UidSet,
        new_from: Uid,
        room: usize,
    ) -> Result<Update> {
        self.learn_keywords(context);
        let new = UidSet::range(context.from, Uid(u32::MAX));
        context.from = view.uid_next;
        let (mut lost, mut found, mut fetched) = (UidSet::new(), UidSet::new(), UidSet::new());
        for (count, at) in view.entries.in_uids(&changed.union(&new)).enumerate() {
            take_turns(count).await;
            let (at, entry) = at?;
            let Some(facts) = self.facts(at, entry) else { continue };
            let matches = match context.key.cheap(facts) {
                Some(matches) => matches,
                None => match self.look_into(self.mail_account(), &context.key, facts).await {
                    Err(Error::NotFound(_)) => continue,
                    matches => matches?,
                },
            };
            match (context.found.contains(entry.uid), matches) {
                (true, false) => lost.push(entry.uid),
                (false, true) => {
                    found.push(entry.uid);
                    if entry.uid >= new_from {
                        fetched.push(entry.uid);
                    }
                }
                _ => {}
            }
            if lost.ranges().len() + found.ranges().len() + fetched.ranges().len() > room {
                return Err(too_many());
            }
        }
        let removed = context.remove(&lost);
        let added = self.put_in(context, view, found).await?;
        Ok(Update { removed, added, fetched })
    }

    /// An entry as the session sees it now; `None` when it is gone, though that may not have been told.
    fn facts(&self, at: usize, entry: Entry) -> Option<Facts> {
        let selected = self.selected.as_ref()?;
        selected.data().entries.position(entry.uid).ok()??;
        let entry = selected.newest(entry);
        Some(Facts { at, entry, recent: selected.recent.contains(entry.uid) })
    }

    /// A keyword that the key names may be known by now.
    fn learn_keywords(&self, context: &mut Context) {
        if let Some(selected) = &self.selected
            && selected.data().keywords.len() != context.keywords
        {
            context.keywords = selected.data().keywords.len();
            Arc::make_mut(&mut context.key).learn(selected.data());
        }
    }

    /// Adds messages to the results, in their places.
    async fn put_in(&self, context: &mut Context, view: &Mailbox, found: UidSet) -> Result<Pieces> {
        if found.is_empty() {
            return Ok(Pieces::default());
        }
        context.found = context.found.union(&found);
        let Some(Sorted { criteria, order }) = &mut context.sorted else {
            return Ok(Pieces::Set(found));
        };
        if found.len() > limits::IMAP_CONTEXT_SORTED_MAX {
            return Err(too_many());
        }
        let mut new = Vec::new();
        for at in view.entries.in_uids(&found) {
            let (_, entry) = at?;
            let (values, _) = self.sort_values(criteria, &entry)?;
            let (mut low, mut high) = (0, order.len());
            while low < high {
                let middle = low.midpoint(high);
                let other = match view.entries.position(order[middle])? {
                    Some(at) => self.sort_values(criteria, &view.entries.get(at)?)?.0,
                    None => return Err(Error::NotFound("a message among the results".into())),
                };
                match criteria.compare(&other, &values).then(order[middle].cmp(&entry.uid)) {
                    Ordering::Less => low = middle + 1,
                    _ => high = middle,
                }
            }
            new.push((low, values, entry.uid));
            yield_now().await;
        }
        new.sort_by(|(at, a, one), (there, b, other)| {
            at.cmp(there).then_with(|| criteria.compare(a, b)).then(one.cmp(other))
        });
        let new: Vec<(usize, Uid)> = new.into_iter().map(|(at, _, uid)| (at, uid)).collect();
        Ok(Pieces::Ordered(places::insert(order, &new)))
    }

    /// One FETCH for each new message, with what NOTIFY and the contexts that have found it ask for (RFC 5465 sections 5.2 and 7). What the
    /// client has put in itself is told of only by contexts.
    async fn tell_new_messages(
        &mut self,
        view: &Mailbox,
        from: Uid,
        contexts: &[Context],
        updates: &[Update],
    ) -> io::Result<()> {
        let asked = self.notify.as_ref().and_then(|notify| notify.selected.fetch.clone());
        let own = self.own_messages();
        let Ok(first) = view.entries.lower_bound(from) else {
            return Ok(());
        };
        let mut together: (Vec<&Arc<Plan>>, Arc<Plan>) = (Vec::new(), Arc::default());
        for at in first..view.entries.len() {
            take_turns(at).await;
            let Ok(uid) = view.entries.get(at).map(|entry| entry.uid) else {
                return Ok(());
            };
            let asked = asked.iter().filter(|_| !own.contains(uid));
            let found = contexts.iter().zip(updates).filter(|(_, update)| update.fetched.contains(uid));
            let plans: Vec<&Arc<Plan>> = asked.chain(found.filter_map(|(context, _)| context.fetch.as_ref())).collect();
            match plans.as_slice() {
                [] => {}
                [one] => self.fetch_new(one, at).await?,
                several => {
                    // Most new messages are found by the same contexts.
                    if !several.iter().copied().map(Arc::as_ptr).eq(together.0.iter().copied().map(Arc::as_ptr)) {
                        together = (plans.clone(), Arc::new(Plan::together(several)));
                    }
                    self.fetch_new(&together.1, at).await?;
                }
            }
        }
        Ok(())
    }

    /// `* ESEARCH (TAG "a") UID REMOVEFROM (0 3) ADDTO (0 5:7)`, in steps.
    async fn write_update(&mut self, context: &Context, view: &Mailbox, update: &Update) -> io::Result<()> {
        if update.removed.is_empty() && update.added.is_empty() {
            return Ok(());
        }
        let out = self.stream.output();
        out.extend_from_slice(b"* ESEARCH (TAG ");
        out::string(out, context.tag.as_bytes());
        out.extend_from_slice(if context.uid { b") UID" } else { b")" });
        let mut written = 0;
        for (word, pieces) in [(&b" REMOVEFROM ("[..], &update.removed), (&b" ADDTO ("[..], &update.added)] {
            for (count, (place, ranges)) in pieces.each().enumerate() {
                let out = self.stream.output();
                out.extend_from_slice(if count > 0 { b" " } else { word });
                out::number(out, place as u64);
                out.push(b' ');
                let mut set = SetWriter::default();
                for range in ranges {
                    let named = context.named(view, range).map_err(|error| {
                        // A part of the response has been written: what cannot be read ends the connection.
                        tracing::error!(%error, "imap: the selected mailbox cannot be read");
                        io::Error::other(error)
                    })?;
                    if let Some(named) = named {
                        set.add(self.stream.output(), named);
                    }
                    take_turns(written).await;
                    written += 1;
                    self.stream.flush_if_large().await?;
                }
                set.end(self.stream.output());
            }
            self.stream.output().extend_from_slice(if pieces.is_empty() { b"" } else { b")" });
        }
        self.stream.output().extend_from_slice(b"\r\n");
        self.stream.flush_if_large().await
    }
}

/// Why a context ends that finds, or is to tell, more than is kept.
fn too_many() -> Error {
    Error::Limit("more results than are kept".into())
}

impl Context {
    /// Takes results out; where they were.
    fn remove(&mut self, gone: &UidSet) -> Pieces {
        if gone.is_empty() {
            return Pieces::default();
        }
        self.found = self.found.without(gone);
        match &mut self.sorted {
            Some(sorted) => Pieces::Ordered(places::remove(&mut sorted.order, gone)),
            None => Pieces::Set(gone.clone()),
        }
    }

    /// How messages of a view are named whose uids are a range without gaps.
    fn named(&self, view: &Mailbox, (first, last): (u32, u32)) -> Result<Option<(u32, u32)>> {
        if self.uid {
            return Ok(Some((first, last)));
        }
        let start = view.entries.lower_bound(Uid(first))? as u32;
        let end = if last > first { view.entries.lower_bound(Uid(last))? as u32 } else { start };
        Ok((end < view.entries.len() as u32).then_some((start + 1, end + 1)))
    }
}
