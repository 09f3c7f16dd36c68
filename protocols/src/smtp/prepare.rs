//! What is done to a message between its coming and its judgement: fields that must not stay go, its sender is checked, what is lacking is added,
//! mail of ours is signed. Refuses nothing but when the checks cannot be made at all.
use super::header::Header;
use super::letter::Says;
use super::reply::Reply;
use super::role::Role;
use super::state::{Rcpt, Session, Transaction};
use super::trace;
use super::transport::can_be_signed;
use crate::session::Room;
use crate::verify::{Envelope, Seal, Seen, Verifier, without_fields, without_forged};
use posthouse_engine::Engine;
use posthouse_engine::directory::{Address, Algorithm, KeyState, Rule, Scope, SigningKey};
use posthouse_engine::mailflow::Facts;
use std::sync::Arc;

/// A message ready to be judged and stored.
pub(super) struct Prepared {
    /// What goes on top of it.
    pub(super) fields: Vec<u8>,
    pub(super) message: Vec<u8>,
    pub(super) facts: Facts,
    /// To be counted for a report.
    pub(super) seen: Option<Box<Seen>>,
}

/// What milters leave to be done, or have no part in.
pub(super) enum Before {
    Found(Found),
    /// The message as it came; it is still to be checked.
    Kept(Vec<u8>),
}

/// What is known of the sender.
#[derive(Default)]
pub(super) struct Found {
    /// What goes on top of the message.
    fields: Vec<u8>,
    pub(super) facts: Facts,
    /// To be counted for a report.
    pub(super) seen: Option<Box<Seen>>,
}

fn unavailable() -> Reply {
    Reply::new(451, "4.7.0 The sender cannot be checked now; try again")
}

impl Session {
    /// See above. `id` names the message in the log and in Received; `before` is what was found out before milters changed the message.
    pub(super) async fn prepare(
        &self,
        transaction: &Transaction,
        says: &Says,
        (message, before): (Vec<u8>, Option<Before>),
        header: &Header,
        id: &str,
    ) -> Result<Prepared, Reply> {
        let trace = trace::fields(self, transaction, header, id, self.shared.clock.now());
        match self.role {
            // The server in front has done all this.
            Role::Lmtp => Ok(Prepared { fields: trace, message, facts: Facts::default(), seen: None }),
            Role::Submission => {
                // RFC 6409 section 8: whom Bcc names is for the envelope only (RFC 5322 sections 3.6.3 and 3.6.6).
                let message = without(message, &[b"bcc", b"resent-bcc", RETURN_PATH]);
                let message = without_forged(message, &self.shared.hostname);
                let from = says.from.first().filter(|_| can_be_signed(transaction, &message));
                sign(&self.shared.engine, self.shared.verifier.as_ref(), from, (trace, message)).await
            }
            Role::Mx => {
                let (message, found) = match before {
                    Some(Before::Found(found)) => (message, found),
                    Some(Before::Kept(came)) => match self.seal(transaction) {
                        Some(key) => {
                            let seal = Seal { key, over: Some(message) };
                            self.verify(transaction, came, Some(seal)).await?
                        }
                        None => (message, self.verify(transaction, came, None).await?.1),
                    },
                    None => self.check(transaction, message, self.seal(transaction)).await?,
                };
                let mut fields = trace;
                insert(&mut fields, &found.fields);
                Ok(Prepared { fields, message, facts: found.facts, seen: found.seen })
            }
        }
    }

    /// Checks mail of another host that milters are about to see: on the changed message no signature would be right any more, and fields
    /// that they add in our name are no forgery. What goes on to other hosts is kept as it came instead, if there is `room` for two, so that it can be
    /// checked and sealed in one go when the milters are done.
    pub(super) async fn check_before(
        &self,
        transaction: &Transaction,
        message: &mut Vec<u8>,
        room: &mut Room,
    ) -> Result<Option<Before>, Reply> {
        if self.role != Role::Mx || transaction.milters.is_none() {
            return Ok(None);
        }
        let came = std::mem::take(message);
        if self.seal(transaction).is_some() && room.hold(2 * came.len() as u64) {
            *message = self.without_claims(came.clone());
            return Ok(Some(Before::Kept(came)));
        }
        let (checked, found) = self.check(transaction, came, None).await?;
        *message = checked;
        Ok(Some(Before::Found(found)))
    }

    /// After the checks, for a signature may cover what goes here.
    fn without_claims(&self, message: Vec<u8>) -> Vec<u8> {
        without_forged(without(message, &[RETURN_PATH]), &self.shared.hostname)
    }

    async fn check(
        &self,
        transaction: &Transaction,
        message: Vec<u8>,
        seal: Option<SigningKey>,
    ) -> Result<(Vec<u8>, Found), Reply> {
        let seal = seal.map(|key| Seal { key, over: None });
        let (message, found) = self.verify(transaction, message, seal).await?;
        Ok((self.without_claims(message), found))
    }

    /// What was found out of what came, and the message that goes on.
    pub(super) async fn verify(
        &self,
        transaction: &Transaction,
        message: Vec<u8>,
        seal: Option<Seal>,
    ) -> Result<(Vec<u8>, Found), Reply> {
        let ip = self.stream.peer().ip().to_canonical();
        let Some(verifier) = self.shared.verifier.as_ref().filter(|verifier| verifier.wants(ip)) else {
            return Ok((seal.and_then(|seal| seal.over).unwrap_or(message), Found::default()));
        };
        let helo = self.hello.as_ref().map_or_else(String::new, |hello| hello.name.clone());
        let envelope = Envelope { ip, helo, sender: transaction.sender.clone() };
        let checked = verifier.check(envelope, message, seal).await.ok_or_else(unavailable)?;
        Ok((checked.message, Found { fields: checked.fields, facts: checked.facts, seen: checked.seen }))
    }

    /// The key for an ARC set on mail that is passed on to other hosts: that of the first such recipient's domain.
    fn seal(&self, transaction: &Transaction) -> Option<SigningKey> {
        if transaction.terms.binary {
            // Not all verifiers would make the same of bytes: a chain that fails is worth less than none.
            return None;
        }
        let forwards = |rcpt: &Rcpt| {
            self.shared.engine.directory(|known| {
                let mut all = rcpt.local.iter().flat_map(|one| known.rules(&Scope::Account(one.account)));
                all.any(|rule| matches!(rule, Rule::Forward { .. } | Rule::Sieve(_)))
            })
        };
        let onward = transaction.recipients.iter().find(|rcpt| !rcpt.external.is_empty() || forwards(rcpt))?;
        let domain = onward.address.domain();
        let is_fit = |key: &&SigningKey| key.state == KeyState::Active && key.algorithm == Algorithm::Rsa;
        self.shared.engine.directory(|known| known.keys_of(domain).find(is_fit).cloned())
    }
}

/// With the active keys of the domain that From names: the one that DMARC asks about.
pub(super) async fn sign(
    engine: &Engine,
    verifier: Option<&Arc<Verifier>>,
    from: Option<&Address>,
    (trace, message): (Vec<u8>, Vec<u8>),
) -> Result<Prepared, Reply> {
    let mut prepared = Prepared { fields: trace, message, facts: Facts::default(), seen: None };
    let Some((verifier, from)) = verifier.zip(from) else {
        return Ok(prepared);
    };
    let is_active = |key: &&SigningKey| key.state == KeyState::Active;
    let keys: Vec<SigningKey> =
        engine.directory(|known| known.keys_of(from.domain()).filter(is_active).cloned().collect());
    if keys.is_empty() {
        return Ok(prepared);
    }
    let signed = verifier.sign(prepared.fields, prepared.message, keys).await.ok_or_else(unavailable)?;
    (prepared.fields, prepared.message) = (signed.top, signed.message);
    insert(&mut prepared.fields, &signed.fields);
    Ok(prepared)
}

/// RFC 5321 section 4.4: only final delivery writes it, and two of them would contradict each other.
const RETURN_PATH: &[u8] = b"return-path";

fn without(message: Vec<u8>, names: &[&[u8]]) -> Vec<u8> {
    without_fields(message, |name, _| names.iter().any(|gone| name.eq_ignore_ascii_case(gone)))
}

/// Puts fields on top, but below the Return-Path, which comes first where there is one (RFC 5321 section 4.4).
fn insert(fields: &mut Vec<u8>, new: &[u8]) {
    let has_path = fields.starts_with(b"Return-Path:");
    let at = if has_path { memchr::memmem::find(fields, b"\r\n").map_or(0, |end| end + 2) } else { 0 };
    fields.splice(at..at, new.iter().copied());
}
