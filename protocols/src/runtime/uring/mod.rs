//! The io_uring reactor: one ring per thread, multishot accept and receive with provided buffers, owned sends. Everything `unsafe` of the
//! crate is in this folder, at the few places where the kernel is handed an address or hands us a descriptor. It never knows a
//! protocol.
//!
//! The one rule of memory: what the kernel may still read or write lives in the [`driver::Driver`], not in a session, and leaves it only
//! with the last completion of its operation. A session that is dropped in the middle of an operation only marks its
//! connection as orphaned; the descriptor closes when the kernel has given everything back.

mod accept;
mod buffers;
mod cancel;
mod conn;
mod connect;
#[cfg(test)]
mod costs;
mod driver;
#[cfg(test)]
mod lifecycle;
mod outside;
mod peer;
mod reactor;
mod recv;
mod ring;
mod send;
mod token;
mod transport;
mod trial;
mod wake;

pub(super) use peer::peer_state;
pub(super) use reactor::run;
pub(super) use trial::{Trial, attempt};
