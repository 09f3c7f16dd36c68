//! A destination of several hosts (RFC 5321 section 5.1): which of them gets a message when the first takes nothing now.
use super::whole::{HELLO, ONE, script};
use super::world::{World, item, names, play, quick};
use crate::outbound::settings::Settings;
use crate::runtime::sleep;
use posthouse_engine::queue::QueueState;
use std::time::Duration;

const BYE: &str = "C: QUIT\nS: 221 bye";

/// One attempt has to do.
fn one_attempt() -> Settings {
    Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, lifetime_seconds: 9000, ..quick() }
}

async fn sent_at_once(world: &World) {
    world
        .until("it is sent, and was never deferred", |queue| {
            assert!(queue.iter().all(|item| item.state != QueueState::Deferred), "{queue:#?}");
            queue.is_empty()
        })
        .await;
}

#[test]
fn the_next_host_gets_what_the_first_does_not_take_now() {
    for (first, offers) in [
        ("C: MAIL ...\nS: 452 4.3.1 no room\nC: QUIT", ""),
        ("C: MAIL ...\n", ""),
        ("C: MAIL ...\nS: 421 4.3.2 going down", ""),
        ("C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 451 4.3.0 no lookups now\nC: QUIT", ""),
        ("C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 451 4.3.0 no\nC: QUIT", ""),
        ("C: MAIL ...\nC: RCPT ...\nC: DATA\nS: 250 ok\nS: 250 ok\n", "S: 250-mx\nS: 250 PIPELINING\n"),
        ("C: QUIT\nS: 221 bye", "S: 250-mx\nS: 250 SIZE 20\n"),
    ] {
        let hello = if offers.is_empty() { HELLO.to_owned() } else { format!("S: 220 mx\nC: EHLO ...\n{offers}") };
        play(|world| async move {
            world.host("192.0.2.11:25", &[script(&[&hello, first])]);
            world.host("192.0.2.12:25", &[script(&[HELLO, ONE, BYE])]);
            world.start(names(), one_attempt());
            world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
            sent_at_once(&world).await;
            assert_eq!(world.taken.borrow().len(), 1, "{first}");
        });
    }
}

#[test]
fn nobody_else_gets_what_a_host_may_have_taken_or_has_refused() {
    let lost = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\n";
    let refused = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 550 5.1.1 nobody\nC: QUIT";
    for (first, taken) in [(lost, 1), (refused, 0)] {
        play(|world| async move {
            world.host("192.0.2.11:25", &[script(&[HELLO, first])]);
            world.host("192.0.2.12:25", &[script(&[HELLO, ONE, BYE])]);
            world.start(names(), one_attempt());
            world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
            world.until("it was tried", |queue| queue.iter().all(|item| item.progress[0].attempts > 0)).await;
            assert_eq!(world.taken.borrow().len(), taken, "{first}");
        });
    }
}

#[test]
fn what_no_host_can_take_comes_back_and_what_one_may_take_later_waits() {
    let small = "S: 220 mx\nC: EHLO ...\nS: 250-mx\nS: 250 SIZE 20\nC: QUIT\nS: 221 bye";
    play(|world| async move {
        world.host("192.0.2.11:25", &[small]);
        world.host("192.0.2.12:25", &[small]);
        world.start(names(), one_attempt());
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        assert!(
            matches!(&inbox[..], [mail] if mail.contains("Status: 5.3.4\r\nRemote-MTA: dns; mx2.x.test\r\n")),
            "{inbox:?}"
        );
    });
    play(|world| async move {
        world.host("192.0.2.11:25", &[small]);
        world.start(names(), one_attempt());
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        let told = "4.4.1 connect to mx2.x.test[192.0.2.12]:25: ";
        world.until("it waits", |queue| queue.iter().any(|item| item.progress[0].reply.starts_with(told))).await;
    });
}

/// What the first host said is kept, and the second one is left in peace when it is no better.
#[test]
fn a_second_host_that_takes_nothing_either_is_asked_once_in_a_session() {
    let later = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 450 4.2.0 greylisted by the first\n";
    let reset = "C: RSET\nS: 250 ok\n";
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, later, reset, later, reset, later, BYE])]);
        let other = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 450 4.2.0 greylisted by the second\nC: QUIT";
        world.host("192.0.2.12:25", &[script(&[HELLO, other]), "a script that nobody plays"]);
        for _ in 0..3 {
            world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        }
        world.start(names(), Settings { sessions_per_destination_max: 1, ..one_attempt() });
        let told = "450 4.2.0 greylisted by the first";
        world
            .until("all wait", |queue| queue.iter().all(|item| &*item.progress[0].reply == told) && queue.len() == 3)
            .await;
    });
}

/// Otherwise each of them would make a connection to be told the same.
#[test]
fn a_host_that_turns_every_message_away_is_left_in_peace_by_those_behind() {
    for away in ["C: MAIL ...\nS: 421 4.3.2 not today", "C: MAIL ...\n"] {
        play(|world| async move {
            world.host("192.0.2.11:25", &[script(&[HELLO, away]), "a script that nobody plays"]);
            for _ in 0..10 {
                world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
            }
            world.start(names(), Settings { sessions_per_destination_max: 1, ..one_attempt() });
            let told =
                |reply: &str| reply.starts_with("421 4.3.2 ") || reply == "4.4.2 the connection was lost at MAIL";
            world
                .until("all wait", |queue| queue.iter().all(|item| told(&item.progress[0].reply)) && queue.len() == 10)
                .await;
            world.queue(item("ann@example.org", &[("carol@x.test", 0)])).await;
            sleep(Duration::from_secs(60)).await;
            let attempts: Vec<u32> = world.engine().queue().iter().map(|item| item.progress[0].attempts).collect();
            assert_eq!(attempts, [1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0], "new mail rests with the mail before it");
        });
    }
}

/// A message that is taken opens the destination again, whatever came before.
#[test]
fn rests_grow_until_a_message_is_taken() {
    let away = script(&[HELLO, "C: MAIL ...\nS: 421 4.3.2 not today"]);
    play(|world| async move {
        world.host("192.0.2.11:25", &[away, away, away, script(&[HELLO, ONE, ONE, BYE])]);
        world.start(names(), Settings { lifetime_seconds: 5000, ..quick() });
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.until("three attempts", |queue| queue.iter().any(|item| item.progress[0].attempts == 3)).await;
        world.queue(item("ann@example.org", &[("carol@x.test", 0)])).await;
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 2);
    });
}

#[test]
fn a_slow_destination_gives_its_connection_to_one_that_has_none() {
    let slow = "C: MAIL ...\nwait 60\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\n";
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, slow, BYE]), script(&[HELLO, slow, slow, BYE])]);
        world.host("192.0.2.21:25", &[script(&[HELLO, ONE, BYE])]);
        for (to, subject) in [("bob@x.test", "x"), ("bob@x.test", "x"), ("eve@y.test", "y"), ("bob@x.test", "x")] {
            let text = format!("Subject: {subject}\r\n\r\n");
            world.queue_text(item("ann@example.org", &[(to, 0)]), &text).await;
        }
        let names = names().mx("y.test", &[(1, "mx.y.test")]).host("mx.y.test", &["192.0.2.21"]);
        world.start(names, Settings { sessions_max: 1, ..one_attempt() });
        world.until_empty().await;
        let second = world.taken.borrow()[1].clone();
        assert!(second.contains("Subject: y\r\n"), "{second}");
    });
}

/// `outbound.enabled = false`.
#[test]
fn without_connections_mail_for_others_waits_and_mail_for_ourselves_does_not() {
    play(|world| async move {
        world.host("192.0.2.11:25", &["a script that nobody plays"]);
        world.start(names(), Settings { sessions_max: 0, ..one_attempt() });
        world.queue(item("eve@y.test", &[("bob@x.test", 0), ("ann@example.org", 0)])).await;
        world.queue(item("eve@y.test", &[("bob@example.org", 0)])).await;
        world.until("one waits", |queue| matches!(queue, [item] if item.waiting().count() == 1)).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!((world.inbox("ann@example.org").len(), world.inbox("bob@example.org").len()), (1, 1));
        let attempts: Vec<u32> = world.engine().queue()[0].progress.iter().map(|one| one.attempts).collect();
        assert_eq!(attempts, [0, 1], "nobody has tried the other host");
    });
}
