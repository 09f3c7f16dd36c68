//! The queue as it is shown, and what an operator does to messages in it. Sends nothing: a running server takes up what has changed.
use super::view::{QueuedView, WaitingView};
use super::{Failure, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::base::{Clock, QueueId, SystemClock};
use posthouse_engine::queue::{Fate, QueueItem, QueueState};
use posthouse_engine::trace::{MailRecord, Step};
use posthouse_engine::{Engine, QueueAction};
use serde::{Deserialize, Serialize};

/// Which messages; what is absent does not count.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct QueueFilter {
    /// The sender contains this, in any case; `<>` is the null sender.
    pub sender: Option<String>,
    /// A recipient that still waits contains this, in any case.
    pub recipient: Option<String>,
    /// A recipient that still waits is in this domain.
    pub domain: Option<String>,
    /// Where it stands.
    pub state: Option<State>,
    /// It has been here for longer than so many seconds.
    pub older_than_seconds: Option<u64>,
}

/// Where a message stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// To be tried.
    Active,
    /// Tried, and to be tried again.
    Deferred,
    /// Not to be tried until released.
    Hold,
}

/// What is done to messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Act {
    /// Not to be tried until released.
    Hold,
    /// No longer on hold, and to be tried now.
    Release,
    /// To be tried now, unless on hold.
    Retry,
    /// Away with them; nobody is told.
    Remove,
}

impl Act {
    fn to_engine(self) -> QueueAction {
        match self {
            Act::Hold => QueueAction::Hold,
            Act::Release => QueueAction::Release,
            Act::Retry => QueueAction::Retry,
            Act::Remove => QueueAction::Remove,
        }
    }
}

impl State {
    fn of(state: QueueState) -> State {
        match state {
            QueueState::Active => State::Active,
            QueueState::Deferred => State::Deferred,
            QueueState::Hold => State::Hold,
        }
    }
}

impl QueueFilter {
    /// Whether it lets everything through.
    pub fn is_empty(&self) -> bool {
        *self == QueueFilter::default()
    }

    fn fits(&self, item: &QueueItem, now: i64) -> bool {
        let contains = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let sender = match item.item.sender.as_str() {
            "" => "<>",
            sender => sender,
        };
        let in_domain = |address: &str| {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            self.domain.as_ref().is_none_or(|wanted| domain.eq_ignore_ascii_case(wanted))
        };
        let age = u64::try_from(now - item.created).unwrap_or(0);
        let any = self.recipient.is_none() && self.domain.is_none();
        self.state.is_none_or(|state| state == State::of(item.state))
            && self.older_than_seconds.is_none_or(|seconds| age > seconds)
            && contains(sender, &self.sender)
            && (any
                || item.waiting().any(|(_, one, _)| contains(&one.address, &self.recipient) && in_domain(&one.address)))
    }
}

fn page(engine: &Engine, after: u64, filter: &QueueFilter, count: usize) -> Vec<std::sync::Arc<QueueItem>> {
    let now = SystemClock.now();
    engine.queue_page(QueueId(after), count, |item| filter.fits(item, now))
}

pub(super) fn list(engine: &Engine, after: Option<u64>, filter: &QueueFilter) -> Response {
    let mut items = page(engine, after.unwrap_or(0), filter, PAGE_ROWS_MAX + 1);
    let more = items.len() > PAGE_ROWS_MAX;
    items.truncate(PAGE_ROWS_MAX);
    let next = items.last().filter(|_| more).map(|item| item.id.to_string());
    Response::Listed { rows: items.iter().map(|item| View::Queued(view(item, false))).collect(), next }
}

pub(super) fn show(engine: &Engine, id: u64) -> Result<Response, Failure> {
    let item = engine.queue_item(QueueId(id));
    let item = item.ok_or_else(|| Failure::not_found(format_args!("queue item {id}")))?;
    Ok(Response::Shown { view: View::Queued(view(&item, true)) })
}

/// Does it to the messages named, or to all that the filter lets through.
pub(super) fn act(engine: &Engine, act: Act, ids: &[u64], filter: Option<&QueueFilter>) -> Result<Response, Failure> {
    let mut changed = 0;
    let mut apply = |ids: &[QueueId]| -> Result<(), Failure> {
        for ticket in engine.queue_act(ids, act.to_engine()) {
            let done = ticket.wait()?;
            done.iter().for_each(|id| note(engine, act, *id));
            changed += done.len() as u64;
        }
        Ok(())
    };
    if let Some(missing) = ids.iter().find(|id| engine.queue_item(QueueId(**id)).is_none()) {
        return Err(Failure::not_found(format_args!("queue item {missing}")));
    }
    apply(&ids.iter().copied().map(QueueId).collect::<Vec<_>>())?;
    let mut after = 0;
    while let Some(filter) = filter {
        let items = page(engine, after, filter, PAGE_ROWS_MAX);
        let Some(last) = items.last() else { break };
        after = last.id.0;
        apply(&items.iter().map(|item| item.id).collect::<Vec<_>>())?;
    }
    Ok(Response::Acted { changed })
}

/// A step in the mail log.
fn note(engine: &Engine, act: Act, id: QueueId) {
    let text = match act {
        Act::Hold => "put on hold",
        Act::Release => "released from hold",
        Act::Retry => "to be tried at once",
        Act::Remove => "removed from the queue; nobody is told",
    };
    let (when_ms, text) = (SystemClock.now_ms(), text.to_owned());
    engine.note_mail(&MailRecord { when_ms, step: Step::Handled, queue: id.0, text, ..MailRecord::default() });
}

fn view(item: &QueueItem, whole: bool) -> QueuedView {
    let waiting = item.waiting().map(|(.., progress)| progress);
    let last = waiting.max_by_key(|progress| (progress.attempts, !progress.reply.is_empty()));
    let one =
        |(recipient, progress): (&posthouse_engine::queue::QueueRecipient, &posthouse_engine::queue::Progress)| {
            let is_waiting = progress.fate == Fate::Waiting;
            WaitingView {
                recipient: recipient.address.clone(),
                fate: match progress.fate {
                    Fate::Waiting => "waiting",
                    Fate::Relayed => "relayed",
                    Fate::Failed => "failed",
                }
                .to_owned(),
                attempts: progress.attempts,
                next_try: is_waiting.then_some(progress.next_try),
                reply: progress.reply.to_string(),
            }
        };
    let all = item.item.recipients.iter().zip(&item.progress);
    QueuedView {
        id: item.id.0,
        state: State::of(item.state),
        sender: item.item.sender.clone(),
        recipients: item.waiting().map(|(_, recipient, _)| recipient.address.clone()).collect(),
        size_bytes: item.size_bytes.into(),
        guid: item.guid.to_string(),
        created: item.created,
        attempts: last.map_or(0, |progress| progress.attempts),
        next_try: item.next_try,
        reply: last.map_or_else(String::new, |progress| progress.reply.to_string()),
        progress: if whole { all.map(one).collect() } else { Vec::new() },
    }
}
