//! What readers ask of an open store: the directory, accounts, mailboxes, messages. All as of the last commit; nothing waits for a committer.
use super::shard::Shard;
use super::ticket::given_up;
use super::{Bytes, Engine, Ticket, Watch};
use crate::base::{AccountId, Bound, Error, Locator, MailboxId, Result};
use crate::delivery::{Ahead, Summaries};
use crate::directory::{Address, Directory, Resolution};
use crate::index::{Account, Entry, Mailbox};
use std::ops::Range;
use std::sync::Arc;

/// Messages whose frame is larger are always read by a worker.
const INLINE_BYTES_MAX: u32 = 256 << 10;
/// Bytes of a frame that nearly every summary lies in.
const SUMMARY_BYTES: usize = 2048;
/// Frames that begin in the same stretch of so many bytes are looked at once.
const NEAR_BYTES: u32 = 16 << 10;

impl Engine {
    /// Looks something up; the directory does not change meanwhile. Keep it short.
    pub fn directory<R>(&self, read: impl FnOnce(&Directory) -> R) -> R {
        self.control.read(read)
    }

    /// Who gets mail for an address.
    pub fn resolve(&self, address: &Address) -> Resolution {
        self.directory(|directory| directory.resolve(address))
    }

    /// The account's view now; `NotFound` before its first use.
    pub fn account(&self, account: AccountId) -> Result<Arc<Account>> {
        let found = self.shard(account).shared.published.account(account)?;
        found.filter(|found| !found.is_purged()).ok_or_else(|| Error::NotFound(format!("account {account}")))
    }

    /// The mailbox's view now.
    pub fn mailbox(&self, account: AccountId, mailbox: MailboxId) -> Result<Arc<Mailbox>> {
        self.shard(account).shared.published.mailbox(account, mailbox)
    }

    /// What the account may hold in bytes, from the directory; `None` is unlimited. An account that the directory does not have (any more)
    /// may hold nothing: a session may outlive it.
    pub fn quota_bytes_max(&self, account: AccountId) -> Option<u64> {
        self.directory(|directory| directory.account(account).map_or(Some(0), |found| found.quota_bytes_max()))
    }

    /// What the account may hold, bytes and messages; `None` is any amount.
    pub fn bound(&self, account: AccountId) -> Option<Bound> {
        let nothing = Bound { bytes_max: 0, messages_max: 0 };
        self.directory(|directory| directory.account(account).map_or(Some(nothing), |found| directory.bound(found)))
    }

    /// The encoded summary (`index::mime::SummaryRef::decode`) of an entry's message. Does not touch the body.
    pub fn summary(&self, account: AccountId, entry: &Entry) -> Result<Bytes> {
        self.shard(account).summary(entry.locator)
    }

    /// Reads summaries of an account's messages one after the other, by the entries' locators: cheaper than each by itself.
    pub fn summaries(&self, account: AccountId) -> Summaries<'_> {
        self.shard(account).reader.summaries()
    }

    /// Brings what the summaries at these places lie in into memory, by a worker; none when it is there.
    pub fn bring_summaries(&self, account: AccountId, at: impl Iterator<Item = Locator>) -> Option<Ticket<()>> {
        let reader = &self.shard(account).reader;
        // Neighbours are in memory together.
        let mut before = None;
        let cold: Vec<Locator> = at
            .filter(|at| {
                let place = (at.segment, at.offset / NEAR_BYTES);
                before.replace(place) != Some(place) && !reader.is_resident(*at, SUMMARY_BYTES)
            })
            .collect();
        if cold.is_empty() {
            return None;
        }
        let reader = reader.clone();
        let (ticket, filler) = Ticket::pending(());
        self.workers.run(account.0, move || {
            for at in cold {
                // Who needs it meets the error.
                let _ = reader.summary(at);
            }
            filler.fill(());
        });
        Some(ticket)
    }

    /// Brings entries of a view of an account's mailbox into memory, by a worker; none when they are there.
    pub fn bring_entries(&self, account: AccountId, view: &Mailbox, positions: &[Range<usize>]) -> Option<Ticket<()>> {
        let cold = view.entries.cold(positions);
        if cold.is_empty() {
            return None;
        }
        let (ticket, filler) = Ticket::pending(());
        self.workers.run(account.0, move || {
            cold.read();
            filler.fill(());
        });
        Some(ticket)
    }

    /// Brings an account's record into memory, by a worker; none when it is there.
    pub fn bring_account(&self, account: AccountId) -> Option<Ticket<()>> {
        let shared = &self.shard(account).shared;
        if !shared.published.is_cold(account) {
            return None;
        }
        let shared = shared.clone();
        let (ticket, filler) = Ticket::pending(());
        self.workers.run(account.0, move || {
            // Who needs it meets the error.
            let _ = shared.published.account(account);
            filler.fill(());
        });
        Some(ticket)
    }

    /// The message's bytes, proven by crc. Ready at once when the frame is in memory, else read by a worker.
    pub fn message(&self, account: AccountId, entry: &Entry) -> Ticket<Result<Bytes>> {
        self.message_at((self.shard(account), account.0), entry.locator, entry.size_bytes)
    }

    /// The same for a message of `size_bytes` that something else refers to; read in its turn by `whose` it is.
    pub(super) fn message_at(
        &self,
        (shard, whose): (&Shard, u64),
        at: Locator,
        size_bytes: u32,
    ) -> Ticket<Result<Bytes>> {
        let reader = &shard.reader;
        if size_bytes <= INLINE_BYTES_MAX {
            match reader.look_ahead(at) {
                Ahead::Read(message) => return Ticket::ready(Ok(Bytes::from(message))),
                // What the frame takes is not known yet; what the message takes bounds it but for a few bytes.
                Ahead::InFrame if reader.is_resident(at, size_bytes as usize / 4) => {
                    return Ticket::ready(reader.message(at).map(Bytes::from));
                }
                // A hundred messages are unpacked for one.
                Ahead::InFrame | Ahead::InBlock => {}
            }
        }
        let reader = reader.clone();
        let (ticket, filler) = Ticket::pending(Err(given_up()));
        self.workers.run(whose, move || filler.fill(reader.message(at).map(Bytes::from)));
        ticket
    }

    /// Wakes when something of the account changes: any of its mailboxes, their names, its subscriptions or annotations.
    pub fn watch_account(&self, account: AccountId) -> Watch {
        self.shard(account).shared.watchers.add_account(account)
    }

    /// Wakes when somebody may have other rights in a mailbox than before, or another name.
    pub fn watch_rights(&self) -> Watch {
        self.control.watch_rights()
    }

    /// Wakes when the mailbox changes.
    pub fn watch(&self, account: AccountId, mailbox: MailboxId) -> Watch {
        self.shard(account).shared.watchers.add(account, mailbox)
    }
}
