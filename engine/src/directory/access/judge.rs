//! Who may log in: which of an account's passwords a client has proven, and whether the login rules let it in (F13 to F15). Pure; takes as long
//! for a name that nobody has.
use super::super::{Account, AccountKind, Address, Directory, password};
use super::keys::{is_same, stored_sha256};
use super::{Access, LoginKeys, Network, Protocol, Protocols, ScramHash, app_password_form, dummy_salt};
use crate::base::AccountId;
use crate::base::limits::SCRAM_ITERATIONS;
use std::net::IpAddr;

/// Why a client that has proven its password is not let in. Only the log learns it: a client hears the same as for a wrong password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The login rules, or the scope of the app password, do not have the protocol (F14).
    Protocol,
    /// The client's address is in none of the trusted networks (F13).
    Network,
    /// Only app passwords are taken (F15).
    AppPasswordNeeded,
    /// The app password has expired.
    Expired,
}

/// What a client has proven.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven {
    /// The account.
    pub account: AccountId,
    /// Its primary address.
    pub address: Address,
    /// By which app password; `None`: by the account's own, or by a token.
    pub app_password: Option<u32>,
    /// Why it is not let in all the same.
    pub denial: Option<Denial>,
}

/// What is needed to check a client that gives a name, copied out of the directory; the same work whether somebody has the name.
#[derive(Clone, Debug)]
pub struct Candidate {
    salt: [u8; 16],
    iterations: u32,
    known: Option<Known>,
}

#[derive(Clone, Debug)]
struct Known {
    account: AccountId,
    address: Address,
    is_member: bool,
    password_hash: Option<String>,
    access: Access,
    protocols: Protocols,
    networks: Vec<Network>,
    app_only: bool,
}

impl Directory {
    /// What a login by `name` is checked with. `fallback` stands in for the secret while there is none.
    pub fn candidate(&self, name: &str, fallback: &[u8; 32]) -> Candidate {
        let secret = self.secret.as_ref().unwrap_or(fallback);
        let account = self.login(name);
        let address = Address::parse(name).ok();
        // Of a disabled account too, so that its salt does not change with that.
        let owner = address.as_ref().and_then(|address| self.account_at(address));
        let stored = owner.and_then(|account| account.access.as_deref()).and_then(|access| {
            let first = access.app_passwords.first().map(|app| &app.keys);
            access.keys.as_ref().or(first).map(|keys| (keys.salt, keys.iterations))
        });
        let (salt, iterations) = stored.unwrap_or_else(|| {
            let canonical = owner.map(|account| &account.address).or(address.as_ref());
            (dummy_salt(secret, canonical.map_or(name, Address::as_str)), SCRAM_ITERATIONS)
        });
        Candidate { salt, iterations, known: account.map(|account| self.known(account)) }
    }

    /// Whether there is a secret from which salts are derived.
    pub fn has_secret(&self) -> bool {
        self.secret.is_some()
    }

    fn known(&self, account: &Account) -> Known {
        let access = account.access.as_deref().cloned().unwrap_or_default();
        let of_tenant = self.tenant(account.tenant).map(|tenant| tenant.rules.clone()).unwrap_or_default();
        let rules = &access.rules;
        Known {
            account: account.id,
            address: account.address.clone(),
            is_member: account.kind == AccountKind::Member,
            password_hash: account.password_hash.as_deref().map(str::to_owned),
            protocols: rules.protocols.or(of_tenant.protocols).unwrap_or(Protocols::ALL),
            networks: rules.networks.clone().or(of_tenant.networks).unwrap_or_default(),
            app_only: rules.app_only.or(of_tenant.app_only).unwrap_or(false),
            access,
        }
    }
}

impl Candidate {
    /// The salt that the name's passwords have, or would have.
    pub fn salt(&self) -> [u8; 16] {
        self.salt
    }

    /// Their rounds of PBKDF2.
    pub fn iterations(&self) -> u32 {
        self.iterations
    }

    /// The hash whose keys are to be made at a login by the account's own password; `None` when they are there already.
    pub fn lacks_keys(&self) -> Option<&str> {
        let known = self.known.as_ref().filter(|known| known.access.keys.is_none())?;
        known.password_hash.as_deref()
    }

    /// Checks a password. Takes tens of milliseconds.
    pub fn check(&self, plain: &str, protocol: Protocol, peer: IpAddr, now: i64) -> Option<Proven> {
        // What looks like an app password costs the same whether there are any.
        if let Some(form) = app_password_form(plain) {
            let stored = stored_sha256(&form, &self.salt, self.iterations).unwrap_or_default();
            let fits = |keys: &LoginKeys| is_same(&keys.sha256.stored, &stored);
            if let Some(known) = &self.known
                && let Some(number) = known.app_number(fits)
            {
                return Some(known.judged(Some(number), protocol, peer, now));
            }
        }
        match self.known.as_ref().and_then(|known| known.password_hash.as_ref().map(|hash| (known, hash))) {
            Some((known, hash)) => password::verify(hash, plain).then(|| known.judged(None, protocol, peer, now)),
            None => {
                password::verify_dummy(plain);
                None
            }
        }
    }

    /// What the member of that name may do whom somebody else vouches for: an identity provider. Rules that demand app passwords forbid the
    /// account's own only, which is what one guesses. Nobody is a business mailbox.
    pub fn vouched(&self, protocol: Protocol, peer: IpAddr) -> Option<Proven> {
        let known = self.known.as_ref().filter(|known| known.is_member)?;
        let denial = known.place_denial(protocol, peer);
        Some(Proven { account: known.account, address: known.address.clone(), app_password: None, denial })
    }

    /// Checks a SCRAM client's proof; with it goes the server's signature. The client computed with `salt` and `iterations`.
    pub fn check_scram(
        &self,
        scram: &Scram<'_>,
        protocol: Protocol,
        peer: IpAddr,
        now: i64,
    ) -> Option<(Proven, Vec<u8>)> {
        let known = self.known.as_ref()?;
        let fits = |keys: &LoginKeys| {
            let same = keys.salt == self.salt && keys.iterations == self.iterations;
            same.then(|| keys.prove(scram.hash, scram.auth_message, scram.proof)).flatten()
        };
        if let Some(signature) = known.access.keys.as_ref().and_then(fits) {
            return Some((known.judged(None, protocol, peer, now), signature));
        }
        let app = known.access.app_passwords.iter().find_map(|app| Some((app.number, fits(&app.keys)?)));
        app.map(|(number, signature)| (known.judged(Some(number), protocol, peer, now), signature))
    }
}

/// A SCRAM client's last message.
#[derive(Clone, Copy, Debug)]
pub struct Scram<'a> {
    /// Which SCRAM.
    pub hash: ScramHash,
    /// AuthMessage of RFC 5802 section 3.
    pub auth_message: &'a [u8],
    /// ClientProof.
    pub proof: &'a [u8],
}

impl Known {
    fn app_number(&self, fits: impl Fn(&LoginKeys) -> bool) -> Option<u32> {
        self.access.app_passwords.iter().find(|app| fits(&app.keys)).map(|app| app.number)
    }

    fn judged(&self, app_password: Option<u32>, protocol: Protocol, peer: IpAddr, now: i64) -> Proven {
        let (account, address) = (self.account, self.address.clone());
        Proven { account, address, app_password, denial: self.denial(app_password, protocol, peer, now) }
    }

    fn denial(&self, app_password: Option<u32>, protocol: Protocol, peer: IpAddr, now: i64) -> Option<Denial> {
        let app = app_password.and_then(|number| self.access.app_passwords.iter().find(|app| app.number == number));
        if app.is_some_and(|app| !app.protocols.has(protocol)) {
            Some(Denial::Protocol)
        } else if let Some(denial) = self.place_denial(protocol, peer) {
            Some(denial)
        } else if self.app_only && app.is_none() {
            Some(Denial::AppPasswordNeeded)
        } else if app.and_then(|app| app.expires).is_some_and(|expires| expires <= now) {
            Some(Denial::Expired)
        } else {
            None
        }
    }

    /// What the rules say of the protocol and of where a client comes from.
    fn place_denial(&self, protocol: Protocol, peer: IpAddr) -> Option<Denial> {
        let peer = peer.to_canonical();
        if !self.protocols.has(protocol) {
            Some(Denial::Protocol)
        } else if !self.networks.is_empty() && !self.networks.iter().any(|network| network.contains(&peer)) {
            Some(Denial::Network)
        } else {
            None
        }
    }
}
