//! A SASL exchange from the client's first line to the proof, the same for every protocol: which mechanisms are offered, whose turn it is,
//! and what the proof says. Sends nothing itself.
use super::bearer::{self, Bearer, Status};
use super::login::{Login, NotTaken};
use super::sasl::{self, Exchange, Mechanism};
use super::scram::{Bindings, Broken, First, Second, server_final};
use super::{Place, Proof, Shared, Shown};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::{Candidate, ScramHash};
use std::borrow::Cow;
use std::sync::Arc;

/// What comes next in an exchange.
#[derive(Debug)]
pub enum Step {
    /// Send this challenge, in base64 already; the client's next line goes to [`Dialog::line`].
    Challenge(Cow<'static, str>),
    /// The exchange is over.
    Over(Proof),
    /// The client gave up with `*`.
    Cancelled,
    /// The client's answer is no base64 or not of the mechanism's form.
    Malformed,
    /// The client asks to act for somebody else, which nobody may.
    Refused,
}

/// An exchange under way.
pub struct Dialog {
    shared: Arc<Shared>,
    place: Place,
    mechanism: Mechanism,
    state: State,
    /// Whom the client has named, as far as it has.
    name: String,
}

enum State {
    /// PLAIN or LOGIN.
    Simple(Exchange),
    /// SCRAM and tokens: the client speaks first.
    First,
    /// SCRAM: its proof is to come.
    Second(Box<(String, Candidate, Second)>),
    /// SCRAM: the server's proof is sent; the client takes note of it with an empty line, and only then is logged in.
    Noted(Box<Login>),
    /// The token was refused and the client told why; whatever it says to that, this is how it ends (RFC 7628 section 3.2.3).
    Told(Step),
    Over,
}

impl Shared {
    /// The mechanisms that a client is offered at a place, the best first.
    pub fn mechanisms(&self, place: &Place) -> impl Iterator<Item = Mechanism> {
        let (scram, bound) = (self.scram, place.bindings.is_some());
        Mechanism::all().filter(move |mechanism| match mechanism {
            Mechanism::Scram { plus, .. } => scram && (bound || !plus),
            Mechanism::Bearer { .. } => self.oauth.is_some(),
            Mechanism::Plain | Mechanism::Login => true,
        })
    }

    /// The same as a capability line lists them.
    pub fn mechanism_names(&self, place: &Place) -> String {
        self.mechanisms(place).map(Mechanism::name).collect::<Vec<_>>().join(" ")
    }

    /// The mechanism of that name, if it is offered.
    pub fn mechanism(&self, place: &Place, name: &[u8]) -> Option<Mechanism> {
        let named = Mechanism::parse(name);
        self.mechanisms(place).find(|offered| Some(*offered) == named)
    }
}

impl Dialog {
    /// Begins an exchange. `initial` is the initial response as sent: base64, or `=` for an empty one (RFC 4954 section 4).
    pub async fn start(
        shared: &Arc<Shared>,
        place: Place,
        mechanism: Mechanism,
        initial: Option<&[u8]>,
    ) -> (Dialog, Step) {
        let mut dialog = Dialog { shared: shared.clone(), place, mechanism, state: State::First, name: String::new() };
        let step = match (mechanism, initial) {
            (Mechanism::Scram { .. } | Mechanism::Bearer { .. }, None) => Step::Challenge("".into()),
            (Mechanism::Scram { .. } | Mechanism::Bearer { .. }, Some(encoded)) => dialog.line(encoded).await,
            (Mechanism::Plain | Mechanism::Login, _) => {
                let (exchange, step) = Exchange::start(mechanism, initial);
                dialog.state = State::Simple(exchange);
                dialog.proven(step).await
            }
        };
        (dialog, step)
    }

    /// Whom the client has named; empty before it has. For logs: the name may be nobody's.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes the client's line, without its CRLF.
    pub async fn line(&mut self, line: &[u8]) -> Step {
        if let State::Told(_) = self.state
            && let State::Told(end) = std::mem::replace(&mut self.state, State::Over)
        {
            return end;
        }
        if line == b"*" {
            return Step::Cancelled;
        }
        match std::mem::replace(&mut self.state, State::Over) {
            State::Simple(mut exchange) => {
                let step = exchange.line(line);
                self.state = State::Simple(exchange);
                self.proven(step).await
            }
            state => match STANDARD.decode(line) {
                Ok(message) => match self.mechanism {
                    Mechanism::Bearer { xoauth2 } => self.bearer(&state, xoauth2, &message).await,
                    Mechanism::Scram { .. } | Mechanism::Plain | Mechanism::Login => self.scram(state, &message).await,
                },
                Err(_) => Step::Malformed,
            },
        }
    }

    async fn proven(&mut self, step: sasl::Step) -> Step {
        match step {
            sasl::Step::Challenge(challenge) => Step::Challenge(challenge.into()),
            sasl::Step::Done(credentials) => {
                self.name.clone_from(&credentials.name);
                Step::Over(self.shared.prove(&self.place, self.mechanism.means(), credentials).await)
            }
            sasl::Step::Cancelled => Step::Cancelled,
            sasl::Step::Malformed => Step::Malformed,
            sasl::Step::Refused => Step::Refused,
        }
    }

    async fn bearer(&mut self, state: &State, xoauth2: bool, message: &[u8]) -> Step {
        let shown = if xoauth2 { Bearer::read_xoauth2(message) } else { Bearer::read(message) };
        let shared = self.shared.clone();
        let (State::First, Some(oauth), Some(shown)) = (state, &shared.oauth, shown) else {
            return Step::Malformed;
        };
        self.name = shown.name.clone().unwrap_or_default();
        let wrong = Step::Over(Proof::Wrong(Shown::Token));
        let (status, end) = match shared.prove_token(oauth, &self.place, self.mechanism.means(), &shown).await {
            Ok(login) => return Step::Over(Proof::Right(login)),
            Err(NotTaken::Throttled) => return Step::Over(Proof::Refused),
            Err(NotTaken::Unavailable) => return Step::Over(Proof::Unavailable),
            Err(NotTaken::Token) => (Status::InvalidToken, wrong),
            Err(NotTaken::Scope) => (Status::InsufficientScope, wrong),
            Err(NotTaken::Other) => (Status::InvalidToken, Step::Refused),
        };
        self.state = State::Told(end);
        let told = bearer::error(status, xoauth2, oauth.scope(self.place.protocol), oauth.discovery_url());
        Step::Challenge(STANDARD.encode(told).into())
    }

    async fn scram(&mut self, state: State, message: &[u8]) -> Step {
        let Mechanism::Scram { hash, plus } = self.mechanism else { return Step::Malformed };
        match state {
            State::First => match First::read(message, plus, &self.place.bindings) {
                Ok(first) => self.first(first).await,
                Err(broken) => self.broken(broken, ""),
            },
            State::Second(second) => {
                let (name, candidate, second) = *second;
                match second.read(message) {
                    Ok(last) => self.last(hash, &name, &candidate, &last).await,
                    Err(broken) => self.broken(broken, &name),
                }
            }
            State::Noted(login) if message.is_empty() => Step::Over(Proof::Right(*login)),
            State::Noted(_) | State::Simple(_) | State::Told(_) | State::Over => Step::Malformed,
        }
    }

    async fn first(&mut self, first: First) -> Step {
        let engine = &self.shared.engine;
        if !engine.has_login_secret() {
            // A store that takes no changes answers all the same, with salts that hold until its next start.
            let _ = engine.make_login_secret().await;
        }
        let candidate = engine.login_candidate(&first.name);
        let name = first.name.clone();
        self.name.clone_from(&name);
        let mut random = [0; 18];
        if ring::rand::SecureRandom::fill(&ring::rand::SystemRandom::new(), &mut random).is_err() {
            return Step::Over(Proof::Refused);
        }
        let (message, second) = first.answer(&STANDARD.encode(random), &candidate.salt(), candidate.iterations());
        self.state = State::Second(Box::new((name, candidate, second)));
        Step::Challenge(STANDARD.encode(message).into())
    }

    async fn last(&mut self, hash: ScramHash, name: &str, candidate: &Candidate, last: &super::scram::Last) -> Step {
        let scram =
            posthouse_engine::directory::Scram { hash, auth_message: last.message.as_bytes(), proof: &last.proof };
        match self.shared.prove_scram(&self.place, self.mechanism.means(), name, candidate, &scram).await {
            (Proof::Right(login), signature) => {
                self.state = State::Noted(Box::new(login));
                Step::Challenge(STANDARD.encode(server_final(&signature)).into())
            }
            (other, _) => Step::Over(other),
        }
    }

    fn broken(&self, broken: Broken, name: &str) -> Step {
        match broken {
            Broken::Form => Step::Malformed,
            Broken::Authorization => Step::Refused,
            Broken::Binding => {
                let Bindings { end_point, exporter } = &self.place.bindings;
                let offered = (end_point.is_some(), exporter.is_some());
                let (peer, name) = (self.place.peer, name.escape_debug());
                tracing::warn!(%peer, %name, ?offered, "channel binding does not fit: another kind than offered, or somebody in between");
                Step::Over(Proof::Wrong(Shown::Password))
            }
        }
    }
}
