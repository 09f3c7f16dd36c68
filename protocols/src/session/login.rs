//! How a client proves who it is, the same for every protocol: the wait that guessing costs, the check, the note of its outcome. Words no
//! answer and opens no account.
use super::sasl::Credentials;
use super::{Shared, Verdict};
use crate::runtime::{now, sleep};
use posthouse_engine::Login;
use std::net::IpAddr;

/// What became of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Name and password are right.
    Right(Login),
    /// Wrong name, wrong password, or an account that may not log in: a client must not learn which. A session closes after
    /// [`crate::limits::LOGIN_FAILURES_PER_SESSION_MAX`] of them.
    Wrong,
    /// Too many failures from this address: nothing was checked, and the connection is to be closed.
    Refused,
}

impl Shared {
    /// Proves a password, after the wait that earlier failures from `peer` or for this name cost. `protocol` is for the log, which
    /// learns the name but never the password.
    pub async fn prove(&self, protocol: &'static str, peer: IpAddr, credentials: Credentials) -> Proof {
        let Credentials { name, password } = credentials;
        match self.throttle.before(peer, &name, now()) {
            Verdict::Refuse => {
                tracing::info!(%peer, name = %name.escape_debug(), protocol, "login refused: too many failures");
                return Proof::Refused;
            }
            Verdict::After(wait) if !wait.is_zero() => sleep(wait).await,
            Verdict::After(_) => {}
        }
        let login = self.engine.authenticate(&name, &password).await;
        self.throttle.after(peer, &name, now(), login.is_some());
        match login {
            Some(login) => {
                tracing::info!(%peer, account = %login.account, address = %login.address, protocol, "login");
                Proof::Right(login)
            }
            None => {
                tracing::info!(%peer, name = %name.escape_debug(), protocol, "login failed");
                Proof::Wrong
            }
        }
    }
}
