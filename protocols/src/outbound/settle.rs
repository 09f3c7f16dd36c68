//! What an attempt came to, into the store: results, the next time, mail to the sender about it, in one transaction; then the log. Nothing
//! counts before its commit.
use super::client::{Client, Remote};
use super::content::Content;
use super::notice;
use super::office::{Held, Office};
use super::retry::{self, Next};
use crate::dsn::Reply;
use crate::limits;
use crate::runtime::sleep;
use posthouse_engine::base::{Error, QueueId};
use posthouse_engine::format::Tried;
use posthouse_engine::queue::{Fate, QueueItem};
use posthouse_engine::trace::{MailRecord, Step};
use posthouse_engine::{Settle, Settled, Ticket};
use std::sync::Arc;

/// How a message went.
#[derive(Clone, Debug, Default)]
pub(super) struct Way {
    pub(super) remote: Option<Remote>,
    /// What protected it.
    pub(super) tls: Option<String>,
    /// The host takes over the duty to send notices (RFC 3461 section 5.2.1).
    pub(super) sends_notices: bool,
    /// The host takes over the time that the sender has set (RFC 2852).
    pub(super) keeps_time: bool,
    /// Waiting for memory and the store.
    pub(super) load_ms: u64,
    /// Connecting, if that was needed, and sending.
    pub(super) send_ms: u64,
}

impl Way {
    /// Over that connection.
    pub(super) fn over(client: &Client) -> Way {
        let (remote, tls) = (Some(client.remote.clone()), client.tls.clone());
        let (sends_notices, keeps_time) = (client.offers.dsn, client.offers.deliver_by.is_some());
        Way { remote, tls, sends_notices, keeps_time, ..Way::default() }
    }
}

/// One attempt: a reply for each recipient of the job, but for those whom nobody was asked about.
pub(super) struct Outcome {
    pub(super) held: Held,
    pub(super) item: Arc<QueueItem>,
    pub(super) replies: Vec<Option<Reply>>,
    pub(super) way: Way,
    /// The message, if it was needed.
    pub(super) content: Option<Content>,
}

/// A recipient's reply with what follows from it.
pub(super) struct Judged {
    pub(super) recipient: u32,
    pub(super) fate: Fate,
    pub(super) next_try: i64,
    pub(super) reply: Reply,
    /// The sender is told of the delay.
    pub(super) warned: bool,
}

/// Notes outcomes, many with one sync.
pub(super) async fn settle(office: &Arc<Office>, outcomes: Vec<Outcome>) {
    let mut rest = outcomes.into_iter();
    loop {
        let mut asked = Vec::new();
        for outcome in rest.by_ref().take(limits::OUTBOUND_BATCH) {
            let judged = judge(office, &outcome);
            let ticket = submit(office, &outcome, &judged).await;
            asked.push((outcome, judged, ticket));
        }
        if asked.is_empty() {
            return;
        }
        for (outcome, judged, ticket) in asked {
            let answer = ticket.await;
            finish(office, outcome, &judged, answer).await;
        }
    }
}

/// What each reply means for its recipient.
fn judge(office: &Office, outcome: &Outcome) -> Vec<Judged> {
    let (settings, now, item) = (&office.settings, office.now(), &outcome.item);
    let judged = |(at, reply): (&u32, &Option<Reply>)| {
        let reply = reply.as_ref()?;
        let progress = item.progress.get(*at as usize)?;
        let mut judged =
            Judged { recipient: *at, fate: Fate::Failed, next_try: now, reply: reply.clone(), warned: false };
        match reply.class() {
            2 => judged.fate = Fate::Relayed,
            5 => {}
            _ => match retry::next(settings, retry::end(settings, item), progress.attempts, now) {
                Next::At(next_try) => {
                    let next_try = retry::not_beyond(item, now, next_try);
                    (judged.fate, judged.next_try) = (Fate::Waiting, next_try);
                    judged.warned = retry::is_late(settings, item, progress, now);
                }
                Next::Never if retry::is_over(item, now) => judged.reply = out_of_time(Some(reply)),
                Next::Never => judged.reply = judged.reply.given_up("tried for too long"),
            },
        }
        Some(judged)
    };
    outcome.held.job.recipients.iter().zip(&outcome.replies).filter_map(judged).collect()
}

/// What is said of a message that was not there by the time that its sender has set, and of which no more is tried (RFC 2852 section 4.1.3).
pub(super) fn out_of_time(last: Option<&Reply>) -> Reply {
    let last = last.map_or_else(String::new, |last| format!(": {last}"));
    Reply::own("5.4.7", format!("not delivered in the time that its sender has set{last}"))
}

/// The same of one that is still tried.
pub(super) fn late(last: &Reply) -> Reply {
    Reply::own("4.4.7", format!("not delivered in the time that its sender has set, and still tried: {last}"))
}

async fn submit(
    office: &Office,
    outcome: &Outcome,
    judged: &[Judged],
) -> Ticket<posthouse_engine::base::Result<Settled>> {
    let notices = notice::make(office, outcome, judged).await;
    let tried = judged.iter().map(|one| Tried {
        recipient: one.recipient,
        fate: one.fate.code(),
        next_try: one.next_try,
        reply: one.reply.to_string(),
    });
    let warned = judged.iter().filter(|one| one.warned).map(|one| one.recipient).collect();
    office.engine.queue_settle(Settle { id: outcome.item.id, tried: tried.collect(), warned, notices })
}

/// Waits for the store as long as it may still take the results, the server's stop or not: a message that is sent and not noted would be sent
/// again.
async fn finish(
    office: &Office,
    outcome: Outcome,
    judged: &[Judged],
    mut answer: posthouse_engine::base::Result<Settled>,
) {
    loop {
        match answer {
            Ok(settled) => {
                log(office, &outcome, judged, settled.removed);
                note(office, &outcome, judged, &settled.reports);
                for error in settled.lost {
                    tracing::error!(id = outcome.item.id.0, %error, "a report did not reach its mailbox");
                }
                return;
            }
            Err(Error::NotFound(_)) => {
                log(office, &outcome, judged, true);
                note(office, &outcome, judged, &[]);
                tracing::info!(id = outcome.item.id.0, "the message is off the queue by now");
                return;
            }
            Err(error) => {
                tracing::error!(id = outcome.item.id.0, %error, "what came of an attempt could not be noted");
                let may_pass = matches!(error, Error::Busy | Error::NoSpace);
                if !may_pass {
                    outcome.held.bury();
                    return;
                }
            }
        }
        sleep(limits::OUTBOUND_PAUSE).await;
        answer = submit(office, &outcome, judged).await.await;
    }
}

/// A step in the mail log for each recipient, and for each report that goes by way of the queue.
fn note(office: &Office, outcome: &Outcome, judged: &[Judged], reports: &[QueueId]) {
    let (item, way) = (&outcome.item, &outcome.way);
    let (when_ms, queue) = (office.clock.now_ms(), item.id.0);
    for one in judged {
        let at = one.recipient as usize;
        let recipient = item.item.recipients.get(at).map_or("", |recipient| &recipient.address);
        let step = match one.fate {
            Fate::Relayed => Step::Sent,
            Fate::Waiting => Step::Deferred,
            Fate::Failed => Step::Bounced,
        };
        office.engine.note_mail(&MailRecord {
            when_ms,
            step,
            queue,
            attempt: item.progress.get(at).map_or(0, |progress| progress.attempts) + 1,
            next_try: if one.fate == Fate::Waiting { one.next_try } else { 0 },
            by: way.remote.as_ref().map_or_else(String::new, Remote::to_string),
            sender: item.item.sender.clone(),
            recipient: recipient.to_owned(),
            policy: way.tls.clone().unwrap_or_default(),
            text: one.reply.to_string(),
            ..MailRecord::default()
        });
    }
    reports.iter().for_each(|report| note_report(office, item, *report));
}

/// A report to the sender that goes by way of the queue.
pub(super) fn note_report(office: &Office, item: &QueueItem, report: QueueId) {
    office.engine.note_mail(&MailRecord {
        when_ms: office.clock.now_ms(),
        step: Step::Reported,
        queue: report.0,
        from_queue: item.id.0,
        recipient: item.item.sender.clone(),
        ..MailRecord::default()
    });
}

/// A line for each recipient.
fn log(office: &Office, outcome: &Outcome, judged: &[Judged], removed: bool) {
    let (item, way) = (&outcome.item, &outcome.way);
    let relay = way.remote.as_ref().map_or_else(|| "none".to_owned(), Remote::to_string);
    let tls = way.tls.as_deref().unwrap_or("none");
    let delay_seconds = office.now() - item.created;
    let (load_ms, send_ms) = (way.load_ms, way.send_ms);
    for one in judged {
        let status = match one.fate {
            Fate::Relayed => "sent",
            Fate::Waiting => "deferred",
            Fate::Failed => "bounced",
        };
        let at = one.recipient as usize;
        let recipient = item.item.recipients.get(at).map_or("", |recipient| &recipient.address);
        let attempt = item.progress.get(at).map_or(0, |progress| progress.attempts) + 1;
        tracing::info!(
            id = item.id.0, guid = %item.guid, sender = %item.item.sender.escape_debug(), recipient = %recipient.escape_debug(), relay, tls,
            status, attempt, delay_seconds, load_ms, send_ms, next_try = one.next_try, reply = %one.reply, "outbound"
        );
    }
    if removed {
        tracing::info!(id = item.id.0, delay_seconds, "off the queue");
    }
}
