//! STARTTLS: what came in the clear does not count under TLS.
use super::SmtpService;
use crate::runtime::sim;
use crate::testing;
use crate::testing::tls::{TlsClient, configs};
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
