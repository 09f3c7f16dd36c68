//! The content filter as a client and a reader see it; what it answers is fixed.
use crate::runtime::sim;
use crate::session::Shared;
use crate::smtp::SmtpService;
use crate::smtp::tests::{inbox, shared};
use crate::verify::milter::DefaultAction;
use crate::verify::milter::tests::{Answers, milter, settings};
use crate::verify::rspamd::RspamdSettings;
use posthouse_engine::directory::{Address, Change, KeyState, ScopeName, SigningKey};
use posthouse_engine::trace::MailFilter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

fn with_filter(defers_when_down: bool) -> Arc<Shared> {
    let mut shared = Arc::into_inner(shared()).expect("nobody else has it");
    shared.rspamd = Some(RspamdSettings {
        address: SocketAddr::from(([192, 0, 2, 33], 11333)),
        password: String::new(),
        timeout: Duration::from_secs(5),
        size_bytes_max: 100_000,
        defers_when_down,
    });
    Arc::new(shared)
}

/// The reply to a message for those, when the filter answers with that action; without one nobody is there.
fn sent(shared: &Arc<Shared>, action: Option<&'static str>, to: &'static [&'static str]) -> String {
    let shared = shared.clone();
    sim::run(move |net| async move {
        if let Some(action) = action {
            net.listen("192.0.2.33:11333".parse().expect("an address"), move |mut peer| async move {
                while peer.read_line().await != b"hi\r\n" {}
                let body = format!("{{\"action\":\"{action}\",\"score\":7.5,\"required_score\":15}}");
                peer.write(format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).as_bytes()).await;
                peer.read_to_end().await;
            });
        }
        let mut client = net.connect(&SmtpService::mx(shared));
        let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
        let lines =
            format!("EHLO c.test\r\nMAIL FROM:<s@s.test>\r\n{rcpt}DATA\r\nSubject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n");
        client.write(lines.as_bytes()).await;
        let heard = String::from_utf8(client.read_to_end().await).expect("ASCII");
        heard.lines().rev().nth(1).expect("a reply before the goodbye").to_owned()
    })
}

const ANN: &[&str] = &["ann@example.org"];

fn came(shared: &Shared) -> String {
    let log = shared.engine.mail_log(&MailFilter::default(), None, 1).expect("it can be read");
    log.rows[0].record.policy.clone()
}

#[test]
fn its_actions_are_obeyed() {
    let shared = with_filter(false);
    assert!(sent(&shared, Some("no action"), ANN).starts_with("250"));
    assert_eq!((inbox(&shared, ANN[0]).len(), came(&shared).as_str()), (1, "rspamd=no action 7.50/15.00"));
    assert!(sent(&shared, Some("add header"), ANN).starts_with("250"));
    assert_eq!(inbox(&shared, ANN[0]).len(), 1, "it is in Junk");
    assert_eq!(sent(&shared, Some("reject"), ANN), "550 5.7.1 The message is taken for spam");
    assert_eq!(sent(&shared, Some("soft reject"), ANN), "451 4.7.1 Try again later");
    assert!(sent(&shared, Some("discard"), ANN).starts_with("250"));
    assert_eq!(inbox(&shared, ANN[0]).len(), 1);
}

#[test]
fn whoever_is_allowed_skips_it_and_nothing_is_lost_beside() {
    let shared = with_filter(false);
    let scope = ScopeName::Account(Address::parse(ANN[0]).expect("an address"));
    let rule = "allow s.test".parse().expect("a rule");
    shared.engine.change_directory(vec![Change::RuleAdd { scope, rule }]).wait().remove(0).expect("taken");
    let both: &[&str] = &["ann@example.org", "bob@example.org"];
    assert!(sent(&shared, Some("reject"), both).starts_with("250"));
    assert_eq!((inbox(&shared, both[0]).len(), inbox(&shared, both[1]).len()), (1, 0));
    // One reply is for both, and bob would lose what is to come again.
    assert!(sent(&shared, Some("greylist"), both).starts_with("451"));
    assert!(sent(&shared, Some("greylist"), ANN).starts_with("250"));
    assert_eq!((inbox(&shared, both[0]).len(), inbox(&shared, both[1]).len()), (2, 0));
}

#[test]
fn without_an_answer_mail_is_taken_or_waits_as_the_operator_says() {
    let shared = with_filter(false);
    assert!(sent(&shared, None, ANN).starts_with("250"));
    assert_eq!((inbox(&shared, ANN[0]).len(), came(&shared).as_str()), (1, "rspamd=no answer"));
    let waits = with_filter(true);
    assert_eq!(sent(&waits, None, ANN), "451 4.7.1 The content filter gives no answer; try again later");
    assert!(inbox(&waits, ANN[0]).is_empty());
}

/// The reply to a message for those, when a milter answers so.
fn shown(shared: &Arc<Shared>, answers: Answers, to: &'static str) -> String {
    seen(shared, answers, to, "")
}

/// The same with fields more.
fn seen(shared: &Arc<Shared>, answers: Answers, to: &'static str, fields: &'static str) -> String {
    let shared = shared.clone();
    sim::run(move |net| async move {
        milter(&net, 1, 0, answers);
        let mut client = net.connect(&SmtpService::mx(shared));
        let begin = format!("EHLO c.test\r\nMAIL FROM:<s@s.test>\r\nRCPT TO:<{to}>\r\nDATA\r\n");
        client.write(format!("{begin}{fields}Subject: x\r\n\r\nhi\r\n.\r\nQUIT\r\n").as_bytes()).await;
        let heard = String::from_utf8(client.read_to_end().await).expect("ASCII");
        heard.lines().rev().nth(1).expect("a reply before the goodbye").to_owned()
    })
}

fn with_milter() -> Arc<Shared> {
    let mut shared = Arc::into_inner(shared()).expect("nobody else has it");
    shared.milters = vec![settings("one", 1, DefaultAction::Reject)];
    Arc::new(shared)
}

#[test]
fn what_a_milter_puts_aside_is_seen_by_nobody_and_leaves_by_no_way() {
    const ASIDE: Answers = &[('E', &[(b'q', b"odd\0"), (b'c', b"")])];
    let shared = with_milter();
    let scope = ScopeName::Account(Address::parse(ANN[0]).expect("an address"));
    let rule = "allow s.test".parse().expect("a rule");
    shared.engine.change_directory(vec![Change::RuleAdd { scope, rule }]).wait().remove(0).expect("taken");
    assert!(shown(&shared, ASIDE, "ann@example.org").starts_with("250"));
    assert!(inbox(&shared, ANN[0]).is_empty(), "allowed or not, it is in Junk");
    // Somebody of that group is elsewhere.
    let reply = shown(&shared, ASIDE, "all@example.org");
    assert_eq!(reply, "550 5.7.1 A filter holds that message back; it is not sent on");
}

#[test]
fn what_a_milter_says_in_our_name_stays() {
    const SAYS: Answers = &[('E', &[(b'h', b"Authentication-Results\0mail.example.org; dkim=pass\0"), (b'c', b"")])];
    let shared = with_milter();
    assert!(shown(&shared, SAYS, "ann@example.org").starts_with("250"));
    let mail = inbox(&shared, ANN[0]).remove(0);
    assert!(mail.contains("\r\nAuthentication-Results: mail.example.org; dkim=pass\r\n"), "{mail}");
}

#[test]
fn what_a_milter_has_changed_is_sealed_when_it_goes_on() {
    const SEEN: Answers = &[('E', &[(b'h', b"X-Seen\0yes\0"), (b'c', b"")])];
    let mut shared = Arc::into_inner(super::author::with_dmarc()).expect("nobody else has it");
    shared.milters = vec![settings("one", 1, DefaultAction::Reject)];
    let (key, _) = crate::testing::rsa_key("example.org");
    shared
        .engine
        .change_directory(vec![Change::KeyAdd(SigningKey { state: KeyState::Next, ..key })])
        .wait()
        .remove(0)
        .expect("taken");
    let state = KeyState::Active;
    let change = Change::KeySet { domain: "example.org".into(), selector: "rsa".into(), state };
    shared.engine.change_directory(vec![change]).wait().remove(0).expect("taken");
    let shared = Arc::new(shared);
    let from = "From: s@s.test\r\nAuthentication-Results: mail.example.org; dmarc=pass\r\n";
    assert!(seen(&shared, SEEN, "all@example.org", from).starts_with("250"));
    let item = shared.engine.queue()[0].id;
    let mail =
        String::from_utf8(shared.engine.queue_message(item).wait().expect("it is there").to_vec()).expect("ASCII");
    for field in ["ARC-Seal: i=1", "ARC-Message-Signature: ", "ARC-Authentication-Results: ", "X-Seen: yes\r\n"] {
        assert_eq!(mail.matches(field).count(), 1, "{field}: {mail}");
    }
    assert!(!mail.contains("dmarc=pass\r\n"), "{mail}");
}

/// Dept is a group of another tenant in the group top: it is sent to by way of the queue.
#[test]
fn what_is_known_of_a_message_goes_with_it_to_a_group_in_a_group() {
    let shared = with_filter(false);
    let address = |text: &str| Address::parse(text).expect("an address");
    let group = |own: &str, members: &[&str]| Change::GroupAdd {
        address: address(own),
        name: String::new(),
        members: members.iter().map(|member| address(member)).collect(),
    };
    let changes = vec![
        Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
        group("dept@other.test", &["bob@example.org"]),
        group("top@example.org", &["ann@example.org", "dept@other.test", "carl@elsewhere.test"]),
    ];
    for done in shared.engine.change_directory(changes).wait() {
        done.expect("the directory takes it");
    }
    let top: &[&str] = &["top@example.org"];
    let queued = || -> Vec<(String, bool)> {
        let queue = shared.engine.queue();
        let all = queue.iter().flat_map(|item| {
            let suspicious = item.item.arrival.as_ref().expect("what is known").suspicious;
            item.item.recipients.iter().map(move |one| (one.address.clone(), suspicious))
        });
        all.collect()
    };
    assert!(sent(&shared, Some("add header"), top).starts_with("250"));
    assert_eq!(queued(), [("dept@other.test".to_owned(), true)], "nothing goes elsewhere in our name");
    assert!(inbox(&shared, "ann@example.org").is_empty(), "it is in Junk");
    assert!(sent(&shared, Some("no action"), top).starts_with("250"));
    let fine = [("carl@elsewhere.test".to_owned(), false), ("dept@other.test".to_owned(), false)];
    assert_eq!(queued()[1..], fine);
    let steps: Vec<String> = shared
        .engine
        .mail_log(&MailFilter::default(), None, 100)
        .expect("it can be read")
        .rows
        .iter()
        .filter(|row| row.record.recipient == "carl@elsewhere.test,top@example.org")
        .map(|row| format!("{} {}", row.record.step.name(), row.record.policy))
        .collect();
    assert_eq!(steps.len(), 2);
    assert!(steps.contains(&"dropped suspicious".to_owned()), "{steps:?}");
}
