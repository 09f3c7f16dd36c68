//! The recycle bin: list, restore, hand over, purge.
use super::{Context, End, unexpected};
use crate::cli::{PurgeArgs, RemovedCommand};
use crate::ops::bulk::{Answer, Ask};
use crate::ops::{Change, Failure, Kind, RemovedView, Request, Response, View};
use crate::progress::Progress;
use crate::time::rfc3339;
use posthouse_engine::index::check_mailbox_name;
use serde::Serialize;
use std::time::SystemTime;

/// `kind` is `member` or `business`.
pub(super) fn run(context: &mut Context<'_>, kind: &str, command: RemovedCommand) -> Result<End, Failure> {
    match command {
        RemovedCommand::List => {
            let rows: Vec<View> = all(context, Some(kind))?.into_iter().map(View::Removed).collect();
            let mut list = context.show.list();
            list.rows(&rows);
            list.end();
            Ok(End::Done)
        }
        RemovedCommand::Restore { name, address } => {
            let row = find(context, Some(kind), &name)?;
            let shown = address.clone().unwrap_or(row.address);
            context.change(Change::AccountRestore { number: row.number, address }, &format!("{shown} restored"))
        }
        RemovedCommand::HandOver { name, to, folder } => {
            let row = find(context, Some(kind), &name)?;
            let folder = folder.unwrap_or_else(|| row.address.clone());
            hand_over(context, &row, &to, &folder)
        }
        RemovedCommand::Purge { names, args } if names.is_empty() => {
            let rows = old_enough(all(context, Some(kind))?, &args);
            purge(context, rows, args.dry_run)
        }
        RemovedCommand::Purge { names, args } => {
            let rows = names.iter().map(|name| find(context, Some(kind), name)).collect::<Result<_, _>>()?;
            purge(context, rows, args.dry_run)
        }
    }
}

/// Members' and business mailboxes that were kept long enough.
pub(super) fn purge_all(context: &mut Context<'_>, args: &PurgeArgs) -> Result<End, Failure> {
    let rows = old_enough(all(context, None)?, args);
    purge(context, rows, args.dry_run)
}

/// Everything in the bin, or what is of one kind.
fn all(context: &mut Context<'_>, kind: Option<&str>) -> Result<Vec<RemovedView>, Failure> {
    let (mut out, mut after) = (Vec::new(), None);
    loop {
        let Response::Listed { rows, next } = context.session.ask(&Request::RemovedList { after })? else {
            return Err(Failure::new(Kind::Failed, "a list was expected"));
        };
        out.extend(rows.into_iter().filter_map(|row| match row {
            View::Removed(row) if kind.is_none_or(|kind| row.kind == kind) => Some(row),
            _ => None,
        }));
        match next.and_then(|next| next.parse().ok()) {
            Some(next) => after = Some(next),
            None => return Ok(out),
        }
    }
}

/// The one of that number or address.
pub(super) fn find(context: &mut Context<'_>, kind: Option<&str>, name: &str) -> Result<RemovedView, Failure> {
    let rows = all(context, kind)?;
    let is = |row: &&RemovedView| row.number.to_string() == name || row.address.eq_ignore_ascii_case(name);
    let mut found: Vec<&RemovedView> = rows.iter().filter(is).collect();
    match found.len() {
        0 => Err(Failure::not_found(format_args!("{name} in the recycle bin"))),
        1 => Ok(found.remove(0).clone()),
        _ => {
            let numbers: Vec<String> = found.iter().map(|row| row.number.to_string()).collect();
            let text = format!("several had the address {name}; give a number: {}", numbers.join(", "));
            Err(Failure::new(Kind::Refused, text))
        }
    }
}

pub(super) fn now() -> i64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

/// Those whose time is over, and those whose purge was interrupted.
fn old_enough(rows: Vec<RemovedView>, args: &PurgeArgs) -> Vec<RemovedView> {
    let now = now();
    let over = |row: &RemovedView| args.older_than.map_or(row.kept_until, |kept| row.removed + kept) <= now;
    rows.into_iter().filter(|row| row.purge_begun || over(row)).collect()
}

/// What was purged, or would be.
#[derive(Serialize)]
struct Gone {
    number: u64,
    address: String,
    kind: String,
    removed: i64,
    messages: u64,
    bytes: u64,
}

#[derive(Serialize)]
struct Report {
    dry_run: bool,
    purged: Vec<Gone>,
}

fn purge(context: &mut Context<'_>, rows: Vec<RemovedView>, dry_run: bool) -> Result<End, Failure> {
    let mut report = Report { dry_run, purged: Vec::new() };
    let word = if dry_run { "would be purged" } else { "purged" };
    for row in rows {
        let (messages, bytes) = match dry_run {
            true => (row.messages, row.used_bytes),
            false => match context.session.ask(&Request::RemovedPurge { number: row.number })? {
                Response::Purged { messages, bytes } => (messages, bytes),
                other => return Err(unexpected(&other)),
            },
        };
        let RemovedView { number, address, kind, removed, .. } = row;
        if !context.show.json {
            let when = rfc3339(removed);
            context.show.done(&format!(
                "{kind} {address} (number {number}, removed {when}): {messages} messages, {bytes} bytes {word}"
            ));
        }
        report.purged.push(Gone { number, address, kind, removed, messages, bytes });
    }
    if context.show.json {
        context.show.json_value(&report);
    } else {
        context.show.done(&format!("{} mailboxes {word}", report.purged.len()));
    }
    Ok(End::Done)
}

/// What a hand-over did.
#[derive(Default, Serialize)]
struct HandedOver {
    copied: u64,
    known: u64,
    unreadable: Vec<String>,
}

fn hand_over(context: &mut Context<'_>, row: &RemovedView, to: &str, folder: &str) -> Result<End, Failure> {
    let begin = Ask::HandOver { from: row.number, to: to.to_owned(), folder: folder.to_owned() };
    let (Answer::HandOver { to: heir, mailboxes }, _) = context.session.bulk(begin, Vec::new())? else {
        return Err(Failure::new(Kind::Failed, "a list of mailboxes was expected"));
    };
    let mut done = HandedOver::default();
    let mut progress = Progress::new(mailboxes.iter().map(|mailbox| mailbox.messages).sum());
    for mailbox in mailboxes {
        let mut after = Some(0);
        let mut into = format!("{folder}/{}", mailbox.name);
        if check_mailbox_name(&into).is_err() {
            // Below the folder its name is too long or too deep; the mail comes all the same.
            into = format!("{folder}/mailbox-{}", mailbox.id);
        }
        while let Some(from) = after {
            let piece =
                Ask::HandOverPiece { from: row.number, mailbox: mailbox.id, after: from, to: heir, into: into.clone() };
            let answer = context.session.bulk(piece, Vec::new());
            let (Answer::HandedOver { copied, known, unreadable, next }, _) = answer? else {
                return Err(Failure::new(Kind::Failed, "a piece of a mailbox was expected"));
            };
            unreadable.iter().for_each(|line| progress.tell(line));
            done.unreadable.extend(unreadable);
            (done.copied, done.known, after) = (done.copied + copied, done.known + known, next);
            progress.at(done.copied + done.known, || format!("{} messages handed over", done.copied));
        }
    }
    progress.end();
    if context.show.json {
        context.show.json_value(&done);
    } else {
        let (from, HandedOver { copied, known, unreadable }) = (&row.address, &done);
        let unreadable = unreadable.len();
        context.show.done(&format!(
            "{copied} messages of {from} handed over to {to} in {folder}, {known} were there already, {unreadable} unreadable"
        ));
    }
    Ok(if done.unreadable.is_empty() { End::Done } else { End::LeftOut })
}
