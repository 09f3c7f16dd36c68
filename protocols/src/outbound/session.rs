//! One connection's worth of work for a destination: connects, sends one message after the other, notes what came of each before the next.
//! Decides no order and no time: the plan does.
use super::client::{Client, Mail, Rcpt, Remote, Sent};
use super::connect::{Unreachable, connect};
use super::content::Content;
use super::office::{Held, Office};
use super::room::{Pace, Place};
use super::route::Destination;
use super::settle::{self, Outcome, Way, settle};
use super::{local, plan::Job, retry};
use crate::dsn::Reply;
use crate::runtime::{Either, now, select, stopping, timeout};
use crate::{limits, passed};
use posthouse_engine::queue::{QueueItem, QueueState, TlsDemand};
use std::sync::Arc;

/// The connection of a session.
#[derive(Default)]
struct Line {
    client: Option<Client>,
    /// The destination's other hosts took no more than the first: they are left in peace from then on.
    is_alone: bool,
}

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

/// Serves a destination until nothing is ready for it, it cannot be reached, its turn is over where others wait for theirs, or the server stops.
pub(super) async fn run(office: Arc<Office>, destination: Destination) {
    let present = Present { office, destination };
    let (office, destination) = (&present.office, &present.destination);
    let begun = now();
    let mut line = Line::default();
    while let Some(held) = next_job(office, destination, line.client.is_some()).await {
        if *destination == Destination::Local {
            local::deliver(office, held).await;
            continue;
        }
        if !work(office, destination, held, &mut line).await {
            return;
        }
        let is_over =
            |client: &Client| client.is_spent() || client.begun >= limits::OUTBOUND_MESSAGES_PER_CONNECTION_MAX;
        if let Some(over) = line.client.take_if(|client| is_over(client)) {
            over.quit().await;
        }
        if now() - begun >= limits::OUTBOUND_TURN && office.plan().is_crowded() {
            break;
        }
    }
    if let Some(client) = line.client {
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
    let until = now() + limits::OUTBOUND_LINGER;
    office.plan().idles(destination, true);
    let mut found = None;
    while found.is_none() && !stop.is_set() && now() < until {
        // It may have rung for a message that another session has taken.
        let _ = timeout(until - now(), select(bell.notified(), stop.wait())).await;
        found = if stop.is_set() { None } else { take() };
    }
    office.plan().idles(destination, false);
    found
}

/// One message over a connection, which is opened if there is none; false ends the session.
async fn work(office: &Arc<Office>, destination: &Destination, held: Held, line: &mut Line) -> bool {
    let begun = now();
    let Some(item) = office.engine.queue_item(held.job.id) else {
        // Removed meanwhile.
        return true;
    };
    if item.state == QueueState::Hold {
        // Put on hold since it was planned; its release has it planned again.
        return true;
    }
    if !held.job.is_current(&item, office.now(), office.settings.wait_max()) {
        return true;
    }
    if retry::is_over(&item, office.now()) {
        let replies = vec![Some(settle::out_of_time(None)); held.job.recipients.len()];
        settle(office, vec![Outcome { held, item, replies, way: Way::default(), content: None }]).await;
        return true;
    }
    let (content, place) = match load(office, destination, &item).await {
        Ok(loaded) => loaded,
        Err(why) => {
            put_off(office, held, item, why).await;
            return true;
        }
    };
    let loaded = now();
    let recipients = recipients(&item, &held.job);
    let pace = Pace::new(loaded, || office.room.is_waited_for() || office.plan().is_crowded());
    let sent = send(office, destination, &mail(office, &item, (&content, &pace), &recipients), line).await;
    let (sent, way) = match sent {
        Ok(sent) => sent,
        Err(unreachable) => {
            give_up(office, destination, Some((held, content)), &unreachable).await;
            return false;
        }
    };
    let (load_ms, send_ms) = ((loaded - begun).as_millis() as u64, (now() - loaded).as_millis() as u64);
    let way = Way { load_ms, send_ms, ..way };
    let turned_away = turned_away(&sent, &way, line);
    if sent.replies.iter().flatten().any(|reply| !reply.is_transient()) {
        office.plan().opened(destination);
        office.bell.notify_one();
    }
    // Who was not asked about waits as before, and is planned again when this job ends: that opens a fresh connection, at once.
    let outcome = Outcome { held, item, replies: sent.replies, way, content: Some(content) };
    settle(office, vec![outcome]).await;
    drop(place);
    if let Some(why) = &turned_away {
        give_up(office, destination, None, why).await;
    }
    turned_away.is_none()
}

/// 421 or a cut before a message was taken is no better than no connection.
fn turned_away(sent: &Sent, way: &Way, line: &Line) -> Option<Unreachable> {
    let is_cut = line.client.as_ref().is_some_and(|client| client.broken);
    let first = sent.replies.first()?.as_ref();
    let reply = first.filter(|reply| sent.elsewhere && is_cut && reply.is_transient())?;
    Some(Unreachable { reply: reply.clone(), remote: way.remote.clone() })
}

/// Sends a message; where its host takes nothing now the destination's other hosts are asked (RFC 5321 section 5.1), and the connection to the
/// one that takes it stays.
async fn send(
    office: &Office,
    destination: &Destination,
    mail: &Mail<'_>,
    line: &mut Line,
) -> Result<(Sent, Way), Unreachable> {
    let (mut sent, mut way) = send_first(office, destination, mail, &mut line.client).await?;
    let mut tried: Vec<Remote> = way.remote.iter().cloned().collect();
    while sent.elsewhere && !line.is_alone && tried.len() < limits::OUTBOUND_HOSTS_PER_ATTEMPT_MAX {
        // What may be otherwise later counts more than what may not, and the first who said so is named.
        let is_final = !sent.replies.iter().flatten().all(Reply::is_transient);
        let mut other = match open(office, destination, &tried, mail.pace).await {
            Ok(other) => other,
            Err(Unreachable { reply, remote: Some(remote) }) if is_final && reply.is_transient() => {
                sent.replies.fill(Some(reply));
                way = Way { remote: Some(remote), ..Way::default() };
                break;
            }
            Err(_) => break,
        };
        tried.push(other.remote.clone());
        let again = other.send(mail).await;
        if again.elsewhere && !is_final {
            other.quit().await;
            continue;
        }
        (sent, way) = (again, Way::over(&other));
        let over = if sent.elsewhere { Some(other) } else { line.client.replace(other) };
        if let Some(over) = over {
            over.quit().await;
        }
    }
    line.is_alone |= sent.elsewhere && sent.replies.iter().flatten().all(Reply::is_transient);
    Ok((sent, way))
}

/// Over the connection there is, or over a fresh one when there is none or the host has closed it while it was idle.
async fn send_first(
    office: &Office,
    destination: &Destination,
    mail: &Mail<'_>,
    client: &mut Option<Client>,
) -> Result<(Sent, Way), Unreachable> {
    if let Some(open) = client {
        let sent = open.send(mail).await;
        if !sent.is_stale() {
            return Ok((sent, Way::over(open)));
        }
    }
    let fresh = client.insert(open(office, destination, &[], mail.pace).await?);
    let sent = fresh.send(mail).await;
    Ok((sent, Way::over(fresh)))
}

/// A fresh connection, while there is time for it.
async fn open(
    office: &Office,
    destination: &Destination,
    tried: &[Remote],
    pace: &Pace<'_>,
) -> Result<Client, Unreachable> {
    match select(connect(office, destination, tried), pace.lost()).await {
        Either::Left(opened) => opened,
        Either::Right(()) => {
            let reply = Reply::own("4.4.2", "no host could be spoken to in time, and other messages wait");
            Err(Unreachable { reply, remote: None })
        }
    }
}

fn recipients<'a>(item: &'a QueueItem, job: &Job) -> Vec<Rcpt<'a>> {
    let all = job.recipients.iter().filter_map(|at| item.item.recipients.get(*at as usize));
    all.map(|one| Rcpt { address: &one.address, notify: one.notify, orcpt: &one.orcpt }).collect()
}

fn mail<'a>(
    office: &'a Office,
    item: &'a QueueItem,
    (content, pace): (&'a Content, &'a Pace<'a>),
    recipients: &'a [Rcpt<'a>],
) -> Mail<'a> {
    let new = &item.item;
    Mail {
        sender: &new.sender,
        recipients,
        ret: new.ret,
        envelope_id: &new.envelope_id,
        utf8: new.utf8,
        requires_tls: new.tls == TlsDemand::Required,
        terms: new.terms,
        now: office.now(),
        content,
        pace,
        engine: &office.engine,
    }
}

/// Nobody of the destination takes mail: unless another session gets through, all that is ready for it is put off, or given up when it can
/// never go there.
async fn give_up(office: &Arc<Office>, destination: &Destination, held: Option<(Held, Content)>, why: &Unreachable) {
    let now = office.now();
    if why.reply.is_transient() && !office.plan().failed(destination, now) {
        if let Some((held, _)) = held {
            held.give_back(destination);
        }
        return;
    }
    let rest = office.plan().drain(destination);
    let rest = rest.into_iter().map(|job| (Held::new(office.clone(), job), None));
    let held = held.map(|(held, content)| (held, Some(content)));
    let all: Vec<(Held, Option<Content>)> = held.into_iter().chain(rest).collect();
    let way = Way { remote: why.remote.clone(), ..Way::default() };
    let outcome = |(held, content): (Held, Option<Content>)| {
        let item = office.engine.queue_item(held.job.id).filter(|item| item.state != QueueState::Hold)?;
        let replies = vec![Some(why.reply.clone()); held.job.recipients.len()];
        Some(Outcome { held, item, replies, way: way.clone(), content })
    };
    settle(office, all.into_iter().filter_map(outcome).collect()).await;
}

/// The message, once there is room for it in memory; why it is to be tried later.
pub(super) async fn load(
    office: &Office,
    destination: &Destination,
    item: &QueueItem,
) -> Result<(Content, Place), Reply> {
    let Some(place) = office.room.wait(destination, u64::from(item.size_bytes)).await else {
        return Err(Reply::own("4.3.1", "too many large messages are being sent at a time"));
    };
    Ok((read(office, item).await?, place))
}

/// The message. What the store cannot give waits: what is broken there is an operator's to see, and no reason to lose mail.
pub(super) async fn read(office: &Office, item: &QueueItem) -> Result<Content, Reply> {
    let stored = office.engine.queue_message(item.id).await.map_err(|error| {
        tracing::error!(id = item.id.0, %error, "a message of the queue cannot be read");
        Reply::own("4.3.0", "the message cannot be read here; the server's log tells more")
    })?;
    let fields = |message: &[u8]| passed::fields(&office.engine, &item.item.passed, message);
    Ok(Content::new(stored, item.item.terms.binary, fields))
}

/// A message that cannot be had now. At the server's stop nothing has been tried.
pub(super) async fn put_off(office: &Arc<Office>, held: Held, item: Arc<QueueItem>, why: Reply) {
    if stopping().is_set() {
        return;
    }
    let replies = vec![Some(why); held.job.recipients.len()];
    settle(office, vec![Outcome { held, item, replies, way: Way::default(), content: None }]).await;
}
