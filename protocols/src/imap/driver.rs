//! The life of one connection: greeting, commands one after the other, the tagged responses, the goodbye. Knows no command.
use super::answer::{Answer, Fail};
use super::cmd::capability;
use super::input::{Input, Over};
use super::scan::{Literal, announced};
use super::state::{Enabled, Session};
use super::table::{self, Command, Request, State};
use super::{parse, sync};
use crate::limits;
use crate::runtime::{Stream, now};
use crate::session::{Shared, Turn};
use std::io;
use std::sync::Arc;

/// Characters of the name of a command that there is not which are said back.
const NAME_SHOWN_CHARS: usize = 32;

/// Serves one connection to its end.
pub(super) async fn run(shared: Arc<Shared>, stream: Stream) {
    let mut session = Session {
        shared,
        stream,
        login: None,
        seat: None,
        selected: None,
        notify: None,
        enabled: Enabled::default(),
        login_deadline: now() + limits::IMAP_LOGIN_MAX,
        failed_logins: 0,
        bad: 0,
        hailed: false,
        ended: false,
    };
    let greeting = format!("OK [CAPABILITY {}] {} ready", capability::list(&session), session.shared.hostname);
    session.untagged(&greeting);
    drop(greeting);
    match session.serve().await {
        Ok(()) => {
            // A client that hears the end may come again at once: its place is free before that.
            session.seat = None;
            session.stream.close().await;
        }
        Err(error) => tracing::debug!(peer = %session.stream.peer(), %error, "imap connection lost"),
    }
}

impl Session {
    async fn serve(&mut self) -> io::Result<()> {
        let mut turn = Turn::default();
        while !self.ended {
            match self.next_input().await? {
                Input::Command(end) => self.command(end, None).await?,
                Input::Append { end, literal } => self.command(end, Some(literal)).await?,
                Input::TooLong(tag) => {
                    let answer = self.too_long();
                    self.tagged(tag.as_deref(), &answer);
                }
                Input::Over(over) => {
                    self.goodbye(over);
                    return Ok(());
                }
            }
            turn.after_command(&mut self.stream).await?;
        }
        Ok(())
    }

    /// Says why the session is over, if there is anybody to hear it.
    pub(super) fn goodbye(&mut self, over: Over) {
        self.ended = true;
        match over {
            Over::Closed => {}
            Over::TimedOut if self.login.is_some() => self.untagged("BYE Autologout; idle for too long"),
            Over::TimedOut => self.untagged("BYE No login in time"),
            Over::Stopping => self.untagged("BYE server shutting down"),
            Over::TooMuch => self.untagged("BYE [TOOBIG] That is more than this server reads"),
        }
    }

    /// Runs the command in the first `end` bytes of the input.
    async fn command(&mut self, end: usize, literal: Option<Literal>) -> io::Result<()> {
        let bytes = &self.stream.buffered()[..end];
        let (tag, found) = match parse::head(bytes) {
            Ok(head) => {
                let found = table::find(&head.name).ok_or_else(|| unknown(&head.name));
                let found = found.and_then(|command| self.allow(command).map(|()| command));
                let request = found.map(|command| (command, Request::new(command, &head, bytes, literal)));
                (Some(head.tag), request)
            }
            Err(None) if bytes.trim_ascii().is_empty() => (None, Err(Answer::bad("An empty line is no command"))),
            Err(tag) => (tag, Err(Answer::bad("A tag and a command are expected"))),
        };
        self.stream.consume(end);
        let (command, request) = match found {
            Ok(found) => found,
            Err(answer) => {
                self.tagged(tag.as_deref(), &answer);
                return self.refuse_message(literal).await;
            }
        };
        if self.login.is_some()
            && let Some(brought) = self.shared.engine.bring_account(self.account())
        {
            // Else the command would wait for the disk, and with it whoever else is served here.
            brought.await;
        }
        let answer = match (command.run)(self, request).await {
            Ok(answer) | Err(Fail::Answer(answer)) => answer,
            Err(Fail::Io(error)) => return Err(error),
        };
        if !matches!(answer, Answer::Bad(_)) && !self.ended {
            sync::after(self, command).await?;
        }
        self.tagged(tag.as_deref(), &answer);
        Ok(())
    }

    /// Whether a command may run in the session's state (RFC 3501 section 3).
    fn allow(&self, command: &Command) -> Result<(), Answer> {
        if self.enabled.uid_only && command.takes_numbers() {
            // RFC 9586 section 3.
            return Err(Answer::bad("[UIDREQUIRED] Message numbers cannot be used after ENABLE UIDONLY"));
        }
        match command.state {
            State::Any => Ok(()),
            State::NotAuthenticated if self.login.is_some() => Err(Answer::bad("You are logged in already")),
            State::NotAuthenticated => Ok(()),
            State::Authenticated | State::Selected if self.login.is_none() => Err(Answer::bad("Log in first")),
            State::Selected if self.selected.is_none() => Err(Answer::bad("No mailbox is selected")),
            State::Authenticated | State::Selected => Ok(()),
        }
    }

    /// The message of an APPEND that has been refused before it was read is on its way when the client does not wait for `+`.
    async fn refuse_message(&mut self, literal: Option<Literal>) -> io::Result<()> {
        Box::pin(self.skip(literal)).await
    }

    /// Passes over a literal that is on its way and the rest of its command. One that the client waits with is not on its way, nor is what
    /// would have followed it.
    pub(super) async fn skip(&mut self, mut literal: Option<Literal>) -> io::Result<()> {
        while let Some(Literal { size, synchronizing: false, .. }) = literal {
            if !self.discard(u64::from(size)).await? {
                return Ok(());
            }
            literal = match self.next_line(limits::IMAP_LINE_BYTES_MAX).await? {
                Ok(line) => announced(&line),
                Err(over) => {
                    self.goodbye(over);
                    return Ok(());
                }
            };
        }
        Ok(())
    }

    /// Throws away that many bytes; false if the session has ended meanwhile.
    async fn discard(&mut self, mut size: u64) -> io::Result<bool> {
        let deadline = self.input_deadline();
        while size > 0 {
            let len = self.stream.buffered().len();
            let used = len.min(usize::try_from(size).unwrap_or(usize::MAX));
            self.stream.consume(used);
            size -= used as u64;
            if size > 0
                && let Some(over) = self.wait_for_bytes(deadline).await?
            {
                self.goodbye(over);
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Writes the tagged line; too many BAD ones in a row end the session.
    fn tagged(&mut self, tag: Option<&str>, answer: &Answer) {
        let (word, text) = match answer {
            Answer::Ok(text) => ("OK", text),
            Answer::No(text) => ("NO", text),
            Answer::Bad(text) => ("BAD", text),
            Answer::Written => return,
        };
        self.bad = if word == "BAD" { self.bad + 1 } else { 0 };
        let out = self.stream.output();
        for (at, part) in [tag.unwrap_or("*"), word, text].into_iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            out.extend_from_slice(part.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        if self.bad >= limits::IMAP_BAD_MAX && !self.ended {
            self.untagged("BYE [CLIENTBUG] Too many bad commands");
            self.ended = true;
        }
    }
}

/// Names it, as far as it can be a name.
fn unknown(name: &str) -> Answer {
    let name: String = name.chars().filter(|c| matches!(c, ' '..='~')).take(NAME_SHOWN_CHARS).collect();
    Answer::bad(format!("There is no command {name}"))
}
