//! STLS: what is offered before and behind it, and what was sent in the clear and must not survive it.
use super::{ask, filled, service};
use crate::runtime::sim::{self, Net};
use crate::session::PlaintextAuth;
use crate::testing::tls::{self, TlsClient};
use rustls::ClientConfig;
use std::sync::Arc;

/// A service with TLS, and without passwords in the clear.
fn secured() -> (super::Pop3Service, Arc<ClientConfig>) {
    let (server, client) = tls::configs();
    let mut shared = filled();
    shared.plaintext_auth = PlaintextAuth::Never;
    shared.tls = Some(server);
    (service(shared), client)
}

async fn asked(client: &mut TlsClient, line: &str) -> String {
    client.write(format!("{line}\r\n").as_bytes()).await;
    String::from_utf8_lossy(&client.read_line().await).trim_end().to_owned()
}

async fn started(net: &Net, service: &super::Pop3Service, config: Arc<ClientConfig>) -> TlsClient {
    let mut client = net.connect(service);
    client.read_line().await;
    assert_eq!(ask(&mut client, "STLS").await, "+OK Begin TLS negotiation now");
    TlsClient::start(client, config).await
}

#[test]
fn capabilities_before_and_under_tls() {
    let (service, config) = secured();
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"CAPA\r\n").await;
        let before = String::from_utf8(client.read_until(b"\r\n.\r\n").await).expect("ASCII");
        assert!(
            before.contains("\r\nSTLS\r\n") && !before.contains("\r\nUSER\r\n") && !before.contains("SASL"),
            "{before}"
        );
        assert_eq!(ask(&mut client, "STLS x").await, "-ERR No argument is expected");
        let mut client = started(&net, &service, config).await;
        client.write(b"CAPA\r\n").await;
        let mut under = String::new();
        while !under.ends_with("\r\n.\r\n") {
            under += &String::from_utf8(client.read_line().await).expect("ASCII");
        }
        assert!(
            !under.contains("STLS") && under.contains("\r\nUSER\r\n") && under.contains("\r\nSASL PLAIN LOGIN\r\n"),
            "{under}"
        );
        assert_eq!(asked(&mut client, "STLS").await, "-ERR TLS is active already");
        assert_eq!(asked(&mut client, "USER ann@example.org").await, "+OK Now the password");
        assert_eq!(asked(&mut client, "PASS secret").await, "+OK 3 messages (107 octets)");
        assert_eq!(asked(&mut client, "RETR 2").await, "+OK 27 octets");
        assert_eq!(client.read_line().await, b"Subject: two\r\n");
    });
}

#[test]
fn plain_text_behind_stls_ends_the_session() {
    let (service, _) = secured();
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"STLS\r\nNOOP\r\n").await;
        let heard = client.read_to_end().await;
        assert!(heard.starts_with(b"-ERR Nothing may be sent behind STLS"), "{}", String::from_utf8_lossy(&heard));
        assert_eq!(heard.iter().filter(|byte| **byte == b'\n').count(), 1);
    });
}

#[test]
fn what_was_said_in_the_clear_is_forgotten() {
    let (server, config) = tls::configs();
    let mut shared = filled();
    shared.tls = Some(server);
    let service = service(shared);
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        assert_eq!(ask(&mut client, "USER ann@example.org").await, "+OK Now the password");
        assert_eq!(ask(&mut client, "STLS").await, "+OK Begin TLS negotiation now");
        let mut client = TlsClient::start(client, config).await;
        assert_eq!(asked(&mut client, "PASS secret").await, "-ERR USER comes first");
        // RFC 6856 section 2.1
        let mut client = net.connect(&service);
        client.read_line().await;
        ask(&mut client, "UTF8").await;
        assert_eq!(ask(&mut client, "STLS").await, "-ERR STLS comes before UTF8");
    });
}

#[test]
fn a_client_that_speaks_no_tls_is_left() {
    let (service, _) = secured();
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        assert_eq!(ask(&mut client, "STLS").await, "+OK Begin TLS negotiation now");
        client.write(b"USER ann@example.org\r\nPASS secret\r\n").await;
        let heard = client.read_to_end().await;
        assert!(!heard.starts_with(b"+OK"), "{heard:?}");
    });
}
