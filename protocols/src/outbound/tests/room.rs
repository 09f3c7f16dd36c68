//! Room in memory for messages on their way out: whoever holds it gives it back, and whoever waits for it hears in the end.
use super::whole::{HELLO, ONE, script};
use super::world::{item, names, play, quick};
use crate::outbound::settings::Settings;
use posthouse_engine::queue::QueueState;

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
        let mut all = office.budget.share();
        assert!(all.hold(1 << 20));
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
