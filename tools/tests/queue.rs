//! The queue for an operator, against a running server and on the closed data directory: what is found, shown and refused.
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use support::House;

/// A message from outside to somebody whose mail goes on.
fn send(house: &House, to: &str, subject: &str) {
    let status = house.json(&["status"]);
    let all = status["server"]["listeners"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|one| one["name"] == "smtp").expect("it listens");
    let mut stream = TcpStream::connect(found["address"].as_str().expect("an address")).expect("it listens");
    let lines = format!(
        "EHLO c.test\r\nMAIL FROM:<s@s.test>\r\nRCPT TO:<{to}>\r\nDATA\r\nSubject: {subject}\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    stream.write_all(lines.as_bytes()).expect("sent");
    assert!(BufReader::new(stream).lines().map_while(Result::ok).any(|line| line.starts_with("250 2.0.0 Taken")));
}

fn ids(house: &House, filters: &[&str]) -> Vec<u64> {
    let listed = house.json(&[&["queue", "list"][..], filters].concat());
    listed.as_array().expect("rows").iter().map(|row| row["id"].as_u64().expect("an id")).collect()
}

fn look(house: &House, all: &[u64]) {
    let [one, two] = all else { panic!("{all:?}") };
    for (filters, found) in [
        (&["--tenant", "acme"][..], &[*one][..]),
        (&["--tenant", "other"][..], &[*two][..]),
        (&["--account", "CAROL@acme.test"][..], &[*one][..]),
        (&["--account", "sales@acme.test"][..], &[*one][..]),
        (&["--account", "dan@other.test", "--tenant", "acme"][..], &[][..]),
        (&["--domain", "b\u{fc}cher.example"][..], &[*two][..]),
        (&["--domain", "XN--bcher-kva.example"][..], &[*two][..]),
        (&["--reply", "greylisted"][..], &[][..]),
    ] {
        assert_eq!(ids(house, filters), found, "{filters:?}");
    }
    house.run(&["queue", "list", "--tenant", "nobody"]).refused(3, "tenant nobody");
    house.run(&["queue", "hold", "--account", "nobody@acme.test"]).refused(3, "account nobody@acme.test");
    let message = house.run(&["queue", "show", &one.to_string(), "--message"]).ok();
    assert!(message.ends_with("Subject: first\r\n\r\nx\r\n") && message.contains("Received: "), "{message}");
    house.run(&["queue", "show", "9999", "--message"]).refused(3, "queue item 9999");
}

#[test]
fn messages_are_found_by_who_sent_them_and_shown_as_they_are() {
    let house = House::new();
    for (tenant, domain, member, to) in [
        ("acme", "acme.test", "carol@acme.test", "far@else.test"),
        ("other", "other.test", "dan@other.test", "far@b\u{fc}cher.example"),
    ] {
        house.run(&["tenant", "add", tenant]).ok();
        house.run(&["domain", "add", domain, "--tenant", tenant]).ok();
        house.run(&["member", "add", member, "--no-password"]).ok();
        house.run(&["member", "forward", member, "--to", to]).ok();
    }
    house.run(&["alias", "add", "sales@acme.test", "--account", "carol@acme.test"]).ok();
    let serving = house.serve(&[]);
    send(&house, "carol@acme.test", "first");
    send(&house, "dan@other.test", "second");
    let all = ids(&house, &[]);
    look(&house, &all);
    // Who names a message wants something to happen to it.
    let (one, two) = (all[0].to_string(), all[1].to_string());
    house
        .run(&["queue", "release", &one])
        .refused(5, "not on hold (allowed: posthouse queue retry), or held by its sender");
    house.run(&["queue", "hold", &one]).ok();
    house.run(&["queue", "hold", &one]).refused(5, "on hold already");
    let words = format!("queue item {one}: on hold (allowed: posthouse queue release), or held by its sender");
    house.run(&["queue", "retry", &one, &two]).refused(5, &words);
    assert!(
        house.run(&["queue", "retry", "--tenant", "acme"]).ok().contains("0 messages"),
        "a filter may find nothing"
    );
    assert_eq!(serving.stop(), Some(0));
    look(&house, &all);
}

/// The password of a smarthost comes by standard input, and nothing shows it.
#[test]
fn a_smarthost_is_known_without_its_password() {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    let relay = ["relay", "smtp.acme.test:587", "user=acme"];
    let add = |more: &[&'static str]| [&["rule", "add", "--tenant", "acme"][..], more, &relay[..]].concat();
    house.run(&add(&[])).refused(5, "a user and a password (by --password-stdin), or neither");
    house.run(&[&add(&[])[..], &["password=geheim"]].concat()).refused(5, "--password-stdin");
    let serving = house.serve(&[]);
    let said = house.run_with_input(&add(&["--password-stdin"]), "ge\"he\\im\n").ok();
    assert_eq!(said, "rule added: relay smtp.acme.test:587 user=acme\n");
    house.run(&["rule", "add", "--domain", "acme.test", "source", "192.0.2.7"]).ok();
    house.run(&["rule", "add", "--domain", "acme.test", "source", "192.0.2"]).refused(5, "source IP-ADDRESS");
    let rules = house.json(&["rule", "list"]);
    assert_eq!(rules[0]["rule"], "relay smtp.acme.test:587 tls=verified user=\"acme\"", "{rules}");
    assert_eq!(rules[1]["rule"], "source 192.0.2.7");
    house.run(&["rule", "remove", "--tenant", "acme", "relay", "smtp.acme.test:25"]).refused(3, "does not exist");
    house.run(&["rule", "remove", "--tenant", "acme", "relay", "smtp.acme.test:587"]).ok();
    assert_eq!(house.json(&["rule", "list"]).as_array().map(Vec::len), Some(1));
    assert_eq!(serving.stop(), Some(0));
    assert!(!house.log().contains("he\\im"), "{}", house.log());
}
