//! The way out: a mailbox's messages in pieces, all from one view of it. A message that cannot be read is named, and the next one comes.
use super::{Answer, Outgoing};
use crate::limits::{BULK_BYTES, BULK_MESSAGES_MAX};
use crate::ops::Failure;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, MailboxId, Uid};
use posthouse_engine::index::{Entry, Flags, Mailbox, Uidls};
use std::sync::Arc;

/// The view that is being read.
pub(super) struct Reading {
    account: AccountId,
    view: Arc<Mailbox>,
    pop3_uidls: Arc<Uidls>,
}

/// The messages after uid `after`, up to `BULK_BYTES` of them or one that is larger.
pub(super) fn fetch(
    engine: &Engine,
    reading: &mut Option<Reading>,
    account: AccountId,
    mailbox: u32,
    after: u32,
) -> Result<(Answer, Vec<u8>), Failure> {
    let same = |it: &&mut Reading| after > 0 && it.account == account && it.view.id.0 == mailbox;
    let (view, pop3_uidls) = match reading.as_mut().filter(same) {
        Some(reading) => (reading.view.clone(), reading.pop3_uidls.clone()),
        None => {
            let view = engine.mailbox(account, MailboxId(mailbox))?;
            let pop3_uidls = Arc::new(view.pop3_uidls());
            *reading = Some(Reading { account, view: view.clone(), pop3_uidls: pop3_uidls.clone() });
            (view, pop3_uidls)
        }
    };
    let from = match after.checked_add(1) {
        Some(uid) => view.entries.lower_bound(Uid(uid))?,
        None => view.entries.len(),
    };
    let (mut messages, mut bytes) = (Vec::new(), Vec::new());
    let mut next = None;
    for entry in view.entries.range(from..view.entries.len()) {
        let entry = entry?;
        let full = bytes.len() + entry.size_bytes as usize > BULK_BYTES || messages.len() >= BULK_MESSAGES_MAX;
        if full && !messages.is_empty() {
            next = messages.last().map(|last: &Outgoing| last.uid);
            break;
        }
        let flags = flag_names(&view, &entry);
        let pop3_uidl = pop3_uidls.get(entry.uid).map(str::to_owned);
        let (uid, date) = (entry.uid.0, entry.internal_date);
        let mut out = Outgoing { uid, size: 0, flags, date, pop3_uidl, unreadable: None };
        match engine.message_here(account, &entry) {
            Ok(message) => {
                out.size = message.len() as u64;
                bytes.extend_from_slice(&message);
            }
            Err(why) => out.unreadable = Some(why.to_string()),
        }
        messages.push(out);
    }
    Ok((Answer::Fetched { messages, next }, bytes))
}

/// System flags in the order of their bits, then keywords in the order of the mailbox's table.
pub(crate) fn flag_names(view: &Mailbox, entry: &Entry) -> Vec<String> {
    let system = Flags::NAMES.iter().filter(|(flag, _)| entry.flags.contains(*flag)).map(|(_, name)| *name);
    let keywords = view.keywords.iter().enumerate().filter(|(bit, _)| entry.keywords.0 >> bit & 1 == 1);
    let mut names: Vec<String> = system.map(str::to_owned).collect();
    let mut keywords: Vec<String> = keywords.map(|(_, name)| name.clone()).collect();
    // The table's order is an accident of history; the same keywords shall look the same after a journey.
    keywords.sort_unstable();
    names.append(&mut keywords);
    names
}
