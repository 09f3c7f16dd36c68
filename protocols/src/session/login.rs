//! How a client proves who it is, the same for every protocol: the wait that guessing costs, the check, the rules, the note in the login
//! log. Words no answer and opens no account.
use super::bearer::Bearer;
use super::oauth::{OAuth, Verdict};
use super::sasl::Credentials;
use super::scram::Bindings;
use super::throttle::Refusal;
use super::{Guess, Shared};
use crate::runtime::{Stream, now, sleep};
use posthouse_engine::Attempt;
use posthouse_engine::base::Protocol;
use posthouse_engine::directory::{Candidate, Denial, Proven, Scram};
use posthouse_engine::trace::{LoginRecord, LoginResult, Means};
use std::net::SocketAddr;

pub use posthouse_engine::Login;

/// Where a client wants to log in, and from where.
#[derive(Clone, Debug)]
pub struct Place {
    /// By which protocol.
    pub protocol: Protocol,
    /// From where.
    pub peer: SocketAddr,
    /// Whether under TLS.
    pub tls: bool,
    /// What binds a proof to the connection.
    pub bindings: Bindings,
}

/// What became of a proof.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Proof {
    /// Name and password are right, and the rules let the client in.
    Right(Login),
    /// Wrong name, wrong password or token, or an account that may not log in so: a client must not learn which. A session closes after
    /// [`crate::limits::LOGIN_FAILURES_PER_SESSION_MAX`] of them.
    Wrong(Shown),
    /// Too many failures from this address: nothing was checked, and the connection is to be closed.
    Refused,
    /// Nobody could say whether it is right: the client may come again later.
    Unavailable,
}

/// What a client has shown to prove who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shown {
    /// A password, or a proof of one.
    Password,
    /// A token.
    Token,
}

impl Shown {
    /// What a client hears whose proof is wrong, in every protocol.
    pub fn wrong(self) -> &'static str {
        match self {
            Shown::Password => "Wrong name or password",
            Shown::Token => "The token is not accepted",
        }
    }
}

/// What a client hears in every protocol whose token nobody could check.
pub const UNAVAILABLE: &str = "Tokens cannot be checked for the moment; try again later";

/// Why a token lets nobody in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotTaken {
    /// Too many failures from this address: nothing was checked.
    Throttled,
    /// Nobody could say.
    Unavailable,
    /// Not good, or of somebody who may not log in so.
    Token,
    /// Without the protocol's scope.
    Scope,
    /// Of another than the client names.
    Other,
}

impl Shared {
    /// The place of a login over a connection.
    pub fn place(&self, protocol: Protocol, stream: &Stream) -> Place {
        let end_point = self.tls_end_point.clone().filter(|_| stream.is_tls());
        let bindings = Bindings { end_point, exporter: stream.tls_exporter() };
        Place { protocol, peer: stream.peer(), tls: stream.is_tls(), bindings }
    }

    /// Proves a password, after the wait that earlier failures from there or for this name cost. The logs learn the name but never the
    /// password.
    pub async fn prove(&self, place: &Place, means: Means, credentials: Credentials) -> Proof {
        let Credentials { name, password } = credentials;
        let Some(guess) = self.guess(place, means, &name).await else {
            return Proof::Refused;
        };
        let (protocol, peer) = (place.protocol, place.peer.ip());
        let attempt = Attempt { name, protocol, peer, make_keys: self.scram };
        let proven = self.engine.authenticate(&attempt, &password).await;
        self.judged(guess, place, means, &attempt.name, proven)
    }

    /// Proves a SCRAM client's message in the same way; with `Right` goes the server's signature.
    pub(super) async fn prove_scram(
        &self,
        place: &Place,
        means: Means,
        name: &str,
        candidate: &Candidate,
        scram: &Scram<'_>,
    ) -> (Proof, Vec<u8>) {
        let Some(guess) = self.guess(place, means, name).await else {
            return (Proof::Refused, Vec::new());
        };
        let proven = candidate.check_scram(scram, place.protocol, place.peer.ip(), self.clock.now());
        let (proven, signature) = proven.unzip();
        (self.judged(guess, place, means, name, proven), signature.unwrap_or_default())
    }

    /// Takes a token in the same way. It is a token of who owns the address that the identity provider tells; a client that names somebody
    /// has to name that one.
    pub(super) async fn prove_token(
        &self,
        oauth: &OAuth,
        place: &Place,
        means: Means,
        shown: &Bearer,
    ) -> Result<Login, NotTaken> {
        // Who names nobody guesses at no name: its failures count for where it comes from.
        let nobody = || format!("token from {}", place.peer.ip());
        let guess = self.guess(place, means, &shown.name.clone().unwrap_or_else(nobody)).await;
        let guess = guess.ok_or(NotTaken::Throttled)?;
        let verdict = oauth.judge(&shown.token, place.protocol, self.clock.now()).await;
        let named = |address: &str| shown.name.clone().unwrap_or_else(|| address.to_owned());
        let (address, why) = match verdict {
            Verdict::Of(address) => (address, None),
            Verdict::Invalid => (String::new(), Some((LoginResult::Token, NotTaken::Token))),
            Verdict::Scope => (String::new(), Some((LoginResult::Scope, NotTaken::Scope))),
            Verdict::Unknown => {
                guess.unanswered();
                self.note(place, means, &named(""), LoginResult::Unavailable, None);
                return Err(NotTaken::Unavailable);
            }
        };
        let name = named(&address);
        if let Some((result, why)) = why {
            self.settled(guess, place, means, &name, result, None);
            return Err(why);
        }
        let owner = self.engine.login_candidate(&address).vouched(place.protocol, place.peer.ip());
        let is_other = |owner: &Proven| shown.name.is_some() && self.engine.account_named(&name) != Some(owner.account);
        let why = match &owner {
            None => NotTaken::Token,
            Some(owner) if is_other(owner) => NotTaken::Other,
            Some(_) => {
                return match self.judged(guess, place, means, &name, owner) {
                    Proof::Right(login) => Ok(login),
                    Proof::Wrong(_) | Proof::Refused | Proof::Unavailable => Err(NotTaken::Token),
                };
            }
        };
        self.settled(guess, place, means, &name, LoginResult::Identity, None);
        Err(why)
    }

    /// Begins a guess and waits as long as it must; `None`: none is allowed.
    async fn guess(&self, place: &Place, means: Means, name: &str) -> Option<Guess<'_>> {
        let (peer, protocol) = (place.peer.ip(), place.protocol.name());
        let guess = match self.throttle.begin(peer, name, now()) {
            Ok(guess) => guess,
            Err(Refusal { first }) => {
                tracing::info!(%peer, name = %name.escape_debug(), protocol, "login refused: too many failures");
                if first {
                    self.note(place, means, name, LoginResult::Throttled, None);
                }
                return None;
            }
        };
        if !guess.wait().is_zero() {
            sleep(guess.wait()).await;
        }
        Some(guess)
    }

    /// Judges and notes an outcome.
    fn judged(&self, guess: Guess<'_>, place: &Place, means: Means, name: &str, proven: Option<Proven>) -> Proof {
        let denial = proven.as_ref().and_then(|proven| proven.denial);
        let result = match (&proven, denial) {
            (None, _) => LoginResult::Wrong,
            (Some(_), None) => LoginResult::Done,
            (Some(_), Some(Denial::Protocol)) => LoginResult::Protocol,
            (Some(_), Some(Denial::Network)) => LoginResult::Network,
            (Some(_), Some(Denial::AppPasswordNeeded)) => LoginResult::AppPasswordNeeded,
            (Some(_), Some(Denial::Expired)) => LoginResult::Expired,
        };
        self.settled(guess, place, means, name, result, proven)
    }

    /// Notes an outcome; `Done` is of who has proven it.
    fn settled(
        &self,
        guess: Guess<'_>,
        place: &Place,
        means: Means,
        name: &str,
        result: LoginResult,
        proven: Option<Proven>,
    ) -> Proof {
        let (peer, protocol) = (place.peer.ip(), place.protocol.name());
        guess.ended(now(), result == LoginResult::Done);
        self.note(place, means, name, result, proven.as_ref());
        match proven.filter(|_| result == LoginResult::Done) {
            Some(Proven { account, address, .. }) => {
                tracing::info!(%peer, %account, %address, protocol, "login");
                Proof::Right(Login { account, address })
            }
            None => {
                tracing::info!(%peer, name = %name.escape_debug(), protocol, why = result.name(), "login failed");
                Proof::Wrong(Shown::Password)
            }
        }
    }

    /// A line of the login log (H2).
    fn note(&self, place: &Place, means: Means, name: &str, result: LoginResult, proven: Option<&Proven>) {
        let known = || self.engine.account_named(name);
        self.engine.note_login(&LoginRecord {
            when_ms: self.clock.now_ms(),
            protocol: place.protocol,
            means,
            tls: place.tls,
            result,
            peer: place.peer,
            account: proven.map(|proven| proven.account).or_else(known),
            app_password: proven.and_then(|proven| proven.app_password),
            name: name.to_owned(),
        });
    }
}
