//! Floor 4: accounts, mailboxes and their entries as a pure fold over events, with immutable views for readers. No I/O but maps handed in.
mod account;
mod diff;
mod entry;
mod flags;
mod mailbox;
mod table;
mod uids;

pub use account::Account;
pub use diff::{Diff, diff};
pub use entry::Entry;
pub use flags::{FlagMode, Flags, Keywords};
pub use mailbox::{Mailbox, SpecialUse, check_mailbox_name};
pub use table::EntryTable;
pub use uids::UidSet;
