//! The pace at which an address may be refused recipients, over all its sessions.
use super::member::{told, traced};
use super::{PLAIN, SmtpService, answers, inbox};
use crate::lmtp::LmtpService;
use crate::runtime::{Pace, Service, sim};
use crate::session::Shared;
use crate::testing;
use posthouse_engine::trace::MailKey;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

const GOODBYE: &str = "421 4.7.0 Too many recipients were refused to your address; try again later\r\n";

fn strict(minute_max: u32) -> Arc<Shared> {
    let mut shared = testing::shared();
    shared.refused = Pace::new(minute_max);
    Arc::new(shared)
}

fn guesses(hello: &str, count: usize) -> String {
    let guess: String = (0..count).map(|at| format!("RCPT TO:<guess{at}@example.org>\r\n")).collect();
    format!("{hello}MAIL FROM:<s@s.test>\r\n{guess}")
}

#[test]
fn who_guesses_addresses_is_sent_away_from_every_session() {
    let shared = strict(5);
    let mx = || SmtpService::mx(shared.clone());
    let first = answers(mx(), guesses("EHLO x\r\n", 3).into_bytes());
    assert_eq!(first.matches("550 5.1.1 ").count(), 3, "{first}");
    let second = answers(mx(), guesses("EHLO x\r\n", 9).into_bytes());
    assert!(second.matches("550 5.1.1 ").count() == 2 && second.ends_with(GOODBYE), "{second}");
    // Also for an address that is there: the reply must not tell.
    let third = answers(mx(), b"EHLO x\r\nMAIL FROM:<s@s.test>\r\nRCPT TO:<ann@example.org>\r\nNOOP\r\n".to_vec());
    assert!(third.ends_with(&format!("250 2.1.0 Ok\r\n{GOODBYE}")), "{third}");
    let steps = traced(&shared, vec![MailKey::Peer([192, 0, 2, 1].into())]);
    let last: Vec<String> = steps.iter().map(told).filter(|step| step.contains("refused-recipients")).collect();
    assert_eq!(last, ["refused  refused-recipients 421"; 2], "the second one of the minute too");
    assert_eq!(steps.iter().filter(|step| step.recipient.starts_with("guess")).count(), 5);
}

#[test]
fn after_a_while_honest_mail_comes_through() {
    let shared = strict(60);
    let (service, mail) =
        (SmtpService::mx(shared.clone()), "RCPT TO:<ann@example.org>\r\nDATA\r\nSubject: x\r\n\r\n.\r\nQUIT\r\n");
    sim::run(move |net| async move {
        for _ in 0..4 {
            let mut client = net.connect(&service);
            client.write(format!("{}QUIT\r\n", guesses("EHLO x\r\n", 15)).as_bytes()).await;
            client.read_to_end().await;
        }
        for (wait, said) in [(0, "421 4.7.0 Too many recipients"), (2, "250 2.0.0 Taken as ")] {
            crate::runtime::sleep(Duration::from_secs(wait)).await;
            let mut client = net.connect(&service);
            client.write(format!("EHLO x\r\nMAIL FROM:<s@s.test>\r\n{mail}").as_bytes()).await;
            let heard = String::from_utf8(client.read_to_end().await).expect("ASCII");
            assert!(heard.contains(said), "{heard}");
        }
    });
    assert_eq!(inbox(&shared, "ann@example.org").len(), 1);
}

#[test]
fn members_fronts_lmtp_and_this_machine_are_not_counted() {
    let shared = strict(1);
    let member = format!("EHLO x\r\nAUTH PLAIN {PLAIN}\r\n{}", guesses("", 9).replace("s@s.test", "ann@example.org"));
    let heard = answers(SmtpService::submission(shared.clone()), member.into_bytes());
    assert_eq!(heard.matches("550 5.1.1 ").count(), 9, "{heard}");
    let heard = answers(LmtpService::new(shared.clone()), guesses("LHLO x\r\n", 9).into_bytes());
    assert_eq!(heard.matches("550 5.1.1 ").count(), 9, "{heard}");
    let mut front = testing::shared();
    (front.refused, front.xclient) = (Pace::new(1), vec!["192.0.2.1/32".parse().expect("a network")]);
    let heard = answers(SmtpService::mx(Arc::new(front)), guesses("EHLO x\r\n", 9).into_bytes());
    assert_eq!(heard.matches("550 5.1.1 ").count(), 9, "{heard}");
    let service = SmtpService::mx(shared);
    let heard = sim::run(move |net| async move {
        let (stream, mut client) = net.pair_from(SocketAddr::from(([127, 0, 0, 1], 4000)));
        crate::runtime::spawn(service.serve(stream));
        client.write(format!("{}QUIT\r\n", guesses("EHLO x\r\n", 9)).as_bytes()).await;
        String::from_utf8(client.read_to_end().await).expect("ASCII")
    });
    assert_eq!(heard.matches("550 5.1.1 ").count(), 9, "{heard}");
}
