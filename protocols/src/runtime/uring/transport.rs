//! A session's end of a connection on the ring. It holds no bytes itself; they are in the connection's slot, where the kernel may use
//! them.

use std::cell::RefCell;
use std::io;
use std::net::Shutdown;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::conn::{Conn, Ended};
use super::driver::Driver;
use super::peer::peer_state;
use super::{recv, send};
use crate::limits;
use crate::runtime::{PeerState, Transport};

/// See above.
pub(super) struct RingTransport {
    driver: Rc<RefCell<Driver>>,
    slot: usize,
}

impl RingTransport {
    pub(super) fn new(driver: Rc<RefCell<Driver>>, slot: usize) -> RingTransport {
        RingTransport { driver, slot }
    }

    pub(super) fn slot(&self) -> usize {
        self.slot
    }
}

impl Transport for RingTransport {
    fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        let driver = &mut *self.driver.borrow_mut();
        let conn = &mut driver.conns[self.slot];
        let taken = take_inbox(conn, into);
        // Armed before the end is told too: a session that reads is a session that wants more.
        recv::arm(&mut driver.ring, self.slot, conn);
        if taken > 0 {
            return Poll::Ready(Ok(taken));
        }
        match conn.ended.take() {
            Some(ended) => {
                conn.ended = Some(Ended::Closed);
                Poll::Ready(match ended {
                    Ended::Closed => Ok(0),
                    Ended::Failed(error) => Err(error),
                })
            }
            None => {
                // An idle connection holds no buffer.
                conn.inbox = Vec::new();
                remember(&mut conn.recv_waker, cx);
                Poll::Pending
            }
        }
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>) -> Poll<io::Result<()>> {
        let driver = &mut *self.driver.borrow_mut();
        let conn = &mut driver.conns[self.slot];
        if let Some(mut emptied) = conn.sent.take().transpose()? {
            emptied.clear();
            if buf.capacity() == 0 && emptied.capacity() <= limits::KEPT_CAPACITY_BYTES_MAX {
                *buf = emptied;
            }
        }
        if conn.sending.is_none() {
            if buf.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let done = send::at_once(conn, buf)?;
            if buf.is_empty() {
                return Poll::Ready(Ok(()));
            }
            send::start(&mut driver.ring, self.slot, conn, std::mem::take(buf), done);
        }
        remember(&mut conn.send_waker, cx);
        Poll::Pending
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // A direct call: it never waits, while the ring would start a worker thread for it.
        let driver = self.driver.borrow();
        Poll::Ready(driver.conns[self.slot].socket.shutdown(Shutdown::Write))
    }

    fn sent_bytes(&self) -> u64 {
        self.driver.borrow().conns[self.slot].sent_bytes
    }

    fn peer_state(&self) -> PeerState {
        peer_state(&self.driver.borrow().conns[self.slot].socket)
    }
}

impl Drop for RingTransport {
    fn drop(&mut self) {
        self.driver.borrow_mut().abandon(self.slot);
    }
}

/// Moves what was received; without a copy when the session's buffer is empty, whose room then takes what comes next.
fn take_inbox(conn: &mut Conn, into: &mut Vec<u8>) -> usize {
    let taken = conn.inbox.len();
    if into.is_empty() {
        std::mem::swap(into, &mut conn.inbox);
    } else {
        into.append(&mut conn.inbox);
    }
    taken
}

fn remember(waker: &mut Option<Waker>, cx: &Context<'_>) {
    match waker {
        Some(waker) => waker.clone_from(cx.waker()),
        None => *waker = Some(cx.waker().clone()),
    }
}
