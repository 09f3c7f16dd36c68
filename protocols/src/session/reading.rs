//! Stored messages on their way to clients: what all sessions together hold of large ones is bounded, and who is slow to take his gives
//! the room to others meanwhile. The same for other answers that are long. Waits for room, but not for ever.
use super::{Share, Shared};
use crate::limits;
use crate::runtime::{Stream, now, sleep, timeout};
use posthouse_engine::Bytes;
use posthouse_engine::base::{AccountId, Error, Result};
use posthouse_engine::index::Entry;
use std::io;
use std::ops::Deref;
use std::pin::pin;
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
        send_while(stream, self.hold, || !self.share.is_waited_for()).await
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
    /// The message of an entry, for a session of the account `reader`. Clients that take large ones slowly keep others waiting for theirs a little, and nobody for a small one.
    ///
    /// # Errors
    /// `Busy` when there was no room for [`limits::READING_WAIT_MAX`]; those of `Engine::message`.
    pub async fn message(&self, reader: AccountId, account: AccountId, entry: &Entry) -> Result<Reading> {
        let mut share = self.reading.share_of_account(reader);
        let bytes = self.read(account, entry, &mut share).await?;
        Ok(Reading { account, entry: *entry, bytes, share, hold: limits::READING_HOLD_MIN })
    }

    async fn read(&self, account: AccountId, entry: &Entry, share: &mut Share) -> Result<Bytes> {
        self.room(share, entry.size_bytes.into()).await?;
        self.engine.message(account, entry).await
    }

    /// Waits until the share can have so many bytes.
    ///
    /// # Errors
    /// `Busy` after [`limits::READING_WAIT_MAX`].
    pub(crate) async fn room(&self, share: &mut Share, size_bytes: u64) -> Result<()> {
        let until = now() + limits::READING_WAIT_MAX;
        let mut pause = limits::READING_PAUSE_MIN;
        while !share.hold(size_bytes) {
            if now() >= until {
                return Err(Error::Busy);
            }
            sleep(pause).await;
            pause = (pause * 2).min(limits::READING_PAUSE_MAX);
        }
        Ok(())
    }
}

/// Sends what has gathered of an answer that cannot be made again, so that its room cannot be given to others meanwhile.
///
/// # Errors
/// The connection's; `TimedOut` when the client has not taken it in [`limits::READING_HOLD_MAX`] and others may be waiting for the room.
pub(crate) async fn flush_holding(share: &Share, stream: &mut Stream) -> io::Result<()> {
    match send_while(stream, limits::READING_HOLD_MAX, || !share.is_waited_for()).await? {
        true => Ok(()),
        false => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Sends what has gathered; false when that has taken longer than `hold` and `may_take_longer`, which is asked again and again, says no.
async fn send_while(stream: &mut Stream, hold: Duration, may_take_longer: impl Fn() -> bool) -> io::Result<bool> {
    // One sending, so that it still sees a client that takes nothing at all.
    let mut sending = pin!(stream.flush());
    loop {
        match timeout(hold, sending.as_mut()).await {
            Some(done) => return done.map(|()| true),
            None if may_take_longer() => {}
            None => return Ok(false),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::sim::{self, Net};
    use crate::session::Budget;

    /// What becomes of a megabyte for a client that takes a little now and then.
    async fn sent_to_a_slow_one(net: &Net, share: &Share) -> io::Result<()> {
        let (mut stream, mut client) = net.pair();
        net.spawn(async move {
            loop {
                sleep(limits::SEND_STALL_MAX / 2).await;
                client.read().await;
            }
        });
        *stream.output() = vec![b'x'; 1 << 20];
        flush_holding(share, &mut stream).await
    }

    #[test]
    fn a_long_answer_may_take_its_time_only_while_nobody_waits() {
        sim::run_alone(|net| async move {
            let budget = Budget::new(4 << 20);
            let mut share = budget.share();
            assert!(share.hold(1 << 20));
            assert!(sent_to_a_slow_one(&net, &share).await.is_ok());
            let mut others = budget.share();
            assert!(others.hold(2 << 20));
            let lost = sent_to_a_slow_one(&net, &share).await;
            assert!(lost.is_err_and(|error| error.kind() == io::ErrorKind::TimedOut));
        });
    }
}
