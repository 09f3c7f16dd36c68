//! Owned sends: the bytes belong to the connection's slot from the submission to the last completion; what the kernel took only in part is
//! submitted again.

use std::io;
use std::os::fd::AsRawFd;

use io_uring::opcode::Send;
use io_uring::types::Fd;
use socket2::SockRef;

use super::conn::{Conn, Sending};
use super::ring::{Completion, Ring};
use super::token::{Op, Token};
use crate::limits;

/// Sends what the socket takes at once, by a plain call: a reply nearly always fits, and then neither the ring nor the session has to come
/// round again for it. `bytes` are empty if that was all; else `start` must follow with what `done` leaves of them.
///
/// # Errors
/// The connection's.
pub(super) fn at_once(conn: &mut Conn, bytes: &mut Vec<u8>) -> io::Result<usize> {
    assert!(conn.sending.is_none() && !bytes.is_empty());
    let first = &bytes[..bytes.len().min(limits::SEND_SIZE_BYTES_MAX)];
    let flags = libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT;
    let done = match SockRef::from(&conn.socket).send_with_flags(first, flags) {
        Ok(done) => done,
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => 0,
        Err(error) => return Err(error),
    };
    conn.sent_bytes += done as u64;
    if done == bytes.len() {
        bytes.clear();
    }
    Ok(done)
}

/// Begins to send `bytes` but the first `done` on the connection in `slot`, which has no other send under way.
pub(super) fn start(ring: &mut Ring, slot: usize, conn: &mut Conn, bytes: Vec<u8>, done: usize) {
    assert!(conn.sending.is_none() && done < bytes.len());
    let sending = conn.sending.insert(Sending { bytes, done });
    submit(ring, slot, conn.socket.as_raw_fd(), sending);
}

fn submit(ring: &mut Ring, slot: usize, fd: i32, sending: &Sending) {
    let rest = &sending.bytes[sending.done..];
    let len = rest.len().min(limits::SEND_SIZE_BYTES_MAX);
    let send = Send::new(Fd(fd), rest.as_ptr(), len as u32).flags(libc::MSG_NOSIGNAL);
    let token = Token::new(Op::Send, slot);
    // SAFETY: the bytes are on the heap, owned by the slot and not touched before the completion; the slot, and with it the
    // socket, stays until then even if the session is dropped.
    unsafe { ring.push(send.build().user_data(token.to_user_data())) };
}

/// Goes on with the rest, or ends the send and tells who waits.
pub(super) fn complete(ring: &mut Ring, slot: usize, conn: &mut Conn, completion: &Completion) {
    let Some(sending) = &mut conn.sending else {
        return;
    };
    let outcome = match completion.result {
        n if n > 0 => {
            sending.done += n.unsigned_abs() as usize;
            conn.sent_bytes += u64::from(n.unsigned_abs());
            if sending.done < sending.bytes.len() && !conn.orphaned {
                submit(ring, slot, conn.socket.as_raw_fd(), sending);
                return;
            }
            Ok(())
        }
        0 => Err(io::ErrorKind::WriteZero.into()),
        n if (n == -libc::EINTR || n == -libc::EAGAIN) && !conn.orphaned => {
            submit(ring, slot, conn.socket.as_raw_fd(), sending);
            return;
        }
        n => Err(io::Error::from_raw_os_error(-n)),
    };
    let bytes = conn.sending.take().map(|sending| sending.bytes);
    conn.sent = Some(outcome.map(|()| bytes.unwrap_or_default()));
    if let Some(waker) = conn.send_waker.take() {
        waker.wake();
    }
}
