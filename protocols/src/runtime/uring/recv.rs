//! Multishot receive: armed once per connection, a completion whenever bytes are there, paused when the session does not read. Bytes
//! are copied out of the provided buffer, which goes back at once.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode::RecvMulti;
use io_uring::types::Fd;

use super::buffers::{self, Buffers};
use super::cancel;
use super::conn::{Conn, Ended, Receiving};
use super::ring::{Completion, Ring};
use super::token::{Op, Token};
use crate::limits;

/// Arms the receive of the connection in `slot`, unless it is armed, at its end, or full.
pub(super) fn arm(ring: &mut Ring, slot: usize, conn: &mut Conn) {
    let room = conn.inbox.len() < limits::INBOX_SIZE_BYTES_MAX;
    if conn.receiving != Receiving::No || conn.ended.is_some() || conn.orphaned || !room {
        return;
    }
    let recv = RecvMulti::new(Fd(conn.socket.as_raw_fd()), buffers::GROUP);
    let token = Token::new(Op::Recv, slot);
    // SAFETY: the socket stays open until the connection's slot is empty, and that waits for the last completion; the buffers belong
    // to the driver, as the ring does.
    unsafe { ring.push(recv.build().user_data(token.to_user_data())) };
    conn.receiving = Receiving::Armed;
}

/// Asks for the end of the receive.
pub(super) fn pause(ring: &mut Ring, slot: usize, conn: &mut Conn) {
    if conn.receiving == Receiving::Armed {
        conn.receiving = Receiving::Ending;
        cancel::cancel(ring, Token::new(Op::Recv, slot));
    }
}

/// Takes what a completion brought and keeps the receive going as far as it should.
pub(super) fn complete(ring: &mut Ring, buffers: &mut Buffers, slot: usize, conn: &mut Conn, completion: &Completion) {
    if let Some(id) = completion.buffer() {
        let len = usize::try_from(completion.result).unwrap_or(0);
        if !conn.orphaned {
            conn.inbox.extend_from_slice(buffers.filled(id, len));
        }
        buffers.give(id);
    }
    if !completion.more() {
        conn.receiving = Receiving::No;
    }
    match completion.result {
        0 => conn.ended = Some(Ended::Closed),
        n if n > 0 => {}
        // Out of provided buffers for a moment: they are given back by now, so arming again goes on. A cancel is our own.
        n if [libc::ENOBUFS, libc::ECANCELED, libc::EINTR, libc::EAGAIN].contains(&-n) => {}
        n => conn.ended = Some(Ended::Failed(io::Error::from_raw_os_error(-n))),
    }
    if conn.inbox.len() >= limits::INBOX_SIZE_BYTES_MAX {
        pause(ring, slot, conn);
    } else {
        arm(ring, slot, conn);
    }
    if let Some(waker) = conn.recv_waker.take_if(|_| !conn.inbox.is_empty() || conn.ended.is_some()) {
        waker.wake();
    }
}
