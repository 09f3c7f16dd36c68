//! The bytes of rules and of whom they are for (docs/format.md). Judges nothing.
use crate::base::bytes::{Put, Reader};
use crate::base::{AccountId, MailboxId, TenantId};

use super::codec::{self, Decoded};
use super::pattern::{get_pattern, put_pattern};
use super::rule::{Found, Permission, Rule, Scope, Senders};
use super::{Away, Fetched, Keyword, RelayHost, acl};

pub(super) fn put_scope(out: &mut Vec<u8>, scope: &Scope) {
    match scope {
        Scope::Tenant(id) => {
            out.put_u8(0);
            out.put_varint(u64::from(id.0));
        }
        Scope::Domain(name) => {
            out.put_u8(1);
            out.put_str(name);
        }
        Scope::Account(id) => {
            out.put_u8(2);
            out.put_varint(id.0);
        }
        Scope::Group(address) => {
            out.put_u8(3);
            codec::put_address(out, address);
        }
        Scope::Mailbox(account, mailbox) => {
            out.put_u8(4);
            out.put_varint(account.0);
            out.put_varint(u64::from(mailbox.0));
        }
    }
}

pub(super) fn get_scope(reader: &mut Reader<'_>) -> Decoded<Scope> {
    Ok(match reader.u8()? {
        0 => Scope::Tenant(TenantId(reader.varint_u32()?)),
        1 => Scope::Domain(codec::get_box(reader)?),
        2 => Scope::Account(AccountId(reader.varint()?)),
        3 => Scope::Group(codec::get_address(reader)?),
        4 => Scope::Mailbox(AccountId(reader.varint()?), MailboxId(reader.varint_u32()?)),
        _ => return reader.error("the scope of a rule expected before this byte"),
    })
}

fn put_senders(out: &mut Vec<u8>, senders: &Senders) {
    out.put_u8(7);
    match senders {
        Senders::Tenant => out.put_u8(0),
        Senders::Members => out.put_u8(1),
        Senders::Address(address) => {
            out.put_u8(2);
            codec::put_address(out, address);
        }
    }
}

fn put_rate(out: &mut Vec<u8>, kind: u8, recipients: u32, seconds: u32) {
    out.put_u8(kind);
    out.put_varint(u64::from(recipients));
    out.put_varint(u64::from(seconds));
}

pub(super) fn put_rule(out: &mut Vec<u8>, rule: &Rule) {
    match rule {
        Rule::Block(pattern) => put_pattern(out, 1, pattern),
        Rule::Allow(pattern) => put_pattern(out, 2, pattern),
        Rule::Keyword(found, word) => {
            out.put_u8(3);
            out.put_u8(u8::from(*found == Found::Quarantine));
            out.put_str(word.text());
        }
        Rule::Outbound(yes) => {
            out.put_u8(4);
            out.put_u8(u8::from(*yes));
        }
        Rule::Rate { recipients, seconds } => put_rate(out, 5, *recipients, *seconds),
        Rule::CatchAll(address) => {
            out.put_u8(6);
            codec::put_address(out, address);
        }
        Rule::Representative(address) => {
            out.put_u8(8);
            codec::put_address(out, address);
        }
        Rule::Acl(grant) => {
            out.put_u8(9);
            acl::put_grant(out, grant);
        }
        Rule::Forward { keep, to } => {
            out.put_u8(10);
            out.put_u8(u8::from(*keep));
            codec::put_address(out, to);
        }
        Rule::Messages(max) => {
            out.put_u8(17);
            out.put_varint(u64::from(*max));
        }
        Rule::Admin(Permission::Quotas) => {
            out.put_u8(16);
            out.put_u8(0);
        }
        Rule::Relay(host) => {
            out.put_u8(18);
            host.put(out);
        }
        Rule::Source(ip) => {
            out.put_u8(19);
            out.put_ip(*ip);
        }
        Rule::TenantRate { recipients, seconds } => put_rate(out, 21, *recipients, *seconds),
        Rule::Fetched(fetched) => {
            out.put_u8(20);
            fetched.put(out);
        }
        Rule::Sieve(script) => {
            out.put_u8(12);
            out.put_str(script);
        }
        Rule::Away(away) => {
            out.put_u8(11);
            away.put(out);
        }
        Rule::Senders(senders) => put_senders(out, senders),
    }
}

pub(super) fn get_rule(reader: &mut Reader<'_>) -> Decoded<Rule> {
    Ok(match reader.u8()? {
        1 => Rule::Block(get_pattern(reader)?),
        2 => Rule::Allow(get_pattern(reader)?),
        3 => {
            let found = if codec::bits(reader, 1)? == 1 { Found::Quarantine } else { Found::Reject };
            Rule::Keyword(found, Keyword::kept(codec::get_box(reader)?))
        }
        4 => Rule::Outbound(codec::bits(reader, 1)? == 1),
        5 => Rule::Rate { recipients: reader.varint_u32()?, seconds: reader.varint_u32()? },
        6 => Rule::CatchAll(codec::get_address(reader)?),
        7 => Rule::Senders(match reader.u8()? {
            0 => Senders::Tenant,
            1 => Senders::Members,
            2 => Senders::Address(codec::get_address(reader)?),
            _ => return reader.error("a kind of senders expected before this byte"),
        }),
        8 => Rule::Representative(codec::get_address(reader)?),
        9 => Rule::Acl(acl::get_grant(reader)?),
        10 => Rule::Forward { keep: codec::bits(reader, 1)? == 1, to: codec::get_address(reader)? },
        11 => Rule::Away(Box::new(Away::get(reader)?)),
        12 => Rule::Sieve(codec::get_box(reader)?),
        17 => Rule::Messages(reader.varint_u32()?),
        20 => Rule::Fetched(Fetched::get(reader)?),
        21 => Rule::TenantRate { recipients: reader.varint_u32()?, seconds: reader.varint_u32()? },
        18 => Rule::Relay(Box::new(RelayHost::get(reader)?)),
        19 => Rule::Source(reader.ip()?),
        16 => match reader.u8()? {
            0 => Rule::Admin(Permission::Quotas),
            _ => return reader.error("what an administrator may do expected before this byte"),
        },
        _ => return reader.error("a kind of rule expected before this byte"),
    })
}
