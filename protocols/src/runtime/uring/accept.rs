//! Multishot accept: armed once per listener, one completion per connection. Whether a connection may stay is decided elsewhere.

use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsRawFd, FromRawFd};

use io_uring::opcode::AcceptMulti;
use io_uring::types::Fd;

use super::ring::{Completion, Ring};
use super::token::{Op, Token};

/// Arms the accept of the listener in `slot`.
pub(super) fn arm(ring: &mut Ring, slot: usize, listener: &TcpListener) {
    // Not SOCK_NONBLOCK: on such a descriptor operations of a ring fail with EAGAIN instead of waiting.
    let accept = AcceptMulti::new(Fd(listener.as_raw_fd())).flags(libc::SOCK_CLOEXEC);
    let token = Token::new(Op::Accept, slot);
    // SAFETY: the listener is open as long as the server, which outlives its reactors' rings.
    unsafe { ring.push(accept.build().user_data(token.to_user_data())) };
}

/// The connection that an accept's completion brought, or its errno.
pub(super) fn accepted(completion: &Completion) -> Result<TcpStream, i32> {
    if completion.result < 0 {
        return Err(-completion.result);
    }
    // SAFETY: a completion of an accept hands over a new descriptor, exactly once.
    Ok(unsafe { TcpStream::from_raw_fd(completion.result) })
}
