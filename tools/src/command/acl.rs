//! acl.
use super::{Context, End, unexpected};
use crate::cli::AclCommand;
use crate::ops::{Failure, Request, Response};

pub(super) fn acl(context: &mut Context<'_>, command: AclCommand) -> Result<End, Failure> {
    match command {
        AclCommand::List { account, mailbox } => context.list(Request::AclList { account, mailbox, after: None }),
        AclCommand::Set { account, mailbox, who, rights } => {
            let done = format!("rights of {who} set: {rights}");
            change(context, Request::AclSet { account, mailbox, who, rights }, &done)
        }
        AclCommand::Remove { account, mailbox, who } => {
            let done = format!("rights of {who} removed");
            change(context, Request::AclSet { account, mailbox, who, rights: String::new() }, &done)
        }
    }
}

fn change(context: &mut Context<'_>, request: Request, done: &str) -> Result<End, Failure> {
    match context.session.ask(&request)? {
        Response::Changed { results } => match results.into_iter().flatten().next() {
            Some(failure) => Err(failure),
            None => {
                context.show.done(done);
                Ok(End::Done)
            }
        },
        other => Err(unexpected(&other)),
    }
}
