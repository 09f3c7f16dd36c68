//! CREATE (RFC 3501 section 6.3.3) with a special use (RFC 6154 section 3) and MAILBOXID (RFC 8474).
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::objects;
use crate::imap::place::{self, Home};
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use posthouse_engine::base::{Error, MailboxId};
use posthouse_engine::directory::{AclChange, Change, Directory, Rights};
use posthouse_engine::index::{Account, SpecialUse};

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
        let home = session.home(name)?.ok_or_else(|| place::no_permission(Rights::CREATE))?;
        session.may_make(&home)?;
        if special_use.is_some() && home.account != session.account() {
            return Ok(Answer::no("[USEATTR] Special uses are the owner's to give"));
        }
        let account = home.account;
        let lists = session.lists_above(&home);
        let before = session.shared.engine.account(account)?;
        let id = session.shared.engine.create_mailbox(account, &home.rest, special_use).await?;
        session.has_named(&format!("{}{}", home.prefix, home.rest), Some(true));
        session.forget_lists(&before).await?;
        session.inherit(&home, lists).await;
        // RFC 8474 section 4.1.
        let mut code = b"[MAILBOXID (".to_vec();
        let made = session.shared.engine.mailbox(account, id)?;
        objects::mailbox_id(&mut code, account, &made);
        code.extend_from_slice(b")] CREATE completed");
        Ok(Answer::ok(String::from_utf8_lossy(&code).into_owned()))
    })
}

impl Session {
    /// The mailbox above a new one whose access control list it gets, if that has one; and how long its name is.
    fn lists_above(&self, home: &Home) -> Option<(MailboxId, usize)> {
        let view = self.shared.engine.account(home.account).ok()?;
        let above = home.rest.rmatch_indices('/').map(|(at, _)| at);
        let found = above.into_iter().find_map(|at| Some((view.mailbox_named(&home.rest[..at])?.id, at)));
        let (id, len) = found?;
        let has_list = |directory: &Directory| directory.grants(home.account, id).next().is_some();
        self.shared.engine.directory(has_list).then_some((id, len))
    }

    /// A number is never given again, but a repair may have lost what was made last: what was shared then is not what is made now.
    async fn forget_lists(&self, before: &Account) -> Result<(), Error> {
        let owner = before.id;
        let now = self.shared.engine.account(owner)?;
        let made: Vec<MailboxId> = now.mailboxes.iter().map(|mailbox| mailbox.id).collect();
        let made = made.into_iter().filter(|id| before.mailbox(*id).is_none());
        let listed: Vec<MailboxId> = self
            .shared
            .engine
            .directory(|directory| made.filter(|id| directory.grants(owner, *id).next().is_some()).collect());
        let changes = listed.into_iter().map(|mailbox| Change::Acl(AclChange::Clear { owner, mailbox })).collect();
        self.shared.engine.change_directory(changes).await.into_iter().try_for_each(|answer| answer.map(drop))
    }

    /// New mailboxes have the list of the one above (RFC 4314 section 4 leaves it open). Should the server stop in between, they have
    /// none: only their owner sees them.
    async fn inherit(&self, home: &Home, lists: Option<(MailboxId, usize)>) {
        let Some((from, len)) = lists else { return };
        let Ok(view) = self.shared.engine.account(home.account) else { return };
        let ends = home.rest.match_indices('/').map(|(at, _)| at).chain([home.rest.len()]);
        let made = ends.filter(|end| *end > len).filter_map(|end| view.mailbox_named(&home.rest[..end]));
        let owner = home.account;
        let change = |to: MailboxId| Change::Acl(AclChange::Inherit { owner, from, to });
        let changes: Vec<Change> = made.map(|mailbox| change(mailbox.id)).collect();
        for answer in self.shared.engine.change_directory(changes).await {
            if let Err(error) = answer {
                tracing::warn!(%error, "imap: a new mailbox could not get the list of the one above");
            }
        }
    }
}

/// ` (USE (\Sent \Junk))` as names without `\`.
fn uses<'a>(args: &mut Args<'a>) -> Result<Vec<&'a str>, Answer> {
    if args.is_end() {
        return Ok(Vec::new());
    }
    args.space()?;
    args.need("(USE")?;
    args.space()?;
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
