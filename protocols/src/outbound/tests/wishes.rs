//! Rules of a tenant and its domains about the way that their mail leaves by.
use super::whole::{HELLO, ONE, script};
use super::world::{World, item, names, play, quick};
use crate::outbound::settings::Settings;
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::queue::NewQueueItem;

const BYE: &str = "C: QUIT\nS: 221 bye";
/// `acme` with `geheim`, base64 of `\0acme\0geheim`.
const AUTH: &str =
    "S: 220 relay\nC: EHLO ...\nS: 250-relay\nS: 250 AUTH PLAIN\nC: AUTH PLAIN AGFjbWUAZ2VoZWlt\nS: 235 ok\n";

async fn rules(world: &World, rules: &[(&str, &str)]) {
    let other = [
        Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
        Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
    ];
    let add = |(domain, text): &(&str, &str)| Change::RuleAdd {
        scope: ScopeName::Domain((*domain).into()),
        rule: text.parse().expect("a rule"),
    };
    for done in world.engine().change_directory(other.into_iter().chain(rules.iter().map(add)).collect()).await {
        done.expect("changed");
    }
}

#[test]
fn mail_leaves_by_the_smarthost_of_its_sender_with_its_login() {
    play(|world| async move {
        world.host("192.0.2.31:587", &[script(&[AUTH, ONE, ONE, ONE, BYE])]);
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, ONE, BYE])]);
        rules(&world, &[("example.org", "relay 192.0.2.31:587 tls=none user=acme password=geheim")]).await;
        world.queue_text(item("Ann@Example.ORG", &[("bob@x.test", 0)]), "Subject: own\r\n\r\n").await;
        world.queue_text(item("eve@other.test", &[("bob@x.test", 0)]), "Subject: others\r\n\r\n").await;
        // What a member of ours sends on leaves on its behalf, whoever wrote it.
        let passed = vec!["ann@example.org".to_owned()];
        let sent_on = NewQueueItem { passed, ..item("", &[("bob@x.test", 0)]) };
        world.queue_text(sent_on, "Subject: sent on\r\n\r\n").await;
        // So does its answer or receipt, but no report of ours.
        let ann = Address::parse("ann@example.org").expect("an address");
        let account = world.engine().directory(|known| known.account_at(&ann).map(|account| account.id));
        let answer = NewQueueItem { account, ..item("", &[("bob@x.test", 1)]) };
        world.queue_text(answer, "Subject: answer\r\n\r\n").await;
        world.queue_text(item("", &[("bob@x.test", 1)]), "Subject: report\r\n\r\n").await;
        world.start(names(), Settings { sessions_per_destination_max: 1, ..quick() });
        world.until_empty().await;
        assert_eq!(world.taken.borrow().len(), 5, "three over the smarthost, two to the host of their domain");
    });
}

/// A password that is wrong is the tenant's to put right: its mail waits, and other mail does not.
#[test]
fn a_login_that_is_not_taken_keeps_the_mail_of_its_tenant_only() {
    let refused = "S: 220 relay\nC: EHLO ...\nS: 250-relay\nS: 250 AUTH PLAIN\nC: AUTH ...\nS: 535 5.7.8 no\n";
    play(|world| async move {
        world.host("192.0.2.31:587", &[refused]);
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, BYE])]);
        rules(&world, &[("example.org", "relay 192.0.2.31:587 tls=none user=acme password=geheim")]).await;
        world.queue(item("ann@example.org", &[("bob@x.test", 0)])).await;
        world.queue(item("eve@other.test", &[("bob@x.test", 0)])).await;
        world.start(
            names(),
            Settings { retry_first_seconds: 3000, retry_max_seconds: 3000, lifetime_seconds: 9000, ..quick() },
        );
        let told = "535 4.7.8 the relay does not take our login: 535 5.7.8 no";
        world.until("one waits", |queue| matches!(queue, [item] if &*item.progress[0].reply == told)).await;
        assert_eq!(world.taken.borrow().len(), 1);
    });
}

#[test]
fn connections_come_from_the_address_of_the_sender() {
    play(|world| async move {
        world.host("192.0.2.11:25", &[script(&[HELLO, ONE, BYE]), script(&[HELLO, ONE, BYE])]);
        rules(&world, &[("example.org", "source 198.51.100.7"), ("other.test", "source 2001:db8::7")]).await;
        for sender in ["ann@example.org", "eve@other.test"] {
            world.queue(item(sender, &[("bob@x.test", 0)])).await;
        }
        let usual = Settings { source_ipv4: Some([198, 51, 100, 1].into()), ..quick() };
        world.start(names(), usual);
        world.until_empty().await;
        let mut from: Vec<String> = world.net.opened_from().iter().map(ToString::to_string).collect();
        from.sort();
        assert_eq!(from, ["198.51.100.1", "198.51.100.7"], "the address for all, where there is no own one");
    });
}
