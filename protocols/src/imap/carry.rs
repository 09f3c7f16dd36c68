//! COPY and MOVE to a mailbox whose account lies in another shard: the messages are read there and put in here, all in one transaction of the
//! target's. A MOVE's old entries go after that; the target's note of them makes sure that they go, whatever happens in between. What may be
//! done there and here is asked again when everything has been read.
use super::answer::Answer;
use super::cmd::copy::MOVING;
use super::state::Session;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{Error, Result};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Entry, Mailbox, UidSet};
use posthouse_engine::{Append, Appended, At, Copied, Promise};

impl Session {
    /// All or none. What is under way is held in memory and bounded: `Busy` when it is too much.
    pub(super) async fn carry(&self, from: At, uids: &UidSet, to: At, moves: bool) -> Result<Copied, Answer> {
        let engine = &self.shared.engine;
        let promise = if moves { Some(self.promised(from, uids, to).await?) } else { None };
        let uids = promise.as_ref().map_or(uids, Promise::uids);
        let source = engine.mailbox(from.account, from.mailbox)?;
        let found = source.entries.in_uids(uids).map(|found| found.map(|(_, entry)| entry));
        let entries: Vec<Entry> = found.collect::<Result<_>>()?;
        let there: UidSet = entries.iter().map(|entry| entry.uid).collect();
        let uid_validity = engine.mailbox(to.account, to.mailbox)?.uid_validity;
        if entries.is_empty() {
            return Ok(Copied { uid_validity, from: there, to: UidSet::new() });
        }
        let size_bytes: u64 = entries.iter().map(|entry| u64::from(entry.size_bytes)).sum();
        self.room_in(to, size_bytes)?;
        let mut share = self.shared.budget.share_of(self.stream.peer().ip());
        let held = size_bytes + entries.len() as u64 * limits::IMAP_MESSAGE_OVERHEAD_BYTES;
        if !share.hold(held) {
            return Err(Error::Limit("that is more mail than can be carried to another account at once".into()).into());
        }
        let mut messages = Vec::with_capacity(entries.len());
        for entry in &entries {
            messages.push(self.copy_of(from, &source, *entry).await?);
            yield_now().await;
        }
        self.need_selected(if moves { MOVING } else { Rights::READ })?;
        let to = self.still(to, Rights::INSERT)?;
        let Some(promise) = promise else {
            let Appended { uids: made, .. } = engine.append_at(to, messages).await?;
            return Ok(Copied { uid_validity, from: there, to: made });
        };
        let received = engine.receive(to, messages, (from.account, from.mailbox), there.clone()).await?;
        if let Err(error) = engine.finish_moves(to.account).await {
            // The messages are there for good. Their old entries go with the next move to that account, login or start.
            tracing::warn!(%error, account = %from.account, "a move to another account could not be ended yet");
            promise.keep();
        }
        Ok(Copied { uid_validity, from: there, to: received.uids })
    }

    /// Two that move the same messages at once would both get them.
    async fn promised(&self, from: At, uids: &UidSet, to: At) -> Result<Promise> {
        let engine = &self.shared.engine;
        // What an earlier move has left goes first, so that who tries again doubles nothing.
        engine.finish_moves(to.account).await?;
        engine.promise(from.account, from.mailbox, uids.clone()).await
    }

    /// The quota is asked before anything is read.
    fn room_in(&self, to: At, size_bytes: u64) -> Result<()> {
        let engine = &self.shared.engine;
        let used_bytes = engine.account(to.account)?.used_bytes;
        match engine.quota_bytes_max(to.account) {
            Some(max) if used_bytes.saturating_add(size_bytes) > max => {
                Err(Error::OverQuota { used_bytes, quota_bytes_max: max })
            }
            _ => Ok(()),
        }
    }

    /// The message with the labels that who copies sees on it.
    async fn copy_of(&self, from: At, source: &Mailbox, entry: Entry) -> Result<Append> {
        let message = self.shared.message(self.account(), from.account, &entry).await?.to_vec();
        let staged = self.shared.engine.stage_again(message, entry.guid).await?;
        let set = source.keywords.iter().enumerate().filter(|(bit, _)| entry.keywords.0 >> bit & 1 == 1);
        Ok(Append {
            staged,
            flags: source.seen_by(entry, from.reader()).flags,
            keywords: set.map(|(_, name)| name.clone()).collect(),
            internal_date: Some(entry.internal_date),
        })
    }
}
