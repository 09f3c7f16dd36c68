//! COPY of so many messages that others would wait long for all of it: several transactions, and all or nothing all the same. What has been made so
//! far is noted with it, as a move that is still to be ended: should it not come to its end the copies go, at once or, where the store stops in
//! between, at the next start or login.
use super::ops::moved::Note;
use super::ops::{copy, moved};
use super::promises::{Held, Promises};
use super::{At, Copied, Engine, Ticket};
use crate::base::limits::TAKEN_BACK_ENTRIES;
use crate::base::{AccountId, Error, Load, Result, UidSet};
use crate::quota;
use std::sync::Arc;

impl Engine {
    /// COPY as `copy_at` does it, with a transaction for each of the `parts`, which are ascending. Others see the copies come; nobody can move them
    /// before all are there.
    ///
    /// # Errors
    /// Those of `copy_at`, for the first part that fails; what the parts before it have made is taken back.
    pub async fn copy_in_parts(&self, from: At, parts: Vec<UidSet>, to: At) -> Result<Copied> {
        if !self.share_frames(from.account, to.account) {
            return Err(Error::Invalid("the accounts lie in different shards".into()));
        }
        self.make_room_for(to);
        let uid_validity = self.mailbox(to.account, to.mailbox)?.uid_validity;
        let held = Arc::new(Promises::begin(&self.shard(to.account).shared.promises));
        let mut all = Copied { uid_validity, from: UidSet::new(), to: UidSet::new() };
        let count = parts.len();
        for (at, uids) in parts.into_iter().enumerate() {
            match self.copy_part((from, uids), to, (&held, &all.to), at + 1 == count).await {
                Ok(part) => all.add(&part),
                Err(why) => {
                    self.give_up_copy(to, &all.to, &held).await;
                    return Err(why);
                }
            }
        }
        // The committer may let go of its own hold a moment after it has answered.
        held.release();
        Ok(all)
    }

    /// One part, with the note of what is there with it.
    fn copy_part(
        &self,
        (from, uids): (At, UidSet),
        to: At,
        (held, before): (&Arc<Held>, &UidSet),
        is_last: bool,
    ) -> Ticket<Result<Copied>> {
        let request = copy::Request { from, uids, to, bound: self.bound(to.account), moves: false };
        let (held, before) = (held.clone(), before.clone());
        self.committer_of(to.account).submit(move |txn| {
            let copied = copy::plan(txn, &request)?;
            let made = before.union(&copied.to);
            // Before anybody can see them.
            held.hold((to.account, to.mailbox), made.clone());
            moved::note_copies(txn, (to.account, to.mailbox), (&before, &made), is_last)?;
            Ok(copied)
        })
    }

    async fn give_up_copy(&self, to: At, made: &UidSet, held: &Held) {
        let Some(note) = Note::of_copies((to.account, to.mailbox), made) else { return };
        if let Err(error) = self.take_back(to.account, &note, Some(held.key())).await {
            tracing::warn!(%error, account = %to.account, "a part of a copy that has failed could not be taken back yet");
        }
    }

    /// Removes the copies of a note, in several transactions as they were made. Nothing when somebody else makes them now, or has seen to it.
    pub(super) async fn take_back(&self, account: AccountId, note: &Note, own: Option<u64>) -> Result<()> {
        let mut pieces = note.uids.pieces(TAKEN_BACK_ENTRIES).into_iter().peekable();
        while let Some(piece) = pieces.next() {
            self.take_back_piece((account, note.clone()), piece, own, pieces.peek().is_none()).await?;
        }
        Ok(())
    }

    /// The last one forgets the note.
    pub(super) fn take_back_piece(
        &self,
        (account, note): (AccountId, Note),
        piece: UidSet,
        own: Option<u64>,
        is_last: bool,
    ) -> Ticket<Result<()>> {
        self.committer_of(account).submit(move |txn| moved::take_back(txn, account, &note, (&piece, is_last), own))
    }

    /// Whether an account may take so much more now, for who would have to take back what was begun.
    ///
    /// # Errors
    /// `OverQuota`, `TooManyMessages`; `NotFound` before its first use.
    pub fn check_room(&self, account: AccountId, more: Load) -> Result<()> {
        quota::admit(self.account(account)?.load(), more, self.bound(account)).map(drop)
    }
}

impl Copied {
    /// Adds what was done after it.
    pub fn add(&mut self, later: &Copied) {
        (self.from, self.to) = (self.from.union(&later.from), self.to.union(&later.to));
    }
}
