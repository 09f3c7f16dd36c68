//! A domain's keys for signatures (DKIM, RFC 6376; ARC, RFC 8617) as records. Never signs, and never shows a private key.
use std::fmt;

use crate::base::bytes::{Put, Reader};

use super::codec::{self, Decoded};
use super::tables::Tables;
use super::{Directory, Domain};

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Algorithm {
    /// RSA with SHA-256.
    Rsa,
    /// Ed25519 (RFC 8463).
    Ed25519,
}

impl Algorithm {
    /// The word for it in commands and in DNS (`k=`).
    pub fn word(self) -> &'static str {
        match self {
            Algorithm::Rsa => "rsa",
            Algorithm::Ed25519 => "ed25519",
        }
    }
}

/// What a key is for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeyState {
    /// Its record is to be published; the next rotation makes it sign.
    Next,
    /// It signs.
    Active,
    /// It signs no more; its record stays until mail that it signed has arrived.
    Retired,
}

impl KeyState {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            KeyState::Next => "next",
            KeyState::Active => "active",
            KeyState::Retired => "retired",
        }
    }

    pub(super) fn put(self, out: &mut Vec<u8>) {
        out.put_u8(match self {
            KeyState::Next => 0,
            KeyState::Active => 1,
            KeyState::Retired => 2,
        });
    }

    pub(super) fn get(reader: &mut Reader<'_>) -> Decoded<KeyState> {
        Ok(match reader.u8()? {
            0 => KeyState::Next,
            1 => KeyState::Active,
            2 => KeyState::Retired,
            _ => return reader.error("the state of a signing key expected before this byte"),
        })
    }
}

/// A domain's key.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningKey {
    /// Whose: one of our domains, in A-labels.
    pub domain: Box<str>,
    /// Its name in DNS: `selector._domainkey.domain`.
    pub selector: Box<str>,
    /// How it signs.
    pub algorithm: Algorithm,
    /// What it is for now.
    pub state: KeyState,
    /// PKCS #8, DER.
    pub private: Box<[u8]>,
    /// What the DNS record holds, decoded: SubjectPublicKeyInfo for RSA, 32 bytes for Ed25519.
    pub public: Box<[u8]>,
    /// Seconds since 1970-01-01 UTC.
    pub created: i64,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyAdded({} {} {:?} {:?})", self.domain, self.selector, self.algorithm, self.state)
    }
}

pub(super) fn put_key(out: &mut Vec<u8>, key: &SigningKey) {
    out.put_str(&key.domain);
    out.put_str(&key.selector);
    out.put_u8(u8::from(key.algorithm == Algorithm::Ed25519));
    key.state.put(out);
    out.put_bytes(&key.private);
    out.put_bytes(&key.public);
    out.put_i64(key.created);
}

pub(super) fn get_key(reader: &mut Reader<'_>) -> Decoded<SigningKey> {
    Ok(SigningKey {
        domain: codec::get_box(reader)?,
        selector: codec::get_box(reader)?,
        algorithm: if codec::bits(reader, 1)? == 1 { Algorithm::Ed25519 } else { Algorithm::Rsa },
        state: KeyState::get(reader)?,
        private: reader.bytes()?.into(),
        public: reader.bytes()?.into(),
        created: reader.i64()?,
    })
}

impl Directory {
    /// The keys of a domain, by selector.
    pub fn keys_of(&self, domain: &str) -> impl Iterator<Item = &SigningKey> {
        Tables::keys_of(self, domain).into_iter()
    }

    /// All keys, by domain, then selector; of one tenant if given.
    pub fn keys(&self, tenant: Option<crate::base::TenantId>) -> impl Iterator<Item = &SigningKey> {
        let wanted = move |domain: &Domain| tenant.is_none_or(|tenant| domain.tenant == tenant);
        self.keys.values().filter(move |key| self.domain(&key.domain).is_some_and(wanted))
    }
}
