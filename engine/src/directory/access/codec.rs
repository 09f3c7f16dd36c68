//! The bytes of what accounts log in with and of the login rules (docs/format.md, "Directory events"). Every value has one encoding.

use super::super::codec::{Decoded, bits, choice, get_box};
use super::{
    Access, AccessEvent, AppPassword, KeyPair, LoginKeys, LoginRules, LoginRulesOf, Network, Protocols, Secret,
};
use crate::base::bytes::{Put, Reader};
use crate::base::{AccountId, TenantId};

const SECRET_MADE: u8 = 23;
const KEYS_MADE: u8 = 24;
const APP_PASSWORD_ADDED: u8 = 25;
const APP_PASSWORD_REMOVED: u8 = 26;
const LOGIN_RULES_SET: u8 = 27;

impl AccessEvent {
    /// The tags that these events have.
    pub(in crate::directory) const TAGS: std::ops::RangeInclusive<u8> = SECRET_MADE..=LOGIN_RULES_SET;

    /// Appends the tag and the fields.
    pub(in crate::directory) fn encode(&self, out: &mut Vec<u8>) {
        match self {
            AccessEvent::SecretMade(secret) => {
                out.put_u8(SECRET_MADE);
                out.put(&secret.0);
            }
            AccessEvent::KeysMade { account, keys } => {
                out.put_u8(KEYS_MADE);
                out.put_varint(account.0);
                put_keys(out, keys);
            }
            AccessEvent::AppPasswordAdded { account, app } => {
                out.put_u8(APP_PASSWORD_ADDED);
                out.put_varint(account.0);
                put_app(out, app);
            }
            AccessEvent::AppPasswordRemoved { account, number } => {
                out.put_u8(APP_PASSWORD_REMOVED);
                out.put_varint(account.0);
                out.put_varint(u64::from(*number));
            }
            AccessEvent::LoginRulesSet { of, rules } => {
                out.put_u8(LOGIN_RULES_SET);
                let (kind, id) = match of {
                    LoginRulesOf::Tenant(id) => (0, u64::from(id.0)),
                    LoginRulesOf::Account(id) => (1, id.0),
                };
                out.put_u8(kind);
                out.put_varint(id);
                put_login_rules(out, rules);
            }
        }
    }

    /// Reads the fields behind the tag.
    pub(in crate::directory) fn decode(tag: u8, reader: &mut Reader<'_>) -> Decoded<AccessEvent> {
        if tag == SECRET_MADE {
            return Ok(AccessEvent::SecretMade(Secret(reader.array()?)));
        }
        if tag == LOGIN_RULES_SET {
            let of = match bits(reader, 1)? {
                0 => LoginRulesOf::Tenant(TenantId(reader.varint_u32()?)),
                _ => LoginRulesOf::Account(AccountId(reader.varint()?)),
            };
            return Ok(AccessEvent::LoginRulesSet { of, rules: get_login_rules(reader)? });
        }
        let account = AccountId(reader.varint()?);
        Ok(match tag {
            KEYS_MADE => AccessEvent::KeysMade { account, keys: Box::new(get_keys(reader)?) },
            APP_PASSWORD_ADDED => AccessEvent::AppPasswordAdded { account, app: Box::new(get_app(reader)?) },
            _ => AccessEvent::AppPasswordRemoved { account, number: reader.varint_u32()? },
        })
    }
}

impl LoginKeys {
    /// As the log has them.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::new();
        put_keys(&mut out, self);
        out
    }

    /// What `to_bytes` gave.
    pub fn from_bytes(bytes: &[u8]) -> Option<LoginKeys> {
        let mut reader = Reader::new(bytes);
        get_keys(&mut reader).ok().filter(|_| reader.is_empty())
    }
}

fn put_keys(out: &mut Vec<u8>, keys: &LoginKeys) {
    out.put(&keys.salt);
    out.put_varint(u64::from(keys.iterations));
    out.put(&keys.sha1.stored);
    out.put(&keys.sha1.server);
    out.put(&keys.sha256.stored);
    out.put(&keys.sha256.server);
}

fn get_keys(reader: &mut Reader<'_>) -> Decoded<LoginKeys> {
    Ok(LoginKeys {
        salt: reader.array()?,
        iterations: reader.varint_u32()?,
        sha1: KeyPair { stored: reader.array()?, server: reader.array()? },
        sha256: KeyPair { stored: reader.array()?, server: reader.array()? },
    })
}

fn put_app(out: &mut Vec<u8>, app: &AppPassword) {
    out.put_varint(u64::from(app.number));
    out.put_str(&app.name);
    out.put_u8(app.protocols.bits());
    out.put_i64(app.created);
    out.put_i64(app.expires.unwrap_or(0));
    put_keys(out, &app.keys);
}

fn get_app(reader: &mut Reader<'_>) -> Decoded<AppPassword> {
    Ok(AppPassword {
        number: reader.varint_u32()?,
        name: get_box(reader)?,
        protocols: match get_protocols(reader)? {
            none if none.bits() == 0 => return reader.error("an app password for at least one protocol expected"),
            some => some,
        },
        created: reader.i64()?,
        expires: Some(reader.i64()?).filter(|expires| *expires != 0),
        keys: get_keys(reader)?,
    })
}

fn get_protocols(reader: &mut Reader<'_>) -> Decoded<Protocols> {
    let bits = bits(reader, Protocols::ALL.bits())?;
    Ok(Protocols::from_bits(bits).unwrap_or(Protocols::ALL))
}

/// Appends login rules.
pub(in crate::directory) fn put_login_rules(out: &mut Vec<u8>, rules: &LoginRules) {
    let given =
        [rules.protocols.is_some(), rules.networks.is_some(), rules.app_only.is_some(), rules.app_only == Some(true)];
    out.put_u8(given.iter().enumerate().fold(0, |bits, (at, is)| bits | (u8::from(*is) << at)));
    rules.protocols.iter().for_each(|protocols| out.put_u8(protocols.bits()));
    if let Some(networks) = &rules.networks {
        out.put_varint(networks.len() as u64);
        networks.iter().for_each(|network| put_network(out, network));
    }
}

/// Reads login rules.
pub(in crate::directory) fn get_login_rules(reader: &mut Reader<'_>) -> Decoded<LoginRules> {
    let given = bits(reader, 0b1111)?;
    let app_only = choice(reader, given >> 2)?;
    let protocols = if given & 1 != 0 { Some(get_protocols(reader)?) } else { None };
    let networks = if given & 2 != 0 { Some(get_networks(reader)?) } else { None };
    Ok(LoginRules { protocols, networks, app_only })
}

fn put_network(out: &mut Vec<u8>, network: &Network) {
    out.put_ip(network.addr());
    out.put_u8(network.prefix_len());
}

fn get_networks(reader: &mut Reader<'_>) -> Decoded<Vec<Network>> {
    let mut networks: Vec<Network> = Vec::new();
    for _ in 0..reader.count()? {
        let network = Network::new(reader.ip()?, reader.u8()?).ok().filter(|network| network.trunc() == *network);
        match network.filter(|network| networks.last().is_none_or(|last| last < network)) {
            Some(network) => networks.push(network),
            None => return reader.error("a network without host bits, in ascending order, expected before this byte"),
        }
    }
    Ok(networks)
}

/// Appends what an account logs in with.
pub(in crate::directory) fn put_access(out: &mut Vec<u8>, access: &Access) {
    out.put_u8(u8::from(access.keys.is_some()));
    access.keys.iter().for_each(|keys| put_keys(out, keys));
    out.put_varint(u64::from(access.app_next));
    out.put_varint(access.app_passwords.len() as u64);
    access.app_passwords.iter().for_each(|app| put_app(out, app));
    put_login_rules(out, &access.rules);
}

/// Reads what an account logs in with.
pub(in crate::directory) fn get_access(reader: &mut Reader<'_>) -> Decoded<Access> {
    let keys = if bits(reader, 1)? != 0 { Some(get_keys(reader)?) } else { None };
    let app_next = reader.varint_u32()?;
    let mut app_passwords: Vec<AppPassword> = Vec::new();
    for _ in 0..reader.count()? {
        let app = get_app(reader)?;
        if app.number >= app_next || app_passwords.last().is_some_and(|last| last.number >= app.number) {
            return reader.error("app passwords by number expected before this byte");
        }
        app_passwords.push(app);
    }
    let access = Access { keys, app_next, app_passwords, rules: get_login_rules(reader)? };
    if access == Access::default() { reader.error("an access record that says something expected") } else { Ok(access) }
}
