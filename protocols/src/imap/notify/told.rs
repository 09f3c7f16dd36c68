//! Looks for news about what a client watches, and writes it: STATUS, LIST and METADATA responses (RFC 5465 sections 5.1 to 5.9).
use super::filter::{Events, Named};
use super::known::{Name, News, Status, Watched, differing};
use super::reach::TooMuch;
use super::{Notify, Own};
use crate::imap::answer::Fail;
use crate::imap::listing::{Names, Selection};
use crate::imap::state::Session;
use crate::imap::{name, out, place};
use crate::limits;
use crate::runtime::yield_now;
use crate::session::Work;
use posthouse_engine::base::{AccountId, Error, MailboxId};
use posthouse_engine::index::{Account, UidSet};
use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

impl Session {
    /// Tells what is news about other mailboxes, names, subscriptions and annotations. Does nothing while nothing watched has changed.
    pub(in crate::imap) async fn tell_news(&mut self) -> io::Result<()> {
        let Some(mut notify) = self.notify.take() else {
            return Ok(());
        };
        // Boxed: a session that waits shall not hold the room for this.
        let told = Box::pin(self.look_round(&mut notify)).await;
        notify.own = Own::default();
        if told.is_ok() {
            self.notify = Some(notify);
            return Ok(());
        }
        match told {
            Err(Fail::Io(error)) => Err(error),
            // RFC 5465 section 5.8.
            _ => {
                self.notify_none();
                self.untagged("OK [NOTIFICATIONOVERFLOW] There is too much to be told; NOTIFY again if you wish");
                Ok(())
            }
        }
    }

    async fn look_round(&mut self, notify: &mut Notify) -> Result<(), Fail> {
        let moved = self.note_place(notify);
        if !notify.has_changed() && !moved {
            return Ok(());
        }
        // The account may be gone; so is then everything that could be told.
        let Ok(own) = self.shared.engine.account(self.account()) else {
            (notify.accounts, notify.rights, notify.rights_changed) = (Vec::new(), None, false);
            return Ok(());
        };
        let mut news = News::default();
        let subscriptions = std::mem::replace(&mut notify.subscriptions, own.subscriptions.clone());
        let changed: Vec<&Arc<str>> = subscriptions.symmetric_difference(&own.subscriptions).collect();
        if notify.rights_changed || !changed.is_empty() && notify.filter.asks_subscribed() {
            notify.rights_changed = false;
            let gone = self.reach(notify, &own).await.map_err(|TooMuch| super::asked::overflow())?;
            for mut watched in gone {
                watched.changed = true;
                self.compare(notify, &mut watched, &own, &mut news);
            }
        }
        Session::subscriptions_changed(notify, &own, &changed, &mut news);
        let (mut accounts, mut count) = (std::mem::take(&mut notify.accounts), 0);
        for watched in &mut accounts {
            let has_changed = self.compare(notify, watched, &own, &mut news);
            count += watched.known.len();
            if count > limits::IMAP_NOTIFY_MAILBOXES_MAX {
                return Err(super::asked::overflow().into());
            }
            if has_changed {
                yield_now().await;
            }
        }
        (notify.accounts, notify.filter_moved) = (accounts, false);
        if own.metadata.of_clients() != notify.annotations {
            let before = std::mem::replace(&mut notify.annotations, own.metadata.of_clients());
            if notify.filter.asks(Events::SERVER_METADATA) {
                news.annotations.insert(String::new(), differing(&before, &notify.annotations));
            }
        }
        notify.own.take_from(&mut news);
        Ok(self.write_news(&own, news).await?)
    }

    /// A mailbox that is no longer selected is watched as the others are: what has come since it was last looked at is news.
    fn note_place(&self, notify: &mut Notify) -> bool {
        let place = self.selected_place();
        let before = std::mem::replace(&mut notify.place, place);
        if before == place {
            return false;
        }
        let mut moved = false;
        for watched in &mut notify.accounts {
            let was_there = before.is_some_and(|at| at.0 == watched.account);
            watched.changed |= was_there;
            moved |= was_there;
        }
        moved
    }

    pub(super) fn selected_place(&self) -> Option<(AccountId, MailboxId)> {
        self.selected.as_ref().map(|selected| (selected.account, selected.mailbox))
    }

    /// Compares an account if it has changed; whether it had.
    fn compare(&self, notify: &Notify, watched: &mut Watched, own: &Account, news: &mut News) -> bool {
        if !std::mem::take(&mut watched.changed) {
            return false;
        }
        let view = match self.shared.engine.account(watched.account) {
            Ok(view) => Some(view),
            Err(Error::NotFound(_)) => None,
            Err(error) => {
                tracing::error!(%error, "imap: a watched account cannot be read");
                return false;
            }
        };
        let rights = self.all_rights(watched.account, view.as_deref());
        watched.compare(view.as_deref(), &rights, &self.look(notify, own), news);
        true
    }

    /// RFC 5465 section 5.5.
    fn subscriptions_changed(notify: &mut Notify, own: &Account, changed: &[&Arc<str>], news: &mut News) {
        for name in changed {
            // One that is given up belonged to those subscribed until now.
            let is_own = !is_below_root(name);
            let events = notify.filter.events(Named { name, is_own, is_subscribed: true });
            if events.contains(Events::SUBSCRIPTION) {
                news.subscriptions.insert(name.to_string(), own.subscriptions.contains(*name));
            }
        }
        if !changed.is_empty() && notify.filter.asks_subscribed() {
            notify.filter_moved = true;
            notify.accounts.iter_mut().for_each(|watched| watched.changed = true);
        }
    }

    /// Writes what has been gathered.
    pub(super) async fn write_news(&mut self, own: &Account, news: News) -> io::Result<()> {
        let News { names, subscriptions, status, annotations } = news;
        self.write_names(own, names, &subscriptions).await?;
        for Status { name, account, mailbox, items, .. } in status {
            // Nobody asks for DELETED-STORAGE here. What cannot be read is told of when it is asked for.
            let _ = self.write_status_now(&name, account, &mailbox, &items, 0);
            self.stream.flush_if_large().await?;
        }
        let utf8 = self.names_utf8();
        for (name, entries) in annotations {
            let out = self.stream.output();
            out.extend_from_slice(b"* METADATA ");
            name::write(out, &name, utf8);
            for entry in entries {
                out.push(b' ');
                out::astring(out, entry.as_bytes());
            }
            out.extend_from_slice(b"\r\n");
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }

    /// A LIST response for each name, with the attributes it has now.
    async fn write_names(
        &mut self,
        own: &Account,
        mut names: BTreeMap<String, Name>,
        subscriptions: &BTreeMap<String, bool>,
    ) -> io::Result<()> {
        for name in subscriptions.keys() {
            names.entry(name.clone()).or_default();
        }
        if names.is_empty() {
            return Ok(());
        }
        let is_other = |name: &String| is_below_root(name);
        let others = match names.keys().any(is_other) {
            true => match self.visible(own).await {
                Ok(others) => others,
                Err(Fail::Io(error)) => return Err(error),
                Err(Fail::Answer(_)) => Vec::new(),
            },
            false => Vec::new(),
        };
        let mut work = Work::default();
        let all = Names::of(own, &others, &Selection::default(), &mut work).await;
        let utf8 = self.names_utf8();
        for (name, what) in names {
            work.did(limits::IMAP_LOOK_UP_WORK_BYTES).await;
            let out = self.stream.output();
            all.write_now(out, own, &name, what.is_lost, &mut work);
            name::write(out, &name, utf8);
            if let Some(old) = what.old {
                out.extend_from_slice(b" (\"OLDNAME\" (");
                name::write(out, &old, utf8);
                out.extend_from_slice(b"))");
            }
            out.extend_from_slice(b"\r\n");
            self.stream.flush_if_large().await?;
        }
        Ok(())
    }
}

/// Whether a name is of a mailbox that others share.
fn is_below_root(name: &str) -> bool {
    [place::OTHER_USERS, place::SHARED].contains(&name.split('/').next().unwrap_or_default())
}

impl Own {
    /// Takes out what the client has done itself, unless something else came of it: then somebody else was at work too.
    fn take_from(&self, news: &mut News) {
        news.names.retain(|name, what| match self.names.get(name) {
            Some(Some(is_there)) => what.is_there != *is_there,
            Some(None) => !what.is_there,
            None => true,
        });
        news.subscriptions.retain(|name, on| self.subscriptions.get(name) != Some(on));
        for (name, entries) in &mut news.annotations {
            entries.retain(|entry| !self.annotations.contains(&(name.clone(), entry.clone())));
        }
        news.annotations.retain(|_, entries| !entries.is_empty());
        news.status.retain(|status| !self.explains(status));
    }

    /// Whether nothing has changed but that messages of the client have come in.
    fn explains(&self, status: &Status) -> bool {
        let (count, from) = status.appended;
        let place = (status.account, status.mailbox.id);
        let here = self.messages.iter().filter(|own| (own.0, own.1) == place);
        let uids = here.fold(UidSet::new(), |all, (_, _, uids)| all.union(uids));
        let last = from.0.saturating_add(count).saturating_sub(1);
        status.only_appended && count > 0 && uids.ranges() == [(from.0, last)]
    }
}
