//! The clerk, the sessions and the store together.
use super::world::{item, names, play, play_in, quick};
use crate::outbound::resolve::FixedNames;
use crate::outbound::settings::{Relay, Security, Settings};
use crate::runtime::sleep;
use crate::testing;
use posthouse_engine::QueueAction;
use posthouse_engine::base::Flags;
use posthouse_engine::delivery::{Delivery, Place, Target};
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::queue::{QueueItem, QueueState};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

pub(super) const HELLO: &str = "S: 220 mx\nC: EHLO ...\nS: 250 mx\n";
pub(super) const ONE: &str =
    "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 2.0.0 taken\n";

pub(super) fn script(parts: &[&str]) -> &'static str {
    parts.concat().leak()
}

#[test]
fn a_message_goes_out_and_is_off_the_queue() {
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, "C: QUIT\nS: 221 bye"])]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.until_empty().await;
        assert_eq!(*world.taken.borrow(), ["Received: here\r\nSubject: hello\r\n\r\n..dot\r\n.\r\n"]);
        assert!(world.inbox("ann@example.org").is_empty(), "success is told only when asked for");
    });
}

#[test]
fn several_messages_share_a_connection_and_a_closed_one_is_opened_again() {
    play(|world| async move {
        // The first connection takes two messages and closes while it is idle.
        let first = script(&[HELLO, ONE, ONE]);
        world.host("192.0.2.11:25", &[first, script(&[HELLO, ONE, "C: QUIT"])]);
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        world.queue(item("ann@example.org", &[("b@x.test", 0)])).await;
        world.queue(item("ann@example.org", &[("c@x.test", 0)])).await;
        world.start(names(), Settings { sessions_per_destination_max: 1, ..quick() });
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 3);
    });
}

#[test]
fn a_connection_waits_for_its_next_message_though_the_bell_has_rung_for_one_that_is_gone() {
    play(|world| async move {
        let slow = ONE.replace("S: 250 2.0.0", "wait 1\nS: 250 2.0.0");
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, &slow, ONE, ONE, "C: QUIT"])]);
        world.start(names(), Settings { sessions_per_destination_max: 1, ..quick() });
        // The third comes while the second is being sent, and is taken without a wait: the bell rings on.
        for (to, wait_ms) in [("a@x.test", 1000), ("b@x.test", 500), ("c@x.test", 1500), ("d@x.test", 0)] {
            world.queue(item("ann@example.org", &[(to, 0)])).await;
            sleep(Duration::from_millis(wait_ms)).await;
        }
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 4);
    });
}

#[test]
fn greylisting_defers_and_the_next_attempt_succeeds_for_those_who_wait_only() {
    play(|world| async move {
        let start = "C: MAIL ...\nS: 250 ok\nC: RCPT TO:<a@x.test>\nS: 250 ok\nC: RCPT TO:<b@x.test>\nS: 450 4.2.0 greylisted\n";
        let first = script(&[HELLO, start, "C: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT"]);
        let second =
            "C: MAIL ...\nS: 250 ok\nC: RCPT TO:<b@x.test>\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT";
        world.host("192.0.2.11:25", &[first, script(&[HELLO, second])]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("a@x.test", 0), ("b@x.test", 0)])).await;
        world
            .until("one waits", |queue| {
                matches!(queue, [item] if item.state == QueueState::Deferred
                    && &*item.progress[1].reply == "450 4.2.0 greylisted" && item.waiting().count() == 1)
            })
            .await;
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 2);
    });
}

#[test]
fn a_refused_recipient_bounces_to_the_sender_here() {
    play(|world| async move {
        let refused = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 550 5.1.1 nobody here\nC: QUIT\nS: 221 bye";
        world.host("192.0.2.11:25", &[script(&[HELLO, refused])]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        let [bounce] = inbox.as_slice() else { panic!("{inbox:?}") };
        for part in [
            "Return-Path: <>\r\n",
            "Final-Recipient: rfc822; bob@x.test\r\nAction: failed\r\nStatus: 5.1.1\r\nRemote-MTA: dns; mx1.x.test\r\n",
            "Diagnostic-Code: smtp; 550 5.1.1 nobody here",
            "Subject: hello\r\n",
        ] {
            assert!(bounce.contains(part), "{part:?} in {bounce}");
        }
    });
}

#[test]
fn nobody_is_told_who_asked_for_silence_or_has_no_address() {
    play(|world| async move {
        let refused = "C: MAIL FROM:<...\nS: 550 5.7.1 no\n";
        let reset = "C: RSET\nS: 250 ok\n";
        let all = script(&[HELLO, refused, reset, refused, reset, refused, "C: QUIT\nS: 221 bye"]);
        world.host("192.0.2.11:25", &[all]);
        world.start(names(), Settings { sessions_per_destination_max: 1, ..quick() });
        world.queue(item("ann@example.org", &[("a@x.test", 1)])).await;
        world.queue(item("", &[("b@x.test", 0)])).await;
        world.queue(item("ghost@example.org", &[("c@x.test", 0)])).await;
        world.until_empty().await;
        assert!(world.inbox("ann@example.org").is_empty());
    });
}

#[test]
fn a_bounce_to_another_host_goes_there_with_the_null_sender() {
    play(|world| async move {
        let refused = "C: MAIL FROM:<eve@y.test>\nS: 250 ok\nC: RCPT ...\nS: 550 5.1.1 nobody\nC: QUIT\nS: 221 bye";
        world.host("192.0.2.11:25", &[script(&[HELLO, refused])]);
        let bounce = "C: MAIL FROM:<>\nS: 250 ok\nC: RCPT TO:<eve@y.test>\nS: 550 5.1.1 gone too\nC: QUIT\nS: 221 bye";
        world.host("192.0.2.21:25", &[script(&[HELLO, bounce])]);
        world.start(names().mx("y.test", &[(1, "mx.y.test")]).host("mx.y.test", &["192.0.2.21"]), quick());
        world.queue(item("eve@y.test", &[("bob@x.test", 0)])).await;
        // The bounce is refused too, and nothing follows: bounces do not bounce.
        world.until_empty().await;
    });
}

#[test]
fn the_next_host_is_tried_when_one_cannot_be_reached() {
    play(|world| async move {
        world.net.darken("192.0.2.11:25".parse::<SocketAddr>().expect("an address"));
        world.host("192.0.2.12:25", &[script(&[HELLO, ONE, "C: QUIT\nS: 221 bye"])]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 1);
    });
}

#[test]
fn when_no_host_can_be_reached_all_its_mail_is_deferred_and_at_last_returned() {
    play(|world| async move {
        let settings = Settings { lifetime_seconds: 60, delay_warning_seconds: 20, ..quick() };
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        world.queue(item("ann@example.org", &[("b@x.test", 0)])).await;
        world.queue(item("ann@example.org", &[("c@x.test", 4)])).await;
        world.start(names(), settings);
        let told = |item: &QueueItem| item.progress[0].reply.contains("4.4.1 connect to mx1.x.test[192.0.2.11]:25: ");
        world
            .until("all are deferred", |queue| {
                queue.len() == 3 && queue.iter().all(|item| item.state == QueueState::Deferred && told(item))
            })
            .await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        let count = |part: &str| inbox.iter().filter(|mail| mail.contains(part)).count();
        assert_eq!(count("Action: delayed\r\n"), 2, "not to who asked for failures only");
        assert_eq!(count("Action: failed\r\nStatus: 5.4.1\r\n"), 3);
        assert!(count("tried for too long: connect to mx1.x.test") == 3, "{inbox:?}");
    });
}

#[test]
fn a_domain_that_does_not_exist_bounces_at_once_and_one_that_fails_does_not() {
    play(|world| async move {
        let fails = crate::outbound::resolve::NoAnswer::Failed("SERVFAIL".into());
        world.start(names().no_mx("fails.test", fails), quick());
        world.queue(item("ann@example.org", &[("a@gone.test", 0), ("b@fails.test", 0)])).await;
        world
            .until("one waits", |queue| {
                matches!(queue, [item] if item.waiting().count() == 1 && item.progress[1].reply.starts_with("4.4.3 "))
            })
            .await;
        let inbox = world.inbox("ann@example.org");
        assert!(matches!(&inbox[..], [mail] if mail.contains("Status: 5.1.2\r\n")), "{inbox:?}");
    });
}

#[test]
fn success_is_told_when_asked_for_and_the_next_host_does_not() {
    play(|world| async move {
        let dsn = "S: 220 mx\nC: EHLO ...\nS: 250-mx\nS: 250 DSN\nC: MAIL ...\nS: 250 ok\nC: RCPT TO:<b@x.test> NOTIFY=SUCCESS\n";
        let rest = "S: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT";
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, "C: QUIT"]), script(&[dsn, rest])]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("a@x.test", 2)])).await;
        world.until_empty().await;
        sleep(Duration::from_secs(30)).await;
        world.queue(item("ann@example.org", &[("b@x.test", 2)])).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        let [mail] = inbox.as_slice() else { panic!("{inbox:?}") };
        assert!(mail.contains("Final-Recipient: rfc822; a@x.test\r\nAction: relayed\r\nStatus: 2.0.0\r\n"), "{mail}");
    });
}

#[test]
fn an_operator_holds_releases_urges_and_removes() {
    play(|world| async move {
        world.host("192.0.2.11:25", &["S: 450 4.3.2 not now", script(&[HELLO, ONE, "C: QUIT"])]);
        world.start(
            names(),
            Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, lifetime_seconds: 90_000, ..quick() },
        );
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        let deferred = |queue: &[Arc<QueueItem>]| queue.iter().any(|item| item.state == QueueState::Deferred);
        world.until("it is deferred", deferred).await;
        let id = world.engine().queue()[0].id;
        for (action, expected) in [(QueueAction::Hold, 1), (QueueAction::Hold, 0), (QueueAction::Retry, 0)] {
            for ticket in world.engine().queue_act(&[id], action) {
                assert_eq!(ticket.await.expect("done").len(), expected, "{action:?}");
            }
        }
        sleep(Duration::from_secs(60)).await;
        assert_eq!(world.engine().queue()[0].state, QueueState::Hold);
        for ticket in world.engine().queue_act(&[id], QueueAction::Release) {
            assert_eq!(ticket.await.expect("done"), [id]);
        }
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 1);
    });
}

#[test]
fn a_hold_takes_effect_on_what_is_planned_already() {
    play(|world| async move {
        let slow = script(&[
            HELLO,
            "C: MAIL ...\nwait 60\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\n",
            "C: QUIT",
        ]);
        world.host("192.0.2.11:25", &[slow, script(&[HELLO, ONE, "C: QUIT"])]);
        world.start(names(), Settings { sessions_per_destination_max: 1, ..quick() });
        for _ in 0..2 {
            world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        }
        sleep(Duration::from_secs(10)).await;
        let second = world.engine().queue()[1].id;
        for ticket in world.engine().queue_act(&[second], QueueAction::Hold) {
            assert_eq!(ticket.await.expect("done"), [second]);
        }
        world.until("the first is sent", |queue| queue.len() == 1).await;
        sleep(Duration::from_secs(300)).await;
        assert_eq!(world.taken.borrow().len(), 1, "the second waits");
        for ticket in world.engine().queue_act(&[second], QueueAction::Release) {
            assert_eq!(ticket.await.expect("done"), [second]);
        }
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 2);
    });
}

#[test]
fn a_host_that_has_enough_of_a_connection_gets_a_fresh_one() {
    play(|world| async move {
        let enough = script(&[HELLO, ONE, "C: MAIL ...\nS: 421 too many messages on this connection\n"]);
        world.host("192.0.2.11:25", &[enough, script(&[HELLO, ONE, "C: QUIT"])]);
        world.start(
            names(),
            Settings { sessions_per_destination_max: 1, retry_first_seconds: 3000, retry_max_seconds: 3000, ..quick() },
        );
        for _ in 0..2 {
            world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        }
        world
            .until("both are sent, none is deferred", |queue| {
                assert!(queue.iter().all(|item| item.state != QueueState::Deferred), "{queue:#?}");
                queue.is_empty()
            })
            .await;
    });
}

/// RFC 9422: whom one connection has no more room for goes over the next one, at once; a host that takes nobody on that one is left for later.
#[test]
fn a_host_that_takes_few_messages_on_a_connection_gets_a_fresh_one_for_the_rest() {
    let one = "S: 220 mx\nC: EHLO ...\nS: 250-mx\nS: 250 LIMITS RCPTMAX=1 MAILMAX=1\n";
    let two = "S: 220 mx\nC: EHLO ...\nS: 250-mx\nS: 250 LIMITS RCPTMAX=1 MAILMAX=2\n";
    let enough = "C: MAIL ...\nS: 421 enough\n";
    let (end, last) = ("C: QUIT\nS: 221 bye", script(&[one, ONE, "C: QUIT"]));
    for (items, scripts, taken) in [
        (vec![2], vec![script(&[one, ONE, end]), last], 2),
        (vec![2], vec![script(&[two, ONE, enough]), last], 2),
        (vec![1, 2], vec![script(&[two, ONE, ONE, end]), last], 3),
        (vec![2], vec![script(&[one, ONE, end]), script(&[one, enough])], 1),
    ] {
        play(move |world| async move {
            world.host("192.0.2.11:25", &scripts);
            let settings = Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, ..quick() };
            let settings = Settings { sessions_per_destination_max: 1, lifetime_seconds: 90_000, ..settings };
            let all: u32 = items.iter().sum();
            for recipients in items {
                let to = [("a@x.test", 0), ("b@x.test", 0)];
                world.queue(item("ann@example.org", &to[..recipients as usize])).await;
            }
            world.start(names(), settings);
            sleep(Duration::from_secs(60)).await;
            assert_eq!(world.taken().len() as u32, taken);
            let queue = world.engine().queue();
            assert_eq!(queue.iter().map(|item| item.waiting().count() as u32).sum::<u32>(), all - taken, "{queue:#?}");
            assert!(queue.iter().all(|item| item.state == QueueState::Deferred), "{queue:#?}");
        });
    }
}

/// What nobody has tried goes at once, too, where what came before it has found the destination closed.
#[test]
fn an_operator_urges_what_was_never_tried_where_its_destination_rests() {
    play(|world| async move {
        world.host("192.0.2.11:25", &["S: 421 not now", script(&[HELLO, ONE, "C: QUIT"])]);
        let settings = Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, ..quick() };
        world.start(names(), Settings { lifetime_seconds: 90_000, ..settings });
        let act = async |action| {
            let id = world.engine().queue()[0].id;
            for ticket in world.engine().queue_act(&[id], action) {
                assert_eq!(ticket.await.expect("done"), [id]);
            }
        };
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        let deferred = |queue: &[Arc<QueueItem>]| queue.iter().any(|item| item.state == QueueState::Deferred);
        world.until("it is deferred", deferred).await;
        act(QueueAction::Remove).await;
        world.queue(item("ann@example.org", &[("b@x.test", 0)])).await;
        sleep(Duration::from_secs(60)).await;
        assert!(world.taken().is_empty(), "the destination rests");
        act(QueueAction::Retry).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!((world.taken().len(), world.engine().queue().len()), (1, 0));
    });
}

/// The clock was a week ahead when the message was put off.
#[test]
fn what_was_put_off_by_a_wrong_clock_goes_when_it_is_right_again() {
    play(|world| async move {
        world.host("192.0.2.11:25", &["S: 421 not now", script(&[HELLO, ONE, "C: QUIT"])]);
        let week_ms = 7 * 86_400 * 1000;
        world.queue(item("ann@example.org", &[("a@x.test", 0)])).await;
        world.clock.advance_ms(week_ms);
        let settings = Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, ..quick() };
        world.start(names(), Settings { lifetime_seconds: 2_000_000, ..settings });
        let deferred = |queue: &[Arc<QueueItem>]| queue.iter().any(|item| item.state == QueueState::Deferred);
        world.until("it is deferred", deferred).await;
        world.clock.advance_ms(-week_ms);
        world.until_empty().await;
        assert_eq!(world.taken().len(), 1);
    });
}

/// Reports go with the results in one commit, or by the queue where the sender's mailbox is in another shard.
#[test]
fn a_report_reaches_a_sender_in_another_shard_once() {
    play_in(2, |world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 550 no\nC: QUIT"])]);
        let bob = world.engine().directory(|known| known.login("bob@example.org").map(|found| found.id)).expect("bob");
        let staged = world.engine().stage(Vec::new(), b"Subject: x\r\n\r\n".to_vec()).await.expect("staged");
        let target = Target { account: bob, place: Place::Inbox, flags: Flags::NONE, bound: None };
        let queue = vec![item("ann@example.org", &[("a@x.test", 0)])];
        world.engine().deliver(Delivery { staged, targets: vec![target], queue }).await.queued.expect("queued");
        let ann = world.engine().directory(|known| known.login("ann@example.org").map(|found| found.id)).expect("ann");
        assert!(!world.engine().holds(world.engine().queue()[0].id, ann), "the item is not in ann's shard");
        world.start(names(), quick());
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        assert_eq!(inbox.len(), 1);
        assert!(inbox[0].contains("550 5.0.0 no"), "{}", inbox[0]);
    });
}

#[test]
fn a_member_of_a_group_who_is_full_hears_later_and_nobody_hears_twice() {
    play(|world| async move {
        let engine = world.engine();
        let address = |text: &str| Address::parse(text).expect("an address");
        let members = vec![address("ann@example.org"), address("bob@example.org")];
        let group = Change::GroupAdd { address: address("all@example.org"), name: "All".into(), members };
        for done in engine.change_directory(vec![group]).await {
            done.expect("changed");
        }
        testing::append(&world.shared, "bob@example.org", &[&[b'x'; 9_990]]);
        world.start(names(), quick());
        world.queue(item("ann@example.org", &[("all@example.org", 0)])).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        let reports = inbox.iter().filter(|mail| mail.contains("Subject: Undelivered mail")).count();
        assert_eq!((inbox.len(), reports), (2, 1), "{inbox:#?}");
        assert!(inbox.iter().any(|mail| mail.contains("bob@example.org") && mail.contains("5.2.2")), "{inbox:#?}");
    });
}

#[test]
fn what_a_relay_takes_goes_to_it_whatever_its_domain() {
    play(|world| async move {
        let auth =
            "S: 220 relay\nC: EHLO ...\nS: 250-relay\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AHVzZXIAc2VjcmV0\nS: 235 ok\n";
        let both =
            "C: MAIL ...\nS: 250 ok\nC: RCPT TO:<a@one.test>\nS: 250 ok\nC: RCPT TO:<b@[192.0.2.99]>\nS: 250 ok\n";
        let rest = "C: DATA\nS: 354 go\n.\nS: 250 ok\n";
        world.host("192.0.2.31:587", &[script(&[auth, both, rest, ONE, "C: QUIT\nS: 221 bye"])]);
        let login = Some(crate::outbound::Login { user: "user".into(), password: "secret".into() });
        let relay = Relay { host: "192.0.2.31".into(), port: 587, security: Security::Plain, login };
        world.queue(item("ann@example.org", &[("a@one.test", 0), ("b@[192.0.2.99]", 0)])).await;
        world.queue(item("ann@example.org", &[("a@two.test", 0)])).await;
        world.start(
            FixedNames::default(),
            Settings { relay: Some(Arc::new(relay)), sessions_per_destination_max: 1, ..quick() },
        );
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 2, "one transaction for each message, one connection for all");
    });
}

#[test]
fn mail_for_a_domain_of_ours_is_delivered_here_and_stops_going_round() {
    play(|world| async move {
        world.start(names(), quick());
        world.queue(item("eve@y.test", &[("ann@example.org", 0)])).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        assert_eq!(inbox.len(), 1);
        assert!(inbox[0].starts_with("Return-Path: <eve@y.test>\r\nDelivered-To: ann@example.org\r\nReceived: by "));
    });
}
