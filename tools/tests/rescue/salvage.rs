//! salvage: everything outside of the damage comes out, in each format, as an export that import takes; the source stays as it is.
use crate::support::House;
use crate::{MEMBERS, damage, files, filled, json_lines, message_body, segment};
use std::collections::BTreeMap;
use std::path::Path;

fn text(path: &Path) -> String {
    path.display().to_string()
}

/// What a manifest says of messages: (account, mailbox, uid) -> digest, flags, date.
fn manifest(at: &Path) -> BTreeMap<(String, String, u64), (String, String, String)> {
    let lines = json_lines(&std::fs::read_to_string(at.join("MANIFEST.jsonl")).expect("a manifest"));
    let field = |line: &serde_json::Value, name: &str| line[name].as_str().unwrap_or_default().to_owned();
    let place = |line: &serde_json::Value| {
        (field(line, "account"), field(line, "mailbox"), line["uid"].as_u64().expect("a uid"))
    };
    let content = |line: &serde_json::Value| (field(line, "sha256"), line["flags"].to_string(), field(line, "date"));
    lines.iter().filter(|line| line["is"] == "message").map(|line| (place(line), content(line))).collect()
}

#[test]
fn a_whole_store_comes_out_as_an_export_would() {
    let house = filled();
    let before = files(&house.data());
    let exported = house.path().join("exported");
    house.run(&["export", "--all", "--format", "eml", "--to", &text(&exported)]).ok();
    for format in ["eml", "maildir", "mbox"] {
        let to = house.path().join(format);
        let said = house.run(&["salvage", &text(&house.data()), "--to", &text(&to), "--format", format]).ok();
        assert!(said.contains("0 lost; 0 findings of damage"), "{said}");
        assert_eq!(manifest(&to), manifest(&exported), "{format}");
        assert_eq!(std::fs::read_to_string(to.join("DAMAGE.jsonl")).expect("there"), "");
    }
    assert_eq!(files(&house.data()), before);
}

#[test]
fn what_is_good_comes_out_and_goes_into_a_new_store() {
    let house = filled();
    let whole = house.path().join("whole");
    house.run(&["salvage", &text(&house.data()), "--to", &text(&whole)]).ok();
    let file = segment(&house, "00000", 1);
    damage(&file, message_body(&file, 0), 50);
    std::fs::remove_file(house.data().join("STORE")).expect("removed");
    for path in files(&house.data()).keys().filter(|path| path.extension().is_some_and(|end| end == "phi")) {
        std::fs::remove_file(path).expect("removed");
    }
    let to = house.path().join("salvaged");
    let said = house.run(&["salvage", &text(&house.data()), "--to", &text(&to), "--json"]);
    assert_eq!(said.code, 8, "{}{}", said.out, said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    let (all, found) = (manifest(&whole), manifest(&to));
    let lost = report["lost"].as_u64().expect("a number") as usize;
    assert!(lost > 0 && found.len() + lost == all.len(), "{report}");
    assert!(found.iter().all(|(place, content)| all[place] == *content));
    let damages = json_lines(&std::fs::read_to_string(to.join("DAMAGE.jsonl")).expect("there"));
    assert!(damages.iter().any(|line| line["file"] == text(&file).as_str() && line["offset"].is_u64()), "{damages:?}");

    let fresh = House::new();
    fresh.run(&["tenant", "add", "acme"]).ok();
    fresh.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for member in MEMBERS {
        fresh.run(&["member", "add", member, "--no-password"]).ok();
    }
    fresh.run(&["import", "--each", &text(&to)]);
    let rows = fresh.json(&["member", "list"]);
    let there: u64 = rows.as_array().expect("rows").iter().filter_map(|row| row["messages"].as_u64()).sum();
    assert_eq!(there as usize, found.len(), "{rows}");
}

/// Digests, flags and dates of each account's mail without uids: those are new in a new store.
fn mail(at: &Path) -> Vec<(String, String, (String, String, String))> {
    let mut mail: Vec<_> =
        manifest(at).into_iter().map(|((account, mailbox, _), content)| (account, mailbox, content)).collect();
    mail.sort();
    mail
}

#[test]
fn into_a_new_store_with_all_who_lived_in_the_old_one() {
    let house = filled();
    house.run(&["member", "set", "bob@acme.test", "--quota", "5MiB"]).ok();
    house.run(&["alias", "add", "--account", "bob@acme.test", "robert@acme.test"]).ok();
    let whole = house.path().join("whole");
    house.run(&["export", "--all", "--format", "eml", "--to", &text(&whole)]).ok();
    let file = segment(&house, "00000", 1);
    damage(&file, message_body(&file, 0), 50);
    let files_before = files(&house.data());
    let fresh = House::new();
    let into = fresh.data();
    let said = house.run(&["salvage", &text(&house.data()), "--into", &text(&into), "--json"]);
    assert_eq!(said.code, 8, "{}{}", said.out, said.err);
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(files(&house.data()), files_before, "the source is only read");
    let out = fresh.path().join("out");
    fresh.run(&["export", "--all", "--format", "eml", "--to", &text(&out)]).ok();
    let (all, found) = (mail(&whole), mail(&out));
    assert!(found.iter().all(|one| all.contains(one)));
    assert_eq!(found.len() as u64 + report["lost"].as_u64().expect("a number"), all.len() as u64, "{report}");
    let damages = json_lines(&std::fs::read_to_string(into.join("lost+found/DAMAGE.jsonl")).expect("there"));
    assert!(damages.iter().any(|line| line["file"] == text(&file).as_str()), "{damages:?}");
    let bob = fresh.json(&["member", "show", "robert@acme.test"]);
    assert_eq!((&bob["address"], &bob["quota"]), (&"bob@acme.test".into(), &"5MiB".into()), "{bob}");
    fresh.run(&["verify"]).ok();
    house.run(&["salvage", &text(&house.data()), "--into", &text(&into)]).refused(4, "not empty");
}

#[test]
fn refused_where_it_would_do_harm() {
    let house = filled();
    let full = house.path().join("full");
    std::fs::create_dir(&full).expect("made");
    std::fs::write(full.join("x"), "").expect("written");
    house.run(&["salvage", &text(&house.data()), "--to", &text(&full)]).refused(4, "not empty");
    let to = house.path().join("to");
    house.run(&["salvage", &text(&house.path().join("nowhere")), "--to", &text(&to)]).refused(3, "a store in");
    let serving = house.serve(&[]);
    house.run(&["salvage", &text(&house.data()), "--to", &text(&to)]).refused(6, "posthouse export");
    assert_eq!(serving.stop(), Some(0));
}
