//! Reports about TLS (RFC 8460): what is counted, and the report as it arrives.
use super::shake::Host;
use super::world::{World, item, play, quick, without_tls};
use crate::outbound::keeping;
use crate::outbound::resolve::{Addresses, Answer, FixedNames, MailHosts, NoAnswer, Resolve, Tlsa};
use crate::outbound::settings::{Security, Settings};
use crate::outbound::tls::TlsConfigs;
use crate::outbound::tlsrpt::{Reports, run, send_before};
use crate::outbound::trust::{Guard, Policy, result_type};
use crate::runtime::sleep;
use crate::testing::Random;
use crate::verify::{Settings as VerifySettings, Verifier};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use posthouse_engine::Kept;
use posthouse_engine::base::Error;
use posthouse_engine::delivery::Delivery;
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

/// Name servers that do not answer about the reports of `a.test`.
struct Hanging(FixedNames);

impl Resolve for Hanging {
    fn mx(&self, domain: &str) -> Answer<MailHosts> {
        Resolve::mx(&self.0, domain)
    }

    fn addresses(&self, host: &str) -> Answer<Addresses> {
        Resolve::addresses(&self.0, host)
    }

    fn tlsa(&self, name: &str) -> Answer<Vec<Tlsa>> {
        Resolve::tlsa(&self.0, name)
    }

    fn txt(&self, name: &str) -> Answer<Vec<String>> {
        if name == "_smtp._tls.a.test" { Box::pin(std::future::pending()) } else { Resolve::txt(&self.0, name) }
    }
}

fn reports() -> Reports {
    let from = Address::parse("tls@example.org").expect("an address");
    Reports::start(from, None, None, &[([127, 0, 0, 1], 9).into()]).expect("it starts")
}

/// A message to each domain, and what came of TLS is counted.
async fn count(world: &World, domains: &[&str]) {
    for domain in domains {
        world.queue(item("ann@example.org", &[(&format!("a@{domain}"), 0)])).await;
    }
    world.until_empty().await;
}

#[test]
fn what_is_not_sent_at_a_stop_is_kept_for_the_next_start() {
    play(|world| async move {
        ["192.0.2.11:25", "192.0.2.13:25"].iter().for_each(|host| world.host(host, &without_tls(true)));
        let names = names().mx("a.test", &[(10, "mx.a.test")]).host("mx.a.test", &["192.0.2.13"]);
        let names = Hanging(names.txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]));
        let office = world.start_reporting(names, Settings { dane: true, ..quick() }, reports());
        count(&world, &["a.test", "x.test"]).await;
        world.clock.advance_ms(86_400_000);
        let (there, day) = (office.clone(), office.now().div_euclid(86_400));
        crate::runtime::spawn(async move {
            send_before(&there, day).await;
        });
        sleep(Duration::from_secs(5)).await;
        world.net.stop();
        sleep(Duration::from_secs(5)).await;
        keeping::keep(&office).await;
        let kept = world.engine().kept(Kept::TlsCounts).expect("a note");
        let kept = String::from_utf8_lossy(&kept);
        assert!(kept.contains("a.test") && kept.contains("x.test"), "{kept:?}");
        assert!(world.engine().queue().is_empty());
    });
}

#[test]
fn what_is_new_does_not_wait_for_names_that_nobody_answers_for() {
    play(|world| async move {
        let hosts = ["192.0.2.11:25", "192.0.2.12:25", "192.0.2.13:25"];
        hosts.iter().for_each(|host| world.host(host, &without_tls(true)));
        let names = names().mx("a.test", &[(10, "mx.a.test")]).host("mx.a.test", &["192.0.2.13"]);
        let names = Hanging(names.txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]));
        let office = world.start_reporting(names, Settings { dane: true, ..quick() }, reports());
        for domain in ["a.test", "x.test"] {
            count(&world, &[domain]).await;
            world.clock.advance_ms(86_400_000);
        }
        let (there, day) = (office.clone(), office.now().div_euclid(86_400));
        crate::runtime::spawn(async move {
            send_before(&there, day).await;
        });
        sleep(Duration::from_secs(5)).await;
        assert!(world.taken().iter().any(|mail| mail.contains("TLS-Report-Domain: x.test\r\n")), "{:?}", world.taken());
    });
}

#[test]
fn a_report_that_could_not_be_sent_is_tried_again_and_given_up_after_days() {
    let hour_ms = 3_600_000;
    play(move |world| async move {
        let hosts = ["192.0.2.11:25", "192.0.2.12:25", "192.0.2.13:25"];
        hosts.iter().for_each(|host| world.host(host, &without_tls(true)));
        let names = names().mx("a.test", &[(10, "mx.a.test")]).host("mx.a.test", &["192.0.2.13"]);
        let names = Hanging(names.txt("_smtp._tls.x.test", &["v=TLSRPTv1; rua=mailto:tls@reports.test"]));
        let office = world.start_reporting(names, Settings { dane: true, ..quick() }, reports());
        count(&world, &["a.test", "x.test"]).await;
        crate::runtime::spawn(run(office.clone()));
        sleep(Duration::from_secs(1)).await;
        // What does not fit takes the room with it that was written in front of the log.
        world.disk.set_free_bytes(0);
        let mut random = Random(1);
        let large: Vec<u8> = (0..100_000).map(|_| random.below(256) as u8).collect();
        let staged = world.engine().stage(Vec::new(), large).await.expect("staging takes no room");
        let queue = vec![item("ann@example.org", &[("a@x.test", 0)])];
        let outcome = world.engine().deliver(Delivery { staged, targets: Vec::new(), queue }).await;
        assert!(matches!(outcome.queued, Err(Error::NoSpace)), "{outcome:?}");
        world.disk.set_free_bytes(0);
        world.clock.advance_ms(22 * hour_ms);
        sleep(Duration::from_secs(180)).await;
        assert_eq!(world.taken().len(), 2, "a full disk takes no report");
        world.disk.set_free_bytes(u64::MAX);
        world.clock.advance_ms(hour_ms);
        sleep(Duration::from_secs(180)).await;
        world.until_empty().await;
        assert_eq!(world.taken().len(), 3);
        assert!(world.taken()[2].contains("TLS-Report-Domain: x.test\r\n"), "{:?}", world.taken());
        keeping::keep(&office).await;
        let kept = || String::from_utf8_lossy(&world.engine().kept(Kept::TlsCounts).unwrap_or_default()).into_owned();
        assert!(kept().contains("a.test") && !kept().contains("x.test"), "its name servers may answer yet");
        world.clock.advance_ms(4 * 24 * hour_ms);
        sleep(Duration::from_secs(180)).await;
        keeping::keep(&office).await;
        assert!(!kept().contains("a.test"), "{:?}", kept());
    });
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
