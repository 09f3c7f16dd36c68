//! Import from what other programs leave, from what somebody bent on purpose, and cut off in the middle.
mod support;

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use support::{House, Said, corpus};

fn house() -> House {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "a@acme.test", "--no-password", "--quota", "unlimited"]).ok();
    house
}

fn import(house: &House, path: &Path, more: &[&str]) -> Said {
    let path = path.to_string_lossy().into_owned();
    let mut arguments = vec!["import", "--account", "a@acme.test", &path];
    arguments.extend(more);
    house.run(&arguments)
}

/// `mailbox/uid flags date` and the bytes of every message, by an export.
fn stored(house: &House, name: &str) -> Vec<(String, Vec<u8>)> {
    let to = house.path().join(name);
    let path = to.to_string_lossy().into_owned();
    house.run(&["export", "--account", "a@acme.test", "--format", "eml", "--to", &path]).ok();
    let manifest = std::fs::read_to_string(to.join("MANIFEST.jsonl")).expect("a manifest");
    let lines = manifest.lines().map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON"));
    let messages = lines.filter(|line| line["is"] == "message").map(|line| {
        let text = |key: &str| line[key].as_str().expect("text").to_owned();
        let flags: Vec<String> = line["flags"].as_array().expect("flags").iter().map(ToString::to_string).collect();
        let words = format!("{}/{} {} {}", text("mailbox"), line["uid"], flags.join(" "), text("date"));
        (words, std::fs::read(to.join(text("path"))).expect("a file"))
    });
    messages.collect()
}

#[test]
fn an_mbox_of_other_programs() {
    let house = house();
    let file = house.path().join("old");
    let mbox = b"From a@b.test Tue Nov 24 05:00:00 2026\nStatus: RO\nX-Status: F\nSubject: one\n\nFrom here on it is text.\n\n\
        >From quoted\n>>From twice\n\n\nFrom - Tue Nov 24 13:00:00 2026 +0800\r\nSubject: two\r\n\r\nCRLF\r\n\r\n\
        From x Tue Nov 24 05:00:02 2026\nX-Mozilla-Status: 0008\nSubject: deleted\n\nx\n\n\
        From x Tue Nov 24 05:00:03 2026\nSubject: last\n\nno end";
    std::fs::write(&file, mbox).expect("written");
    assert_eq!(import(&house, &file, &[]).ok(), "3 messages imported, 0 were there already, 0 were not taken\n");
    let found = stored(&house, "out");
    let expected: [(&str, &[u8]); 3] = [
        (
            "INBOX/1 \"\\\\Flagged\" \"\\\\Seen\" 2026-11-24T05:00:00Z",
            b"Subject: one\r\n\r\nFrom here on it is text.\r\n\r\nFrom quoted\r\n>From twice\r\n\r\n",
        ),
        ("INBOX/2  2026-11-24T05:00:00Z", b"Subject: two\r\n\r\nCRLF\r\n"),
        ("INBOX/3  2026-11-24T05:00:03Z", b"Subject: last\r\n\r\nno end"),
    ];
    assert_eq!(found.len(), 3);
    for ((words, bytes), (expected_words, expected_bytes)) in found.iter().zip(expected) {
        assert_eq!(
            (words.as_str(), String::from_utf8_lossy(bytes)),
            (expected_words, String::from_utf8_lossy(expected_bytes))
        );
    }
    std::fs::write(&file, b"rubbish\n\nFrom a@b.test Tue Nov 24 05:00:00 2026\n\nempty header\n").expect("written");
    import(&house, &file, &["--mailbox", "x", "--format", "mbox"]).refused(8, "does not begin with a From_ line");
    assert!(
        stored(&house, "more")
            .iter()
            .any(|(words, bytes)| words.starts_with("x/1") && bytes == b"\r\nempty header\r\n")
    );
}

#[test]
fn a_tree_of_mbox_files_as_thunderbird_leaves_it() {
    let house = house();
    let tree = house.path().join("Mail");
    std::fs::create_dir_all(tree.join("项目.sbd/2024.sbd")).expect("made");
    let one =
        |number: usize| [b"From - Tue Nov 24 05:00:00 2026\n", &corpus::lf(&corpus::mail(number))[..], b"\n"].concat();
    for (path, number) in [("Inbox", 1), ("项目", 2), ("项目.sbd/2024", 3), ("项目.sbd/2024.sbd/x", 4), ("Sent", 5)]
    {
        std::fs::write(tree.join(path), one(number)).expect("written");
        std::fs::write(tree.join(format!("{path}.msf")), "// an index\n").expect("written");
    }
    assert_eq!(
        import(&house, &tree, &["--format", "mbox"]).ok(),
        "5 messages imported, 0 were there already, 0 were not taken\n"
    );
    let mut names: Vec<String> = stored(&house, "out").into_iter().map(|(words, _)| words).collect();
    names.iter_mut().for_each(|words| words.truncate(words.find(' ').unwrap_or(0)));
    assert_eq!(names, ["INBOX/1", "Sent/1", "项目/1", "项目/2024/1", "项目/2024/x/1"]);
}

#[test]
fn nothing_outside_the_source_is_reached() {
    let house = house();
    let secret = house.path().join("secret");
    std::fs::create_dir_all(secret.join("cur")).expect("made");
    std::fs::write(secret.join("cur/1.x:2,"), "Subject: secret\n\nx\n").expect("written");
    let maildir = house.path().join("Maildir");
    for sub in ["cur", "new", "tmp", ".good/cur"] {
        std::fs::create_dir_all(maildir.join(sub)).expect("made");
    }
    std::fs::write(maildir.join(".good/cur/1.good:2,"), corpus::mail(1)).expect("written");
    symlink(secret.join("cur/1.x:2,"), maildir.join("cur/2.link:2,S")).expect("linked");
    symlink(&secret, maildir.join(".linked")).expect("linked");
    symlink("/etc", maildir.join("fs")).expect("linked");
    let pipe = Command::new("mkfifo").arg(maildir.join("cur/3.pipe:2,")).status().expect("mkfifo");
    assert!(pipe.success());
    let said = import(&house, &maildir, &[]);
    assert_eq!(said.code, 8, "{}{}", said.out, said.err);
    assert_eq!(said.err.matches("is a symbolic link, which is not followed").count(), 3, "{}", said.err);
    assert_eq!(stored(&house, "out").len(), 1);
    // A manifest that leads out.
    let export = house.path().join("export");
    std::fs::create_dir(&export).expect("made");
    symlink(&secret, export.join("dir")).expect("linked");
    let mut manifest = String::from("{\"is\":\"export\",\"version\":1,\"format\":\"eml\"}\n");
    let paths =
        ["../secret/cur/1.x:2,", "/etc/passwd", "dir/cur/1.x:2,", "a/../../secret/cur/1.x:2,", "", "..", "nul\\u0000"];
    for path in paths {
        manifest.push_str(&format!(
            "{{\"is\":\"message\",\"account\":\"x\",\"mailbox\":\"bad\",\"uid\":1,\"flags\":[],\"date\":\"2026-01-01T00:00:00Z\",\"size\":20,\"sha256\":\"00\",\"path\":\"{path}\"}}\n"
        ));
    }
    manifest.push_str(
        "{\"is\":\"mailbox\",\"account\":\"x\",\"mailbox\":\"nul\\u0000in/../it\",\"path\":\"\",\"subscribed\":true}\n",
    );
    manifest.push_str("{\"is\":\"end\",\"messages\":7,\"bytes\":0,\"unreadable\":0}\n");
    std::fs::write(export.join("MANIFEST.jsonl"), manifest).expect("written");
    let said = import(&house, &export, &[]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (8, "0 messages imported, 0 were there already, 8 were not taken\n"),
        "{}",
        said.err
    );
    assert_eq!(stored(&house, "after").len(), 1);
}

#[test]
fn bad_messages_and_bad_manifests_are_told() {
    let house = house();
    let export = house.path().join("export");
    let source = house.path().join("mails");
    std::fs::create_dir(&source).expect("made");
    for number in 0..3 {
        std::fs::write(source.join(format!("{number}.eml")), corpus::mail(number)).expect("written");
    }
    std::fs::write(source.join("empty.eml"), "").expect("written");
    import(&house, &source, &["--mailbox", "src"]).refused(8, "empty.eml: is empty");
    import(&house, &source, &["--message-bytes-max", "20"])
        .refused(8, "is larger than 20 bytes; --message-bytes-max allows more");
    let path = export.to_string_lossy().into_owned();
    house.run(&["export", "--account", "a@acme.test", "--format", "eml", "--to", &path]).ok();
    house.run(&["export", "--account", "a@acme.test", "--format", "eml", "--to", &path]).refused(4, "is not empty");
    let changed = export.join("a@acme.test/src/0000000002.eml");
    std::fs::write(&changed, corpus::mail(9)).expect("written");
    std::fs::remove_file(export.join("a@acme.test/src/0000000001.eml")).expect("removed");
    let said = import(&house, &export, &["--mailbox", "back"]);
    assert_eq!(
        (said.code, said.out.as_str()),
        (8, "1 messages imported, 0 were there already, 2 were not taken\n"),
        "{}",
        said.err
    );
    assert!(said.err.contains("SHA-256 differ from the manifest's"), "{}", said.err);
    let manifest = std::fs::read_to_string(export.join("MANIFEST.jsonl")).expect("a manifest");
    let cut: Vec<&str> = manifest.lines().filter(|line| !line.contains("\"end\"")).collect();
    std::fs::write(export.join("MANIFEST.jsonl"), cut.join("\n") + "\n").expect("written");
    import(&house, &export, &["--mailbox", "cut"]).refused(5, "the manifest is cut off");
    import(&house, &house.path().join("nowhere"), &[]).refused(3, "nowhere does not exist");
    import(&house, house.path(), &["--from", "x@y.test"]).refused(5, "");
    house.run(&["import", "--account", "nobody@acme.test", &source.to_string_lossy()]).refused(3, "nobody@acme.test");
}

#[test]
fn a_full_account_stops_the_import_with_the_way_out() {
    let house = house();
    let source = house.path().join("mails");
    std::fs::create_dir(&source).expect("made");
    (0..2500).for_each(|n| std::fs::write(source.join(format!("{n:05}.eml")), corpus::mail(n)).expect("written"));
    house.run(&["member", "set", "a@acme.test", "--quota", "100KB"]).ok();
    let said = import(&house, &source, &[]);
    assert!(said.err.contains("quota exceeded") && said.err.contains("posthouse member set"), "{}", said.err);
    assert_eq!(said.code, 5);
    let shown = house.json(&["member", "show", "a@acme.test"]);
    let used = shown["used_bytes"].as_u64().expect("a number");
    assert!((99_700..=100_000).contains(&used), "{used}");
    house.run(&["member", "set", "a@acme.test", "--quota", "unlimited"]).ok();
    let taken = shown["messages"].as_u64().expect("a number");
    let said = import(&house, &source, &[]).ok();
    assert_eq!(said, format!("{} messages imported, {taken} were there already, 0 were not taken\n", 2500 - taken));
}

fn spawn(house: &House, path: &Path) -> Child {
    let mut command = Command::new(support::POSTHOUSE);
    command.args(["import", "--account", "a@acme.test", "--config"]).arg(house.config()).arg(path);
    command.args(["--format", "mbox"]).env_remove("POSTHOUSE_DATA").env_remove("POSTHOUSE_CONFIG");
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

fn log_bytes(house: &House) -> u64 {
    let files = std::fs::read_dir(house.data().join("shards/00000")).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|about| about.len()).sum()
}

/// Feeds messages through a pipe until `enough`; gives back how many were written whole, and the pipe, which ends when it is dropped.
fn feed(pipe: &Path, messages: usize, mut enough: impl FnMut(usize) -> bool) -> (usize, File) {
    let mut out = std::fs::File::options().write(true).open(pipe).expect("somebody reads");
    for number in 0..messages {
        let mail = corpus::lf(&corpus::mail(number));
        let text = [b"From - Tue Nov 24 05:00:00 2026\n", &mail[..], b"\n"].concat();
        if enough(number) || out.write_all(&text).is_err() {
            return (number, out);
        }
    }
    (messages, out)
}

/// Cut off by kill -9 of whoever writes the store, again and again: in the end every message is there once.
fn killed_and_repeated(serving: bool) {
    let house = house();
    let pipe = house.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    const MESSAGES: usize = 20_000;
    let mut cuts = 0;
    for round in 1..=3 {
        let server = serving.then(|| house.serve(&[]));
        let mut child = spawn(&house, &pipe);
        let before = log_bytes(&house);
        let (written, open) =
            feed(&pipe, MESSAGES, |number| number % 100 == 0 && log_bytes(&house) > before + 400_000 * round);
        match &server {
            Some(server) => server.signal("KILL"),
            None => child.kill().expect("killed"),
        }
        drop(open);
        let ended = child.wait().expect("ended");
        assert!(!ended.success(), "the import says that all is well");
        cuts += usize::from(written < MESSAGES);
        drop(server);
    }
    assert_eq!(cuts, 3, "each round was cut off in the middle");
    let server = serving.then(|| house.serve(&[]));
    let child = spawn(&house, &pipe);
    assert_eq!(feed(&pipe, MESSAGES, |_| false).0, MESSAGES);
    let said: Said = child.wait_with_output().expect("ended").into();
    let words = said.ok();
    assert!(!words.contains(" 0 were there already") && words.contains(" 0 were not taken"), "{words}");
    let found = stored(&house, "out");
    assert_eq!(found.len(), MESSAGES);
    let mut bodies: Vec<&Vec<u8>> = found.iter().map(|(_, bytes)| bytes).collect();
    bodies.sort();
    bodies.dedup();
    assert_eq!(bodies.len(), MESSAGES, "some came twice");
    drop(server);
}

#[test]
fn a_killed_import_goes_on_where_it_was() {
    killed_and_repeated(false);
}

#[test]
fn an_import_into_a_killed_server_goes_on_where_it_was() {
    killed_and_repeated(true);
}

/// Peak resident memory of a process in KiB.
fn peak_kib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("a peak");
    line.split_whitespace().nth(1).and_then(|kib| kib.parse().ok()).expect("a number")
}

#[test]
fn a_line_of_a_gigabyte_takes_no_memory() {
    let house = house();
    let pipe = house.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let child = spawn(&house, &pipe);
    let mut out = std::fs::File::options().write(true).open(&pipe).expect("somebody reads");
    out.write_all(b"From - Tue Nov 24 05:00:00 2026\nSubject: long\n\n").expect("written");
    let block = vec![b'x'; 1 << 20];
    (0..1024).for_each(|_| out.write_all(&block).expect("written"));
    out.write_all(b"\n\nFrom - Tue Nov 24 05:00:00 2026\nSubject: short\n\nx\n").expect("written");
    let peak = peak_kib(child.id());
    drop(out);
    let said: Said = child.wait_with_output().expect("ended").into();
    assert_eq!(
        (said.code, said.out.as_str()),
        (8, "1 messages imported, 0 were there already, 1 were not taken\n"),
        "{}",
        said.err
    );
    assert!(peak < 200 << 10, "{peak} KiB");
}

#[test]
fn large_messages_one_after_the_other_stay_within_256_mib() {
    let house = house();
    let pipe = house.path().join("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().expect("mkfifo").success());
    let child = spawn(&house, &pipe);
    let mut out = std::fs::File::options().write(true).open(&pipe).expect("somebody reads");
    // Bytes that do not compress, in lines.
    let mut state = 1u64;
    let block: Vec<u8> = (0..1 << 20)
        .map(|at| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            if at % 70 == 69 { b'\n' } else { (state >> 56) as u8 | 128 }
        })
        .collect();
    let mut peak = 0;
    for _ in 0..6 {
        out.write_all(b"From - Tue Nov 24 05:00:00 2026\nSubject: large\n\n").expect("written");
        (0..62).for_each(|_| out.write_all(&block).expect("written"));
        out.write_all(b"\n\n").expect("written");
        peak = peak.max(peak_kib(child.id()));
    }
    drop(out);
    let said: Said = child.wait_with_output().expect("ended").into();
    assert_eq!(said.ok(), "6 messages imported, 0 were there already, 0 were not taken\n");
    assert!(peak < 256 << 10, "{peak} KiB");
    println!("peak {peak} KiB");
}
