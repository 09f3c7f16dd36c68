//! The queue as it is shown, and what an operator does to messages in it. Sends nothing: a running server takes up what has changed.
use super::list::tenant_id;
use super::view::{QueuedView, WaitingView};
use super::{Failure, Kind, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::base::{AccountId, Clock, QueueId, SystemClock, TenantId};
use posthouse_engine::directory::{Address, normalise_domain};
use posthouse_engine::queue::{Fate, Progress, QueueItem, QueueRecipient, QueueState};
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
    /// What a recipient that still waits heard last contains this, in any case.
    pub reply: Option<String>,
    /// Somebody of this tenant has sent it, or sent it on.
    pub tenant: Option<String>,
    /// This account has sent it, or sent it on.
    pub account: Option<String>,
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
}

/// A filter with its names looked up.
struct Wanted<'a> {
    filter: &'a QueueFilter,
    domain: Option<String>,
    tenant: Option<TenantId>,
    account: Option<AccountId>,
}

/// As it is compared; an address literal is no name.
fn domain_as_compared(domain: &str) -> String {
    normalise_domain(domain).unwrap_or_else(|_| domain.to_lowercase())
}

impl<'a> Wanted<'a> {
    fn of(engine: &Engine, filter: &'a QueueFilter) -> Result<Wanted<'a>, Failure> {
        let account = |text: &String| {
            let address = Address::parse(text)?;
            let found = engine.directory(|directory| directory.account_at(&address).map(|account| account.id));
            found.ok_or_else(|| Failure::not_found(format_args!("account {address}")))
        };
        Ok(Wanted {
            filter,
            domain: filter.domain.as_deref().map(domain_as_compared),
            tenant: filter.tenant.as_deref().map(|name| tenant_id(engine, name)).transpose()?,
            account: filter.account.as_ref().map(account).transpose()?,
        })
    }

    fn fits(&self, engine: &Engine, item: &QueueItem, now: i64) -> bool {
        let filter = self.filter;
        let contains = |text: &str, part: &Option<String>| {
            part.as_ref().is_none_or(|part| text.to_lowercase().contains(&part.to_lowercase()))
        };
        let sender = match item.item.sender.as_str() {
            "" => "<>",
            sender => sender,
        };
        let in_domain = |address: &str| {
            let domain = address.rsplit_once('@').map_or("", |(_, domain)| domain);
            self.domain.as_ref().is_none_or(|wanted| domain_as_compared(domain) == *wanted)
        };
        let age = u64::try_from(now - item.created).unwrap_or(0);
        let any = filter.recipient.is_none() && filter.domain.is_none() && filter.reply.is_none();
        let is_one = |recipient: &QueueRecipient, progress: &Progress| {
            contains(&recipient.address, &filter.recipient)
                && in_domain(&recipient.address)
                && contains(&progress.reply, &filter.reply)
        };
        filter.state.is_none_or(|state| state == State::of(item.state))
            && filter.older_than_seconds.is_none_or(|seconds| age > seconds)
            && contains(sender, &filter.sender)
            && (any || item.waiting().any(|(_, recipient, progress)| is_one(recipient, progress)))
            && self.is_theirs(engine, item)
    }

    /// Whether those who are asked for have sent it, or sent it on.
    fn is_theirs(&self, engine: &Engine, item: &QueueItem) -> bool {
        if self.tenant.is_none() && self.account.is_none() {
            return true;
        }
        let by = item.item.passed.last().unwrap_or(&item.item.sender);
        engine.directory(|directory| {
            // A receipt or an automatic answer has the null sender.
            let own = item.item.account.filter(|_| by.is_empty()).and_then(|account| directory.account(account));
            let Some(by) = own.map(|own| own.address.clone()).or_else(|| Address::parse(by).ok()) else { return false };
            let of_tenant = |id| directory.domain(by.domain()).is_some_and(|domain| domain.tenant == id);
            let of_account = |id| directory.account_at(&by).is_some_and(|account| account.id == id);
            self.tenant.is_none_or(of_tenant) && self.account.is_none_or(of_account)
        })
    }

    fn page(&self, engine: &Engine, after: u64, count: usize) -> Vec<std::sync::Arc<QueueItem>> {
        let now = SystemClock.now();
        engine.queue_page(QueueId(after), count, |item| self.fits(engine, item, now))
    }
}

pub(super) fn list(engine: &Engine, after: Option<u64>, filter: &QueueFilter) -> Result<Response, Failure> {
    let mut items = Wanted::of(engine, filter)?.page(engine, after.unwrap_or(0), PAGE_ROWS_MAX + 1);
    let more = items.len() > PAGE_ROWS_MAX;
    items.truncate(PAGE_ROWS_MAX);
    let next = items.last().filter(|_| more).map(|item| item.id.to_string());
    Ok(Response::Listed { rows: items.iter().map(|item| View::Queued(view(item, false))).collect(), next })
}

pub(super) fn show(engine: &Engine, id: u64) -> Result<Response, Failure> {
    let item = engine.queue_item(QueueId(id)).ok_or_else(|| missing(id))?;
    Ok(Response::Shown { view: View::Queued(view(&item, true)) })
}

fn missing(id: u64) -> Failure {
    Failure::not_found(format_args!("queue item {id}"))
}

/// The message of one, as it was accepted.
pub fn message(engine: &Engine, id: u64) -> Result<(Response, Vec<u8>), Failure> {
    engine.queue_item(QueueId(id)).ok_or_else(|| missing(id))?;
    let message = engine.queue_message(QueueId(id)).wait()?.to_vec();
    Ok((Response::Message { bytes: message.len() as u64 }, message))
}

/// Does it to the messages named, or to all that the filter lets through.
pub(super) fn act(engine: &Engine, act: Act, ids: &[u64], filter: Option<&QueueFilter>) -> Result<Response, Failure> {
    let apply = |ids: &[QueueId]| -> Result<Vec<QueueId>, Failure> {
        let mut all = Vec::new();
        for ticket in engine.queue_act(ids, act.to_engine()) {
            let done = ticket.wait()?;
            done.iter().for_each(|id| note(engine, act, *id));
            all.extend(done);
        }
        Ok(all)
    };
    if let Some(id) = ids.iter().find(|id| engine.queue_item(QueueId(**id)).is_none()) {
        return Err(missing(*id));
    }
    let done = apply(&ids.iter().copied().map(QueueId).collect::<Vec<_>>())?;
    let left: Vec<u64> = ids.iter().copied().filter(|id| !done.contains(&QueueId(*id))).collect();
    if !left.is_empty() {
        return Err(nothing_to_do(act, &left, done.len()));
    }
    let mut changed = done.len() as u64;
    let wanted = filter.map(|filter| Wanted::of(engine, filter)).transpose()?;
    let mut after = 0;
    while let Some(wanted) = &wanted {
        let items = wanted.page(engine, after, PAGE_ROWS_MAX);
        let Some(last) = items.last() else { break };
        after = last.id.0;
        changed += apply(&items.iter().map(|item| item.id).collect::<Vec<_>>())?.len() as u64;
    }
    Ok(Response::Acted { changed })
}

/// Who names a message wants something to happen to it.
fn nothing_to_do(act: Act, ids: &[u64], others: usize) -> Failure {
    let why = match act {
        Act::Hold => "on hold already",
        Act::Release => {
            "not on hold (allowed: posthouse queue retry), or held by its sender until its next_try, before which nothing sends it"
        }
        Act::Retry => {
            "on hold (allowed: posthouse queue release), or held by its sender until its next_try, before which nothing sends it"
        }
        Act::Remove => "gone already",
    };
    let named: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let others = if others > 0 { format!(" ({others} others: done)") } else { String::new() };
    Failure::new(Kind::Refused, format!("queue item {}: {why}{others}", named.join(", ")))
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
    let one = |(recipient, progress): (&QueueRecipient, &Progress)| {
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
