//! Which accounts a NOTIFY is about: the session's own, and those of others of which it means something. Finds what the session may do in them.
use super::Notify;
use super::known::{Look, News, Watched};
use crate::imap::answer::Fail;
use crate::imap::notify::asked::{Asked, overflow};
use crate::imap::place::{self, OTHER_USERS, SHARED};
use crate::imap::state::Session;
use crate::imap::sync::Telling;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Account;
use std::sync::Arc;

/// More is asked for than is watched.
pub(super) struct TooMuch;

impl Session {
    /// NOTIFY NONE.
    pub(in crate::imap) fn notify_none(&mut self) {
        self.notify = Some(Box::default());
    }

    /// NOTIFY SET: what was asked before holds until nothing can be refused any more.
    pub(in crate::imap) async fn notify_set(&mut self, asked: Asked) -> std::result::Result<(), Fail> {
        let Asked { status, notify } = asked;
        let mut notify = Box::new(notify);
        if notify.selected.fetch.as_ref().is_some_and(|plan| plan.modseq) {
            self.enable_condstore();
        }
        if let (true, Some(plan)) = (self.enabled.uid_only, notify.selected.fetch.as_mut().and_then(Arc::get_mut)) {
            plan.without_uid();
        }
        let own = self.shared.engine.account(self.account())?;
        if !notify.filter.0.is_empty() {
            self.reach(&mut notify, &own).await.map_err(|TooMuch| overflow())?;
        }
        // Once more: now nothing slips by unseen.
        let own = self.shared.engine.account(self.account())?;
        let mut news = News::default();
        for at in 0..notify.accounts.len() {
            let account = notify.accounts[at].account;
            let view = self.shared.engine.account(account).ok();
            let rights = self.all_rights(account, view.as_deref());
            let mut accounts = std::mem::take(&mut notify.accounts);
            let look = Look { status, ..self.look(&notify, &own) };
            accounts[at].learn(view.as_deref(), &rights, &look);
            accounts[at].standing(view.as_deref(), &look, &mut news);
            accounts[at].changed = false;
            notify.accounts = accounts;
            if notify.mailbox_count() > limits::IMAP_NOTIFY_MAILBOXES_MAX {
                return Err(overflow().into());
            }
            yield_now().await;
        }
        (notify.subscriptions, notify.annotations) = (own.subscriptions.clone(), own.metadata.of_clients());
        notify.place = self.selected_place();
        // "A successful NOTIFY SET command implies an implicit NOOP command" (RFC 5465 section 3.1), whatever was asked for until now.
        self.notify = None;
        self.tell(Telling { expunges: true, uid: true, claim: true, asked: true }, None).await?;
        self.write_news(&own, news).await?;
        self.notify = Some(notify);
        Ok(())
    }

    /// How the session looks at accounts now.
    pub(super) fn look<'a>(&'a self, notify: &'a Notify, own: &'a Account) -> Look<'a> {
        Look {
            filter: &notify.filter,
            subscriptions: &own.subscriptions,
            user: own.id,
            selected: self.selected.as_ref().map(|selected| (selected.account, &**selected.data())),
            condstore: self.enabled.condstore,
            status: false,
            filter_moved: notify.filter_moved,
        }
    }

    /// What the session may do in each mailbox of an account.
    pub(super) fn all_rights(&self, account: AccountId, view: Option<&Account>) -> Vec<Rights> {
        let (user, mailboxes) = (self.account(), view.map_or(&[][..], |view| view.mailboxes.as_slice()));
        if account == user {
            return vec![Rights::ALL; mailboxes.len()];
        }
        let engine = &self.shared.engine;
        engine.directory(|directory| mailboxes.iter().map(|at| directory.rights(user, account, at.id)).collect())
    }

    /// Finds the accounts that are meant now. Those that are new are empty to the client; the answer is those that are no longer.
    pub(super) async fn reach(&self, notify: &mut Notify, own: &Account) -> std::result::Result<Vec<Watched>, TooMuch> {
        let engine = self.shared.engine.clone();
        let mut wanted = vec![(own.id, String::new())];
        if notify.filter.reaches_others([OTHER_USERS, SHARED]) {
            // Before the look, so that nothing slips in between.
            notify.rights.get_or_insert_with(|| engine.watch_rights());
            for (count, sharer) in self.sharers(own).into_iter().enumerate() {
                let prefix = place::prefix(&sharer);
                if !notify.filter.reaches(&prefix, &own.subscriptions) {
                    continue;
                }
                if wanted.len() > limits::IMAP_NOTIFY_ACCOUNTS_MAX {
                    return Err(TooMuch);
                }
                if sharer.is_business && engine.account(sharer.account).is_err() {
                    // It is there for those who may open it, also before its first mail.
                    let _ = engine.open_account(sharer.account).await;
                }
                if count % limits::IMAP_SHARERS_BATCH == limits::IMAP_SHARERS_BATCH - 1 {
                    yield_now().await;
                }
                wanted.push((sharer.account, prefix));
            }
        }
        let mut before = std::mem::take(&mut notify.accounts);
        for (account, prefix) in wanted {
            let known = before.iter().position(|watched| watched.account == account && watched.prefix == prefix);
            notify.accounts.push(match known {
                Some(at) => Watched { changed: true, ..before.swap_remove(at) },
                None => {
                    let watch = engine.watch_account(account);
                    Watched { account, prefix, watch, changed: true, known: Vec::new() }
                }
            });
        }
        Ok(before)
    }
}
