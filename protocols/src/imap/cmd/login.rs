//! LOGIN (RFC 3501 section 6.2.3), and what a proof of a password means here, which AUTHENTICATE shares with it. Passwords reach no log.
use super::capability;
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::session::sasl::Credentials;
use crate::session::{Place, Proof, Shown, UNAVAILABLE};
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::core::AString;
use posthouse_engine::base::{AccountId, Protocol};
use posthouse_engine::trace::Means;
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let body = request.body(walk)?;
        let CommandBody::Login { username, password } = &body else {
            return Ok(request.wrong());
        };
        if !session.may_log_in() {
            return Ok(needs_tls());
        }
        let (Some(name), Some(password)) = (text(username), text(password.declassify())) else {
            return Ok(failed(Shown::Password));
        };
        drop(request);
        let place = session.place();
        let proof = session.shared.clone().prove(&place, Means::Command, Credentials { name, password }).await;
        Ok(session.proven(proof).await?)
    })
}

/// ` NAME PASSWORD`
fn walk(args: &mut Args<'_>) -> Result<(), Answer> {
    args.space()?;
    args.astring()?;
    args.space()?;
    args.astring()?;
    Ok(args.end()?)
}

fn text(string: &AString<'_>) -> Option<String> {
    let bytes: &[u8] = string.as_ref();
    String::from_utf8(bytes.to_vec()).ok()
}

/// RFC 5530: a password must not be sent in the clear.
pub(super) fn needs_tls() -> Answer {
    Answer::no("[PRIVACYREQUIRED] Use STARTTLS first")
}

fn failed(shown: Shown) -> Answer {
    Answer::no(format!("[AUTHENTICATIONFAILED] {}", shown.wrong()))
}

impl Session {
    /// Whether this client may send a password now.
    pub(in crate::imap) fn may_log_in(&self) -> bool {
        self.shared.may_authenticate(self.stream.is_tls(), self.stream.peer().ip())
    }

    /// Where a login on this connection comes from.
    pub(in crate::imap) fn place(&self) -> Place {
        self.shared.place(Protocol::Imap, &self.stream)
    }

    /// Opens the account of a client that has proven itself.
    pub(super) async fn proven(&mut self, proof: Proof) -> io::Result<Answer> {
        let shared = self.shared.clone();
        let login = match proof {
            Proof::Right(login) => login,
            Proof::Wrong(shown) => {
                self.failed_logins += 1;
                if self.failed_logins >= limits::LOGIN_FAILURES_PER_SESSION_MAX {
                    self.untagged("BYE Too many failed logins");
                    self.ended = true;
                }
                return Ok(failed(shown));
            }
            Proof::Refused => {
                self.untagged("BYE [UNAVAILABLE] Too many failed logins; try again later");
                self.ended = true;
                return Ok(failed(Shown::Password));
            }
            // RFC 5530 section 3: a temporary failure.
            Proof::Unavailable => return Ok(Answer::no(format!("[UNAVAILABLE] {UNAVAILABLE}"))),
        };
        if let Some(brought) = shared.engine.bring_account(login.account) {
            brought.await;
        }
        if let Err(error) = shared.engine.open_account(login.account).await {
            return Ok(error.into());
        }
        let Some(seat) = shared.attendance.take(login.account) else {
            let max = shared.attendance.per_account_max();
            tracing::info!(peer = %self.stream.peer(), account = %login.account, max, "login refused: the account has too many connections");
            self.untagged("BYE Too many connections of this account");
            self.ended = true;
            return Ok(Answer::no(format!("[LIMIT] Too many connections of this account: at most {max} at a time")));
        };
        self.seat = Some(seat);
        self.open_shared(login.account).await;
        self.login = Some(Box::new(login));
        Ok(Answer::ok(format!("[CAPABILITY {}] Logged in", capability::list(self))))
    }

    /// What others share with an account, as far as it can be had now.
    async fn open_shared(&self, account: AccountId) {
        if let Err(error) = self.shared.engine.finish_moves(account).await {
            // It goes on with the next login, or the next start of the server.
            tracing::warn!(%error, account = %account, "a move from another account could not be ended yet");
        }
        for sharer in self.shared.engine.directory(|directory| directory.sharers(account)) {
            if !sharer.is_business {
                continue;
            }
            // Nobody else may ever log in to it.
            let opened = match self.shared.engine.open_account(sharer.account).await {
                Ok(_) => self.shared.engine.finish_moves(sharer.account).await,
                Err(error) => Err(error),
            };
            if let Err(error) = opened {
                tracing::warn!(%error, account = %sharer.address, "a business mailbox could not be made ready");
            }
        }
    }
}
