//! STARTTLS: what came in the clear does not count under TLS.
use super::SmtpService;
use crate::runtime::sim;
use crate::testing;
use crate::testing::tls::{TlsClient, configs};
use posthouse_engine::queue::TlsDemand;
use std::sync::Arc;

#[test]
fn the_session_begins_anew_under_tls() {
    let (server, config) = configs();
    let mut shared = testing::shared();
    shared.tls = Some(server);
    let service = SmtpService::submission(Arc::new(shared));
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"EHLO plain\r\n").await;
        let offered = String::from_utf8(client.read_until(b"250 AUTH PLAIN LOGIN\r\n").await).expect("ASCII");
        assert!(offered.contains("250-STARTTLS\r\n"), "{offered}");
        client.write(b"STARTTLS\r\n").await;
        assert_eq!(client.read_line().await, b"220 2.0.0 Begin TLS negotiation\r\n");
        let mut client = TlsClient::start(client, config).await;
        client.write(b"MAIL FROM:<ann@example.org>\r\nSTARTTLS\r\n").await;
        assert_eq!(client.read_line().await, b"503 5.5.1 EHLO first\r\n");
        assert_eq!(client.read_line().await, b"503 5.5.1 TLS is active already\r\n");
    });
}

#[test]
fn plain_text_behind_starttls_ends_the_connection() {
    let (server, _) = configs();
    let mut shared = testing::shared();
    shared.tls = Some(server);
    let heard = super::answers(SmtpService::mx(Arc::new(shared)), b"EHLO x\r\nSTARTTLS\r\nRSET\r\n".to_vec());
    assert!(heard.ends_with("421 4.7.0 Nothing may be sent behind STARTTLS before TLS is active\r\n"), "{heard}");
}

/// RFC 8689: what is demanded for the whole way stands with the mail in the queue.
#[test]
fn tls_for_the_whole_way_is_offered_under_tls_and_kept() {
    let (server, config) = configs();
    let mut shared = testing::shared();
    shared.tls = Some(server);
    let shared = Arc::new(shared);
    let plain =
        super::answers(SmtpService::mx(shared.clone()), b"EHLO x\r\nMAIL FROM:<a@x.test> REQUIRETLS\r\n".to_vec());
    assert!(plain.ends_with("555 5.5.4 REQUIRETLS is not offered here\r\n"), "{plain}");
    let service = SmtpService::submission(shared.clone());
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"EHLO plain\r\nSTARTTLS\r\n").await;
        client.read_until(b"220 2.0.0 Begin TLS negotiation\r\n").await;
        let mut client = TlsClient::start(client, config).await;
        let mut offered = false;
        client.write(b"EHLO tls\r\n").await;
        loop {
            let line = client.read_line().await;
            offered |= line == b"250-REQUIRETLS\r\n";
            if line.starts_with(b"250 ") {
                break;
            }
        }
        assert!(offered);
        let mail = |parameter: &str, field: &str| {
            let rest = "RCPT TO:<b@x.test>\r\nDATA\r\nSubject: s\r\n";
            format!("MAIL FROM:<ann@example.org>{parameter}\r\n{rest}{field}\r\nx\r\n.\r\n")
        };
        let no = "TLS-Required: No\r\n";
        let mails = [mail(" REQUIRETLS", ""), mail(" REQUIRETLS", no), mail("", no), mail("", "")].concat();
        client.write(format!("AUTH PLAIN AGFubkBleGFtcGxlLm9yZwBzZWNyZXQ=\r\n{mails}NOOP\r\n").as_bytes()).await;
        let expected =
            ["235"].into_iter().chain([["250", "250", "354", "250"]; 4].into_iter().flatten()).chain(["250"]);
        for code in expected {
            let line = client.read_line().await;
            assert!(line.starts_with(code.as_bytes()), "{code}: {}", String::from_utf8_lossy(&line));
        }
    });
    let demands: Vec<TlsDemand> = shared.engine.queue().iter().map(|item| item.item.tls).collect();
    assert_eq!(demands, [TlsDemand::Required, TlsDemand::Required, TlsDemand::NotRequired, TlsDemand::Usual]);
}
