//! Between the thread that reads the source and the one that talks to the store: batches of messages for one mailbox, bounded in bytes.
use super::How;
use super::gather::{Gather, Gathered};
use super::kind::Dates;
use super::special::Names;
use super::uidl::Ids;
use crate::limits::{BULK_BYTES, BULK_MESSAGES_MAX};
use crate::ops::bulk::{Annotation, Incoming};
use crate::room::{Held, Room};
use posthouse_engine::index::mime::sent_date;
use std::sync::Arc;
use std::sync::mpsc::SyncSender;

/// What goes over.
pub(super) enum Load {
    /// Messages of one mailbox.
    Messages(Loaded),
    /// A mailbox that shall be there even if it gets no message.
    Make { account: String, name: String, special_use: Option<String>, subscribed: bool },
    /// An annotation of a mailbox, or of the account itself.
    Annotate { account: String, mailbox: Option<String>, annotation: Annotation },
    /// Something in the source that is not taken.
    Bad { what: String, why: String },
}

/// Messages of one mailbox.
#[derive(Default)]
pub(super) struct Loaded {
    /// As in the source; empty: the one that was named.
    pub(super) account: String,
    pub(super) mailbox: String,
    pub(super) messages: Vec<Incoming>,
    /// Where each is, for people.
    pub(super) names: Vec<String>,
    /// All of them, one after the other.
    pub(super) bytes: Vec<u8>,
    /// Memory that is given back when the store has them.
    pub(super) held: Option<Held>,
}

/// Nobody takes messages any more.
pub(in crate::carry) struct Gone;

/// A message as a source gives it.
pub(in crate::carry) struct Item {
    pub(in crate::carry) what: String,
    pub(in crate::carry) flags: Vec<String>,
    /// The file's date.
    pub(in crate::carry) date: Option<i64>,
    /// Its unique-id by POP3 where it comes from.
    pub(in crate::carry) pop3_uidl: Option<String>,
    pub(in crate::carry) message: Gathered,
}

/// The source's end.
pub(in crate::carry) struct Feeder {
    to: SyncSender<Load>,
    room: Arc<Room>,
    message_bytes_max: usize,
    dates: Dates,
    pub(super) pop3_uidl: Ids,
    pub(in crate::carry) names: Names,
    batch: Loaded,
}

impl Feeder {
    pub(super) fn new(to: SyncSender<Load>, room: Arc<Room>, how: How) -> Feeder {
        let message_bytes_max = usize::try_from(how.message_bytes_max).unwrap_or(usize::MAX);
        let How { dates, pop3_uidl, names, .. } = how;
        Feeder { to, room, message_bytes_max, dates, pop3_uidl, names, batch: Loaded::default() }
    }

    /// Room for the next message.
    pub(in crate::carry) fn gather(&self) -> Gather {
        Gather::new(self.room.clone(), self.message_bytes_max)
    }

    /// The messages that follow go here.
    pub(in crate::carry) fn mailbox(&mut self, account: &str, mailbox: String) -> Result<(), Gone> {
        if self.batch.mailbox != mailbox || self.batch.account != account {
            self.flush()?;
            self.batch.mailbox = mailbox;
            account.clone_into(&mut self.batch.account);
        }
        Ok(())
    }

    pub(super) fn make(
        &mut self,
        account: &str,
        name: &str,
        special_use: Option<String>,
        subscribed: bool,
    ) -> Result<(), Gone> {
        self.flush()?;
        let (account, name) = (account.to_owned(), name.to_owned());
        self.to.send(Load::Make { account, name, special_use, subscribed }).map_err(|_| Gone)
    }

    pub(super) fn annotate(
        &mut self,
        account: &str,
        mailbox: Option<String>,
        annotation: Annotation,
    ) -> Result<(), Gone> {
        self.flush()?;
        self.to.send(Load::Annotate { account: account.to_owned(), mailbox, annotation }).map_err(|_| Gone)
    }

    pub(in crate::carry) fn bad(&mut self, what: impl ToString, why: impl ToString) -> Result<(), Gone> {
        self.to.send(Load::Bad { what: what.to_string(), why: why.to_string() }).map_err(|_| Gone)
    }

    /// The next message of the mailbox.
    pub(in crate::carry) fn message(&mut self, item: Item) -> Result<(), Gone> {
        let Gathered { bytes, held } = item.message;
        if bytes.is_empty() {
            return self.bad(item.what, "is empty");
        }
        let batch = &self.batch;
        if !batch.messages.is_empty()
            && (batch.bytes.len() + bytes.len() > BULK_BYTES || batch.messages.len() >= BULK_MESSAGES_MAX)
        {
            self.flush()?;
        }
        let date = match self.dates {
            Dates::File => item.date.or_else(|| header_date(&bytes)),
            Dates::Header => header_date(&bytes).or(item.date),
        };
        let batch = &mut self.batch;
        batch.messages.push(Incoming { size: bytes.len() as u64, flags: item.flags, date, pop3_uidl: item.pop3_uidl });
        batch.names.push(item.what);
        if batch.bytes.is_empty() {
            batch.bytes = bytes;
        } else {
            batch.bytes.extend_from_slice(&bytes);
        }
        match held {
            None => Ok(()),
            Some(held) => {
                batch.held = Some(held);
                // Sent on at once: the next large message waits for this one's room, and this thread alone could send it.
                self.flush()
            }
        }
    }

    /// Sends what is gathered.
    pub(in crate::carry) fn flush(&mut self) -> Result<(), Gone> {
        if self.batch.messages.is_empty() {
            return Ok(());
        }
        let (account, mailbox) = (self.batch.account.clone(), self.batch.mailbox.clone());
        let batch = std::mem::replace(&mut self.batch, Loaded { account, mailbox, ..Loaded::default() });
        self.to.send(Load::Messages(batch)).map_err(|_| Gone)
    }
}

fn header_date(message: &[u8]) -> Option<i64> {
    sent_date(message).map(|(seconds, _)| seconds)
}
