//! STATUS (RFC 3501 section 6.3.10) with SIZE (RFC 8438), HIGHESTMODSEQ (RFC 7162), DELETED and DELETED-STORAGE (RFC 9208), MAILBOXID (RFC
//! 8474) and APPENDLIMIT (RFC 7889). Selects nothing and takes no \Recent.
use crate::imap::answer::Answer;
use crate::imap::args::Args;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, near, objects, out};
use crate::limits;
use crate::runtime::yield_now;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::directory::Rights;
use posthouse_engine::index::{Flags, Mailbox};

/// One thing asked of a mailbox.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::imap) enum Item {
    Messages,
    Recent,
    UidNext,
    UidValidity,
    Unseen,
    Deleted,
    DeletedStorage,
    Size,
    HighestModSeq,
    AppendLimit,
    MailboxId,
}

const ITEMS: [(&str, Item); 11] = [
    ("MESSAGES", Item::Messages),
    ("RECENT", Item::Recent),
    ("UIDNEXT", Item::UidNext),
    ("UIDVALIDITY", Item::UidValidity),
    ("UNSEEN", Item::Unseen),
    ("DELETED", Item::Deleted),
    ("DELETED-STORAGE", Item::DeletedStorage),
    ("SIZE", Item::Size),
    ("HIGHESTMODSEQ", Item::HighestModSeq),
    ("APPENDLIMIT", Item::AppendLimit),
    ("MAILBOXID", Item::MailboxId),
];

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let mut args = request.args();
        args.space()?;
        let name = args.astring()?;
        args.space()?;
        let items = items(&mut args)?;
        args.end()?;
        let place = session.place_for(&session.name(&name)?, Rights::READ)?;
        session.write_status(&place.name(), place.account, &place.mailbox, &items).await?;
        Ok(Answer::ok("STATUS completed"))
    })
}

/// `(MESSAGES UNSEEN ...)`, each once.
pub(super) fn items(args: &mut Args<'_>) -> Result<Vec<Item>, Answer> {
    let mut items = Vec::new();
    args.list(true, |args| {
        let start = args.clone();
        let name = args.atom("an item of STATUS")?;
        match ITEMS.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)) {
            Some((_, item)) if items.contains(item) => {}
            Some((_, item)) => items.push(*item),
            None => start.wrong("an item of STATUS")?,
        }
        Ok(())
    })?;
    Ok(items)
}

impl Session {
    /// The STATUS response.
    pub(super) async fn write_status(
        &mut self,
        name: &str,
        account: AccountId,
        mailbox: &Mailbox,
        items: &[Item],
    ) -> Result<(), Answer> {
        if items.contains(&Item::HighestModSeq) {
            self.enable_condstore();
        }
        let deleted_bytes =
            if items.contains(&Item::DeletedStorage) { self.deleted_bytes(account, mailbox).await? } else { 0 };
        self.write_status_now(name, account, mailbox, items, deleted_bytes)
    }

    /// What the messages of a mailbox that are \Deleted have in bytes; nobody keeps count of them.
    async fn deleted_bytes(&self, account: AccountId, mailbox: &Mailbox) -> Result<u64, Error> {
        let (mut sum, mut left) = (0, mailbox.deleted);
        for start in (0..mailbox.entries.len()).step_by(limits::IMAP_BATCH_MESSAGES) {
            if left == 0 {
                break;
            }
            let piece = start..mailbox.entries.len().min(start + limits::IMAP_BATCH_MESSAGES);
            near::bring_entries(self, account, mailbox, std::slice::from_ref(&piece)).await;
            for entry in mailbox.entries.range(piece) {
                let entry = entry?;
                if entry.flags.contains(Flags::DELETED) {
                    sum += u64::from(entry.size_bytes);
                    left = left.saturating_sub(1);
                }
            }
            yield_now().await;
        }
        Ok(sum)
    }

    /// The same without having been asked: it is not the client that has used MODSEQ (RFC 7162 section 3.1). `deleted_bytes`: DELETED-STORAGE.
    pub(in crate::imap) fn write_status_now(
        &mut self,
        name: &str,
        account: AccountId,
        mailbox: &Mailbox,
        items: &[Item],
        deleted_bytes: u64,
    ) -> Result<(), Answer> {
        let reader = (account != self.account()).then(|| self.account());
        let mut line = b"* STATUS ".to_vec();
        name::write(&mut line, name, self.names_utf8());
        line.extend_from_slice(b" (");
        for (at, item) in items.iter().enumerate() {
            line.extend_from_slice(if at > 0 { b" " } else { b"" });
            let label = ITEMS.iter().find(|(_, known)| known == item).map_or("", |(label, _)| label);
            line.extend_from_slice(label.as_bytes());
            line.push(b' ');
            match item {
                Item::MailboxId => {
                    line.push(b'(');
                    objects::mailbox_id(&mut line, account, mailbox);
                    line.push(b')');
                }
                Item::AppendLimit => out::number(&mut line, self.shared.message_size_bytes_max),
                Item::Unseen => out::number(&mut line, mailbox.unseen_for(reader)),
                Item::DeletedStorage => out::number(&mut line, deleted_bytes),
                _ => out::number(&mut line, value(mailbox, *item)?),
            }
        }
        line.extend_from_slice(b")\r\n");
        self.stream.output().append(&mut line);
        Ok(())
    }
}

fn value(mailbox: &Mailbox, item: Item) -> Result<u64, Error> {
    let messages = mailbox.entries.len() as u64;
    Ok(match item {
        Item::Messages => messages,
        Item::Recent => messages - mailbox.entries.lower_bound(mailbox.recent_from)? as u64,
        Item::UidNext => mailbox.uid_next.0.into(),
        Item::UidValidity => mailbox.uid_validity.into(),
        Item::Deleted => mailbox.deleted.into(),
        Item::Size => mailbox.size_bytes,
        Item::HighestModSeq => mailbox.highest_modseq.0,
        Item::Unseen | Item::DeletedStorage | Item::AppendLimit | Item::MailboxId => 0,
    })
}
