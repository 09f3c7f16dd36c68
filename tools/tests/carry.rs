//! Export and import there and back: the same messages, flags, keywords and dates, from closed directories and running servers alike.
mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use support::{House, corpus};

const FORMATS: [&str; 3] = ["maildir", "mbox", "eml"];

fn house() -> House {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for name in ["a", "b", "c", "d"] {
        house.run(&["member", "add", &format!("{name}@acme.test"), "--no-password", "--quota", "unlimited"]).ok();
    }
    house
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn import(house: &House, account: &str, path: &Path, more: &[&str]) -> support::Said {
    let path = text(path);
    let mut arguments = vec!["import", "--account", account, &path];
    arguments.extend(more);
    house.run(&arguments)
}

fn export(house: &House, account: &str, format: &str, to: &str) -> PathBuf {
    let to = house.path().join(to);
    house.run(&["export", "--account", account, "--format", format, "--to", &text(&to)]).ok();
    to
}

fn lines(export: &Path) -> Vec<serde_json::Value> {
    let manifest = std::fs::read_to_string(export.join("MANIFEST.jsonl")).expect("a manifest");
    manifest.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The manifest but for what differs between two accounts and two formats.
fn content(export: &Path) -> Vec<String> {
    let mut out = Vec::new();
    for mut line in lines(export) {
        for own in ["account", "path", "within", "format"] {
            line.as_object_mut().expect("an object").remove(own);
        }
        out.push(line.to_string());
    }
    out
}

fn messages(export: &Path) -> Vec<serde_json::Value> {
    lines(export).into_iter().filter(|line| line["is"] == "message").collect()
}

/// A Maildir with flags, keywords, dates, folders and names that need care.
fn maildir(at: &Path) {
    let put = |folder: &str, name: &str, mail: &[u8], seconds: u64| {
        let dir = at.join(folder).join("cur");
        for sub in ["cur", "new", "tmp"] {
            std::fs::create_dir_all(at.join(folder).join(sub)).expect("made");
        }
        std::fs::write(dir.join(name), mail).expect("written");
        let file = std::fs::File::options().write(true).open(dir.join(name)).expect("opened");
        file.set_modified(std::time::UNIX_EPOCH + std::time::Duration::from_secs(seconds)).expect("set");
    };
    put("", "1700000001.M1.host:2,S", &corpus::lf(&corpus::mail(1)), 1_600_000_001);
    put("", "1700000000.M1.host:2,FRSTab", &corpus::mail(2), 1_600_000_002);
    put("", "1700000002.M1.host:2,", b"Subject: no newline at the end", 5);
    std::fs::write(at.join("dovecot-keywords"), "0 $Work\n1 later\n").expect("written");
    std::fs::write(at.join("new/1700000009.new.host"), corpus::mail(9)).expect("written");
    put(".&mHl27g-.2024", "1.a:2,D", &corpus::mail(3), 1_000);
    put(".Sent Items", "1.a:2,S", &corpus::mail(4), 1_000);
    put(".With \"quotes\" & <more>", "1.a:2,S", b"From here\n>From there\nnot a header\r\r\nmixed\r\n\nFrom x\n", 7);
}

fn flags_of(export: &Path) -> BTreeMap<(String, u64), (Vec<String>, String)> {
    let mut out = BTreeMap::new();
    for line in messages(export) {
        let flags = line["flags"].as_array().expect("flags").iter().map(|flag| flag.as_str().expect("text").to_owned());
        let place = (line["mailbox"].as_str().expect("text").to_owned(), line["uid"].as_u64().expect("a number"));
        out.insert(place, (flags.collect(), line["date"].as_str().expect("text").to_owned()));
    }
    out
}

#[test]
fn a_maildir_comes_in_with_all_that_it_says() {
    let house = house();
    let source = house.path().join("Maildir");
    maildir(&source);
    let said = import(&house, "a@acme.test", &source, &[]).ok();
    assert_eq!(said, "7 messages imported, 0 were there already, 0 were not taken\n");
    let out = export(&house, "a@acme.test", "eml", "out");
    let flags = flags_of(&out);
    let of = |mailbox: &str, uid: u64| flags.get(&(mailbox.to_owned(), uid)).cloned().unwrap_or_default();
    let strings = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    // In the order of delivery, with the files' dates.
    let first = strings(&["\\Answered", "\\Flagged", "\\Deleted", "\\Seen", "$Work", "later"]);
    assert_eq!(of("INBOX", 1), (first, "2020-09-13T12:26:42Z".into()));
    assert_eq!(of("INBOX", 2), (strings(&["\\Seen"]), "2020-09-13T12:26:41Z".into()));
    assert_eq!(of("INBOX", 3), (vec![], "1970-01-01T00:00:05Z".into()));
    assert_eq!(of("项目/2024", 1).0, ["\\Draft"]);
    assert_eq!(of("Sent", 1).0, ["\\Seen"], "other servers' names for special uses");
    assert_eq!(of("With \"quotes\" & <more>", 1).0, ["\\Seen"]);
    let stored = std::fs::read(out.join("a@acme.test/INBOX/0000000002.eml")).expect("exported");
    assert_eq!(stored, corpus::mail(1), "LF became CRLF");
    let again = import(&house, "a@acme.test", &source, &[]).ok();
    assert_eq!(again, "0 messages imported, 7 were there already, 0 were not taken\n");
}

/// Export in each format, import by the manifest, export again: equal manifests.
fn there_and_back(house: &House, account: &str) {
    // Compared by mbox exports: a file a message costs most of this test's time.
    let first = export(house, account, "mbox", &format!("{account}-first"));
    let expected = content(&first);
    for (at, format) in FORMATS.iter().enumerate() {
        let out = export(house, account, format, &format!("{account}-{format}"));
        assert_eq!(content(&out), expected, "{format}");
        let other = ["b@acme.test", "c@acme.test", "d@acme.test"][at];
        let count = messages(&out).len();
        let said = import(house, other, &out, &[]).ok();
        assert_eq!(said, format!("{count} messages imported, 0 were there already, 0 were not taken\n"), "{format}");
        let back = export(house, other, "mbox", &format!("{account}-{format}-back"));
        assert_eq!(content(&back), expected, "{format} and back");
        let said = import(house, other, &out, &[]).ok();
        assert_eq!(said, format!("0 messages imported, {count} were there already, 0 were not taken\n"), "{format}");
        let used = |name: &str| house.json(&["member", "show", name])["used_bytes"].clone();
        assert_eq!(used(account), used(other));
    }
}

#[test]
fn every_format_brings_back_what_it_took_on_a_closed_directory() {
    let house = house();
    let source = house.path().join("Maildir");
    maildir(&source);
    import(&house, "a@acme.test", &source, &[]).ok();
    // Equal messages in one mailbox are two messages.
    let twice = house.path().join("twice");
    std::fs::create_dir(&twice).expect("made");
    for name in ["1.eml", "2.eml"] {
        std::fs::write(twice.join(name), corpus::mail(77)).expect("written");
    }
    import(&house, "a@acme.test", &twice, &["--mailbox", "项目/双"]).ok();
    there_and_back(&house, "a@acme.test");
}

#[test]
fn chinese_mail_comes_back_through_a_running_server() {
    let house = house();
    let source = corpus::chinese(house.path());
    let serving = house.serve(&[]);
    let said = import(&house, "a@acme.test", &source, &["--mailbox", "归档/邮件.v1.eml"]).ok();
    assert!(said.starts_with("240 messages imported, 0 were"), "{said}");
    there_and_back(&house, "a@acme.test");
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn the_spamassassin_corpus_comes_back() {
    let Some(source) = corpus::set("spamassassin") else { return };
    let house = house();
    let serving = house.serve(&[]);
    let said = import(&house, "a@acme.test", &source, &[]).ok();
    assert_eq!(said, "6046 messages imported, 0 were there already, 0 were not taken\n");
    there_and_back(&house, "a@acme.test");
    assert_eq!(serving.stop(), Some(0));
}

/// Where each message frame's payload begins in the first segment (docs/format.md, "Frame header").
fn message_payloads(segment: &[u8]) -> Vec<(usize, usize)> {
    let number = |at: usize| u32::from_le_bytes(segment[at..at + 4].try_into().expect("four bytes")) as usize;
    let frames = (64..segment.len() - 32).step_by(8).filter(|at| segment[*at..].starts_with(b"PHF1\x01"));
    frames.map(|at| (at + 32, number(at + 8))).collect()
}

#[test]
fn an_export_goes_on_past_what_cannot_be_read() {
    let house = house();
    let source = house.path().join("mails");
    std::fs::create_dir(&source).expect("made");
    (0..5).for_each(|n| std::fs::write(source.join(format!("{n}.eml")), corpus::mail(n)).expect("written"));
    import(&house, "a@acme.test", &source, &[]).ok();
    let segment = house.data().join("shards/00000/seg-0000000001.phl");
    let mut bytes = std::fs::read(&segment).expect("a segment");
    let (at, len) = message_payloads(&bytes)[2];
    bytes[at + len - 9] ^= 0x55;
    std::fs::write(&segment, bytes).expect("written");
    for serving in [false, true] {
        let server = serving.then(|| house.serve(&[]));
        let to = house.path().join(format!("out-{serving}"));
        let said = house.run(&["export", "--account", "a@acme.test", "--format", "maildir", "--to", &text(&to)]);
        assert_eq!(said.code, 8, "{}{}", said.out, said.err);
        assert!(
            said.out.starts_with("4 messages (") && said.out.ends_with(" exported, 1 unreadable\n"),
            "{}",
            said.out
        );
        assert!(said.err.contains("a@acme.test, mailbox INBOX, uid 3: "), "{}", said.err);
        let all = lines(&to);
        let bad: Vec<_> = all.iter().filter(|line| line["is"] == "unreadable").collect();
        assert_eq!((bad.len(), &bad[0]["uid"]), (1, &3.into()));
        assert_eq!(all.last().expect("a line")["unreadable"], 1);
        let uids: Vec<u64> = messages(&to).iter().filter_map(|line| line["uid"].as_u64()).collect();
        assert_eq!(uids, [1, 2, 4, 5]);
        import(&house, "b@acme.test", &to, &["--mailbox", &format!("{serving}")]).ok();
        drop(server);
    }
}

#[test]
fn a_mailbox_a_tenant_and_everything() {
    let house = house();
    house.run(&["tenant", "add", "other"]).ok();
    house.run(&["domain", "add", "other.test", "--tenant", "other"]).ok();
    house.run(&["member", "add", "x/y@other.test", "--no-password"]).ok();
    house.run(&["business", "add", "info@acme.test", "--no-password"]).ok();
    let source = house.path().join("mails");
    std::fs::create_dir(&source).expect("made");
    (0..3).for_each(|n| std::fs::write(source.join(format!("{n}.eml")), corpus::mail(n)).expect("written"));
    for account in ["a@acme.test", "info@acme.test", "x/y@other.test"] {
        import(&house, account, &source, &["--mailbox", "归档/2024"]).ok();
    }
    let run = |more: &[&str], to: &str| {
        let to = text(&house.path().join(to));
        let mut arguments = vec!["export", "--format", "mbox", "--to", &to];
        arguments.extend(more);
        house.run(&arguments)
    };
    let accounts = |to: &str| {
        let mut found: Vec<String> = messages(&house.path().join(to))
            .iter()
            .map(|line| line["account"].as_str().expect("text").into())
            .collect();
        found.dedup();
        found
    };
    run(&["--tenant", "acme"], "tenant").ok();
    assert_eq!(accounts("tenant"), ["a@acme.test", "info@acme.test"]);
    run(&["--all"], "all").ok();
    assert_eq!(accounts("all"), ["a@acme.test", "info@acme.test", "x/y@other.test"]);
    run(&["--mailbox", "x/y@other.test/归档/2024"], "one").ok();
    assert_eq!(accounts("one"), ["x/y@other.test"]);
    assert_eq!(lines(&house.path().join("one")).iter().filter(|line| line["is"] == "mailbox").count(), 1);
    run(&["--mailbox", "a@acme.test/nothing"], "nothing").refused(3, "mailbox nothing does not exist");
    run(&["--account", "nobody@acme.test"], "nobody").refused(3, "nobody@acme.test");
    assert!(!house.path().join("nobody").exists(), "a name that nobody has made a directory");
    run(&["--account", "a@acme.test", "--all"], "both").refused(2, "");
    // Of several accounts one is named, or all go home.
    let all = house.path().join("all");
    import(&house, "b@acme.test", &all, &[]).refused(5, "--from says whose mail is meant (a@acme.test, ");
    import(&house, "b@acme.test", &all, &["--from", "x/y@other.test"]).ok();
    import(&house, "b@acme.test", &all, &["--from", "nobody@other.test"]).refused(3, "nobody@other.test");
    let said = house.run(&["import", "--each", &text(&all)]).ok();
    assert_eq!(said, "0 messages imported, 9 were there already, 0 were not taken\n");
}

#[test]
fn bulk_requests_that_lie_are_refused() {
    use std::io::{BufRead, BufReader, Write};
    let house = house();
    let serving = house.serve(&[]);
    let ask = |line: &str, payload: &[u8]| {
        let mut stream = std::os::unix::net::UnixStream::connect(house.data().join("control.sock")).expect("connected");
        stream.set_read_timeout(Some(std::time::Duration::from_secs(120))).expect("set");
        stream.write_all(line.as_bytes()).and_then(|()| stream.write_all(payload)).expect("sent");
        let mut answer = String::new();
        BufReader::new(&stream).read_line(&mut answer).expect("an answer");
        answer
    };
    let ingest = |account: u64, sizes: &[u64]| {
        let messages: Vec<String> = sizes.iter().map(|size| format!("{{\"size\":{size}}}")).collect();
        let messages = messages.join(",");
        format!(
            "{{\"op\":\"bulk\",\"ask\":\"ingest\",\"account\":{account},\"mailbox\":\"INBOX\",\"messages\":[{messages}]}}\n"
        )
    };
    for sizes in [&[u64::MAX][..], &[u64::MAX, u64::MAX], &[1 << 40]] {
        assert!(ask(&ingest(1, sizes), b"").contains("allowed are 268435456"), "{sizes:?}");
    }
    assert!(ask(&ingest(99, &[3]), b"abc").contains("account 99 does not exist"));
    assert!(
        ask("{\"op\":\"bulk\",\"ask\":\"fetch\",\"account\":99,\"mailbox\":1,\"after\":0}\n", b"")
            .contains("does not exist")
    );
    assert!(ask("{\"op\":\"bulk\",\"ask\":\"nonsense\"}\n", b"").contains("cannot be read"));
    assert!(ask(&ingest(1, &[0, 5, 0]), b"hello").contains("\"said\":\"ingested\""));
    assert_eq!(serving.stop(), Some(0));
    // Bytes that were promised and never came changed nothing; what came whole is there.
    assert_eq!(house.json(&["member", "show", "a@acme.test"])["messages"], 3);
}

/// What messages were called by POP3: kept where the old server's lists say it, there and back, and also by an import that is run again.
#[test]
fn pop3_ids_come_along() {
    let house = house();
    let source = house.path().join("Maildir");
    maildir(&source);
    let list = "3 V1600000000 N9 G00\n5 :1700000000.M1.host:2,\n7 W9 Pfrom.before :1700000001.M1.host:2,S\n";
    std::fs::write(source.join("dovecot-uidlist"), list).expect("written");
    let ids = |export: &Path| -> Vec<String> {
        let inbox = messages(export).into_iter().filter(|line| line["mailbox"] == "INBOX");
        inbox.map(|line| line["pop3_uidl"].as_str().unwrap_or("-").to_owned()).collect()
    };
    import(&house, "a@acme.test", &source, &["--pop3-uidl", "none"]).ok();
    assert_eq!(ids(&export(&house, "a@acme.test", "eml", "none")), ["-", "-", "-", "-"]);
    import(&house, "a@acme.test", &source, &[]).ok();
    assert_eq!(ids(&export(&house, "a@acme.test", "eml", "listed")), ["-", "from.before", "-", "-"]);
    import(&house, "a@acme.test", &source, &["--pop3-uidl", "dovecot"]).ok();
    let all = ["000000055f5e1000", "from.before", "-", "-"];
    for (at, format) in FORMATS.iter().enumerate() {
        let out = export(&house, "a@acme.test", format, &format!("all-{format}"));
        assert_eq!(ids(&out), all, "{format}");
        let other = ["b@acme.test", "c@acme.test", "d@acme.test"][at];
        import(&house, other, &out, &[]).ok();
        assert_eq!(ids(&export(&house, other, "eml", &format!("back-{format}"))), all, "{format} and back");
    }
    let wrong = import(&house, "a@acme.test", &source, &["--pop3-uidl", "%v"]);
    wrong.refused(2, "allowed are listed, none, dovecot, file, or a form with %u, %v or %f");
}
