//! BDAT: chunks of announced sizes, whatever is in them.
use super::{SmtpService, answers, inbox, shared};
use crate::lmtp::LmtpService;

const BEGIN: &str = "MAIL FROM:<a@b.test>\r\nRCPT TO:<ann@example.org>\r\n";

#[test]
fn chunks_are_put_together_byte_for_byte() {
    let shared = shared();
    let session = format!(
        "EHLO x\r\n{BEGIN}BDAT 12\r\nSubject: x\r\nBDAT 0\r\nBDAT 11 LAST\r\n\r\n.\r\n..\r\nQUNOOP\r\nQUIT\r\n"
    );
    let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
    assert!(heard.contains("250 2.0.0 12 bytes taken\r\n250 2.0.0 0 bytes taken\r\n250 2.0.0 Taken as "), "{heard}");
    assert!(heard.ends_with("250 2.0.0 Ok\r\n221 2.0.0 Goodbye\r\n"), "{heard}");
    assert!(inbox(&shared, "ann@example.org")[0].ends_with("\r\nSubject: x\r\n\r\n.\r\n..\r\nQU"));
}

#[test]
fn a_chunk_that_is_refused_is_never_taken_for_commands() {
    let heard = answers(SmtpService::mx(shared()), b"EHLO x\r\nBDAT 6 LAST\r\nQUIT\r\nNOOP\r\nQUIT\r\n".to_vec());
    assert!(
        heard.ends_with("503 5.5.1 MAIL and an accepted RCPT first\r\n250 2.0.0 Ok\r\n221 2.0.0 Goodbye\r\n"),
        "{heard}"
    );
}

#[test]
fn data_does_not_mix_with_chunks_and_rset_forgets_them() {
    let session = format!(
        "EHLO x\r\n{BEGIN}BDAT 1\r\nxDATA\r\nRCPT TO:<bob@example.org>\r\nRSET\r\n{BEGIN}DATA\r\ny\r\n.\r\nQUIT\r\n"
    );
    let shared = shared();
    let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
    assert!(heard.contains("503 5.5.1 The message comes in chunks"), "{heard}");
    assert!(heard.contains("503 5.5.1 Chunks of the message have come already"), "{heard}");
    assert!(inbox(&shared, "ann@example.org")[0].ends_with("+0000\r\n\r\ny\r\n"));
}

#[test]
fn too_much_is_read_and_refused_at_its_end() {
    let mut shared = crate::testing::shared();
    shared.message_size_bytes_max = 10;
    let shared = std::sync::Arc::new(shared);
    let session = format!("EHLO x\r\n{BEGIN}BDAT 6\r\n123456BDAT 5\r\n12345BDAT 1 LAST\r\nxNOOP\r\nQUIT\r\n");
    let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
    assert_eq!(heard.matches("552 5.3.4 The message is too big; 10 bytes are allowed").count(), 2, "{heard}");
    assert!(heard.ends_with("250 2.0.0 Ok\r\n221 2.0.0 Goodbye\r\n"), "{heard}");
    assert!(inbox(&shared, "ann@example.org").is_empty());
}

#[test]
fn lmtp_answers_the_last_chunk_for_each_recipient() {
    let session = format!("LHLO x\r\n{BEGIN}RCPT TO:<bob@example.org>\r\nBDAT 1\r\nxBDAT 1 LAST\r\nyQUIT\r\n");
    let heard = answers(LmtpService::new(shared()), session.into_bytes());
    assert_eq!(heard.matches("250 2.1.5 Delivered as ").count(), 2, "{heard}");
}

#[test]
fn a_chunk_without_a_readable_size_ends_the_session() {
    for size in ["", "x", "-1 LAST", "5x LAST", "18446744073709551621 LAST", "99999999999999999999999999", "6 LASTX"] {
        let shared = shared();
        let session = format!("EHLO x\r\n{BEGIN}BDAT {size}\r\nRSET\r\n{BEGIN}DATA\r\nx\r\n.\r\nQUIT\r\n");
        let heard = answers(SmtpService::mx(shared.clone()), session.into_bytes());
        assert!(
            heard.ends_with("501 5.5.4 BDAT size [LAST] is expected; closing the connection\r\n"),
            "{size}: {heard}"
        );
        assert!(inbox(&shared, "ann@example.org").is_empty(), "{size}");
    }
}

/// Its bytes come behind it, whatever it was answered.
#[test]
fn a_chunk_whose_command_is_refused_ends_the_session() {
    for command in [&b"BDAT 6 LASTX"[..], b"BDAT 6 L\x01", b"BDAT 6 LAST\xff", b"\tbdat 6 LAST \x7f"] {
        let session = [&b"EHLO x\r\n"[..], command, b"\r\nNOOP\r\n"].concat();
        let heard = answers(SmtpService::mx(shared()), session);
        let last = heard.lines().last().unwrap_or_default();
        assert!(last.starts_with("50") && !heard.contains("2.0.0 Ok"), "{command:?}: {heard}");
    }
}
