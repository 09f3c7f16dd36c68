//! How other threads wake a reactor that waits in its ring: an eventfd under a multishot poll. It carries no message; those are in
//! the reactor's queues.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::{AsRawFd, FromRawFd};
use std::sync::Arc;

use io_uring::opcode::PollAdd;
use io_uring::types::Fd;

use super::ring::Ring;
use super::token::{Op, Token};

/// A new eventfd.
pub(super) fn event() -> io::Result<Arc<File>> {
    // SAFETY: eventfd takes no address.
    let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: a descriptor that eventfd has just made, owned by nobody else.
    Ok(Arc::new(unsafe { File::from_raw_fd(fd) }))
}

/// Wakes the reactor that polls `event`.
pub(super) fn signal(event: &File) {
    // Fails only when the counter is full, after 2^64 wakes.
    let _ = (&mut &*event).write(&1_u64.to_ne_bytes());
}

/// Arms the poll. Each signal completes it once more, though nobody reads the counter: a poll is woken by every write.
pub(super) fn arm(ring: &mut Ring, event: &File) {
    let poll = PollAdd::new(Fd(event.as_raw_fd()), libc::POLLIN as u32).multi(true);
    let token = Token::new(Op::Wake, 0);
    // SAFETY: the driver keeps the eventfd open as long as the ring.
    unsafe { ring.push(poll.build().user_data(token.to_user_data())) };
}
