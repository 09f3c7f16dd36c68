//! quota --prove: the log, the entries and the running server say the same; what does not add up ends with 1.
use crate::support::House;
use crate::{MEMBERS, filled, segment};

#[test]
fn closed_and_running() {
    let house = filled();
    let said = house.run(&["quota", "--prove"]).ok();
    assert!(said.contains("3 accounts folded from the log") && said.contains("each the sum of its entries"), "{said}");
    let rows = house.json(&["quota", "--prove"]);
    assert_eq!(rows.as_array().map(Vec::len), Some(3));
    assert!(rows.as_array().expect("rows").iter().all(|row| row["agrees"] == true), "{rows}");
    let one = house.json(&["quota", "--prove", "--account", MEMBERS[0]]);
    let shown = house.json(&["member", "show", MEMBERS[0]]);
    assert_eq!((&one[0]["address"], &one[0]["used_bytes"]), (&MEMBERS[0].into(), &shown["used_bytes"]));
    let serving = house.serve(&[]);
    let said = house.run(&["quota", "--prove"]).ok();
    assert!(said.contains("3 accounts compared with what the running server has; 0 changed meanwhile"), "{said}");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn what_cannot_be_proven_is_told() {
    let house = filled();
    house.run(&["quota"]).refused(2, "--prove");
    house.run(&["quota", "--prove", "--account", "nobody@acme.test"]).refused(3, "nobody@acme.test");
    House::new().run(&["quota", "--prove"]).refused(3, "a store in");
    std::fs::remove_file(segment(&house, "00000", 1)).expect("removed");
    house.run(&["quota", "--prove"]).refused(1, "events are lost");
}
