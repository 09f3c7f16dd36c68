//! The names of things: newtypes, so that a uid cannot be passed where a modseq is meant. Holds no behaviour beyond that.
use std::fmt;

macro_rules! id {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

id!(
    /// An enterprise on this system.
    TenantId(u32)
);
id!(
    /// A mail store with a quota: a member's or a business mailbox. Never reused.
    AccountId(u64)
);
id!(
    /// An IMAP folder, unique within its account. Never reused. `MailboxId::INBOX` exists in every account.
    MailboxId(u32)
);
id!(
    /// RFC 3501 section 2.3.1.1. Never zero in an entry, never reused in a mailbox.
    Uid(u32)
);
id!(
    /// RFC 7162: one counter per mailbox, never reused.
    ModSeq(u64)
);
id!(
    /// A byte position in one shard's log, counted from the log's first byte over all segments.
    Lsn(u64)
);
id!(
    /// One log and the accounts in it. `ShardId::CONTROL` is the directory's.
    ShardId(u16)
);
id!(
    /// A segment file of a shard; numbers only grow.
    SegmentId(u32)
);
id!(
    /// A message waiting for delivery to other hosts; unique over the whole system, never reused.
    QueueId(u64)
);

impl MailboxId {
    /// The mailbox every account has (RFC 3501 section 5.1).
    pub const INBOX: MailboxId = MailboxId(1);
}

impl ShardId {
    /// The shard that holds the directory and no accounts.
    pub const CONTROL: ShardId = ShardId(u16::MAX);
}

/// Names a message's immutable content; two entries with one Guid show the same bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Guid(pub [u8; 16]);

impl fmt::Display for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Guid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Where a frame stands: a segment of the account's shard and the byte offset of the frame header in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Locator {
    /// The segment file.
    pub segment: SegmentId,
    /// Bytes from the start of that file.
    pub offset: u32,
}

impl fmt::Display for Locator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.segment, self.offset)
    }
}
