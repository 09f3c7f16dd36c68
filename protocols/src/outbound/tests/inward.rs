//! Mail of the queue that ends here: what was known and decided when it came still counts.
use super::world::{World, item, names, play, play_in, quick, without_tls};
use crate::outbound::settings::Settings;
use posthouse_engine::base::Flags;
use posthouse_engine::directory::{Address, Change, ScopeName};
use posthouse_engine::queue::{Arrival, Came, Folder, NewQueueItem, Placed, QueueItem};
use std::sync::Arc;

fn at(text: &str) -> Address {
    Address::parse(text).expect("an address")
}

async fn change(world: &World, changes: Vec<Change>) {
    for done in world.engine().change_directory(changes).await {
        done.expect("changed");
    }
}

fn rule(address: &str, text: &str) -> Change {
    Change::RuleAdd { scope: ScopeName::Account(at(address)), rule: text.parse().expect("a rule") }
}

/// How many messages an account has in a folder.
fn held(world: &World, address: &str, folder: &str) -> u64 {
    let account = world.engine().account_named(address).expect("an account");
    let Ok(view) = world.engine().account(account) else { return 0 };
    view.mailbox_named(folder).map_or(0, |found| found.entries.len() as u64)
}

fn with(item: NewQueueItem, arrival: Arrival) -> NewQueueItem {
    NewQueueItem { arrival: Some(Box::new(arrival)), ..item }
}

#[test]
fn a_place_that_was_decided_is_kept_and_no_rule_is_asked_again() {
    play(|world| async move {
        // The rules have had their effect: it has been sent on by then.
        change(&world, vec![rule("ann@example.org", "forward far@x.test")]).await;
        let keywords = vec!["paper".into()];
        let news = Placed { folder: Folder::Named("News".into()), flags: Flags::SEEN, keywords };
        let junk = Placed { folder: Folder::Junk, flags: Flags::NONE, keywords: Vec::new() };
        let arrival = Arrival { placed: vec![news, junk], ..Arrival::default() };
        world.queue_text(with(item("s@y.test", &[("ann@example.org", 0)]), arrival), "Subject: x\r\n\r\nx").await;
        world.start(names(), quick());
        world.until_empty().await;
        assert_eq!([held(&world, "ann@example.org", "News"), held(&world, "ann@example.org", "Junk")], [1, 1]);
        assert!(world.inbox("ann@example.org").is_empty());
        let account = world.engine().account_named("ann@example.org").expect("ann");
        let view = world.engine().account(account).expect("opened");
        let news = view.mailbox_named("News").expect("made");
        let entry = news.entries.get(0).expect("an entry");
        assert!(entry.flags.contains(Flags::SEEN) && entry.keywords.0 == 1, "{entry:?}");
    });
}

fn group(own: &str, members: &[&str]) -> Change {
    let members = members.iter().map(|member| at(member)).collect();
    Change::GroupAdd { address: at(own), name: String::new(), members }
}

#[test]
fn what_is_suspicious_is_in_junk_behind_a_group_in_a_group_too() {
    play(|world| async move {
        let more = rule("bob@example.org", "allow y.test");
        let members = ["ann@example.org", "bob@example.org", "carl@elsewhere.test"];
        change(&world, vec![group("dept@example.org", &members), more]).await;
        world.start(names(), quick());
        let arrival = Arrival { suspicious: true, ..Arrival::default() };
        let to_dept = item("s@y.test", &[("dept@example.org", 0)]);
        world.queue_text(with(to_dept.clone(), arrival.clone()), "From: s@y.test\r\nSubject: x\r\n\r\nx").await;
        // Nothing waits for carl: it would be this host that sends it.
        world.until_empty().await;
        assert_eq!([held(&world, "ann@example.org", "Junk"), held(&world, "ann@example.org", "INBOX")], [1, 0]);
        assert_eq!(held(&world, "bob@example.org", "INBOX"), 1, "bob has allowed the sender");
        let aside = Arrival { aside: true, ..arrival };
        world.queue_text(with(to_dept, aside), "From: s@y.test\r\nSubject: x\r\n\r\nx").await;
        world.until_empty().await;
        assert_eq!([held(&world, "ann@example.org", "Junk"), held(&world, "bob@example.org", "Junk")], [2, 1]);
    });
}

#[test]
fn a_group_of_the_same_tenant_in_a_group_gets_the_mail_unless_it_takes_mail_of_few() {
    play(|world| async move {
        let groups = vec![
            group("team@example.org", &["ann@example.org"]),
            group("firm@example.org", &["team@example.org", "bob@example.org"]),
        ];
        change(&world, groups).await;
        world.start(names(), quick());
        let to_firm = || with(item("s@y.test", &[("firm@example.org", 0)]), Arrival::default());
        world.queue_text(to_firm(), "From: s@y.test\r\nSubject: x\r\n\r\nx").await;
        world.until_empty().await;
        let mail = world.inbox("ann@example.org").remove(0);
        assert!(
            mail.contains("Delivered-To: team@example.org\r\n") && mail.contains("Delivered-To: firm@example.org\r\n"),
            "{mail}"
        );
        assert_eq!(world.inbox("bob@example.org").len(), 1);
        let scope = ScopeName::Group(at("team@example.org"));
        change(&world, vec![Change::RuleAdd { scope, rule: "senders tenant".parse().expect("a rule") }]).await;
        world.queue_text(to_firm(), "From: s@y.test\r\nSubject: y\r\n\r\ny").await;
        world.until_empty().await;
        assert_eq!((world.inbox("ann@example.org").len(), world.inbox("bob@example.org").len()), (1, 2));
    });
}

/// By way of a group in a group a message comes to members as if it had come to them at once.
#[test]
fn members_rules_hold_for_what_the_queue_brings() {
    play(|world| async move {
        let script = r#"sieve "require [\"fileinto\", \"imap4flags\", \"vacation\"]; fileinto :flags [\"paper\"] \"News\"; vacation :addresses \"dept@example.org\" \"Gone.\";""#;
        let rules = vec![rule("ann@example.org", script), rule("bob@example.org", "block bad.test")];
        change(&world, vec![group("dept@example.org", &["ann@example.org", "bob@example.org"])]).await;
        change(&world, rules).await;
        world.start(names(), quick());
        let known = Arrival::default();
        let to_dept = |sender: &str| with(item(sender, &[("dept@example.org", 0)]), known.clone());
        let letter = "From: s@y.test\r\nTo: dept@example.org\r\nSubject: x\r\n\r\nx";
        // The answer is for bob, who is here, so that it comes by way of the queue too.
        world.queue_text(to_dept("bob@example.org"), letter).await;
        world.until_empty().await;
        assert_eq!([held(&world, "ann@example.org", "News"), held(&world, "ann@example.org", "INBOX")], [1, 0]);
        let inbox = world.inbox("bob@example.org");
        assert_eq!(inbox.len(), 2, "{inbox:#?}");
        assert!(inbox.iter().any(|mail| mail.contains("Auto-Submitted: auto-replied")), "{inbox:#?}");
        world.queue_text(to_dept("s@bad.test"), letter).await;
        world.until_empty().await;
        assert_eq!([held(&world, "ann@example.org", "News"), held(&world, "bob@example.org", "INBOX")], [2, 2]);
    });
}

#[test]
fn who_may_send_to_a_group_is_asked_by_whatever_way_it_is_reached() {
    play(|world| async move {
        let scope = ScopeName::Group(at("dept@example.org"));
        let few = Change::RuleAdd { scope, rule: "senders ann@example.org".parse().expect("a rule") };
        change(&world, vec![group("dept@example.org", &["bob@example.org"]), few]).await;
        world.start(names(), quick());
        let id = |name: &str| world.engine().account_named(name);
        let from = |name: &str, came| {
            let known = Arrival { came, ..Arrival::default() };
            let item = with(item(name, &[("dept@example.org", 0)]), known);
            NewQueueItem { account: id(name), ..item }
        };
        let letter = "Subject: x\r\n\r\nx";
        world.queue_text(from("ann@example.org", Came::Member), letter).await;
        world.until_empty().await;
        assert_eq!(world.inbox("bob@example.org").len(), 1);
        // A member hears of it, a stranger who may be anybody does not.
        world.queue_text(from("bob@example.org", Came::Member), letter).await;
        world.until_empty().await;
        let inbox = world.inbox("bob@example.org");
        assert!(inbox.len() == 2 && inbox[1].contains("you may not send to the group dept@example.org"), "{inbox:#?}");
        world.queue_text(from("ann@example.org", Came::Outside), letter).await;
        world.until_empty().await;
        assert_eq!((world.inbox("bob@example.org").len(), world.inbox("ann@example.org").len()), (2, 0));
    });
}

/// RFC 3461 section 5.2.6, for mail that could not go into its mailbox at once; not to a sender who is known to be false.
#[test]
fn success_is_told_when_the_mailbox_has_it() {
    let (bob, nobody) = (("bob@example.org", 2), ("nobody@example.org", 2));
    for (spf, to, reports) in [(0, vec![bob], 1), (0, vec![bob, nobody], 1), (3, vec![bob], 0)] {
        play(move |world| async move {
            let arrival = Arrival { facts: [spf, 0, 0, 0], ..Arrival::default() };
            let asks = item("ann@example.org", &to);
            world.queue_text(with(asks, arrival), "Subject: x\r\n\r\nx").await;
            world.start(names(), quick());
            world.until_empty().await;
            assert_eq!((world.inbox("bob@example.org").len(), world.inbox("ann@example.org").len()), (1, reports));
            for report in world.inbox("ann@example.org") {
                let fields = "Final-Recipient: rfc822; bob@example.org\r\nAction: delivered\r\nStatus: 2.1.5\r\n";
                assert!(report.contains(fields) && !report.contains("nobody@"), "{report}");
            }
        });
    }
}

/// F6, for what the queue brings as for what comes at once.
#[test]
fn what_goes_on_counts_against_the_rate() {
    play(|world| async move {
        let scope = ScopeName::Tenant("example".into());
        let rate = Change::RuleAdd { scope, rule: "rate 1/1d".parse().expect("a rule") };
        change(&world, vec![rate, rule("ann@example.org", "forward-only far@x.test")]).await;
        for _ in 0..3 {
            world
                .queue_text(with(item("s@y.test", &[("ann@example.org", 1)]), Arrival::default()), "To: a\r\n\r\nx")
                .await;
        }
        world.start(names(), Settings { sessions_max: 0, ..quick() });
        let far = |item: &Arc<QueueItem>| item.item.recipients[0].address == "far@x.test";
        world.until("one forward", |items| items.len() == 1 && items.iter().all(far)).await;
        assert_eq!(world.inbox("ann@example.org").len(), 2, "above the rate it stays");
    });
}

/// However many ways lead to an account, in one shard or in several, and what its rules do is done once.
#[test]
fn an_account_behind_several_groups_gets_one_copy() {
    for shards in [1, 3] {
        play_in(shards, |world| async move {
            let both = ["ann@example.org", "bob@example.org"];
            let other = vec![
                Change::TenantAdd { name: "other".into(), title: String::new(), accounts_max: None },
                Change::DomainAdd { tenant: "other".into(), domain: "other.test".into() },
                group("left@other.test", &both),
                group("right@other.test", &both),
                group("outer@example.org", &["left@other.test", "ann@example.org", "right@other.test"]),
                rule("bob@example.org", "forward far@x.test"),
            ];
            change(&world, other).await;
            world.host("192.0.2.11:25", &without_tls(true));
            world.start(names(), quick());
            let far = [("outer@example.org", 0), ("bob@example.org", 0), ("right@other.test", 0)];
            world.queue_text(item("s@y.test", &far), "Subject: x\r\n\r\nx").await;
            world.until_empty().await;
            assert_eq!(both.map(|name| world.inbox(name).len()), [1, 1]);
            for name in both {
                assert_eq!(world.inbox(name)[0].matches("Delivered-To:").count(), 1, "{:?}", world.inbox(name));
            }
            assert_eq!(world.taken().len(), 1, "what goes on from bob");
            // The same again is another message.
            world.queue_text(item("s@y.test", &far), "Subject: x\r\n\r\nx").await;
            world.until_empty().await;
            assert_eq!((both.map(|name| world.inbox(name).len()), world.taken().len()), ([2, 2], 2));
            assert!(world.engine().queues().iter().all(|queue| queue.noted_accounts() == 0));
        });
    }
}
