//! Mail that comes back to where it has been.
use super::world::{item, names, play, quick};
use posthouse_engine::directory::{Address, Change};

/// Groups that are in each other: their members get the message, and nobody a report.
#[test]
fn mail_to_groups_in_a_circle_ends_without_a_report() {
    play(|world| async move {
        let address = |text: &str| Address::parse(text).expect("an address");
        let group = |own: &str, members: [&str; 2]| Change::GroupAdd {
            address: address(own),
            name: String::new(),
            members: members.map(address).to_vec(),
        };
        // Of two tenants, so that the queue brings the message from one to the other.
        let changes = vec![
            Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
            Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
            group("one@example.org", ["ann@example.org", "two@other.test"]),
            group("two@other.test", ["bob@example.org", "one@example.org"]),
        ];
        for done in world.engine().change_directory(changes).await {
            done.expect("changed");
        }
        world.start(names(), quick());
        world.queue_text(item("ann@example.org", &[("one@example.org", 0)]), "Subject: hello\r\n\r\nx\r\n").await;
        world.until_empty().await;
        assert_eq!((world.inbox("ann@example.org").len(), world.inbox("bob@example.org").len()), (1, 1));
        // A stranger who says that it was there before keeps nobody from it, and makes nobody hear of a circle.
        let forged = "Delivered-To: one@example.org\r\nDelivered-To: two@other.test\r\nSubject: forged\r\n\r\nx\r\n";
        world.queue_text(item("ann@example.org", &[("one@example.org", 0)]), forged).await;
        world.until_empty().await;
        assert_eq!((world.inbox("ann@example.org").len(), world.inbox("bob@example.org").len()), (2, 2));
    });
}
