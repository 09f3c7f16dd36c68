//! A checkpoint's directory: what is read comes back as the same bytes, and can be asked.
#![no_main]
use posthouse_engine::directory::{Directory, Filter};
use posthouse_fuzz::town;

posthouse_fuzz::target!(run, seeds: vec![town::snapshot()]);

fn run(data: &[u8]) {
    let Ok(directory) = Directory::decode_snapshot(data) else { return };
    let mut again = Vec::new();
    directory.encode_snapshot(&mut again);
    let read = Directory::decode_snapshot(&again).expect("what was encoded is read");
    assert!(read == directory);
    let all = Filter::default();
    for account in directory.members(all).chain(directory.business(all)) {
        let _ = (directory.resolve(&account.address), directory.is_active(account), account.quota_bytes_max());
    }
    for group in directory.groups(all) {
        let _ = directory.resolve(&group.address);
    }
}
