//! Milters that say what a test wants, on the simulated network.
use super::*;
use crate::runtime::sim::{self, Client, Net};
use crate::testing;
use std::cell::RefCell;
use std::rc::Rc;

const AT: &str = "192.0.2.40:8890";
const MAIL: &[u8] = b"From: a@x.test\r\nSubject: s\r\n\tt\r\n\r\nbody\r\n";

pub(crate) type Log = Rc<RefCell<Vec<String>>>;
/// Letter and data.
pub(crate) type Packet = (u8, &'static [u8]);
pub(crate) type Answers = &'static [(char, &'static [Packet])];

pub(crate) fn settings(name: &str, port: u16, default_action: DefaultAction) -> Arc<MilterSettings> {
    let mut address: SocketAddr = AT.parse().expect("an address");
    address.set_port(port);
    let (name, timeout) = (name.to_owned(), Duration::from_secs(3));
    let address = MilterAddress::Tcp(address);
    Arc::new(MilterSettings { name, address, timeout, default_action, for_hosts: true, for_members: false })
}

fn about() -> About<'static> {
    About {
        hostname: "mail.example.org",
        peer: "198.51.100.7:4000".parse().expect("an address"),
        helo: "c.test",
        tls: None,
        login: None,
        id: "1A",
        sender: "s@s.test",
    }
}

/// The next packet; `come` holds what has come beyond the last one.
async fn packet(peer: &mut Client, come: &mut Vec<u8>) -> Option<(char, Vec<u8>)> {
    loop {
        if let Ok(Some(whole)) = wire::packet_bytes(come)
            && come.len() >= whole
        {
            let packet: Vec<u8> = come.drain(..whole).collect();
            return Some((char::from(packet[4]), packet[5..].to_vec()));
        }
        let more = peer.read().await;
        if more.is_empty() {
            return None;
        }
        come.extend_from_slice(&more);
    }
}

/// A milter that wants `steps`, notes what it hears, and answers each letter with the packets that `answers` names for it; `c` else.
pub(crate) fn milter(net: &Net, port: u16, steps: u32, answers: Answers) -> Log {
    let log = Log::default();
    let heard = log.clone();
    let mut at: SocketAddr = AT.parse().expect("an address");
    at.set_port(port);
    net.listen(at, move |mut peer| {
        let heard = heard.clone();
        async move {
            let mut come = Vec::new();
            while let Some((letter, data)) = packet(&mut peer, &mut come).await {
                let text = String::from_utf8_lossy(&data).replace('\0', "|").replace("\r\n", "/");
                let mut out = Vec::new();
                match letter {
                    // As rspamd and MIMEDefang it may do everything, and names macros behind that.
                    'O' => wire::packet(
                        &mut out,
                        b'O',
                        &[&6u32.to_be_bytes(), &0x1ffu32.to_be_bytes(), &steps.to_be_bytes(), b"\0\0\0\x02i\0"],
                    ),
                    'D' => {}
                    'L' if steps & 0x80 != 0 => {}
                    'Q' => return,
                    letter => match answers.iter().find(|(one, _)| *one == letter) {
                        Some((_, packets)) => {
                            packets.iter().for_each(|(letter, data)| wire::packet(&mut out, *letter, &[data]))
                        }
                        None => wire::packet(&mut out, b'c', &[]),
                    },
                }
                if letter != 'O' {
                    heard.borrow_mut().push(format!("{letter} {text}"));
                }
                peer.write(&out).await;
            }
        }
    });
    log
}

fn soon() -> Instant {
    now() + Duration::from_secs(600)
}

async fn whole(chain: Chain, message: &mut Vec<u8>) -> Result<Outcome, Refused> {
    chain.message(&testing::shared().engine, (message, false), "1A", soon()).await
}

/// The whole way of a message to one recipient.
async fn shown(all: &[Arc<MilterSettings>]) -> (Result<Outcome, Refused>, String) {
    let mut message = MAIL.to_vec();
    let way = async {
        let mut chain = Chain::begin(all, &about(), soon()).await?;
        chain.recipient("ann@example.org", soon()).await?;
        whole(chain, &mut message).await
    };
    let outcome = way.await;
    (outcome, String::from_utf8(message).expect("text"))
}

#[test]
fn each_step_is_shown_in_its_order() {
    sim::run_alone(|net| async move {
        let log = milter(&net, 1, 0, &[]);
        let (outcome, message) = shown(&[settings("one", 1, DefaultAction::Reject)]).await;
        assert_eq!((outcome, message.as_bytes()), (Ok(Outcome::default()), MAIL));
        let heard = log.take();
        let steps: Vec<&str> = heard.iter().map(String::as_str).filter(|line| !line.starts_with('D')).collect();
        let expected = [
            "C [198.51.100.7]|4\u{f}\u{fffd}198.51.100.7|",
            "H c.test|",
            "M <s@s.test>|",
            "R <ann@example.org>|",
            "T ",
            "L From|a@x.test|",
            "L Subject|s\n\tt|",
            "N ",
            "B body/",
            "E ",
        ];
        assert_eq!(steps, expected);
        assert!(heard.contains(&"D Mi|1A|{mail_addr}|s@s.test|".to_owned()), "{heard:#?}");
    });
}

#[test]
fn each_sees_what_those_before_have_changed_and_steps_are_left_out() {
    sim::run_alone(|net| async move {
        milter(
            &net,
            1,
            0,
            &[(
                'E',
                &[
                    (b'p', b""),
                    (b'h', b"X-One\0yes\0"),
                    (b'm', b"\0\0\0\x01Subject\0new\0"),
                    (b'b', b"other\r\n"),
                    (b'c', b""),
                ],
            )],
        );
        // No connect, no HELO, no RCPT; fields are not answered and keep their space.
        let log = milter(
            &net,
            2,
            0x01 | 0x02 | 0x08 | 0x80 | 0x10_0000,
            &[('B', &[(b's', b"")]), ('E', &[(b'q', b"odd\0"), (b'a', b"")])],
        );
        let all = [settings("one", 1, DefaultAction::Reject), settings("two", 2, DefaultAction::Reject)];
        let (outcome, message) = shown(&all).await;
        assert_eq!(message, "From: a@x.test\r\nSubject: new\r\nX-One: yes\r\n\r\nother\r\n");
        let outcome = outcome.expect("taken");
        assert!(outcome.quarantines && !outcome.discards);
        assert_eq!(outcome.note, "milter=one: changed milter=two: quarantine (odd)");
        let heard = log.take();
        let steps: Vec<&str> = heard.iter().map(String::as_str).filter(|line| !line.starts_with('D')).collect();
        let expected =
            ["M <s@s.test>|", "T ", "L From| a@x.test|", "L Subject| new|", "L X-One| yes|", "N ", "B other/", "E "];
        assert_eq!(steps, expected);
    });
}

#[test]
fn refusals_end_it() {
    let heard = |answers: Answers| {
        sim::run_alone(move |net| async move {
            milter(&net, 1, 0, answers);
            shown(&[settings("one", 1, DefaultAction::Accept)]).await.0
        })
    };
    let refused = |code, text: &str| Err(Refused { milter: "one".into(), code, text: text.into() });
    assert_eq!(heard(&[('C', &[(b'r', b"")])]), refused(550, "5.7.1 The message is not wanted here"));
    assert_eq!(heard(&[('R', &[(b't', b"")])]), refused(451, "4.7.1 Try again later"));
    assert_eq!(heard(&[('L', &[(b'y', b"554 5.6.0 no such fields\0")])]), refused(554, "5.6.0 no such fields"));
    assert_eq!(heard(&[('E', &[(b'y', b"450 4.2.0 grey\0")])]), refused(450, "4.2.0 grey"));
    assert_eq!(heard(&[('M', &[(b'd', b"")])]).map(|outcome| outcome.discards), Ok(true));
    assert_eq!(heard(&[('E', &[(b'd', b"")])]).map(|outcome| outcome.discards), Ok(true));
    assert_eq!(heard(&[('M', &[(b'a', b"")]), ('E', &[(b'r', b"")])]), Ok(Outcome::default()), "accepted before");
}

#[test]
fn what_does_not_answer_or_answers_nonsense_means_its_default() {
    sim::run_alone(|net| async move {
        milter(&net, 1, 0, &[('H', &[])]);
        milter(&net, 2, 0, &[('E', &[(b'+', b"<x@y>\0")])]);
        milter(&net, 3, 0x800, &[]);
        // Right words out of their place.
        milter(&net, 4, 0, &[('N', &[(b's', b"")])]);
        milter(&net, 5, 0, &[('E', &[(b'h', b"X\0y\0"), (b'-', b"<x@y>\0"), (b'c', b"")])]);
        milter(&net, 6, 0, &[('E', &[(b'e', b"<x@y>\0"), (b'c', b"")])]);
        for port in [1, 2, 3, 4, 5, 6, 9] {
            let result = |default_action| {
                let settings = settings("one", port, default_action);
                async move { shown(&[settings]).await.0.map_err(|refused| refused.code) }
            };
            assert_eq!(result(DefaultAction::Accept).await, Ok(Outcome::default()), "{port}");
            assert_eq!(result(DefaultAction::TempFail).await, Err(451), "{port}");
            assert_eq!(result(DefaultAction::Reject).await, Err(550), "{port}");
        }
    });
}

#[test]
fn a_milter_that_is_lost_at_one_recipient_is_lost_for_those_after_it() {
    sim::run_alone(|net| async move {
        milter(&net, 1, 0, &[('R', &[(b'+', b"<x@y>\0")])]);
        for (default_action, code) in [(DefaultAction::TempFail, 451), (DefaultAction::Reject, 550)] {
            let mut chain = Chain::begin(&[settings("one", 1, default_action)], &about(), soon()).await.expect("begun");
            for _ in 0..2 {
                assert_eq!(chain.recipient("ann@example.org", soon()).await.map_err(|refused| refused.code), Err(code));
            }
            let ended = whole(chain, &mut MAIL.to_vec()).await;
            assert_eq!(ended.map_err(|refused| refused.code), Err(code));
        }
    });
}

#[test]
fn work_under_way_has_its_time_out_too_and_a_huge_header_is_refused() {
    sim::run_alone(|net| async move {
        milter(&net, 1, 0, &[('E', &[(b'p', b"")])]);
        assert_eq!(
            shown(&[settings("one", 1, DefaultAction::TempFail)]).await.0.map_err(|refused| refused.code),
            Err(451)
        );
        milter(&net, 2, 0, &[]);
        let chain = Chain::begin(&[settings("one", 2, DefaultAction::Accept)], &about(), soon()).await.expect("begun");
        let mut message = b"A: 1\r\n".repeat(limits::MILTER_FIELDS_MAX + 1);
        message.extend_from_slice(b"\r\nbody\r\n");
        assert_eq!(whole(chain, &mut message).await.map_err(|refused| refused.code), Err(554));
    });
}

#[test]
fn all_together_have_one_time_and_each_unheard_one_does_what_it_is_set_to() {
    sim::run_alone(|net| async move {
        // Each answers one step and then none, within its own patience of many seconds.
        for port in 1..4 {
            milter(&net, port, 0, &[('T', &[])]);
        }
        for (last, code) in [(DefaultAction::Accept, None), (DefaultAction::TempFail, Some(451))] {
            let all = [
                settings("one", 1, DefaultAction::Accept),
                settings("two", 2, DefaultAction::Accept),
                settings("three", 3, last),
            ];
            let chain = Chain::begin(&all, &about(), soon()).await.expect("begun");
            let (begun, mut message) = (now(), MAIL.to_vec());
            let until = begun + Duration::from_secs(4);
            let ended = chain.message(&testing::shared().engine, (&mut message, false), "1A", until).await;
            assert_eq!(ended.err().map(|refused| refused.code), code);
            assert_eq!(now() - begun, Duration::from_secs(4), "the first takes three of them, the second one");
            assert_eq!(message, MAIL);
        }
    });
}

#[test]
fn a_large_body_is_changed_by_another_thread() {
    sim::run(|net| async move {
        milter(&net, 1, 0, &[('E', &[(b'h', b"X-Seen\0yes\0"), (b'c', b"")])]);
        let chain = Chain::begin(&[settings("one", 1, DefaultAction::Reject)], &about(), soon()).await.expect("begun");
        let mut message = MAIL.to_vec();
        message.extend(b"line\r\n".repeat(limits::MILTER_INLINE_BYTES_MAX));
        let size_bytes = message.len();
        assert!(whole(chain, &mut message).await.is_ok());
        assert_eq!(message.len(), size_bytes + b"X-Seen: yes\r\n".len());
    });
}
