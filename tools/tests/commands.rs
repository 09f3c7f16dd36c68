//! Every command, on the closed data directory and against a running server: the same words, answers and exit codes.
mod support;

use support::{HASH, House};

/// Adds, lists, shows, sets and removes one of everything.
fn round_trip(house: &House) {
    assert_eq!(house.run(&["tenant", "add", "acme", "--title", "Acme Ltd"]).ok(), "tenant acme added\n");
    house.run(&["tenant", "add", "acme"]).refused(4, "acme");
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["domain", "add", "other.test", "--tenant", "nobody"]).refused(3, "nobody");
    members(house);
    lists_of_people(house);
    assert_eq!(house.json(&["domain", "show", "acme.test"])["tenant"], "acme");
    house.run(&["tenant", "set", "acme", "--accounts-max", "7", "--disabled", "true"]).ok();
    let tenant = house.json(&["tenant", "show", "acme"]);
    assert_eq!((&tenant["accounts_max"], &tenant["disabled"]), (&7.into(), &true.into()));
    house.run(&["tenant", "remove", "acme"]).refused(5, "");
    for address in ["carol@acme.test", "dave@acme.test"] {
        house.run(&["member", "remove", address]).ok();
    }
    house.run(&["domain", "remove", "acme.test"]).ok();
    house.run(&["tenant", "remove", "acme"]).refused(5, "in the recycle bin; purge them first");
    house.run(&["purge", "--older-than", "0d"]).ok();
    house.run(&["tenant", "remove", "acme"]).ok();
    assert_eq!(house.json(&["tenant", "list"]), serde_json::json!([]));
}

fn members(house: &House) {
    house.run_with_input(&["member", "add", "Carol@acme.test", "--name", "Carol", "--password-stdin"], "secret\n").ok();
    house.run(&["member", "add", "dave@acme.test", "--password-hash", HASH, "--vip"]).ok();
    house.run(&["member", "add", "dave@acme.test", "--no-password"]).refused(4, "dave@acme.test");
    house.run(&["member", "add", "erin@acme.test"]).refused(5, "--password-stdin");
    house.run(&["member", "add", "erin@acme.test", "--password-hash", "md5"]).refused(5, "argon2");
    house.run(&["member", "add", "erin", "--no-password"]).refused(5, "erin");
    house.run(&["member", "add", "e@elsewhere.test", "--no-password"]).refused(3, "elsewhere.test");
    house.run(&["member", "set", "carol@acme.test", "--quota", "5GiB", "--name", "Carol C"]).ok();
    house.run(&["member", "set", "carol@acme.test", "--quota", "much"]).refused(5, "allowed are default");
    house.run(&["member", "set", "nobody@acme.test", "--vip", "true"]).refused(3, "nobody@acme.test");
    let carol = house.json(&["member", "show", "CAROL@acme.test"]);
    assert_eq!(carol["name"], "Carol C");
    assert_eq!(carol["quota_bytes_max"], 5u64 << 30);
    assert_eq!(carol["has_password"], true);
    assert!(!carol.to_string().contains("argon2"), "a hash is shown: {carol}");
    let all = house.json(&["member", "list", "--tenant", "acme"]);
    assert_eq!(all.as_array().map(Vec::len), Some(2));
    assert_eq!(house.json(&["member", "list", "--contains", "dav"])[0]["vip"], true);
    let text = house.run(&["member", "list"]).ok();
    assert!(text.starts_with("address ") && text.contains("\ncarol@acme.test  Carol C "), "{text}");
    house.run(&["member", "show", "frank@acme.test"]).refused(3, "member frank@acme.test does not exist");
}

fn lists_of_people(house: &House) {
    house.run(&["alias", "add", "sales@acme.test", "--account", "carol@acme.test"]).ok();
    assert_eq!(house.json(&["alias", "list"])[0]["account"], "carol@acme.test");
    assert_eq!(house.json(&["alias", "show", "sales@acme.test"])["account"], "carol@acme.test");
    house.run(&["alias", "show", "carol@acme.test"]).refused(3, "alias carol@acme.test");
    house.run(&["group", "add", "team@acme.test", "--member", "carol@acme.test", "--member", "x@else.test"]).ok();
    house
        .run(&["group", "set", "team@acme.test", "--member-add", "dave@acme.test", "--member-remove", "x@else.test"])
        .ok();
    let group = house.json(&["group", "show", "team@acme.test"]);
    assert_eq!(group["members"], serde_json::json!(["carol@acme.test", "dave@acme.test"]));
    assert_eq!(house.json(&["group", "list"])[0]["member_count"], 2);
    house.run(&["business", "add", "info@acme.test", "--user", "carol@acme.test", "--no-password"]).ok();
    house.run(&["business", "set", "info@acme.test", "--user-add", "dave@acme.test"]).ok();
    let info = house.json(&["business", "show", "info@acme.test"]);
    assert_eq!(info["users"], serde_json::json!(["carol@acme.test", "dave@acme.test"]));
    house.run(&["member", "show", "info@acme.test"]).refused(3, "member info@acme.test");
    house.run(&["member", "remove", "info@acme.test"]).refused(3, "member info@acme.test");
    house.run(&["business", "remove", "info@acme.test"]).ok();
    house.run(&["group", "remove", "team@acme.test"]).ok();
    house.run(&["alias", "remove", "sales@acme.test"]).ok();
    house.run(&["queue", "show", "1"]).refused(3, "queue item 1");
    house.run(&["queue", "remove", "1"]).refused(3, "");
    assert_eq!(house.json(&["queue", "list"]), serde_json::json!([]));
}

#[test]
fn on_a_closed_data_directory() {
    let house = House::new();
    house.run(&["member", "list"]).refused(3, "a store in");
    assert!(!house.data().exists(), "looking made a store");
    round_trip(&house);
    assert_eq!(house.json(&["status"])["server"], serde_json::Value::Null);
}

#[test]
fn against_a_running_server() {
    let house = House::new();
    let serving = house.serve(&[]);
    round_trip(&house);
    let status = house.json(&["status"]);
    assert_eq!(status["server"]["pid"], serving.pid());
    let listeners = status["server"]["listeners"].as_array().cloned().expect("listeners");
    for name in ["smtp", "submission", "submissions", "lmtp", "imap", "imaps", "pop3", "pop3s", "admin"] {
        assert!(listeners.iter().any(|listener| listener["name"] == name), "{name}: {status}");
    }
    assert!(house.run(&["status"]).ok().contains("listening    imaps        127.0.0.1:"));
    assert_eq!(serving.stop(), Some(0));
    assert!(!house.data().join("control.sock").exists());
}

#[test]
fn what_is_done_offline_is_there_online_and_back() {
    let house = House::new();
    house.run(&["tenant", "add", "one"]).ok();
    let serving = house.serve(&[]);
    assert_eq!(house.json(&["tenant", "list"])[0]["name"], "one");
    house.run(&["tenant", "add", "two"]).ok();
    assert_eq!(serving.stop(), Some(0));
    assert_eq!(house.json(&["tenant", "list"]).as_array().map(Vec::len), Some(2));
}

#[test]
fn wrong_usage_and_wrong_configuration_end_with_2() {
    let house = House::new();
    house.run(&["member", "ad"]).refused(2, "ad");
    house.run(&["member", "add", "a@b.test", "--password", "secret"]).refused(2, "--password");
    std::fs::write(house.config(), "runtime = \"fast\"\n").expect("written");
    let file = house.config();
    let told = format!("{}: runtime: \"fast\" is not allowed; allowed: auto, uring, tokio\n", file.display());
    house.run(&["status"]).refused(2, &told);
    house.run(&["serve"]).refused(2, &told);
}

#[test]
fn a_locked_directory_without_a_server_is_told() {
    let house = House::new();
    house.run(&["tenant", "add", "one"]).ok();
    let lock = std::fs::File::open(house.data().join("LOCK")).expect("the lock file");
    lock.lock().expect("locked");
    house.run(&["tenant", "list"]).refused(6, "in use by another process, and no server answers at its control.sock");
    house.run(&["serve"]).refused(6, "in use by another process");
    drop(lock);
    house.run(&["tenant", "list"]).ok();
}

/// Keys and rules: what is added is listed, what cannot be is refused with the way out.
fn flow(house: &House) {
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "carol@acme.test", "--no-password"]).ok();
    house.run(&["dkim", "rotate", "acme.test"]).refused(3, "posthouse dkim add acme.test");
    house.run(&["dkim", "add", "other.test", "--algorithm", "ed25519"]).refused(3, "domain other.test");
    let first = house.json(&["dkim", "add", "acme.test", "--algorithm", "ed25519", "--selector", "one"]);
    assert_eq!((&first[0]["state"], &first[0]["name"]), (&"next".into(), &"one._domainkey.acme.test".into()));
    house.run(&["dkim", "add", "acme.test", "--algorithm", "ed25519", "--selector", "one"]).refused(4, "one");
    house.run(&["dkim", "add", "acme.test", "--algorithm", "ed25519", "--selector", "O_"]).refused(5, "selector");
    let next = house.json(&["dkim", "rotate", "acme.test"]);
    assert_eq!((next.as_array().map(Vec::len), &next[0]["state"]), (Some(1), &"next".into()));
    house.run(&["dkim", "rotate", "acme.test"]).refused(5, "--now when its record can be seen");
    house.run(&["dkim", "rotate", "acme.test", "--now"]).ok();
    let all = house.json(&["dkim", "list", "--tenant", "acme"]);
    let states: Vec<_> = all.as_array().into_iter().flatten().map(|key| key["state"].to_string()).collect();
    assert!(states.contains(&"\"active\"".into()) && states.contains(&"\"next\"".into()), "{all}");
    assert!(!all.to_string().contains("private"), "{all}");
    assert!(
        house
            .run(&["dkim", "dns", "acme.test"])
            .ok()
            .contains("one._domainkey.acme.test. IN TXT ( \"v=DKIM1; k=ed25519; p=")
    );
    house.run(&["dkim", "remove", "acme.test", "one"]).ok();
    house.run(&["dkim", "remove", "acme.test", "one"]).refused(3, "one");

    house.run(&["rule", "add", "--tenant", "acme", "block", ".Spam.test"]).ok();
    house.run(&["rule", "add", "--account", "carol@acme.test", "rate", "5/36h"]).ok();
    house.run(&["rule", "add", "--account", "carol@acme.test", "rate", "7/1d"]).ok();
    house.run(&["rule", "add", "--tenant", "acme", "block", "*@x.test"]).refused(5, "allowed: block x.test");
    house.run(&["rule", "add", "--tenant", "acme", "ban", "x.test"]).refused(5, "allowed: block PATTERN");
    house.run(&["rule", "add", "--tenant", "acme", "catch-all", "carol@acme.test"]).refused(5, "catch-all for domains");
    house
        .run(&["rule", "add", "--domain", "acme.test", "catch-all", "nobody@acme.test"])
        .refused(3, "nobody@acme.test");
    house.run(&["rule", "remove", "--tenant", "acme", "block", "spam.test"]).refused(3, "rule block spam.test");
    let rules = house.json(&["rule", "list", "--tenant", "acme"]);
    let texts: Vec<_> =
        rules.as_array().into_iter().flatten().map(|rule| rule["rule"].as_str().unwrap_or("")).collect();
    assert_eq!(texts, ["block .spam.test", "rate 7/1d"]);
    assert_eq!(rules[1]["of"], "carol@acme.test");
    house.run(&["rule", "remove", "--tenant", "acme", "block", ".spam.test"]).ok();
    house.run(&["member", "remove", "carol@acme.test"]).ok();
    assert_eq!(house.json(&["rule", "list"]), serde_json::json!([]), "rules go with their account");
}

#[test]
fn keys_and_rules_on_a_closed_data_directory() {
    flow(&House::new());
}

#[test]
fn keys_and_rules_against_a_running_server() {
    let house = House::new();
    let serving = house.serve(&[]);
    flow(&house);
    assert_eq!(serving.stop(), Some(0));
}

/// Who may use whose mailboxes: what is set is listed, and goes with who goes.
fn sharing(house: &House) {
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["tenant", "add", "other"]).ok();
    house.run(&["domain", "add", "other.test", "--tenant", "other"]).ok();
    for address in ["carol@acme.test", "dan@acme.test", "eve@other.test"] {
        house.run(&["member", "add", address, "--no-password"]).ok();
    }
    house.run(&["group", "add", "team@acme.test", "--member", "dan@acme.test"]).ok();
    let set = |who: &str, rights: &str| {
        let words = ["acl", "set", "carol@acme.test", "--mailbox", "INBOX", "--who", who, "--rights", rights];
        house.run(&words)
    };
    assert_eq!(set("dan@acme.test", "lrc").ok(), "rights of dan@acme.test set: lrc\n");
    set("team@acme.test", "lr").ok();
    set("-dan@acme.test", "x").ok();
    set("dan@acme.test", "-r").ok();
    set("eve@other.test", "l").refused(3, "no member and no group eve@other.test");
    set("nobody@acme.test", "l").refused(3, "nobody@acme.test");
    set("dan@acme.test", "lz").refused(5, "allowed are the letters");
    set("carol@acme.test", "l").refused(5, "has all rights");
    let missing = ["acl", "set", "carol@acme.test", "--mailbox", "Nope", "--who", "anyone", "--rights", "l"];
    house.run(&missing).refused(3, "mailbox Nope");
    let all = house.json(&["acl", "list", "carol@acme.test"]);
    let lines: Vec<String> = (all.as_array().into_iter().flatten())
        .map(|row| format!("{} {} {}", row["mailbox"], row["who"], row["rights"]).replace('"', ""))
        .collect();
    assert_eq!(lines, ["INBOX dan@acme.test lkx", "INBOX -dan@acme.test x", "INBOX team@acme.test lr"]);
    assert_eq!(house.json(&["rule", "list"]), serde_json::json!([]), "these are no rules of the mail flow");
    house.run(&["acl", "set", "carol@acme.test", "--who", "anyone", "--rights", "l"]).ok();
    let inbox = house.json(&["acl", "list", "carol@acme.test", "--mailbox", "inbox"]);
    assert_eq!(inbox.as_array().map(Vec::len), Some(4));
    assert_eq!(house.json(&["acl", "list", "carol@acme.test"]).as_array().map(Vec::len), Some(8));
    house.run(&["acl", "remove", "carol@acme.test", "--who", "anyone"]).ok();
    house.run(&["member", "remove", "dan@acme.test"]).ok();
    assert_eq!(house.json(&["acl", "list", "carol@acme.test"])[0]["who"], "team@acme.test");
    house.run(&["group", "remove", "team@acme.test"]).ok();
    assert_eq!(house.json(&["acl", "list", "carol@acme.test"]), serde_json::json!([]));
}

#[test]
fn access_control_lists_on_a_closed_data_directory() {
    sharing(&House::new());
}

#[test]
fn access_control_lists_against_a_running_server() {
    let house = House::new();
    let serving = house.serve(&[]);
    sharing(&house);
    assert_eq!(serving.stop(), Some(0));
}
