//! What a restart finds of what was promised: all of it, an error that names its place, or less than that. Anything else, such as wrong bytes
//! or wrong sums, fails the test at once.
use crate::help::address;
use crate::workload::Shape;
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Error, Flags, MailboxId, Uid, UidSet};
use posthouse_engine::disk::Disk;
use posthouse_engine::index::Entry;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What callers were promised: uid -> (message, seen) in each INBOX; no INBOX before the members were made.
#[derive(Clone, Default)]
pub struct Promise {
    pub inboxes: Vec<BTreeMap<u32, (u32, bool)>>,
    /// The message whose answer was that the store has closed itself.
    pub unsure: Option<u32>,
    /// The uids that were being expunged then.
    pub vanishing: UidSet,
}

/// What is there.
#[derive(Debug)]
#[expect(dead_code, reason = "the texts are for who reads a failed test")]
pub enum Verdict {
    Whole,
    /// The store does not open.
    Closed(String),
    /// Something cannot be read.
    Unreadable(String),
    /// Something that was answered is not there, and nothing says so.
    Lost(String),
}

/// The place that an error names.
fn named(why: &Error, case: &str) -> String {
    let text = why.to_string();
    let names = matches!(why, Error::Corrupt { .. } | Error::Io { .. } | Error::NotFound(_));
    assert!(names, "{case}: an error that names its place expected: {text}");
    text
}

/// Opens the store and compares.
pub fn inspect(disk: &Arc<dyn Disk>, shape: &Shape, promise: &Promise, case: &str) -> Verdict {
    let engine = match shape.open(disk) {
        Ok(engine) => engine,
        Err(why) => return Verdict::Closed(named(&why, case)),
    };
    let mut verdict = Verdict::Whole;
    for at in 0..promise.inboxes.len() {
        let address = address(&format!("m{at}@example.test"));
        let found = engine.directory(|all| all.account_at(&address).map(|found| found.id));
        let Some(id) = found else { return Verdict::Lost(format!("{case}: member {at}")) };
        match account(&engine, id, shape, promise, at, case) {
            Verdict::Whole => {}
            other => verdict = other,
        }
    }
    verdict
}

fn account(engine: &Engine, id: AccountId, shape: &Shape, promise: &Promise, at: usize, case: &str) -> Verdict {
    let inbox = &promise.inboxes[at];
    let account = match engine.account(id) {
        Ok(account) => account,
        Err(Error::NotFound(_)) if inbox.is_empty() => return Verdict::Whole,
        Err(Error::NotFound(_)) => return Verdict::Lost(format!("{case}: account {id}")),
        Err(why) => return Verdict::Unreadable(named(&why, case)),
    };
    let view = account.mailbox(MailboxId::INBOX).expect("INBOX");
    let (mut found, mut bytes, mut before) = (BTreeMap::new(), 0, 0);
    for entry in view.entries.range(0..view.entries.len()) {
        let entry = match entry {
            Ok(entry) => entry,
            Err(why) => return Verdict::Unreadable(named(&why, case)),
        };
        assert!(entry.uid.0 > before && entry.uid < view.uid_next, "{case}: uids grow");
        assert!(entry.modseq <= view.highest_modseq, "{case}: modseqs are bounded");
        before = entry.uid.0;
        bytes += u64::from(entry.size_bytes);
        found.insert(entry.uid.0, entry);
    }
    assert_eq!(account.used_bytes, bytes, "{case}: usage is the sum of the sizes");
    let mut verdict = Verdict::Whole;
    for (uid, (number, seen)) in inbox {
        match found.remove(uid) {
            None if at == 0 && promise.vanishing.contains(Uid(*uid)) => {}
            None => verdict = Verdict::Lost(format!("{case}: uid {uid}")),
            Some(entry) if *seen && !entry.flags.contains(Flags::SEEN) => {
                verdict = Verdict::Lost(format!("{case}: flags of uid {uid}"));
            }
            Some(entry) => {
                if let Some(why) = content(engine, id, &entry, &shape.message(*number), case) {
                    return Verdict::Unreadable(why);
                }
            }
        }
    }
    if found.len() > usize::from(promise.unsure.is_some()) {
        // An expunge that was answered is gone, so that its entry is back.
        verdict = Verdict::Lost(format!("{case}: {} entries more than answered", found.len()));
    }
    verdict
}

/// Why the message cannot be read; one that can is what was sent.
fn content(engine: &Engine, id: AccountId, entry: &Entry, sent: &[u8], case: &str) -> Option<String> {
    match engine.message(id, entry).wait() {
        Ok(stored) => {
            assert!(stored[..] == [&b"Return-Path: <>\r\n"[..], sent].concat(), "{case}: wrong bytes of {}", entry.uid);
            None
        }
        Err(why) => Some(named(&why, case)),
    }
}
