//! BURL: what IMAP has authorised becomes part of a message that is submitted.
use super::{PLAIN, SmtpService, inbox, shared};
use crate::imap::ImapService;
use crate::runtime::sim::{self, Client};
use crate::testing::append;

const DRAFT: &[u8] =
    b"From: ann@example.org\r\nTo: bob@example.org\r\nSubject: draft\r\nDate: Tue, 24 Nov 2026 03:50:48 +0000\r\n\
    Message-ID: <draft@example.org>\r\n\r\nwritten offline\r\n";

/// The URL with its token, made by ann.
async fn made(ann: &mut Client, rest: &str) -> String {
    let rump = format!("imap://ann%40example.org@mail.example.org/INBOX/;UID=1{rest}");
    ann.write(format!("g GENURLAUTH \"{rump}\" INTERNAL\r\n").as_bytes()).await;
    let line = String::from_utf8(ann.read_line().await).expect("text");
    ann.read_line().await;
    let url = line.trim_end().strip_prefix("* GENURLAUTH \"").and_then(|rest| rest.strip_suffix('"'));
    url.unwrap_or_else(|| panic!("{line}")).to_owned()
}

async fn ask(client: &mut Client, command: &str) -> String {
    client.write(format!("{command}\r\n").as_bytes()).await;
    loop {
        let line = String::from_utf8(client.read_line().await).expect("text");
        if line.as_bytes().get(3) != Some(&b'-') {
            return line.trim_end().to_owned();
        }
    }
}

async fn begin(client: &mut Client) {
    for command in ["MAIL FROM:<ann@example.org>", "RCPT TO:<bob@example.org>"] {
        let answer = ask(client, command).await;
        assert!(answer.starts_with("250"), "{command}: {answer}");
    }
}

#[test]
fn what_lies_here_is_sent_without_being_fetched() {
    let shared = shared();
    append(&shared, "ann@example.org", &[DRAFT]);
    let (imap, submission) = (ImapService::new(shared.clone()), SmtpService::submission(shared.clone()));
    sim::run(move |net| async move {
        let mut ann = net.connect(&imap);
        assert!(ask(&mut ann, "l LOGIN ann@example.org secret").await.starts_with("* OK"));
        ann.read_line().await;
        let whole = made(&mut ann, ";URLAUTH=submit+ann%40example.org").await;
        let text = made(&mut ann, "/;SECTION=TEXT;URLAUTH=submit+ann%40example.org").await;
        let for_bob = made(&mut ann, ";URLAUTH=submit+bob%40example.org").await;
        let for_imap = made(&mut ann, ";URLAUTH=user+ann%40example.org").await;
        let mut client = net.connect(&submission);
        client.read_line().await;
        client.write(b"EHLO x\r\n").await;
        assert!(!String::from_utf8_lossy(&client.read_until(b"250 AUTH PLAIN LOGIN\r\n").await).contains("BURL"));
        assert!(ask(&mut client, &format!("BURL {whole} LAST")).await.starts_with("503 5.5.1"));
        assert!(ask(&mut client, &format!("AUTH PLAIN {PLAIN}")).await.starts_with("235"));
        assert_eq!(ask(&mut client, "EHLO x").await, "250 BURL imap");
        assert!(ask(&mut client, &format!("BURL {whole} LAST")).await.starts_with("503 5.5.1"));
        begin(&mut client).await;
        assert!(ask(&mut client, &format!("BURL {whole} LAST")).await.starts_with("250"));
        // Beside chunks.
        begin(&mut client).await;
        assert_eq!(
            ask(&mut client, "BDAT 41\r\nFrom: ann@example.org\r\nSubject: mixed\r\n").await,
            "250 2.0.0 41 bytes taken"
        );
        assert_eq!(ask(&mut client, &format!("BURL {text}")).await, "250 2.5.0 17 bytes taken");
        assert!(ask(&mut client, "BDAT 5 LAST\r\nend").await.starts_with("250"));
        // Not the member's, not for submission, wrong, and forgotten by its maker.
        for bad in [&for_bob, &for_imap, &format!("{whole}0"), &"imap://x".to_owned()] {
            begin(&mut client).await;
            assert!(ask(&mut client, &format!("BURL {bad}")).await.starts_with("554 5.6.6"), "{bad}");
            assert!(ask(&mut client, "BDAT 5 LAST\r\nabc").await.starts_with("554 5.6.6"), "{bad}");
        }
        ann.write(b"r RESETKEY INBOX\r\n").await;
        ann.read_line().await;
        begin(&mut client).await;
        assert!(ask(&mut client, &format!("BURL {whole} LAST")).await.starts_with("554 5.6.6"));
    });
    let mails = inbox(&shared, "bob@example.org");
    assert_eq!(mails.len(), 2, "{mails:?}");
    assert!(
        mails[0].contains("\r\nSubject: draft\r\n") && mails[0].ends_with("\r\n\r\nwritten offline\r\n"),
        "{}",
        mails[0]
    );
    assert!(
        mails[1].contains("\r\nSubject: mixed\r\n") && mails[1].ends_with("\r\n\r\nwritten offline\r\nend\r\n"),
        "{}",
        mails[1]
    );
}
