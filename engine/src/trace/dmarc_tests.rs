//! The DMARC log through what it answers: the sums of a day, in turns when they are many; its bytes.
use super::{DmarcAction, DmarcDay, DmarcLog, DmarcRecord, DmarcRow, DmarcSignature, DmarcWord, Record};
use crate::base::bytes::Reader;
use crate::base::limits;
use crate::disk::sim::SimDisk;
use proptest::prelude::*;
use std::sync::Arc;

const DAY_MS: i64 = 86_400_000;

fn row(source: u8) -> DmarcRow {
    DmarcRow { source: Some([192, 0, 2, source].into()), header_from: "a.test".into(), ..DmarcRow::default() }
}

fn came(log: &DmarcLog, when_ms: i64, domain: &str, row: DmarcRow) {
    let word = DmarcWord::Came(format!("v=DMARC1; p=none; n={when_ms}"), Box::new(row));
    log.note(&DmarcRecord { when_ms, domain: domain.into(), word });
}

fn reported(log: &DmarcLog, when_ms: i64, domain: &str, day: u32) {
    log.note(&DmarcRecord { when_ms, domain: domain.into(), word: DmarcWord::Reported(day) });
}

fn counts(day: &DmarcDay) -> Vec<(&str, Vec<u64>)> {
    let of = |rows: Vec<&u64>| {
        let mut all: Vec<u64> = rows.into_iter().copied().collect();
        all.sort_unstable();
        all
    };
    day.domains.iter().map(|(domain, sums)| (domain.as_str(), of(sums.rows.values().collect()))).collect()
}

#[test]
fn a_day_is_summed_once_and_outlives_a_restart() {
    let disk = SimDisk::new(1);
    let open = || DmarcLog::new(Arc::new(disk.clone()));
    let log = open();
    came(&log, DAY_MS - 1, "a.test", row(1));
    came(&log, DAY_MS, "a.test", row(1));
    came(&log, DAY_MS + 1, "b.test", row(1));
    log.write().expect("the disk takes it");
    drop(log);
    let log = open();
    came(&log, DAY_MS + 2, "a.test", row(1));
    came(&log, 2 * DAY_MS - 1, "a.test", row(2));
    came(&log, 2 * DAY_MS, "a.test", row(3));
    let day = log.day(1, None, 100).expect("it can be read");
    assert_eq!(counts(&day), [("a.test", vec![1, 2]), ("b.test", vec![1])]);
    let last = format!("n={}", 2 * DAY_MS - 1);
    assert!(day.domains["a.test"].policy.ends_with(&last), "what was published last");
    assert_eq!(day.next, None);
    // The report of another day is no report of this one.
    reported(&log, 2 * DAY_MS, "a.test", 1);
    reported(&log, 2 * DAY_MS, "b.test", 0);
    log.write().expect("the disk takes it");
    drop(log);
    let log = open();
    assert_eq!(counts(&log.day(1, None, 100).expect("it can be read")), [("b.test", vec![1])]);
    assert_eq!(counts(&log.day(2, None, 100).expect("it can be read")), [("a.test", vec![1])]);
    assert_eq!(log.day(7, None, 100).expect("it can be read"), DmarcDay::default());
}

#[test]
fn many_domains_come_in_turns_and_each_once() {
    let log = DmarcLog::new(Arc::new(SimDisk::new(1)));
    let names: Vec<String> = (0..40).map(|n| format!("{n:02}.test")).collect();
    for round in 0..3 {
        for (n, name) in names.iter().enumerate().rev() {
            (0..n as u8 % 5).for_each(|source| came(&log, DAY_MS + round, name, row(source)));
        }
    }
    reported(&log, DAY_MS, "07.test", 1);
    let (mut after, mut seen, mut turns) = (None, Vec::new(), 0);
    loop {
        let day = log.day(1, after.as_deref(), 20).expect("it can be read");
        assert!(day.domains.values().map(|sums| sums.rows.len() + 1).sum::<usize>() <= 20);
        for (domain, rows) in counts(&day) {
            assert!(rows.iter().all(|count| *count == 3), "{domain}");
            seen.push((domain.to_owned(), rows.len()));
        }
        turns += 1;
        match day.next {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    let with_rows = |n: &usize| !n.is_multiple_of(5) && *n != 7;
    let expected: Vec<(String, usize)> = (0..40).filter(with_rows).map(|n| (names[n].clone(), n % 5)).collect();
    assert_eq!(seen, expected);
    assert!(turns > 4);
}

#[test]
fn one_domain_with_too_many_kinds_is_counted_whole() {
    let log = DmarcLog::new(Arc::new(SimDisk::new(1)));
    (0..50).for_each(|source| came(&log, DAY_MS, "m.test", row(source)));
    (0..50).for_each(|_| came(&log, DAY_MS, "m.test", row(0)));
    came(&log, DAY_MS, "z.test", row(1));
    let day = log.day(1, None, 10).expect("it can be read");
    let sums = &day.domains["m.test"];
    assert_eq!(sums.rows.values().sum::<u64>() + sums.unlisted, 100);
    assert!(sums.rows.len() <= 10 && sums.rows.values().any(|count| *count == 51));
    let next = log.day(1, day.next.as_deref(), 10).expect("it can be read");
    assert_eq!(counts(&next), [("z.test", vec![1])]);
}

#[test]
fn the_page_is_that_of_the_code() {
    let page = include_str!("../../../docs/format.md");
    let section = page.split("\n## DMARC log").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or("");
    for bound in [limits::DMARC_LOG_FILE_BYTES_MAX >> 20, limits::DMARC_LOG_BYTES_MAX >> 20] {
        assert!(section.contains(&format!("{bound} MiB")), "{bound}");
    }
    assert!(section.contains(&format!("{} days", limits::DMARC_LOG_DAYS_MAX)) && section.contains("PHDMARC1"));
    let mut bytes = Vec::new();
    let word = DmarcWord::Reported(0x0403_0201);
    DmarcRecord { when_ms: 1, domain: "a".into(), word }.encode(&mut bytes);
    // Length, crc, when, domain, word, day.
    assert_eq!(bytes.len(), 2 + 4 + 8 + 2 + 1 + 4);
    assert_eq!(bytes[14..], [1, b'a', 2, 1, 2, 3, 4]);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = DmarcRecord::decode(&mut Reader::new(&bytes));
    }

    #[test]
    fn records_come_back(texts in prop::collection::vec(".{0,15}", 8), bits in 0..8u8, action in 0..4usize, v6: bool, signatures in 0..3usize) {
        let [domain, policy, header_from, envelope_from, spf, d, s, result] = texts.try_into().expect("eight");
        let actions = [DmarcAction::None, DmarcAction::Pass, DmarcAction::Quarantine, DmarcAction::Reject];
        let one = DmarcSignature { domain: d, selector: s, result };
        let row = DmarcRow {
            source: if v6 { "2001:db8::1".parse().ok() } else { None },
            action: actions[action],
            overridden: bits & 1 > 0,
            dkim_aligned: bits & 2 > 0,
            spf_aligned: bits & 4 > 0,
            header_from, envelope_from, spf,
            dkim: vec![one; signatures],
        };
        let record = DmarcRecord { when_ms: -7, domain, word: DmarcWord::Came(policy, Box::new(row)) };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let decoded = DmarcRecord::decode(&mut Reader::new(&bytes)).expect("what was encoded");
        let mut again = Vec::new();
        decoded.encode(&mut again);
        prop_assert_eq!(&again, &bytes);
        if let (DmarcWord::Came(_, one), DmarcWord::Came(_, other)) = (&decoded.word, &record.word) {
            prop_assert!(other.spf.starts_with(&one.spf) && one.header_from == other.header_from && one.source == other.source);
            prop_assert_eq!((one.action, one.dkim.len()), (other.action, signatures));
        }
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            prop_assert!(DmarcRecord::decode(&mut Reader::new(&spoilt)).is_err());
        }
    }
}
