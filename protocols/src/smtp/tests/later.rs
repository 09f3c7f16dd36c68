//! What becomes of a message that one of its recipients could not have for a moment: it waits in the queue with the place that was decided for it.
use super::author::verifier;
use super::member::{HELLO, add_rules, queued, send};
use super::{SmtpService, answers};
use crate::lmtp::LmtpService;
use crate::session::Shared;
use crate::testing;
use posthouse_engine::base::{Flags, SimClock};
use posthouse_engine::directory::{Address, Change};
use posthouse_engine::disk::sim::{Fault, SimDisk};
use posthouse_engine::mailflow::{Outcome, known};
use posthouse_engine::queue::{Folder, Placed};
use std::sync::Arc;

fn filed(shared: &Shared, address: &str) -> u64 {
    let account = shared.engine.account_named(address).expect("a member");
    let view = shared.engine.account(account).expect("opened");
    view.mailbox_named("News").map_or(0, |news| news.entries.len() as u64)
}

/// Ann is in the second shard, bob in the first; whichever of them has a disk that fails for the moment.
#[test]
fn a_copy_for_a_folder_waits_with_its_folder_flags_and_keywords() {
    let script = "require [\\\"fileinto\\\", \\\"imap4flags\\\"]; fileinto :flags [\\\"\\\\\\\\Seen\\\", \\\"paper\\\"] \\\"News\\\";";
    let rule = format!("sieve \"{script}\"");
    let both = ["ann@example.org", "bob@example.org"];
    let mut late = 0;
    for skip in 0..12 {
        let disk = SimDisk::new(1);
        let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
        let shared = Arc::new(testing::shared_in(disk.clone(), clock, 2));
        add_rules(&shared, &both.map(|address| (address, rule.as_str())));
        assert!(send(&shared, "", &both, HELLO).starts_with("250"));
        disk.fail_at(disk.ops() + skip, Fault::Io);
        let said = send(&shared, "", &both, HELLO);
        let got = both.map(|address| filed(&shared, address));
        if got[0] == got[1] {
            continue;
        }
        late += 1;
        // The null sender would hear of no failure.
        assert!(said.starts_with("250"), "{skip}: {said}");
        let missing = if got[0] < got[1] { both[0] } else { both[1] };
        assert_eq!(queued(&shared), [(String::new(), missing.to_owned())], "{skip}");
        let item = shared.engine.queue()[0].clone();
        let arrival = item.item.arrival.as_deref().expect("what was decided");
        let folder = Folder::Named("News".into());
        assert_eq!(arrival.placed, [Placed { folder, flags: Flags::SEEN, keywords: vec!["paper".into()] }]);
    }
    assert!(late > 0, "no operation failed for one of them only");
}

/// A sender whose host is none of its domain's has asked to hear of success: the queue, which tells of it when the mailbox has the message, has to know.
#[test]
fn what_was_found_out_about_the_sender_waits_with_the_copy() {
    let verifier = verifier();
    let mut late = 0;
    for skip in 0..12 {
        let disk = SimDisk::new(1);
        let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
        let mut shared = testing::shared_in(disk.clone(), clock, 2);
        shared.verifier = Some(verifier.clone());
        let shared = Arc::new(shared);
        let both = ["ann@example.org", "bob@example.org"];
        assert!(send(&shared, "", &both, HELLO).starts_with("250"));
        disk.fail_at(disk.ops() + skip, Fault::Io);
        assert!(!send(&shared, "x@fails.test", &both, HELLO).is_empty());
        for item in shared.engine.queue() {
            late += 1;
            let (_, facts, _) = known(item.item.arrival.as_deref().expect("what was found out"), None);
            assert!(facts.spf == Outcome::Fail && !facts.believes_path(), "{skip}: {facts:?}");
        }
    }
    assert!(late > 0, "no operation failed for one of them only");
}

/// The only member of a group who is here has no room: that is no reason for those elsewhere to get nothing.
#[test]
fn a_full_member_of_a_group_waits_and_the_others_do_not() {
    let shared = Arc::new(testing::shared());
    let at = |text: &str| Address::parse(text).expect("an address");
    let members = vec![at("bob@example.org"), at("carl@elsewhere.test")];
    let add = Change::GroupAdd { address: at("some@example.org"), name: String::new(), members };
    shared.engine.change_directory(vec![add]).wait().remove(0).expect("the directory takes it");
    // Bob may have 10,000 bytes.
    let large = format!("From: s@s.test\n\n{}", "some words\n".repeat(90));
    while send(&shared, "s@s.test", &["bob@example.org"], &large).starts_with("250") {}
    let before = queued(&shared).len();
    for hello in ["EHLO", "LHLO"] {
        let lines = format!(
            "{hello} c.test\r\nMAIL FROM:<s@s.test> SIZE=20000\r\nRCPT TO:<some@example.org>\r\nDATA\r\n{}\r\n.\r\nQUIT\r\n",
            large.replace('\n', "\r\n")
        );
        let heard = match hello {
            "LHLO" => answers(LmtpService::new(shared.clone()), lines.into_bytes()),
            _ => answers(SmtpService::mx(shared.clone()), lines.into_bytes()),
        };
        let taken = ["\r\n250 2.0.0 Taken as ", "\r\n250 2.1.5 Delivered as "];
        assert!(taken.iter().any(|taken| heard.contains(taken)), "{heard}");
    }
    let waiting = queued(&shared).split_off(before);
    let of = |to: &str| waiting.iter().filter(|(sender, one)| sender == "s@s.test" && one == to).count();
    assert_eq!((of("carl@elsewhere.test"), of("bob@example.org"), waiting.len()), (2, 2, 4), "{waiting:?}");
}
