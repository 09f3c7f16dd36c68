//! A group with a member on another host that sends its mail back to the group.
use super::member::{add_rules, queued};
use super::{SmtpService, answers, inbox, shared};
use crate::lmtp::LmtpService;
use crate::passed;
use crate::session::Shared;
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::trace::{MailFilter, Step};
use std::sync::Arc;

const MAIL: &str = "From: s@s.test\r\nMessage-ID: <1@s.test>\r\nSubject: x\r\n\r\nx\r\n";

fn send(shared: &Arc<Shared>, to: &[&str], message: &str) -> String {
    let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    let lines = format!("EHLO c.test\r\nMAIL FROM:<s@s.test>\r\n{rcpt}DATA\r\n{message}.\r\nQUIT\r\n");
    answers(SmtpService::mx(shared.clone()), lines.into_bytes())
}

/// The message as it goes to another host.
fn sent(shared: &Shared, at: usize) -> String {
    let passed = &shared.engine.queue()[at].item.passed;
    passed::fields(&shared.engine, passed, MAIL.as_bytes()) + MAIL
}

fn counts(shared: &Shared) -> (usize, usize, usize) {
    (inbox(shared, "ann@example.org").len(), inbox(shared, "bob@example.org").len(), shared.engine.queue().len())
}

#[test]
fn what_comes_back_to_a_group_is_taken_and_goes_to_nobody_again() {
    let shared = shared();
    assert!(send(&shared, &["all@example.org"], MAIL).contains("250 2.0.0 Taken"));
    assert_eq!(counts(&shared), (1, 1, 1));
    assert_eq!(shared.engine.queue()[0].item.passed, ["all@example.org"]);
    let back = sent(&shared, 0);
    assert!(back.starts_with("Delivered-To: all@example.org\r\nX-Posthouse-Passed: "), "{back}");
    let heard = send(&shared, &["all@example.org"], &back);
    assert!(heard.contains("250 2.0.0 Taken"), "{heard}");
    assert_eq!(counts(&shared), (1, 1, 1));
    let log = shared.engine.mail_log(&MailFilter::default(), None, 100).expect("it can be read");
    let dropped: Vec<_> =
        log.rows.iter().map(|row| &row.record).filter(|record| record.step == Step::Dropped).collect();
    assert_eq!((dropped.len(), &*dropped[0].policy, &*dropped[0].recipient), (1, "circle", "all@example.org"));
    // Who is written to besides gets it, by LMTP as well.
    let lines = format!(
        "LHLO c.test\r\nMAIL FROM:<s@s.test>\r\nRCPT TO:<all@example.org>\r\nRCPT TO:<bob@example.org>\r\nDATA\r\n{back}.\r\nQUIT\r\n"
    );
    let heard = answers(LmtpService::new(shared.clone()), lines.into_bytes());
    assert_eq!(heard.matches("250 2.1.5 Delivered").count(), 2, "{heard}");
    assert_eq!(counts(&shared), (1, 2, 1));
    // A stranger's word, or the mark of another message, keeps nobody from anything.
    let forged = format!("Delivered-To: all@example.org\r\nX-Posthouse-Passed: 00 all@example.org\r\n{MAIL}");
    for other in [forged, back.replace("<1@s.test>", "<2@s.test>")] {
        assert!(send(&shared, &["all@example.org"], &other).contains("250 2.0.0 Taken"));
    }
    assert_eq!(counts(&shared), (3, 4, 3));
}

/// One reply is for both, and the group alone has lost nothing.
#[test]
fn who_gets_nothing_beside_a_group_that_had_the_message_is_not_passed_over() {
    let shared = shared();
    let both = ["all@example.org", "bob@example.org"];
    let back = |message: &str| passed::fields(&shared.engine, &[both[0].to_owned()], message.as_bytes()) + message;
    // More than bob may hold.
    let big = back(&format!("{MAIL}{}", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(400)));
    assert!(send(&shared, &both[..1], &big).contains("\r\n250 2.0.0 Taken"));
    let heard = send(&shared, &both, &big);
    assert!(heard.contains("\r\n452 4.2.2 Mailbox full") && !heard.contains("Taken"), "{heard}");
    assert_eq!(counts(&shared), (0, 0, 0));
    // What bob himself refuses the sender hears by mail, as it does beside any other recipient.
    add_rules(&shared, &[(both[1], "sieve \"require \\\"reject\\\"; reject \\\"No.\\\";\"")]);
    assert!(send(&shared, &both, &back(MAIL)).contains("\r\n250 2.0.0 Taken"));
    assert_eq!(queued(&shared), [(String::new(), "s@s.test".to_owned())]);
}

#[test]
fn nobody_elsewhere_learns_of_a_group_that_did_not_bring_it() {
    let shared = shared();
    let login = "EHLO c.test\r\nAUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\nMAIL FROM:<ann@example.org>\r\n";
    let rcpt = "RCPT TO:<all@example.org>\r\nRCPT TO:<Dora@elsewhere.test>\r\n";
    let mail = MAIL.replace("s@s.test\r\nMess", "ann@example.org\r\nMess");
    let lines = format!("{login}{rcpt}DATA\r\n{mail}.\r\nQUIT\r\n");
    let heard = answers(SmtpService::submission(shared.clone()), lines.into_bytes());
    assert!(heard.contains("250 2.0.0 Taken"), "{heard}");
    let queue = shared.engine.queue();
    let mut to: Vec<_> =
        queue.iter().map(|one| (one.item.recipients[0].address.clone(), one.item.passed.clone())).collect();
    to.sort();
    let expected = [
        ("Dora@elsewhere.test".to_owned(), vec![]),
        ("carl@elsewhere.test".to_owned(), vec!["all@example.org".to_owned()]),
    ];
    assert_eq!(to, expected);
    let log = shared.engine.mail_log(&MailFilter::default(), None, 100).expect("it can be read");
    let steps = log.rows.iter().map(|row| &row.record).filter(|record| record.step == Step::Queued);
    for step in steps {
        let item = queue.iter().find(|one| one.id.0 == step.queue).expect("it is in the queue");
        let whom = step.recipient.split(',').next().unwrap_or("");
        assert!(item.item.recipients[0].address.eq_ignore_ascii_case(whom), "{step:?}");
    }
}

/// A group in a group is reached by the queue; who gets the message by another recipient gets it once.
#[test]
fn who_gets_a_message_at_once_does_not_get_it_by_the_queue_too() {
    let shared = shared();
    let at = |text: &str| Address::parse(text).expect("an address");
    let group = |own: &str, members: &[&str]| Change::GroupAdd {
        address: at(own),
        name: String::new(),
        members: members.iter().map(|member| at(member)).collect(),
    };
    let inner = ["ann@example.org", "bob@example.org"];
    let changes = vec![
        Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
        group("inner@other.test", &inner),
        group("outer@example.org", &["inner@other.test"]),
    ];
    shared.engine.change_directory(changes).wait().into_iter().for_each(|done| done.expect("changed"));
    assert!(send(&shared, &["outer@example.org", "ann@example.org"], MAIL).contains("250 2.0.0 Taken"));
    let queue = shared.engine.queue();
    let [item] = &queue[..] else { panic!("{queue:?}") };
    let reached = inner.map(|name| {
        let account = shared.engine.account_named(name).expect("a member");
        shared.engine.reached_by(item, account).is_some()
    });
    assert_eq!((item.item.origin.is_some(), reached), (true, [true, false]));
    // What only goes to other hosts has no need of it.
    assert!(send(&shared, &["all@example.org"], MAIL).contains("250 2.0.0 Taken"));
    assert!(shared.engine.queue().iter().any(|item| item.item.origin.is_none()));
}
