//! The login log through what it answers: order, bounds, damage, filters.
use super::login;
use super::{LoginFilter, LoginLog, LoginRecord, LoginResult, Means, Record};
use crate::base::bytes::Reader;
use crate::base::{AccountId, Protocol, limits};
use crate::disk::Disk;
use crate::disk::sim::{Fault, SimDisk};
use proptest::prelude::*;
use std::path::Path;
use std::sync::Arc;

fn record(number: i64) -> LoginRecord {
    LoginRecord {
        when_ms: number * 1_000,
        protocol: Protocol::ALL[number as usize % 3],
        means: Means::ScramSha256,
        tls: true,
        result: if number % 2 == 0 { LoginResult::Done } else { LoginResult::Wrong },
        peer: format!("192.0.2.{}:4000", number % 5).parse().expect("an address"),
        account: (number % 2 == 0).then_some(AccountId(number as u64 % 7 + 1)),
        app_password: None,
        name: format!("somebody{number}@acme.example"),
    }
}

fn noted(log: &LoginLog, numbers: std::ops::Range<i64>) {
    for number in numbers {
        log.note(&record(number));
        log.write().expect("the disk takes it");
    }
}

/// The numbers of all records that a filter takes, over pages of three.
fn shown(log: &LoginLog, filter: &LoginFilter) -> Vec<i64> {
    let (mut all, mut before) = (Vec::new(), None);
    loop {
        let page = log.page(filter, before, 3).expect("it can be read");
        assert!(page.rows.len() <= 3);
        all.extend(page.rows.iter().map(|row| row.record.when_ms / 1_000));
        before = page.next;
        if before.is_none() {
            return all;
        }
    }
}

#[test]
fn the_newest_comes_first_over_files_and_restarts() {
    let disk = SimDisk::new(1);
    noted(&LoginLog::bounded(Arc::new(disk.clone()), 500, 1 << 20), 0..20);
    let log = LoginLog::bounded(Arc::new(disk.clone()), 500, 1 << 20);
    assert_eq!(shown(&log, &LoginFilter::default()), (0..20).rev().collect::<Vec<_>>());
    noted(&log, 20..40);
    assert_eq!(shown(&log, &LoginFilter::default()), (0..40).rev().collect::<Vec<_>>());
    assert!(disk.list(Path::new("logins")).expect("files").len() > 4);
}

#[test]
fn filters() {
    let log = LoginLog::bounded(Arc::new(SimDisk::new(1)), 500, 1 << 20);
    noted(&log, 0..40);
    let all = LoginFilter::default;
    let expected = |takes: &dyn Fn(i64) -> bool| (0..40).rev().filter(|number| takes(*number)).collect::<Vec<_>>();
    assert_eq!(shown(&log, &LoginFilter { failed: true, ..all() }), expected(&|n| n % 2 == 1));
    let ten = LoginFilter { since_ms: Some(10_000), until_ms: Some(20_000), ..all() };
    assert_eq!(shown(&log, &ten), expected(&|n| (10..20).contains(&n)));
    let pop3 = LoginFilter { protocol: Some(Protocol::Pop3), ..all() };
    assert_eq!(shown(&log, &pop3), expected(&|n| n % 3 == 1));
    let third = LoginFilter { account: Some(AccountId(3)), ..all() };
    assert_eq!(shown(&log, &third), expected(&|n| n % 2 == 0 && n % 7 == 2));
    let from = LoginFilter { from: "::ffff:192.0.2.4".parse().ok(), ..all() };
    assert_eq!(shown(&log, &from), expected(&|n| n % 5 == 4));
    assert_eq!(shown(&log, &LoginFilter { contains: "BODY12@".into(), ..all() }), [12]);
}

#[test]
fn bytes_and_days_are_bounded() {
    let disk = SimDisk::new(1);
    let log = LoginLog::bounded(Arc::new(disk.clone()), 500, 2_000);
    noted(&log, 0..200);
    let left = shown(&log, &LoginFilter::default());
    assert_eq!(left.first(), Some(&199));
    assert!(left.is_sorted_by(|a, b| a == &(b + 1)) && (10..60).contains(&left.len()), "{left:?}");
    assert!(disk.list(Path::new("logins")).expect("files").len() <= 6);
    // Half a year later: what is older goes with the next file.
    let later = 200 + 200 * 86_400;
    noted(&log, later..later + 20);
    let old = shown(&log, &LoginFilter::default()).into_iter().filter(|number| *number < later).count();
    assert!(old <= 8, "all but the last file with old ones is gone: {old}");
}

/// A small office never fills a file.
#[test]
fn days_are_kept_though_no_file_is_full() {
    const DAY: i64 = 86_400;
    let disk = SimDisk::new(1);
    let opened = || {
        let log = LoginLog::bounded(Arc::new(disk.clone()), 1 << 20, 1 << 20);
        log.keep(1 << 20, 1);
        log
    };
    let log = opened();
    noted(&log, 0..3);
    noted(&log, DAY - 1..DAY);
    assert_eq!(disk.list(Path::new("logins")).expect("files").len(), 1, "a file for a day");
    noted(&log, DAY + 10..DAY + 11);
    assert_eq!(shown(&log, &LoginFilter::default()), [DAY + 10, DAY - 1, 2, 1, 0]);
    noted(&log, 2 * DAY + 20..2 * DAY + 21);
    assert_eq!(shown(&log, &LoginFilter::default()), [2 * DAY + 20, DAY + 10]);
    // A server that was off meanwhile.
    noted(&opened(), 9 * DAY..9 * DAY + 1);
    assert_eq!(shown(&log, &LoginFilter::default()), [9 * DAY, 2 * DAY + 20]);
    noted(&opened(), 10 * DAY + 1..10 * DAY + 2);
    assert_eq!(shown(&log, &LoginFilter::default()), [10 * DAY + 1, 9 * DAY]);
    // One that keeps less from now on, and has no need of a new file.
    let less = opened();
    less.keep(1 << 20, 0);
    noted(&less, 10 * DAY + 2..10 * DAY + 3);
    assert_eq!(shown(&log, &LoginFilter::default()), [10 * DAY + 2, 10 * DAY + 1]);
}

#[test]
fn a_torn_end_is_cut_and_a_failing_disk_costs_records_only() {
    let disk = SimDisk::new(1);
    noted(&LoginLog::bounded(Arc::new(disk.clone()), 5_000, 1 << 20), 0..3);
    let file = disk.open(Path::new("logins/log-0000000001.phr")).expect("the file");
    let len = file.len().expect("a length");
    file.write_at(&[40, 0, 1, 2, 3, 4, 5], len).expect("half a record");
    let log = LoginLog::bounded(Arc::new(disk.clone()), 5_000, 1 << 20);
    assert_eq!(shown(&log, &LoginFilter::default()), [2, 1, 0]);
    noted(&log, 3..5);
    disk.fail_at(disk.ops(), Fault::Io);
    log.note(&record(5));
    assert!(log.write().is_err());
    noted(&log, 6..8);
    assert_eq!(shown(&log, &LoginFilter::default()), [7, 6, 4, 3, 2, 1, 0]);
}

/// docs/format.md names each number as the code does.
#[test]
fn the_page_is_that_of_the_code() {
    let page = include_str!("../../../docs/format.md");
    let section = page.split("\n## Login log").nth(1).and_then(|rest| rest.split("\n## ").next()).unwrap_or("");
    for (at, (_, name)) in login::MEANS.iter().enumerate() {
        assert!(section.contains(&format!("{} {name}", at + 1)), "{name}");
    }
    for (at, (_, name)) in login::RESULTS.iter().enumerate() {
        assert!(section.contains(&format!("{at} {name}")), "{name}");
    }
    for bound in [limits::LOGIN_LOG_FILE_BYTES_MAX >> 20, limits::LOGIN_LOG_BYTES_MAX >> 20] {
        assert!(section.contains(&format!("{bound} MiB")), "{bound}");
    }
    assert!(section.contains(&format!("{} days", limits::LOGIN_LOG_DAYS_MAX)) && section.contains("PHLOGIN1"));
    let mut bytes = Vec::new();
    LoginRecord { name: "n".into(), ..record(1) }.encode(&mut bytes);
    // Length, crc, when, four numbers, address and port, two varints, the name.
    assert_eq!(bytes.len(), 2 + 4 + 8 + 4 + (1 + 4 + 2) + 2 + 2);
}

proptest! {
    #[test]
    fn any_bytes_are_answered(bytes: Vec<u8>) {
        let _ = LoginRecord::decode(&mut Reader::new(&bytes));
    }

    #[test]
    fn records_come_back(number in 0..1_000_000i64, name in ".{0,400}", app_password in proptest::option::of(1..9u32)) {
        let mut record = LoginRecord { name, app_password, peer: "[2001:db8::1]:25".parse().expect("an address"), ..record(number) };
        let mut bytes = Vec::new();
        record.encode(&mut bytes);
        let decoded = LoginRecord::decode(&mut Reader::new(&bytes)).expect("what was encoded");
        prop_assert!(decoded.name.len() <= 320 && record.name.starts_with(&decoded.name));
        record.name.clone_from(&decoded.name);
        prop_assert_eq!(decoded, record);
        for at in 0..bytes.len() {
            let mut spoilt = bytes.clone();
            spoilt[at] ^= 1;
            prop_assert!(LoginRecord::decode(&mut Reader::new(&spoilt)).is_err());
        }
    }
}
