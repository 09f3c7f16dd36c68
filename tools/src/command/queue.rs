//! queue, status.
use super::{Context, End, unexpected};
use crate::cli::QueueCommand;
use crate::ops::{Failure, Request, Response};

pub(super) fn queue(context: &mut Context<'_>, command: QueueCommand) -> Result<End, Failure> {
    match command {
        QueueCommand::List => context.list(Request::QueueList { after: None }),
        QueueCommand::Show { id } => context.show(&Request::QueueShow { id }),
        QueueCommand::Remove { id } => match context.session.ask(&Request::QueueRemove { id })? {
            Response::Done => {
                context.show.done(&format!("queue item {id} removed"));
                Ok(End::Done)
            }
            other => Err(unexpected(&other)),
        },
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
