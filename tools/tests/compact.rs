//! posthouse compact, on a closed directory and in a running server: the same mail in other files, proven, steered and taken back.
mod support;

use std::path::{Path, PathBuf};
use support::{House, corpus};

fn house() -> House {
    let house = House::new();
    let mut config = std::fs::read_to_string(house.config()).expect("read");
    config.push_str("[store]\nshards = 2\nsegment_size_bytes_max = 1048576\n");
    std::fs::write(house.config(), config).expect("written");
    house.run(&["tenant", "add", "acme", "--accounts-max", "50"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for (at, name) in ["a", "b"].into_iter().enumerate() {
        let address = format!("{name}@acme.test");
        house.run(&["member", "add", &address, "--no-password", "--quota", "unlimited"]).ok();
        import(&house, &address, at * 1000, 700);
    }
    house
}

fn import(house: &House, account: &str, from: usize, count: usize) {
    let path = house.path().join(format!("mails-{from}"));
    let mut mbox = Vec::new();
    let mut state = from as u64 + 1;
    for number in from..from + count {
        mbox.extend_from_slice(b"From - Tue Nov 24 05:00:00 2026\n");
        mbox.extend_from_slice(&corpus::lf(&corpus::mail(number)));
        // Some 3 KiB that do not compress: each shard fills several segments of 1 MiB.
        for _ in 0..400 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mbox.extend_from_slice(format!("{state:016x}\n").as_bytes());
        }
        mbox.push(b'\n');
    }
    std::fs::write(&path, mbox).expect("written");
    house
        .run(&["import", "--account", account, "--mailbox", "INBOX", "--format", "mbox", &path.to_string_lossy()])
        .ok();
}

/// The message lines of an export of everything.
fn content(house: &House, name: &str) -> Vec<String> {
    let to = house.path().join(name);
    house.run(&["export", "--all", "--format", "mbox", "--to", &to.to_string_lossy()]).ok();
    let manifest = std::fs::read_to_string(to.join("MANIFEST.jsonl")).expect("a manifest");
    manifest.lines().filter(|line| line.contains("\"is\":\"message\"")).map(str::to_owned).collect()
}

fn files(house: &House, start: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for shard in ["00000", "00001"] {
        let names = std::fs::read_dir(house.data().join("shards").join(shard)).expect("a shard");
        found.extend(names.flatten().map(|one| one.path()).filter(|path: &PathBuf| named(path).starts_with(start)));
    }
    found
}

fn named(path: &Path) -> String {
    path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default()
}

const ALL: [&str; 5] = ["compact", "--cold-after-hours", "0", "--bytes-per-second", "0"];

#[test]
fn a_closed_store_is_compacted_proven_backed_up_and_taken_back() {
    let house = house();
    let before = content(&house, "before");
    let mut careful = ALL.to_vec();
    careful.extend(["--free-bytes-min", "18000000000000000000"]);
    let left = house.run(&careful);
    assert!(
        left.code == 1 && left.out.contains("left as it is: too little room on the disk"),
        "{}{}",
        left.out,
        left.err
    );
    assert!(files(&house, "cold-").is_empty());
    let done = house.json(&ALL);
    assert!(done["segments_done"].as_u64() > Some(0) && done["failed"].is_null(), "{done}");
    assert_eq!(done["proven"], done["messages"], "{done}");
    assert!(done["bytes_after"].as_u64() < done["bytes_before"].as_u64(), "{done}");
    assert!(!files(&house, "cold-").is_empty());
    assert_eq!(content(&house, "compacted"), before);
    house.run(&["verify"]).ok();
    house.run(&["rebuild"]).ok();
    assert_eq!(content(&house, "rebuilt"), before);
    house.run(&["quota", "--prove"]).ok();
    let cold = files(&house, "cold-").remove(0);
    let shown = house.run(&["inspect", &cold.to_string_lossy()]).ok();
    assert!(shown.contains("stands for segments") && shown.contains("block") && shown.contains("addresses"), "{shown}");

    let backups = house.path().join("backups").to_string_lossy().into_owned();
    house.run(&["backup", "--to", &backups]).ok();
    let other = House::new();
    other.run(&["restore", "--from", &backups]).ok();
    assert_eq!(content(&other, "restored"), before);
    other.run(&["verify"]).ok();
    assert_eq!(files(&other, "cold-").len(), files(&house, "cold-").len());

    let undone = house.run(&["compact", "--undo"]).ok();
    assert!(undone.contains(" is undone; it is "), "{undone}");
    assert!(files(&house, "cold-").iter().all(|path| named(path).ends_with(".undone")));
    house.run(&["verify"]).ok();
    assert_eq!(content(&house, "undone"), before);
    house.run(&["compact", "--undo"]).refused(3, "a compaction that can be undone");
    house.run(&["compact", "--status"]).refused(3, "no server has");
    house.run(&["compact", "--background"]).refused(3, "for a running server");
    house.run(&["compact", "--pause", "--undo"]).refused(2, "cannot be used with");

    // What is kept no longer is gone with the next run, and then there is no way back.
    house.run(&ALL).ok();
    let mut gone = ALL.to_vec();
    gone.extend(["--keep-hours", "0"]);
    let removed = house.json(&gone);
    assert!(removed["removed_bytes"].as_u64() > Some(0), "{removed}");
    house.run(&["compact", "--undo"]).refused(3, "a compaction that can be undone");
    house.run(&["verify"]).ok();
    assert_eq!(content(&house, "without"), before);
}

#[test]
fn a_server_compacts_while_it_serves_and_is_steered() {
    let house = house();
    let before = content(&house, "before");
    let serving = house.serve(&[]);
    house.run(&["compact", "--pause"]).ok();
    let mut background = ALL.to_vec();
    background.push("--background");
    let begun = house.json(&background);
    assert!(begun["running"] == true && begun["paused"] == true, "{begun}");
    house.run(&ALL).refused(7, "a compaction runs already");
    house.run(&["compact", "--undo"]).refused(6, "stop the server");
    let status = house.json(&["status"]);
    assert_eq!(status["compaction"]["paused"], true, "{status}");
    house.run(&["compact", "--stop"]).ok();
    house.run(&["compact", "--resume"]).ok();
    let done = loop {
        let told = house.run(&ALL);
        if told.code != 7 {
            break told.ok();
        }
        std::thread::yield_now();
    };
    assert!(done.contains("segments replaced") && done.contains("read back and the same"), "{done}");
    assert!(!files(&house, "cold-").is_empty());
    assert_eq!(content(&house, "served"), before);
    house.run(&["verify"]).ok();
    let status = house.run(&["status"]).ok();
    assert!(status.contains("compaction   does not run"), "{status}");
    assert_eq!(serving.stop(), Some(0));
    assert_eq!(content(&house, "after"), before);
}
