//! repair: the plan first and nothing done; then just that, with everything kept, and a store that serves again.
use crate::support::House;
use crate::{damage, files, filled, message_body, segment};
use std::path::PathBuf;

/// Damage of several kinds at once: a message, a footer, a missing segment, STORE.
fn spoil(house: &House) -> PathBuf {
    let file = segment(house, "00000", 1);
    damage(&file, message_body(&file, 1), 40);
    let other = segment(house, "00001", 1);
    let len = std::fs::metadata(&other).expect("there").len() as usize;
    damage(&other, len - 30, 20);
    std::fs::remove_file(segment(house, "00001", 2)).expect("removed");
    std::fs::remove_file(house.data().join("STORE")).expect("removed");
    file
}

#[test]
fn nothing_to_do() {
    let house = filled();
    assert_eq!(house.run(&["repair"]).ok(), "nothing is damaged; nothing is to be done\n");
    assert_eq!(house.json(&["repair", "--apply"])["steps"], serde_json::json!([]));
}

#[test]
fn a_plan_changes_nothing_and_apply_does_what_it_says() {
    let house = filled();
    spoil(&house);
    house.run(&["status"]).refused(1, "STORE");
    let before = files(&house.data());
    let said = house.run(&["repair"]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert!(said.out.contains("Nothing was changed") && said.out.contains("remove: "), "{}", said.out);
    assert_eq!(files(&house.data()), before);
    let planned: serde_json::Value = serde_json::from_str(&house.run(&["repair", "--json"]).out).expect("JSON");
    let acts: Vec<&str> =
        planned["steps"].as_array().expect("steps").iter().filter_map(|step| step["act"].as_str()).collect();
    for act in ["cut", "mend", "make", "store", "remove"] {
        assert!(acts.contains(&act), "{act}: {acts:?}");
    }
    let done = house.json(&["repair", "--apply"]);
    assert_eq!((&done["steps"], &done["applied"]), (&planned["steps"], &true.into()));
    for kept in done["kept"].as_array().expect("kept") {
        assert!(house.data().join(kept.as_str().expect("a path")).exists(), "{kept}");
    }
    let said = house.run(&["verify"]).ok();
    assert!(said.ends_with("clean\n"), "{said}");
    house.run(&["rebuild"]).ok();
    let serving = house.serve(&[]);
    assert_eq!(house.json(&["member", "list"]).as_array().map(Vec::len), Some(3));
    house.run(&["repair"]).refused(6, "stop the server first");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_lost_message_is_named_for_its_owner() {
    let house = filled();
    let file = segment(&house, "00000", 1);
    damage(&file, message_body(&file, 0), 40);
    let planned: serde_json::Value = serde_json::from_str(&house.run(&["repair", "--json"]).out).expect("JSON");
    let removed: Vec<_> =
        planned["steps"].as_array().expect("steps").iter().filter(|step| step["act"] == "remove").collect();
    assert!(!removed.is_empty(), "{planned}");
    for step in removed {
        assert!(step["who"]["address"].as_str().is_some_and(|address| address.ends_with("@acme.test")), "{step}");
        assert!(step["who"]["message"].as_str().is_some_and(|message| message.contains("@else.test>")), "{step}");
    }
    let before: u64 = messages(&house);
    house.run(&["repair", "--apply"]).ok();
    assert!(messages(&house) < before);
}

fn messages(house: &House) -> u64 {
    let all = house.json(&["member", "list"]);
    all.as_array().expect("rows").iter().filter_map(|row| row["messages"].as_u64()).sum()
}

#[test]
fn nothing_there() {
    let house = House::new();
    house.run(&["repair", "--apply"]).refused(3, "a store in");
    assert!(!house.data().exists());
}
