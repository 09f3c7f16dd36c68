//! Keeps room in shared mailboxes for what one more member has seen (`READERS_MAX`).
use super::ops::readers;
use super::{At, Engine};
use crate::base::AccountId;
use crate::base::limits::READERS_MAX;

/// Readers whose marks are taken away at a time: each is an event, and the next ones bring about the same for others.
const LEAVING: usize = 64;

impl Engine {
    /// Before somebody new marks messages in a mailbox that keeps marks of as many members as it may: those of members who may do nothing
    /// there any more go first. They stand until then, for who gets its rights back.
    pub(super) fn make_room_for(&self, At { account, mailbox, guest }: At) {
        let Some(reader) = guest.map(|guest| guest.reader) else { return };
        let Ok(view) = self.mailbox(account, mailbox) else { return };
        if view.readers.len() < READERS_MAX || view.readers.seen(reader).is_some() {
            return;
        }
        let leaving: Vec<AccountId> = self.directory(|directory| {
            let has_left = |reader: &AccountId| directory.rights(*reader, account, mailbox).is_empty();
            view.readers.iter().map(|(reader, _)| reader).filter(has_left).take(LEAVING).collect()
        });
        if !leaving.is_empty() {
            // The request that follows comes after it, and finds the mailbox full if this was not taken.
            drop(self.committer_of(account).submit(move |txn| readers::forget(txn, (account, mailbox), &leaving)));
        }
    }
}
