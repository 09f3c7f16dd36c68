//! Answers whether anybody is at the other end of a socket, by a plain call that never waits: what has come in and lies unread hides the end
//! that stands behind it from every receive. Serves both runtimes.

use std::os::fd::{AsFd, AsRawFd};

use crate::runtime::PeerState;

/// What the kernel knows of the other end of a TCP connection.
pub(in crate::runtime) fn peer_state(socket: &impl AsFd) -> PeerState {
    let mut asked = libc::pollfd { fd: socket.as_fd().as_raw_fd(), events: libc::POLLRDHUP, revents: 0 };
    // SAFETY: one structure, which outlives the call; the descriptor is open as long as it is borrowed.
    let found = unsafe { libc::poll(&raw mut asked, 1, 0) };
    match asked.revents {
        // Interrupted, or no memory: nothing is known.
        _ if found < 0 => PeerState::Here,
        // Both directions are at their end, or the connection has an error that nobody has heard yet.
        events if events & (libc::POLLERR | libc::POLLHUP) != 0 => PeerState::Gone,
        events if events & libc::POLLRDHUP != 0 => PeerState::Ended,
        _ => PeerState::Here,
    }
}
