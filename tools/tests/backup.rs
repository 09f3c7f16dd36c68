//! Backup and restore: what is in a backup comes back whole, whoever writes meanwhile and whoever is killed; what has changed is noticed.
mod support;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};
use support::{House, Said, corpus};

/// Segments so small that there are many.
fn house(shards: u32) -> House {
    let house = House::new();
    let mut config = std::fs::read_to_string(house.config()).expect("read");
    config.push_str(&format!("[store]\nshards = {shards}\nsegment_size_bytes_max = 1048576\n"));
    std::fs::write(house.config(), config).expect("written");
    house.run(&["tenant", "add", "acme", "--accounts-max", "5000"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for name in ["a", "b"] {
        house.run(&["member", "add", &format!("{name}@acme.test"), "--no-password", "--quota", "unlimited"]).ok();
    }
    house
}

/// Mails that do not compress much, so that the log grows.
fn mails(house: &House, name: &str, from: usize, count: usize) -> PathBuf {
    let path = house.path().join(name);
    let mut mbox = Vec::new();
    let mut state = from as u64 + 1;
    for number in from..from + count {
        mbox.extend_from_slice(b"From - Tue Nov 24 05:00:00 2026\n");
        mbox.extend_from_slice(&corpus::lf(&corpus::mail(number)));
        for _ in 0..100 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            mbox.extend_from_slice(format!("{state:016x}{:016x}\n", state.rotate_left(17)).as_bytes());
        }
        mbox.push(b'\n');
    }
    std::fs::write(&path, mbox).expect("written");
    path
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn import(house: &House, account: &str, mailbox: &str, path: &Path) {
    house.run(&["import", "--account", account, "--mailbox", mailbox, "--format", "mbox", &text(path)]).ok();
}

/// The message lines of an export of everything.
fn content(house: &House, name: &str) -> Vec<String> {
    let to = house.path().join(name);
    house.run(&["export", "--all", "--format", "mbox", "--to", &text(&to)]).ok();
    let manifest = std::fs::read_to_string(to.join("MANIFEST.jsonl")).expect("a manifest");
    manifest.lines().filter(|line| line.contains("\"is\":\"message\"")).map(str::to_owned).collect()
}

/// Thousands of lines are told by their number and the first that differs.
#[track_caller]
fn same(found: &[String], expected: &[String]) {
    let differs = found.iter().zip(expected).find(|(found, expected)| found != expected);
    assert_eq!((found.len(), differs), (expected.len(), None));
}

fn backup(house: &House, more: &[&str]) -> serde_json::Value {
    let to = text(&house.path().join("backups"));
    let mut arguments = vec!["backup", "--to", &to];
    arguments.extend(more);
    house.json(&arguments)
}

/// The backups of `house` restored into a house of their own.
fn restored(house: &House, more: &[&str]) -> House {
    let other = House::new();
    let from = text(&house.path().join("backups"));
    let mut arguments = vec!["restore", "--from", &from];
    arguments.extend(more);
    other.run(&arguments).ok();
    other
}

fn pool(house: &House) -> Vec<PathBuf> {
    let folders = std::fs::read_dir(house.path().join("backups/files")).into_iter().flatten().flatten();
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).into_iter().flatten().flatten());
    files.map(|file| file.path()).collect()
}

/// The list of each backup that is whole.
fn lists(house: &House) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(house.path().join("backups")).expect("there").flatten();
    entries.map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|end| end == "json")).collect()
}

fn check(house: &House) -> Said {
    house.run(&["backup", "--to", &text(&house.path().join("backups")), "--check"])
}

#[test]
fn every_backup_comes_back_as_it_was_whatever_came_later() {
    for link in [&[][..], &["--link"]] {
        let house = house(2);
        // Each import is a group of its own or more, and groups never span segments.
        (0..4).for_each(|part| import(&house, "a@acme.test", "项目/深", &mails(&house, "one", part * 600, 600)));
        let before = content(&house, "before");
        let first = backup(&house, link);
        assert!(first["files"].as_u64() > Some(5) && first["shared"] == 0, "{first}");
        assert_eq!(first["linked"].as_u64() > Some(0), !link.is_empty(), "{first}");
        import(&house, "b@acme.test", "INBOX", &mails(&house, "two", 5000, 600));
        house.run(&["member", "remove", "a@acme.test"]).ok();
        let after = content(&house, "after");
        let second = backup(&house, link);
        assert!(second["shared"].as_u64() > Some(1), "sealed segments are taken once: {second}");
        assert!(second["copied_bytes"].as_u64() < second["bytes"].as_u64(), "{second}");
        assert!(check(&house).ok().starts_with("2 backups are whole; "));
        same(&content(&restored(&house, &[]), "out"), &after);
        let name = first["name"].as_str().expect("a name");
        let old = restored(&house, &["--backup", name]);
        same(&content(&old, "out"), &before);
        old.run(&["member", "show", "a@acme.test"]).ok();
        // The backups outlive the store, and one of them the other.
        std::fs::remove_dir_all(house.data()).expect("removed");
        same(&content(&restored(&house, &["--backup", name]), "out"), &before);
    }
}

#[test]
fn older_backups_go_when_they_are_too_many_and_take_nothing_along() {
    let house = house(1);
    for round in 0..4 {
        import(&house, "a@acme.test", "INBOX", &mails(&house, "mails", round * 1000, 300));
        let made = backup(&house, &["--keep", "2"]);
        assert_eq!(made["removed"], u64::from(round >= 2), "{made}");
    }
    let foreign = house.path().join("backups/files/shards-00000/notes.txt");
    std::fs::write(&foreign, "mine").expect("written");
    let stray = house.path().join("backups/files/shards-00000/seg-0000000009-1-00.phl");
    std::fs::write(&stray, "left by a crash").expect("written");
    backup(&house, &["--keep", "2"]);
    assert!(foreign.exists() && !stray.exists());
    let listed = house.json(&["restore", "--from", &text(&house.path().join("backups")), "--list"]);
    assert_eq!(listed["backups"].as_array().map(Vec::len), Some(2), "{listed}");
    assert!(check(&house).ok().starts_with("2 backups are whole; "));
    same(&content(&restored(&house, &[]), "out"), &content(&house, "now"));
}

#[test]
fn what_has_changed_in_a_backup_is_noticed() {
    let house = house(1);
    import(&house, "a@acme.test", "INBOX", &mails(&house, "mails", 0, 300));
    backup(&house, &[]);
    let victim =
        pool(&house).into_iter().max_by_key(|path| path.metadata().map_or(0, |about| about.len())).expect("a file");
    let whole = std::fs::read(&victim).expect("read");
    let other = House::new();
    let from = text(&house.path().join("backups"));
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    for bad in [flipped, whole[..whole.len() - 1].to_vec(), Vec::new()] {
        std::fs::write(&victim, bad).expect("written");
        let said = check(&house);
        assert_eq!(said.code, 8, "{}", said.err);
        assert!(
            said.out.starts_with("0 backups are whole; ") && said.err.contains(&text(&victim)),
            "{}{}",
            said.out,
            said.err
        );
        let said = other.run(&["restore", "--from", &from]);
        assert_eq!(said.code, 1, "{}{}", said.out, said.err);
        assert!(!other.data().exists(), "a damaged restore looks like a store");
        assert!(!other.path().join("data.restoring").exists());
    }
    std::fs::remove_file(&victim).expect("removed");
    other.run(&["restore", "--from", &from]).refused(1, &text(&victim));
    std::fs::write(&victim, whole).expect("written");
    let list = lists(&house).remove(0);
    let good = std::fs::read(&list).expect("read");
    std::fs::write(&list, &good[..good.len() - 5]).expect("written");
    let said = other.run(&["restore", "--from", &from]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("the list is cut off or was changed"), "{}", said.err);
    std::fs::write(&list, good).expect("written");
    other.run(&["restore", "--from", &from]).ok();
    other.run(&["restore", "--from", &from]).refused(4, "is not empty");
}

/// A byte in the middle of the largest file of the pool.
fn flip(house: &House) {
    let largest = pool(house).into_iter().max_by_key(|path| path.metadata().map_or(0, |about| about.len()));
    let largest = largest.expect("a file");
    let mut bytes = std::fs::read(&largest).expect("read");
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&largest, bytes).expect("written");
}

#[test]
fn damage_in_the_pool_heals_with_the_next_backup() {
    let house = house(1);
    (0..3).for_each(|part| import(&house, "a@acme.test", "INBOX", &mails(&house, "mails", part * 300, 300)));
    let first = backup(&house, &[]);
    let before = content(&house, "before");
    flip(&house);
    assert_eq!(check(&house).code, 8);
    let second = backup(&house, &[]);
    assert_eq!(second["healed"], 1, "{second}");
    assert!(check(&house).ok().starts_with("2 backups are whole; "));
    same(&content(&restored(&house, &["--backup", first["name"].as_str().expect("a name")]), "out"), &before);
    same(&content(&restored(&house, &[]), "out"), &before);
    // Also when the older one goes in the same run.
    flip(&house);
    let third = backup(&house, &["--keep", "1"]);
    assert_eq!((&third["healed"], &third["removed"]), (&1.into(), &2.into()), "{third}");
    same(&content(&restored(&house, &[]), "out"), &before);
    assert_eq!(backup(&house, &[])["healed"], 0);
}

#[test]
fn after_a_repair_a_backup_has_what_the_repair_made() {
    for more in [&[][..], &["--link"]] {
        let house = house(1);
        // Many small mails: the table in a footer is longer than what fits beside the hash in a page.
        let mut mbox = Vec::new();
        for number in 0..8000 {
            mbox.extend_from_slice(
                format!("From - Tue Nov 24 05:00:00 2026\nSubject: {number:x}\n\n{number}\n\n").as_bytes(),
            );
        }
        let path = house.path().join("small");
        std::fs::write(&path, mbox).expect("written");
        import(&house, "a@acme.test", "INBOX", &path);
        import(&house, "a@acme.test", "INBOX", &mails(&house, "mails", 0, 600));
        backup(&house, more);
        let segment = house.data().join("shards/00000/seg-0000000001.phl");
        let good = std::fs::read(&segment).expect("read");
        let mut bytes = good.clone();
        bytes[300_000..301_000].fill(0);
        // In a file of its own, as a medium that breaks leaves a link alone.
        std::fs::remove_file(&segment).expect("removed");
        std::fs::write(&segment, &bytes).expect("written");
        house.run(&["repair", "--apply"]);
        let mended = std::fs::read(&segment).expect("read");
        assert!(mended != good && mended != bytes, "there was something to cut");
        backup(&house, more);
        let other = restored(&house, &[]);
        assert!(std::fs::read(other.data().join("shards/00000/seg-0000000001.phl")).expect("read") == mended);
        same(&content(&other, "out"), &content(&house, "now"));
    }
}

#[test]
fn another_store_is_refused() {
    let (one, two) = (house(1), house(1));
    backup(&one, &[]);
    let to = text(&one.path().join("backups"));
    two.run(&["backup", "--to", &to, "--keep", "1"]).refused(4, "the backups of another store");
    // The same store at another place is the same store.
    restored(&one, &[]).run(&["backup", "--to", &to]).ok();
    assert!(check(&one).ok().starts_with("2 backups are whole; "));
}

#[test]
fn strange_directories_are_left_alone() {
    let house = house(1);
    let target = house.path().join("backups");
    std::fs::create_dir(&target).expect("made");
    std::fs::write(target.join("letter.txt"), "mine").expect("written");
    house.run(&["backup", "--to", &text(&target)]).refused(4, "holds something else than backups");
    house.run(&["restore", "--from", &text(&target)]).refused(3, "a directory of backups");
    std::fs::remove_file(target.join("letter.txt")).expect("removed");
    // What a first backup leaves when it is killed at once.
    std::fs::create_dir(target.join("files")).expect("made");
    std::fs::write(target.join("unfinished"), "posthouse b").expect("written");
    backup(&house, &[]);
    let lock = std::fs::File::open(target.join("LOCK")).expect("a lock");
    lock.lock().expect("locked");
    house.run(&["backup", "--to", &text(&target)]).refused(7, "another backup");
    drop(lock);
    let other = House::new();
    let staging = other.path().join("data.restoring");
    std::fs::create_dir(&staging).expect("made");
    std::fs::write(staging.join("mine"), "mine").expect("written");
    other.run(&["restore", "--from", &text(&target)]).refused(4, "is in the way");
    assert!(staging.join("mine").exists());
    // One that was interrupted is begun anew.
    std::fs::write(staging.join("POSTHOUSE-RESTORE-UNDER-WAY"), "").expect("written");
    std::fs::create_dir(other.data()).expect("an empty one is fine");
    other.run(&["restore", "--from", &text(&target)]).ok();
    assert!(!staging.exists());
    let nothing = House::new();
    nothing.run(&["backup", "--to", &text(&nothing.path().join("x"))]).refused(3, "a store in");
    assert!(!nothing.path().join("x").exists(), "a directory was made for nothing");
}

fn spawn(house: &House, arguments: &[&str]) -> Child {
    let mut command = Command::new(support::POSTHOUSE);
    command.args(arguments).arg("--config").arg(house.config());
    command.env_remove("POSTHOUSE_DATA").env_remove("POSTHOUSE_CONFIG");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("started")
}

/// Kills a backup when it has so many files more than the `whole` ones: in the middle of the next. False when it had all of them by then, as it has
/// when this thread stands still: it is whole, and taken away.
fn is_killed_at(house: &House, to: &str, whole: &[PathBuf], more: usize) -> bool {
    // A second try gives what it copied the names that the first one gave: only new names can be counted.
    pool(house).iter().filter(|path| !whole.contains(path)).for_each(|path| drop(std::fs::remove_file(path)));
    let (had, before) = (pool(house).len(), lists(house));
    let mut child = spawn(house, &["backup", "--to", to]);
    while pool(house).len() < had + more && child.try_wait().expect("known").is_none() {
        std::thread::sleep(Duration::from_micros(200));
    }
    let code = child.kill().and_then(|()| child.wait()).expect("ended").code();
    let Some(made) = lists(house).into_iter().find(|path| !before.contains(path)) else {
        assert_eq!(code, None, "it ended without a backup");
        return true;
    };
    assert!(check(house).ok().starts_with("2 backups are whole; "), "a half backup looks whole");
    std::fs::remove_file(made).expect("removed");
    false
}

#[test]
fn a_killed_backup_is_none_and_harms_none() {
    let house = house(1);
    import(&house, "a@acme.test", "INBOX", &mails(&house, "first", 0, 300));
    let before = content(&house, "before");
    let first = backup(&house, &[]);
    import(&house, "a@acme.test", "INBOX", &mails(&house, "second", 1000, 9000));
    let server = house.serve(&[]);
    let (to, whole) = (text(&house.path().join("backups")), pool(&house));
    for more in [1, 3, 5] {
        assert!((0..20).any(|_| is_killed_at(&house, &to, &whole, more)), "each ended before it could be killed");
        assert!(check(&house).ok().starts_with("1 backups are whole; "), "a half backup looks whole");
        same(&content(&restored(&house, &[]), "out"), &before);
    }
    backup(&house, &[]);
    same(&content(&restored(&house, &[]), "out"), &content(&house, "now"));
    same(&content(&restored(&house, &["--backup", first["name"].as_str().expect("a name")]), "out"), &before);
    assert_eq!(server.stop(), Some(0));
}

/// Members are made and get mail all the time while backups are taken; no backup may know mail of an account that it does not know.
#[test]
fn backups_under_load_are_consistent() {
    let house = house(2);
    let server = house.serve(&[]);
    let path = mails(&house, "load", 0, 40);
    let done = std::sync::atomic::AtomicBool::new(false);
    let names = std::thread::scope(|threads| {
        let load = |prefix: &'static str| {
            let (house, path, done) = (&house, &path, &done);
            threads.spawn(move || {
                let mut made = 0;
                while !done.load(std::sync::atomic::Ordering::SeqCst) {
                    let address = format!("{prefix}{made}@acme.test");
                    house.run(&["member", "add", &address, "--no-password"]).ok();
                    import(house, &address, "INBOX", path);
                    made += 1;
                }
                made
            })
        };
        let loads = [load("x"), load("y")];
        let names: Vec<String> =
            (0..6).map(|_| backup(&house, &[])["name"].as_str().expect("a name").to_owned()).collect();
        done.store(true, std::sync::atomic::Ordering::SeqCst);
        assert!(loads.into_iter().map(|load| load.join().expect("ended")).sum::<u32>() > 4, "there was no load");
        names
    });
    let all = content(&house, "all");
    assert_eq!(server.stop(), Some(0));
    let mut before = 0;
    for name in names {
        let other = House::new();
        let from = text(&house.path().join("backups"));
        let report = other.json(&["restore", "--from", &from, "--backup", &name]);
        assert_eq!(report["held"], 0, "{report}");
        assert_eq!(report["purged"], 0, "mail of an account that the directory does not know: {report}");
        let found = content(&other, "out");
        assert!(found.len() >= before, "a later backup holds less");
        before = found.len();
        // Paths and places in the mbox files are those of the export, which has what came before in the same order.
        assert!(found.iter().all(|line| all.contains(line)), "mail that was never there");
        // The next account's number is a new one.
        other.run(&["member", "add", "new@acme.test", "--no-password"]).ok();
        assert_eq!(other.json(&["member", "show", "new@acme.test"])["messages"], 0, "somebody else's mail");
    }
    assert!(before > 40, "{before}");
}

#[test]
fn one_account_or_mailbox_comes_back_into_a_folder() {
    for serving in [false, true] {
        let house = house(2);
        import(&house, "a@acme.test", "项目/深", &mails(&house, "one", 0, 30));
        import(&house, "a@acme.test", "INBOX", &mails(&house, "two", 100, 20));
        backup(&house, &[]);
        house.run(&["member", "remove", "a@acme.test"]).ok();
        backup(&house, &[]);
        let server = serving.then(|| house.serve(&[]));
        let from = text(&house.path().join("backups"));
        let run = |more: &[&str]| {
            let mut arguments = vec!["restore", "--from", &from];
            arguments.extend(more);
            house.run(&arguments)
        };
        let words = |taken: u32, known: u32| {
            format!("{taken} messages imported, {known} were there already, 0 were not taken\n")
        };
        run(&["--account", "a@acme.test"]).refused(3, "a@acme.test");
        // From the newest backup, in which it lies in the bin.
        let into = ["--account", "a@acme.test", "--into", "b@acme.test", "--folder", "旧"];
        assert_eq!(run(&into).ok(), words(50, 0));
        assert_eq!(run(&into).ok(), words(0, 50), "again brings nothing");
        let listed = content(&house, &format!("out-{serving}"));
        for place in ["\"mailbox\":\"旧/INBOX\"", "\"mailbox\":\"旧/项目/深\""] {
            assert!(listed.iter().any(|line| line.contains(place)), "{place}");
        }
        let one = ["--account", "a@acme.test", "--mailbox", "项目/深", "--into", "b@acme.test"];
        assert_eq!(run(&one).ok(), words(30, 0));
        assert_eq!(house.json(&["member", "show", "b@acme.test"])["messages"], 80);
        run(&["--account", "a@acme.test", "--mailbox", "none", "--into", "b@acme.test"]).refused(3, "mailbox none");
        run(&["--account", "c@acme.test", "--into", "b@acme.test"]).refused(3, "account c@acme.test in this backup");
        let left: Vec<_> = std::fs::read_dir(house.path().join("backups"))
            .expect("listed")
            .flatten()
            .filter(|entry| entry.file_name().to_string_lossy().contains("reading"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
        assert!(check(&house).ok().starts_with("2 backups are whole; "), "reading a backup changed it");
        drop(server);
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970").as_secs()
}

/// Waits until the clock shows another second: times in the log are whole seconds.
fn next_second() -> u64 {
    let begun = now();
    while now() == begun {
        std::thread::sleep(Duration::from_millis(20));
    }
    begun
}

fn rfc3339(seconds: u64) -> String {
    let said = Command::new("date").args(["-u", "-d", &format!("@{seconds}"), "+%Y-%m-%dT%H:%M:%SZ"]).output();
    String::from_utf8(said.expect("date").stdout).expect("text").trim().to_owned()
}

#[test]
fn a_store_goes_back_to_a_point_in_time() {
    let house = house(1);
    let begun = now();
    import(&house, "a@acme.test", "INBOX", &mails(&house, "one", 0, 400));
    let first = next_second();
    let then = content(&house, "then");
    house.run(&["member", "add", "late@acme.test", "--no-password"]).ok();
    import(&house, "b@acme.test", "INBOX", &mails(&house, "two", 1000, 400));
    let second = next_second();
    let later = content(&house, "later");
    house.run(&["member", "remove", "a@acme.test"]).ok();
    import(&house, "b@acme.test", "INBOX", &mails(&house, "three", 2000, 10));
    next_second();
    backup(&house, &[]);
    let back = restored(&house, &["--at", &rfc3339(first)]);
    same(&content(&back, "out"), &then);
    back.run(&["member", "show", "late@acme.test"]).refused(3, "late@acme.test");
    // It is a store like any other.
    import(&back, "a@acme.test", "more", &mails(&back, "more", 9000, 3));
    let back = restored(&house, &["--at", &rfc3339(second)]);
    same(&content(&back, "out"), &later);
    back.run(&["member", "show", "a@acme.test"]).ok();
    let from = text(&house.path().join("backups"));
    let other = House::new();
    other.run(&["restore", "--from", &from, "--at", &rfc3339(begun - 100)]).refused(5, "nothing that old is kept");
    other.run(&["restore", "--from", &from, "--at", &rfc3339(now() + 1000)]).refused(5, "nothing later is kept");
    other.run(&["restore", "--from", &from, "--at", "yesterday"]).refused(2, "2026-11-24T05:00:00Z");
    let part =
        ["restore", "--from", &from, "--account", "a@acme.test", "--into", "b@acme.test", "--at", &rfc3339(first)];
    assert!(house.run(&part).ok().starts_with("400 messages imported, "));
}

#[test]
fn what_carries_no_time_is_kept_as_far_as_an_older_backup_proves_it() {
    let house = house(1);
    import(&house, "a@acme.test", "INBOX", &mails(&house, "one", 0, 3));
    house.run(&["alias", "add", "early@acme.test", "--account", "a@acme.test"]).ok();
    backup(&house, &[]);
    next_second();
    let at = next_second();
    house.run(&["alias", "add", "late@acme.test", "--account", "a@acme.test"]).ok();
    next_second();
    backup(&house, &[]);
    let back = restored(&house, &["--at", &rfc3339(at)]);
    let shown = back.json(&["member", "show", "a@acme.test"]).to_string();
    assert!(shown.contains("early@acme.test") && !shown.contains("late@acme.test"), "{shown}");
}
