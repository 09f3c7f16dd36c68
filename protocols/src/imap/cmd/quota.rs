//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): each account is one quota root, with the resource STORAGE in units of 1024 bytes. An
//! account without a limit has no quota root: RFC 9208 section 7 knows no resource without a limit. What lies in a shared mailbox counts
//! for its owner, so its root is the owner's.
use crate::imap::answer::Answer;
use crate::imap::place;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::Rights;

/// The name of the session's own quota root.
const ROOT: &str = "account";

pub(in crate::imap) fn get_quota(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let root = session.name(&args.astring()?)?;
        args.end()?;
        let missing = || Answer::no("[NONEXISTENT] There is no such quota root");
        let account = session.account_of_root(&root).ok_or_else(missing)?;
        let max = session.shared.engine.quota_bytes_max(account).ok_or_else(missing)?;
        Ok(session.write_quota(&root, account, max).err().unwrap_or(Answer::ok("GETQUOTA completed")))
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
        let max = session.shared.engine.quota_bytes_max(place.account);
        let out = session.stream.output();
        out.extend_from_slice(b"* QUOTAROOT ");
        name::write(out, &place.name(), utf8);
        if max.is_some() {
            out.push(b' ');
            name::write(out, root, utf8);
        }
        out.extend_from_slice(b"\r\n");
        let written = max.map_or(Ok(()), |max| session.write_quota(root, place.account, max));
        Ok(written.err().unwrap_or(Answer::ok("GETQUOTAROOT completed")))
    })
}

pub(in crate::imap) fn set_quota(_: &mut Session, _: Request) -> Running<'_> {
    Box::pin(async { Ok(Answer::no("[NOPERM] Quotas are set by the administrator")) })
}

impl Session {
    /// Whose quota root has that name, as far as the session may know: its own, or that of an account in which it may read a mailbox.
    fn account_of_root(&self, root: &str) -> Option<AccountId> {
        let user = self.account();
        if root == ROOT {
            return Some(user);
        }
        let engine = &self.shared.engine;
        let sharers = engine.directory(|directory| directory.sharers(user));
        let named = |sharer: &posthouse_engine::directory::Sharer| place::prefix(sharer).trim_end_matches('/') == root;
        let found = sharers.into_iter().find(named)?;
        let view = engine.account(found.account).ok()?;
        let reads = |id| self.rights(found.account, id).contains(Rights::READ);
        view.mailboxes.iter().any(|mailbox| reads(mailbox.id)).then_some(found.account)
    }

    /// The QUOTA response.
    fn write_quota(&mut self, root: &str, account: AccountId, quota_bytes_max: u64) -> Result<(), Answer> {
        let used_bytes = self.shared.engine.account(account)?.used_bytes;
        let utf8 = self.names_utf8();
        let out = self.stream.output();
        out.extend_from_slice(b"* QUOTA ");
        name::write(out, root, utf8);
        out.extend_from_slice(b" (STORAGE ");
        out::number(out, used_bytes.div_ceil(1024));
        out.push(b' ');
        out::number(out, quota_bytes_max / 1024);
        out.extend_from_slice(b")\r\n");
        Ok(())
    }
}
