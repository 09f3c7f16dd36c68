//! Opens a connection: one operation per connection, the address kept in the connection's slot until it is complete. Whom to reach is
//! decided elsewhere.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode::Connect;
use io_uring::types::Fd;
use socket2::SockAddr;

use super::conn::Conn;
use super::ring::{Completion, Ring};
use super::token::{Op, Token};

/// Begins to connect the socket in `slot` to `to`.
pub(super) fn start(ring: &mut Ring, slot: usize, conn: &mut Conn, to: SockAddr) {
    assert!(conn.connecting.is_none());
    let to = conn.connecting.insert(Box::new(to));
    let connect = Connect::new(Fd(conn.socket.as_raw_fd()), to.as_ptr().cast(), to.len());
    let token = Token::new(Op::Connect, slot);
    // SAFETY: the address is on the heap, owned by the slot and not touched before the completion; the slot, and with it the
    // socket, stays until then even if the task is dropped.
    unsafe { ring.push(connect.build().user_data(token.to_user_data())) };
}

/// Notes the outcome and tells who waits.
pub(super) fn complete(conn: &mut Conn, completion: &Completion) {
    conn.connecting = None;
    conn.connected = Some(match completion.result {
        n if n < 0 => Err(io::Error::from_raw_os_error(-n)),
        _ => Ok(()),
    });
    if let Some(waker) = conn.send_waker.take() {
        waker.wake();
    }
}
