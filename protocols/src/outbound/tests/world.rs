//! A world to send mail in: scripted hosts on the simulated network, a real engine on a simulated disk, a clock that goes with the simulated
//! time.
use super::script::{Taken, serve};
use crate::outbound::clerk;
use crate::outbound::office::{Office, Parts};
use crate::outbound::resolve::{FixedNames, Resolve};
use crate::outbound::settings::{Security, Settings};
use crate::outbound::tls::TlsConfigs;
use crate::outbound::tlsrpt::Reports;
use crate::outbound::trust::Policies;
use crate::runtime::sim::{self, Net};
use crate::runtime::{self, SessionFuture, sleep};
use crate::session::Shared;
use crate::testing;
use posthouse_engine::Engine;
use posthouse_engine::base::{Clock, MailboxId, SimClock};
use posthouse_engine::delivery::Delivery;
use posthouse_engine::directory::Address;
use posthouse_engine::disk::sim::SimDisk;
use posthouse_engine::queue::{NewQueueItem, QueueItem, QueueRecipient};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

/// Simulated seconds between two looks at a condition.
const STEP: u64 = 5;

/// A store, a network, and hosts in it.
pub(super) struct World {
    pub(super) net: Net,
    pub(super) shared: Shared,
    pub(super) clock: Arc<SimClock>,
    pub(super) disk: SimDisk,
    pub(super) taken: Taken,
}

impl World {
    pub(super) fn engine(&self) -> &Arc<Engine> {
        &self.shared.engine
    }

    /// A host that plays one script for each connection, in their order; further ones are cut at once.
    pub(super) fn host(&self, addr: &str, scripts: &[&'static str]) {
        let left: Rc<RefCell<VecDeque<&'static str>>> = Rc::new(RefCell::new(scripts.iter().copied().collect()));
        let taken = self.taken.clone();
        self.net.listen(addr.parse().expect("an address"), move |peer| {
            let script = left.borrow_mut().pop_front().unwrap_or("");
            serve(peer, script, taken.clone())
        });
    }

    /// The messages that hosts have taken.
    pub(super) fn taken(&self) -> Vec<String> {
        self.taken.borrow().clone()
    }

    /// Begins to send.
    pub(super) fn start(&self, names: FixedNames, settings: Settings) -> Arc<Office> {
        self.start_with(names, settings, None)
    }

    /// With policies of MTA-STS.
    pub(super) fn start_with(
        &self,
        names: impl Resolve,
        settings: Settings,
        policies: Option<Policies>,
    ) -> Arc<Office> {
        self.start_all(names, settings, policies, None)
    }

    /// With reports about TLS.
    pub(super) fn start_reporting(&self, names: impl Resolve, settings: Settings, reports: Reports) -> Arc<Office> {
        self.start_all(names, settings, None, Some(reports))
    }

    fn start_all(
        &self,
        names: impl Resolve,
        settings: Settings,
        policies: Option<Policies>,
        reports: Option<Reports>,
    ) -> Arc<Office> {
        let office = Office::new(Parts {
            engine: self.shared.engine.clone(),
            clock: self.clock.clone() as Arc<dyn Clock>,
            names: Arc::new(names),
            settings,
            hostname: "mail.example.org".into(),
            verifier: None,
            tls: TlsConfigs::new(None).expect("TLS can be had"),
            policies,
            tls_reports: reports,
            spawn: Box::new(|job: Box<dyn FnOnce() -> SessionFuture + Send>| runtime::spawn(job())),
        });
        runtime::spawn(clerk::run(office.clone()));
        let clock = self.clock.clone();
        self.net.spawn(async move {
            loop {
                sleep(Duration::from_secs(STEP)).await;
                clock.advance_ms(STEP as i64 * 1000);
            }
        });
        office
    }

    pub(super) async fn queue(&self, item: NewQueueItem) {
        self.queue_text(item, "Subject: hello\r\n\r\n.dot\r\n").await;
    }

    pub(super) async fn queue_text(&self, item: NewQueueItem, message: &str) {
        let staged = self.engine().stage(b"Received: here\r\n".to_vec(), message.into()).await.expect("staged");
        let outcome = self.engine().deliver(Delivery { staged, targets: Vec::new(), queue: vec![item] }).await;
        outcome.queued.expect("queued");
    }

    /// Waits until the queue is as wished, for two simulated hours at most.
    pub(super) async fn until(&self, what: &str, wished: impl Fn(&[Arc<QueueItem>]) -> bool) {
        for _ in 0..(7200 / STEP) {
            if wished(&self.engine().queue()) {
                return;
            }
            sleep(Duration::from_secs(STEP)).await;
        }
        panic!("{what}: not so: {:#?}", self.engine().queue());
    }

    /// Waits until the queue is empty and stays so: what has ended may be followed by an answer that is only being written, and simulated time
    /// goes on when everybody is done.
    pub(super) async fn until_empty(&self) {
        loop {
            self.until("the queue is empty", <[_]>::is_empty).await;
            sleep(Duration::from_millis(1)).await;
            if self.engine().queue().is_empty() {
                return;
            }
        }
    }

    pub(super) fn inbox(&self, address: &str) -> Vec<String> {
        let engine = self.engine();
        let address = Address::parse(address).expect("an address");
        let account = engine.directory(|known| known.account_at(&address).map(|found| found.id)).expect("an account");
        let Ok(view) = engine.mailbox(account, MailboxId::INBOX) else { return Vec::new() };
        let text = |at| {
            let entry = view.entries.get(at).expect("an entry");
            let message = engine.message(account, &entry).wait().expect("its message");
            String::from_utf8_lossy(&message).into_owned()
        };
        (0..view.entries.len()).map(text).collect()
    }
}

pub(super) fn item(sender: &str, recipients: &[(&str, u8)]) -> NewQueueItem {
    let recipient = |(address, notify): &(&str, u8)| QueueRecipient {
        address: (*address).into(),
        notify: *notify,
        orcpt: String::new(),
    };
    let recipients = recipients.iter().map(recipient).collect();
    NewQueueItem { sender: sender.into(), recipients, ..NewQueueItem::default() }
}

pub(super) fn play<F: Future<Output = ()> + 'static>(main: impl FnOnce(World) -> F) {
    play_in(1, main);
}

/// With the store in so many shards.
pub(super) fn play_in<F: Future<Output = ()> + 'static>(shards: u16, main: impl FnOnce(World) -> F) {
    let clock = Arc::new(SimClock::at_ms(1_795_492_248_000));
    let disk = SimDisk::new(1);
    let shared = testing::shared_in(disk.clone(), clock.clone(), shards);
    sim::run(move |net| main(World { net, shared, clock, disk, taken: Taken::default() }));
}

/// Retries within seconds, so that a test has few steps.
pub(super) fn quick() -> Settings {
    Settings {
        security: Security::Opportunistic,
        retry_first_seconds: 10,
        retry_max_seconds: 20,
        lifetime_seconds: 100,
        delay_warning_seconds: 0,
        ..Settings::default()
    }
}

pub(super) fn names() -> FixedNames {
    FixedNames::default()
        .mx("x.test", &[(10, "mx1.x.test"), (20, "mx2.x.test")])
        .host("mx1.x.test", &["192.0.2.11"])
        .host("mx2.x.test", &["192.0.2.12"])
}

const PLAIN: &str = "S: 220 mx\nC: EHLO ...\nS: 250 mx\nC: MAIL ...\nS: 250 ok\nC: RCPT ...\nS: 250 ok\nC: DATA\nS: 354 go\n.\nS: 250 ok\nC: QUIT";
const LEFT: &str = "S: 220 mx\nC: EHLO ...\nS: 250 mx";

/// The scripts of a host without TLS: it gets its mail, or is left after its EHLO.
pub(super) fn without_tls(goes: bool) -> [&'static str; 9] {
    [if goes { PLAIN } else { LEFT }; 9]
}

/// Sends a message to a host without TLS for `x.test`; gives what its sender hears when it does not go.
pub(super) fn send_plain(goes: bool, item: NewQueueItem, start: impl FnOnce(&World) + 'static) -> Option<String> {
    let heard = Rc::new(RefCell::new(None));
    let told = heard.clone();
    play(|world| async move {
        world.host("192.0.2.11:25", &without_tls(goes));
        start(&world);
        world.queue(item).await;
        world.until_empty().await;
        assert_eq!(world.taken().len(), usize::from(goes));
        *told.borrow_mut() = world.inbox("ann@example.org").first().cloned();
    });
    heard.take()
}
