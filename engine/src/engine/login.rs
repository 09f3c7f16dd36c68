//! Logins: proofs of passwords off the reactor threads, keys that are made of them, and the login log. Words no answer of a protocol.
use super::{Engine, Ticket};
use crate::base::{AccountId, Protocol, Result};
use crate::directory::{AccessChange, Candidate, Change, LoginKeys, Proven};
use crate::trace::{LoginFilter, LoginPage, LoginRecord};
use argon2::password_hash::rand_core::{OsRng, RngCore};
use std::net::IpAddr;

/// Who wants to log in, and how.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// The name that the client gave.
    pub name: String,
    /// By which protocol.
    pub protocol: Protocol,
    /// From where.
    pub peer: IpAddr,
    /// Whether SCRAM keys of the account's password shall be made when it is proven and has none.
    pub make_keys: bool,
}

impl Engine {
    /// Proves a password on a worker thread; takes as long for an unknown name. `None`: wrong name, wrong password or disabled. Whether the
    /// rules let the client in stands in the answer.
    pub fn authenticate(&self, attempt: &Attempt, password: &str) -> Ticket<Option<Proven>> {
        let (attempt, password, now) = (attempt.clone(), password.to_owned(), self.clock.now());
        // A secret of its own if the store has none yet: it goes into the log together with the first keys.
        let new_secret = (attempt.make_keys && !self.has_login_secret()).then(random_secret);
        let candidate = match &new_secret {
            Some(secret) => self.directory(|directory| directory.candidate(&attempt.name, secret)),
            None => self.login_candidate(&attempt.name),
        };
        let change = self.control.changer();
        let (ticket, filler) = Ticket::pending(None);
        self.workers.run_slow(move || {
            let proven = candidate.check(&password, attempt.protocol, attempt.peer, now);
            let of_hash = candidate.lacks_keys().map(str::to_owned);
            let own = proven.as_ref().filter(|proven| proven.app_password.is_none());
            let wanted = own.map(|proven| proven.address.clone()).zip(of_hash).filter(|_| attempt.make_keys);
            filler.fill(proven);
            let Some((account, of_hash)) = wanted else { return };
            if let Some(keys) = LoginKeys::make(&password, candidate.salt()) {
                let secret = new_secret.map(AccessChange::SecretMake);
                let keys = AccessChange::KeysMake { account, of_hash, keys: Box::new(keys) };
                // Nobody waits for it: what cannot be kept now is made at the next login.
                change(secret.into_iter().chain([keys]).map(Change::Access).collect());
            }
        });
        ticket
    }

    /// What a SCRAM login by `name` is checked with. Before [`Engine::make_login_secret`] its salt holds until the next start.
    pub fn login_candidate(&self, name: &str) -> Candidate {
        let mut fallback = [0; 32];
        fallback[..8].copy_from_slice(&self.guid_prefix.to_le_bytes());
        self.directory(|directory| directory.candidate(name, &fallback))
    }

    /// Whether salts of names are the same after the next start.
    pub fn has_login_secret(&self) -> bool {
        self.directory(|directory| directory.has_secret())
    }

    /// Makes the secret that salts are derived from, if there is none.
    pub fn make_login_secret(&self) -> Ticket<Vec<Result<()>>> {
        if self.has_login_secret() {
            return Ticket::ready(Vec::new());
        }
        self.change_directory(vec![Change::Access(AccessChange::SecretMake(random_secret()))])
    }

    /// The account that a name means, for the log of failed logins.
    pub fn account_named(&self, name: &str) -> Option<AccountId> {
        self.directory(|directory| directory.login(name).map(|account| account.id))
    }

    /// Notes a login or an attempt; written soon, by a worker.
    pub fn note_login(&self, record: &LoginRecord) {
        if self.logins.note(record) {
            let logins = self.logins.clone();
            self.workers.run(0, move || {
                if let Err(why) = logins.write() {
                    tracing::warn!(%why, "logins could not be noted");
                }
            });
        }
    }

    /// The login log, the newest first, older than `before`. Blocks; not for reactor threads.
    ///
    /// # Errors
    /// The disk's.
    pub fn logins(&self, filter: &LoginFilter, before: Option<u64>, rows_max: usize) -> Result<LoginPage> {
        self.logins.page(filter, before, rows_max)
    }
}

pub(super) fn random_secret() -> [u8; 32] {
    let mut secret = [0; 32];
    OsRng.fill_bytes(&mut secret);
    secret
}
