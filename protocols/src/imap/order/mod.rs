//! The orders in which SORT and THREAD put messages (RFC 5256, RFC 5957): what of a message they go by, and the orders themselves. Waits for
//! nothing; `cmd/sort.rs` and `cmd/thread.rs` read the messages.
pub(super) mod envelope;
pub(super) mod references;
pub(super) mod sort;
pub(super) mod subject;
pub(super) mod tree;
