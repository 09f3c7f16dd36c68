//! What fuzzing calls of the import: sources in memory. Nobody else uses it.
use super::feed::{Feeder, Load};
use super::kind::{Dates, Quoting};
use super::special::Names;
use super::uidl::{self, Ids};
use super::{How, maildir, mbox};
use crate::limits::IMPORT_AHEAD_BYTES;
use crate::room::Room;
use std::io::Read;
use std::sync::mpsc::sync_channel;

/// One message of a source.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Found {
    flags: Vec<String>,
    date: Option<i64>,
    pub(crate) message: Vec<u8>,
}

/// Every message of an mbox.
pub(crate) fn mbox(from: impl Read + Send, quoting: Quoting) -> Vec<Found> {
    let (sender, receiver) = sync_channel(2);
    let how = How {
        account: None,
        names: Names::new(None, true, &[]),
        dates: Dates::File,
        pop3_uidl: Ids::None,
        message_bytes_max: 1 << 20,
        size_bytes: 0,
    };
    let mut feeder = Feeder::new(sender, Room::new(IMPORT_AHEAD_BYTES), how);
    std::thread::scope(|threads| {
        threads.spawn(move || {
            let read = mbox::file(from, "fuzz.mbox", quoting, &mut feeder);
            assert!(read.is_ok() && feeder.flush().is_ok(), "memory can be read, and somebody takes it");
        });
        let mut found = Vec::new();
        for load in receiver {
            let Load::Messages(loaded) = load else { continue };
            let mut rest = &loaded.bytes[..];
            for message in loaded.messages {
                let (own, others) = rest.split_at(message.size as usize);
                rest = others;
                found.push(Found { flags: message.flags, date: message.date, message: own.to_vec() });
            }
        }
        found
    })
}

/// A Maildir's list of keywords, and a name in it.
pub(crate) fn maildir(text: &str) {
    let keywords = maildir::parse_keywords(text);
    let flags = maildir::parse_flags(text.as_bytes(), &keywords);
    assert!(flags.len() <= text.len());
    let mut known = uidl::Known::default();
    uidl::parse_uidlist(text.as_bytes(), &mut known);
    uidl::parse_sizelist(text.as_bytes(), &mut known);
    if let Ok(ids) = uidl::parse_format(text) {
        let _ = known.id(text.as_bytes(), &ids);
    }
}
