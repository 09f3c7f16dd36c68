//! What senders ask for with BINARYMIME, FUTURERELEASE, DELIVERBY and MT-PRIORITY, on its way to other hosts.
use super::script::{Heard, MESSAGE, converse_on};
use super::whole::{HELLO, ONE, script};
use super::world::{item, names, play, quick};
use crate::limits;
use crate::outbound::content::PUT_HERE;
use crate::outbound::settings::Settings;
use crate::runtime::sleep;
use posthouse_engine::QueueAction;
use posthouse_engine::queue::{DeliverBy, NewQueueItem, QueueState, Terms};
use std::time::Duration;

/// The time of the simulated clock at its start.
const NOW: i64 = 1_795_492_248;
const BYTES: &[u8] = b"Subject: x\r\nContent-Transfer-Encoding: binary\r\n\r\n\n.\r\n\0!";
const EHLO: &str = "S: 220 mx.x.test ESMTP\nC: EHLO mail.example.org\n";

fn binary() -> Terms {
    Terms { binary: true, ..Terms::default() }
}

fn by(at: i64, returns: bool) -> Terms {
    Terms { deliver_by: Some(DeliverBy { at, returns, trace: false }), ..Terms::default() }
}

fn on(terms: Terms, to: &str) -> NewQueueItem {
    NewQueueItem { terms, ..item("ann@example.org", &[(to, 0)]) }
}

#[track_caller]
fn heard(terms: Terms, rest: &str, message: &'static [u8]) -> Heard {
    let script: &'static str = format!("{EHLO}{rest}").leak();
    converse_on(terms, script, message).unwrap_or_else(|why| panic!("not open: {why}"))
}

/// RFC 3030 sections 2 and 3.
#[test]
fn bytes_go_as_bytes_to_a_host_that_takes_them() {
    let mail = "C: MAIL FROM:<ann@example.org> BODY=BINARYMIME\n";
    let bdat = "C: BDAT 55 LAST\nuntil !\nS: 250 2.0.0 taken\nC: QUIT";
    for script in [
        format!(
            "S: 250-mx\nS: 250-CHUNKING\nS: 250 BINARYMIME\n{mail}S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\n{bdat}"
        ),
        format!(
            "S: 250-mx\nS: 250-CHUNKING\nS: 250-PIPELINING\nS: 250 BINARYMIME\n{mail}C: RCPT ...\nC: RCPT ...\nS: 250 ok\nS: 250 ok\nS: 250 ok\n{bdat}"
        ),
    ] {
        let heard = heard(binary(), &script, BYTES);
        assert_eq!(heard.replies, ["250 2.0.0 taken", "250 2.0.0 taken"], "{script}");
        assert_eq!(heard.taken, [String::from_utf8_lossy(BYTES)]);
    }
    // Who is refused gets no chunk.
    let script = format!(
        "S: 250-mx\nS: 250-CHUNKING\nS: 250-PIPELINING\nS: 250 BINARYMIME\n{mail}C: RCPT ...\nC: RCPT ...\nS: 250 ok\nS: 550 5.1.1 a\nS: 550 5.1.1 b\nC: QUIT"
    );
    assert_eq!(heard(binary(), &script, BYTES).replies, ["550 5.1.1 a", "550 5.1.1 b"]);
}

/// A large message keeps no reactor from others while it is put in lines.
#[test]
fn large_messages_are_put_in_lines_by_a_worker() {
    for (bytes, here) in [(100, 1), (limits::LINES_INLINE_BYTES_MAX, 0)] {
        play(move |world| async move {
            let before = PUT_HERE.get();
            let left = "S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT";
            let host = script(&["S: 220 mx\nC: EHLO ...\nS: 250 mx\nC: MAIL ...\n", left]);
            world.host("192.0.2.11:25", &[host]);
            world.start(names(), quick());
            let head = "Subject: x\r\nContent-Type: image/x\r\nContent-Transfer-Encoding: binary\r\n\r\n";
            world.queue_text(on(binary(), "a@x.test"), &format!("{head}{}", "\0".repeat(bytes))).await;
            world.until_empty().await;
            let taken = world.taken();
            assert!(taken.len() == 1 && taken[0].contains("base64\r\n\r\nAAAA"), "{taken:?}");
            assert_eq!(PUT_HERE.get() - before, here, "{bytes} bytes");
        });
    }
}

#[test]
fn bytes_go_in_lines_to_a_host_that_takes_only_these() {
    let rest = "S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT";
    for offers in ["S: 250 CHUNKING", "S: 250 BINARYMIME"] {
        let heard = heard(binary(), &format!("S: 250-mx\n{offers}\nC: MAIL FROM:<ann@example.org>\n{rest}"), BYTES);
        let lines = "Subject: x\r\nMIME-Version: 1.0\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n=0A.\r\n=00!\r\n.\r\n";
        assert_eq!(heard.taken, [lines]);
    }
    let signed = b"Content-Type: multipart/signed; boundary=b\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n\0\r\n--b--\r\n";
    let told = "5.6.3 the message has binary parts that cannot be converted, and the host does not offer BINARYMIME";
    assert_eq!(heard(binary(), "S: 250 mx\nC: QUIT", signed).replies, [told, told]);
}

#[test]
fn times_and_priorities_go_on_where_they_are_offered() {
    let refused = "S: 450 no\nC: QUIT";
    let asked = Terms { priority: 3, ..by(1090, true) };
    for (offers, mail) in [
        ("S: 250-DELIVERBY\nS: 250 MT-PRIORITY MIXER", "C: MAIL FROM:<ann@example.org> BY=90;R MT-PRIORITY=3\n"),
        ("S: 250 DELIVERBY 90", "C: MAIL FROM:<ann@example.org> BY=90;R\n"),
    ] {
        heard(asked, &format!("S: 250-mx\n{offers}\n{mail}{refused}"), MESSAGE);
    }
    let script = format!("S: 250-mx\nS: 250 HELP\nC: MAIL FROM:<ann@example.org>\n{refused}");
    heard(Terms { priority: 3, ..by(1090, false) }, &script, MESSAGE);
    let late = Terms { deliver_by: Some(DeliverBy { at: 995, returns: false, trace: true }), ..Terms::default() };
    heard(
        late,
        &format!("S: 250-mx\nS: 250 DELIVERBY 90\nC: MAIL FROM:<ann@example.org> BY=-5;NT\n{refused}"),
        MESSAGE,
    );
    let told = "5.4.7 90 seconds are left to deliver it, and the host asks for 91";
    assert_eq!(heard(asked, "S: 250-mx\nS: 250 DELIVERBY 91\nC: QUIT", MESSAGE).replies, [told, told]);
    // RFC 2852 section 4.1.4.1: who would not send it back in time does not get it.
    let told = "5.3.3 the message is to be delivered by a time or returned, and the host does not offer DELIVERBY";
    assert_eq!(heard(asked, "S: 250-mx\nS: 250 HELP\nC: QUIT", MESSAGE).replies, [told, told]);
}

/// RFC 2852 section 4.1.4.2.
#[test]
fn a_host_that_keeps_no_time_is_asked_to_tell_of_delays() {
    let refused = "S: 450 no\nC: QUIT";
    for (at, offers, notify) in [
        (1090, "S: 250 DSN", "SUCCESS,DELAY"),
        (1090, "S: 250-DELIVERBY\nS: 250 DSN", "SUCCESS"),
        (1000, "S: 250 DSN", "SUCCESS"),
    ] {
        let mail = if offers.contains("DELIVERBY") { " BY=90;N" } else { "" };
        let script = format!(
            "S: 250-mx\n{offers}\nC: MAIL FROM:<ann@example.org> RET=HDRS ENVID=QQ+201{mail}\nS: 250 ok\nC: RCPT TO:<a@x.test> NOTIFY={notify} ORCPT=rfc822;o@y.test\nS: 450 no\nC: RCPT ...\n{refused}"
        );
        heard(by(at, false), &script, MESSAGE);
    }
}

/// RFC 4865, for other hosts and for mailboxes here; the time in the queue counts from the release.
#[test]
fn what_is_held_goes_when_its_time_comes() {
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, "C: QUIT\nS: 221 bye"])]);
        world.start(names(), Settings { lifetime_seconds: 60, ..quick() });
        let held = Terms { hold_until: NOW + 100, ..Terms::default() };
        world.queue_text(on(held, "bob@x.test"), "Subject: x\r\n\r\n").await;
        world.queue_text(on(held, "bob@example.org"), "Subject: x\r\n\r\n").await;
        let ids: Vec<_> = world.engine().queue().iter().map(|item| item.id).collect();
        // Nobody who flushes the queue, or releases what a restore has put on hold, sends it before.
        for (action, changed) in [(QueueAction::Retry, 0), (QueueAction::Hold, 2), (QueueAction::Release, 2)] {
            for ticket in world.engine().queue_act(&ids, action) {
                assert_eq!(ticket.await.expect("done").len(), changed, "{action:?}");
            }
        }
        sleep(Duration::from_secs(80)).await;
        let waits =
            world.engine().queue().iter().all(|item| item.state == QueueState::Deferred && item.next_try == NOW + 100);
        assert!(waits && world.engine().queue().len() == 2 && world.taken.borrow().is_empty());
        world.until_empty().await;
        assert_eq!((world.taken.borrow().len(), world.inbox("bob@example.org").len()), (1, 1));
        assert!(world.inbox("ann@example.org").is_empty());
    });
}

/// RFC 2852 section 4.1.3: R, whatever the schedule and the rest of the destination say.
#[test]
fn what_is_not_there_in_time_goes_back() {
    for host in [&["S: 450 4.3.2 not now"; 9][..], &[]] {
        play(move |world| async move {
            world.host("192.0.2.11:25", host);
            let settings =
                Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, lifetime_seconds: 90_000, ..quick() };
            world.start(names(), settings);
            world.queue_text(on(by(NOW + 60, true), "a@x.test"), "Subject: x\r\n\r\n").await;
            world.queue_text(on(by(NOW + 60, true), "b@x.test"), "Subject: x\r\n\r\n").await;
            sleep(Duration::from_secs(120)).await;
            assert!(world.engine().queue().is_empty(), "{:#?}", world.engine().queue());
            let inbox = world.inbox("ann@example.org");
            let reports = inbox.iter().filter(|mail| mail.contains("Action: failed\r\nStatus: 5.4.7\r\n")).count();
            assert_eq!((inbox.len(), reports), (2, 2), "{inbox:#?}");
        });
    }
}

/// RFC 2852 section 4.1.3: N.
#[test]
fn a_delay_beyond_the_time_is_told_once_and_the_message_goes_on() {
    play(|world| async move {
        let later = "S: 450 4.3.2 not now";
        world.host("192.0.2.11:25", &[later, later, script(&[HELLO, ONE, "C: QUIT"])]);
        let settings =
            Settings { retry_first_seconds: 200, retry_max_seconds: 200, lifetime_seconds: 90_000, ..quick() };
        world.start(names(), settings);
        world.queue_text(on(by(NOW + 60, false), "a@x.test"), "Subject: x\r\n\r\n").await;
        sleep(Duration::from_secs(120)).await;
        let inbox = world.inbox("ann@example.org");
        let told = "Action: delayed\r\nStatus: 4.4.7\r\n";
        let by = "\r\nDeliver-By-Date: Tue, 24 Nov 2026 03:51:48 +0000\r\n";
        assert!(matches!(&inbox[..], [mail] if mail.contains(told) && mail.contains(by)), "{inbox:#?}");
        world.until_empty().await;
        // The host keeps no time, and there is none left to keep.
        assert_eq!(world.inbox("ann@example.org").len(), 1);
    });
}

/// RFC 2852 section 4.1.4.
#[test]
fn a_host_that_keeps_no_time_is_told_of_unless_nothing_is_to_be() {
    let keeps = "S: 220 mx\nC: EHLO ...\nS: 250-mx\nS: 250 DELIVERBY\n";
    for (hello, notify, reports) in [(HELLO, 0, 1), (HELLO, 4, 1), (HELLO, 1, 0), (keeps, 0, 0)] {
        play(move |world| async move {
            world.host("192.0.2.11:25", &[script(&[hello, ONE, "C: QUIT"])]);
            world.start(names(), quick());
            let item = NewQueueItem { terms: by(NOW + 900, false), ..item("ann@example.org", &[("a@x.test", notify)]) };
            world.queue_text(item, "Subject: x\r\n\r\n").await;
            world.until_empty().await;
            let inbox = world.inbox("ann@example.org");
            assert_eq!(inbox.iter().filter(|mail| mail.contains("Action: relayed\r\n")).count(), reports, "{notify}");
        });
    }
}
