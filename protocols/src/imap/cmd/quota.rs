//! GETQUOTA, GETQUOTAROOT and SETQUOTA (RFC 9208): one quota root, the account, with the resource STORAGE in units of 1024 bytes. An
//! account without a limit has no quota root: RFC 9208 section 7 knows no resource without a limit.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};

/// The name of the one quota root.
const ROOT: &str = "account";

pub(in crate::imap) fn get_quota(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let root = args.astring()?;
        args.end()?;
        let max = session.shared.engine.quota_bytes_max(session.account());
        let (true, Some(max)) = (*root == *ROOT.as_bytes(), max) else {
            return Ok(Answer::no("[NONEXISTENT] There is no such quota root"));
        };
        Ok(session.write_quota(max).err().unwrap_or(Answer::ok("GETQUOTA completed")))
    })
}

pub(in crate::imap) fn get_quota_root(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        args.end()?;
        let mailbox = session.mailbox_named(&session.name(&name)?)?;
        let utf8 = session.names_utf8();
        let max = session.shared.engine.quota_bytes_max(session.account());
        let out = session.stream.output();
        out.extend_from_slice(b"* QUOTAROOT ");
        name::write(out, &mailbox.name, utf8);
        if max.is_some() {
            out.push(b' ');
            out.extend_from_slice(ROOT.as_bytes());
        }
        out.extend_from_slice(b"\r\n");
        let written = max.map_or(Ok(()), |max| session.write_quota(max));
        Ok(written.err().unwrap_or(Answer::ok("GETQUOTAROOT completed")))
    })
}

pub(in crate::imap) fn set_quota(_: &mut Session, _: Request) -> Running<'_> {
    Box::pin(async { Ok(Answer::no("[NOPERM] Quotas are set by the administrator")) })
}

impl Session {
    /// The QUOTA response.
    fn write_quota(&mut self, quota_bytes_max: u64) -> Result<(), Answer> {
        let used_bytes = self.shared.engine.account(self.account())?.used_bytes;
        let out = self.stream.output();
        out.extend_from_slice(b"* QUOTA ");
        out.extend_from_slice(ROOT.as_bytes());
        out.extend_from_slice(b" (STORAGE ");
        out::number(out, used_bytes.div_ceil(1024));
        out.push(b' ');
        out::number(out, quota_bytes_max / 1024);
        out.extend_from_slice(b")\r\n");
        Ok(())
    }
}
