//! What becomes of a message: trace fields, one copy an account, quota, the queue, bounces, replies for each recipient.
use super::member::{HELLO, add_rules, queued, send};
use super::{SmtpService, answers, inbox, lmtp, mx, shared, submission};
use crate::lmtp::LmtpService;
use crate::testing;
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::disk::sim::SimDisk;
use std::sync::Arc;

#[test]
fn trace_fields_stand_on_top_and_the_message_is_as_it_was() {
    let shared = mx("S: 220 ...
        C: HELO client.(test)
        S: 250 ...
        C: MAIL FROM:<sender@b.test>
        S: 250 ...
        C: RCPT TO:<Ann@example.org>
        S: 250 ...
        C: DATA
        S: 354 ...
        C: Subject: Dots
        C:
        C: ..leading dot
        C: ...
        C: .
        S: 250 2.0.0 Taken as ...
        C: QUIT
        S: 221 ...");
    let mail = inbox(&shared, "ann@example.org");
    let [mail] = mail.as_slice() else { panic!("one mail: {mail:?}") };
    let (trace, message) = mail.split_at(mail.find("Subject").expect("the message"));
    assert_eq!(message, "Subject: Dots\r\n\r\n.leading dot\r\n..\r\n");
    let id = trace.split(" id ").nth(1).and_then(|rest| rest.split('\r').next()).expect("an id");
    assert_eq!(
        trace,
        format!(
            "Return-Path: <sender@b.test>\r\nReceived: from client.?test? ([192.0.2.1])\r\n\tby mail.example.org with SMTP id {id}\r\n\
             \tfor <Ann@example.org>;\r\n\tTue, 24 Nov 2026 03:50:48 +0000\r\n"
        )
    );
}

#[test]
fn one_copy_an_account_whatever_addresses_lead_to_it() {
    let shared = mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<sender@b.test>
        S: 250 ...
        C: RCPT TO:<ann@example.org>
        S: 250 ...
        C: RCPT TO:<a.n.n@example.org>
        S: 250 ...
        C: RCPT TO:<all@example.org>
        S: 250 ...
        C: DATA
        S: 354 ...
        C: Subject: Once
        C: .
        S: 250 2.0.0 Taken as ...");
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
    assert_eq!(inbox(&shared, "bob@example.org").len(), 1);
    assert!(!inbox(&shared, "ann@example.org")[0].contains("\tfor <"), "no recipient learns of another");
    let queue = shared.engine.queue();
    assert_eq!(queue.len(), 1);
    assert_eq!((queue[0].item.sender.as_str(), queue[0].item.account), ("sender@b.test", None));
    assert_eq!(queue[0].item.recipients[0].address, "carl@elsewhere.test");
}

#[test]
fn submission_to_other_hosts_waits_in_the_queue() {
    let shared = submission(
        "S: 220 ...
        C: EHLO x
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250 AUTH PLAIN LOGIN
        C: MAIL FROM:<ann@example.org>
        S: 530 5.7.0 AUTH first
        C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
        S: 235 2.7.0 Logged in
        C: MAIL FROM:<bob@example.org>
        S: 553 5.7.1 ann@example.org may not send as that address
        C: MAIL FROM:<a.n.n@example.org> RET=FULL ENVID=Q+20Q
        S: 250 ...
        C: RCPT TO:<carl@elsewhere.test> NOTIFY=DELAY,FAILURE ORCPT=rfc822;C+40x
        S: 250 ...
        C: RCPT TO:<bob@example.org>
        S: 250 ...
        C: DATA
        S: 354 ...
        C: Subject: Out
        C:
        C: x
        C: .
        S: 250 2.0.0 Taken as ...",
    );
    let queue = shared.engine.queue();
    let [item] = queue.as_slice() else { panic!("one item: {queue:?}") };
    assert_eq!(
        (item.item.sender.as_str(), item.item.ret, item.item.envelope_id.as_str()),
        ("a.n.n@example.org", 1, "Q Q")
    );
    assert!(item.item.account.is_some());
    let [recipient] = item.item.recipients.as_slice() else { panic!("one recipient") };
    assert_eq!(
        (recipient.address.as_str(), recipient.notify, recipient.orcpt.as_str()),
        ("carl@elsewhere.test", 12, "rfc822;C@x")
    );
    // What RFC 6409 section 8 lets a submission server add.
    let mail = &inbox(&shared, "bob@example.org")[0];
    assert!(mail.contains("\r\nDate: Tue, 24 Nov 2026 03:50:48 +0000\r\nMessage-ID: <"), "{mail}");
    assert!(mail.contains(" with ESMTPA id "), "{mail}");
}

const TOO_MUCH_FOR_BOB: usize = 11_000;

fn big_mail(hello: &str, recipients: &[&str]) -> Vec<u8> {
    let mut bytes = format!("{hello} x\r\nMAIL FROM:<ann@example.org>\r\n");
    for recipient in recipients {
        bytes.push_str(&format!("RCPT TO:<{recipient}>\r\n"));
    }
    bytes.push_str("DATA\r\nSubject: Big\r\n\r\n");
    bytes.push_str(&"x".repeat(TOO_MUCH_FOR_BOB));
    bytes.push_str("\r\n.\r\nQUIT\r\n");
    bytes.into_bytes()
}

#[test]
fn quota_by_lmtp_is_answered_for_each_recipient() {
    let shared = shared();
    let heard = answers(LmtpService::new(shared.clone()), big_mail("LHLO", &["bob@example.org", "ann@example.org"]));
    let last: Vec<&str> = heard.lines().rev().take(3).collect();
    assert!(last[2].starts_with("452 4.2.2 Mailbox full"), "{heard}");
    assert!(last[1].starts_with("250 2.1.5 Delivered"), "{heard}");
    assert_eq!((inbox(&shared, "bob@example.org").len(), inbox(&shared, "ann@example.org").len()), (0, 1));
}

#[test]
fn quota_by_smtp_refuses_or_bounces_and_loses_nothing() {
    let shared = shared();
    let heard = answers(SmtpService::mx(shared.clone()), big_mail("HELO", &["bob@example.org"]));
    assert!(heard.contains("\r\n452 4.2.2 Mailbox full"), "{heard}");
    // To both: Ann has it, and the reply must be positive; so Ann, who is the sender, hears of Bob by mail.
    let heard = answers(SmtpService::mx(shared.clone()), big_mail("HELO", &["bob@example.org", "ann@example.org"]));
    assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
    let mails = inbox(&shared, "ann@example.org");
    let [_, bounce] = mails.as_slice() else { panic!("two mails: {}", mails.len()) };
    for part in [
        "Return-Path: <>\r\n",
        "Final-Recipient: rfc822; bob@example.org\r\n",
        "Status: 5.2.2\r\n",
        "\r\nSubject: Big\r\n",
    ] {
        assert!(bounce.contains(part), "{part:?} in {bounce}");
    }
    assert!(inbox(&shared, "bob@example.org").is_empty());
}

/// Its address is nobody's business, and a sender who was forged has asked for no report.
#[test]
fn a_member_of_a_group_without_room_gets_the_message_later_and_nobody_is_told() {
    let shared = shared();
    let mail = |to: &[&str]| {
        let mail = String::from_utf8(big_mail("HELO", to)).expect("ASCII");
        mail.replace(&"x".repeat(TOO_MUCH_FOR_BOB), &"x".repeat(6_000))
            .replace("<ann@example.org>\r\nRCPT", "<far@away.test>\r\nRCPT")
    };
    for to in ["bob@example.org", "all@example.org"] {
        let heard = answers(SmtpService::mx(shared.clone()), mail(&[to]).into_bytes());
        assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
    }
    assert_eq!((inbox(&shared, "bob@example.org").len(), inbox(&shared, "ann@example.org").len()), (1, 1));
    let mut waiting: Vec<(String, String)> = super::member::queued(&shared);
    waiting.sort();
    let far = |to: &str| ("far@away.test".to_owned(), to.to_owned());
    assert_eq!(waiting, [far("bob@example.org"), far("carl@elsewhere.test")]);
}

/// RFC 3461: who is told, and with what of its envelope.
#[test]
fn a_bounce_obeys_notify_and_names_the_envelope() {
    for (bob, reports) in [(" NOTIFY=NEVER", 0), (" NOTIFY=DELAY", 0), (" NOTIFY=FAILURE ORCPT=rfc822;Bob@old.test", 1)]
    {
        let shared = shared();
        let mail = String::from_utf8(big_mail("EHLO", &["bob@example.org", "ann@example.org"])).expect("ASCII");
        let mail = mail
            .replace("<bob@example.org>\r\n", &format!("<bob@example.org>{bob}\r\n"))
            .replace("MAIL FROM:<ann@example.org>", "MAIL FROM:<ann@example.org> ENVID=QQ314");
        let heard = answers(SmtpService::mx(shared.clone()), mail.into_bytes());
        assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
        let mails = inbox(&shared, "ann@example.org");
        let found: Vec<&String> = mails.iter().filter(|mail| mail.starts_with("Return-Path: <>")).collect();
        assert_eq!(found.len(), reports, "{bob}");
        for report in found {
            for part in ["Original-Envelope-Id: QQ314\r\n", "Original-Recipient: rfc822;Bob@old.test\r\n"] {
                assert!(report.contains(part), "{part:?} in {report}");
            }
        }
    }
}

#[test]
fn a_full_mailbox_is_told_at_rcpt() {
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<a@b.test> SIZE=9999
        S: 250 ...
        C: RCPT TO:<bob@example.org>
        S: 250 ...
        C: RSET
        S: 250 ...
        C: MAIL FROM:<a@b.test> SIZE=10001
        S: 250 ...
        C: RCPT TO:<bob@example.org>
        S: 552 5.2.2 The mailbox may hold 10000 bytes, and the message has more");
}

#[test]
fn a_bounce_to_another_host_is_queued_with_the_null_sender() {
    let shared = shared();
    let mail = String::from_utf8(big_mail("HELO", &["bob@example.org", "ann@example.org"])).expect("ASCII");
    let heard = answers(
        SmtpService::mx(shared.clone()),
        mail.replace("<ann@example.org>\r\nRCPT", "<far@away.test>\r\nRCPT").into_bytes(),
    );
    assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
    let queue = shared.engine.queue();
    let [item] = queue.as_slice() else { panic!("one item: {queue:?}") };
    assert_eq!((item.item.sender.as_str(), item.item.recipients[0].address.as_str()), ("", "far@away.test"));
    let message = shared.engine.queue_message(item.id).wait().expect("its message");
    assert!(String::from_utf8_lossy(&message).contains("Final-Recipient: rfc822; bob@example.org"));
}

#[test]
fn there_is_one_return_path_and_it_is_ours() {
    let shared = shared();
    let message = "Return-Path: <old@x.test>\nFrom: a@b.test\nRETURN-path : <older@x.test>\n\nReturn-Path: body";
    let lines = format!("HELO x\nMAIL FROM:<a@b.test>\nRCPT TO:<ann@example.org>\nDATA\n{message}\n.\nQUIT\n");
    let heard = answers(SmtpService::mx(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
    assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
    let mail = &inbox(&shared, "ann@example.org")[0];
    assert!(mail.starts_with("Return-Path: <a@b.test>\r\n"), "{mail}");
    assert!(mail.ends_with("+0000\r\nFrom: a@b.test\r\n\r\nReturn-Path: body\r\n"), "{mail}");
}

#[test]
fn mail_that_goes_in_circles_is_stopped() {
    let hop = "Received: from a by b; Tue, 24 Nov 2026 03:50:48 +0000\r\n";
    let mail = |hops: usize| {
        format!(
            "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n{}\r\n.\r\nQUIT\r\n",
            hop.repeat(hops)
        )
    };
    let heard = answers(SmtpService::mx(shared()), mail(101).into_bytes());
    assert!(heard.contains("\r\n554 5.4.6 Too many hops"), "{heard}");
    let heard = answers(SmtpService::mx(shared()), mail(100).into_bytes());
    assert!(heard.contains("\r\n250 2.0.0 Taken"), "{heard}");
}

#[test]
fn a_disabled_member_gets_nothing() {
    let shared = shared();
    let account = Address::parse("bob@example.org").expect("an address");
    let change = posthouse_engine::directory::Change::AccountSet {
        address: account,
        set: posthouse_engine::directory::AccountPatch { disabled: Some(true), ..Default::default() },
    };
    for done in shared.engine.change_directory(vec![change]).wait() {
        done.expect("the directory takes it");
    }
    let heard =
        answers(SmtpService::mx(shared), b"HELO x\r\nMAIL FROM:<>\r\nRCPT TO:<bob@example.org>\r\nQUIT\r\n".to_vec());
    assert!(heard.contains("\r\n550 5.2.1 That mailbox is disabled"), "{heard}");
}

#[test]
fn lmtp_has_one_reply_a_recipient_and_one_for_what_is_refused_whole() {
    lmtp(
        "S: 220 ...
        C: LHLO x
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250-...
        S: 250 ...
        C: MAIL FROM:<>
        S: 250 ...
        C: RCPT TO:<ann@example.org>
        S: 250 ...
        C: RCPT TO:<nobody@example.org>
        S: 550 ...
        C: RCPT TO:<all@example.org>
        S: 250 ...
        C: DATA
        S: 354 ...
        C: Subject: x
        C: .
        S: 250 2.1.5 Delivered as ...
        S: 250 2.1.5 Delivered as ...
        C: NOOP
        S: 250 2.0.0 Ok",
    );
}

/// Who throws it away is content, and has no copy from which it could be queued for the other.
#[test]
fn what_nobody_has_is_not_taken_though_somebody_has_thrown_it_away() {
    let disk = SimDisk::new(1);
    let shared = Arc::new(testing::shared_on(disk.clone()));
    add_rules(&shared, &[("ann@example.org", "sieve \"discard;\"")]);
    let (ann, bob, both) = ("ann@example.org", "bob@example.org", "both@example.org");
    let at = |text: &str| Address::parse(text).expect("an address");
    let group = Change::GroupAdd { address: at(both), name: String::new(), members: vec![at(ann), at(bob)] };
    shared.engine.change_directory(vec![group]).wait().remove(0).expect("the directory takes it");
    disk.set_free_bytes(0);
    for (from, to) in [("", &[ann, bob][..]), ("s@s.test", &[bob, ann]), ("s@s.test", &[both])] {
        let said = send(&shared, from, to, HELLO);
        assert!(said.starts_with("452 4.3.1 "), "{to:?}: {said}");
    }
    assert!(send(&shared, "s@s.test", &[ann], HELLO).starts_with("250"), "it wants none");
    let lines =
        format!("LHLO c.test\nMAIL FROM:<s@s.test>\nRCPT TO:<{ann}>\nRCPT TO:<{both}>\nDATA\n{HELLO}\n.\nQUIT\n");
    let heard = answers(LmtpService::new(shared.clone()), lines.replace('\n', "\r\n").into_bytes());
    let replies: Vec<&str> = heard.lines().rev().skip(1).take(2).map(|line| &line[..4]).collect();
    assert_eq!(replies, ["452 ", "250 "], "{heard}");
    disk.set_free_bytes(1 << 30);
    assert!(queued(&shared).is_empty(), "and nobody is told by mail");
    assert!(send(&shared, "", &[ann, bob], HELLO).starts_with("250"));
    assert_eq!(inbox(&shared, bob).len(), 1);
}
