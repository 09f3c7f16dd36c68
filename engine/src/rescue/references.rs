//! Whether each event that names a message names one that is there: of that Guid and size. Remembers what it has just seen, and looks up the
//! rest; of what is missing only the places, since an entry that is gone again needs no message.
use super::heads::Heads;
use super::places::Places;
use crate::base::{Guid, Locator, Result};
use crate::format::{Event, Mending};
use crate::index::{Account, Entry};
use std::collections::HashMap;

/// Messages remembered: those of some groups.
const RECENT_MAX: usize = 4096;

pub(super) struct References<'a> {
    pub(super) heads: Heads<'a>,
    recent: HashMap<Locator, (Guid, u32)>,
}

impl<'a> References<'a> {
    pub(super) fn new(heads: Heads<'a>) -> References<'a> {
        References { heads, recent: HashMap::new() }
    }

    /// A message frame was read.
    pub(super) fn saw(&mut self, at: Locator, guid: Guid, size_bytes: u32) {
        if self.recent.len() >= RECENT_MAX {
            self.recent.clear();
        }
        self.recent.insert(at, (guid, size_bytes));
    }

    /// Adds the places that these events name and where no such message is.
    pub(super) fn check(&mut self, events: &[Event], lost: &mut Places) {
        for event in events {
            match event {
                Event::Delivered { guid, locator, size_bytes, .. }
                | Event::Queued { guid, locator, size_bytes, .. } => self.one(*locator, *guid, *size_bytes, lost),
                Event::Mending(Mending::EntriesPut { entries, .. }) => {
                    for entry in entries.chunks_exact(Entry::BYTES).filter_map(|bytes| Entry::decode(bytes).ok()) {
                        self.one(entry.locator, entry.guid, entry.size_bytes, lost);
                    }
                }
                _ => {}
            }
        }
    }

    /// The same for entries of an account that a checkpoint holds.
    pub(super) fn check_account(&mut self, account: &Account, lost: &mut Places) -> Result<()> {
        for mailbox in &account.mailboxes {
            for entry in mailbox.entries.range(0..mailbox.entries.len()) {
                let entry = entry?;
                self.one(entry.locator, entry.guid, entry.size_bytes, lost);
            }
        }
        Ok(())
    }

    /// One message.
    pub(super) fn one(&mut self, at: Locator, guid: Guid, size_bytes: u32, lost: &mut Places) {
        if lost.why(at).is_some() {
            return;
        }
        let found = self.recent.get(&at).copied().map_or_else(|| self.heads.message(at), Ok);
        let why = match found {
            Ok(found) if found == (guid, size_bytes) => return,
            Ok((other, bytes)) => format!("message {other} of {bytes} bytes stands there, not {guid} of {size_bytes}"),
            Err(why) => why,
        };
        lost.add(at.segment, u64::from(at.offset)..u64::from(at.offset) + 1, &why);
    }
}
