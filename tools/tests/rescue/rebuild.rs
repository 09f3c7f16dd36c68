//! rebuild: equal or told, refused while somebody has the store, and the former files kept.
use crate::support::House;
use crate::{damage, files, filled, segment};

#[test]
fn the_same_comes_back() {
    let house = filled();
    let before = house.json(&["member", "list"]);
    let parts = |house: &House| {
        let all = files(&house.data());
        all.keys().filter(|path| path.extension().is_some_and(|end| end == "phi")).count()
    };
    let old = parts(&house);
    let said = house.run(&["rebuild"]).ok();
    assert!(said.contains("3 accounts compared with what was there before: all are the same"), "{said}");
    assert!(said.contains("files are in lost+found/"), "{said}");
    assert_eq!(parts(&house), 3);
    let kept = std::fs::read_dir(house.data().join("lost+found")).expect("kept").count();
    assert_eq!(kept, old);
    assert_eq!(house.json(&["member", "list"]), before);
    house.run(&["verify"]).ok();
    let report = house.json(&["rebuild"]);
    assert_eq!((&report["equal"], &report["accounts"]), (&true.into(), &3.into()), "{report}");
}

#[test]
fn refused_while_a_server_runs_and_where_nothing_is() {
    let house = filled();
    let serving = house.serve(&[]);
    house.run(&["rebuild"]).refused(6, "stop the server first");
    assert_eq!(serving.stop(), Some(0));
    house.run(&["rebuild"]).ok();
    let nothing = House::new();
    nothing.run(&["rebuild"]).refused(3, "a store in");
    assert!(!nothing.data().exists());
}

#[test]
fn a_damaged_log_is_told_and_nothing_is_changed() {
    let house = filled();
    let file = segment(&house, "00001", 1);
    let len = std::fs::metadata(&file).expect("there").len() as usize;
    damage(&file, len - 10, 8);
    let before = files(&house.data());
    let name = file.display().to_string();
    house.run(&["rebuild"]).refused(1, &name);
    let mut after = files(&house.data());
    // The directory's shard and the first one are whole and may be rebuilt already.
    after.retain(|path, _| path.starts_with(house.data().join("shards/00001")));
    assert!(after.iter().all(|(path, bytes)| before[path] == *bytes));
}
