//! The test's end of a simulated connection: writes, reads, stalls, closes. It never interprets what it reads.

use std::future::poll_fn;

use super::pipe::SharedPipe;

/// A simulated client.
pub struct Client {
    incoming: SharedPipe,
    outgoing: SharedPipe,
    /// Read from the pipe, not yet given to the test.
    read: Vec<u8>,
}

impl Client {
    pub(super) fn new(incoming: SharedPipe, outgoing: SharedPipe) -> Client {
        Client { incoming, outgoing, read: Vec::new() }
    }

    /// Sends all of `bytes`; waits while the server does not read. False = the server has closed.
    pub async fn write(&mut self, mut bytes: &[u8]) -> bool {
        while !bytes.is_empty() {
            let outgoing = &self.outgoing;
            let taken = poll_fn(|cx| outgoing.borrow_mut().poll_write(cx, bytes)).await;
            match taken {
                Ok(taken) => bytes = &bytes[taken..],
                Err(_) => return false,
            }
        }
        true
    }

    /// Waits for bytes and returns what is there; empty = the server closed.
    pub async fn read(&mut self) -> Vec<u8> {
        if self.read.is_empty() {
            self.fill().await;
        }
        std::mem::take(&mut self.read)
    }

    /// Reads up to and with the next LF; less only when the server closes before.
    pub async fn read_line(&mut self) -> Vec<u8> {
        self.read_until(b"\n").await
    }

    /// Reads up to and with `end`; less only when the server closes before.
    pub async fn read_until(&mut self, end: &[u8]) -> Vec<u8> {
        let mut searched = 0;
        loop {
            let found = self.read[searched..].windows(end.len()).position(|at| at == end);
            if let Some(at) = found {
                let rest = self.read.split_off(searched + at + end.len());
                return std::mem::replace(&mut self.read, rest);
            }
            searched = (self.read.len() + 1).saturating_sub(end.len());
            if self.fill().await == 0 {
                return std::mem::take(&mut self.read);
            }
        }
    }

    /// Reads until the server closes.
    pub async fn read_to_end(&mut self) -> Vec<u8> {
        while self.fill().await > 0 {}
        std::mem::take(&mut self.read)
    }

    /// Sends nothing more, but goes on reading: a half-close.
    pub fn shutdown(&mut self) {
        self.outgoing.borrow_mut().end();
    }

    /// Stops taking bytes, as a client does that no longer reads; `false` takes them again.
    pub fn stall(&mut self, stalled: bool) {
        self.incoming.borrow_mut().set_stalled(stalled);
    }

    /// Goes away, as by [`drop`].
    pub fn close(self) {}

    async fn fill(&mut self) -> usize {
        let (incoming, read) = (&self.incoming, &mut self.read);
        let got = poll_fn(|cx| incoming.borrow_mut().poll_read(cx, read, usize::MAX)).await;
        got.unwrap_or(0)
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.outgoing.borrow_mut().end();
        self.incoming.borrow_mut().break_off();
    }
}
