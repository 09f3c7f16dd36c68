//! inspect: every file of a store as text, whole or damaged; strangers are refused.
use crate::support::House;
use crate::{damage, files, filled, json_lines, message_body, segment};

#[test]
fn every_file_is_shown() {
    let house = filled();
    for path in files(&house.data()).keys() {
        let name = path.display().to_string();
        let said = house.run(&["inspect", &name]).ok();
        assert!(!said.contains("DAMAGED") && !said.contains("damage"), "{name}: {said}");
        assert!(!json_lines(&house.run(&["inspect", &name, "--json"]).ok()).is_empty());
    }
    let said = house.run(&["inspect", &segment(&house, "00000", 1).display().to_string()]).ok();
    for part in ["segment 1 of shard 0", "  message ", "  events ", "Delivered {", "  footer ", "sealed", "@else.test>"]
    {
        assert!(said.contains(part), "{part}: {said}");
    }
    let said = house.run(&["inspect", &segment(&house, "control", 1).display().to_string()]).ok();
    assert!(said.contains("AccountAdded") && said.contains("ann@acme.test"), "{said}");
    let store = house.run(&["inspect", &house.data().join("STORE").display().to_string()]).ok();
    assert!(store.contains("2 account shards"), "{store}");
}

#[test]
fn a_part_of_a_file() {
    let house = filled();
    let name = segment(&house, "00000", 1).display().to_string();
    let all = json_lines(&house.run(&["inspect", &name, "--json"]).ok());
    let offset = all[3]["offset"].as_u64().expect("a place");
    let some =
        json_lines(&house.run(&["inspect", &name, "--json", "--offset", &offset.to_string(), "--limit", "2"]).ok());
    assert_eq!(some, all[3..5]);
}

#[test]
fn damage_is_a_line_and_reading_goes_on() {
    let house = filled();
    let file = segment(&house, "00000", 1);
    let name = file.display().to_string();
    let whole = json_lines(&house.run(&["inspect", &name, "--json"]).ok());
    damage(&file, 0, 40);
    damage(&file, message_body(&file, 1), 30);
    let said = json_lines(&house.run(&["inspect", &name, "--json"]).ok());
    assert_eq!(said.last(), whole.last(), "the end is reached");
    assert!(said.iter().any(|line| line["what"] == "damage"), "{said:?}");
    assert!(said.iter().any(|line| line["text"].as_str().expect("text").contains("DAMAGED")), "{said:?}");
    // Anything at all under these names is survived.
    for (number, bytes) in [Vec::new(), vec![0; 64], b"PHSEG\0\0\x01".to_vec(), vec![0xff; 5000]].iter().enumerate() {
        let strange = house.path().join(format!("seg-{number:010}.phl"));
        std::fs::write(&strange, bytes).expect("written");
        house.run(&["inspect", &strange.display().to_string()]).ok();
        let strange = house.path().join(format!("idx-{number:010}.phi"));
        std::fs::write(&strange, bytes).expect("written");
        house.run(&["inspect", &strange.display().to_string()]).ok();
    }
}

#[test]
fn what_is_none_of_a_stores_files_is_refused() {
    let house = House::new();
    house.run(&["inspect", "/nowhere/seg-0000000001.phl"]).refused(3, "/nowhere/seg-0000000001.phl");
    house.run(&["inspect", &house.config().display().to_string()]).refused(5, "a segment (.phl)");
}
