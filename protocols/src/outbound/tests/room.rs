//! Room in memory for messages on their way out: whoever holds it gives it back, and whoever waits for it hears in the end.
use super::whole::{HELLO, ONE, script};
use super::world::{item, names, play, quick};
use crate::limits;
use crate::outbound::room::Room;
use crate::outbound::route::Destination;
use crate::outbound::settings::Settings;
use crate::runtime::{sim, timeout};
use posthouse_engine::queue::QueueState;
use posthouse_engine::queue::TlsDemand;

/// A message that is no small one, so that it has none of their room.
fn large() -> String {
    format!("Subject: large\r\n\r\n{}", "0123456789\r\n".repeat(50_000))
}

fn narrow() -> Settings {
    Settings { message_bytes_max: 1 << 20, ..quick() }
}

/// Its report needs the message once more, and nobody else has any room to give back.
#[test]
fn a_message_that_holds_all_the_room_and_goes_nowhere_is_returned() {
    play(|world| async move {
        world.start(names().mx("null.test", &[(0, "")]), narrow());
        world.queue_text(item("ann@example.org", &[("bob@null.test", 0)]), &large()).await;
        world.until_empty().await;
        let inbox = world.inbox("ann@example.org");
        assert!(
            matches!(&inbox[..], [mail] if mail.contains("Status: 5.1.10\r\n") && mail.contains("Subject: large\r\n")),
            "{inbox:?}"
        );
    });
}

#[test]
fn a_message_for_which_there_is_no_room_is_put_off_and_goes_when_there_is() {
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, "C: QUIT"])]);
        let office = world.start(names(), Settings { lifetime_seconds: 3000, ..narrow() });
        let all = office.room.wait(&Destination::Local, 1 << 20).await.expect("room");
        world.queue_text(item("ann@example.org", &[("bob@x.test", 0)]), &large()).await;
        world
            .until("it is put off", |queue| {
                matches!(queue, [item] if item.state == QueueState::Deferred && item.progress[0].reply.starts_with("4.3.1 "))
            })
            .await;
        drop(all);
        world.until_empty().await;
        assert_eq!(world.taken().len(), 1);
    });
}

const SLOW: &str = "C: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nuntil DATA\nS: 354 go\ndrip\n";

/// A host that takes a byte now and then keeps nobody else's mail waiting for long.
#[test]
fn whoever_takes_a_message_too_slowly_gives_its_room_to_those_who_wait() {
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, SLOW])]);
        world.host("192.0.2.21:25", &[script(&[HELLO, ONE, "C: QUIT"])]);
        let names = names().mx("y.test", &[(1, "mx.y.test")]).host("mx.y.test", &["192.0.2.21"]);
        world.start(names, Settings { message_bytes_max: 6 << 20, lifetime_seconds: 90_000, ..quick() });
        let message = large().repeat(9);
        world.queue_text(item("ann@example.org", &[("bob@x.test", 0)]), &message).await;
        world.until("it is under way", |_| world.taken() == ["DATA"]).await;
        world.queue_text(item("ann@example.org", &[("bob@y.test", 0)]), &message).await;
        world
            .until("the other has gone", |queue| {
                matches!(queue, [item] if item.item.recipients[0].address == "bob@x.test"
                    && item.progress[0].reply.starts_with("4.4.2 "))
            })
            .await;
    });
}

#[test]
fn a_destination_leaves_room_to_the_others() {
    sim::run_alone(|_| async move {
        let to = |domain: &str| Destination::Domain(domain.into(), TlsDemand::Usual);
        let room = Room::new(4 << 20);
        let mut held = Vec::new();
        for (domain, fits) in [("x.test", true), ("x.test", true), ("x.test", false), ("y.test", true)] {
            let share = timeout(limits::OUTBOUND_PAUSE, room.wait(&to(domain), 1 << 20)).await.flatten();
            assert_eq!(share.is_some(), fits, "{domain}, beside {}", held.len());
            held.extend(share);
        }
        assert!(!room.is_waited_for());
    });
}
