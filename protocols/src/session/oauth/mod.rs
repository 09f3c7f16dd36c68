//! Whose token a client shows, as an identity provider tells it (RFC 7662): the question to its introspection endpoint, what its answer has to
//! say, and good answers kept for a while. Knows no account and no mechanism.
//!
//! `endpoint` asks over HTTP, `claims` reads and judges an answer, `kept` remembers good ones.
mod claims;
mod endpoint;
mod kept;
#[cfg(test)]
mod tests;

pub use endpoint::{Endpoint, EndpointSettings, Url};

use claims::{Claims, Unusable};
use kept::{Digest, Kept};
use posthouse_engine::base::Protocol;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

/// What an operator decides about tokens.
#[derive(Clone, Debug, Default)]
pub struct Settings {
    /// The claim that is the member's address: `username`, `email`, `sub`.
    pub address_claim: String,
    /// Whom tokens must be meant for (`aud`); `None`: that is not asked.
    pub audience: Option<String>,
    /// The scope that each protocol needs, in the order of [`Protocol::ALL`]; `None`: none.
    pub scopes: [Option<String>; 3],
    /// Seconds for which a good answer counts; 0: each login asks.
    pub cache_seconds: u32,
    /// Good answers that are kept at a time.
    pub cache_tokens_max: usize,
    /// Where clients find out how to get a token (RFC 7628 section 3.2.2).
    pub discovery_url: Option<String>,
}

/// An endpoint's answer on its way: the body of a good one, or why there is none.
pub type Asked = Pin<Box<dyn Future<Output = Result<Vec<u8>, String>> + Send>>;

/// Who tells of tokens.
pub trait Introspect: Send + Sync + 'static {
    /// Asks for a token: `b64token` of RFC 6750 section 2.1.
    fn ask(&self, token: &str) -> Asked;
}

/// What is known of a token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is of the owner of this address, who may use it for the protocol.
    Of(String),
    /// Not vouched for: expired, revoked, unknown, or not meant for us.
    Invalid,
    /// Good, but without the scope that the protocol needs.
    Scope,
    /// Nobody could say.
    Unknown,
}

/// Tokens and who tells of them.
pub struct OAuth {
    settings: Settings,
    endpoint: Box<dyn Introspect>,
    kept: Mutex<Kept>,
    /// The last question had no answer: the log has that once.
    is_down: AtomicBool,
}

impl OAuth {
    /// Judges tokens by what `endpoint` tells of them.
    pub fn new(settings: Settings, endpoint: impl Introspect) -> OAuth {
        let kept = Mutex::new(Kept::new(settings.cache_tokens_max));
        OAuth { settings, endpoint: Box::new(endpoint), kept, is_down: AtomicBool::new(false) }
    }

    /// The scope that a protocol needs.
    pub fn scope(&self, protocol: Protocol) -> Option<&str> {
        let at = Protocol::ALL.iter().position(|known| *known == protocol)?;
        self.settings.scopes[at].as_deref()
    }

    /// Where clients find out how to get a token.
    pub fn discovery_url(&self) -> Option<&str> {
        self.settings.discovery_url.as_deref()
    }

    /// Judges a token at `now`, seconds since 1970-01-01 UTC. Reaches the endpoint unless a good answer for it is kept.
    pub async fn judge(&self, token: &str, protocol: Protocol, now: i64) -> Verdict {
        let digest = Digest::of(token);
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner).get(&digest, now);
        if let Some(claims) = kept {
            return self.allowed(&claims, protocol);
        }
        let answer = self.endpoint.ask(token).await.map_err(Unusable::Nothing);
        match answer.and_then(|body| Claims::read(&body, &self.settings, now)) {
            Ok(claims) => {
                self.answered();
                let verdict = self.allowed(&claims, protocol);
                let kept_until = now.saturating_add(self.settings.cache_seconds.into());
                let until = kept_until.min(claims.expires.unwrap_or(i64::MAX));
                self.kept.lock().unwrap_or_else(PoisonError::into_inner).keep(digest, claims, now, until);
                verdict
            }
            Err(Unusable::Inactive) => {
                self.answered();
                Verdict::Invalid
            }
            Err(Unusable::Nothing(why)) => {
                self.failed(&why);
                Verdict::Unknown
            }
        }
    }

    fn allowed(&self, claims: &Claims, protocol: Protocol) -> Verdict {
        match self.scope(protocol) {
            Some(scope) if !claims.scopes.iter().any(|has| **has == *scope) => Verdict::Scope,
            _ => Verdict::Of(claims.address.clone().into()),
        }
    }

    fn failed(&self, why: &str) {
        if !self.is_down.swap(true, Ordering::Relaxed) {
            tracing::error!(
                why,
                "tokens cannot be checked: logins by OAUTHBEARER and XOAUTH2 are put off until the endpoint answers"
            );
        }
    }

    fn answered(&self) {
        if self.is_down.swap(false, Ordering::Relaxed) {
            tracing::info!("the token introspection endpoint answers again");
        }
    }
}
