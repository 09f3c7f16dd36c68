//! Members' own rules as other people see them: mail that goes on, answers for who is away; and the mail log's account of it all.
use super::{PLAIN, inbox, shared};
use crate::lmtp::LmtpService;
use crate::session::Shared;
use crate::smtp::SmtpService;
use crate::testing;
use posthouse_engine::base::SimClock;
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::queue::QueueItem;
use posthouse_engine::trace::{MailFilter, MailKey, MailRecord};
use std::sync::Arc;

pub(super) fn add_rules(shared: &Shared, rules: &[(&str, &str)]) {
    let add = |(address, text): &(&str, &str)| Change::RuleAdd {
        scope: ScopeName::Account(Address::parse(address).expect("an address")),
        rule: text.parse().expect("a rule"),
    };
    for done in shared.engine.change_directory(rules.iter().map(add).collect()).wait() {
        done.expect("the directory takes it");
    }
}

pub(super) fn with_rules(rules: &[(&str, &str)]) -> Arc<Shared> {
    let shared = shared();
    add_rules(&shared, rules);
    shared
}

/// A message by SMTP from another host; the last reply but the goodbye.
pub(super) fn send(shared: &Arc<Shared>, from: &str, to: &[&str], message: &str) -> String {
    let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\n")).collect();
    let lines = format!("EHLO c.test\nMAIL FROM:<{from}>\n{rcpt}DATA\n{message}\n.\nQUIT\n").replace('\n', "\r\n");
    let heard = super::answers(SmtpService::mx(shared.clone()), lines.into_bytes());
    heard.lines().rev().nth(1).unwrap_or_default().to_owned()
}

pub(super) fn queued(shared: &Shared) -> Vec<(String, String)> {
    let both = |item: &Arc<QueueItem>| (item.item.sender.clone(), item.item.recipients[0].address.clone());
    shared.engine.queue().iter().map(both).collect()
}

pub(super) fn queued_text(shared: &Shared, at: usize) -> String {
    let id = shared.engine.queue()[at].id;
    String::from_utf8(shared.engine.queue_message(id).wait().expect("its message").to_vec()).expect("UTF-8")
}

/// As the next host gets it.
fn sent_text(shared: &Shared, at: usize) -> String {
    let (stored, item) = (queued_text(shared, at), shared.engine.queue()[at].clone());
    let message = stored.split_once("\r\n").expect("a Return-Path on top").1;
    format!("{}{message}", crate::passed::fields(&shared.engine, &item.item.passed, message.as_bytes()))
}

pub(super) fn traced(shared: &Shared, keys: Vec<MailKey>) -> Vec<MailRecord> {
    let filter = MailFilter { keys, ..MailFilter::default() };
    let page = shared.engine.mail_log(&filter, None, 1000).expect("it can be read");
    page.rows.into_iter().map(|row| row.record).collect()
}

pub(super) fn told(record: &MailRecord) -> String {
    let MailRecord { step, recipient, policy, text, .. } = record;
    [step.name(), recipient, policy, text.split(' ').next().unwrap_or("")].join(" ").trim_end().to_owned()
}

pub(super) const HELLO: &str = "From: s@s.test\nTo: ann@example.org\nSubject: hello\nMessage-ID: <m1@s.test>\n\nhi";

/// It goes once, and is marked as sent on by both: what comes back to either goes no further.
#[test]
fn two_who_send_to_one_address_are_both_known_there() {
    let rules = [("ann@example.org", "forward far@x.test"), ("bob@example.org", "forward far@x.test")];
    let shared = with_rules(&rules);
    assert!(send(&shared, "s@s.test", &["ann@example.org", "bob@example.org"], HELLO).starts_with("250"));
    let item = shared.engine.queue()[0].clone();
    assert_eq!(item.item.passed, ["ann@example.org", "bob@example.org"]);
    let back = sent_text(&shared, 0).replace("\r\n", "\n");
    assert!(send(&shared, "far@x.test", &["bob@example.org"], &back).starts_with("250"));
    assert_eq!(queued(&shared).len(), 1);
}

#[test]
fn mail_is_forwarded_in_the_same_commit_and_circles_end() {
    let shared =
        with_rules(&[("ann@example.org", "forward far@x.test"), ("bob@example.org", "forward-only far@y.test")]);
    let said = send(&shared, "s@s.test", &["ann@example.org", "bob@example.org"], HELLO);
    assert!(said.starts_with("250 2.0.0 Taken as "), "{said}");
    let own = |name: &str| format!("{name}+forwarded@example.org");
    assert_eq!(queued(&shared), [(own("ann"), "far@x.test".into()), (own("bob"), "far@y.test".into())]);
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (1, 0));
    // It comes back from there: one more copy, and no further.
    let back = sent_text(&shared, 0).replace("\r\n", "\n");
    assert!(send(&shared, "far+x@x.test", &["ann@example.org"], &back).starts_with("250"));
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 2));
    // And a report about it stays here.
    assert!(send(&shared, "", &[&own("ann")], "From: mailer-daemon@x.test\nSubject: failed\n\nx").starts_with("250"));
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 3));
}

#[test]
fn only_those_whom_mail_is_sent_on_to_learn_who_has_sent_it_on() {
    let shared = with_rules(&[("bob@example.org", "forward far@x.test"), ("ann@example.org", "forward far@y.test")]);
    let said = send(&shared, "s@s.test", &["ann@example.org", "bob@example.org"], HELLO);
    assert!(said.starts_with("250"), "{said}");
    for copy in [&inbox(&shared, "ann@example.org")[0], &inbox(&shared, "bob@example.org")[0]] {
        assert!(!copy.contains("bob@") && !copy.contains("Delivered-To"), "{copy}");
    }
    let to_x = sent_text(&shared, usize::from(queued(&shared)[0].1 != "far@x.test"));
    assert!(to_x.starts_with("Delivered-To: bob@example.org\r\nX-Posthouse-Passed: "), "{to_x}");
    assert!(!to_x.contains("Delivered-To: ann") && !to_x.contains("far@y.test"), "{to_x}");
}

#[test]
fn what_a_stranger_says_of_the_way_of_a_message_stops_nothing() {
    let shared = with_rules(&[("ann@example.org", "forward-only far@x.test")]);
    let top = "Delivered-To: ann@example.org\nX-Posthouse-Passed: 00000000000000000000000000000000 ann@example.org\n";
    assert!(send(&shared, "s@s.test", &["ann@example.org"], &format!("{top}{HELLO}")).starts_with("250"));
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (1, 0));
    // And a mark of another message is no mark of this one.
    let other = sent_text(&shared, 0).replace("m1@", "m2@").replace("\r\n", "\n");
    assert!(send(&shared, "s@s.test", &["ann@example.org"], &other).starts_with("250"));
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (2, 0));
}

#[test]
fn a_refusal_by_a_script_beside_a_delivery_is_told_by_mail() {
    let script = "sieve \"require \\\"reject\\\"; reject \\\"No, thank you.\\\";\"";
    let shared = with_rules(&[("ann@example.org", script)]);
    let both = ["ann@example.org", "bob@example.org"];
    assert!(send(&shared, "s@s.test", &both, HELLO).starts_with("250"));
    assert_eq!(queued(&shared), [(String::new(), "s@s.test".to_owned())]);
    let report = queued_text(&shared, 0);
    for told in ["ann@example.org", "550 5.7.1 the recipient refuses it: No, thank you.", "Subject: hello"] {
        assert!(report.contains(told), "{told}: {report}");
    }
    assert!(!report.contains("bob@example.org"), "{report}");
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (0, 1));
    // Alone it is told in the reply; the null sender is told nothing.
    assert!(send(&shared, "s@s.test", &both[..1], HELLO).starts_with("550 5.7.1"));
    assert!(send(&shared, "", &both, HELLO).starts_with("250"));
    assert_eq!(queued(&shared).len(), 1);
}

#[test]
fn words_of_a_refusal_that_no_reply_can_carry_go_by_mail() {
    let words = "\u{6b64}\u{5730}\u{5740}\u{5df2}\u{505c}\u{7528}";
    let script = |word: &str| format!("sieve \"require \\\"{word}\\\"; {word} text:\\nGone.\\n{words}\\n.\\n;\"");
    let ann = ["ann@example.org"];
    let shared = with_rules(&[("ann@example.org", &script("reject"))]);
    let said = send(&shared, "s@s.test", &ann, HELLO);
    assert!(said.starts_with("250 2.0.0 Taken"), "{said}");
    assert_eq!(queued(&shared), [(String::new(), "s@s.test".to_owned())]);
    assert!(queued_text(&shared, 0).contains(&format!("550 5.7.1 the recipient refuses it: Gone. {words}\r\n")));
    assert!(inbox(&shared, ann[0]).is_empty());
    // Who can read them, or cannot be told, or was promised no mail, hears it at once.
    let lines = format!("EHLO c.test\nMAIL FROM:<s@s.test> SMTPUTF8\nRCPT TO:<{}>\nDATA\n{HELLO}\n.\nQUIT\n", ann[0]);
    let heard = super::answers(SmtpService::mx(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
    assert!(heard.contains(&format!("\r\n550 5.7.1 the recipient refuses it: Gone. {words}\r\n")), "{heard}");
    assert_eq!(send(&shared, "", &ann, HELLO), "550 5.7.1 the recipient refuses it: Gone.");
    let strict = with_rules(&[("ann@example.org", &script("ereject"))]);
    assert_eq!(send(&strict, "s@s.test", &ann, HELLO), "550 5.7.1 the recipient refuses it: Gone.");
    assert_eq!((queued(&shared).len(), queued(&strict).len()), (1, 0));
}

#[test]
fn the_way_of_a_message_is_told_from_its_coming_to_its_uid() {
    let shared = with_rules(&[("ann@example.org", "forward far@x.test"), ("bob@example.org", "block s@s.test")]);
    let said = send(&shared, "s@s.test", &["nobody@example.org", "bob@example.org", "ann@example.org"], HELLO);
    let id = u64::from_str_radix(said.rsplit(' ').next().expect("an id"), 16).expect("hexadecimal");
    let expected = [
        "refused nobody@example.org  550",
        "refused bob@example.org blocklist 550",
        "came",
        "delivered ann@example.org",
        "queued far@x.test forward for",
    ];
    let way = traced(&shared, vec![MailKey::Id(id)]);
    assert_eq!(way.iter().map(told).collect::<Vec<_>>(), expected);
    let (came, delivered, queued) = (&way[2], &way[3], &way[4]);
    assert_eq!(
        (came.sender.as_str(), came.message_id.as_str(), came.subject.as_str()),
        ("s@s.test", "<m1@s.test>", "hello")
    );
    assert_eq!((came.by.as_str(), came.size_bytes > 100, came.peer.is_some()), ("smtp", true, true));
    assert_eq!((delivered.mailbox, delivered.uid), (1, 1));
    assert_eq!(queued.queue, shared.engine.queue()[0].id.0);
    assert!(inbox(&shared, "ann@example.org")[0].contains(&format!(" id {id:X}")), "the id is the one in Received");
    for key in
        [MailKey::MessageId("<m1@s.test>".into()), MailKey::Queue(queued.queue), MailKey::Address("far@x.test".into())]
    {
        assert_eq!(traced(&shared, vec![key.clone()]), way, "{key:?}");
    }
    shared.engine.look_in_mailboxes(60);
    assert_eq!(shared.engine.mail_watch(), Default::default(), "it was seen, and nobody is alarmed");
}

#[test]
fn what_is_refused_whole_is_told_with_the_policy() {
    let shared = shared();
    let lines = format!(
        "EHLO c.test\nAUTH PLAIN {PLAIN}\nMAIL FROM:<ann@example.org>\nRCPT TO:<bob@example.org>\nDATA\nFrom: ceo@x.test\n\nx\n.\nQUIT\n"
    );
    super::answers(SmtpService::submission(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
    let way = traced(&shared, Vec::new());
    assert_eq!(way.iter().map(told).collect::<Vec<_>>(), ["login", "came", "refused bob@example.org author 550"]);
    assert_eq!((way[1].account, way[1].message_id.ends_with("@mail.example.org>")), (1, true));
}

#[test]
fn who_is_away_answers_once() {
    let shared =
        with_rules(&[("ann@example.org", "away days=7 subject=\"\" text=\"I am away.\\nBack soon \u{4f60}.\"")]);
    assert!(send(&shared, "s@s.test", &["ann@example.org"], HELLO).starts_with("250"));
    assert_eq!(queued(&shared), [(String::new(), "s@s.test".to_owned())]);
    let answer = queued_text(&shared, 0);
    for line in [
        "From: \"Somebody\" <ann@example.org>",
        "To: <s@s.test>",
        "Subject: Auto: hello",
        "In-Reply-To: <m1@s.test>",
        "Auto-Submitted: auto-replied",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line}: {answer}");
    }
    assert!(answer.ends_with("SSBhbSBhd2F5Lg0KQmFjayBzb29uIOS9oC4NCg==\r\n"), "{answer}");
    let item = shared.engine.queue()[0].item.clone();
    assert_eq!(item.recipients[0].notify, 1, "nobody is told of its fate");
    assert_eq!(item.account.map(|account| account.0), Some(1), "it leaves as other mail of the member does");
    assert!(send(&shared, "S@s.test", &["ann@example.org"], HELLO).starts_with("250"));
    let list = HELLO.replace("Subject", "List-Id: <l.test>\nSubject");
    assert!(send(&shared, "other@s.test", &["ann@example.org"], &list).starts_with("250"));
    assert_eq!((queued(&shared).len(), inbox(&shared, "ann@example.org").len()), (1, 3));
    let way = traced(&shared, vec![MailKey::Queue(shared.engine.queue()[0].id.0)]);
    let steps: Vec<&str> = way.iter().map(|record| record.step.name()).collect();
    assert_eq!(steps, ["came", "delivered", "answered"]);
}

#[test]
fn a_script_answers_as_another_of_the_members_addresses_and_in_its_own_form() {
    let text = |from: &str| {
        format!(
            "sieve \"require \\\"vacation\\\"; vacation :mime :from \\\"{from}\\\" text:\\nMIME-Version: 1.0\\nContent-Type: text/html;\\n charset=utf-8\\n\\n<p>\u{4f60}</p>\\n.\\n;\""
        )
    };
    for (from, author) in [("Ann <a.n.n@example.org>", "a.n.n@example.org"), ("bob@example.org", "ann@example.org")] {
        let shared = with_rules(&[("ann@example.org", &text(from))]);
        assert!(send(&shared, "s@s.test", &["ann@example.org"], HELLO).starts_with("250"));
        let answer = queued_text(&shared, 0);
        assert!(answer.starts_with(&format!("From: \"Somebody\" <{author}>\r\nTo: <s@s.test>\r\n")), "{answer}");
        let body = "MIME-Version: 1.0\r\nContent-Type: text/html;\r\n charset=utf-8\r\n\r\n<p>\u{4f60}</p>\r\n";
        assert!(answer.ends_with(body) && answer.matches("MIME-Version").count() == 1, "{answer}");
    }
}

#[test]
fn what_only_goes_on_is_not_taken_when_it_cannot_be_queued() {
    let disk = SimDisk::new(1);
    let shared = Arc::new(testing::shared_on(disk.clone()));
    add_rules(&shared, &[("ann@example.org", "forward-only far@x.test")]);
    disk.set_free_bytes(0);
    let said = send(&shared, "s@s.test", &["ann@example.org"], HELLO);
    assert!(said.starts_with("452 "), "{said}");
    disk.set_free_bytes(1 << 30);
    assert!(queued(&shared).is_empty());
    assert!(send(&shared, "s@s.test", &["ann@example.org"], HELLO).starts_with("250"));
    assert_eq!(queued(&shared).len(), 1);
}

/// Whoever is told to try again would send it on again and again.
#[test]
fn what_has_gone_on_is_taken_though_the_copy_fails() {
    let shared = with_rules(&[("bob@example.org", "forward far@x.test")]);
    let big = format!("{HELLO}{}", "\nxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx".repeat(200));
    let said = send(&shared, "s@s.test", &["bob@example.org"], &big);
    assert!(said.starts_with("250"), "{said}");
    assert!(inbox(&shared, "bob@example.org").is_empty());
    let queue = queued(&shared);
    assert_eq!(queue[0], ("bob+forwarded@example.org".to_owned(), "far@x.test".to_owned()));
    assert_eq!(queue[1..], [(String::new(), "s@s.test".to_owned())], "the sender hears of the copy");
}

/// Ann is in the second shard, bob in the first, whose disk fails at every write from some operation on: whatever fails, the one who could
/// not have the message waits in the queue of the other's shard, and nobody is told of a failure.
#[test]
fn who_could_not_have_it_for_a_moment_gets_it_later() {
    let mut late = 0;
    for skip in 0..12 {
        let disk = SimDisk::new(1);
        let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
        let shared = Arc::new(testing::shared_in(disk.clone(), clock, 2));
        // Both are opened, so that the next commits are of the message only.
        assert!(send(&shared, "s@s.test", &["ann@example.org", "bob@example.org"], HELLO).starts_with("250"));
        disk.fail_at(disk.ops() + skip, Fault::Io);
        let said = send(&shared, "s@s.test", &["ann@example.org", "bob@example.org"], HELLO);
        let got = |address: &str| inbox(&shared, address).len() - 1;
        let (ann, bob) = (got("ann@example.org"), got("bob@example.org"));
        match (ann, bob) {
            (0, 0) => assert!(said.starts_with("451"), "{skip}: {said}"),
            (1, 1) => assert!(said.starts_with("250") && queued(&shared).is_empty(), "{skip}: {said}"),
            _ => {
                late += 1;
                let missing = if ann == 0 { "ann@example.org" } else { "bob@example.org" };
                assert!(said.starts_with("250"), "{skip}: {said}");
                assert_eq!(queued(&shared), [("s@s.test".to_owned(), missing.to_owned())], "{skip}");
                assert!(queued_text(&shared, 0).ends_with("\r\n\r\nhi\r\n"), "{skip}");
            }
        }
    }
    assert!(late > 0, "no operation failed for one of them only");
}

#[test]
fn a_front_server_hears_of_each_and_the_log_names_the_protocol() {
    let shared = shared();
    let lines = "LHLO f.test\nMAIL FROM:<s@s.test>\nRCPT TO:<ann@example.org>\nDATA\nSubject: x\n\nx\n.\nQUIT\n";
    super::answers(LmtpService::new(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
    let way = traced(&shared, vec![MailKey::Address("ann@EXAMPLE.org".into())]);
    assert_eq!(way.iter().map(told).collect::<Vec<_>>(), ["came", "delivered ann@example.org"]);
    assert_eq!(way[0].by, "lmtp");
}

#[test]
fn a_report_about_mail_of_a_group_reaches_who_may_send_as_it() {
    let shared = shared();
    let rule = "representative bob@example.org".parse().expect("a rule");
    let scope = ScopeName::Group(Address::parse("all@example.org").expect("an address"));
    shared.engine.change_directory(vec![Change::RuleAdd { scope, rule }]).wait().remove(0).expect("taken");
    assert!(send(&shared, "", &["all@example.org"], "Subject: failed\n\nx").starts_with("250"));
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (0, 1));
    assert!(queued(&shared).is_empty(), "and not members elsewhere");
    assert!(send(&shared, "s@s.test", &["all@example.org"], "Subject: to all\n\nx").starts_with("250"));
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (1, 2));
}

#[test]
fn a_report_reaches_a_group_that_takes_mail_of_few() {
    let shared = shared();
    let scope = ScopeName::Group(Address::parse("all@example.org").expect("an address"));
    let add = |rule: &str| {
        let change = Change::RuleAdd { scope: scope.clone(), rule: rule.parse().expect("a rule") };
        shared.engine.change_directory(vec![change]).wait().remove(0).expect("taken");
    };
    let report = "Subject: failed\n\nx";
    // Nobody represents it and everybody may write to it: to all, and with the null sender wherever it goes.
    assert!(send(&shared, "", &["all@example.org"], report).starts_with("250"));
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (1, 1));
    assert_eq!(queued(&shared), [(String::new(), "carl@elsewhere.test".to_owned())]);
    add("senders members");
    assert!(send(&shared, "", &["all@example.org"], report).starts_with("5"), "the null sender is no member");
    add("representative bob@example.org");
    assert!(send(&shared, "", &["all@example.org"], report).starts_with("250"));
    assert_eq!((inbox(&shared, "ann@example.org").len(), inbox(&shared, "bob@example.org").len()), (1, 2));
    assert!(!send(&shared, "s@s.test", &["all@example.org"], report).starts_with("250"), "a stranger stays outside");
}

#[test]
fn a_script_files_with_flags_and_keywords_and_refuses() {
    let script = "require [\"fileinto\", \"imap4flags\", \"ereject\"];
        if header :contains \"subject\" \"news\" { fileinto :flags [\"\\\\Seen\", \"paper\"] \"News\"; keep; }
        elsif header \"subject\" \"no\" { ereject \"Not here.\"; }";
    let text = script.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
    let shared = with_rules(&[("ann@example.org", &format!("sieve \"{text}\""))]);
    let mail = |subject: &str| HELLO.replace("hello", subject);
    assert!(send(&shared, "s@s.test", &["ann@example.org"], &mail("the news")).starts_with("250"));
    let account = shared.engine.account_named("ann@example.org").expect("ann");
    let view = shared.engine.account(account).expect("opened");
    let news = view.mailbox_named("News").expect("it was made");
    let entry = news.entries.get(0).expect("an entry");
    assert!(entry.flags.contains(posthouse_engine::base::Flags::SEEN), "{entry:?}");
    assert_eq!((news.keywords.len(), entry.keywords.0), (1, 1));
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1, "and a copy in INBOX");
    assert_eq!(
        send(&shared, "s@s.test", &["ann@example.org"], &mail("no")),
        "550 5.7.1 the recipient refuses it: Not here."
    );
    assert!(send(&shared, "s@s.test", &["ann@example.org"], &mail("other")).starts_with("250"));
    assert_eq!(inbox(&shared, "ann@example.org").len(), 2);
    let steps: Vec<String> = traced(&shared, vec![MailKey::MessageId("m1@s.test".into())]).iter().map(told).collect();
    let two = "delivered ann@example.org sieve";
    assert_eq!(
        steps,
        ["came", two, two, "came", "refused ann@example.org sieve 550", "came", "delivered ann@example.org"]
    );
}

#[test]
fn what_is_refused_early_or_lost_on_its_way_stands_in_the_mail_log() {
    let shared = shared();
    let play = |lines: &str| {
        super::answers(SmtpService::mx(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
        let mut way: Vec<(String, String, String)> = traced(&shared, Vec::new())
            .into_iter()
            .map(|record| {
                (record.sender, record.recipient, record.text.split(' ').take(2).collect::<Vec<_>>().join(" "))
            })
            .collect();
        way.sort();
        way
    };
    let told = |sender: &str, recipient: &str, text: &str| (sender.to_owned(), recipient.to_owned(), text.to_owned());
    let mut expected = vec![told("s@s.test", "", "552 5.3.4")];
    assert_eq!(play("EHLO c.test\nMAIL FROM:<s@s.test> SIZE=99999999999\nQUIT\n"), expected);
    expected.push(told("t@s.test", "", "555 5.5.4"));
    expected.sort();
    assert_eq!(play("EHLO c.test\nMAIL FROM:<t@s.test> ODD=1\nQUIT\n"), expected);
    for (rcpt, text) in [("<odd@@x>", "501 5.1.3"), ("<ann@example.org> ODD=1", "555 5.5.4")] {
        let path = rcpt.split(['<', '>']).nth(1).expect("a path");
        expected.push(told("u@s.test", path, text));
        expected.sort();
        assert_eq!(play(&format!("EHLO c.test\nMAIL FROM:<u@s.test>\nRCPT TO:{rcpt}\nQUIT\n")), expected);
    }
    let begin = "EHLO c.test\nMAIL FROM:<v@s.test>\nRCPT TO:<ann@example.org>\n";
    for lost in ["DATA\nSubject: x\n", "BDAT 100\nSubject: x\n", "BDAT 12\nSubject: x\n"] {
        expected.push(told("v@s.test", "ann@example.org", "421 4.4.2"));
        expected.sort();
        assert_eq!(play(&format!("{begin}{lost}")), expected, "{lost}");
    }
    // What the client does without is no loss.
    assert_eq!(play(&format!("{begin}RSET\nQUIT\n")), expected);
}
