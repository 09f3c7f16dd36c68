//! Carries one request out on an open store. Blocks until it is durable; not for reactor threads.
use super::list::{self, Page};
use super::{
    Change, Failure, Kind, Request, Response, ServerFacts, access, acl, compact, files, queue, removed, status, trace,
    usage,
};
use crate::limits::CHANGES_MAX;
use posthouse_engine::Engine;

/// Carries a request out; a failure is an answer like any other.
pub fn run(engine: &Engine, server: ServerFacts<'_>, request: &Request) -> Response {
    let done = match request {
        Request::Change { changes } => change(engine, changes),
        Request::List { what, tenant, contains, after } => {
            let page = Page { what: *what, tenant: tenant.as_deref(), contains, after: after.as_deref() };
            list::list(engine, &page)
        }
        Request::Show { what, name } => list::show(engine, *what, name),
        Request::AclList { account, mailbox, after } => {
            acl::list(engine, account, mailbox.as_deref(), after.as_deref())
        }
        Request::AclSet { account, mailbox, who, rights } => acl::set(engine, account, mailbox.as_deref(), who, rights),
        Request::QueueList { after, filter } => queue::list(engine, *after, filter),
        Request::QueueShow { id } => queue::show(engine, *id),
        Request::QueueAct { act, ids, filter } => queue::act(engine, *act, ids, filter.as_ref()),
        Request::Usage { account, after } => usage::page(engine, account.as_deref(), after.as_deref()),
        Request::AppPasswords { account } => access::app_passwords(engine, account),
        Request::Salt { account } => access::salt(engine, account),
        Request::Logins { before, filter } => access::logins(engine, filter, *before),
        Request::Trace { after, filter } => trace::trace(engine, filter, *after),
        Request::Files => Ok(files::files(engine)),
        Request::Compact(act) => compact::act(engine, *act),
        Request::RemovedList { after } => Ok(removed::list(engine, *after)),
        Request::RemovedPurge { number } => removed::purge(engine, *number),
        Request::Bulk(_) | Request::QueueMessage { .. } => {
            Err(Failure::new(Kind::Refused, "what is answered in bytes is part of a conversation"))
        }
        Request::Status => Ok(Response::Status { status: status::status(engine, server) }),
    };
    done.unwrap_or_else(|failure| Response::Failed { failure })
}

/// Those that can be read go to the directory together; the others keep their place in the answer.
fn change(engine: &Engine, changes: &[Change]) -> Result<Response, Failure> {
    if changes.len() > CHANGES_MAX {
        let text = format!("{} changes in one request; allowed: at most {CHANGES_MAX}", changes.len());
        return Err(Failure::new(Kind::Refused, text));
    }
    let mut results: Vec<Option<Failure>> = Vec::with_capacity(changes.len());
    let mut readable = Vec::with_capacity(changes.len());
    for (at, change) in changes.iter().enumerate() {
        match change.to_engine() {
            Ok(change) => {
                readable.push((at, change));
                results.push(None);
            }
            Err(failure) => results.push(Some(failure)),
        }
    }
    let (places, wanted): (Vec<usize>, Vec<_>) = readable.into_iter().unzip();
    if !wanted.is_empty() {
        let answers = engine.change_directory(wanted).wait();
        assert_eq!(answers.len(), places.len(), "the engine answers every change");
        for (at, answer) in places.into_iter().zip(answers) {
            results[at] = answer.err().map(Failure::from);
        }
    }
    Ok(Response::Changed { results })
}
