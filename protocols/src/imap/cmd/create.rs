//! CREATE (RFC 3501 section 6.3.3) with a special use (RFC 6154 section 3) and MAILBOXID (RFC 8474).
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::objects;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::index::SpecialUse;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        let uses = uses(&mut args)?;
        args.end()?;
        let (name, special_use) = (session.name(&name)?, special_use(&uses)?);
        // A separator at the end only says that children will follow.
        let name = name.strip_suffix('/').unwrap_or(&name);
        let account = session.account();
        let id = session.shared.engine.create_mailbox(account, name, special_use).await?;
        // RFC 8474 section 4.1.
        let mut code = b"[MAILBOXID (".to_vec();
        let made = session.shared.engine.mailbox(account, id)?;
        objects::mailbox_id(&mut code, account, &made);
        code.extend_from_slice(b")] CREATE completed");
        Ok(Answer::ok(String::from_utf8_lossy(&code).into_owned()))
    })
}

/// ` (USE (\Sent \Junk))` as names without `\`.
fn uses<'a>(args: &mut Args<'a>) -> Result<Vec<&'a str>, Answer> {
    if args.is_end() {
        return Ok(Vec::new());
    }
    args.need(" (USE ")?;
    let uses = args.list(false, |args| {
        args.need("\\")?;
        Ok(args.atom("a special use")?)
    })?;
    args.need(")")?;
    Ok(uses)
}

fn special_use(uses: &[&str]) -> Result<Option<SpecialUse>, Answer> {
    let [wanted] = uses else {
        return if uses.is_empty() {
            Ok(None)
        } else {
            Err(Answer::no("[USEATTR] A mailbox has one special use here"))
        };
    };
    let known = |use_: &SpecialUse| use_.attribute().trim_start_matches('\\').eq_ignore_ascii_case(wanted);
    match SpecialUse::ALL.into_iter().find(known) {
        Some(special_use) => Ok(Some(special_use)),
        None => Err(Answer::no("[USEATTR] That special use is not known here")),
    }
}
