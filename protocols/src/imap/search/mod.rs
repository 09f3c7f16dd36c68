//! What SEARCH finds (RFC 3501 section 6.4.4): keys made ready for a mailbox, and asked for one message after the other: first what an
//! entry can answer, then what needs the message. Only `tell` waits, and `cmd/search.rs`.
pub(super) mod charset;
pub(super) mod eval;
pub(super) mod keys;
pub(super) mod lines;
pub(super) mod results;
pub(super) mod sources;
mod tell;
