//! The life of one connection: greeting, commands one after the other, their answers, the goodbye. Knows no command.
use super::answer::Answer;
use super::policy::Policy;
use super::state::Session;
use super::table::{self, Command, Request, State};
use crate::limits;
use crate::runtime::{Stream, now};
use crate::session::{Over, Shared, Turn, wait_for_bytes};
use crate::wire::{Line, LineReader};
use std::io;
use std::sync::Arc;

/// Serves one connection to its end.
pub(super) async fn run(shared: Arc<Shared>, policy: Policy, stream: Stream) {
    let mut session = Session {
        shared,
        policy,
        stream,
        name: None,
        utf8: false,
        maildrop: None,
        seat: None,
        login_deadline: now() + limits::POP3_LOGIN_MAX,
        failed_logins: 0,
        bad: 0,
        ended: false,
    };
    // No `<...>` in it: that would offer APOP (RFC 1939 section 7).
    let greeting = format!("+OK {} ready", session.shared.hostname);
    session.say(&greeting);
    drop(greeting);
    match session.serve().await {
        Ok(()) => {
            // A client that hears the end may come again at once: the maildrop is free before that.
            (session.maildrop, session.seat) = (None, None);
            session.stream.close().await;
        }
        Err(error) => tracing::debug!(peer = %session.stream.peer(), %error, "pop3 connection lost"),
    }
}

/// What a client has sent.
pub(super) enum Input {
    /// A line without its line end.
    Line(Vec<u8>),
    /// A line over the limit; it has been passed over.
    TooLong,
    /// The session is over.
    Over(Over),
    /// What is to be passed over is too much.
    TooMuch,
}

impl Session {
    async fn serve(&mut self) -> io::Result<()> {
        let mut turn = Turn::default();
        while !self.ended {
            let answer = match self.next_line().await? {
                Input::Line(line) => self.command(&line).await?,
                Input::TooLong => Answer::bad("The line is too long"),
                other => self.goodbye(&other),
            };
            self.answer(answer);
            // Commands that were sent together are answered together, in bounded pieces (RFC 2449 section 6.6).
            turn.after_command(&mut self.stream).await?;
        }
        Ok(())
    }

    /// Ends the session without QUIT: nothing is removed (RFC 1939 section 6).
    pub(super) fn goodbye(&mut self, input: &Input) -> Answer {
        self.ended = true;
        match input {
            Input::Over(Over::Stopping) => Answer::no("[SYS/TEMP] server shutting down"),
            Input::TooMuch => Answer::no("The line is too long"),
            // RFC 1939 section 3: when the timer expires, no response is sent; it would be taken for that to a command under way.
            Input::Over(Over::TimedOut | Over::Closed) | Input::Line(_) | Input::TooLong => Answer::Written,
        }
    }

    /// Waits for the next line; answers gather while a client's pipelined commands are there.
    pub(super) async fn next_line(&mut self) -> io::Result<Input> {
        let deadline = self.input_deadline();
        let logs_in = self.maildrop.is_none();
        self.stream.set_deadline(logs_in.then_some(deadline));
        if logs_in && now() >= deadline {
            // A client whose commands are there already is never waited for.
            return Ok(Input::Over(Over::TimedOut));
        }
        let mut reader = LineReader::lenient(limits::POP3_LINE_BYTES_MAX);
        loop {
            match reader.take(&mut self.stream) {
                Some(Line::Text(line)) => return Ok(Input::Line(line)),
                Some(_) => return Ok(Input::TooLong),
                None if reader.passed_over() > limits::POP3_SKIP_BYTES_MAX => return Ok(Input::TooMuch),
                None => {}
            }
            if let Some(over) = wait_for_bytes(&mut self.stream, deadline).await? {
                return Ok(Input::Over(over));
            }
        }
    }

    async fn command(&mut self, line: &[u8]) -> io::Result<Answer> {
        if line.contains(&0) {
            return Ok(Answer::bad("A NUL is in the command"));
        }
        let end = line.iter().position(|byte| *byte == b' ').unwrap_or(line.len());
        let (keyword, rest) = line.split_at(end);
        let Some(command) = table::find(keyword) else {
            return Ok(Answer::bad("Unknown command"));
        };
        if let Err(refusal) = self.allow(command) {
            return Ok(refusal);
        }
        let request = Request { arguments: rest.get(1..).unwrap_or_default().to_vec() };
        if command.name != "PASS" {
            // PASS comes immediately after USER or not at all (RFC 1939 section 7).
            self.name = None;
        }
        (command.run)(self, request).await
    }

    /// Whether a command may run in the session's state (RFC 1939 section 3).
    fn allow(&self, command: &Command) -> Result<(), Answer> {
        match (command.state, &self.maildrop) {
            (State::Authorization, Some(_)) => Err(Answer::bad("You are logged in already")),
            (State::Transaction, None) => Err(Answer::bad("Log in first")),
            (State::Any, _) | (State::Authorization, None) | (State::Transaction, Some(_)) => Ok(()),
        }
    }

    /// Writes the answer; too many bad commands in a row end the session.
    fn answer(&mut self, answer: Answer) {
        let is_bad = matches!(answer, Answer::Bad(_));
        self.bad = if is_bad { self.bad + 1 } else { 0 };
        let (status, text) = match answer {
            Answer::Ok(text) => ("+OK", text),
            Answer::Bad(_) if self.bad >= limits::POP3_BAD_MAX => {
                self.ended = true;
                ("-ERR", "Too many bad commands; closing the connection".into())
            }
            Answer::No(text) | Answer::Bad(text) => ("-ERR", text),
            Answer::Written => return,
        };
        let space = if text.is_empty() { "" } else { " " };
        let out = self.stream.output();
        for part in [status, space, &text, "\r\n"] {
            out.extend_from_slice(part.as_bytes());
        }
    }
}
