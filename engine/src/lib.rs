//! The Posthouse engine: the log is the truth, everything else is derived. No sockets, no async runtime, no protocol grammar.
pub mod base;
pub mod directory;
pub mod disk;
pub mod format;
pub mod log;
pub mod quota;
