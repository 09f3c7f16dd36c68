//! Answers how simulated bytes flow: two bounded pipes make one connection. Nothing is lost or reordered, as TCP promises.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, Waker, ready};

use super::Client;
use crate::runtime::{PeerState, Transport};

/// Bytes a pipe takes before its writer must wait, like a socket's buffer.
const WINDOW_BYTES: usize = 64 * 1024;

/// One direction of a connection.
#[derive(Default)]
pub(super) struct Pipe {
    bytes: VecDeque<u8>,
    /// The writer is done.
    ended: bool,
    /// The reader is gone: more writes fail.
    broken: bool,
    /// The reader takes nothing and leaves no room.
    pub(super) stalled: bool,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

pub(super) type SharedPipe = Rc<RefCell<Pipe>>;

impl Pipe {
    pub(super) fn poll_write(&mut self, cx: &Context<'_>, from: &[u8]) -> Poll<io::Result<usize>> {
        if self.broken || self.ended {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        let room = WINDOW_BYTES.saturating_sub(self.bytes.len());
        if self.stalled || room == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = from.len().min(room);
        self.bytes.extend(&from[..taken]);
        wake(&mut self.reader);
        Poll::Ready(Ok(taken))
    }

    pub(super) fn poll_read(
        &mut self,
        cx: &Context<'_>,
        into: &mut Vec<u8>,
        at_most: usize,
    ) -> Poll<io::Result<usize>> {
        let taken = self.bytes.len().min(at_most);
        if taken > 0 {
            // By slices: a drain of bytes goes one by one.
            let (first, second) = self.bytes.as_slices();
            let head = first.len().min(taken);
            into.extend_from_slice(&first[..head]);
            into.extend_from_slice(&second[..taken - head]);
            self.bytes.drain(..taken);
            wake(&mut self.writer);
            return Poll::Ready(Ok(taken));
        }
        if self.ended {
            return Poll::Ready(Ok(0));
        }
        self.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    pub(super) fn end(&mut self) {
        self.ended = true;
        wake(&mut self.reader);
    }

    pub(super) fn break_off(&mut self) {
        self.broken = true;
        self.bytes = VecDeque::new();
        wake(&mut self.writer);
    }

    pub(super) fn set_stalled(&mut self, stalled: bool) {
        self.stalled = stalled;
        wake(&mut self.writer);
    }
}

fn wake(waker: &mut Option<Waker>) {
    if let Some(waker) = waker.take() {
        waker.wake();
    }
}

/// Both ends of a new connection.
pub(super) fn connection(segment: usize) -> (SimTransport, Client) {
    let to_server = SharedPipe::default();
    let to_client = SharedPipe::default();
    let transport = SimTransport {
        incoming: to_server.clone(),
        outgoing: to_client.clone(),
        sending: Vec::new(),
        sent_bytes: 0,
        sent_in_vain: false,
        segment,
    };
    (transport, Client::new(to_client, to_server))
}

/// The server's end.
pub(super) struct SimTransport {
    incoming: SharedPipe,
    outgoing: SharedPipe,
    sending: Vec<u8>,
    sent_bytes: u64,
    sent_in_vain: bool,
    segment: usize,
}

impl SimTransport {
    fn poll_sending(&mut self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        while !self.sending.is_empty() {
            let written = ready!(self.outgoing.borrow_mut().poll_write(cx, &self.sending));
            self.sent_in_vain |= written.is_err();
            let taken = written?;
            self.sending.drain(..taken);
            self.sent_bytes += taken as u64;
        }
        Poll::Ready(Ok(()))
    }
}

impl Transport for SimTransport {
    fn poll_recv(&mut self, cx: &mut Context<'_>, into: &mut Vec<u8>) -> Poll<io::Result<usize>> {
        self.incoming.borrow_mut().poll_read(cx, into, self.segment)
    }

    fn poll_send(&mut self, cx: &mut Context<'_>, buf: &mut Vec<u8>) -> Poll<io::Result<()>> {
        ready!(self.poll_sending(cx))?;
        self.sending = std::mem::take(buf);
        self.poll_sending(cx)
    }

    fn poll_shutdown(&mut self, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.outgoing.borrow_mut().end();
        Poll::Ready(Ok(()))
    }

    fn sent_bytes(&self) -> u64 {
        self.sent_bytes
    }

    fn peer_state(&self) -> PeerState {
        match (self.outgoing.borrow().broken, self.incoming.borrow().ended) {
            // As with TCP, one that is gone looks at first like one that only sends nothing more.
            (true, _) if self.sent_in_vain => PeerState::Gone,
            (_, true) => PeerState::Ended,
            _ => PeerState::Here,
        }
    }
}

impl Drop for SimTransport {
    fn drop(&mut self) {
        self.outgoing.borrow_mut().end();
        self.incoming.borrow_mut().break_off();
    }
}
