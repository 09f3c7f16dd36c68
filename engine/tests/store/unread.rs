//! What nobody has read since the start is read by a worker before a session needs it, and not by the session's thread.
use crate::help::{deliver, ids, open, options, people};
use posthouse_engine::base::MailboxId;
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Engine, Options, Ticket};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::task::{Context, Poll, Waker};

fn is_pending(ticket: &mut Ticket<()>) -> bool {
    matches!(Pin::new(ticket).poll(&mut Context::from_waker(Waker::noop())), Poll::Pending)
}

/// Asks for something while the only worker is busy, which must not be done by then.
fn brought(engine: &Engine, ask: impl Fn() -> Option<Ticket<()>>) {
    let (go, gate) = channel::<()>();
    let busy = engine.work(move || gate.recv().unwrap_or_default());
    let mut ticket = ask().expect("nobody has read it so far");
    assert!(is_pending(&mut ticket), "it is the worker's");
    drop(go);
    ticket.wait();
    busy.wait().expect("done");
    assert!(ask().is_none(), "it is there now");
}

#[test]
fn records_and_entries_are_brought_by_a_worker() {
    let sim = SimDisk::new(5);
    let disk: Arc<dyn Disk> = Arc::new(sim.clone());
    // One checkpoint, at the close, in which the first member's record stands far from the table that a start reads.
    let quiet = Options { checkpoint_log_bytes: 1 << 30, ..options(&disk, 1) };
    let (engine, _) = Engine::open(quiet).expect("opens");
    let all = people(&engine, 2, Quota::Unlimited);
    for number in 0..400 {
        deliver(&engine, &all, number, 100)
            .targets
            .into_iter()
            .for_each(|answer| assert!(answer.is_ok(), "{answer:?}"));
    }
    engine.close().expect("closes");
    drop(engine);
    sim.set_unread(true);
    let engine = open(&disk, 1).expect("opens");
    let account = ids(&engine, 2)[0];
    brought(&engine, || engine.bring_account(account));
    let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), 400);
    brought(&engine, || engine.bring_entries(&view, 10..266));
    assert_eq!(view.entries.range(10..266).filter(Result::is_ok).count(), 256);
}
