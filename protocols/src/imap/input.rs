//! Reads one command after the other within limits of size and time (RFC 3501 sections 2.2.1 and 5.4). Knows what a command is made
//! of, not what it means.
use super::answer::Answer;
use super::out::human_bytes;
use super::scan::{Literal, Scan, Scanner, announced};
use super::state::Session;
use super::{append, parse};
use crate::limits;
use crate::runtime::now;
use crate::session;
use std::io;
use std::time::Instant;

/// More than the announcement of a literal takes, with the line's end.
const ANNOUNCEMENT_BYTES_MAX: usize = 64;

/// What a client has sent.
#[derive(Debug)]
pub(super) enum Input {
    /// A complete command: that many bytes of `stream.buffered()`.
    Command(usize),
    /// A complete APPEND but for its message, whose literal is announced at the end of that many bytes of `stream.buffered()`.
    Append {
        /// Bytes up to the literal.
        end: usize,
        literal: Literal,
    },
    /// A command that is too long. It has been passed over; its tag, if it has one.
    TooLong(Option<String>),
    /// The session is over.
    Over(Over),
}

/// Why a session is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Over {
    /// The client has closed its side.
    Closed,
    /// Nothing came for too long.
    TimedOut,
    /// The server is going down.
    Stopping,
    /// What is to be passed over is too much.
    TooMuch,
}

impl From<session::Over> for Over {
    fn from(over: session::Over) -> Over {
        match over {
            session::Over::Closed => Over::Closed,
            session::Over::TimedOut => Over::TimedOut,
            session::Over::Stopping => Over::Stopping,
        }
    }
}

impl Session {
    /// The time until which the next command must have come.
    pub(super) fn input_deadline(&self) -> Instant {
        if self.login.is_some() { now() + limits::IMAP_IDLE_MAX } else { self.login_deadline }
    }

    /// Whether the client has not logged in in time. One whose commands are there already is never waited for.
    fn is_late(&self) -> bool {
        self.login.is_none() && now() >= self.login_deadline
    }

    /// Waits for the next command.
    pub(super) async fn next_input(&mut self) -> io::Result<Input> {
        self.stream.set_deadline(self.login.is_none().then_some(self.login_deadline));
        if self.is_late() {
            return Ok(Input::Over(Over::TimedOut));
        }
        let (line_max, literals_max) = self.command_bytes_max();
        let deadline = self.input_deadline();
        let mut scanner = Scanner::default();
        loop {
            match scanner.scan(self.stream.buffered(), line_max) {
                Scan::Complete(end) => return Ok(Input::Command(end)),
                Scan::TooLong => return Box::pin(self.pass_over(scanner.line(), deadline)).await,
                Scan::Literal { end, literal } => {
                    if self.is_append(end) {
                        return Ok(Input::Append { end, literal });
                    }
                    let Literal { size, synchronizing, .. } = literal;
                    if scanner.literal_bytes() + size as usize > literals_max {
                        return Ok(self.refuse_literal(end, synchronizing));
                    }
                    scanner.accept(size);
                    if synchronizing {
                        self.stream.output().extend_from_slice(b"+ OK\r\n");
                    }
                }
                Scan::More => {
                    // In the middle of a command nothing is told: it may mean messages by their numbers.
                    let over = match self.listens() && self.stream.buffered().is_empty() {
                        true => Box::pin(self.wait_told(deadline)).await?,
                        false => self.wait_for_bytes(deadline).await?,
                    };
                    if let Some(over) = over {
                        return Ok(Input::Over(over));
                    }
                }
            }
        }
    }

    /// What a command may have outside literals and in them.
    fn command_bytes_max(&self) -> (usize, usize) {
        match self.login {
            Some(_) => (limits::IMAP_LINE_BYTES_MAX, limits::IMAP_LITERALS_BYTES_MAX),
            None => (limits::IMAP_LOGIN_LINE_BYTES_MAX, limits::IMAP_LOGIN_LITERALS_BYTES_MAX),
        }
    }

    /// The answer to a command that is too long.
    pub(super) fn too_long(&self) -> Answer {
        let (line_max, literals_max) = self.command_bytes_max();
        let (line, literals) = (human_bytes(line_max as u64), human_bytes(literals_max as u64));
        Answer::bad(format!("[TOOBIG] The command is too long: it may have {line}, and {literals} in literals"))
    }

    fn is_append(&self, end: usize) -> bool {
        self.login.is_some() && append::is_message(&self.stream.buffered()[..end])
    }

    /// Sends what is to be sent, then waits for more; says why when nothing more comes.
    pub(super) async fn wait_for_bytes(&mut self, deadline: Instant) -> io::Result<Option<Over>> {
        Ok(session::wait_for_bytes(&mut self.stream, deadline).await?.map(Over::from))
    }

    /// A literal too large: the client of a synchronizing one has not sent it and goes on with the next command; the other one is
    /// sending it already, and RFC 7888 section 4 lets us close the connection.
    fn refuse_literal(&mut self, end: usize, synchronizing: bool) -> Input {
        let tag = tag_of(&self.stream.buffered()[..end]);
        self.stream.consume(end);
        if synchronizing { Input::TooLong(tag) } else { Input::Over(Over::TooMuch) }
    }

    /// Passes over the rest of a line that is too long and begins at byte `line` of what is buffered: before it are literals, whose content
    /// must not be taken for lines.
    async fn pass_over(&mut self, line: usize, deadline: Instant) -> io::Result<Input> {
        let tag = tag_of(self.stream.buffered());
        self.stream.consume(line);
        let (mut passed, mut tail) = (0, Vec::new());
        loop {
            let buffered = self.stream.buffered();
            let end = buffered.iter().position(|&byte| byte == b'\n');
            let len = end.map_or(buffered.len(), |end| end + 1);
            tail.extend_from_slice(&buffered[len.saturating_sub(ANNOUNCEMENT_BYTES_MAX)..len]);
            tail.drain(..tail.len().saturating_sub(ANNOUNCEMENT_BYTES_MAX));
            passed += len;
            self.stream.consume(len);
            if end.is_some() {
                // A literal that is on its way behind the line would be taken for commands.
                let follows = announced(&tail).is_some_and(|literal| !literal.synchronizing);
                return Ok(if follows { Input::Over(Over::TooMuch) } else { Input::TooLong(tag) });
            }
            if passed > limits::IMAP_SKIP_BYTES_MAX {
                return Ok(Input::Over(Over::TooMuch));
            }
            if let Some(over) = self.wait_for_bytes(deadline).await? {
                return Ok(Input::Over(over));
            }
        }
    }

    /// Reads one raw line without its line end, as SASL exchanges and IDLE have them.
    pub(super) async fn next_line(&mut self, line_max: usize) -> io::Result<Result<Vec<u8>, Over>> {
        let deadline = self.input_deadline();
        if self.is_late() {
            return Ok(Err(Over::TimedOut));
        }
        loop {
            let buffered = self.stream.buffered();
            if let Some(end) = buffered.iter().position(|&byte| byte == b'\n') {
                let line = &buffered[..end];
                let line = line.strip_suffix(b"\r").unwrap_or(line).to_vec();
                self.stream.consume(end + 1);
                return Ok(Ok(line));
            }
            if buffered.len() > line_max {
                return Ok(Err(Over::TooMuch));
            }
            if let Some(over) = self.wait_for_bytes(deadline).await? {
                return Ok(Err(over));
            }
        }
    }
}

fn tag_of(bytes: &[u8]) -> Option<String> {
    let start = &bytes[..bytes.len().min(1024)];
    match parse::head(start) {
        Ok(head) => Some(head.tag),
        Err(tag) => tag,
    }
}
