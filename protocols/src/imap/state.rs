//! What one connection knows: who has logged in, which mailbox is selected and as what view of it. Holds nothing that grows with the
//! mailbox: views are shared, message numbers are positions in them.
use super::answer::{Answer, Done};
use super::context::Contexts;
use super::flags;
use super::notify::Notify;
use super::out;
use super::set::Numbers;
use crate::runtime::Stream;
use crate::session::{Seat, Shared};
use posthouse_engine::Login;
use posthouse_engine::base::{AccountId, MailboxId, ModSeq, Uid};
use posthouse_engine::index::{Entry, Flags, Mailbox, UidSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Instant;

/// One connection.
pub(super) struct Session {
    pub(super) shared: Arc<Shared>,
    pub(super) stream: Stream,
    pub(super) login: Option<Box<Login>>,
    /// The account's place for this connection, from login on.
    pub(super) seat: Option<Seat>,
    pub(super) selected: Option<Box<Selected>>,
    /// What the client wants to be told without asking (RFC 5465).
    pub(super) notify: Option<Box<Notify>>,
    /// What the client has said it understands.
    pub(super) enabled: Enabled,
    /// When a client that has not logged in is sent away.
    pub(super) login_deadline: Instant,
    /// Logins that failed.
    pub(super) failed_logins: u32,
    /// BAD answers in a row.
    pub(super) bad: u32,
    /// The client, which sends nothing more, has been sent something to show whether it still reads.
    pub(super) hailed: bool,
    /// The session ends after this command.
    pub(super) ended: bool,
}

/// What a client has said it understands (RFC 5161). Nothing is ever switched off again.
#[expect(clippy::struct_excessive_bools, reason = "each is one word of ENABLE")]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Enabled {
    /// MODSEQ comes with every change (RFC 7162 section 3.1).
    pub(super) condstore: bool,
    /// VANISHED instead of EXPUNGE (RFC 7162 section 3.2).
    pub(super) qresync: bool,
    /// Names and strings in UTF-8 (RFC 6855).
    pub(super) utf8: bool,
    /// RFC 9051 where it differs from RFC 3501.
    pub(super) rev2: bool,
    /// Uids in place of message numbers (RFC 9586).
    pub(super) uid_only: bool,
}

/// The selected mailbox.
pub(super) struct Selected {
    /// Whose it is.
    pub(super) account: AccountId,
    pub(super) mailbox: MailboxId,
    /// The session's account if it is not the owner's: whose \Seen is shown.
    pub(super) reader: Option<AccountId>,
    /// The flags that can be changed, and whether keywords can.
    pub(super) may: (Flags, bool),
    pub(super) read_only: bool,
    /// What the client's message numbers stand for: number = position + 1.
    pub(super) view: Arc<Mailbox>,
    /// A newer view whose flags the client has been told, but whose expunges it has not (RFC 3501 section 7.4.1).
    pub(super) newer: Option<Arc<Mailbox>>,
    /// Flags that others have changed since are still to be told, should the client want to know (RFC 5465).
    pub(super) untold_since: Option<ModSeq>,
    /// The uids that are \Recent in this session.
    pub(super) recent: UidSet,
    /// Some of them have not been claimed: the next session would take them for its own.
    pub(super) claim_due: bool,
    /// What SEARCH has saved for `$` (RFC 5182).
    pub(super) saved: UidSet,
    /// Searches that the client is told of as their results change (RFC 5267).
    pub(super) contexts: Contexts,
    /// Messages from this uid on are new to contexts and to NOTIFY's FETCH.
    pub(super) new_from: Uid,
}

/// A command under way; boxed, so that a session that waits holds nothing of it.
pub(super) type Running<'s> = Pin<Box<dyn Future<Output = Done> + 's>>;

impl Session {
    /// The account, for commands that the table lets through only after login.
    pub(super) fn account(&self) -> AccountId {
        self.login.as_ref().map_or(AccountId(0), |login| login.account)
    }

    /// The selected mailbox, for commands that the table lets through only with one.
    pub(super) fn selected(&self) -> Result<&Selected, Answer> {
        self.selected.as_deref().ok_or_else(|| Answer::bad("No mailbox is selected"))
    }

    /// Whether a message is to be shown as \Recent: IMAP4rev2 knows no such flag (RFC 9051 appendix E).
    pub(super) fn is_recent(&self, uid: Uid) -> bool {
        !self.enabled.rev2 && self.selected.as_ref().is_some_and(|selected| selected.recent.contains(uid))
    }

    /// `* ` + line + CRLF.
    pub(super) fn untagged(&mut self, line: &str) {
        let out = self.stream.output();
        out.extend_from_slice(b"* ");
        out.extend_from_slice(line.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
}

impl Selected {
    /// What the numbers of a set stand for.
    pub(super) fn numbers(&self) -> Numbers<'_> {
        Numbers { entries: &self.view.entries, saved: &self.saved }
    }

    /// The view with the newest flags that the client may see.
    pub(super) fn data(&self) -> &Arc<Mailbox> {
        self.newer.as_ref().unwrap_or(&self.view)
    }

    /// The entry with its newest flags as this session sees them; an expunged one as it was last.
    pub(super) fn newest(&self, entry: Entry) -> Entry {
        let Some(newer) = &self.newer else {
            return self.view.seen_by(entry, self.reader);
        };
        match newer.entries.position(entry.uid) {
            Ok(Some(at)) => newer.seen_by(newer.entries.get(at).unwrap_or(entry), self.reader),
            _ => self.view.seen_by(entry, self.reader),
        }
    }

    /// How many messages of the view are \Recent.
    pub(super) fn recent_count(&self) -> u64 {
        let entries = &self.view.entries;
        let count = |&(first, last): &(u32, u32)| {
            let from = entries.lower_bound(posthouse_engine::base::Uid(first)).unwrap_or(0);
            let to = match last.checked_add(1) {
                Some(after) => entries.lower_bound(posthouse_engine::base::Uid(after)).unwrap_or(from),
                None => entries.len(),
            };
            to.saturating_sub(from) as u64
        };
        self.recent.ranges().iter().map(count).sum()
    }

    /// `FLAGS` and `PERMANENTFLAGS` (RFC 3501 section 7.2.6 and 7.1).
    pub(super) fn write_flag_lists(&self, out: &mut Vec<u8>) {
        let keywords = &self.data().keywords;
        out.extend_from_slice(b"* FLAGS (");
        flags::write_known(out, keywords);
        out.extend_from_slice(b")\r\n* OK [PERMANENTFLAGS (");
        if !self.read_only {
            flags::write_permanent(out, self.may, keywords);
            if self.may.1 && keywords.len() < posthouse_engine::base::limits::KEYWORDS_MAX {
                out.extend_from_slice(b" \\*");
            }
        }
        out.extend_from_slice(b")] Flags that can be changed\r\n");
    }

    /// `EXISTS` and `RECENT` (RFC 3501 section 7.3); IMAP4rev2 knows no RECENT.
    pub(super) fn write_counts(&self, out: &mut Vec<u8>, rev2: bool) {
        out::counted(out, self.view.entries.len() as u64, "EXISTS");
        if !rev2 {
            out::counted(out, self.recent_count(), "RECENT");
        }
    }
}
