//! `posthouse reports`: what others report, summed up from a mailbox, with a server and without one.
mod support;

use serde_json::json;
use support::House;

const DMARC: &str = include_str!("../../protocols/src/dmarc_reports/golden/report.xml");
const TLS: &str = r#"{"organization-name":"TLS Sender","date-range":{"start-datetime":"2026-11-24T00:00:00Z","end-datetime":"2026-11-24T23:59:59Z"},"report-id":"7",
"policies":[{"policy":{"policy-type":"sts","policy-domain":"a.test"},"summary":{"total-successful-session-count":5,"total-failure-session-count":2},
"failure-details":[{"result-type":"certificate-expired","receiving-mx-hostname":"mx.a.test","failed-session-count":2}]}]}"#;

fn mail(kind: &str, body: &str) -> String {
    format!(
        "From: r@s.test\nSubject: Report\nMIME-Version: 1.0\nContent-Type: {kind}\nContent-Transfer-Encoding: 8bit\n\n{body}\n"
    )
}

/// A house whose mailbox has two reports, one of them twice, and mail that is none.
fn prepare() -> House {
    let house = House::new();
    house.run(&["tenant", "add", "acme"]).ok();
    house.run(&["domain", "add", "a.test", "--tenant", "acme"]).ok();
    house.run(&["member", "add", "reports@a.test", "--no-password"]).ok();
    let dir = house.path().join("mail");
    std::fs::create_dir(&dir).expect("a folder");
    let all = [
        mail("text/xml", DMARC),
        format!("X-Again: yes\n{}", mail("text/xml", DMARC)),
        mail("application/tlsrpt+json", TLS),
        mail("text/plain", "hello"),
    ];
    for (at, text) in all.iter().enumerate() {
        std::fs::write(dir.join(format!("{at}.eml")), text).expect("written");
    }
    let dir = dir.to_str().expect("UTF-8");
    house.run(&["import", "--account", "reports@a.test", "--format", "eml", dir]).ok();
    house
}

#[test]
fn sums_by_host_online_and_offline() {
    let house = prepare();
    let ask = ["reports", "--account", "reports@a.test", "--days", "36500"];
    let sums = house.json(&ask);
    let dmarc = |domain: &str, source: &str, messages: u64, passed: u64| {
        json!({ "is": "dmarc_source", "domain": domain, "source": source, "messages": messages, "passed": passed,
            "dkim": passed, "spf": 0, "quarantined": 0, "rejected": 0 })
    };
    let tls = |host: &str, sessions: u64, failed: u64, why: &str| json!({ "is": "tls_source", "domain": "a.test", "host": host, "sessions": sessions, "failed": failed, "why": why });
    let expected = json!([
        dmarc("a.test", "2001:db8::1", 1, 0),
        dmarc("news.a.test", "192.0.2.1", 41, 41),
        tls("", 5, 0, ""),
        tls("mx.a.test", 2, 2, "certificate-expired"),
    ]);
    assert_eq!(sums, expected);
    let shown = house.run(&ask).ok();
    assert!(shown.contains("news.a.test  192.0.2.1") && shown.contains("\n\ndomain  host"), "{shown}");
    let serving = house.serve(&[]);
    assert_eq!(house.json(&ask), expected);
    let each = house.json(&[&ask[..], &["--list"]].concat());
    assert_eq!(
        (each[0]["kind"].as_str(), each[0]["reporter"].as_str(), each[0]["count"].as_u64()),
        (Some("dmarc"), Some("Sons&Co Ltd"), Some(42))
    );
    assert_eq!((each[1]["kind"].as_str(), each.as_array().map(Vec::len)), (Some("tls"), Some(2)));
    let below = house.json(&[&ask[..], &["--domain", "NEWS.a.test"]].concat());
    assert_eq!(below, json!([dmarc("news.a.test", "192.0.2.1", 41, 41)]));
    assert_eq!(house.json(&[&ask[..], &["--domain", "s.a.test"]].concat()), json!([]));
    assert_eq!(serving.stop(), Some(0));
}

#[test]
fn mistakes_are_told_and_what_cannot_be_read_ends_with_its_code() {
    let house = prepare();
    house.run(&["reports", "--account", "nobody@a.test"]).refused(3, "nobody@a.test");
    house.run(&["reports", "--account", "reports@a.test", "--mailbox", "None"]).refused(3, "mailbox None");
    let dir = house.path().join("bad");
    std::fs::create_dir(&dir).expect("a folder");
    std::fs::write(dir.join("1.eml"), mail("text/xml", "<feedback></feedback>")).expect("written");
    house.run(&["import", "--account", "reports@a.test", "--format", "eml", dir.to_str().expect("UTF-8")]).ok();
    house.run(&["reports", "--account", "reports@a.test", "--days", "36500"]).refused(8, "uid 5: ");
}

#[test]
fn a_server_that_sends_reports_starts_and_one_without_a_name_does_not() {
    let house = House::new();
    let config = std::fs::read_to_string(house.config()).expect("it is there");
    let with = |more: &str| {
        std::fs::write(house.config(), format!("{config}[reports]\ndmarc = true\n{more}")).expect("written")
    };
    with("organisation = \"A\"\ncontact = \"p@a.test\"\n");
    assert_eq!(house.serve(&[]).stop(), Some(0));
    with("");
    house.run(&["serve"]).refused(2, "reports.organisation: ");
}
