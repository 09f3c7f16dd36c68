//! AUTH (RFC 5034) with an initial response: PLAIN and LOGIN. Passwords reach no log.
use crate::pop3::answer::Answer;
use crate::pop3::driver::Input;
use crate::pop3::login::needs_tls;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use crate::session::sasl::{Exchange, Mechanism, Step};
use std::io;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut words = request.words();
        let (mechanism, initial) = match (words.next(), words.next(), words.next()) {
            (Some(mechanism), initial, None) => (Mechanism::parse(mechanism), initial),
            (None, ..) => return Ok(session.mechanisms()),
            _ => return Ok(Answer::bad("A mechanism and at most one response are expected")),
        };
        let Some(mechanism) = mechanism else {
            return Ok(Answer::no("That mechanism is not offered"));
        };
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        let (exchange, step) = Exchange::start(mechanism, initial);
        session.exchange(exchange, step).await
    })
}

impl Session {
    /// AUTH alone is older than CAPA: some clients still ask so what is offered.
    fn mechanisms(&mut self) -> Answer {
        self.say("+OK Mechanisms follow");
        if self.may_log_in() {
            Mechanism::NAMES.split(' ').for_each(|name| self.say(name));
        }
        self.say(".");
        Answer::Written
    }

    async fn exchange(&mut self, mut exchange: Exchange, mut step: Step) -> io::Result<Answer> {
        loop {
            match step {
                Step::Done(credentials) => return Ok(self.prove(credentials).await),
                Step::Cancelled => return Ok(Answer::no("AUTH cancelled")),
                Step::Malformed => return Ok(Answer::bad("Base64 of the mechanism's form is expected")),
                Step::Refused => return Ok(Answer::no("[AUTH] Nobody may act for somebody else")),
                Step::Challenge(challenge) => {
                    self.say(&format!("+ {challenge}"));
                    step = match self.next_line().await? {
                        Input::Line(line) => exchange.line(&line),
                        Input::TooLong => return Ok(Answer::bad("The line is too long")),
                        other => return Ok(self.goodbye(&other)),
                    };
                }
            }
        }
    }
}
