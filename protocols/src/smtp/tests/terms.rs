//! BINARYMIME, FUTURERELEASE, DELIVERBY, MT-PRIORITY: what is taken, what is refused, and what the queue is told.
use super::{PLAIN, answers, inbox, mx, shared, submission};
use crate::lmtp::LmtpService;
use crate::session::Shared;
use crate::smtp::SmtpService;
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::queue::{DeliverBy, QueueItem, QueueState, Terms};
use std::sync::Arc;

/// The time of the simulated clock.
const NOW: i64 = 1_795_492_248;
const BINARY: &str = "MAIL FROM:<a@b.test> BODY=BINARYMIME\r\nRCPT TO:<ann@example.org>\r\n";

fn only(shared: &Shared) -> Arc<QueueItem> {
    let queue = shared.engine.queue();
    assert_eq!(queue.len(), 1, "{queue:#?}");
    queue[0].clone()
}

/// Ann submits a message with these parameters of MAIL.
fn submitted(parameters: &str, to: &[&str]) -> (Arc<Shared>, String) {
    let shared = shared();
    let rcpt: String = to.iter().map(|to| format!("RCPT TO:<{to}>\r\n")).collect();
    let mail =
        format!("MAIL FROM:<ann@example.org> {parameters}\r\n{rcpt}DATA\r\nFrom: ann@example.org\r\n\r\nx\r\n.\r\n");
    let session = format!("EHLO x\r\nAUTH PLAIN {PLAIN}\r\n{mail}QUIT\r\n");
    let heard = answers(SmtpService::submission(shared.clone()), session.into_bytes());
    (shared, heard)
}

/// RFC 3030 section 3.
#[test]
fn binary_mail_comes_in_chunks_and_is_kept_byte_for_byte() {
    let body = "a\nb\0c\r\r\n.\r\n";
    let message = format!("Subject: x\r\n\r\n{body}");
    for lmtp in [false, true] {
        let shared = shared();
        let hello = if lmtp { "LHLO" } else { "EHLO" };
        let session = format!("{hello} x\r\n{BINARY}DATA\r\nBDAT {} LAST\r\n{message}QUIT\r\n", message.len());
        let heard = match lmtp {
            true => answers(LmtpService::new(shared.clone()), session.into_bytes()),
            false => answers(SmtpService::mx(shared.clone()), session.into_bytes()),
        };
        assert!(heard.contains("\r\n503 5.5.1 BODY=BINARYMIME comes with BDAT\r\n250 2."), "{heard}");
        assert!(inbox(&shared, "ann@example.org")[0].ends_with(&format!("\r\nSubject: x\r\n\r\n{body}")));
    }
}

#[test]
fn a_binary_body_makes_no_binary_header() {
    for (begin, message) in [
        (BINARY, "Subject: x\nFrom: y\r\n\r\nz"),
        ("MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\n", "Subject: x\r\n\r\ny\nz\r\n"),
    ] {
        let shared = shared();
        let session = format!("EHLO x\r\n{begin}BDAT {} LAST\r\n{message}QUIT\r\n", message.len());
        let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
        assert!(heard.contains("\r\n550 5.6.11 "), "{heard}");
        assert!(inbox(&shared, "ann@example.org").is_empty());
    }
}

/// RFC 4865: the message waits, for recipients here too.
#[test]
fn what_is_held_is_nowhere_before_its_time() {
    for until in ["HOLDFOR=3600", "HOLDUNTIL=2026-11-24T04:50:48Z"] {
        let (shared, heard) = submitted(until, &["bob@example.org", "x@elsewhere.test"]);
        assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
        let item = only(&shared);
        assert_eq!((item.state, item.next_try, item.begins()), (QueueState::Deferred, NOW + 3600, NOW + 3600));
        let to: Vec<&str> = item.item.recipients.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(to, ["bob@example.org", "x@elsewhere.test"]);
        assert!(inbox(&shared, "bob@example.org").is_empty());
    }
}

/// What a group sends on bears its mark; a person's other name sends nothing on.
#[test]
fn a_held_alias_is_no_group() {
    for (to, passed, held) in [
        ("a.n.n@example.org", &[][..], &["ann@example.org"][..]),
        ("all@example.org", &["all@example.org"], &["ann@example.org", "bob@example.org", "carl@elsewhere.test"]),
    ] {
        let (shared, heard) = submitted("HOLDFOR=3600", &[to]);
        assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
        let item = only(&shared);
        let to: Vec<&str> = item.item.recipients.iter().map(|one| one.address.as_str()).collect();
        assert_eq!(
            (item.item.passed.as_slice(), to.as_slice()),
            (&passed.iter().map(ToString::to_string).collect::<Vec<_>>()[..], held)
        );
    }
}

/// A sender who wants to hear of success is not told that everybody has what waits.
#[test]
fn what_is_held_for_a_group_is_told_as_that() {
    let shared = shared();
    let at = |text: &str| Address::parse(text).expect("an address");
    let group = |address: &str, member: &str| {
        let (address, members) = (at(address), vec![at(member)]);
        Change::GroupAdd { address, name: String::new(), members }
    };
    let groups = vec![group("one@example.org", "bob@example.org"), group("far@example.org", "carl@elsewhere.test")];
    shared.engine.change_directory(groups).wait().into_iter().for_each(|done| done.expect("the directory takes it"));
    for to in ["all@example.org", "one@example.org", "far@example.org"] {
        let mail = format!(
            "MAIL FROM:<ann@example.org> HOLDFOR=3600\r\nRCPT TO:<{to}> NOTIFY=SUCCESS\r\nDATA\r\nFrom: ann@example.org\r\n\r\nx\r\n.\r\n"
        );
        let before = inbox(&shared, "ann@example.org").len();
        let session = format!("EHLO x\r\nAUTH PLAIN {PLAIN}\r\n{mail}QUIT\r\n");
        answers(SmtpService::submission(shared.clone()), session.into_bytes());
        let told = inbox(&shared, "ann@example.org").split_off(before);
        assert_eq!(told.len(), 1, "{told:#?}");
        assert!(told[0].contains("Action: expanded") && told[0].contains("Waits for the time"), "{}", told[0]);
        // Nobody is told of its members.
        let item = shared.engine.queue().last().cloned().expect("it waits");
        assert!(item.item.recipients.iter().all(|one| one.notify & 2 == 0), "{:?}", item.item.recipients);
    }
}

#[test]
fn a_time_that_is_over_holds_nothing() {
    let (shared, heard) = submitted("HOLDUNTIL=2026-11-24T03:50:48Z", &["bob@example.org"]);
    assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
    assert!(shared.engine.queue().is_empty());
    assert_eq!(inbox(&shared, "bob@example.org").len(), 1);
}

#[test]
fn a_message_is_held_for_members_only_and_not_for_ever() {
    for (parameters, reply) in [
        ("HOLDFOR=2592001", "501 5.5.4 A message is held for 2592000 seconds at most, now until 2026-12-24T03:50:48Z"),
        ("HOLDUNTIL=2026-12-24T03:50:49Z", "501 5.5.4 A message is held for 2592000 seconds at most"),
        ("HOLDFOR=60 HOLDUNTIL=2026-11-24T04:50:48Z", "501 5.5.4 HOLDFOR and HOLDUNTIL exclude each other"),
        ("HOLDFOR=60 holdfor=60", "501 5.5.4 HOLDFOR is given twice"),
        ("HOLDFOR=100 BY=99;R", "501 5.5.4 The message would be held beyond the time of BY"),
        ("HOLDFOR=100 BY=-5;N", "501 5.5.4 The message would be held beyond the time of BY"),
        ("HOLDUNTIL=2026-11-24T12:50:48+08:00", "501 5.5.4 The value of HOLDUNTIL is not allowed"),
        ("HOLDFOR=18446744073709551617", "501 5.5.4 The value of HOLDFOR is not allowed"),
        ("HOLDFOR=0", "501 5.5.4 The value of HOLDFOR is not allowed"),
        ("HOLDUNTIL=tomorrow", "501 5.5.4 The value of HOLDUNTIL is not allowed"),
    ] {
        let (shared, heard) = submitted(parameters, &["bob@example.org"]);
        assert!(heard.contains(&format!("\r\n{reply}")), "{parameters}: {heard}");
        assert!(shared.engine.queue().is_empty() && inbox(&shared, "bob@example.org").is_empty());
    }
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<a@b.test> HOLDFOR=60
        S: 555 5.5.4 HOLDFOR is not offered here
        C: MAIL FROM:<a@b.test> HOLDUNTIL=2026-11-24T04:50:48Z
        S: 555 5.5.4 HOLDUNTIL is not offered here");
}

/// RFC 2852, RFC 6710.
#[test]
fn the_queue_is_told_of_times_and_priorities() {
    let by = |at, returns, trace| Some(DeliverBy { at, returns, trace });
    for (parameters, terms) in [
        ("BY=120;R", Terms { deliver_by: by(NOW + 120, true, false), ..Terms::default() }),
        ("BY=-5;nt MT-PRIORITY=-9", Terms { deliver_by: by(NOW - 5, false, true), priority: -9, ..Terms::default() }),
        ("MT-PRIORITY=4", Terms { priority: 4, ..Terms::default() }),
        (
            "HOLDFOR=100 BY=160;RT",
            Terms { hold_until: NOW + 100, deliver_by: by(NOW + 160, true, true), ..Terms::default() },
        ),
    ] {
        let (shared, heard) = submitted(parameters, &["x@elsewhere.test"]);
        assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{parameters}: {heard}");
        assert_eq!(only(&shared).item.terms, terms, "{parameters}");
    }
}

/// The sender would be told of each member, and one message could make many reports.
#[test]
fn the_time_of_a_sender_ends_at_a_group() {
    let (shared, heard) = submitted("BY=120;RT MT-PRIORITY=3", &["all@example.org"]);
    assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
    assert_eq!(only(&shared).item.terms, Terms { priority: 3, ..Terms::default() });
}

#[test]
fn a_priority_that_is_too_high_is_lowered_and_told() {
    let (shared, heard) = submitted("MT-PRIORITY=9", &["x@elsewhere.test"]);
    assert!(heard.contains("\r\n250 2.3.6 4 is the priority that it has here\r\n"), "{heard}");
    let item = only(&shared);
    let message = shared.engine.queue_message(item.id).wait().expect("its message").to_vec();
    let message = String::from_utf8(message).expect("UTF-8");
    assert!(message.contains("\r\n\tfor <x@elsewhere.test>\r\n\tPRIORITY 4;\r\n"), "{message}");
    mx("S: 220 ...
        C: HELO x
        S: 250 ...
        C: MAIL FROM:<a@b.test> MT-PRIORITY=1
        S: 250 2.3.6 0 is the priority that it has here
        C: RSET
        S: 250 2.0.0 Ok
        C: MAIL FROM:<a@b.test> MT-PRIORITY=-1
        S: 250 2.1.0 Ok");
}

#[test]
fn times_and_priorities_that_cannot_be_meant_are_refused() {
    submission(
        "S: 220 ...
        C: HELO x
        S: 250 ...
        C: AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=
        S: 235 ...
        C: MAIL FROM:<ann@example.org> BY=0;R
        S: 501 5.5.4 BY with R needs a time above 0
        C: MAIL FROM:<ann@example.org> BY=59;R
        S: 555 5.5.4 BY with R is taken for 60 seconds and more
        C: MAIL FROM:<ann@example.org> BY=10000000000;R
        S: 501 5.5.4 The value of BY is not allowed
        C: MAIL FROM:<ann@example.org> BY=60
        S: 501 5.5.4 The value of BY is not allowed
        C: MAIL FROM:<ann@example.org> BY=60;X
        S: 501 5.5.4 The value of BY is not allowed
        C: MAIL FROM:<ann@example.org> MT-PRIORITY=1 MT-PRIORITY=1
        S: 501 5.5.4 MT-PRIORITY is given twice
        C: MAIL FROM:<ann@example.org> RET=FULL RET=HDRS
        S: 501 5.5.4 RET is given twice
        C: MAIL FROM:<ann@example.org> MT-PRIORITY=10
        S: 501 5.5.4 The value of MT-PRIORITY is not allowed
        C: MAIL FROM:<ann@example.org> MT-PRIORITY=x
        S: 501 5.5.4 The value of MT-PRIORITY is not allowed",
    );
}

/// RFC 4865 section 6: what waits is in no mailbox, and inside a tenant counts against no rate.
#[test]
fn what_is_held_is_bounded_by_the_room_of_who_has_it_held() {
    const BOB: &str = "AGJvYkBleGFtcGxlLm9yZwBzZWNyZXQ=";
    let shared = shared();
    let send = |parameters: &str| {
        let body = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(120);
        let mail = format!(
            "MAIL FROM:<bob@example.org> {parameters}\r\nRCPT TO:<bob@example.org>\r\nDATA\r\nFrom: bob@example.org\r\n\r\n{body}.\r\n"
        );
        let session = format!("EHLO x\r\nAUTH PLAIN {BOB}\r\n{mail}QUIT\r\n");
        let heard = answers(SmtpService::submission(shared.clone()), session.into_bytes());
        heard.lines().rev().nth(1).unwrap_or_default()[..9].to_owned()
    };
    assert_eq!(["HOLDFOR=3600"; 3].map(send), ["250 2.0.0", "250 2.0.0", "452 4.2.2"]);
    assert_eq!((shared.engine.queue().len(), inbox(&shared, "bob@example.org").len()), (2, 0));
    // Bob may hold 10 kB, and what is in the mailbox is a part of it.
    shared.engine.queue_remove(shared.engine.queue()[0].id).wait().expect("it was there");
    assert_eq!(["", "HOLDFOR=3600", ""].map(send), ["250 2.0.0", "452 4.2.2", "250 2.0.0"]);
}
