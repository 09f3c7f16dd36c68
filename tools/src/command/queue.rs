//! queue, status.
use super::{Context, End, unexpected};
use crate::cli::{QueueCommand, QueueFilterArgs, QueueWhich};
use crate::ops::{Act, Failure, Kind, QueueFilter, Request, Response};
use std::io::Write;

pub(super) fn queue(context: &mut Context<'_>, command: QueueCommand) -> Result<End, Failure> {
    match command {
        QueueCommand::List { filter } => context.list(Request::QueueList { after: None, filter: filter.into() }),
        QueueCommand::Show { id, message: false } => context.show(&Request::QueueShow { id }),
        QueueCommand::Show { id, message: true } => {
            let message = context.session.bytes(&Request::QueueMessage { id })?;
            let written = std::io::stdout().write_all(&message);
            written.map_err(|error| Failure::io("standard output", &error))?;
            Ok(End::Done)
        }
        QueueCommand::Hold { which } => act(context, Act::Hold, which, "on hold"),
        QueueCommand::Release { which } => act(context, Act::Release, which, "released"),
        QueueCommand::Retry { which } => act(context, Act::Retry, which, "to be tried now"),
        QueueCommand::Remove { which } => act(context, Act::Remove, which, "removed"),
        QueueCommand::Flush { filter } => {
            act(context, Act::Retry, QueueWhich { ids: Vec::new(), all: true, filter }, "to be tried now")
        }
    }
}

impl From<QueueFilterArgs> for QueueFilter {
    fn from(args: QueueFilterArgs) -> QueueFilter {
        let QueueFilterArgs { sender, recipient, domain, reply, tenant, account, state, older_than } = args;
        let older_than_seconds = older_than.map(|age| age.seconds);
        QueueFilter { sender, recipient, domain, reply, tenant, account, state, older_than_seconds }
    }
}

fn act(context: &mut Context<'_>, act: Act, which: QueueWhich, done: &str) -> Result<End, Failure> {
    let filter = QueueFilter::from(which.filter);
    let by_filter = which.all || !filter.is_empty();
    if by_filter != which.ids.is_empty() {
        let text = "which messages? allowed: their numbers, or filters such as --domain, or --all";
        return Err(Failure::new(Kind::Refused, text));
    }
    let filter = by_filter.then_some(filter);
    match context.session.ask(&Request::QueueAct { act, ids: which.ids, filter })? {
        Response::Acted { changed } => {
            let what = if changed == 1 { "message" } else { "messages" };
            context.show.done(&format!("{changed} {what} {done}"));
            Ok(End::Done)
        }
        other => Err(unexpected(&other)),
    }
}

pub(super) fn status(context: &mut Context<'_>) -> Result<End, Failure> {
    match context.session.ask(&Request::Status)? {
        Response::Status { status } => {
            context.show.status(&status);
            Ok(End::Done)
        }
        other => Err(unexpected(&other)),
    }
}
