//! `member import` with rows that cannot be taken: each is told with its line, the others are there afterwards.
mod support;

use support::{HASH, House};

fn house() -> House {
    let house = House::new();
    house.run(&["tenant", "add", "acme", "--accounts-max", "5000"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house
}

fn import(house: &House, csv: &str, more: &[&str]) -> support::Said {
    let file = house.path().join("members.csv");
    std::fs::write(&file, csv).expect("written");
    let path = file.to_string_lossy().into_owned();
    let mut arguments = vec!["member", "import", &path];
    arguments.extend(more);
    house.run(&arguments)
}

#[test]
fn bad_rows_are_told_by_line_and_the_others_are_taken() {
    let house = house();
    let csv = format!(
        "\u{feff}address,name,password_hash,password,vip,quota,aliases\r\n\
         a@acme.test,\"A, the first\",\"{HASH}\",,yes,,a1@acme.test a2@acme.test\r\n\
         broken,,,,,,\r\n\
         b@acme.test,,,pass word,no,2GiB,\r\n\
         a@acme.test,again,,,,,stolen@acme.test\r\n\
         c@elsewhere.test,,,,,,\r\n\
         d@acme.test,,\"{HASH}\",both,,,\r\n\
         e@acme.test,,$md5$,,,,\r\n\
         f@acme.test,,,,,huge,\r\n\
         g@acme.test,,,,,,a1@acme.test\r\n"
    );
    let said = import(&house, &csv, &[]);
    assert_eq!(said.code, 1, "{}{}", said.out, said.err);
    assert_eq!(said.out, "2 members imported, 7 rows refused\n", "{}", said.err);
    let lines: Vec<&str> = said.err.lines().collect();
    assert_eq!(lines.len(), 7, "{lines:?}");
    for (line, words) in [
        (3, "broken"),
        (5, "a@acme.test"),
        (6, "elsewhere.test"),
        (7, "both"),
        (8, "argon2"),
        (9, "huge"),
        (10, "not all aliases"),
    ] {
        let found = lines.iter().find(|told| told.contains(&format!("members.csv:{line}: ")));
        assert!(found.is_some_and(|told| told.contains(words)), "line {line}: {lines:?}");
    }
    let a = house.json(&["member", "show", "a@acme.test"]);
    assert_eq!(a["name"], "A, the first");
    assert_eq!(a["vip"], true);
    assert_eq!(a["aliases"], serde_json::json!(["a1@acme.test", "a2@acme.test"]));
    assert_eq!(house.json(&["member", "show", "b@acme.test"])["quota_bytes_max"], 2u64 << 30);
    house.run(&["alias", "show", "stolen@acme.test"]).refused(3, "");
    house.run(&["member", "show", "g@acme.test"]).ok();
}

#[test]
fn thousands_at_once_into_a_running_server() {
    let house = house();
    let serving = house.serve(&[]);
    let mut csv = String::from("address,password_hash\n");
    (0..3000).for_each(|n| csv.push_str(&format!("u{n}@acme.test,\"{HASH}\"\n")));
    csv.push_str("u7@acme.test,\n");
    let said = import(&house, &csv, &["--json"]);
    let report: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!((said.code, &report["imported"], &report["refused"]), (1, &3000.into(), &1.into()), "{}", said.err);
    assert_eq!(report["rows"][0]["line"], 3002);
    assert_eq!(house.json(&["member", "list"]).as_array().map(Vec::len), Some(3000));
    assert_eq!(house.json(&["status"])["accounts"], 3000);
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn a_file_that_cannot_be_read_is_refused_whole() {
    let house = house();
    import(&house, "name,mail\nA,a@acme.test\n", &[])
        .refused(5, "column \"mail\" is not allowed; allowed: address, name");
    house.run(&["member", "import", "/nonexistent.csv"]).refused(1, "/nonexistent.csv");
    assert_eq!(house.json(&["member", "list"]), serde_json::json!([]));
}
