//! The mail log through what it answers: a message's whole way by each of its names, what it says of lost records, its bounds.
use super::mail::STEPS;
use super::{MailFilter, MailKey, MailLog, MailRecord, Record, Step};
use crate::base::bytes::Reader;
use crate::base::limits;
use crate::disk::Disk;
use crate::disk::sim::{Fault, SimDisk};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn step(when_ms: i64, step: Step) -> MailRecord {
    MailRecord { when_ms, step, ..MailRecord::default() }
}

/// The way of message `n`: it comes, is queued, deferred, sent.
fn way(log: &MailLog, n: u64) {
    let at = n as i64 * 10;
    let (id, queue) = (n + 1, 1000 + n);
    let (sender, recipient) = (format!("from{n}@a.test"), format!("to{n}@B.test"));
    let came = MailRecord { id, sender, message_id: format!("<m{n}@a.test>"), ..step(at, Step::Came) };
    let queued = MailRecord { id, queue, recipient: recipient.clone(), ..step(at + 1, Step::Queued) };
    let tried = |at, step_| MailRecord { queue, recipient: recipient.clone(), ..step(at, step_) };
    for record in [came, queued, tried(at + 2, Step::Deferred), tried(at + 3, Step::Sent)] {
        log.note(&record);
        log.write().expect("the disk takes it");
    }
}

fn found(log: &MailLog, filter: &MailFilter) -> Vec<(i64, Step)> {
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let page = log.find(filter, after, 3).expect("it can be read");
        assert!(page.rows.len() <= 3 && !page.cut);
        all.extend(page.rows.iter().map(|row| (row.record.when_ms, row.record.step)));
        after = page.next;
        if after.is_none() {
            return all;
        }
    }
}

fn by(keys: Vec<MailKey>) -> MailFilter {
    MailFilter { keys, ..MailFilter::default() }
}

#[test]
fn each_name_of_a_message_finds_its_whole_way() {
    let disk = SimDisk::new(1);
    let log = MailLog::bounded(Arc::new(disk.clone()), 500, 1 << 20);
    (0..20).for_each(|n| way(&log, n));
    assert!(disk.list(Path::new("mail-log")).expect("files").len() > 4);
    let seventh = vec![(70, Step::Came), (71, Step::Queued), (72, Step::Deferred), (73, Step::Sent)];
    let keys = [
        MailKey::Id(8),
        MailKey::Queue(1007),
        MailKey::MessageId("m7@a.test".into()),
        MailKey::MessageId("<m7@a.test>".into()),
        MailKey::Address("FROM7@a.test".into()),
        MailKey::Address("to7@b.test".into()),
    ];
    for key in keys {
        assert_eq!(found(&log, &by(vec![key.clone()])), seventh, "{key:?}");
    }
    assert_eq!(found(&log, &by(vec![MailKey::Address("@b.test".into())])).len(), 80);
    assert_eq!(found(&log, &by(vec![MailKey::Id(99)])), []);
    let hour = MailFilter { since_ms: Some(70), until_ms: Some(80), ..MailFilter::default() };
    assert_eq!(found(&log, &hour), seventh);
    // Who is looked for in a time is followed beyond it.
    let early = MailFilter { keys: vec![MailKey::Queue(1007)], since_ms: Some(70), until_ms: Some(72) };
    assert_eq!(found(&log, &early), seventh);
}

/// What happens before MAIL is found by the host, by the login, and with the messages of its connection.
#[test]
fn what_comes_before_a_message_is_found_with_it() {
    let log = MailLog::bounded(Arc::new(SimDisk::new(1)), 500, 1 << 20);
    let peer = Some("192.0.2.7:4000".parse().expect("an address"));
    let other = Some("192.0.2.8:4000".parse().expect("an address"));
    let refused = |at, connection, peer, name: &str| {
        let sender = name.to_owned();
        log.note(&MailRecord { connection, peer, sender, ..step(at, Step::Refused) });
    };
    refused(1, 0, peer, "");
    refused(2, 50, peer, "ann@a.test");
    refused(3, 60, other, "");
    log.note(&MailRecord { connection: 50, peer, sender: "ann@a.test".into(), ..step(4, Step::Login) });
    for (at, id) in [(5, 51), (7, 52)] {
        log.note(&MailRecord { id, connection: 50, peer, sender: "ann@a.test".into(), ..step(at, Step::Came) });
        log.note(&MailRecord { id, recipient: format!("r{id}@a.test"), ..step(at + 1, Step::Delivered) });
    }
    for (key, expected) in [
        (MailKey::Id(51), &[2, 4, 5, 6][..]),
        (MailKey::Address("r52@a.test".into()), &[2, 4, 7, 8]),
        (MailKey::Id(50), &[2, 4, 5, 6, 7, 8]),
        (MailKey::Peer([192, 0, 2, 7].into()), &[1, 2, 4, 5, 6, 7, 8]),
        (MailKey::Peer([192, 0, 2, 8].into()), &[3]),
        (MailKey::Address("ann@a.test".into()), &[2, 4, 5, 6, 7, 8]),
    ] {
        let found: Vec<i64> = found(&log, &by(vec![key.clone()])).iter().map(|(when, _)| *when).collect();
        assert_eq!(found, expected, "{key:?}");
    }
}

/// As versions before connections had numbers have written it.
#[test]
fn a_record_of_an_older_version_is_read() {
    let mut old = Vec::new();
    MailRecord { id: 7, text: "250 ok".into(), ..step(1, Step::Sent) }.encode(&mut old);
    assert_eq!(old[15..18], [0x81, 0x80, 0x04]);
    let read = MailRecord::decode(&mut Reader::new(&old)).expect("it is whole");
    assert_eq!((read.id, read.connection, read.count, read.session.as_str()), (7, 0, 0, ""));
}

/// What is made of a queued message (a report, a copy for a member of a group) belongs to its way, and its way to that.
#[test]
fn what_comes_of_a_message_is_found_with_it() {
    let log = MailLog::bounded(Arc::new(SimDisk::new(1)), 500, 1 << 20);
    (0..9).for_each(|n| way(&log, n));
    let (queue, from_queue) = (5000, 1003);
    log.note(&MailRecord { queue, from_queue, ..step(100, Step::Reported) });
    log.note(&MailRecord { queue, ..step(101, Step::Sent) });
    let expected = [30, 31, 32, 33, 100, 101];
    for key in [MailKey::Id(4), MailKey::Queue(queue), MailKey::Queue(from_queue)] {
        let found: Vec<i64> = found(&log, &by(vec![key])).iter().map(|(when, _)| *when).collect();
        assert_eq!(found, expected);
    }
}

#[test]
fn what_may_be_missing_is_told() {
    let disk = SimDisk::new(1);
    let open = || MailLog::bounded(Arc::new(disk.clone()), 5_000, 1 << 20);
    let all = MailFilter::default();
    let log = open();
    way(&log, 1);
    log.end(&step(20, Step::Ended)).expect("it ends");
    assert_eq!(found(&log, &all).len(), 4);
    // After an orderly end nothing is missing; after another end something may be.
    let log = open();
    way(&log, 3);
    assert_eq!(found(&log, &all).len(), 8);
    drop(log);
    let log = open();
    way(&log, 5);
    let steps: Vec<Step> = found(&log, &by(vec![MailKey::Id(6)])).iter().map(|(_, step)| *step).collect();
    assert_eq!(steps, [Step::Gap, Step::Came, Step::Queued, Step::Deferred, Step::Sent]);
    // A disk that refuses.
    disk.fail_at(disk.ops(), Fault::Io);
    log.note(&step(60, Step::Came));
    assert!(log.write().is_err());
    way(&log, 7);
    let page = log.find(&all, None, 100).expect("it can be read");
    let told: Vec<&str> =
        page.rows.iter().map(|row| row.record.text.as_str()).filter(|text| !text.is_empty()).collect();
    assert!(told.iter().any(|text| text.starts_with("1 records were lost")), "{told:?}");
    // Who has written nothing ends nothing.
    let before = disk.ops();
    open().end(&step(90, Step::Ended)).expect("nothing");
    assert_eq!(disk.ops(), before);
}

#[test]
fn bytes_are_bounded_as_configured() {
    let disk = SimDisk::new(1);
    let log = MailLog::bounded(Arc::new(disk.clone()), 500, 1 << 20);
    (0..50).for_each(|n| way(&log, n));
    log.keep(2_000, 183);
    (50..60).for_each(|n| way(&log, n));
    assert!(disk.list(Path::new("mail-log")).expect("files").len() <= 6);
    assert_eq!(found(&log, &by(vec![MailKey::Id(60)])).len(), 4);
    assert_eq!(found(&log, &by(vec![MailKey::Id(1)])), []);
}

#[test]
fn an_empty_file_keeps_no_older_ones() {
    let disk = SimDisk::new(1);
    let log = MailLog::bounded(Arc::new(disk.clone()), 500, 1 << 20);
    (0..50).for_each(|n| way(&log, n));
    let names = || disk.list(Path::new("mail-log")).expect("files");
    let before = names();
    assert!(before.len() > 4);
    // As a disk leaves it that was full when the file was begun.
    disk.open(&Path::new("mail-log").join("log-0000000002.phr"))
        .and_then(|file| file.set_len(8))
        .expect("the second file");
    log.keep(1 << 20, 1);
    let later = 3 * 86_400_000;
    for n in 0..20 {
        log.note(&step(later + n, Step::Came));
        log.write().expect("room");
    }
    assert!(!names().iter().any(|name| before[..before.len() - 1].contains(name)), "{:?}", names());
}

#[test]
fn the_page_is_that_of_the_code() {
    let page = include_str!("../../../docs/format.md");
    let section = page.split("\n## Mail log").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or("");
    for (at, (_, name)) in STEPS.iter().enumerate() {
        assert!(section.contains(&format!("{} {name}", at + 1)), "{name}");
    }
    for bound in [limits::MAIL_LOG_FILE_BYTES_MAX >> 20, limits::MAIL_LOG_BYTES_DEFAULT >> 20] {
        assert!(section.contains(&format!("{bound} MiB")), "{bound}");
    }
    assert!(section.contains(&format!("{} days", limits::MAIL_LOG_DAYS_DEFAULT)) && section.contains("PHMAIL01"));
    let mut bytes = Vec::new();
    MailRecord { id: 1, text: "n".into(), ..step(1, Step::Sent) }.encode(&mut bytes);
    // Length, crc, when, step, given, id, the text.
    assert_eq!(bytes.len(), 2 + 4 + 8 + 1 + 3 + 1 + 2);
    assert_eq!(bytes[15..18], [0x81, 0x80, 0x04], "bits 0 and 16");
    let mut bytes = Vec::new();
    MailRecord { connection: 1, count: 2, session: "s".into(), ..step(1, Step::Login) }.encode(&mut bytes);
    assert_eq!(bytes[15..], [0x80, 0x80, 0x38, 1, 2, 1, b's'], "bits 17 to 19");
    assert!(section.contains(&format!("beyond {} kinds", limits::MAIL_LOG_CROWD_MAX)));
    assert!(section.contains(&format!("{} such records", 2 * limits::MAIL_LOG_CROWD_MAX + 2)));
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = MailRecord::decode(&mut Reader::new(&bytes));
    }

    #[test]
    fn records_come_back(numbers: [u32; 9], texts in prop::collection::vec(".{0,120}", 7), peer: bool, at in 0..STEPS.len(), later: (u64, u32), session in ".{0,150}") {
        let [id, queue, account, mailbox, uid, size_bytes, attempt, next_try, from_queue] = numbers;
        let [by, sender, recipient, message_id, subject, policy, text] = texts.try_into().expect("seven");
        let record = MailRecord {
            id: id.into(), queue: queue.into(), from_queue: from_queue.into(), account: account.into(), mailbox, uid, size_bytes: size_bytes.into(), attempt,
            next_try: next_try.into(), peer: peer.then(|| "[2001:db8::1]:25".parse().expect("an address")),
            by, sender, recipient, message_id, subject, policy, text, connection: later.0, count: later.1, session, ..step(i64::from(id), STEPS[at].0)
        };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let decoded = MailRecord::decode(&mut Reader::new(&bytes)).expect("what was encoded");
        prop_assert!(record.by.starts_with(&decoded.by) && record.policy.starts_with(&decoded.policy));
        prop_assert!(record.subject.starts_with(&decoded.subject));
        let kept = MailRecord { by: decoded.by.clone(), policy: decoded.policy.clone(), subject: decoded.subject.clone(), ..record.clone() };
        prop_assert!(decoded.sender == record.sender || record.sender.len() > 320);
        if [&record.sender, &record.recipient, &record.message_id].iter().all(|text| text.len() <= 320) {
            prop_assert_eq!(decoded, kept);
        }
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            prop_assert!(MailRecord::decode(&mut Reader::new(&spoilt)).is_err());
        }
    }
}
