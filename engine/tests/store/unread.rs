//! What nobody has read since the start is read by a worker before a session needs it, and not by the session's thread.
use crate::help::{deliver, ids, open, options, people};
use posthouse_engine::base::{AccountId, MailboxId};
use posthouse_engine::directory::Quota;
use posthouse_engine::disk::Disk;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::{Engine, Options, Ticket};
use std::future::Future;
use std::pin::Pin;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Wake, Waker};

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

/// A store with two members of whom nobody has read anything since its start; each has 400 messages.
fn unread_store() -> (Arc<Engine>, Vec<AccountId>) {
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
    let all = ids(&engine, 2);
    (engine, all)
}

#[test]
fn records_and_entries_are_brought_by_a_worker() {
    let (engine, all) = unread_store();
    let account = all[0];
    brought(&engine, || engine.bring_account(account));
    let view = engine.mailbox(account, MailboxId::INBOX).expect("INBOX");
    assert_eq!(view.entries.len(), 400);
    brought(&engine, || engine.bring_entries(account, &view, &[10..40, 50..266]));
    assert_eq!(view.entries.range(10..266).filter(Result::is_ok).count(), 256);
}

/// Notes whose wait is over.
struct Heard {
    whose: AccountId,
    order: Arc<Mutex<Vec<AccountId>>>,
}

impl Wake for Heard {
    fn wake(self: Arc<Self>) {
        self.order.lock().expect("no test has panicked").push(self.whose);
    }
}

#[test]
fn entries_of_one_account_wait_for_one_job_of_another_that_has_many() {
    const JOBS: usize = 100;
    let (engine, all) = unread_store();
    let (go, gate) = channel::<()>();
    let busy = engine.work(move || gate.recv().unwrap_or_default());
    let order = Arc::new(Mutex::new(Vec::new()));
    let ask = |whose: AccountId| {
        let view = engine.mailbox(whose, MailboxId::INBOX).expect("INBOX");
        let mut ticket =
            engine.bring_entries(whose, &view, std::slice::from_ref(&(0..400))).expect("nobody has read it so far");
        let waker = Waker::from(Arc::new(Heard { whose, order: order.clone() }));
        assert!(Pin::new(&mut ticket).poll(&mut Context::from_waker(&waker)).is_pending(), "it is the worker's");
        ticket
    };
    let mut tickets: Vec<Ticket<()>> = (0..JOBS).map(|_| ask(all[0])).collect();
    tickets.push(ask(all[1]));
    drop(go);
    busy.wait().expect("done");
    tickets.into_iter().for_each(Ticket::wait);
    // The only worker has woken everybody when it takes the next job.
    engine.work(|| ()).wait().expect("done");
    let order = order.lock().expect("no test has panicked");
    let before = order.iter().position(|whose| *whose == all[1]).expect("it has woken");
    assert!(before <= 1, "{before} of {JOBS} jobs of another account went before");
}
