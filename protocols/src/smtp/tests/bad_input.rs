//! What clients must not do: smuggling, lines without end, control characters, silence.
use super::{SmtpService, answers, inbox, mx, shared};
use crate::limits;
use crate::lmtp::LmtpService;
use crate::runtime::sim;
use crate::testing::{self, SMUGGLED};
use posthouse_engine::directory::{Address, Change};
use std::sync::Arc;

const BEGIN: &str = "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\n";

#[test]
fn nothing_but_crlf_dot_crlf_ends_a_message() {
    for end in SMUGGLED {
        let shared = shared();
        let session = format!(
            "{BEGIN}Subject: one\r\n\r\nx{end}MAIL FROM:<evil@b.test>\r\nRCPT TO:<ann@example.org>\r\nDATA\r\nSubject: two\r\n\r\nx\r\n.\r\nQUIT\r\n"
        );
        let heard = answers(SmtpService::mx(shared.clone()), session.clone().into_bytes());
        assert_eq!(heard.matches("\r\n354 ").count(), 1, "{end:?}: {heard}");
        let refused = heard.contains("\r\n550 5.6.11 A CR or LF alone is in the message");
        assert_eq!(inbox(&shared, "ann@example.org").len(), usize::from(!refused), "{end:?}: {heard}");
        let lines = end.replace("\r\n", "");
        assert_eq!(refused, lines.contains(['\r', '\n']), "{end:?}: {heard}");
        // By LMTP the bytes are kept, and are one message all the same.
        let shared = super::shared();
        answers(LmtpService::new(shared.clone()), session.replacen("HELO", "LHLO", 1).into_bytes());
        let mails = inbox(&shared, "ann@example.org");
        assert_eq!(mails.len(), 1, "{end:?}");
        assert!(mails[0].contains("evil@b.test"), "{end:?}");
    }
}

#[test]
fn long_lines_and_control_characters() {
    let long = "x".repeat(limits::SMTP_LINE_BYTES_MAX + 1);
    let session = format!("NOOP {long}\r\nNOOP\0\r\nNOOP\nNOOP\r\nNO\rOP\r\n\u{1}\r\nNOOP\r\nQUIT\r\n");
    let heard = answers(SmtpService::mx(shared()), session.into_bytes());
    let codes: Vec<&str> = heard.lines().map(|line| &line[..9.min(line.len())]).collect();
    assert_eq!(
        codes[1..],
        ["500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2", "500 5.5.2", "250 2.0.0", "221 2.0.0"],
        "{heard}"
    );
    let mut broken = b"MAIL FROM:<\xff@b.test>\r\n".to_vec();
    broken.extend_from_slice(b"QUIT\r\n");
    assert!(answers(SmtpService::mx(shared()), broken).contains("500 5.5.2 The command is no UTF-8"));
}

#[test]
fn too_many_errors_end_the_session() {
    let heard = answers(SmtpService::mx(shared()), "XYZZY\r\n".repeat(100).into_bytes());
    assert_eq!(heard.matches("500 5.5.1").count(), limits::SMTP_ERRORS_MAX as usize);
    assert!(heard.ends_with("421 4.7.0 Too many errors; closing the connection\r\n"), "{heard}");
    let heard = answers(SmtpService::mx(shared()), b"GET / HTTP/1.1\r\nHost: x\r\n\r\n".to_vec());
    assert!(heard.ends_with("\r\n421 4.7.0 This is no web server\r\n"), "{heard}");
}

#[test]
fn a_message_over_the_limit_is_refused_at_its_end() {
    let mut shared = testing::shared();
    shared.message_size_bytes_max = 100;
    let shared = Arc::new(shared);
    let message = |size: usize| format!("{BEGIN}{}\r\n.\r\nNOOP\r\nQUIT\r\n", "x".repeat(size));
    let heard = answers(SmtpService::mx(shared.clone()), message(99).into_bytes());
    assert!(
        heard.ends_with(
            "552 5.3.4 The message is too big; 100 bytes are allowed\r\n250 2.0.0 Ok\r\n221 2.0.0 Goodbye\r\n"
        ),
        "{heard}"
    );
    assert!(inbox(&shared, "ann@example.org").is_empty());
    let heard = answers(SmtpService::mx(shared.clone()), message(98).into_bytes());
    assert!(heard.contains("\r\n250 2.0.0 Taken as "), "{heard}");
}

#[test]
fn when_too_much_is_under_way_the_client_may_try_again() {
    let mut shared = testing::shared();
    shared.budget = crate::session::Budget::new(1000);
    let message = format!("{BEGIN}{}.\r\nQUIT\r\n", "x\r\n".repeat(100_000));
    let heard = answers(SmtpService::mx(Arc::new(shared)), message.into_bytes());
    assert!(heard.contains("\r\n452 4.3.1 Too many messages are under way"), "{heard}");
}

#[test]
fn too_many_recipients() {
    let mut session = String::from("HELO x\r\nMAIL FROM:<>\r\n");
    // Many more than errors that a session may have: those that were taken get the message all the same.
    let excess = 10 * limits::SMTP_ERRORS_MAX as usize;
    session.push_str(&"RCPT TO:<ann@example.org>\r\n".repeat(limits::SMTP_RECIPIENTS_MAX + excess));
    session.push_str("DATA\r\nx\r\n.\r\nQUIT\r\n");
    let shared = shared();
    let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
    assert_eq!(heard.matches("250 2.1.5").count(), limits::SMTP_RECIPIENTS_MAX);
    assert_eq!(heard.matches("\r\n452 4.5.3 Too many recipients").count(), excess);
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
}

/// One address may stand for thousands, and be named again and again.
#[test]
fn too_many_copies() {
    let shared = shared();
    let address = |text: &str| Address::parse(text).expect("an address");
    let members = (0..3000).map(|number| address(&format!("m{number}@elsewhere.test"))).collect();
    let group = Change::GroupAdd { address: address("many@example.org"), name: String::new(), members };
    shared.engine.change_directory(vec![group]).wait().into_iter().for_each(|made| made.expect("a group"));
    let mut session = String::from("LHLO x\r\nMAIL FROM:<a@b.test>\r\n");
    session.push_str(&"RCPT TO:<many@example.org>\r\n".repeat(10));
    session.push_str("RSET\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<many@example.org>\r\nQUIT\r\n");
    let heard = answers(LmtpService::new(shared), session.into_bytes());
    let taken = limits::SMTP_COPIES_MAX / 3000 + 1;
    assert_eq!(heard.matches("250 2.1.5").count(), taken + 1, "{heard}");
    assert_eq!(heard.matches("452 4.5.3 The recipients stand for too many").count(), 10 - taken, "{heard}");
}

/// A size of more digits than a number has is read as that of its last digits: the rest of the message would be commands.
#[test]
fn no_way_of_writing_bdat_makes_bytes_of_a_message_commands() {
    for begin in ["BDAT ", "BDAT\t", "  BDAT ", "bdat  "] {
        let shared = shared();
        let endless = "18446744073709551618";
        let chunk = format!("{begin}{endless}1{endless} LAST\r\nMAIL FROM:<evil@b.test>\r\n");
        let begin = "HELO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\n";
        let heard = answers(SmtpService::mx(shared), format!("{begin}{chunk}QUIT\r\n").into_bytes());
        assert!(
            heard.ends_with("501 5.5.4 BDAT size [LAST] is expected; closing the connection\r\n"),
            "{chunk:?}: {heard}"
        );
    }
}

#[test]
fn a_header_without_end_is_refused() {
    let header = "a:\r\n".repeat(limits::SMTP_HEADER_FIELDS_MAX + 1);
    for (service, hello) in [(true, "HELO"), (false, "LHLO")] {
        let session = format!("{BEGIN}{header}\r\nx\r\n.\r\nQUIT\r\n").replacen("HELO", hello, 1).into_bytes();
        let heard = match service {
            true => answers(SmtpService::mx(shared()), session),
            false => answers(LmtpService::new(shared()), session),
        };
        assert!(
            heard.contains("\r\n550 5.6.0 The message's header is too large; 1048576 bytes and 5000 fields"),
            "{heard}"
        );
    }
}

/// Programs that take mail out of a mailbox file leave its first line on top.
#[test]
fn a_line_of_a_mailbox_file_costs_no_header() {
    let shared = shared();
    let mail = format!(
        "{BEGIN}From a@b.test Thu Nov 26 10:00:00 2026\r\nFrom: a@b.test\r\nSubject: kept\r\n\r\nx\r\n.\r\nQUIT\r\n"
    );
    answers(SmtpService::mx(shared.clone()), mail.into_bytes());
    let mails = inbox(&shared, "ann@example.org");
    let named =
        "\r\nX-Mailbox-Line: From a@b.test Thu Nov 26 10:00:00 2026\r\nFrom: a@b.test\r\nSubject: kept\r\n\r\nx\r\n";
    assert!(mails[0].ends_with(named), "{}", mails[0]);
}

#[test]
fn a_cut_connection_delivers_nothing() {
    let shared = shared();
    for cut in ["", "Subject: x\r\n", "Subject: x\r\n.", "Subject: x\r\n.\r"] {
        answers(SmtpService::mx(shared.clone()), format!("{BEGIN}{cut}").into_bytes());
    }
    assert!(inbox(&shared, "ann@example.org").is_empty());
}

#[test]
fn silence_and_a_stop_are_answered() {
    mx("S: 220 ...
        S: 421 4.4.2 mail.example.org closes the connection: nothing came for too long
        S: ");
    sim::run(|net| async move {
        let service = SmtpService::mx(shared());
        let mut idle = net.connect(&service);
        let mut busy = net.connect(&service);
        idle.read_line().await;
        busy.read_line().await;
        busy.write(BEGIN.as_bytes()).await;
        busy.read_until(b"354 ").await;
        busy.read_line().await;
        net.stop();
        for client in [&mut idle, &mut busy] {
            assert_eq!(client.read_line().await, b"421 4.3.2 mail.example.org is shutting down; try again\r\n");
            assert!(client.read_line().await.is_empty());
        }
    });
}

#[test]
fn a_trickle_is_not_forever() {
    let heard = sim::run(|net| async move {
        let mut client = net.connect(&SmtpService::mx(shared()));
        client.read_line().await;
        // A byte a minute never ends a line within its time.
        while client.write(b"x").await {
            crate::runtime::sleep(std::time::Duration::from_secs(60)).await;
        }
        client.read_to_end().await
    });
    assert!(heard.starts_with(b"421 4.4.2 "), "{}", String::from_utf8_lossy(&heard));
}
