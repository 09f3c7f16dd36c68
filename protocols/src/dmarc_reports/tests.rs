//! Mail comes in, a day goes by, and a report is in the mailbox of who asked for it; its XML is the one that is written down.
use super::make::{self, published};
use super::{Means, Settings, daily};
use crate::runtime::sim;
use crate::session::Shared;
use crate::smtp::{SmtpService, tests::inbox};
use crate::testing::{self, dns};
use crate::verify::{Settings as VerifySettings, Verifier};
use mail_auth::report::{ActionDisposition, DmarcResult, Report};
use posthouse_engine::Append;
use posthouse_engine::base::{Clock, Error, Flags, MailboxId, SimClock};
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::trace::{DmarcAction, DmarcRow, DmarcSignature, DmarcSums};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const GOLDEN: &str = include_str!("golden/report.xml");
/// 24 Nov 2026.
const NOW_MS: i64 = 1_795_492_248_000;
const DAY: u32 = 20_781;

fn settings() -> Settings {
    let contact = Address::parse("postmaster@example.org").expect("an address");
    Settings { organisation: "Sons&Co Ltd".into(), contact, hostname: "mail.example.org".into() }
}

fn sums() -> DmarcSums {
    let signature = |selector: &str, result: &str| DmarcSignature {
        domain: "a.test".into(),
        selector: selector.into(),
        result: result.into(),
    };
    let passed = DmarcRow {
        source: "192.0.2.1".parse().ok(),
        action: DmarcAction::Pass,
        dkim_aligned: true,
        header_from: "news.a.test".into(),
        envelope_from: "bounces.b.test".into(),
        spf: "softfail".into(),
        dkim: vec![signature("one", "pass"), signature("two", "permerror")],
        ..DmarcRow::default()
    };
    let forged = DmarcRow {
        source: "2001:db8::1".parse().ok(),
        overridden: true,
        header_from: "a.test".into(),
        ..DmarcRow::default()
    };
    let policy =
        "v=DMARC1; p=reject; sp=quarantine; adkim=s; fo=1; rua=mailto:r@a.test!2048,mailto:a%2Cb@b.test".into();
    DmarcSums { policy, rows: [(passed, 41), (forged, 1)].into(), unlisted: 3 }
}

#[test]
fn a_report_is_the_one_that_is_written_down() {
    let record = published(&sums().policy).expect("it was made here");
    let report = make::report(&settings(), "a.test", DAY, &record, sums());
    let xml = report.to_xml();
    assert_eq!(xml, GOLDEN, "{xml}");
    let read = Report::parse_xml(xml.as_bytes()).expect("a report");
    assert_eq!(read.org_name(), "Sons&Co Ltd");
    assert_eq!(read.records().iter().map(|record| record.count()).collect::<Vec<_>>(), [41, 1]);
    let wanted: Vec<(String, usize)> = make::addresses(&record).collect();
    assert_eq!(wanted, [("r@a.test".to_owned(), 2048), ("a,b@b.test".to_owned(), 0)]);
}

#[test]
fn its_message_is_named_as_receivers_expect() {
    let record = published(&sums().policy).expect("it was made here");
    let to = ["r@a.test".to_owned(), "r@b.test".to_owned()];
    let made = make::message(&settings(), "a.test", DAY, &record, sums(), &to).expect("a message");
    assert_eq!((made.rows, made.messages), (2, 45));
    let text = String::from_utf8(made.message).expect("it is ASCII");
    let unfolded = text.replace("\r\n\t", " ").replace("\r\n ", " ");
    let id = "1795478400.a.test@mail.example.org";
    for part in [
        &*format!("Subject: Report Domain: a.test Submitter: example.org Report-ID: <{id}>\r\n"),
        "From: \"Sons&Co Ltd\" <postmaster@example.org>\r\n",
        "To: <r@a.test>, <r@b.test>\r\n",
        "Auto-Submitted: auto-generated\r\n",
        "example.org!a.test!1795478400!1795564799.xml.gz\"",
        "application/gzip",
        "Date: ",
        "Message-ID: <",
    ] {
        assert!(unfolded.contains(part), "{part} is not in {unfolded}");
    }
    assert!(text.lines().all(|line| line.len() < 998));
    let read = Report::parse_rfc5322(text.as_bytes(), 1 << 20).expect("a report");
    assert_eq!(read.report_id(), id);
}

fn verifier(server: SocketAddr, timeout_ms: u64) -> Arc<Verifier> {
    let settings = VerifySettings {
        servers: vec![server],
        hostname: "mail.example.org".into(),
        checks: true,
        checks_loopback: false,
        obeys_dmarc: true,
        keeps_dmarc: true,
        timeout: Duration::from_millis(timeout_ms),
        threads: 1,
    };
    Arc::new(Verifier::start(settings).expect("it starts"))
}

/// A store that checks senders by these records.
fn store(disk: SimDisk, clock: &Arc<SimClock>, records: &[(&str, &str)]) -> Shared {
    store_in(disk, clock, records, 1)
}

fn store_in(disk: SimDisk, clock: &Arc<SimClock>, records: &[(&str, &str)], shards: u16) -> Shared {
    let all: Vec<(String, String)> = records.iter().map(|(name, text)| ((*name).into(), (*text).into())).collect();
    let mut shared = testing::shared_in(disk, clock.clone(), shards);
    shared.verifier = Some(verifier(dns::serve(&all), 20_000));
    shared
}

fn send(shared: &Arc<Shared>, sender: &'static str, from: &'static str) {
    let service = SmtpService::mx(shared.clone());
    let said = sim::run(move |net| async move {
        let mut client = net.connect(&service);
        let lines = format!(
            "EHLO c.test\r\nMAIL FROM:<{sender}>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nFrom: {from}\r\nSubject: x\r\n\r\nx\r\n.\r\nQUIT\r\n"
        );
        client.write(lines.as_bytes()).await;
        String::from_utf8(client.read_to_end().await).expect("ASCII")
    });
    assert!(said.contains("\r\n221 "), "{said}");
}

/// Whether nothing is left for later.
fn report(shared: &Shared, clock: &Arc<SimClock>, day: u32) -> bool {
    report_again(shared, clock, day, 1)
}

/// The same after so many tries.
fn report_again(shared: &Shared, clock: &Arc<SimClock>, day: u32, tries: usize) -> bool {
    let (engine, verifier) = (shared.engine.clone(), shared.verifier.clone().expect("it has one"));
    let clock: Arc<dyn Clock> = clock.clone();
    let means = Means { engine, clock, verifier, settings: settings() };
    sim::run(move |_| async move {
        let (mut told, mut whole) = (daily::Told::new(), false);
        for _ in 0..tries {
            whole = daily::send_day(&means, day, &mut told).await;
        }
        whole
    })
}

fn reports(shared: &Shared, address: &str) -> Vec<Report> {
    let read = |mail: &String| Report::parse_rfc5322(mail.as_bytes(), 1 << 20).ok();
    inbox(shared, address).iter().filter_map(read).collect()
}

#[test]
fn what_came_is_reported_on_the_next_day_once_and_after_a_restart() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(SimClock::at_ms(NOW_MS)));
    let records = [
        ("_dmarc.a.test", "v=DMARC1; p=reject; sp=none; rua=mailto:bob@example.org"),
        ("a.test._report._dmarc.example.org", "v=DMARC1"),
        ("bounces.a.test", "v=spf1 ip4:192.0.2.1 -all"),
        // Nobody at example.org has agreed to this one.
        ("_dmarc.c.test", "v=DMARC1; p=none; rua=mailto:bob@example.org"),
        ("_dmarc.d.test", "v=DMARC1; p=none"),
        ("_dmarc.q.test", "v=DMARC1; p=quarantine; rua=mailto:bob@example.org"),
        ("q.test._report._dmarc.example.org", "v=DMARC1"),
    ];
    let shared = Arc::new(store(disk.clone(), &clock, &records));
    send(&shared, "x@bounces.a.test", "ann@a.test");
    send(&shared, "x@bounces.a.test", "ann@a.test");
    send(&shared, "", "eve@a.test");
    send(&shared, "y@c.test", "eve@sub.a.test");
    send(&shared, "y@c.test", "eve@c.test");
    send(&shared, "y@c.test", "eve@d.test");
    send(&shared, "y@c.test", "eve@q.test");
    shared.engine.close().expect("it closes");
    drop(shared);
    let shared = Arc::new(store(disk, &clock, &records));
    clock.advance_ms(86_400_000);
    assert!(report(&shared, &clock, DAY));
    let got = reports(&shared, "bob@example.org");
    assert_eq!(got.iter().map(Report::domain).collect::<Vec<_>>(), ["a.test", "q.test"], "{got:?}");
    assert_eq!(got[1].records()[0].action_disposition(), ActionDisposition::Quarantine);
    let told: Vec<_> = got[0]
        .records()
        .iter()
        .map(|one| {
            (one.header_from(), one.envelope_from(), one.count(), one.action_disposition(), one.dmarc_spf_result())
        })
        .collect();
    let (pass, fail) = (DmarcResult::Pass, DmarcResult::Fail);
    assert_eq!(
        told,
        [
            ("sub.a.test", "c.test", 1, ActionDisposition::None, fail),
            ("a.test", "bounces.a.test", 2, ActionDisposition::Pass, pass),
            ("a.test", "", 1, ActionDisposition::Reject, fail),
        ]
    );
    assert_eq!((got[0].domain(), got[0].date_range_begin()), ("a.test", 1_795_478_400));
    assert!(inbox(&shared, "bob@example.org")[0].starts_with("Return-Path: <>\r\n"));
    // Once, and nothing of a day of which nothing is known.
    assert!(report(&shared, &clock, DAY) && report(&shared, &clock, DAY + 1));
    assert_eq!(reports(&shared, "bob@example.org").len(), 2);
}

#[test]
fn reports_to_others_are_signed_and_as_small_as_they_ask() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(SimClock::at_ms(NOW_MS)));
    let records = [
        ("_dmarc.a.test", "v=DMARC1; p=none; rua=mailto:r@a.test,mailto:small@a.test!500"),
        ("_dmarc.b.test", "v=DMARC1; p=none; rua=mailto:small@b.test!500"),
    ];
    let shared = Arc::new(store(disk, &clock, &records));
    let key = crate::verify::tests::key("example.org", "one").0;
    shared.engine.change_directory(vec![Change::KeyAdd(key)]).wait().remove(0).expect("taken");
    send(&shared, "x@c.test", "ann@a.test");
    send(&shared, "x@c.test", "ann@b.test");
    assert!(report(&shared, &clock, DAY));
    let queued: Vec<_> = shared.engine.queues().iter().flat_map(|queue| queue.iter().collect::<Vec<_>>()).collect();
    assert_eq!(queued.len(), 1);
    assert_eq!((queued[0].item.recipients[0].address.as_str(), queued[0].item.sender.as_str()), ("r@a.test", ""));
    let message = shared.engine.queue_message(queued[0].id).wait().expect("its message");
    assert!(message.starts_with(b"DKIM-Signature: "), "{}", String::from_utf8_lossy(&message));
}

#[test]
fn a_report_waits_while_name_servers_are_silent() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(SimClock::at_ms(NOW_MS)));
    let records = [
        ("_dmarc.a.test", "v=DMARC1; p=none; rua=mailto:bob@example.org"),
        ("a.test._report._dmarc.example.org", "v=DMARC1"),
        // An address of its own: nobody is asked about that one.
        ("_dmarc.b.test", "v=DMARC1; p=none; rua=mailto:bob@example.org,mailto:r@b.test"),
    ];
    let shared = Arc::new(store(disk, &clock, &records));
    send(&shared, "x@c.test", "ann@a.test");
    send(&shared, "x@c.test", "ann@b.test");
    let mut shared = Arc::into_inner(shared).expect("nobody else has it");
    let silent = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port");
    let patient = shared.verifier.replace(verifier(silent.local_addr().expect("it has one"), 200));
    assert!(!report(&shared, &clock, DAY));
    assert!(reports(&shared, "bob@example.org").is_empty());
    assert_eq!(shared.engine.queue()[0].item.recipients[0].address, "r@b.test");
    shared.verifier = patient;
    assert!(report(&shared, &clock, DAY));
    assert_eq!(reports(&shared, "bob@example.org").len(), 1);
}

/// Bob's shard has closed itself after a failing disk: ann, who is in the other one, hears of the day once.
#[test]
fn who_has_a_report_does_not_get_it_again_while_another_mailbox_cannot_take_it() {
    let (disk, clock) = (SimDisk::new(1), Arc::new(SimClock::at_ms(NOW_MS)));
    let records = [
        ("_dmarc.a.test", "v=DMARC1; p=none; rua=mailto:ann@example.org,mailto:bob@example.org,mailto:r@a.test"),
        ("a.test._report._dmarc.example.org", "v=DMARC1"),
    ];
    let shared = Arc::new(store_in(disk.clone(), &clock, &records, 2));
    send(&shared, "x@c.test", "ann@a.test");
    let bob = shared.engine.directory(|known| known.login("bob@example.org").map(|found| found.id)).expect("a member");
    shared.engine.open_account(bob).wait().expect("it opens");
    // The logs write for themselves, so it is not known which call is the one; none is left to fail when the shard is closed.
    let broken = (0..64).any(|_| {
        let staged = shared.engine.stage(Vec::new(), b"Subject: x\r\n\r\n".to_vec()).wait().expect("staged");
        let (flags, keywords, internal_date) = (Flags::NONE, Vec::new(), None);
        let one = Append { staged, flags, keywords, internal_date };
        match shared.engine.append(bob, MailboxId::INBOX, vec![one]).wait() {
            Err(error) => matches!(error, Error::Latched { .. }),
            Ok(_) => {
                disk.fail_at(disk.ops(), Fault::SyncFails);
                false
            }
        }
    });
    assert!(broken);
    assert!(!report_again(&shared, &clock, DAY, 3));
    assert_eq!(reports(&shared, "ann@example.org").len(), 1);
}
