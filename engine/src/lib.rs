//! The Posthouse engine: the log is the truth, everything else is derived. No sockets, no async runtime, no protocol grammar.
pub mod base;
pub mod delivery;
pub mod directory;
pub mod disk;
mod engine;
pub mod format;
pub mod index;
pub mod log;
pub mod mailflow;
pub mod queue;
pub mod quota;
pub mod rescue;
pub mod search;
pub mod trace;

pub use engine::*;
