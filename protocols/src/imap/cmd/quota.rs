//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): each account is one quota root, with the resources STORAGE, in units of 1024 bytes, and
//! MESSAGE, each as far as it has a limit. An account without any has no quota root: RFC 9208 section 7 knows no resource without a limit. What lies in a shared mailbox counts
//! for its owner, so its root is the owner's. Members who administer quotas (`admin quotas`) see and set those of all accounts of their tenant.
use crate::imap::answer::{Answer, Fail};
use crate::imap::args::Args;
use crate::imap::place;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};
use posthouse_engine::base::limits::QUOTA_BYTES_DEFAULT;
use posthouse_engine::base::{AccountId, Bound, Error, Load};
use posthouse_engine::directory::{AccountPatch, Change, Permission, Quota, Rights, Rule, Scope, ScopeName};

/// The name of the session's own quota root.
const ROOT: &str = "account";

pub(in crate::imap) fn get_quota(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let root = session.name(&args.astring()?)?;
        args.end()?;
        let account = session.account_of_root(&root).ok_or_else(nonexistent)?;
        let bound = session.shared.engine.bound(account);
        if bound.is_none() && !session.administers_quotas() {
            return Ok(nonexistent());
        }
        session.write_quota(&root, account, bound)?;
        Ok(request.completed())
    })
}

pub(in crate::imap) fn get_quota_root(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        args.end()?;
        let place = session.place_for(&session.name(&name)?, Rights::READ)?;
        let root = if place.reader.is_some() { place.prefix.trim_end_matches('/') } else { ROOT };
        let utf8 = session.names_utf8();
        let bound = session.shared.engine.bound(place.account);
        let out = session.stream.output();
        out.extend_from_slice(b"* QUOTAROOT ");
        name::write(out, &place.name(), utf8);
        if bound.is_some() {
            out.push(b' ');
            name::write(out, root, utf8);
        }
        out.extend_from_slice(b"\r\n");
        if bound.is_some() {
            session.write_quota(root, place.account, bound)?;
        }
        Ok(request.completed())
    })
}

pub(in crate::imap) fn set_quota(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let root = session.name(&args.astring()?)?;
        args.space()?;
        let wanted = wanted(&mut args)?;
        args.end()?;
        if !session.administers_quotas() {
            return Ok(Answer::no("[NOPERM] Quotas are set by an administrator"));
        }
        let account = session.account_of_root(&root).ok_or_else(nonexistent)?;
        let quota =
            wanted.ok_or_else(|| Answer::no("[CANNOT] A quota is 1 GiB, (STORAGE 1048576), or no limit, ()"))?;
        session.give_quota(account, quota).await?;
        let bound = session.shared.engine.bound(account);
        session.write_quota(&root, account, bound)?;
        Ok(request.completed())
    })
}

fn nonexistent() -> Answer {
    Answer::no("[NONEXISTENT] There is no such quota root")
}

/// `(STORAGE 1048576)` or `()`; `None`: another list of resources.
fn wanted(args: &mut Args<'_>) -> Result<Option<Quota>, Answer> {
    let resources = args.list(true, |args| {
        let name = args.atom("a resource")?.to_ascii_uppercase();
        args.space()?;
        Ok((name, args.number()?))
    })?;
    Ok(match resources.as_slice() {
        [] => Some(Quota::Unlimited),
        [(name, limit)] if name == "STORAGE" && *limit == QUOTA_BYTES_DEFAULT / 1024 => {
            Some(Quota::Bytes(QUOTA_BYTES_DEFAULT))
        }
        _ => None,
    })
}

impl Session {
    /// Whether the session's member administers the quotas of its tenant.
    pub(in crate::imap) fn administers_quotas(&self) -> bool {
        let user = self.account();
        self.shared.engine.directory(|directory| directory.administers(user, Permission::Quotas))
    }

    /// Whose quota root has that name, as far as the session may know: its own, that of an account in which it may read a mailbox, or any of
    /// its tenant for who administers them.
    fn account_of_root(&self, root: &str) -> Option<AccountId> {
        let user = self.account();
        if root == ROOT {
            return Some(user);
        }
        let engine = &self.shared.engine;
        let (kind, level) = root.split_once('/')?;
        let found = engine.directory(|directory| place::sharer(directory, user, kind, level))?.account;
        if self.administers_quotas() {
            return Some(found);
        }
        let reads = |id| self.rights(found, id).contains(Rights::READ);
        engine.account(found).ok()?.mailboxes.iter().any(|mailbox| reads(mailbox.id)).then_some(found)
    }

    async fn give_quota(&self, account: AccountId, quota: Quota) -> Result<(), Fail> {
        let engine = &self.shared.engine;
        let found = engine.directory(|directory| directory.account(account).map(|found| found.address.clone()));
        let address = found.ok_or_else(nonexistent)?;
        tracing::info!(administrator = %self.account(), account = %address, %quota, "imap: a quota is set");
        // What the command does not name has no limit any more (RFC 9208 section 4.1.3).
        let rules = engine.directory(|directory| directory.rules(&Scope::Account(account)).to_vec());
        let messages = rules.into_iter().filter(|rule| matches!(rule, Rule::Messages(_)));
        let scope = || ScopeName::Account(address.clone());
        let mut changes: Vec<Change> = messages.map(|rule| Change::RuleRemove { scope: scope(), rule }).collect();
        let set = AccountPatch { quota: Some(quota), ..AccountPatch::default() };
        changes.push(Change::AccountSet { address: address.clone(), set });
        for done in engine.change_directory(changes).await {
            done?;
        }
        Ok(())
    }

    /// The QUOTA response; without a limit it has no resource.
    fn write_quota(&mut self, root: &str, account: AccountId, bound: Option<Bound>) -> Result<(), Answer> {
        // Of an account that nobody has used yet there is no view.
        let held = match self.shared.engine.account(account) {
            Ok(view) => view.load(),
            Err(Error::NotFound(_)) if account != self.account() => Load::default(),
            Err(error) => return Err(error.into()),
        };
        let bound = bound.unwrap_or(Bound { bytes_max: u64::MAX, messages_max: u64::MAX });
        let storage = ("STORAGE", held.bytes.div_ceil(1024), bound.bytes_max, bound.bytes_max / 1024);
        let messages = ("MESSAGE", held.messages, bound.messages_max, bound.messages_max);
        let limited = [storage, messages].into_iter().filter(|(_, _, max, _)| *max < u64::MAX);
        let utf8 = self.names_utf8();
        let out = self.stream.output();
        out.extend_from_slice(b"* QUOTA ");
        name::write(out, root, utf8);
        out.extend_from_slice(b" (");
        for (at, (resource, used, _, limit)) in limited.enumerate() {
            out.extend_from_slice(if at > 0 { b" " } else { b"" });
            out.extend_from_slice(resource.as_bytes());
            for number in [used, limit] {
                out.push(b' ');
                out::number(out, number);
            }
        }
        out.extend_from_slice(b")\r\n");
        Ok(())
    }
}
