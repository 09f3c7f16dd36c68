//! Moves between accounts of different shards: begun in the target's shard, ended in the source's, and ended by the next start or login if the
//! store stops in between. A message is never in neither place, and in both only until then. So do the copies go of a COPY that was cut short.
use super::ops::{expunge, moved};
use super::{Append, Appended, At, Engine, Ticket};
use crate::base::{AccountId, Error, Flags, Guid, MailboxId, Result, UidSet};
use crate::delivery::Staged;

impl Engine {
    /// Puts messages that are moved here into a mailbox: with their entries elsewhere still there. `finish_moves` must follow.
    pub fn receive(
        &self,
        at: At,
        messages: Vec<Append>,
        from: (AccountId, MailboxId),
        uids: UidSet,
    ) -> Ticket<Result<Appended>> {
        self.make_room_for(at);
        let bound = self.bound(at.account);
        let plan = move |txn: &mut super::txn::Txn<'_>| moved::receive(txn, at, &messages, (from, &uids), bound);
        self.committer_of(at.account).submit(plan)
    }

    /// Removes the entries that messages of an account have been moved from, if some are left, and copies that were cut short: all that can be now,
    /// and the first error.
    pub async fn finish_moves(&self, account: AccountId) -> Result<()> {
        let view = self.account(account)?;
        let mut first = Ok(());
        for note in moved::notes(&view) {
            let ended = if note.is_copy_in(account) {
                self.take_back(account, &note, None).await
            } else {
                match are_gone(self.remove_moved(&note).await) {
                    Ok(()) => self.forget(account, note).await,
                    Err(error) => Err(error),
                }
            };
            first = first.and(ended);
        }
        first
    }

    fn remove_moved(&self, note: &moved::Note) -> Ticket<Result<UidSet>> {
        let ((account, mailbox), uids) = (note.from, note.uids.clone());
        self.committer_of(account).submit(move |txn| expunge::plan(txn, account, mailbox, Some(&uids), Flags::NONE))
    }

    fn forget(&self, account: AccountId, note: moved::Note) -> Ticket<Result<()>> {
        self.committer_of(account).submit(move |txn| moved::done(txn, account, &note))
    }

    /// At the start: a note outlives its move only by a crash, so it stands in what was replayed, or in the last checkpoint, and there the
    /// next login finds it. What cannot be ended now waits.
    pub(super) fn finish_begun_moves(&self, notices: &mut Vec<String>) {
        for shard in &self.shards {
            for account in shard.shared.published.changed() {
                for note in moved::notes(&account) {
                    if note.is_copy_in(account.id) {
                        let uids = note.uids.clone();
                        let gone = self.take_back_piece((account.id, note), uids, None, true).wait();
                        notices.push(match gone {
                            Ok(()) => {
                                format!("a copy in account {} that was under way has been taken back", account.id)
                            }
                            Err(why) => format!("a copy in account {} is still to be taken back: {why}", account.id),
                        });
                        continue;
                    }
                    let gone = are_gone(self.remove_moved(&note).wait());
                    let ended = gone.and_then(|()| self.forget(account.id, note).wait());
                    notices.push(match ended {
                        Ok(()) => format!("a move to account {} that was under way has been ended", account.id),
                        Err(why) => format!("a move to account {} is still to be ended: {why}", account.id),
                    });
                }
            }
        }
    }

    /// Stages a message that is here already: it keeps its name.
    pub fn stage_again(&self, message: Vec<u8>, guid: Guid) -> Ticket<Result<Staged>> {
        self.stage_named(0, Vec::new(), message, Some(guid))
    }
}

/// Where their mailbox is gone, they are gone with it.
fn are_gone(removed: Result<UidSet>) -> Result<()> {
    match removed {
        Ok(_) | Err(Error::NotFound(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
