//! The mail log through the engine: what was noted is found after an orderly end, and after another end the gap is told; the look-out raises its
//! alarm for what cannot be seen and for nothing else; an answer for somebody who is away goes once, whatever crashes.
use crate::help::{deliver, message, people};
use posthouse_engine::base::{AccountId, MailboxId, QueueId, SimClock, Uid};
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::queue::{NewQueueItem, QueueRecipient};
use posthouse_engine::trace::{MailFilter, MailKey, MailRecord, Step};
use posthouse_engine::{Accepted, Answer, Engine, Options, QueueAction};
use std::sync::Arc;

const START: i64 = 1_700_000_000;

fn open(disk: &SimDisk, clock: &Arc<SimClock>) -> Option<Arc<Engine>> {
    let options = Options {
        disk: Arc::new(disk.clone()),
        clock: clock.clone(),
        shards: 2,
        segment_bytes_max: 64 << 10,
        checkpoint_log_bytes: 1 << 20,
        workers: 1,
    };
    Engine::open(options).ok().map(|(engine, _)| engine)
}

fn clock() -> Arc<SimClock> {
    Arc::new(SimClock::at_ms(START * 1000))
}

fn note(engine: &Engine, id: u64, step: Step) {
    let sender = format!("from{id}@a.test");
    engine.note_mail(&MailRecord { when_ms: START * 1000, step, id, sender, ..MailRecord::default() });
}

fn steps(engine: &Engine, keys: Vec<MailKey>) -> Vec<Step> {
    let filter = MailFilter { keys, ..MailFilter::default() };
    let page = engine.mail_log(&filter, None, 1000).expect("it can be read");
    page.rows.iter().map(|row| row.record.step).collect()
}

#[test]
fn what_was_noted_is_found_and_a_lost_end_is_told() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let engine = open(&disk, &clock).expect("opens");
    note(&engine, 7, Step::Came);
    note(&engine, 7, Step::Delivered);
    // What waits to be written is found too.
    assert_eq!(steps(&engine, vec![MailKey::Id(7)]), [Step::Came, Step::Delivered]);
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, &clock).expect("opens");
    note(&engine, 8, Step::Came);
    assert_eq!(steps(&engine, Vec::new()), [Step::Came, Step::Delivered, Step::Came]);
    // The process is killed: nothing of this engine's end is on the disk.
    let killed = disk.reboot();
    let engine = open(&killed, &clock).expect("opens");
    note(&engine, 9, Step::Came);
    let gap = steps(&engine, Vec::new());
    assert_eq!(gap, [Step::Came, Step::Delivered, Step::Came, Step::Gap, Step::Came]);
}

#[test]
fn the_alarm_rings_for_what_is_not_in_its_mailbox_and_for_nothing_else() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let engine = open(&disk, &clock).expect("opens");
    let all = people(&engine, 2, Quota::Default);
    let copy = deliver(&engine, &all[..1], 1, 300).targets.remove(0).expect("delivered");
    let seen = Accepted { id: 1, when: START, account: all[0], mailbox: copy.mailbox, uid: copy.uid };
    // Answered, and nowhere: what a lost delivery would look like.
    let lost = Accepted { id: 2, uid: Uid(copy.uid.0 + 1), ..seen };
    let never_opened = Accepted { id: 3, account: all[1], mailbox: MailboxId::INBOX, ..seen };
    let removed = Accepted { id: 4, account: AccountId(99), ..seen };
    engine.watch_accepted([seen, lost, never_opened, removed].into_iter());
    engine.look_in_mailboxes(60);
    assert_eq!((engine.mail_watch().alarms, engine.mail_watch().watched), (0, 2), "it may still come");
    clock.advance_ms(59_000);
    engine.look_in_mailboxes(60);
    assert_eq!(engine.mail_watch().alarms, 0);
    clock.advance_ms(1_000);
    engine.look_in_mailboxes(60);
    assert_eq!((engine.mail_watch().alarms, engine.mail_watch().watched), (2, 0));
    assert_eq!(steps(&engine, vec![MailKey::Id(2)]), [Step::Alarm]);
    assert_eq!(steps(&engine, vec![MailKey::Id(1)]), []);
    engine.look_in_mailboxes(60);
    assert_eq!(engine.mail_watch().alarms, 2, "once for each");
}

fn item(account: AccountId) -> NewQueueItem {
    let recipients = vec![QueueRecipient { address: "far@x.test".into(), notify: 0, orcpt: String::new() }];
    NewQueueItem { account: Some(account), sender: "m0@example.test".into(), recipients, ..NewQueueItem::default() }
}

fn queue(engine: &Engine, account: AccountId) -> QueueId {
    let staged = engine.stage(Vec::new(), message(7, 300)).wait().expect("staged");
    let outcome = engine.deliver(Delivery { staged, targets: Vec::new(), queue: vec![item(account)] }).wait();
    outcome.queued.expect("queued");
    outcome.queue_ids[0]
}

#[test]
fn the_alarm_rings_for_what_is_never_tried() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let engine = open(&disk, &clock).expect("opens");
    let account = people(&engine, 1, Quota::Default)[0];
    let (waits, held) = (queue(&engine, account), queue(&engine, account));
    assert!(engine.queue_item(waits).is_some() && waits != held, "the numbers are those of the items");
    for done in engine.queue_act(&[held], QueueAction::Hold) {
        done.wait().expect("held");
    }
    let look = |seconds: i64| {
        clock.advance_ms(seconds * 1000);
        engine.look_in_queue(900);
        (engine.mail_watch().overdue, engine.mail_watch().alarms)
    };
    assert_eq!(look(899), (0, 0));
    assert_eq!(look(1), (1, 1));
    assert_eq!(look(60), (1, 1), "it is still there, and was told");
    assert_eq!(steps(&engine, vec![MailKey::Queue(waits.0)]), [Step::Alarm]);
    engine.queue_remove(waits).wait().expect("removed");
    assert_eq!(look(1), (0, 1));
}

fn answer(engine: &Engine, account: AccountId, to: &str, handle: &str) -> Option<Option<QueueId>> {
    answer_for(engine, account, (to, handle), 7)
}

fn answer_for(engine: &Engine, account: AccountId, (to, handle): (&str, &str), days: u32) -> Option<Option<QueueId>> {
    let staged = engine.stage(Vec::new(), message(9, 200)).wait().ok()?;
    let (to, handle) = (to.to_owned(), handle.to_owned());
    let answer = Answer { account, to, handle, days, staged, item: item(account) };
    engine.answer_once(answer).wait().ok()
}

#[test]
fn a_sender_is_answered_once_in_some_days() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let engine = open(&disk, &clock).expect("opens");
    let account = people(&engine, 2, Quota::Default)[1];
    assert!(answer(&engine, account, "a@x.test", "gone").expect("asked").is_some());
    assert_eq!(answer(&engine, account, "a@x.test", "gone"), Some(None));
    assert!(answer(&engine, account, "b@x.test", "gone").expect("asked").is_some());
    assert!(answer(&engine, account, "a@x.test", "still gone").expect("asked").is_some(), "another text");
    engine.close().expect("closes");
    drop(engine);
    let engine = open(&disk, &clock).expect("opens");
    clock.advance_ms((7 * 86_400 - 1) * 1000);
    assert_eq!(answer(&engine, account, "a@x.test", "gone"), Some(None), "remembered over a restart");
    clock.advance_ms(1000);
    assert!(answer(&engine, account, "a@x.test", "gone").expect("asked").is_some());
}

/// RFC 5230 section 4.1: each answer has its own days.
#[test]
fn an_answer_of_a_day_forgets_none_of_a_month() {
    let (disk, clock) = (SimDisk::new(1), clock());
    let engine = open(&disk, &clock).expect("opens");
    let account = people(&engine, 1, Quota::Default)[0];
    let days = |count: i64| clock.advance_ms(count * 86_400_000);
    assert!(answer_for(&engine, account, ("a@x.test", "away"), 30).expect("asked").is_some());
    days(2);
    assert!(answer_for(&engine, account, ("b@x.test", "busy"), 1).expect("asked").is_some());
    assert_eq!(answer_for(&engine, account, ("a@x.test", "away"), 30), Some(None));
    days(28);
    assert!(answer_for(&engine, account, ("a@x.test", "away"), 30).expect("asked").is_some());
    // A member who changes its mind about the days only: the longer ones count.
    assert!(answer_for(&engine, account, ("c@x.test", "short"), 1).expect("asked").is_some());
    days(2);
    assert_eq!(answer_for(&engine, account, ("c@x.test", "short"), 30), Some(None));
    // An earlier version has written no days.
    let entry = "/private/vendor/posthouse/away";
    let known = engine.account(account).expect("opened").metadata.get(entry).expect("remembered").to_vec();
    let known = String::from_utf8(known).expect("text");
    let without: String = known.lines().map(|line| format!("{}\n", line.rsplit_once(' ').expect("days").0)).collect();
    let set = vec![(entry.to_owned(), Some(without.into_bytes()))];
    engine.set_metadata(account, None, set).wait().expect("set");
    days(8);
    assert_eq!(answer_for(&engine, account, ("c@x.test", "short"), 30), Some(None));
}

#[test]
fn a_crash_at_every_operation_of_an_answer_queues_it_with_its_memory_or_not_at_all() {
    let run = |sim: &SimDisk, prepare: bool| -> Option<(u64, bool)> {
        let engine = open(sim, &clock())?;
        let account = if prepare { people(&engine, 1, Quota::Default)[0] } else { AccountId(1) };
        let before = sim.ops();
        let answered = answer(&engine, account, "a@x.test", "gone").flatten().is_some();
        Some((before, answered))
    };
    let whole = SimDisk::new(5);
    let (from, answered) = run(&whole, true).expect("no crash");
    let to = whole.ops();
    assert!(answered && to > from);
    for at in from..to {
        let sim = SimDisk::new(5);
        sim.crash_at(at);
        let promised = run(&sim, true).is_some_and(|(_, answered)| answered);
        let after = sim.crash();
        let engine = open(&after, &clock()).expect("opens again");
        let queued = engine.queue().len();
        assert!(queued == 1 || !promised, "crash at {at}: it was promised");
        let again = answer(&engine, AccountId(1), "a@x.test", "gone").expect("asked");
        assert_eq!(again.is_none(), queued == 1, "crash at {at}: queued and remembered are one");
        assert_eq!(engine.queue().len(), 1, "crash at {at}");
    }
}
