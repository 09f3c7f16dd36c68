//! STATUS (RFC 3501 section 6.3.10) with SIZE (RFC 8438), HIGHESTMODSEQ (RFC 7162), DELETED and DELETED-STORAGE (RFC 9208). Selects
//! nothing and takes no \Recent.
use crate::imap::answer::Answer;
use crate::imap::state::{Running, Session};
use crate::imap::table::Request;
use crate::imap::{name, out};
use imap_codec::imap_types::command::CommandBody;
use imap_codec::imap_types::status::StatusDataItemName as Item;
use posthouse_engine::base::Error;
use posthouse_engine::index::{Flags, Mailbox};

pub(in crate::imap) fn run(session: &mut Session, request: Request) -> Running<'_> {
    Box::pin(async move {
        let CommandBody::Status { mailbox, item_names } = &request.body else {
            return Ok(Answer::bad("STATUS: a mailbox name and items are expected"));
        };
        let found = name::decode(mailbox).and_then(|name| session.mailbox_named(&name));
        let mailbox = match found {
            Ok(mailbox) => mailbox,
            Err(answer) => return Ok(answer),
        };
        if item_names.contains(&Item::HighestModSeq) {
            session.enable_condstore();
        }
        let out = session.stream.output();
        out.extend_from_slice(b"* STATUS ");
        name::write(out, &mailbox.name);
        out.extend_from_slice(b" (");
        for (at, item) in item_names.iter().enumerate() {
            let (label, value) = match value(&mailbox, item) {
                Ok(found) => found,
                Err(error) => {
                    out.extend_from_slice(b")\r\n");
                    return Ok(error.into());
                }
            };
            out.extend_from_slice(if at > 0 { b" " } else { b"" });
            out.extend_from_slice(label);
            out.push(b' ');
            out::number(out, value);
        }
        out.extend_from_slice(b")\r\n");
        Ok(Answer::ok("STATUS completed"))
    })
}

fn value(mailbox: &Mailbox, item: &Item) -> Result<(&'static [u8], u64), Error> {
    let messages = mailbox.entries.len() as u64;
    Ok(match item {
        Item::Messages => (b"MESSAGES", messages),
        Item::Recent => (b"RECENT", messages - mailbox.entries.lower_bound(mailbox.recent_from)? as u64),
        Item::UidNext => (b"UIDNEXT", mailbox.uid_next.0.into()),
        Item::UidValidity => (b"UIDVALIDITY", mailbox.uid_validity.into()),
        Item::Unseen => (b"UNSEEN", mailbox.unseen.into()),
        Item::Deleted => (b"DELETED", mailbox.deleted.into()),
        Item::DeletedStorage => (b"DELETED-STORAGE", deleted_bytes(mailbox)?),
        Item::Size => (b"SIZE", mailbox.size_bytes),
        Item::HighestModSeq => (b"HIGHESTMODSEQ", mailbox.highest_modseq.0),
    })
}

fn deleted_bytes(mailbox: &Mailbox) -> Result<u64, Error> {
    let mut sum = 0;
    if mailbox.deleted > 0 {
        for entry in mailbox.entries.range(0..mailbox.entries.len()) {
            let entry = entry?;
            if entry.flags.contains(Flags::DELETED) {
                sum += u64::from(entry.size_bytes);
            }
        }
    }
    Ok(sum)
}
