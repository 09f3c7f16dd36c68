//! A store that was brought back from a backup sends nothing by itself, and gives nothing out that was given out since the backup.
use crate::help::{deliver, message, open, people};
use posthouse_engine::base::{MailboxId, Uid, UidSet};
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient, QueueState};
use std::sync::Arc;

#[test]
fn queued_mail_is_held_and_no_uid_is_given_out_again() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(41));
    let engine = open(&disk, 2).expect("opens");
    let all = people(&engine, 3, Quota::Default);
    (0..3).for_each(|number| assert!(deliver(&engine, &all, number, 300).targets[0].is_ok()));
    for number in 0..3 {
        let recipients = vec![QueueRecipient { address: "x@x.test".into(), notify: 0, orcpt: String::new() }];
        let item = NewQueueItem { sender: "m0@example.test".into(), recipients, ..NewQueueItem::default() };
        let staged = engine.stage(Vec::new(), message(number, 300)).wait().expect("staged");
        engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).wait().queued.expect("queued");
    }
    let before: Vec<_> = all.iter().map(|id| engine.mailbox(*id, MailboxId::INBOX).expect("INBOX")).collect();
    assert_eq!(engine.settle_restored().expect("settled"), 3);
    assert_eq!(engine.settle_restored().expect("settled"), 0, "they are held already");
    assert_eq!(engine.mailbox(all[0], MailboxId::INBOX).expect("INBOX").entries.len(), 3);
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, 2).expect("opens");
    assert!(engine.queue().len() == 3 && engine.queue().iter().all(|item| item.state == QueueState::Hold));
    for (id, before) in all.iter().zip(&before) {
        let now = engine.mailbox(*id, MailboxId::INBOX).expect("INBOX");
        assert_eq!((now.uid_validity, now.entries.len()), (before.uid_validity, before.entries.len()));
        assert!(now.uid_next.0 >= before.uid_next.0 + 1_000_000, "{} {}", now.uid_next, before.uid_next);
        assert!(now.highest_modseq.0 > before.highest_modseq.0 + 1_000_000);
        // A client that saw some of what is not in the backup is told that it is gone, and of nothing else.
        let everything = UidSet::range(Uid(1), Uid(u32::MAX));
        let gone = now.vanished_since(before.highest_modseq, &everything).expect("readable");
        assert!(gone.contains(before.uid_next) && (1..=3).all(|uid| !gone.contains(Uid(uid))));
        let uid = deliver(&engine, &[*id], 9, 300).targets[0].as_ref().expect("delivered").uid;
        assert_eq!(uid, now.uid_next);
    }
}
