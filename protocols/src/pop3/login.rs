//! From credentials to an open maildrop, which PASS and AUTH share (RFC 1939 section 4). Passwords reach no log.
use super::answer::Answer;
use super::maildrop::Maildrop;
use super::state::Session;
use crate::limits;
use crate::session::sasl::Credentials;
use crate::session::{Place, Proof, Shown, UNAVAILABLE};
use posthouse_engine::Login;
use posthouse_engine::base::{MailboxId, Protocol};
use posthouse_engine::trace::Means;

/// What a client hears that may not send its password now.
pub(super) fn needs_tls() -> Answer {
    Answer::no("Use STLS first: no password is taken in the clear")
}

/// RFC 3206 section 4: the credentials are the problem.
pub(super) fn failed(shown: Shown) -> Answer {
    Answer::no(format!("[AUTH] {}", shown.wrong()))
}

impl Session {
    /// Where a login on this connection comes from.
    pub(super) fn place(&self) -> Place {
        self.shared.place(Protocol::Pop3, &self.stream)
    }

    /// Proves a password and opens the maildrop.
    pub(super) async fn prove(&mut self, credentials: Credentials) -> Answer {
        let proof = self.shared.clone().prove(&self.place(), Means::Command, credentials).await;
        self.proven(proof).await
    }

    /// Opens the maildrop of a client that has proven itself.
    pub(super) async fn proven(&mut self, proof: Proof) -> Answer {
        match proof {
            Proof::Right(login) => self.open(&login).await.unwrap_or_else(|refusal| refusal),
            Proof::Wrong(shown) => {
                self.failed_logins += 1;
                if self.failed_logins < limits::LOGIN_FAILURES_PER_SESSION_MAX {
                    return failed(shown);
                }
                self.ended = true;
                Answer::no("[AUTH] Too many failed logins; closing the connection")
            }
            Proof::Refused => {
                self.ended = true;
                Answer::no("[SYS/TEMP] Too many failed logins; try again later")
            }
            Proof::Unavailable => Answer::no(format!("[SYS/TEMP] {UNAVAILABLE}")),
        }
    }

    /// Takes the lock, then the view: whoever had the lock before has removed what it wanted to.
    async fn open(&mut self, login: &Login) -> Result<Answer, Answer> {
        let account = login.account;
        let Some(seat) = self.shared.attendance.take(account) else {
            let max = self.shared.attendance.per_account_max();
            tracing::info!(peer = %self.stream.peer(), %account, max, "login refused: the account has too many connections");
            self.ended = true;
            return Err(Answer::no(format!(
                "[SYS/TEMP] Too many connections of this account: at most {max} at a time"
            )));
        };
        if let Some(brought) = self.shared.engine.bring_account(account) {
            brought.await;
        }
        self.shared.engine.open_account(account).await?;
        let Some(lock) = self.shared.maildrops.lock(account) else {
            // RFC 2449 section 8.1.2
            return Err(Answer::no("[IN-USE] Another session has this maildrop open"));
        };
        let view = self.shared.engine.mailbox(account, MailboxId::INBOX)?;
        let maildrop = Maildrop::new(account, lock, view);
        let answer = Answer::ok(maildrop.summary());
        self.policy = self.policy.of(&self.shared.engine, account);
        self.maildrop = Some(Box::new(maildrop));
        self.seat = Some(seat);
        Ok(answer)
    }
}
