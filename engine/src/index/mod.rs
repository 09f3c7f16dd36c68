//! Floor 4: accounts, mailboxes and their entries as a pure fold over events, with immutable views for readers. No I/O but maps handed in.
mod account;
mod chunk;
mod diff;
mod entry;
mod expunged;
mod mailbox;
mod mending;
mod metadata;
pub mod mime;
mod part;
mod readers;
mod record;
mod shard;
mod slots;
mod table;
#[cfg(test)]
mod table_tests;
mod uidls;
mod vanished;

pub use crate::base::{FlagMode, Flags, Keywords, SpecialUse, UidSet};
pub use account::Account;
pub use diff::{Comparison, Diff, diff};
pub use entry::Entry;
pub use expunged::Expunged;
pub use mailbox::{Mailbox, check_mailbox_name};
pub use mending::put_account;
pub use metadata::Metadata;
pub use part::{PART_MAGIC, PART_MAGIC_BEFORE, Part, PartWriter, Parts};
pub use readers::Readers;
pub use shard::{Accounts, DEFAULT_MAILBOXES};
pub use table::{Cold, EntryTable};
pub use uidls::{Uidls, is_unique_id};
pub use vanished::Vanished;
