//! Has workers read what entries and summaries lie in where the disk would have to be waited for, before a session needs them. Errors are met by who reads.
use crate::imap::set;
use crate::imap::state::Session;
use crate::limits;
use crate::session::Work;
use posthouse_engine::base::AccountId;
use posthouse_engine::index::Mailbox;
use std::ops::Range;
use std::sync::Arc;

/// Brings the entries at these positions of an account's mailbox into memory: where nobody has asked about it lately they may lie on the disk.
pub(in crate::imap) async fn bring_entries(
    session: &Session,
    account: AccountId,
    view: &Mailbox,
    positions: &[Range<usize>],
) {
    if let Some(brought) = session.shared.engine.bring_entries(account, view, positions) {
        brought.await;
    }
}

/// The same at all these positions of the selected mailbox, as the client knows it and as it is now, before the engine is asked to change them:
/// what its committer has to read itself keeps everybody's mail in the shard waiting.
pub(in crate::imap) async fn bring_selected(session: &Session, positions: &[Range<usize>]) {
    let Some(selected) = &session.selected else {
        return;
    };
    let account = selected.account;
    let now = session.shared.engine.mailbox(account, selected.mailbox).ok();
    // Mostly nothing has happened since the client was told.
    let now = now.filter(|now| !Arc::ptr_eq(now, &selected.view));
    for view in [Some(selected.view.clone()), now].into_iter().flatten() {
        bring_all(session, account, &view, positions).await;
    }
}

/// The same of a view.
pub(in crate::imap) async fn bring_all(
    session: &Session,
    account: AccountId,
    view: &Mailbox,
    positions: &[Range<usize>],
) {
    let mut work = Work::default();
    for group in set::groups(positions, limits::IMAP_BATCH_MESSAGES) {
        bring_entries(session, account, view, &group).await;
        work.did(limits::IMAP_LOOK_UP_WORK_BYTES).await;
    }
}

/// Brings the summaries at these positions into memory.
pub(in crate::imap) async fn bring(session: &Session, view: &Mailbox, positions: &[Range<usize>]) {
    let locators = set::entries(positions, &view.entries).filter_map(|(_, entry)| Some(entry.ok()?.locator));
    if let Some(brought) = session.shared.engine.bring_summaries(session.mail_account(), locators) {
        brought.await;
    }
}

/// The positions that were brought last, for who goes through a mailbox one by one.
#[derive(Default)]
pub(in crate::imap) struct Near(Range<usize>);

impl Near {
    /// Makes sure that the summary at a position was brought, with those that follow it.
    pub(in crate::imap) async fn bring(&mut self, session: &Session, view: &Mailbox, at: usize) {
        if !self.0.contains(&at) {
            self.0 = at..at + limits::IMAP_BATCH_MESSAGES;
            bring(session, view, std::slice::from_ref(&self.0)).await;
        }
    }
}
