//! Stored messages on their way to clients: what all sessions together hold of large ones is bounded, and who is slow to take his gives
//! the room to others meanwhile. Waits for room, but not for ever.
use super::{Share, Shared};
use crate::limits;
use crate::runtime::{Stream, now, sleep, timeout};
use posthouse_engine::Bytes;
use posthouse_engine::base::{AccountId, Error, Result};
use posthouse_engine::index::Entry;
use std::io;
use std::ops::Deref;
use std::time::Duration;

/// A message's bytes and the room that they take; derefs to the bytes.
pub struct Reading {
    account: AccountId,
    entry: Entry,
    bytes: Bytes,
    share: Share,
    /// How long the client may leave a piece unread. It doubles with each time that the message has to be read again: that costs more than the
    /// room does.
    hold: Duration,
}

impl Deref for Reading {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Reading {
    /// Sends what has gathered of this message. False when the client is slow to take it while others may want the room that the message
    /// holds: [`Reading::wait`] then.
    ///
    /// # Errors
    /// The connection's.
    pub async fn flush(&self, stream: &mut Stream) -> io::Result<bool> {
        match timeout(self.hold, stream.flush()).await {
            Some(done) => done.map(|()| true),
            None if self.share.is_wanted() => Ok(false),
            None => stream.flush().await.map(|()| true),
        }
    }

    /// Gives the room to others until the client has taken what has gathered, then reads the message again.
    ///
    /// # Errors
    /// The connection's; when the message cannot be had any more, and the connection must end, since part of it has been sent.
    pub async fn wait(&mut self, shared: &Shared, stream: &mut Stream) -> io::Result<()> {
        self.bytes = Vec::new().into();
        self.share.release();
        self.hold = (self.hold * 2).min(limits::READING_HOLD_MAX);
        stream.flush().await?;
        let read = shared.read(self.account, &self.entry, &mut self.share).await;
        self.bytes = read.map_err(|error| {
            tracing::warn!(%error, "a message could not be read again for a slow client");
            io::Error::other(error)
        })?;
        Ok(())
    }
}

impl Shared {
    /// The message of an entry. Clients that take large ones slowly keep others waiting for theirs a little, and nobody for a small one.
    ///
    /// # Errors
    /// `Busy` when there was no room for [`limits::READING_WAIT_MAX`]; those of `Engine::message`.
    pub async fn message(&self, account: AccountId, entry: &Entry) -> Result<Reading> {
        let mut share = self.reading.share();
        let bytes = self.read(account, entry, &mut share).await?;
        Ok(Reading { account, entry: *entry, bytes, share, hold: limits::READING_HOLD_MIN })
    }

    async fn read(&self, account: AccountId, entry: &Entry, share: &mut Share) -> Result<Bytes> {
        let until = now() + limits::READING_WAIT_MAX;
        let mut pause = limits::READING_PAUSE_MIN;
        while !share.hold(entry.size_bytes.into()) {
            if now() >= until {
                return Err(Error::Busy);
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::READING_PAUSE_MAX);
        }
        self.engine.message(account, entry).await
    }
}
