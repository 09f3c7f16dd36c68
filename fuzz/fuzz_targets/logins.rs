//! The login log: a record that is read comes back the same, whatever file lies there is read as far as it is whole, and the log goes on
//! behind it.
#![no_main]
use posthouse_engine::base::bytes::Reader;
use posthouse_engine::base::{AccountId, Protocol};
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::format::frame::salted_crc;
use posthouse_engine::trace::{LoginFilter, LoginLog, LoginRecord, LoginResult, Means, Record};
use std::path::Path;
use std::sync::Arc;

posthouse_fuzz::target!(run, seeds: seeds());

const MAGIC: &[u8] = b"PHLOGIN1";

fn run(data: &[u8]) {
    let Some((what, data)) = data.split_first() else { return };
    let record = with_crc(data).and_then(|bytes| {
        let record = LoginRecord::decode(&mut Reader::new(&bytes)).ok()?;
        let mut again = Vec::new();
        record.encode(&mut again);
        let read = LoginRecord::decode(&mut Reader::new(&again)).expect("what was encoded is read");
        // A name is cut where an address could not be longer.
        assert!(record.name.starts_with(&read.name));
        assert_eq!(LoginRecord { name: String::new(), ..read }, LoginRecord { name: String::new(), ..record });
        Some(again)
    });
    let magic: &[u8] = if what % 4 == 0 { b"" } else { MAGIC };
    file(&[magic, record.as_deref().unwrap_or_default(), data].concat());
}

/// The input as the bytes of a record.
fn with_crc(body: &[u8]) -> Option<Vec<u8>> {
    let len = u16::try_from(body.len()).ok()?;
    Some([&len.to_le_bytes()[..], &salted_crc(0, body).to_le_bytes(), body].concat())
}

fn file(bytes: &[u8]) {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("logins")).expect("made");
    let lies = disk.create(Path::new("logins/log-0000000003.phr")).expect("made");
    lies.write_at(bytes, 0).expect("written");
    let log = LoginLog::new(Arc::new(disk));
    let all = LoginFilter::default();
    let found = log.page(&all, None, usize::MAX).expect("a sound disk").rows;
    log.note(&sample());
    let after = log.page(&all, None, usize::MAX).expect("a sound disk").rows;
    assert_eq!(after.len(), found.len() + 1);
    assert_eq!(after[0].record, sample(), "the newest comes first");
    assert_eq!(after[1..], found[..], "the others are as they were");
}

fn sample() -> LoginRecord {
    LoginRecord {
        when_ms: 1_795_492_248_000,
        protocol: Protocol::ALL[0],
        means: Means::ScramSha256,
        tls: true,
        result: LoginResult::Wrong,
        peer: ([192, 0, 2, 7], 4096).into(),
        account: Some(AccountId(7)),
        app_password: Some(2),
        name: "alice@example.test".into(),
    }
}

fn seeds() -> Vec<Vec<u8>> {
    let mut record = Vec::new();
    sample().encode(&mut record);
    vec![[&[1], &record[6..]].concat(), [&[0], MAGIC, &record, &record].concat()]
}
