//! Delivery status notifications (RFC 3464): what senders are told by mail of messages that failed, are delayed or went where no notice comes
//! from. Writes them and says where they go; commits none, and answers no null sender, so that notices never cause notices.
mod reply;
mod write;

pub(crate) use reply::Reply;
pub(crate) use write::write;

use crate::limits;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Flags};
use posthouse_engine::delivery::{Place, Target};
use posthouse_engine::directory::{Address, Recipient, Resolution};
use posthouse_engine::mailflow::TRANSFER_FOLDER;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, Terms};

/// What a report is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Nothing more is tried.
    Failed,
    /// It is still being tried.
    Delayed,
    /// Handed to a host that sends no notices of its own (RFC 3461 section 5.2.2).
    Relayed,
    /// It is in a mailbox here (RFC 3464 section 2.3.3).
    Delivered,
    /// It went to all who are behind an address (RFC 3461 section 5.2.7.3); they are not told of one by one.
    Expanded,
}

/// NOTIFY=NEVER.
pub(crate) const NEVER: u8 = 1;
/// The bit of NOTIFY=SUCCESS.
const SUCCESS: u8 = 2;

/// NOTIFY for those behind an address whose sender is told that it was expanded (RFC 3461 section 5.2.7.3): of their own success it hears nothing.
pub(crate) fn without_success(notify: u8) -> u8 {
    // Nothing but SUCCESS meant no failures either.
    if notify == SUCCESS { NEVER } else { notify & !SUCCESS }
}

impl Kind {
    /// Whether a sender who gave this NOTIFY (RFC 3461 section 4.1, as in `QueueRecipient`) wants it. Without one it is failures and delays.
    pub(crate) fn is_wanted(self, notify: u8) -> bool {
        match self {
            Kind::Failed => notify == 0 || notify & 4 != 0,
            Kind::Delayed => notify == 0 || notify & 8 != 0,
            Kind::Relayed | Kind::Delivered | Kind::Expanded => notify & SUCCESS != 0,
        }
    }
}

/// One recipient in a report.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    /// Its address.
    pub(crate) address: String,
    /// RFC 3461 ORCPT, `type;address`; empty when not given.
    pub(crate) orcpt: String,
    /// What became of it.
    pub(crate) reply: Reply,
    /// The host that said so, if one did.
    pub(crate) remote: Option<String>,
}

/// Everything that a report says.
pub(crate) struct Report<'a> {
    pub(crate) kind: Kind,
    /// Our name.
    pub(crate) hostname: &'a str,
    /// A number that no other report has.
    pub(crate) number: u64,
    /// The sender of the message.
    pub(crate) to: &'a str,
    /// RFC 3461 ENVID, empty when not given.
    pub(crate) envelope_id: &'a str,
    /// When the message came, seconds since 1970 UTC.
    pub(crate) arrived: Option<i64>,
    /// What its sender has asked for.
    pub(crate) terms: Terms,
    /// When its delivery is given up, seconds since 1970 UTC.
    pub(crate) until: Option<i64>,
    /// Now.
    pub(crate) now: i64,
    pub(crate) entries: &'a [Entry],
    /// The message, or its header only.
    pub(crate) original: Original<'a>,
}

/// What is sent back of a message.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Original<'a> {
    /// All of it (RFC 3461 RET=FULL).
    Full(&'a [u8]),
    /// Its header.
    Header(&'a [u8]),
}

impl<'a> Original<'a> {
    /// What of `message` goes back for RET `ret` (0 not given, 1 FULL, 2 HDRS): all of it only when asked for, when small, and with a failure.
    pub(crate) fn of(message: &'a [u8], ret: u8, kind: Kind) -> Original<'a> {
        if ret == 1 && kind == Kind::Failed && message.len() <= limits::DSN_MESSAGE_BYTES_MAX {
            return Original::Full(message);
        }
        Original::Header(header_of(message))
    }
}

/// The header of a message, cut at a bound: up to its first empty line.
pub(crate) fn header_of(message: &[u8]) -> &[u8] {
    let end = memchr::memmem::find(message, b"\r\n\r\n").map_or(message.len(), |at| at + 2);
    &message[..end.min(limits::SMTP_BOUNCE_HEADER_BYTES_MAX)]
}

/// A report on its way through the queue. RFC 3461 section 6.1: it has the null sender and asks for no report about itself.
pub(crate) fn queued(to: &Address) -> NewQueueItem {
    let recipients = vec![QueueRecipient { address: to.to_string(), notify: NEVER, orcpt: String::new() }];
    NewQueueItem { recipients, utf8: !to.as_str().is_ascii(), ..NewQueueItem::default() }
}

/// Where a report goes: mailboxes here, or the queue with the null sender. Neither: nobody has the address any more. What was sent as a group
/// is reported to `account`, who has sent it, or to those who may send as it: the other members have sent nothing.
pub(crate) fn place(engine: &Engine, to: &Address, account: Option<AccountId>) -> (Vec<Target>, Vec<NewQueueItem>) {
    let target = |recipient: Recipient| Target {
        account: recipient.account,
        place: if recipient.is_transfer { Place::Named(TRANSFER_FOLDER.to_owned()) } else { Place::Inbox },
        flags: Flags::NONE,
        // A notice of lost mail must not be lost for want of room.
        bound: None,
    };
    if let Some(representatives) = engine.directory(|known| known.representatives(to)) {
        let who_sent = representatives.iter().filter(|one| Some(one.account) == account).cloned().collect::<Vec<_>>();
        let told = if who_sent.is_empty() { representatives } else { who_sent };
        return (told.into_iter().map(target).collect(), Vec::new());
    }
    match engine.resolve(to) {
        Resolution::Recipients { local, .. } => (local.into_iter().map(target).collect(), Vec::new()),
        Resolution::NotLocal => (Vec::new(), vec![queued(to)]),
        Resolution::Unknown | Resolution::Disabled => (Vec::new(), Vec::new()),
    }
}
