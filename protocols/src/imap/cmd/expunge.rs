//! EXPUNGE (RFC 3501 section 6.4.3) and UID EXPUNGE (RFC 4315 section 2.1).
use crate::imap::answer::Answer;
use crate::imap::message_limit::Cut;
use crate::imap::near;
use crate::imap::set::{self, Positions};
use crate::imap::state::{Running, Session};
use crate::imap::sync::Telling;
use crate::imap::table::Request;
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, Error, MailboxId, Uid};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Flags, Mailbox, UidSet};

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        let set = match request.is_uid() {
            true => {
                args.space()?;
                Some(args.set()?)
            }
            false => None,
        };
        args.end()?;
        let selected = session.selected()?;
        if selected.read_only {
            return Ok(read_only());
        }
        session.need_selected(Rights::EXPUNGE)?;
        let (account, mailbox) = (selected.account, selected.mailbox);
        let mut uids = set.map(|set| set::uids_of(&set, selected.numbers())).transpose()?;
        let mut cut = None;
        if let Some(uids) = &mut uids {
            cut = session.cut_deleted(account, mailbox, uids).await?;
        }
        let gone = session.expunge_all(account, mailbox, uids).await?;
        let telling = Telling { expunges: true, uid: request.is_uid(), claim: true, asked: true };
        session.tell(telling, None).await?;
        let nothing = gone.is_empty();
        let answer = if nothing { Answer::ok("EXPUNGE completed") } else { session.with_modseq("EXPUNGE completed") };
        Ok(session.with_cut(cut, answer))
    })
}

impl Session {
    /// Leaves of the uids that UID EXPUNGE names those of \Deleted messages, the highest ones, if they are more than a command works on. EXPUNGE
    /// itself has no limit (RFC 9738 section 3.1).
    async fn cut_deleted(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &mut UidSet,
    ) -> Result<Option<Cut>, Error> {
        let limit = self.shared.message_limit;
        let view = self.shared.engine.mailbox(account, mailbox)?;
        if !limit.cuts || view.deleted <= limit.messages_max {
            return Ok(None);
        }
        let mut deleted = deleted_among(uids, &view).await?;
        let cut = self.cut(&mut deleted, &view.entries)?;
        *uids = set::uids_at(&deleted, &view.entries)?;
        Ok(cut)
    }

    /// Removes what is \Deleted, among the uids or in all of the mailbox; very many messages in several transactions, as STORE does it. In a large
    /// mailbox they are looked for here: while the committer does that, the shard commits nothing.
    pub(super) async fn expunge_all(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: Option<UidSet>,
    ) -> Result<UidSet, Error> {
        let engine = &self.shared.engine;
        let view = engine.mailbox(account, mailbox)?;
        if view.deleted > 0 {
            let positions = uids.as_ref().map(|uids| set::uid_positions(uids, &view.entries)).transpose()?;
            let everything = std::iter::once(0..view.entries.len()).collect();
            near::bring_all(self, account, &view, &positions.unwrap_or(everything)).await;
        }
        if view.deleted == 0 || view.entries.len() <= limits::COMMIT_MESSAGES_MAX {
            return engine.expunge(account, mailbox, uids).await;
        }
        let all = UidSet::range(Uid(1), Uid(u32::MAX));
        let deleted = deleted_among(uids.as_ref().unwrap_or(&all), &view).await?;
        let mut gone = UidSet::new();
        for group in set::groups(&deleted, limits::COMMIT_MESSAGES_MAX) {
            let uids = set::uids_at(&group, &view.entries)?;
            let some = engine.expunge(account, mailbox, Some(uids)).await?;
            some.ranges().iter().for_each(|&(first, last)| gone.push_range(first, last));
        }
        Ok(gone)
    }

    /// OK with HIGHESTMODSEQ for a client that wants to know from where on it is to resynchronise (RFC 7162 section 3.2.8).
    pub(super) fn with_modseq(&self, text: &'static str) -> Answer {
        match &self.selected {
            Some(selected) if self.enabled.condstore => {
                Answer::ok(format!("[HIGHESTMODSEQ {}] {text}", selected.data().highest_modseq))
            }
            _ => Answer::ok(text),
        }
    }
}

/// Where messages of these uids stand that are \Deleted.
async fn deleted_among(uids: &UidSet, view: &Mailbox) -> Result<Positions, Error> {
    let mut deleted: Positions = Vec::new();
    let positions = set::uid_positions(uids, &view.entries)?;
    for (number, group) in set::groups(&positions, limits::IMAP_BATCH_MESSAGES).enumerate() {
        if number > 0 {
            yield_now().await;
        }
        for (at, entry) in set::entries(&group, &view.entries) {
            if entry?.flags.contains(Flags::DELETED) {
                set::push(&mut deleted, at);
            }
        }
    }
    Ok(deleted)
}

/// The answer to whoever wants to change a mailbox that EXAMINE has opened.
pub(super) fn read_only() -> Answer {
    Answer::no("[CANNOT] The mailbox has been opened read-only")
}
