//! upgrade --check: what would change, whether going back is possible, and when that ends.
use crate::support::House;
use crate::{filled, segment};
use posthouse_engine::format::SegmentHeader;
use std::path::Path;

/// A store of the segment version before this program's.
fn older() -> House {
    fn copy(from: &Path, to: &Path) {
        std::fs::create_dir_all(to).expect("made");
        for entry in std::fs::read_dir(from).expect("tests/golden") {
            let entry = entry.expect("an entry");
            let to = to.join(entry.file_name());
            match entry.path().is_dir() {
                true => copy(&entry.path(), &to),
                false => drop(std::fs::copy(entry.path(), to).expect("copied")),
            }
        }
    }
    let house = House::new();
    copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/golden/v1")), &house.data());
    house
}

#[test]
fn a_store_of_this_program_needs_nothing() {
    let house = filled();
    let said = house.run(&["upgrade", "--check"]).ok();
    assert!(said.contains("Nothing would change") && said.contains("nothing to go back to"), "{said}");
    let found = house.json(&["upgrade", "--check"]);
    assert_eq!((&found["back"], &found["changes"]), (&"none".into(), &serde_json::json!([])));
}

/// What it says as JSON, whatever its code.
fn check(house: &House) -> serde_json::Value {
    let said = house.run(&["--json", "upgrade", "--check"]);
    serde_json::from_str(&said.out).unwrap_or_else(|why| panic!("{why}: {}{}", said.out, said.err))
}

#[test]
fn the_way_back_is_open_until_the_first_change() {
    let house = older();
    house.run(&["upgrade", "--check"]).refused(1, "");
    let found = check(&house);
    assert_eq!((&found["back"], &found["writes"], &found["reads_from"]), (&"open".into(), &2.into(), &1.into()));
    assert!(!found["changes"].as_array().expect("a list").is_empty(), "{found}");
    house.run(&["status"]).ok();
    house.run(&["verify"]).ok();
    assert_eq!(check(&house)["back"], "open", "who only looks changes nothing");
    house.run(&["tenant", "add", "more", "--title", "More"]).ok();
    let found = check(&house);
    assert_eq!(found["back"], "ended");
    let by = found["back_ended_by"].as_str().expect("a path");
    assert!(by.contains("shards/control/seg-"), "the segment is named: {by}");
}

#[test]
fn what_cannot_be_read_is_told() {
    House::new().run(&["upgrade", "--check"]).refused(2, "a store in");
    let house = filled();
    house.run(&["upgrade"]).refused(2, "--check");
    let path = segment(&house, "00000", 1);
    let mut bytes = std::fs::read(&path).expect("a segment");
    let header = SegmentHeader::decode(&bytes).expect("a header");
    bytes[..64].copy_from_slice(&SegmentHeader { version: header.version + 1, ..header }.encode());
    std::fs::write(&path, bytes).expect("written");
    house.run(&["upgrade", "--check"]).refused(2, "seg-0000000001.phl");
}
