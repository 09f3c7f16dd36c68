//! The messages that APPEND and REPLACE take: flags, dates, literals and what CATENATE puts together, one after the other from the
//! connection. Stores nothing; `cmd/append.rs` and `cmd/replace.rs` do.
mod catenate;
mod reader;

pub(super) use reader::{Incoming, is_message};
