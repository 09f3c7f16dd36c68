//! The life of one connection: greeting, commands one after the other, replies, the goodbye. Knows no command.
use super::cmd::xclient;
use super::literal;
use super::reply::Reply;
use super::role::Role;
use super::sizes;
use super::state::{Answer, Session};
use super::table;
use crate::runtime::{Stream, now};
use crate::session::{Over, Shared, Turn, wait_for_bytes};
use crate::wire::{Line, LineReader};
use crate::{limits, orcpt};
use smtp_proto::{Error, Request};
use std::io;
use std::sync::Arc;
use std::time::Instant;

/// Serves one connection to its end.
pub(super) async fn run(shared: Arc<Shared>, role: Role, stream: Stream) {
    let connection = shared.next_id();
    let mut session = Session {
        shared,
        stream,
        role,
        connection,
        hello: None,
        said_helo: None,
        listing: None,
        may_introduce: false,
        login: None,
        mechanism: None,
        transaction: None,
        failed_logins: 0,
        errors: 0,
        ended: false,
    };
    session.may_introduce = session.is_trusted_front();
    session.say(&session.greeting());
    let ended = session.serve().await;
    session.note_lost();
    match ended {
        Ok(()) => session.stream.close().await,
        Err(error) => tracing::debug!(peer = %session.stream.peer(), %error, protocol = role.name(), "connection lost"),
    }
}

/// When a client is given up that has not ended its line by then.
fn line_deadline() -> Instant {
    now() + limits::SMTP_IDLE_MAX
}

/// When a client is given up that is sending a message: it may not be silent for long, and never go on beyond `end`.
pub(super) fn data_deadline(end: Instant) -> Instant {
    (now() + limits::SMTP_IDLE_MAX).min(end)
}

/// The time by which a message, or a chunk of it, that begins now must have come whole.
pub(super) fn message_end() -> Instant {
    now() + limits::SMTP_MESSAGE_MAX
}

/// What a client has sent.
pub(super) enum Input {
    /// A line without its CRLF.
    Line(Vec<u8>),
    /// A line over the limit; it has been passed over.
    TooLong,
    /// The session is over.
    Over(Over),
}

impl Session {
    pub(super) fn greeting(&self) -> Reply {
        Reply::new(220, format!("{} {} Posthouse", self.shared.hostname, self.role.protocol()))
    }

    async fn serve(&mut self) -> io::Result<()> {
        let mut turn = Turn::default();
        while !self.ended {
            let answer = match self.next_line().await? {
                Input::Line(line) => self.command(line).await?,
                Input::TooLong => Answer::new(500, "5.5.2 The line is too long"),
                Input::Over(over) => {
                    self.goodbye(over);
                    return Ok(());
                }
            };
            if let Answer::Reply(reply) = answer {
                self.say(&reply);
            }
            if self.errors >= limits::SMTP_ERRORS_MAX && !self.ended {
                let goodbye = Reply::new(421, "4.7.0 Too many errors; closing the connection");
                self.note_turned_away("errors", "", &goodbye);
                self.say(&goodbye);
                self.ended = true;
            }
            turn.after_command(&mut self.stream).await?;
        }
        Ok(())
    }

    /// Says why the session is over, if there is anybody to hear it (RFC 5321 section 3.8).
    pub(super) fn goodbye(&mut self, over: Over) {
        self.ended = true;
        let host = &self.shared.hostname;
        let reply = match over {
            Over::Closed => return,
            Over::TimedOut => Reply::new(421, format!("4.4.2 {host} closes the connection: nothing came for too long")),
            Over::Stopping => Reply::new(421, format!("4.3.2 {host} is shutting down; try again")),
        };
        self.say(&reply);
    }

    /// Waits for the next line; replies gather while a client's pipelined commands are there (RFC 2920).
    pub(super) async fn next_line(&mut self) -> io::Result<Input> {
        let mut reader = LineReader::new(limits::SMTP_LINE_BYTES_MAX);
        let deadline = line_deadline();
        loop {
            match reader.take(&mut self.stream) {
                Some(Line::Text(line)) => return Ok(Input::Line(line)),
                Some(_) => return Ok(Input::TooLong),
                None => {}
            }
            let chunks = self.transaction.as_mut().and_then(|transaction| transaction.chunks.as_mut());
            let over = match chunks {
                // Boxed: a session that waits without a message is smaller for it.
                Some(chunks) => Box::pin(chunks.wait(&mut self.stream, deadline)).await?,
                None => wait_for_bytes(&mut self.stream, deadline).await?,
            };
            if let Some(over) = over {
                return Ok(Input::Over(over));
            }
        }
    }

    async fn command(&mut self, mut line: Vec<u8>) -> io::Result<Answer> {
        if let Err(refusal) = check_characters(&line) {
            self.end_with_chunk(&line);
            return Ok(refusal.into());
        }
        if let Some(refusal) = self.check_sizes(&line) {
            self.note_not_understood(&line, &refusal);
            return Ok(refusal.into());
        }
        if let Some(arguments) = xclient::arguments(&line) {
            // Another grammar than that of smtp-proto.
            return Ok(self.xclient(arguments));
        }
        let orcpt = match orcpt::take(&mut line) {
            Ok(orcpt) => orcpt,
            Err(orcpt::Wrong) => return Ok(Answer::new(501, "5.5.4 The value of ORCPT is not allowed")),
        };
        let literal = literal::take(&mut line);
        line.extend_from_slice(b"\r\n");
        let mut request = match Request::parse(&mut line.iter()) {
            Ok(request) => request.into_owned(),
            Err(error) => {
                self.end_with_chunk(&line);
                let refusal = self.not_understood(&line, error);
                self.note_not_understood(&line, &refusal);
                return Ok(refusal.into());
            }
        };
        match &mut request {
            Request::Rcpt { to } => {
                to.orcpt = orcpt;
                literal::put_back(literal, &mut to.address);
            }
            Request::Mail { from }
                if from.address.is_empty() && !sizes::has_null_path(&String::from_utf8_lossy(&line)) =>
            {
                // smtp-proto gives this for <postmaster>, which is nobody's reverse-path (RFC 5321 section 4.1.2).
                let refusal = self.not_understood(&line, Error::InvalidSenderAddress);
                self.note_not_understood(&line, &refusal);
                return Ok(refusal.into());
            }
            Request::Mail { from } => literal::put_back(literal, &mut from.address),
            _ => {}
        }
        match table::find(request.name(), self.role) {
            Some(command) => (command.run)(self, request).await,
            None => Ok(unknown().into()),
        }
    }

    /// Behind a BDAT that is not obeyed comes its chunk, which must not be taken for commands.
    fn end_with_chunk(&mut self, line: &[u8]) {
        self.ended |= sizes::is_command(&String::from_utf8_lossy(line), "BDAT");
    }

    fn check_sizes(&mut self, line: &[u8]) -> Option<Reply> {
        let line = String::from_utf8_lossy(line);
        if sizes::is_endless_chunk(&line) {
            self.ended = true;
            return Some(endless_chunk());
        }
        if sizes::is_null_recipient(&line) {
            return Some(Reply::new(501, "5.1.3 <> is nobody's address (RFC 5321 section 3.3)"));
        }
        sizes::check(&line, self.shared.message_size_bytes_max).err()
    }

    fn not_understood(&mut self, line: &[u8], error: Error) -> Reply {
        match error {
            Error::SyntaxError { .. } if self.ended => endless_chunk(),
            Error::SyntaxError { syntax } => Reply::new(501, format!("5.5.4 Wrong arguments; {syntax} is expected")),
            Error::InvalidSenderAddress => {
                Reply::new(501, "5.1.7 That is no address; MAIL FROM:<name@domain> is expected")
            }
            Error::InvalidRecipientAddress => {
                Reply::new(501, "5.1.3 That is no address; RCPT TO:<name@domain> is expected")
            }
            Error::InvalidParameter { param } => Reply::new(501, format!("5.5.4 The value of {param} is not allowed")),
            Error::UnsupportedParameter { .. } => Reply::new(555, "5.5.4 That parameter is not known here"),
            _ => {
                // A browser or another protocol that was led here speaks on and on: each line would be an error.
                if [&b"GET "[..], b"POST ", b"PUT ", b"CONNECT "].iter().any(|verb| line.starts_with(verb)) {
                    self.ended = true;
                    return Reply::new(421, "4.7.0 This is no web server");
                }
                unknown()
            }
        }
    }
}

fn endless_chunk() -> Reply {
    Reply::new(501, "5.5.4 BDAT size [LAST] is expected; closing the connection")
}

fn unknown() -> Reply {
    Reply::new(500, "5.5.1 Unknown command")
}

/// What no command may hold: control characters (a CR or LF alone among them, RFC 5321 section 2.3.8) and bytes that are no UTF-8 (RFC 6531).
fn check_characters(line: &[u8]) -> Result<(), Reply> {
    if line.iter().any(|byte| (*byte < b' ' && *byte != b'\t') || *byte == 0x7f) {
        return Err(Reply::new(500, "5.5.2 A control character is in the command"));
    }
    if std::str::from_utf8(line).is_err() {
        return Err(Reply::new(500, "5.5.2 The command is no UTF-8"));
    }
    Ok(())
}
