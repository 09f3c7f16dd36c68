//! `posthouse trace` and a member's own rules, against a running server and on the closed data directory: the same answers.
mod support;

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use support::House;

/// The address of a listener.
fn listener(house: &House, name: &str) -> String {
    let status = house.json(&["status"]);
    let all = status["server"]["listeners"].as_array().cloned().unwrap_or_default();
    let found = all.iter().find(|one| one["name"] == name).expect("it listens");
    found["address"].as_str().expect("an address").to_owned()
}

/// Says lines to the MX port; the last reply but the goodbye.
fn send(house: &House, lines: &[&str]) -> String {
    let mut stream = TcpStream::connect(listener(house, "smtp")).expect("it listens");
    stream.write_all(format!("EHLO c.test\r\n{}\r\nQUIT\r\n", lines.join("\r\n")).as_bytes()).expect("sent");
    let heard: Vec<String> = BufReader::new(stream).lines().map_while(Result::ok).collect();
    heard.iter().rev().nth(1).cloned().unwrap_or_default()
}

fn prepare(house: &House) {
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    for name in ["carol@acme.test", "dave@acme.test"] {
        house.run(&["member", "add", name, "--no-password"]).ok();
    }
    house.run(&["member", "forward", "carol@acme.test", "--to", "far@else.test"]).ok();
    house.run(&["member", "forward", "carol@acme.test", "--to", "carol@acme.test"]).refused(5, "in circles");
    house.run(&["member", "away", "dave@acme.test", "--text", "Gone.\nBack soon.", "--until", "2099-01-01"]).ok();
    house.run(&["member", "away", "dave@acme.test"]).refused(5, "--text-file");
    house.run(&["member", "away", "dave@acme.test", "--text", "x", "--from", "soon"]).refused(5, "2026-12-24");
    house.run(&["member", "away", "dave@acme.test", "--text", "x", "--until", "2020-01-01"]).refused(5, "over already");
    house.run(&["member", "away", "team@acme.test", "--off"]).refused(3, "team@acme.test");
    house.run(&["member", "away", "carol@acme.test", "--off"]).refused(3, "an answer of carol@acme.test");
    house.run(&["member", "forward", "dave@acme.test", "--to", "Dave@b\u{fc}cher.test"]).ok();
    house.run(&["member", "forward", "dave@acme.test", "--off", "--to", "dave@b\u{fc}cher.test"]).ok();
    let rules = house.run(&["rule", "list"]).ok();
    assert!(rules.contains("forward far@else.test") && rules.contains("until=4070908800"), "{rules}");
}

fn steps(rows: &serde_json::Value) -> Vec<String> {
    let all = rows.as_array().cloned().unwrap_or_default();
    all.iter().map(|row| row["step"].as_str().unwrap_or("?").to_owned()).collect()
}

#[test]
fn a_messages_way_online_and_offline() {
    let house = House::new();
    prepare(&house);
    let serving = house.serve(&[]);
    let message =
        ["DATA", "From: s@s.test", "To: dave@acme.test", "Subject: =1+1", "Message-ID: <m7@s.test>", "", "x", "."];
    let mut lines = vec!["MAIL FROM:<s@s.test>", "RCPT TO:<carol@acme.test>", "RCPT TO:<dave@acme.test>"];
    lines.extend(message);
    let said = send(&house, &lines);
    assert!(said.starts_with("250 2.0.0 Taken as "), "{said}");
    let id = said.rsplit(' ').next().expect("an id").to_owned();
    let way = ["came", "delivered", "delivered", "queued", "answered"];
    let online = house.json(&["trace", "m7@s.test"]);
    assert_eq!(steps(&online), way);
    assert_eq!((&online[0]["id"], &online[1]["mailbox"], &online[1]["uid"]), (&id.into(), &"INBOX".into(), &1.into()));
    let queue = online[3]["queue"].to_string();
    assert_eq!(house.json(&["trace", &queue, "--last", "1h"]), online);
    // What a member's rule answers is the member's, though it has the null sender.
    let of_dave = house.json(&["queue", "list", "--account", "dave@acme.test"]);
    assert_eq!((&of_dave[0]["sender"], of_dave.as_array().map(Vec::len)), (&"".into(), Some(1)), "{of_dave}");
    house.run(&["queue", "hold", &queue]).ok();
    assert_eq!(steps(&house.json(&["trace", "far@else.test"])).last().map(String::as_str), Some("handled"));
    let status = house.json(&["status"]);
    assert_eq!(status["mail"]["alarms"], 0, "{status}");
    assert_eq!(serving.stop(), Some(0));
    // Nobody serves: the files are read as they are.
    let offline = house.json(&["trace", "@s.test"]);
    assert_eq!(steps(&offline), ["came", "delivered", "delivered", "queued", "answered", "handled"]);
    let csv = house.run(&["trace", "--csv", "--since", "2020-01-01"]).ok();
    assert!(csv.starts_with("when,step,id,queue,") && csv.contains("\"'=1+1\""), "{csv}");
    assert_eq!(csv.lines().count(), 7, "{csv}");
    assert_eq!(house.json(&["trace", "--until", "2020-01-01"]), serde_json::json!([]));
    house.run(&["trace", "what?"]).refused(5, "none of");
    house.run(&["trace", "m7@s.test", "--limit", "1"]).refused(0, "there are more");
    house.run(&["trace", "nobody@s.test"]).refused(0, "nothing of \"nobody@s.test\"");
    let text = house.run(&["trace", "m7@s.test"]).ok();
    assert!(text.starts_with("when ") && text.contains("delivered"), "{text}");
    house.run(&["member", "away", "dave@acme.test", "--off"]).ok();
    house.run(&["member", "forward", "carol@acme.test", "--off"]).ok();
    assert_eq!(house.json(&["rule", "list"]), serde_json::json!([]));
}

/// A script by file and by standard input, shown as it was given; a wrong one is refused at its place.
#[test]
fn a_members_script() {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "acme.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "carol@acme.test", "--no-password"]).ok();
    let put = ["sieve", "put", "--member", "carol@acme.test", "-"];
    let script = "require [\"fileinto\", \"imap4flags\"];\nif header :contains \"subject\" \"news\" {\n  fileinto :flags [\"\\\\Seen\", \"paper\"] \"News\";\n}\n";
    house.run(&["sieve", "show", "--member", "carol@acme.test"]).refused(3, "a script of carol@acme.test");
    house.run_with_input(&put, "keep;\nfileinto \"A\";\n").refused(5, "line 2, column 1: fileinto needs require");
    house.run_with_input(&["sieve", "check", "-"], "kepp;").refused(5, "there is no command kepp");
    house.run(&["rule", "add", "--account", "carol@acme.test", "sieve", "\"kepp;\""]).refused(5, "line 1, column 1");
    house.run_with_input(&put, script).ok();
    assert_eq!(house.run(&["sieve", "show", "--member", "carol@acme.test"]).ok(), script);
    let serving = house.serve(&[]);
    send(&house, &["MAIL FROM:<s@s.test>", "RCPT TO:<carol@acme.test>", "DATA", "Subject: the News", "", "x", "."]);
    let way = house.json(&["trace", "carol@acme.test"]);
    assert_eq!((&way[1]["mailbox"], &way[1]["policy"]), (&"News".into(), &"sieve".into()), "{way}");
    house.run_with_input(&put, "redirect \"far@else.test\";\n").ok();
    send(&house, &["MAIL FROM:<s@s.test>", "RCPT TO:<carol@acme.test>", "DATA", "Subject: again", "", "x", "."]);
    assert_eq!(house.json(&["queue", "list"])[0]["recipients"][0], "far@else.test");
    house.run(&["sieve", "remove", "--member", "carol@acme.test"]).ok();
    assert_eq!(serving.stop(), Some(0));
}

/// Outbound is switched off in this house, so what is queued is never tried: the alarm rings.
#[test]
fn the_alarm_rings_for_mail_that_nobody_sends() {
    let house = House::new();
    let config = std::fs::read_to_string(house.config()).expect("the configuration");
    std::fs::write(house.config(), format!("{config}[mail_log]\nqueue_alarm_seconds = 1\n")).expect("written");
    prepare(&house);
    let serving = house.serve(&[]);
    send(&house, &["MAIL FROM:<s@s.test>", "RCPT TO:<carol@acme.test>", "DATA", "Subject: x", "", "x", "."]);
    let until = std::time::Instant::now() + std::time::Duration::from_secs(30);
    while house.json(&["status"])["mail"]["alarms"] != 1 {
        assert!(std::time::Instant::now() < until, "no alarm: {}", house.json(&["status"]));
        std::thread::sleep(std::time::Duration::from_millis(100));
    }
    assert_eq!(house.json(&["status"])["mail"]["overdue"], 1);
    assert!(house.run(&["status"]).ok().contains("mail alarms  1 since the start; 1 queued"));
    assert!(house.log().contains("ALARM"), "{}", house.log());
    assert!(steps(&house.json(&["trace", "far@else.test"])).contains(&"alarm".to_owned()));
    drop(serving);
}
