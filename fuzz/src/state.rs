//! What must hold in every account, whatever events made it, and whether two accounts are the same. A sample of a shard's events, and
//! its index part.
use posthouse_engine::base::{
    AccountId, FlagMode, Flags, Guid, Keywords, Locator, Lsn, MailboxId, ModSeq, QueueId, SegmentId, ShardId,
    SpecialUse, Uid, UidSet,
};
use posthouse_engine::format::{DeliveredTo, Event};
use posthouse_engine::index::{Account, Accounts, Entry, Mailbox, PartWriter};
use posthouse_engine::queue::{DeliverBy, NewQueueItem, Queue, QueueRecipient, Terms, TlsDemand};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All entries of a mailbox.
pub fn entries(mailbox: &Mailbox) -> Vec<Entry> {
    let entries = mailbox.entries.range(0..mailbox.entries.len());
    entries.map(|entry| entry.expect("a readable entry")).collect()
}

/// Proves sums, counts and order.
pub fn check_sums(account: &Account) {
    let (mut used_bytes, mut messages) = (0, 0);
    for mailbox in &account.mailboxes {
        let entries = entries(mailbox);
        let size_bytes: u64 = entries.iter().map(|entry| u64::from(entry.size_bytes)).sum();
        let lacking = |flag| entries.iter().filter(|entry| !entry.flags.contains(flag)).count();
        assert_eq!(mailbox.size_bytes, size_bytes, "size of {}", mailbox.name);
        assert_eq!(mailbox.unseen as usize, lacking(Flags::SEEN), "unseen of {}", mailbox.name);
        assert_eq!(mailbox.deleted as usize, entries.len() - lacking(Flags::DELETED), "deleted of {}", mailbox.name);
        assert!(entries.is_sorted_by(|a, b| a.uid < b.uid), "uids of {}", mailbox.name);
        let last = entries.last();
        assert!(last.is_none_or(|last| last.uid < mailbox.uid_next), "uids of {}", mailbox.name);
        let modseq_max = entries.iter().map(|entry| entry.modseq).max();
        assert!(modseq_max.is_none_or(|max| max <= mailbox.highest_modseq), "modseqs of {}", mailbox.name);
        used_bytes += size_bytes;
        messages += entries.len() as u64;
    }
    assert_eq!((account.used_bytes, account.messages), (used_bytes, messages), "sums of account {}", account.id);
}

/// Proves that two views of an account say the same.
pub fn assert_same(a: &Account, b: &Account) {
    let head = |x: &Account| {
        (
            x.id,
            x.used_bytes,
            x.messages,
            x.mailbox_next,
            x.uid_validity_next,
            x.subscriptions.clone(),
            x.mailboxes.len(),
        )
    };
    assert_eq!(head(a), head(b));
    for (a, b) in a.mailboxes.iter().zip(&b.mailboxes) {
        let head = |x: &Mailbox| {
            let counts = (x.unseen, x.deleted, x.size_bytes, x.recent_from);
            (
                x.id,
                x.name.clone(),
                x.uid_validity,
                x.uid_next,
                x.highest_modseq,
                x.special_use,
                x.keywords.clone(),
                counts,
            )
        };
        assert_eq!(head(a), head(b));
        assert_eq!(entries(a), entries(b), "entries of {}", a.name);
    }
}

/// An index part with these accounts and this queue.
pub fn write_part(accounts: &[Arc<Account>], queue: &Queue) -> Vec<u8> {
    let mut file = Vec::new();
    let mut sink = |bytes: &[u8]| {
        file.extend_from_slice(bytes);
        Ok(())
    };
    let mut writer = PartWriter::new(ShardId(0), 1, BTreeSet::new(), &mut sink).expect("a sink that takes all");
    accounts.iter().for_each(|account| writer.account(account).expect("written"));
    writer.finish(Lsn(64), queue.pieces(), &[]).expect("written");
    file
}

/// The index part after `events`.
pub fn part() -> Vec<u8> {
    let (mut accounts, mut queue) = (Accounts::default(), Queue::default());
    for event in Event::decode_all(&events()).expect("good events") {
        accounts.apply(&event).and_then(|()| queue.apply(&event)).expect("events that follow each other");
    }
    write_part(&accounts.take_dirty(), &queue)
}

/// What waits for another host, with all that its sender may ask for.
fn queued(account: AccountId) -> NewQueueItem {
    let recipient = QueueRecipient { address: "a@b.example".into(), notify: 3, orcpt: String::new() };
    let by = DeliverBy { at: 12, returns: true, trace: true };
    NewQueueItem {
        account: Some(account),
        sender: "c@d".into(),
        recipients: vec![recipient],
        ret: 1,
        utf8: true,
        envelope_id: "e".into(),
        passed: vec!["ann@z.example".into()],
        terms: Terms { hold_until: 9, deliver_by: Some(by), priority: -4, binary: true },
        tls: TlsDemand::Required,
        arrival: None,
        origin: None,
    }
}

/// A life of one account.
pub fn events() -> Vec<u8> {
    let (account, mailbox) = (AccountId(1), MailboxId(1));
    let (guid, locator) = (Guid([9; 16]), Locator { segment: SegmentId(1), offset: 64 });
    let to = |uid, modseq| DeliveredTo {
        account,
        mailbox,
        uid: Uid(uid),
        modseq: ModSeq(modseq),
        flags: Flags::NONE,
        keywords: Keywords(0),
    };
    let delivered =
        |to| Event::Delivered { guid, locator, size_bytes: 500, internal_date: -1, save_date: 1, to: vec![to] };
    let mut bytes = Vec::new();
    queued(account).encode(&mut bytes);
    let uids = UidSet::from_ranges([(1, 1), (3, 9)]);
    let id = QueueId(65_536);
    let events = [
        Event::AccountOpened { account, uid_validity: 17 },
        Event::MailboxMade {
            account,
            mailbox: MailboxId(6),
            uid_validity: 40,
            special_use: Some(SpecialUse::Archive),
            name: "项目".into(),
        },
        Event::Subscribed { account, on: true, name: "a".into() },
        Event::KeywordMade { account, mailbox, name: "$Forwarded".into() },
        delivered(to(1, 2)),
        delivered(to(2, 3)),
        delivered(to(3, 4)),
        Event::FlagsChanged {
            account,
            mailbox,
            modseq: ModSeq(5),
            mode: FlagMode::Add,
            flags: Flags::SEEN,
            keywords: Keywords(1),
            uids: uids.clone(),
        },
        Event::Expunged { account, mailbox, modseq: ModSeq(6), uids },
        Event::SeenChanged {
            account,
            mailbox,
            reader: AccountId(account.0 + 1),
            modseq: ModSeq(7),
            on: true,
            uids: UidSet::range(Uid(2), Uid(2)),
        },
        Event::RecentClaimed { account, mailbox, uid: Uid(3) },
        Event::MailboxRenamed { account, mailbox: MailboxId(6), name: "a/b".into() },
        Event::MailboxRemoved { account, mailbox: MailboxId(6) },
        Event::Queued { id, guid, locator, size_bytes: 9, created: 5, item: bytes },
        Event::QueueChanged { id, state: 2, next_try: 6 },
        Event::QueueRemoved { id },
    ];
    let mut out = Vec::new();
    events.iter().for_each(|event| event.encode(&mut out));
    out
}
