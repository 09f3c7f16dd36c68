//! trace: a message's way, for people, as JSON or as CSV.
use super::{Context, End, unexpected};
use crate::cli::TraceArgs;
use crate::ops::{Failure, Kind, Request, Response, TraceFilter, View};
use crate::time;
use posthouse_engine::base::{Clock, SystemClock};
use serde_json::Value;
use std::io::{self, Write};

/// Columns of the CSV, which are the fields of a step.
const COLUMNS: [&str; 22] = [
    "when",
    "step",
    "id",
    "queue",
    "from_queue",
    "account",
    "mailbox",
    "uid",
    "size_bytes",
    "attempt",
    "next_try",
    "from",
    "by",
    "sender",
    "recipient",
    "message_id",
    "subject",
    "policy",
    "text",
    "connection",
    "count",
    "session",
];

/// What is shown where nobody has said how much.
const STEPS_SHOWN: usize = 100_000;

fn moment(text: Option<&str>) -> Result<Option<i64>, Failure> {
    let Some(text) = text else { return Ok(None) };
    match time::parse_day_or_rfc3339(text) {
        Some(seconds) => Ok(Some(seconds)),
        None => {
            let text = format!("{text:?} is no time; allowed: 2026-11-24 or 2026-11-24T04:30:00Z");
            Err(Failure::new(Kind::Refused, text))
        }
    }
}

pub(super) fn trace(context: &mut Context<'_>, args: TraceArgs) -> Result<End, Failure> {
    let TraceArgs { what, last, since, until, csv, limit } = args;
    let last = last.map(|age| SystemClock.now().saturating_sub_unsigned(age.seconds));
    let filter = TraceFilter { what, since: moment(since.as_deref())?.or(last), until: moment(until.as_deref())? };
    let limit_or_all = limit.unwrap_or(if csv { usize::MAX } else { STEPS_SHOWN });
    let (mut after, mut left, mut list) = (None, limit_or_all, context.show.list());
    let mut is_cut = false;
    if csv {
        line(&COLUMNS.map(str::to_owned));
    }
    while left > 0 {
        let (rows, next) = match context.session.ask(&Request::Trace { after, filter: filter.clone() })? {
            Response::Listed { rows, next } => (rows, next),
            other => return Err(unexpected(&other)),
        };
        let shown = rows.len().min(left);
        if csv {
            rows[..shown].iter().for_each(|row| line(&cells(row)));
        } else {
            list.rows(&rows[..shown]);
        }
        left -= shown;
        after = next.and_then(|next| next.parse().ok());
        is_cut = left == 0 && (shown < rows.len() || after.is_some());
        if after.is_none() {
            break;
        }
    }
    if !csv {
        list.end();
    }
    if is_cut {
        eprintln!(
            "posthouse: these are the first {limit_or_all} steps, there are more: --limit NUMBER, or a shorter time"
        );
        return Ok(if limit.is_some() { End::Done } else { End::LeftOut });
    }
    if let Some(named) = filter.what.filter(|_| left == limit_or_all && left > 0) {
        eprintln!(
            "posthouse: the mail log has nothing of {named:?} in that time; it keeps mail_log.keep_days, and \"posthouse trace\" alone shows all"
        );
    }
    Ok(End::Done)
}

fn cells(row: &View) -> [String; 22] {
    let row = serde_json::to_value(row).unwrap_or(Value::Null);
    COLUMNS.map(|column| match &row[column] {
        Value::Null => String::new(),
        Value::Number(seconds) if ["when", "next_try"].contains(&column) => {
            time::rfc3339(seconds.as_i64().unwrap_or_default())
        }
        Value::String(text) => text.clone(),
        other => other.to_string(),
    })
}

/// RFC 4180. A cell that a spreadsheet would take for a formula gets an apostrophe in front: subjects are written by anybody.
fn line(cells: &[String]) {
    let cell = |text: &String| {
        let guard = if text.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
        if guard.is_empty() && !text.contains([',', '"', '\n', '\r']) {
            return text.clone();
        }
        format!("\"{guard}{}\"", text.replace('"', "\"\""))
    };
    let line: Vec<String> = cells.iter().map(cell).collect();
    // A reader that has gone is let go.
    let _ = write!(io::stdout().lock(), "{}\r\n", line.join(","));
}
