//! One connection's worth of work for a destination: connects, sends one message after the other, notes what came of each before the next.
//! Decides no order and no time: the plan does.
use super::client::{Client, Mail, Rcpt, Sent};
use super::connect::{Unreachable, connect};
use super::content::Content;
use super::office::{Held, Office};
use super::route::Destination;
use super::settle::{Outcome, Way, settle};
use super::{local, plan::Job};
use crate::dsn::Reply;
use crate::runtime::{now, select, sleep, stopping, timeout};
use crate::session::Share;
use crate::{limits, passed};
use posthouse_engine::base::Error;
use posthouse_engine::queue::{QueueItem, QueueState, TlsDemand};
use std::sync::Arc;

/// Counts in the plan while it lives.
struct Present {
    office: Arc<Office>,
    destination: Destination,
}

impl Drop for Present {
    fn drop(&mut self) {
        let now = self.office.now();
        self.office.plan().ended(&self.destination, now);
        self.office.bell.notify_one();
    }
}

/// Serves a destination until nothing is ready for it, it cannot be reached, or the server stops.
pub(super) async fn run(office: Arc<Office>, destination: Destination) {
    let present = Present { office, destination };
    let (office, destination) = (&present.office, &present.destination);
    let mut client: Option<Client> = None;
    while let Some(held) = next_job(office, destination, client.is_some()).await {
        if *destination == Destination::Local {
            local::deliver(office, held).await;
            continue;
        }
        if !work(office, destination, held, &mut client).await {
            return;
        }
        let is_over = |client: &Client| client.broken || client.begun >= limits::OUTBOUND_MESSAGES_PER_CONNECTION_MAX;
        if let Some(over) = client.take_if(|client| is_over(client)) {
            over.quit().await;
        }
    }
    if let Some(client) = client {
        client.quit().await;
    }
}

/// The next message; an open connection waits for one for a while.
async fn next_job(office: &Arc<Office>, destination: &Destination, lingers: bool) -> Option<Held> {
    let take = || {
        let job = office.plan().next(destination)?;
        Some(Held::new(office.clone(), job))
    };
    let stop = stopping();
    if stop.is_set() {
        return None;
    }
    let found = take();
    if found.is_some() || !lingers {
        return found;
    }
    let bell = office.destination_bell(destination);
    office.plan().idles(destination, true);
    let _ = timeout(limits::OUTBOUND_LINGER, select(bell.notified(), stop.wait())).await;
    office.plan().idles(destination, false);
    if stop.is_set() { None } else { take() }
}

/// One message over a connection, which is opened if there is none; false ends the session.
async fn work(office: &Arc<Office>, destination: &Destination, held: Held, client: &mut Option<Client>) -> bool {
    let begun = now();
    let Some(item) = office.engine.queue_item(held.job.id) else {
        // Removed meanwhile.
        return true;
    };
    if item.state == QueueState::Hold {
        // Put on hold since it was planned; its release has it planned again.
        return true;
    }
    let (content, _share) = match load(office, &item).await {
        Ok(loaded) => loaded,
        Err(error) => {
            note_unreadable(office, held, item, &error).await;
            return true;
        }
    };
    let loaded = now();
    let sent = match send(office, destination, &mail(&item, &content, &recipients(&item, &held.job)), client).await {
        Ok(sent) => sent,
        Err(unreachable) => {
            give_up(office, destination, held, &unreachable).await;
            return false;
        }
    };
    let open = client.as_ref();
    let way = Way {
        remote: open.map(|client| client.remote.clone()),
        tls: open.and_then(|client| client.tls.clone()),
        sends_notices: open.is_some_and(|client| client.offers.dsn),
        load_ms: (loaded - begun).as_millis() as u64,
        send_ms: (now() - loaded).as_millis() as u64,
    };
    let outcome = Outcome { held, item, replies: sent.replies, way, content: Some(content) };
    settle(office, vec![outcome]).await;
    true
}

/// Over the connection there is, or over a fresh one when there is none or the host has closed it while it was idle.
async fn send(
    office: &Office,
    destination: &Destination,
    mail: &Mail<'_>,
    client: &mut Option<Client>,
) -> Result<Sent, Unreachable> {
    if let Some(open) = client {
        let sent = open.send(mail).await;
        if !sent.stale {
            return Ok(sent);
        }
    }
    let fresh = client.insert(open(office, destination).await?);
    Ok(fresh.send(mail).await)
}

fn recipients<'a>(item: &'a QueueItem, job: &Job) -> Vec<Rcpt<'a>> {
    let all = job.recipients.iter().filter_map(|at| item.item.recipients.get(*at as usize));
    all.map(|one| Rcpt { address: &one.address, notify: one.notify, orcpt: &one.orcpt }).collect()
}

fn mail<'a>(item: &'a QueueItem, content: &'a Content, recipients: &'a [Rcpt<'a>]) -> Mail<'a> {
    let new = &item.item;
    let requires_tls = new.tls == TlsDemand::Required;
    let (sender, envelope_id, ret, utf8) = (&new.sender, &new.envelope_id, new.ret, new.utf8);
    Mail { sender, recipients, ret, envelope_id, requires_tls, utf8, content }
}

async fn open(office: &Office, destination: &Destination) -> Result<Client, Unreachable> {
    let client = connect(office, destination).await?;
    office.plan().opened(destination);
    office.bell.notify_one();
    Ok(client)
}

/// Nobody of the destination can be reached: unless another session gets through, all that is ready for it is put off, or given up when it
/// can never go there.
async fn give_up(office: &Arc<Office>, destination: &Destination, held: Held, why: &Unreachable) {
    let now = office.now();
    if why.reply.is_transient() && !office.plan().failed(destination, now) {
        held.give_back(destination);
        return;
    }
    let mut all = vec![held];
    let rest = office.plan().drain(destination);
    all.extend(rest.into_iter().map(|job| Held::new(office.clone(), job)));
    let way = Way { remote: why.remote.clone(), ..Way::default() };
    let outcome = |held: Held| {
        let item = office.engine.queue_item(held.job.id).filter(|item| item.state != QueueState::Hold)?;
        let replies = vec![why.reply.clone(); held.job.recipients.len()];
        Some(Outcome { held, item, replies, way: way.clone(), content: None })
    };
    settle(office, all.into_iter().filter_map(outcome).collect()).await;
}

/// The message, once there is room for it in memory.
pub(super) async fn load(office: &Office, item: &QueueItem) -> Result<(Content, Share), Error> {
    let mut share = office.budget.share();
    let wanted = u64::from(item.size_bytes).min(office.settings.message_bytes_max);
    while !share.hold(wanted) {
        sleep(limits::OUTBOUND_PAUSE).await;
    }
    let stored = office.engine.queue_message(item.id).await?;
    Ok((Content::new(stored, |message| passed::fields(&office.engine, &item.item.passed, message)), share))
}

/// A message that the store cannot give waits: what is broken there is an operator's to see, and no reason to lose mail.
pub(super) async fn note_unreadable(office: &Arc<Office>, held: Held, item: Arc<QueueItem>, error: &Error) {
    tracing::error!(id = item.id.0, %error, "a message of the queue cannot be read");
    let reply = Reply::own("4.3.0", "the message cannot be read here; the server's log tells more");
    let replies = vec![reply; held.job.recipients.len()];
    settle(office, vec![Outcome { held, item, replies, way: Way::default(), content: None }]).await;
}
