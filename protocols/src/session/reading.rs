//! Stored messages on their way to clients: what all sessions together hold of large ones is bounded. Waits for room, but not for ever.
use super::{Share, Shared};
use crate::limits;
use crate::runtime::{now, sleep};
use posthouse_engine::Bytes;
use posthouse_engine::base::{AccountId, Error, Result};
use posthouse_engine::index::Entry;
use std::ops::Deref;

/// A message's bytes and the room that they take; derefs to the bytes.
pub struct Reading {
    bytes: Bytes,
    _share: Share,
}

impl Deref for Reading {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Shared {
    /// The message of an entry. Clients that take large ones slowly keep others waiting for theirs, and nobody for a small one.
    ///
    /// # Errors
    /// `Busy` when there was no room for [`limits::READING_WAIT_MAX`]; those of `Engine::message`.
    pub async fn message(&self, account: AccountId, entry: &Entry) -> Result<Reading> {
        let mut share = self.reading.share();
        let until = now() + limits::READING_WAIT_MAX;
        let mut pause = limits::READING_PAUSE_MIN;
        while !share.hold(entry.size_bytes.into()) {
            if now() >= until {
                return Err(Error::Busy);
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::READING_PAUSE_MAX);
        }
        Ok(Reading { bytes: self.engine.message(account, entry).await?, _share: share })
    }
}
