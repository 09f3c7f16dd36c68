//! Annotations (RFC 5464) go out with an export, in every format, and come in with its import; what is there already stays.
mod support;

use posthouse_engine::base::SystemClock;
use posthouse_engine::directory::Address;
use posthouse_engine::disk::StdDisk;
use posthouse_engine::{Engine, Options};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use support::{House, corpus};

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

/// Sets annotations as IMAP does: of the account and of INBOX.
fn annotate(house: &House, address: &str, notes: &[(bool, &str, &[u8])]) {
    let options = Options {
        disk: Arc::new(StdDisk::new(house.path().join("data")).expect("a directory")),
        clock: Arc::new(SystemClock),
        shards: 1,
        segment_bytes_max: 1 << 20,
        checkpoint_log_bytes: 1 << 20,
        workers: 1,
    };
    let (engine, _) = Engine::open(options).expect("opens");
    let address = Address::parse(address).expect("an address");
    let account = engine.directory(|all| all.account_at(&address).map(|found| found.id)).expect("a member");
    let inbox = engine.open_account(account).wait().expect("opened").mailbox_named("INBOX").map(|mailbox| mailbox.id);
    for (own, name, value) in notes {
        let entry = ((*name).to_owned(), Some(value.to_vec()));
        engine.set_metadata(account, inbox.filter(|_| !own), vec![entry]).wait().expect("set");
    }
    engine.close().expect("closes");
}

fn annotations(export: &Path) -> Vec<String> {
    let manifest = std::fs::read_to_string(export.join("MANIFEST.jsonl")).expect("a manifest");
    let lines = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let ours = lines.filter(|line| line["is"] == "annotation");
    ours.map(|line| format!("{} {} {} {}", line["mailbox"], line["name"], line["value"], line["base64"])).collect()
}

fn export(house: &House, account: &str, format: &str, to: &str) -> PathBuf {
    let to = house.path().join(to);
    house.run(&["export", "--account", account, "--format", format, "--to", &text(&to)]).ok();
    to
}

#[test]
fn annotations_go_there_and_back_and_replace_nothing() {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for name in ["a", "maildir", "mbox", "eml", "under"] {
        house.run(&["member", "add", &format!("{name}@acme.test"), "--no-password"]).ok();
    }
    std::fs::write(house.path().join("one.eml"), corpus::mail(1)).expect("written");
    house.run(&["import", "--account", "a@acme.test", &text(&house.path().join("one.eml"))]).ok();
    let (private, shared) = ("/private/comment", "/shared/vendor/x");
    annotate(
        &house,
        "a@acme.test",
        &[(true, private, "项目 \"x\"".as_bytes()), (false, private, b"two\r\nlines"), (false, shared, b"\0\xff")],
    );
    annotate(&house, "eml@acme.test", &[(false, shared, b"its own")]);
    let expected = [
        "null \"/private/comment\" \"项目 \\\"x\\\"\" null",
        "\"INBOX\" \"/private/comment\" null \"dHdvDQpsaW5lcw==\"",
        "\"INBOX\" \"/shared/vendor/x\" null \"AP8=\"",
    ];
    for format in ["maildir", "mbox", "eml"] {
        let out = export(&house, "a@acme.test", format, format);
        assert_eq!(annotations(&out), expected, "{format}");
        let account = format!("{format}@acme.test");
        house.run(&["import", "--account", &account, &text(&out)]).ok();
        let found = annotations(&export(&house, &account, "eml", &format!("{format}-again")));
        assert_eq!(found[..2], expected[..2], "{format}");
        let last = if format == "eml" { "\"INBOX\" \"/shared/vendor/x\" \"its own\" null" } else { expected[2] };
        assert_eq!(found[2], last, "{format}: what is there stays");
    }
    let out = house.path().join("eml");
    house.run(&["import", "--account", "under@acme.test", "--mailbox", "Old", &text(&out)]).ok();
    let found = annotations(&export(&house, "under@acme.test", "eml", "under-again"));
    let below: Vec<String> = expected[1..].iter().map(|line| line.replace("\"INBOX\"", "\"Old\"")).collect();
    assert_eq!(found, below, "the account's own stay away from a folder");
}

#[test]
fn a_manifest_with_strange_annotations_brings_its_mail_all_the_same() {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "a@acme.test", "--no-password"]).ok();
    let out = house.path().join("out");
    std::fs::create_dir(&out).expect("made");
    let line = |name: &str, value: &str| {
        format!(r#"{{"is":"annotation","account":"a@acme.test","mailbox":"INBOX","name":"{name}",{value}}}"#)
    };
    let manifest = [
        r#"{"is":"export","version":1,"format":"eml"}"#.to_owned(),
        r#"{"is":"mailbox","account":"a@acme.test","mailbox":"INBOX","path":"x","subscribed":true}"#.to_owned(),
        line("/Private/*", r#""value":"x""#),
        line("/private/a", r#""value":"x","base64":"eA==""#),
        line("/private/b", r#""base64":"not base64!""#),
        line("/private/c", r#""value":"good""#),
        line("/private/d", &format!(r#""value":"{}""#, "x".repeat(70_000))),
        r#"{"is":"end","messages":0,"bytes":0,"unreadable":0}"#.to_owned(),
    ];
    std::fs::write(out.join("MANIFEST.jsonl"), manifest.join("\n") + "\n").expect("written");
    let said = house.run(&["import", "--account", "a@acme.test", "--json", &text(&out)]);
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((&report["annotations"], &report["bad"]), (&1.into(), &4.into()), "{}{}", said.out, said.err);
    assert_eq!(annotations(&export(&house, "a@acme.test", "eml", "again")).len(), 1);
}
