//! AUTH (RFC 5034) with an initial response, by the mechanisms of `session::sasl`. Passwords reach no log.
use crate::pop3::answer::Answer;
use crate::pop3::driver::Input;
use crate::pop3::login::needs_tls;
use crate::pop3::state::{Running, Session};
use crate::pop3::table::Request;
use crate::session::{Dialog, Step};
use std::io;

pub(in crate::pop3) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut words = request.words();
        let place = session.place();
        let (mechanism, initial) = match (words.next(), words.next(), words.next()) {
            (Some(mechanism), initial, None) => (session.shared.mechanism(&place, mechanism), initial),
            (None, ..) => return Ok(session.mechanisms()),
            _ => return Ok(Answer::bad("A mechanism and at most one response are expected")),
        };
        let Some(mechanism) = mechanism else {
            return Ok(Answer::no("That mechanism is not offered"));
        };
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        let (dialog, step) = Dialog::start(&session.shared, place, mechanism, initial).await;
        session.exchange(dialog, step).await
    })
}

impl Session {
    /// AUTH alone is older than CAPA: some clients still ask so what is offered.
    fn mechanisms(&mut self) -> Answer {
        self.say("+OK Mechanisms follow");
        if self.may_log_in() {
            let shared = self.shared.clone();
            shared.mechanisms(&self.place()).for_each(|mechanism| self.say(mechanism.name()));
        }
        self.say(".");
        Answer::Written
    }

    async fn exchange(&mut self, mut dialog: Dialog, mut step: Step) -> io::Result<Answer> {
        loop {
            match step {
                Step::Over(proof) => return Ok(self.proven(proof).await),
                Step::Cancelled => return Ok(Answer::no("AUTH cancelled")),
                Step::Malformed => return Ok(Answer::bad("Base64 of the mechanism's form is expected")),
                Step::Refused => return Ok(Answer::no("[AUTH] Nobody may act for somebody else")),
                Step::Challenge(challenge) => {
                    self.say(&format!("+ {challenge}"));
                    step = match self.next_line().await? {
                        Input::Line(line) => dialog.line(&line).await,
                        Input::TooLong => return Ok(Answer::bad("The line is too long")),
                        other => return Ok(self.goodbye(&other)),
                    };
                }
            }
        }
    }
}
