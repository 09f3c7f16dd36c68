//! The life of one io_uring reactor thread: messages, timers, sessions, ring, again and again. It sleeps only in the ring, and only when
//! nobody has anything to do.

use std::cell::RefCell;
use std::io;
use std::rc::Rc;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::driver::Driver;
use super::outside::RingOutside;
use super::transport::RingTransport;
use super::wake;
use crate::limits;
use crate::runtime::executor::{Executor, Parker};
use crate::runtime::local::{self, Local};
use crate::runtime::server::{Accepted, Begin, Message, Post, Shared};
use crate::runtime::{SessionFuture, Site, Stream};

/// What others put for this reactor.
#[derive(Default)]
struct Mailbox {
    messages: Mutex<Vec<Message>>,
}

impl Mailbox {
    fn take(&self) -> Vec<Message> {
        std::mem::take(&mut *self.lock())
    }

    fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Message>> {
        // A vector of messages is whole whatever happened to the one who pushed.
        self.messages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Reactor {
    shared: Arc<Shared>,
    driver: Rc<RefCell<Driver>>,
    executor: Executor,
    parker: Arc<Parker>,
    mailbox: Arc<Mailbox>,
    posts: Vec<Post>,
    local: Rc<Local>,
    /// Tasks that others on this thread have begun.
    spawned: Rc<RefCell<Vec<SessionFuture>>>,
    ended: bool,
    /// The last field, so that it is dropped when the sessions are gone.
    _kept: Kept,
}

/// Keeps the driver's memory for ever when the kernel may still use it: after a drain that took too long, or when this thread
/// panicked. Leaking it is sound, freeing it is not.
struct Kept(Rc<RefCell<Driver>>);

impl Drop for Kept {
    fn drop(&mut self) {
        let drained = self.0.try_borrow().is_ok_and(|driver| driver.is_drained());
        if !drained {
            tracing::error!("the kernel keeps operations of a ring; their memory is given up");
            std::mem::forget(self.0.clone());
        }
    }
}

/// Runs reactor `index` until it is told to end; says on `ready` how to reach it, or why it cannot start.
pub(crate) fn run(index: usize, shared: Arc<Shared>, ready: &Sender<io::Result<Post>>, begin: &Begin) {
    let started = wake::event().and_then(|event| {
        let driver = Driver::new(shared.clone(), event.clone())?;
        Ok((driver, Parker::new(move || wake::signal(&event))))
    });
    let (driver, parker) = match started {
        Ok(started) => started,
        Err(error) => {
            let _ = ready.send(Err(error));
            return;
        }
    };
    let mailbox: Arc<Mailbox> = Arc::default();
    let _ = ready.send(Ok(post_to(mailbox.clone(), parker.clone())));
    let Ok(posts) = begin.recv() else {
        return;
    };
    let local = Local::real();
    let _entered = local::enter(local.clone());
    let driver = Rc::new(RefCell::new(driver));
    let spawned: Rc<RefCell<Vec<SessionFuture>>> = Rc::default();
    let outside = RingOutside { driver: driver.clone(), spawned: spawned.clone() };
    local.set_outside(Some(Rc::new(outside)));
    let mut reactor = Reactor {
        _kept: Kept(driver.clone()),
        driver,
        executor: Executor::new(parker.clone()),
        shared,
        parker,
        mailbox,
        posts,
        local,
        spawned,
        ended: false,
    };
    for listener in reactor.shared.accepts(index) {
        reactor.driver.borrow_mut().accept_from(listener);
    }
    if let Err(error) = reactor.serve() {
        // A reactor without its ring would be given connections and never answer one. The store needs no good-bye; a supervisor starts it again.
        tracing::error!(%error, "a ring of the kernel failed: the server ends at once, to be started again");
        std::process::abort();
    }
    reactor.finish();
}

fn post_to(mailbox: Arc<Mailbox>, parker: Arc<Parker>) -> Post {
    Arc::new(move |message| {
        mailbox.lock().push(message);
        parker.notify();
    })
}

/// Waits until something has completed, at most `wait`. Only then is it given to whom it belongs to: they are on this thread, which is awake by
/// then and has not to be rung for.
pub(super) fn sleep(driver: &mut Driver, parker: &Parker, wait: Option<Duration>) -> io::Result<()> {
    let waited = driver.wait(wait);
    parker.awake();
    waited?;
    driver.route_completed();
    Ok(())
}

impl Reactor {
    fn serve(&mut self) -> io::Result<()> {
        loop {
            self.read_mail();
            if self.ended {
                return Ok(());
            }
            self.local.fire_timers();
            self.executor.run_ready(limits::TASKS_PER_TURN_MAX, limits::TURN_TIME_MAX);
            self.take_up_spawned();
            self.parker.announce_sleep();
            let wait = if self.executor.has_ready() || !self.mailbox.is_empty() {
                // It does not sleep: who wakes a task meanwhile need not ring.
                self.parker.awake();
                Some(Duration::ZERO)
            } else {
                self.local.until_next_timer()
            };
            sleep(&mut self.driver.borrow_mut(), &self.parker, wait)?;
            self.hand_over();
        }
    }

    fn read_mail(&mut self) {
        for message in self.mailbox.take() {
            match message {
                Message::Serve(accepted) => self.spawn(accepted),
                Message::Run(job) => self.executor.spawn(job()),
                Message::Stop => {
                    self.driver.borrow_mut().stop_accepting();
                    self.local.stop.set();
                }
                Message::End => self.ended = true,
            }
        }
    }

    fn spawn(&self, accepted: Accepted) {
        let slot = self.driver.borrow_mut().adopt(accepted.socket);
        let transport = Box::new(RingTransport::new(self.driver.clone(), slot));
        let stream = Stream::new(transport, accepted.peer, accepted.local);
        let whose = Site::of(accepted.peer.ip()).number();
        let session = self.shared.session(accepted.listener, stream, accepted.permit);
        self.executor.spawn_for(Some(whose), session);
    }

    fn take_up_spawned(&self) {
        let spawned = std::mem::take(&mut *self.spawned.borrow_mut());
        spawned.into_iter().for_each(|future| self.executor.spawn(future));
    }

    /// Sends what this reactor accepted to where it was placed, itself included.
    fn hand_over(&self) {
        let accepted = std::mem::take(&mut self.driver.borrow_mut().accepted);
        for accepted in accepted {
            self.posts[accepted.permit.reactor](Message::Serve(accepted));
        }
    }

    /// Ends every session and waits until the kernel has given all their memory and descriptors back.
    fn finish(self) {
        self.local.set_outside(None);
        self.executor.drop_all();
        drop(std::mem::take(&mut *self.spawned.borrow_mut()));
        let mut driver = self.driver.borrow_mut();
        driver.stop_accepting();
        let until = Instant::now() + limits::RING_DRAIN_MAX;
        while !driver.is_drained() {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || driver.turn(Some(left)).is_err() {
                return;
            }
        }
    }
}
