//! LSUB (RFC 3501 section 6.3.9): what is subscribed, whether it exists or not. With `%`, a level above something subscribed is
//! listed as \Noselect.
use crate::imap::answer::Answer;
use crate::imap::name;
use crate::imap::pattern::Pattern;
use crate::imap::place;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::limits;
use crate::session::Work;
use posthouse_engine::directory::Rights;
use posthouse_engine::index::Account;
use std::collections::{BTreeMap, HashSet};
use std::io;

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let reference = args.astring()?.into_owned();
        args.space()?;
        let pattern = args.list_mailbox()?.into_owned();
        args.end()?;
        let patterns = session.patterns(&reference, &[pattern])?;
        let account = session.shared.engine.account(session.account())?;
        for pattern in &patterns {
            session.lsub(&account, pattern).await?;
        }
        Ok(Answer::ok("LSUB completed"))
    })
}

impl Session {
    async fn lsub(&mut self, account: &Account, pattern: &Pattern) -> io::Result<()> {
        let (utf8, mut work) = (self.names_utf8(), Work::default());
        for (name, selectable) in self.matching(account, pattern).await {
            let out = self.stream.output();
            out.extend_from_slice(if selectable { b"* LSUB () \"/\" " } else { b"* LSUB (\\Noselect) \"/\" " });
            name::write(out, name, utf8);
            out.extend_from_slice(b"\r\n");
            self.stream.flush_if_large().await?;
            work.did(limits::IMAP_LOOK_UP_WORK_BYTES).await;
        }
        Ok(())
    }

    /// Names to list, and whether each is a mailbox that is subscribed and may be seen.
    async fn matching<'a>(&self, account: &'a Account, pattern: &Pattern) -> BTreeMap<&'a str, bool> {
        let (mut own, mut found, mut work) = (HashSet::new(), BTreeMap::new(), Work::default());
        for mailbox in &account.mailboxes {
            own.insert(&*mailbox.name);
            work.did(mailbox.name.len()).await;
        }
        for subscribed in account.subscriptions.iter().map(|name| &**name) {
            work.did(limits::IMAP_LOOK_UP_WORK_BYTES + pattern.steps(subscribed)).await;
            if pattern.matches(subscribed) {
                let may_be_seen =
                    || self.place_named(subscribed).is_ok_and(|place| place.rights.contains(Rights::LOOKUP));
                let is_there = own.contains(subscribed) || place::may_be_of_others(subscribed) && may_be_seen();
                found.insert(subscribed, is_there);
                continue;
            }
            for (at, _) in subscribed.match_indices('/') {
                let above = &subscribed[..at];
                work.did(pattern.steps(above)).await;
                if !account.subscriptions.contains(above) && pattern.matches(above) {
                    found.insert(above, false);
                }
            }
        }
        found
    }
}
