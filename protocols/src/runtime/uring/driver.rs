//! The reactor's ring with everything the kernel may touch: connections, buffers, listeners. It routes completions; sessions reach it
//! through their transports. It never runs session code.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};

use slab::Slab;

use super::buffers::Buffers;
use super::conn::Conn;
use super::ring::{Completion, Ring};
use super::token::{Op, Token};
use super::{accept, cancel, connect, recv, send, wake};
use crate::limits;
use crate::runtime::server::{Accepted, Shared};

/// See above. The ring is the first field: it must be dropped before the memory it may use.
pub(super) struct Driver {
    pub(super) ring: Ring,
    pub(super) buffers: Buffers,
    pub(super) conns: Slab<Conn>,
    event: Arc<File>,
    shared: Arc<Shared>,
    /// The listeners whose accept is armed.
    accepting: Vec<usize>,
    /// Listeners to arm again when the pause is over: descriptors had run out.
    paused: Option<(Instant, Vec<usize>)>,
    /// Let in and not yet handed to their reactors.
    pub(super) accepted: Vec<Accepted>,
    stopping: bool,
    completed: Vec<Completion>,
}

impl Driver {
    pub(super) fn new(shared: Arc<Shared>, event: Arc<File>) -> io::Result<Driver> {
        let mut ring = Ring::new()?;
        let buffers = Buffers::register(&ring.io.submitter())?;
        wake::arm(&mut ring, &event);
        Ok(Driver {
            ring,
            buffers,
            conns: Slab::new(),
            event,
            shared,
            accepting: Vec::new(),
            paused: None,
            accepted: Vec::new(),
            stopping: false,
            completed: Vec::new(),
        })
    }

    pub(super) fn accept_from(&mut self, listener: usize) {
        if !self.stopping {
            accept::arm(&mut self.ring, listener, &self.shared.bound[listener].socket);
            self.accepting.push(listener);
        }
    }

    pub(super) fn stop_accepting(&mut self) {
        self.stopping = true;
        self.paused = None;
        for listener in &self.accepting {
            cancel::cancel(&mut self.ring, Token::new(Op::Accept, *listener));
        }
    }

    /// Takes a connection into a slot.
    pub(super) fn adopt(&mut self, socket: TcpStream) -> usize {
        self.conns.insert(Conn::new(socket))
    }

    /// The session of `slot` is gone: end its operations, and close when the kernel has given everything back.
    pub(super) fn abandon(&mut self, slot: usize) {
        let conn = &mut self.conns[slot];
        conn.orphaned = true;
        conn.inbox = Vec::new();
        recv::pause(&mut self.ring, slot, conn);
        if conn.sending.is_some() {
            cancel::cancel(&mut self.ring, Token::new(Op::Send, slot));
        }
        if conn.connecting.is_some() {
            cancel::cancel(&mut self.ring, Token::new(Op::Connect, slot));
        }
        self.close_if_done(slot);
    }

    fn close_if_done(&mut self, slot: usize) {
        let conn = &self.conns[slot];
        if conn.orphaned && !conn.in_flight() {
            self.conns.remove(slot);
        }
    }

    /// [`Driver::wait`], then [`Driver::route_completed`].
    pub(super) fn turn(&mut self, wait: Option<Duration>) -> io::Result<()> {
        self.wait(wait)?;
        self.route_completed();
        Ok(())
    }

    /// Submits, and waits at most `wait` (`None` = as long as it takes) until something has completed.
    pub(super) fn wait(&mut self, wait: Option<Duration>) -> io::Result<()> {
        let wait = self.resume_accepting(wait);
        if wait == Some(Duration::ZERO) { self.ring.submit() } else { self.ring.wait(wait) }
    }

    /// Gives what has completed to whom it belongs to, and wakes them.
    pub(super) fn route_completed(&mut self) {
        let mut completed = std::mem::take(&mut self.completed);
        self.ring.completions(&mut completed);
        for completion in completed.drain(..) {
            self.route(&completion);
        }
        self.completed = completed;
    }

    fn route(&mut self, completion: &Completion) {
        let Some(token) = Token::from_user_data(completion.user_data) else {
            return;
        };
        match token.op {
            Op::Cancel => {}
            Op::Wake if !completion.more() => wake::arm(&mut self.ring, &self.event),
            Op::Wake => {}
            Op::Accept => self.complete_accept(token.slot, completion),
            Op::Recv => {
                let conn = &mut self.conns[token.slot];
                let buffers = &mut self.buffers;
                recv::complete(&mut self.ring, buffers, token.slot, conn, completion);
                self.close_if_done(token.slot);
            }
            Op::Send => {
                let conn = &mut self.conns[token.slot];
                send::complete(&mut self.ring, token.slot, conn, completion);
                self.close_if_done(token.slot);
            }
            Op::Connect => {
                connect::complete(&mut self.conns[token.slot], completion);
                self.close_if_done(token.slot);
            }
        }
    }

    fn complete_accept(&mut self, listener: usize, completion: &Completion) {
        if !completion.more() {
            self.accepting.retain(|accepting| *accepting != listener);
        }
        match accept::accepted(completion) {
            Ok(socket) if !self.stopping => {
                self.accepted.extend(self.shared.admit(listener, socket));
            }
            Ok(_) | Err(libc::ECANCELED) => {}
            // The client was gone before we came to it.
            Err(libc::ECONNABORTED | libc::EINTR | libc::EPROTO) => {}
            Err(errno) => {
                self.pause_accepting(listener, errno);
                return;
            }
        }
        if !completion.more() {
            self.accept_from(listener);
        }
    }

    /// Most likely no descriptor is left; trying again at once would only spin.
    fn pause_accepting(&mut self, listener: usize, errno: i32) {
        if self.stopping || self.accepting.contains(&listener) {
            return;
        }
        let error = io::Error::from_raw_os_error(errno);
        let name = &self.shared.bound[listener].listener.name;
        tracing::warn!(listener = name, %error, "accept failed");
        let until = Instant::now() + limits::ACCEPT_PAUSE;
        let paused = self.paused.get_or_insert_with(|| (until, Vec::new()));
        paused.1.push(listener);
    }

    /// Arms paused listeners whose time has come; shortens `wait` to the pause that is left.
    fn resume_accepting(&mut self, wait: Option<Duration>) -> Option<Duration> {
        let Some((until, _)) = &self.paused else {
            return wait;
        };
        let left = until.saturating_duration_since(Instant::now());
        if !left.is_zero() {
            return Some(wait.map_or(left, |wait| wait.min(left)));
        }
        for listener in self.paused.take().map(|(_, listeners)| listeners).unwrap_or_default() {
            self.accept_from(listener);
        }
        wait
    }

    /// Whether the kernel holds nothing of a connection or listener any more.
    pub(super) fn is_drained(&self) -> bool {
        self.conns.is_empty() && self.accepting.is_empty()
    }
}
