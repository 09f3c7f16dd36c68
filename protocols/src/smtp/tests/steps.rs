//! What the mail log says of a connection: what was refused on it before any message, and what brought each message.
use super::member::{HELLO, told, traced};
use super::{PLAIN, PLAIN_WRONG, SmtpService, answers, shared};
use crate::lmtp::LmtpService;
use crate::runtime::{Service, Unserved, sim};
use crate::session::Shared;
use crate::testing;
use crate::testing::tls::{TlsClient, configs};
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::trace::{MailKey, MailRecord, Step};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

/// The simulated client's address.
const CLIENT: [u8; 4] = [192, 0, 2, 1];

fn play(service: impl Service, lines: &str) -> String {
    answers(service, lines.replace('\n', "\r\n").into_bytes())
}

fn all(shared: &Shared) -> Vec<MailRecord> {
    traced(shared, Vec::new())
}

/// Who asks what became of a message knows the address that it was written to, and not whose mailbox that is.
#[test]
fn mail_is_found_by_the_address_that_it_was_written_to() {
    let shared = shared();
    let at = |text: &str| Address::parse(text).expect("an address");
    let members = vec![at("bob@example.org"), at("carl@elsewhere.test")];
    let changes = vec![
        Change::AliasAdd { account: at("ann@example.org"), alias: at("sales@example.org") },
        Change::GroupAdd { address: at("some@example.org"), name: String::new(), members },
        Change::RuleAdd {
            scope: ScopeName::Domain("example.org".into()),
            rule: "catch-all bob@example.org".parse().expect("a rule"),
        },
    ];
    shared.engine.change_directory(changes).wait().into_iter().for_each(|done| done.expect("changed"));
    for (to, steps) in [
        ("sales@example.org", &["came", "delivered ann@example.org,sales@example.org"][..]),
        ("ann+shop@example.org", &["came", "delivered ann@example.org,ann+shop@example.org"]),
        ("anybody@example.org", &["came", "delivered bob@example.org,anybody@example.org catch-all"]),
        (
            "some@example.org",
            &["came", "delivered bob@example.org,some@example.org", "queued carl@elsewhere.test,some@example.org"],
        ),
    ] {
        let mail = format!("MAIL FROM:<s@s.test>\nRCPT TO:<{to}>\nDATA\nFrom: s@s.test\n\nx\n.\n");
        play(SmtpService::mx(shared.clone()), &format!("EHLO c.test\n{mail}QUIT\n"));
        let way = traced(&shared, vec![MailKey::Address(to.into())]);
        assert_eq!(way.iter().map(told).collect::<Vec<_>>(), steps, "{to}");
    }
}

#[test]
fn one_id_leads_from_the_connection_to_the_uid() {
    let shared = shared();
    let mail =
        format!("MAIL FROM:<ann@example.org>\nRCPT TO:<bob@example.org>\nDATA\n{}\n.\n", "From: ann@example.org\n\nx");
    play(
        SmtpService::submission(shared.clone()),
        &format!("EHLO c.test\nAUTH PLAIN {PLAIN_WRONG}\nAUTH PLAIN {PLAIN}\n{mail}{mail}QUIT\n"),
    );
    let way = all(&shared);
    let steps: Vec<String> = way.iter().map(told).collect();
    assert_eq!(
        steps,
        ["refused  auth 535", "login", "came", "delivered bob@example.org", "came", "delivered bob@example.org"]
    );
    let connection = way[0].connection;
    assert!(connection != 0 && [1, 2, 4].iter().all(|at| way[*at].connection == connection), "{way:#?}");
    assert!(way[..2].iter().all(|step| step.id == 0 && step.sender == "ann@example.org"), "{way:#?}");
    assert_eq!((way[0].session.as_str(), way[1].account), ("EHLO c.test", 1));
    assert_eq!(way[2].session, "EHLO c.test, AUTH PLAIN ann@example.org");
    // By the first message: what was before it on the connection, and not the other message.
    assert_eq!(traced(&shared, vec![MailKey::Id(way[2].id)]), way[..4]);
    for key in [MailKey::Id(connection), MailKey::Peer(CLIENT.into()), MailKey::Address("ann@example.org".into())] {
        assert_eq!(traced(&shared, vec![key.clone()]), way, "{key:?}");
    }
}

#[test]
fn tls_is_told_with_the_message_and_with_its_failure() {
    let (server, config) = configs();
    let mut shared = testing::shared();
    shared.tls = Some(server);
    let shared = Arc::new(shared);
    let service = SmtpService::mx(shared.clone());
    sim::run(move |net| async move {
        let mut client = net.connect(&service);
        client.read_line().await;
        client.write(b"STARTTLS\r\n").await;
        client.read_until(b"220 2.0.0 Begin TLS negotiation\r\n").await;
        let mut client = TlsClient::start(client, config).await;
        let mail = format!("EHLO c.test\nMAIL FROM:<s@s.test>\nRCPT TO:<ann@example.org>\nDATA\n{HELLO}\n.\nQUIT\n");
        client.write(mail.replace('\n', "\r\n").as_bytes()).await;
        while !client.read_line().await.starts_with(b"221") {}
        let mut broken = net.connect(&service);
        broken.read_line().await;
        broken.write(b"EHLO d.test\r\nSTARTTLS\r\n").await;
        broken.read_until(b"220 2.0.0 Begin TLS negotiation\r\n").await;
        broken.write(b"this is no handshake\r\n").await;
        broken.read_to_end().await;
    });
    let way = all(&shared);
    assert_eq!(way.iter().map(told).collect::<Vec<_>>(), ["came", "delivered ann@example.org", "refused  tls 454"]);
    assert!(way[0].session.starts_with("EHLO c.test, TLSv1.3 TLS"), "{}", way[0].session);
    assert_eq!(
        (way[2].session.as_str(), way[2].text.starts_with("454 4.7.0 TLS handshake failed: ")),
        ("EHLO d.test", true)
    );
    let injected = play(SmtpService::mx(shared.clone()), "EHLO x\nSTARTTLS\nNOOP\n");
    assert!(injected.contains("421 4.7.0 Nothing may be sent"), "{injected}");
    assert_eq!(told(all(&shared).last().expect("a step")), "refused  tls 421");
}

#[test]
fn greetings_and_commands_that_are_none_are_told() {
    let shared = shared();
    play(SmtpService::mx(shared.clone()), "EHLO\nQUIT\n");
    play(SmtpService::mx(shared.clone()), &"XYZZY\n".repeat(30));
    play(LmtpService::new(shared.clone()), "LHLO\nQUIT\n");
    let steps: Vec<String> = all(&shared).iter().map(|step| format!("{} {}", step.by, told(step))).collect();
    assert_eq!(steps, ["smtp refused  hello 501", "smtp refused  errors 421", "lmtp refused  hello 501"]);
}

#[test]
fn a_login_that_must_not_be_is_told() {
    let mut shared = testing::shared();
    shared.plaintext_auth = crate::session::PlaintextAuth::Never;
    let shared = Arc::new(shared);
    play(SmtpService::submission(shared.clone()), &format!("EHLO x\nAUTH PLAIN {PLAIN}\nQUIT\n"));
    assert_eq!(all(&shared).iter().map(told).collect::<Vec<_>>(), ["refused  auth 538"]);
}

/// Whoever is not even let in leaves two steps a minute, and the second one says for how many it stands.
#[test]
fn a_flood_at_the_door_is_told_and_fills_nothing() {
    let shared = shared();
    let services: [(&str, Box<dyn Service>); 2] = [
        ("submission", Box::new(SmtpService::submission(shared.clone()))),
        ("lmtp", Box::new(LmtpService::new(shared.clone()))),
    ];
    for (by, service) in &services {
        for port in 0..2_000 {
            service.unserved(SocketAddr::from((CLIENT, 1024 + port)), Unserved::OverLimit);
            service.unserved(
                SocketAddr::from((CLIENT, 1024 + port)),
                Unserved::Handshake(&io::ErrorKind::InvalidData.into()),
            );
        }
        let found = traced(&shared, vec![MailKey::Peer(CLIENT.into())]);
        let mut steps: Vec<(&str, u32)> =
            found.iter().filter(|step| step.by == *by).map(|step| (step.policy.as_str(), step.count)).collect();
        steps.sort_unstable();
        assert_eq!(steps, [("limit", 0), ("limit", 1_999), ("tls", 0), ("tls", 1_999)], "{by}");
    }
}

/// What is refused at its end was refused for each recipient, and the mail log is asked for any of them.
#[test]
fn all_recipients_of_a_refused_message_are_named() {
    let shared = shared();
    let address = |at: usize| format!("r{at:04}@far.test");
    let rcpt: String = (0..40).map(|at| format!("RCPT TO:<{}>\n", address(at))).collect();
    let mail = format!("MAIL FROM:<ann@example.org>\n{rcpt}DATA\n{}\n.\n", "From: eve@other.test\n\nx");
    let heard =
        play(SmtpService::submission(shared.clone()), &format!("EHLO c.test\nAUTH PLAIN {PLAIN}\n{mail}QUIT\n"));
    assert!(heard.contains("\r\n550 5.7.1 "), "{heard}");
    for at in [0, 11, 39] {
        let found = traced(&shared, vec![MailKey::Address(address(at))]);
        assert!(found.iter().any(|step| told(step).contains(" author 55")), "{at}: {found:#?}");
    }
}

/// The number in the queue leads from the id to what became of the message later, however its address is written.
#[test]
fn what_is_queued_is_told_with_its_number() {
    for (to, parameters) in [
        ("ann+shop@example.org", "HOLDFOR=3600"),
        ("a.n.n@example.org", "HOLDFOR=3600"),
        ("U\u{308}bel@elsewhere.test", "SMTPUTF8"),
        ("\u{418}\u{432}\u{430}\u{43d}@elsewhere.test", "SMTPUTF8"),
        ("Carl@elsewhere.test", ""),
    ] {
        let shared = shared();
        let mail =
            format!("MAIL FROM:<ann@example.org> {parameters}\nRCPT TO:<{to}>\nDATA\nFrom: ann@example.org\n\nx\n.\n");
        play(SmtpService::submission(shared.clone()), &format!("EHLO c.test\nAUTH PLAIN {PLAIN}\n{mail}QUIT\n"));
        let queue = shared.engine.queue();
        assert_eq!(queue.len(), 1, "{to}");
        let way = all(&shared);
        let queued = way.iter().find(|record| record.step == Step::Queued);
        assert_eq!(queued.map(|record| record.queue), Some(queue[0].id.0), "{to}: {way:#?}");
    }
}
