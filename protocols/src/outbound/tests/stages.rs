//! Every class of reply, and every end of a connection, at every stage of a conversation.
use super::script::{Heard, converse, converse_with};

const EHLO: &str = "S: 220 mx.x.test ESMTP\nC: EHLO mail.example.org\n";

/// Both recipients' replies.
#[track_caller]
fn both(heard: Result<Heard, String>, reply: &str) -> Heard {
    let heard = heard.unwrap_or_else(|why| panic!("not open: {why}"));
    assert_eq!(heard.replies, [reply, reply]);
    heard
}

#[test]
fn a_plain_conversation_without_extensions() {
    let heard = both(
        converse(
            "S: 220 mx.x.test ready
             C: EHLO mail.example.org
             S: 500 what?
             C: HELO mail.example.org
             S: 250 mx.x.test
             C: MAIL FROM:<ann@example.org>
             S: 250 ok
             C: RCPT TO:<a@x.test>
             S: 250 ok
             C: RCPT TO:<b@x.test>
             S: 251 will forward
             C: DATA
             S: 354 go
             .
             S: 250 taken as 7
             C: QUIT
             S: 221 bye",
        ),
        "250 2.0.0 taken as 7",
    );
    assert_eq!(heard.taken, ["Subject: hello\r\n\r\n..dot\r\nend\r\n.\r\n"]);
    assert!(!heard.broken);
}

#[test]
fn everything_offered_is_used_and_pipelined() {
    let heard = both(
        converse(
            "S: 220-mx.x.test ESMTP
             S: 220 welcome
             C: EHLO mail.example.org
             S: 250-mx.x.test
             S: 250-PIPELINING
             S: 250-SIZE 10000
             S: 250-8BITMIME
             S: 250-ENHANCEDSTATUSCODES
             S: 250-SMTPUTF8
             S: 250 DSN
             C: MAIL FROM:<ann@example.org> SIZE=29 RET=HDRS ENVID=QQ+201
             C: RCPT TO:<a@x.test> NOTIFY=SUCCESS ORCPT=rfc822;o@y.test
             C: RCPT TO:<b@x.test> NOTIFY=SUCCESS ORCPT=rfc822;o@y.test
             C: DATA
             S: 250 2.1.0 ok
             S: 250 2.1.5 ok
             S: 250 2.1.5 ok
             S: 354 go
             .
             S: 250-2.0.0 taken
             S: 250 2.0.0 as 7
             C: QUIT
             S: 221 bye",
        ),
        "250 2.0.0 taken as 7",
    );
    assert_eq!(heard.taken.len(), 1);
}

/// RFC 9422.
#[test]
fn a_host_with_limits_gets_no_more_than_it_takes() {
    let one =
        |to: &str| format!("C: MAIL ...\nS: 250 ok\nC: RCPT TO:<{to}>\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\n");
    let script: &'static str = format!(
        "{EHLO}S: 250-mx\nS: 250 LIMITS RCPTMAX=1 MAILMAX=5 X=y\n{}{}C: QUIT",
        one("a@x.test"),
        one("b@x.test")
    )
    .leak();
    let heard = both(converse(script), "250 2.0.0 ok");
    assert_eq!(heard.taken.len(), 2);
    let script: &'static str =
        format!("{EHLO}S: 250-mx\nS: 250 LIMITS RCPTMAX=1 MAILMAX=1\n{}", one("a@x.test")).leak();
    let heard = converse(script).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(heard.replies, ["250 2.0.0 ok", "not asked"]);
    let later = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 450 4.2.0 greylisted\nC: QUIT";
    let script = format!("{EHLO}S: 250-mx\nS: 250 LIMITS RCPTMAX=1 MAILMAX=1\n{later}");
    let heard = converse(script.leak()).unwrap_or_else(|why| panic!("{why}"));
    let nobody = ["450 4.2.0 greylisted", "4.5.3 the host takes no more on this connection"];
    assert_eq!(heard.replies, nobody, "a fresh connection would bring nobody forward");
    let gone = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 450 4.2.0 greylisted\nC: RSET\nS: 250 ok\nC: MAIL ...\nS: 421 4.7.0 blocked\n";
    let script = format!("{EHLO}S: 250-mx\nS: 250 LIMITS RCPTMAX=1\n{gone}");
    let heard = converse(script.leak()).unwrap_or_else(|why| panic!("{why}"));
    assert_eq!(heard.replies, ["450 4.2.0 greylisted", "421 4.7.0 blocked"], "in the host's own words");
    let both_at_once =
        "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\n";
    let script = format!("{EHLO}S: 250-mx\nS: 250 LIMITS RCPTMAX=2 RCPTDOMAINMAX=1\n{both_at_once}C: QUIT");
    both(converse(script.leak()), "250 2.0.0 ok");
}

/// RFC 5321 section 4.5.3.1.10, and hosts that take those of one domain or policy only at once.
#[test]
fn who_had_no_room_beside_others_goes_in_a_transaction_of_its_own_at_once() {
    let begin =
        format!("{EHLO}S: 250 mx\nC: MAIL ...\nS: 250 ok\nC: RCPT TO:<a@x.test>\nS: 250 ok\nC: RCPT TO:<b@x.test>\n");
    let end = |reply: &str| format!("C: DATA\nS: 354 go\n.\nS: {reply}\n");
    let again = "C: MAIL ...\nS: 250 ok\nC: RCPT TO:<b@x.test>\n";
    for full in ["452 4.5.3 too many", "452 too many", "552 too many", "552 5.5.3 too many"] {
        let went = format!("{begin}S: {full}\n{}{again}S: 250 ok\n{}C: QUIT", end("250 one"), end("250 two"));
        let heard = converse(went.leak()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(heard.replies, ["250 2.0.0 one", "250 2.0.0 two"], "{full}");
        // It is the first one then, and the host's word is its own.
        let refused = format!("{begin}S: {full}\n{}{again}S: 552 full\nC: QUIT", end("250 one"));
        let heard = converse(refused.leak()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(heard.replies, ["250 2.0.0 one", "552 5.0.0 full"], "{full}");
        // The message was not taken: no reason to send it again, nor to give anybody up for it.
        let late = format!("{begin}S: {full}\n{}C: QUIT", end("451 4.3.0 later"));
        let heard = converse(late.leak()).unwrap_or_else(|why| panic!("{why}"));
        assert!(heard.replies[1].contains(" 4.") && heard.taken.len() == 1, "{full}: {:?}", heard.replies);
    }
    for other in ["452 4.2.2 mailbox full", "450 4.2.0 greylisted", "552 5.2.2 mailbox full"] {
        let script = format!("{begin}S: {other}\n{}C: QUIT", end("250 one"));
        let heard = converse(script.leak()).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(heard.replies, ["250 2.0.0 one", other]);
    }
}

#[test]
fn recipients_have_their_own_fates() {
    for offers in ["S: 250 mx", "S: 250-mx\nS: 250 PIPELINING"] {
        let script: &'static str = format!(
            "{EHLO}{offers}\nC: MAIL ...\n{}",
            if offers.contains("PIPE") {
                "C: RCPT ...\nC: RCPT ...\nC: DATA\nS: 250 ok\nS: 550 5.1.1 unknown\nS: 250 ok\nS: 354 go\n.\nS: 250 ok\nC: QUIT"
            } else {
                "S: 250 ok\nC: RCPT ...\nS: 550 5.1.1 unknown\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT"
            }
        )
        .leak();
        let heard = converse(script).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(heard.replies, ["550 5.1.1 unknown", "250 2.0.0 ok"], "{script}");
        assert_eq!(heard.taken.len(), 1);
    }
}

#[test]
fn nobody_accepted_means_no_message() {
    let pipelined = "S: 250-mx\nS: 250 PIPELINING\nC: MAIL ...\nC: RCPT ...\nC: RCPT ...\nC: DATA\n";
    // A server that answers 354 although it has no recipient gets a dot and nothing else (RFC 2920 section 3.1).
    for (after, replies) in [
        ("S: 250 ok\nS: 450 4.2.1 a\nS: 550 5.1.1 b\nS: 503 no\nC: QUIT", ["450 4.2.1 a", "550 5.1.1 b"]),
        (
            "S: 250 ok\nS: 450 4.2.1 a\nS: 550 5.1.1 b\nS: 354 go\nC: .\nS: 554 no\nC: QUIT",
            ["450 4.2.1 a", "550 5.1.1 b"],
        ),
        ("S: 451 4.3.0 m\nS: 503 no\nS: 503 no\nS: 503 no\nC: QUIT", ["451 4.3.0 m", "451 4.3.0 m"]),
        ("S: 552 5.3.4 m\nS: 503 no\nS: 503 no\nS: 503 no\nC: QUIT", ["552 5.3.4 m", "552 5.3.4 m"]),
    ] {
        let script: &'static str = format!("{EHLO}{pipelined}{after}").leak();
        let heard = converse(script).unwrap_or_else(|why| panic!("{why}"));
        assert_eq!(heard.replies, replies, "{script}");
        assert!(heard.taken.is_empty() && !heard.broken);
    }
    for (after, reply) in [
        ("S: 451 4.3.0 m\nC: QUIT", "451 4.3.0 m"),
        ("S: 250 ok\nC: RCPT ...\nS: 550 no\nC: RCPT ...\nS: 550 no\nC: QUIT", "550 5.0.0 no"),
        ("S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 451 4.3.2 d\nC: QUIT", "451 4.3.2 d"),
        ("S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 554 5.6.0 d\nC: QUIT", "554 5.6.0 d"),
    ] {
        let script: &'static str = format!("{EHLO}S: 250 mx\nC: MAIL ...\n{after}").leak();
        assert!(!both(converse(script), reply).broken);
    }
}

#[test]
fn the_final_reply_is_everybodys() {
    let start = "S: 250 mx\nC: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\n";
    for (end, reply, broken) in [
        ("S: 354 go\n.\nS: 451 4.7.1 greylisted\nC: QUIT", "451 4.7.1 greylisted", false),
        ("S: 354 go\n.\nS: 554 5.7.1 spam\nC: QUIT", "554 5.7.1 spam", false),
        ("S: 354 go\n.\nS: 421 4.3.2 bye", "421 4.3.2 bye", true),
        ("S: 250 ok", "4.5.0 what was heard at DATA is no SMTP", true),
        (
            "S: 354 go\n.\nS: hello",
            "4.5.0 what was heard after the message was sent (it may be delivered twice) is no SMTP",
            true,
        ),
    ] {
        let script: &'static str = format!("{EHLO}{start}{end}").leak();
        assert_eq!(both(converse(script), reply).broken, broken, "{script}");
    }
}

#[test]
fn a_connection_that_ends_at_any_stage_is_told_and_nothing_is_promised() {
    for (script, told) in [
        ("", "4.4.2 the connection was lost while waiting for the greeting after 0 s"),
        ("S: 421 4.3.2 busy", "421 4.3.2 busy after 0 s"),
        ("S: 554 5.7.1 go away", "554 4.7.1 go away after 0 s"),
        ("S: 521 5.3.2 no mail here, ever", "521 5.3.2 no mail here, ever after 0 s"),
        ("S: SSH-2.0-x", "4.5.0 what was heard while waiting for the greeting is no SMTP after 0 s"),
        ("wait 400", "4.4.2 nothing was heard in time while waiting for the greeting after 300 s"),
        ("S: 220 mx\nC: EHLO ...", "4.4.2 the connection was lost at EHLO after 0 s"),
        ("S: 220 mx\nC: EHLO ...\nS: 421 no", "421 4.0.0 no after 0 s"),
        ("S: 220 mx\nC: EHLO ...\nS: 502 no\nC: HELO ...\nS: 550 5.7.1 not you", "550 4.7.1 not you after 0 s"),
        ("S: 220 mx\nC: EHLO ...\nwait 301", "4.4.2 nothing was heard in time at EHLO after 300 s"),
    ] {
        assert_eq!(converse(script).err().as_deref(), Some(told), "{script}");
    }
    let looped = converse("S: 220 MAIL.example.ORG ESMTP").err().expect("refused");
    assert!(
        looped.starts_with("5.4.6 the mail would come back: mx.x.test[192.0.2.1]:25 is this host itself"),
        "{looped}"
    );
    let mail = "S: 250 mx\nC: MAIL ...\n";
    let rcpt = "S: 250 ok\nC: RCPT ...\n";
    let data = "S: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\n";
    for (script, told, seconds) in [
        (mail.to_owned(), "4.4.2 the connection was lost at MAIL", 0),
        (format!("{mail}wait 301"), "4.4.2 nothing was heard in time at MAIL", 300),
        (format!("{mail}S: 421 4.3.2 bye"), "421 4.3.2 bye", 0),
        (format!("{mail}{rcpt}"), "4.4.2 the connection was lost at RCPT", 0),
        (format!("{mail}{rcpt}wait 301"), "4.4.2 nothing was heard in time at RCPT", 300),
        (format!("{mail}{rcpt}S: 250 ok\nC: RCPT ...\nS: 421 4.3.2 bye"), "421 4.3.2 bye", 0),
        (format!("{mail}{rcpt}{data}"), "4.4.2 the connection was lost at DATA", 0),
        (format!("{mail}{rcpt}{data}wait 121"), "4.4.2 nothing was heard in time at DATA", 120),
        (
            format!("{mail}{rcpt}{data}S: 354 go\n."),
            "4.4.2 the connection was lost after the message was sent (it may be delivered twice)",
            0,
        ),
        (
            format!("{mail}{rcpt}{data}S: 354 go\n.\nwait 601"),
            "4.4.2 nothing was heard in time after the message was sent (it may be delivered twice)",
            600,
        ),
    ] {
        let script: &'static str = format!("{EHLO}{script}").leak();
        let heard = both(converse(script), told);
        assert!(heard.broken, "{script}");
        assert_eq!(heard.seconds, seconds, "{script}");
    }
}

#[test]
fn a_server_that_takes_no_more_of_a_message_is_given_up_or_heard() {
    let body: &'static [u8] = vec![b'x'; 400_000].leak();
    let start =
        "S: 250 mx\nC: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n";
    let stalled: &'static str = format!("{EHLO}{start}stall\nwait 1000").leak();
    let heard = both(converse_with(stalled, body), "4.4.2 nothing was heard in time while the message was being sent");
    assert!((180..=183).contains(&heard.seconds), "{}", heard.seconds);
    let refused: &'static str = format!("{EHLO}{start}S: 552 5.3.4 too much").leak();
    both(converse_with(refused, body), "552 5.3.4 too much");
    let cut: &'static str = format!("{EHLO}{start}").leak();
    both(converse_with(cut, body), "4.4.2 the connection was lost while the message was being sent");
}

#[test]
fn replies_without_end_are_cut() {
    let lines = "S: 220-x\n".repeat(200);
    let told = converse(lines.leak()).err().expect("refused");
    assert!(told.starts_with("4.5.0"), "{told}");
    let long: &'static str = format!("S: 220 {}", "x".repeat(100_000)).leak();
    assert!(converse(long).err().expect("refused").starts_with("4.5.0"));
    let wide: &'static str = format!("{EHLO}S: 250 mx\nC: MAIL ...\nS: 550 5.1.1 {}\nC: QUIT", "y".repeat(4000)).leak();
    let heard = converse(wide).unwrap_or_else(|why| panic!("{why}"));
    assert!(heard.replies[0].len() < 600, "{} bytes are kept", heard.replies[0].len());
}

#[test]
fn what_a_host_cannot_take_is_not_sent() {
    let utf8 = "Subject: \u{90ae}\r\n\r\nx\r\n".as_bytes();
    for (offers, message, reply) in [
        ("S: 250-mx\nS: 250 SIZE 20", super::script::MESSAGE, "5.3.4 the message has 29 bytes and the host takes 20"),
        ("S: 250 mx", utf8, "5.6.3 the message has 8-bit text, and the host does not offer 8BITMIME"),
    ] {
        let script: &'static str = format!("{EHLO}{offers}\nC: QUIT\nS: 221 bye").leak();
        let heard = both(converse_with(script, message), reply);
        assert!(!heard.broken && heard.taken.is_empty());
    }
    let script: &'static str =
        format!("{EHLO}S: 250-mx\nS: 250-SMTPUTF8\nS: 250 8BITMIME\nC: MAIL FROM:<ann@example.org> BODY=8BITMIME\nS: 550 no\nC: QUIT")
            .leak();
    both(converse_with(script, utf8), "550 5.0.0 no");
}
