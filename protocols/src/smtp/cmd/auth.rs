//! AUTH (RFC 4954), by the mechanisms of `session::sasl`. Passwords reach no log.
use crate::limits;
use crate::session::sasl::Mechanism;
use crate::session::{Dialog, Place, Proof, Step, UNAVAILABLE};
use crate::smtp::driver::Input;
use crate::smtp::reply::Reply;
use crate::smtp::state::{Answer, Running, Session};
use posthouse_engine::base::Protocol;
use smtp_proto::{
    AUTH_LOGIN, AUTH_OAUTHBEARER, AUTH_PLAIN, AUTH_SCRAM_SHA_1, AUTH_SCRAM_SHA_1_PLUS, AUTH_SCRAM_SHA_256,
    AUTH_SCRAM_SHA_256_PLUS, AUTH_XOAUTH2, Request,
};

pub(in crate::smtp) fn run(session: &mut Session, request: Request<String>) -> Running<'_> {
    Box::pin(async move {
        let Request::Auth { mechanism, initial_response } = request else {
            return Ok(Answer::new(501, "5.5.4 AUTH mechanism is expected"));
        };
        let place = session.place();
        let mechanism = match session.may_begin(mechanism, &place) {
            Ok(mechanism) => mechanism,
            Err(refusal) => {
                session.note_turned_away("auth", "", &refusal);
                return Ok(refusal.into());
            }
        };
        let initial = (!initial_response.is_empty()).then_some(initial_response.as_bytes());
        let (mut dialog, mut step) = Dialog::start(&session.shared, place, mechanism, initial).await;
        loop {
            match step {
                Step::Over(proof) => return Ok(session.proven(proof, mechanism, dialog.name())),
                Step::Cancelled => return Ok(Answer::new(501, "5.7.0 AUTH cancelled")),
                Step::Malformed => return Ok(Answer::new(501, "5.5.2 Base64 of the mechanism's form is expected")),
                Step::Refused => {
                    let refusal = Reply::new(535, "5.7.8 Nobody may act for somebody else");
                    session.note_turned_away("auth", dialog.name(), &refusal);
                    return Ok(refusal.into());
                }
                Step::Challenge(challenge) => {
                    session.say(&Reply::new(334, challenge));
                    step = match session.next_line().await? {
                        Input::Line(line) => dialog.line(&line).await,
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

/// How smtp-proto gives the mechanisms that we know.
const NAMES: [(u64, &str); 8] = [
    (AUTH_SCRAM_SHA_256_PLUS, "SCRAM-SHA-256-PLUS"),
    (AUTH_SCRAM_SHA_256, "SCRAM-SHA-256"),
    (AUTH_SCRAM_SHA_1_PLUS, "SCRAM-SHA-1-PLUS"),
    (AUTH_SCRAM_SHA_1, "SCRAM-SHA-1"),
    (AUTH_OAUTHBEARER, "OAUTHBEARER"),
    (AUTH_XOAUTH2, "XOAUTH2"),
    (AUTH_PLAIN, "PLAIN"),
    (AUTH_LOGIN, "LOGIN"),
];

impl Session {
    /// Where a login on this connection comes from.
    pub(in crate::smtp) fn place(&self) -> Place {
        self.shared.place(Protocol::Submission, &self.stream)
    }

    fn may_begin(&self, mechanism: u64, place: &Place) -> Result<Mechanism, Reply> {
        if self.login.is_some() {
            return Err(Reply::new(503, "5.5.1 You are logged in already"));
        }
        if self.transaction.is_some() {
            return Err(Reply::new(503, "5.5.1 Not while a message is under way"));
        }
        if self.hello.is_none() {
            return Err(Reply::new(503, "5.5.1 EHLO first"));
        }
        let name = NAMES.iter().find(|(bit, _)| *bit == mechanism).map_or("", |(_, name)| name);
        let Some(mechanism) = self.shared.mechanism(place, name.as_bytes()) else {
            let offered = self.shared.mechanism_names(place);
            return Err(Reply::new(504, format!("5.5.4 That mechanism is not offered; {offered} are")));
        };
        if !self.may_log_in() {
            return Err(Reply::new(538, "5.7.11 Use STARTTLS first"));
        }
        Ok(mechanism)
    }

    /// What the client hears, and the mail log; `name` is whom it has named.
    fn proven(&mut self, proof: Proof, mechanism: Mechanism, name: &str) -> Answer {
        let refusal = match proof {
            Proof::Right(login) => {
                (self.login, self.mechanism) = (Some(Box::new(login)), Some(mechanism));
                self.note_login();
                return Answer::new(235, "2.7.0 Logged in");
            }
            Proof::Wrong(shown) => {
                self.failed_logins += 1;
                let wrong = Reply::new(535, format!("5.7.8 {}", shown.wrong()));
                self.note_turned_away("auth", name, &wrong);
                if self.failed_logins < limits::LOGIN_FAILURES_PER_SESSION_MAX {
                    return wrong.into();
                }
                self.say(&wrong);
                self.ended = true;
                return Answer::new(421, "4.7.0 Too many failed logins");
            }
            Proof::Refused => {
                self.ended = true;
                Reply::new(421, "4.7.0 Too many failed logins; try again later")
            }
            // RFC 4954 section 6.
            Proof::Unavailable => Reply::new(454, format!("4.7.0 {UNAVAILABLE}")),
        };
        self.note_turned_away("auth", name, &refusal);
        refusal.into()
    }
}
