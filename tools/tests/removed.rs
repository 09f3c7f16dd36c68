//! The recycle bin, on a closed directory and against a running server: kept, found, restored, handed over, exported, purged.
mod support;

use std::path::Path;
use support::{House, corpus};

fn house(shards: u32) -> House {
    let house = House::new();
    let mut config = std::fs::read_to_string(house.config()).expect("read");
    config.push_str(&format!("[store]\nshards = {shards}\n"));
    std::fs::write(house.config(), config).expect("written");
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for name in ["a", "b", "c"] {
        house.run(&["member", "add", &format!("{name}@acme.test"), "--no-password"]).ok();
    }
    house.run(&["business", "add", "info@acme.test", "--no-password", "--user", "b@acme.test"]).ok();
    house
}

fn fill(house: &House, account: &str, from: usize, count: usize, mailbox: &str) {
    let source = house.path().join(format!("mails-{from}-{count}"));
    std::fs::create_dir_all(&source).expect("made");
    (from..from + count)
        .for_each(|n| std::fs::write(source.join(format!("{n:05}.eml")), corpus::mail(n)).expect("written"));
    house.run(&["import", "--account", account, "--mailbox", mailbox, &source.to_string_lossy()]).ok();
}

fn shown(house: &House, account: &str) -> (u64, u64) {
    let shown = house.json(&["member", "show", account]);
    (shown["messages"].as_u64().expect("a number"), shown["used_bytes"].as_u64().expect("a number"))
}

/// Hashes of all messages of an export, sorted.
fn hashes(export: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(export.join("MANIFEST.jsonl")).expect("a manifest");
    let lines = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let mut all: Vec<String> = lines.filter_map(|line| line["sha256"].as_str().map(str::to_owned)).collect();
    all.sort();
    all
}

fn export(house: &House, whose: &[&str], name: &str) -> Vec<String> {
    let to = house.path().join(name);
    let path = to.to_string_lossy().into_owned();
    let mut arguments = vec!["export", "--format", "eml", "--to", &path];
    arguments.extend(whose);
    house.run(&arguments).ok();
    hashes(&to)
}

fn life_in_the_bin(house: &House) {
    fill(house, "a@acme.test", 0, 40, "INBOX");
    fill(house, "a@acme.test", 100, 5, "项目/深");
    let before = shown(house, "a@acme.test");
    let mail = export(house, &["--account", "a@acme.test"], "living");
    house.run(&["group", "add", "team@acme.test", "--member", "a@acme.test", "--member", "b@acme.test"]).ok();
    house.run(&["alias", "add", "old@acme.test", "--account", "a@acme.test"]).ok();
    assert_eq!(house.run(&["member", "remove", "a@acme.test"]).ok(), "member a@acme.test removed\n");
    house.run(&["member", "show", "a@acme.test"]).refused(3, "a@acme.test");
    let bin = house.json(&["member", "removed", "list"]);
    assert_eq!(
        (&bin[0]["address"], &bin[0]["messages"], &bin[0]["kind"]),
        (&"a@acme.test".into(), &45.into(), &"member".into())
    );
    let (removed, kept) = (bin[0]["removed"].as_i64().expect("a time"), bin[0]["kept_until"].as_i64().expect("a time"));
    assert_eq!(kept - removed, 30 * 86_400);
    assert!(house.run(&["member", "removed", "list"]).ok().contains("a@acme.test"));
    assert_eq!(house.json(&["business", "removed", "list"]), serde_json::json!([]));
    assert_eq!(export(house, &["--removed", "a@acme.test"], "binned"), mail, "what is in the bin can be exported");
    // Not yet.
    assert_eq!(house.run(&["purge"]).ok(), "0 mailboxes purged\n");
    // The address is free, so the same name comes back only under another, or when the new one is gone.
    house.run(&["member", "add", "a@acme.test", "--no-password"]).ok();
    house.run(&["member", "removed", "restore", "a@acme.test"]).refused(4, "a@acme.test exists already");
    house.run(&["member", "remove", "a@acme.test"]).ok();
    house.run(&["member", "removed", "restore", "a@acme.test"]).refused(5, "several had the address");
    let number = bin[0]["number"].to_string();
    assert_eq!(house.run(&["member", "removed", "restore", &number]).ok(), "a@acme.test restored\n");
    assert_eq!(shown(house, "a@acme.test"), before, "with all its mail");
    assert_eq!(house.json(&["member", "show", "a@acme.test"])["aliases"], serde_json::json!(["old@acme.test"]));
    house.run(&["member", "remove", "a@acme.test"]).ok();
    house.run(&["member", "removed", "restore", &number, "--as", "ann@acme.test"]).ok();
    assert_eq!(shown(house, "ann@acme.test"), before);
    house.run(&["member", "remove", "ann@acme.test"]).ok();
}

fn purges(house: &House) {
    fill(house, "info@acme.test", 0, 3, "INBOX");
    house.run(&["business", "remove", "info@acme.test"]).ok();
    let would = house.run(&["purge", "--older-than", "0d", "--dry-run"]).ok();
    assert!(
        would.contains("business info@acme.test (number 4, ") && would.ends_with("3 mailboxes would be purged\n"),
        "{would}"
    );
    assert_eq!(house.json(&["business", "removed", "list"]).as_array().map(Vec::len), Some(1), "only said");
    let gone = house.json(&["member", "removed", "purge", "ann@acme.test"]);
    assert_eq!((&gone["purged"][0]["messages"], &gone["dry_run"]), (&45.into(), &false.into()));
    house.run(&["member", "removed", "restore", "ann@acme.test"]).refused(3, "ann@acme.test in the recycle bin");
    house.run(&["member", "removed", "purge", "nobody@acme.test"]).refused(3, "nobody@acme.test");
    assert!(house.run(&["business", "removed", "purge", "--older-than", "0h"]).ok().contains(": 3 messages, "));
    assert!(
        house.run(&["purge", "--older-than", "0h"]).ok().ends_with("1 mailboxes purged\n"),
        "the second a@acme.test"
    );
    house.run(&["purge", "--older-than", "long"]).refused(2, "a number of days or hours is allowed, as in 45d or 12h");
    assert_eq!(house.json(&["member", "removed", "list"]), serde_json::json!([]));
}

#[test]
fn on_a_closed_directory() {
    let house = house(1);
    life_in_the_bin(&house);
    purges(&house);
}

#[test]
fn against_a_running_server_and_after_its_crash() {
    let house = house(2);
    let serving = house.serve(&[]);
    life_in_the_bin(&house);
    serving.signal("KILL");
    drop(serving);
    assert_eq!(house.json(&["member", "removed", "list"]).as_array().map(Vec::len), Some(2), "the bin is in the log");
    let serving = house.serve(&[]);
    purges(&house);
    assert_eq!(serving.stop(), Some(0));
    house.run(&["member", "removed", "list"]).ok();
}

/// Accounts 1 and 3 share a shard of two, 1 and 2 do not.
#[test]
fn mail_is_handed_over_as_a_whole_within_and_across_shards() {
    for serving in [false, true] {
        let house = house(2);
        let server = serving.then(|| house.serve(&[]));
        fill(&house, "a@acme.test", 0, 30, "INBOX");
        fill(&house, "a@acme.test", 50, 1, "项目");
        fill(&house, "a@acme.test", 50, 1, "项目");
        let (messages, bytes) = shown(&house, "a@acme.test");
        assert_eq!(messages, 31);
        let mail = export(&house, &["--account", "a@acme.test"], "before");
        house.run(&["member", "remove", "a@acme.test"]).ok();
        for heir in ["c@acme.test", "b@acme.test"] {
            let run = || house.run(&["member", "removed", "hand-over", "a@acme.test", "--to", heir]);
            house.run(&["member", "set", heir, "--quota", &format!("{}B", bytes - 1)]).ok();
            run().refused(5, "raise it first (posthouse member set");
            assert_eq!(shown(&house, heir).0, 0, "nothing of what does not fit as a whole");
            house.run(&["member", "set", heir, "--quota", &format!("{bytes}B")]).ok();
            let words = |copied, known| {
                format!(
                    "{copied} messages of a@acme.test handed over to {heir} in a@acme.test, {known} were there already, 0 unreadable\n"
                )
            };
            assert_eq!(run().ok(), words(31, 0));
            assert_eq!(run().ok(), words(0, 31), "again brings nothing");
            assert_eq!(shown(&house, heir), (31, bytes));
            assert_eq!(export(&house, &["--account", heir], &format!("{heir}-{serving}")), mail);
            let one = format!("{heir}/a@acme.test/项目");
            assert_eq!(export(&house, &["--mailbox", &one], &format!("{heir}-{serving}-one")).len(), 1);
        }
        house.run(&["member", "removed", "hand-over", "a@acme.test", "--to", "x@acme.test"]).refused(3, "x@acme.test");
        house.run(&["member", "removed", "purge", "a@acme.test"]).ok();
        assert_eq!(shown(&house, "c@acme.test"), (31, bytes), "what was handed over outlives its source");
        assert_eq!(export(&house, &["--account", "c@acme.test"], "after"), mail);
        house.run(&["member", "removed", "hand-over", "a@acme.test", "--to", "c@acme.test"]).refused(3, "");
        drop(server);
    }
}
