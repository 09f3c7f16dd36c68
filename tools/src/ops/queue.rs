//! The queue as it is shown, and taking a message off it. Sends nothing.
use super::view::QueuedView;
use super::{Failure, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::Engine;
use posthouse_engine::base::QueueId;
use posthouse_engine::queue::{QueueItem, QueueState};

pub(super) fn list(engine: &Engine, after: Option<u64>) -> Response {
    let all = engine.queue();
    let mut rest = all.iter().filter(|item| after.is_none_or(|after| item.id.0 > after));
    let page: Vec<_> = rest.by_ref().take(PAGE_ROWS_MAX).collect();
    let next = page.last().filter(|_| rest.next().is_some()).map(|item| item.id.to_string());
    Response::Listed { rows: page.into_iter().map(|item| View::Queued(view(item))).collect(), next }
}

pub(super) fn show(engine: &Engine, id: u64) -> Result<Response, Failure> {
    let all = engine.queue();
    let found = all.iter().find(|item| item.id == QueueId(id));
    let item = found.ok_or_else(|| Failure::not_found(format_args!("queue item {id}")))?;
    Ok(Response::Shown { view: View::Queued(view(item)) })
}

pub(super) fn remove(engine: &Engine, id: u64) -> Result<Response, Failure> {
    engine.queue_remove(QueueId(id)).wait()?;
    Ok(Response::Done)
}

fn view(item: &QueueItem) -> QueuedView {
    let state = match item.state {
        QueueState::Active => "active",
        QueueState::Deferred => "deferred",
        QueueState::Hold => "hold",
    };
    QueuedView {
        id: item.id.0,
        state: state.to_owned(),
        sender: item.item.sender.clone(),
        recipients: item.item.recipients.iter().map(|recipient| recipient.address.clone()).collect(),
        size_bytes: item.size_bytes.into(),
        guid: item.guid.to_string(),
        created: item.created,
        next_try: item.next_try,
    }
}
