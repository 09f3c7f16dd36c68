//! AUTH (RFC 4954): PLAIN and LOGIN. Passwords reach no log.
use crate::limits;
use crate::session::Proof;
use crate::session::sasl::{Credentials, Exchange, Mechanism, Step};
use crate::smtp::driver::Input;
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Running, Session};
use smtp_proto::{AUTH_LOGIN, AUTH_PLAIN, Request};
use std::io;

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Auth { mechanism, initial_response } = request else {
            return Ok(Answer::new(501, "5.5.4 AUTH mechanism is expected"));
        };
        let mechanism = match session.may_begin(mechanism) {
            Ok(mechanism) => mechanism,
            Err(refusal) => return Ok(refusal.into()),
        };
        let initial = (!initial_response.is_empty()).then_some(initial_response.as_bytes());
        let (mut exchange, mut step) = Exchange::start(mechanism, initial);
        loop {
            match step {
                Step::Done(credentials) => return session.prove(credentials).await,
                Step::Cancelled => return Ok(Answer::new(501, "5.7.0 AUTH cancelled")),
                Step::Malformed => return Ok(Answer::new(501, "5.5.2 Base64 of the mechanism's form is expected")),
                Step::Refused => return Ok(Answer::new(535, "5.7.8 Nobody may act for somebody else")),
                Step::Challenge(challenge) => {
                    session.say(&Reply::new(334, challenge));
                    step = match session.next_line().await? {
                        Input::Line(line) => exchange.line(&line),
                        Input::TooLong => return Ok(Answer::new(500, "5.5.6 The answer is too long")),
                        Input::Over(over) => {
                            session.goodbye(over);
                            return Ok(Answer::Written);
                        }
                    };
                }
            }
        }
    })
}

impl Session {
    fn may_begin(&self, mechanism: u64) -> Result<Mechanism, Reply> {
        if self.login.is_some() {
            return Err(Reply::new(503, "5.5.1 You are logged in already"));
        }
        if self.transaction.is_some() {
            return Err(Reply::new(503, "5.5.1 Not while a message is under way"));
        }
        if self.hello.is_none() {
            return Err(Reply::new(503, "5.5.1 EHLO first"));
        }
        let mechanism = match mechanism {
            AUTH_PLAIN => Mechanism::Plain,
            AUTH_LOGIN => Mechanism::Login,
            _ => return Err(Reply::new(504, format!("5.5.4 That mechanism is not offered; {} are", Mechanism::NAMES))),
        };
        if !self.may_log_in() {
            return Err(Reply::new(538, "5.7.11 Use STARTTLS first"));
        }
        Ok(mechanism)
    }

    async fn prove(&mut self, credentials: Credentials) -> io::Result<Answer> {
        let shared = self.shared.clone();
        Ok(match shared.prove(self.role.name(), self.stream.peer().ip(), credentials).await {
            Proof::Right(login) => {
                self.login = Some(Box::new(login));
                Answer::new(235, "2.7.0 Logged in")
            }
            Proof::Wrong => {
                self.failed_logins += 1;
                let wrong = Reply::new(535, "5.7.8 Wrong name or password");
                if self.failed_logins < limits::LOGIN_FAILURES_PER_SESSION_MAX {
                    return Ok(wrong.into());
                }
                self.say(&wrong);
                self.ended = true;
                Answer::new(421, "4.7.0 Too many failed logins")
            }
            Proof::Refused => {
                self.ended = true;
                Answer::new(421, "4.7.0 Too many failed logins; try again later")
            }
        })
    }
}
