//! Reports about TLS (RFC 8460): what is counted, and the report as it arrives.
use super::shake::Host;
use super::world::{item, play, quick, without_tls};
use crate::outbound::resolve::{FixedNames, NoAnswer, Tlsa};
use crate::outbound::settings::{Security, Settings};
use crate::outbound::tls::TlsConfigs;
use crate::outbound::tlsrpt::{Reports, send_before};
use crate::outbound::trust::{Guard, Policy, result_type};
use crate::verify::{Settings as VerifySettings, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::directory::Address;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn names() -> FixedNames {
    FixedNames::default()
        .mx("x.test", &[(10, "mx.x.test")])
        .host("mx.x.test", &["192.0.2.11"])
        .mx("reports.test", &[(10, "mx.reports.test")])
        .host("mx.reports.test", &["192.0.2.12"])
}

/// Sends a message to a host without TLS, and then the reports of the day; gives what the host of `reports.test` gets.
fn report(goes: bool, names: FixedNames, days: i64) -> Vec<String> {
    report_by(None, goes, names, days)
}

/// The same with somebody who could sign them.
fn report_by(signs: Option<Arc<Verifier>>, goes: bool, names: FixedNames, days: i64) -> Vec<String> {
    let got = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let told = got.clone();
    play(|world| async move {
        world.host("192.0.2.11:25", &without_tls(goes));
        world.host("192.0.2.12:25", &without_tls(true));
        let from = Address::parse("tls@example.org").expect("an address");
        let reports = Reports::start(from, signs, None, &[([127, 0, 0, 1], 9).into()]).expect("it starts");
        let settings = Settings { dane: true, lifetime_seconds: 30, ..quick() };
        let office = world.start_reporting(names, settings, reports);
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        world.until_empty().await;
        let before = world.taken().len();
        send_before(&office, office.now().div_euclid(86_400) + days).await;
        world.until_empty().await;
        *told.borrow_mut() = world.taken().split_off(before);
    });
    got.take()
}

/// The JSON in a report's mail.
fn unpacked(mail: &str) -> Value {
    let (_, part) = mail.split_once("Content-Type: application/tlsrpt+gzip\r\n").expect("the part");
    let (_, text) = part.split_once("\r\n\r\n").expect("its body");
    let text: String = text.split("\r\n--").next().expect("its end").split_whitespace().collect();
    let packed = STANDARD.decode(text).expect("base64");
    assert_eq!(packed[..4], [0x1f, 0x8b, 8, 0], "gzip without more fields");
    let bytes = miniz_oxide::inflate::decompress_to_vec(&packed[10..packed.len() - 8]).expect("deflate");
    assert_eq!(packed[packed.len() - 8..packed.len() - 4], crc32fast::hash(&bytes).to_le_bytes());
    serde_json::from_slice(&bytes).expect("JSON")
}

#[test]
fn a_domain_that_wants_reports_gets_one_for_a_day_that_is_over() {
    let wanting = names().txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]);
    let got = report(true, wanting.clone(), 1);
    let [mail] = &got[..] else { panic!("{got:?}") };
    for part in [
        "From: TLS reports <tls@example.org>\r\n",
        "To: <tls@reports.test>\r\n",
        "Subject: Report Domain: x.test Submitter: example.org Report-ID: <",
        "TLS-Report-Domain: x.test\r\n",
        "TLS-Report-Submitter: example.org\r\n",
        "filename=\"example.org!x.test!",
        "Content-Type: multipart/report; report-type=\"tlsrpt\";",
    ] {
        assert!(mail.contains(part), "{part} is not in {mail}");
    }
    let told = unpacked(mail);
    assert_eq!(told["contact-info"], "tls@example.org");
    let day =
        told["date-range"]["start-datetime"].as_str().expect("a date").strip_suffix("T00:00:00Z").expect("midnight");
    assert_eq!(told["date-range"]["end-datetime"], format!("{day}T23:59:59Z"));
    let policy = json!({ "policy-type": "no-policy-found", "policy-domain": "x.test" });
    let summary = json!({ "total-successful-session-count": 0, "total-failure-session-count": 1 });
    assert_eq!(told["policies"].as_array().map(Vec::len), Some(1));
    assert_eq!((&told["policies"][0]["policy"], &told["policies"][0]["summary"]), (&policy, &summary));
    let detail = &told["policies"][0]["failure-details"][0];
    assert_eq!(
        (&detail["result-type"], &detail["failed-session-count"]),
        (&json!("starttls-not-supported"), &json!(1))
    );
    assert_eq!(
        (&detail["receiving-mx-hostname"], &detail["receiving-ip"]),
        (&json!("mx.x.test"), &json!("192.0.2.11"))
    );
    assert!(report(true, wanting, 0).is_empty(), "the day is not over");
    assert!(report(true, names(), 1).is_empty(), "nobody has asked");
}

/// RFC 8460 section 3: nobody believes what is not signed.
#[test]
fn what_cannot_be_signed_is_not_sent() {
    let settings = VerifySettings {
        servers: vec![([127, 0, 0, 1], 9).into()],
        hostname: "mail.example.org".into(),
        checks: false,
        checks_loopback: false,
        obeys_dmarc: false,
        keeps_dmarc: false,
        timeout: Duration::from_secs(1),
        threads: 1,
    };
    let verifier = Arc::new(Verifier::start(settings).expect("it starts"));
    let wanting = names().txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]);
    assert!(report_by(Some(verifier), true, wanting, 1).is_empty());
}

#[test]
fn what_tlsa_records_demand_is_told_with_them() {
    let names = names().txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]);
    let names = names.secure(&["x.test", "mx.x.test"]);
    let owner = "_25._tcp.mx.x.test";
    let records = names.clone().tlsa(owner, Tlsa { usage: 3, selector: 1, matching: 0, data: vec![0xab, 1] });
    let told = unpacked(&report(false, records, 1)[0]);
    let expected = json!({
        "policy-type": "tlsa", "policy-domain": "x.test", "policy-string": ["3 1 0 ab01"], "mx-host": ["mx.x.test"],
    });
    assert_eq!(told["policies"][0]["policy"], expected);
    assert_eq!(told["policies"][0]["failure-details"][0]["result-type"], "starttls-not-supported");
    let told = unpacked(&report(false, names.no_tlsa(owner, NoAnswer::Failed("SERVFAIL".into())), 1)[0]);
    assert_eq!(told["policies"][0]["failure-details"][0]["result-type"], "dnssec-invalid");
}

/// RFC 8461 section 5: a policy that is only tested lets everything pass.
#[test]
fn what_a_tested_policy_would_refuse_is_told_by_its_name() {
    let policy = b"version: STSv1\nmode: testing\nmx: *.x.test\nmax_age: 1\n";
    let policy = Policy::parse(policy).expect("a policy");
    let directory = tempfile::tempdir().expect("a directory");
    for (name, expired, known, result) in [
        ("mx.x.test", false, true, None),
        ("other.test", false, true, Some("certificate-host-mismatch")),
        ("mx.x.test", true, true, Some("certificate-expired")),
        ("mx.x.test", false, false, Some("certificate-not-trusted")),
    ] {
        let (host, stranger) = (Host::new(name, expired), Host::new(name, expired));
        let authority = STANDARD.encode(if known { host.top() } else { stranger.top() });
        let file = directory.path().join("authorities.pem");
        let pem = format!("-----BEGIN CERTIFICATE-----\n{authority}\n-----END CERTIFICATE-----\n");
        std::fs::write(&file, pem).expect("written");
        let tls = TlsConfigs::new(Some(&file)).expect("an authority");
        let guard = Guard::tested(Security::Opportunistic, &tls, "mx.x.test", &policy);
        host.shake(&guard, 2).expect("it passes");
        assert_eq!(guard.objection.get().copied(), result, "{name} {expired} {known}");
        // A demand for a proven name fails for the same reason.
        let strict = Guard::configured(Security::Verified, &tls, "mx.x.test");
        assert_eq!(host.shake(&strict, 2).err().map(|error| result_type(&error)), result);
    }
    let tls = TlsConfigs::new(None).expect("TLS can be had");
    let elsewhere = Guard::tested(Security::Opportunistic, &tls, "mx.y.test", &policy);
    assert_eq!(elsewhere.objection.get(), Some(&"validation-failure"));
}
