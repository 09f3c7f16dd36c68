//! `member import`: thousands of members from a CSV file, in batches of bounded size. A refused row is told with its line and stops
//! nothing; a row is never taken in part without saying so.
mod rows;

use super::{Context, End, unexpected};
use crate::limits::{IMPORT_BATCH_ROWS, IMPORT_FAILURES_KEPT_MAX};
use crate::ops::{Change, Failure, Kind, Request, Response};
use crate::password;
use crate::progress::Progress;
use rows::{Password, Row, Rows};
use serde::Serialize;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// A row that was not taken, or not whole.
#[derive(Debug, Serialize)]
struct Refused {
    /// From 1; the header's is 1.
    line: u64,
    address: String,
    error: String,
}

/// What came of it all.
#[derive(Default, Serialize)]
struct Report {
    imported: u64,
    refused: u64,
    rows: Vec<Refused>,
}

/// A row whose password is a hash already.
struct Ready {
    row: Row,
    hash: Option<String>,
}

pub(super) fn run(context: &mut Context<'_>, file: &Path) -> Result<End, Failure> {
    let shown = file.display().to_string();
    let failed = |error: io::Error| Failure::io(&shown, &error);
    let (input, size_bytes): (Box<dyn Read>, u64) = if shown == "-" {
        (Box::new(io::stdin().lock()), 0)
    } else {
        let file = File::open(file).map_err(failed)?;
        let size_bytes = file.metadata().map_err(failed)?.len();
        (Box::new(file), size_bytes)
    };
    let mut rows = Rows::new(input).map_err(|what| Failure::new(Kind::Refused, format!("{shown}: {what}")))?;
    let mut import = Import { shown, report: Report::default(), progress: Progress::new(size_bytes) };
    loop {
        let batch = import.read(&mut rows);
        if batch.is_empty() && rows.ended() {
            break;
        }
        import.commit(context, batch)?;
        let Report { imported, refused, .. } = import.report;
        import.progress.at(rows.position_bytes(), || format!("{imported} imported, {refused} refused"));
    }
    import.progress.end();
    let Report { imported, refused, .. } = import.report;
    if context.show.json {
        context.show.json_value(&import.report);
    } else {
        context.show.done(&format!("{imported} members imported, {refused} rows refused"));
    }
    Ok(if refused == 0 { End::Done } else { End::Partly })
}

/// Reads a whole member file; answers how many of its rows can be used.
pub fn read_members(csv: Vec<u8>) -> usize {
    let Ok(mut rows) = Rows::new(Box::new(io::Cursor::new(csv))) else { return 0 };
    std::iter::from_fn(|| rows.next()).filter(Result::is_ok).count()
}

struct Import {
    shown: String,
    report: Report,
    progress: Progress,
}

impl Import {
    fn refuse(&mut self, line: u64, address: &str, error: impl ToString) {
        let error = error.to_string();
        self.progress.tell(&format!("{}:{line}: {error}", self.shown));
        self.report.refused += 1;
        if self.report.rows.len() < IMPORT_FAILURES_KEPT_MAX {
            self.report.rows.push(Refused { line, address: address.to_owned(), error });
        }
    }

    /// The next rows that can be read, at most a batch.
    fn read(&mut self, rows: &mut Rows) -> Vec<Row> {
        let mut batch = Vec::with_capacity(IMPORT_BATCH_ROWS);
        while batch.len() < IMPORT_BATCH_ROWS {
            match rows.next() {
                None => break,
                Some(Ok(row)) => batch.push(row),
                Some(Err((line, what))) => self.refuse(line, "", what),
            }
        }
        batch
    }

    /// Members first; then the aliases of those that were taken, so that a refused row gives nobody an alias.
    fn commit(&mut self, context: &mut Context<'_>, batch: Vec<Row>) -> Result<(), Failure> {
        let mut ready = Vec::with_capacity(batch.len());
        for (row, hash) in hash_all(batch) {
            match hash {
                Ok(hash) => ready.push(Ready { row, hash }),
                Err(failure) => self.refuse(row.line, &row.address, failure),
            }
        }
        let members = ready.iter().map(|ready| member_add(&ready.row, ready.hash.clone())).collect();
        let results = ask(context, members)?;
        let mut aliases = Vec::new();
        for (Ready { row, .. }, refused) in ready.into_iter().zip(results) {
            match refused {
                Some(failure) => self.refuse(row.line, &row.address, failure),
                None if row.aliases.is_empty() => self.report.imported += 1,
                None => aliases.push(row),
            }
        }
        self.commit_aliases(context, &aliases)
    }

    fn commit_aliases(&mut self, context: &mut Context<'_>, rows: &[Row]) -> Result<(), Failure> {
        let of = |row: &Row| -> Vec<Change> {
            let add = |alias: &String| Change::AliasAdd { account: row.address.clone(), alias: alias.clone() };
            row.aliases.iter().map(add).collect()
        };
        let mut results = ask(context, rows.iter().flat_map(of).collect())?.into_iter();
        for row in rows {
            let failures: Vec<String> =
                results.by_ref().take(row.aliases.len()).flatten().map(|failure| failure.to_string()).collect();
            if failures.is_empty() {
                self.report.imported += 1;
            } else {
                self.refuse(
                    row.line,
                    &row.address,
                    format!("member added, but not all aliases: {}", failures.join("; ")),
                );
            }
        }
        Ok(())
    }
}

fn member_add(row: &Row, password_hash: Option<String>) -> Change {
    Change::MemberAdd {
        address: row.address.clone(),
        name: row.name.clone(),
        password_hash,
        vip: row.vip,
        quota: row.quota.clone(),
    }
}

fn ask(context: &mut Context<'_>, changes: Vec<Change>) -> Result<Vec<Option<Failure>>, Failure> {
    if changes.is_empty() {
        return Ok(Vec::new());
    }
    match context.session.ask(&Request::Change { changes })? {
        Response::Changed { results } => Ok(results),
        other => Err(unexpected(&other)),
    }
}

type Hashed = (Row, Result<Option<String>, Failure>);

/// Hashes on every core: a hash costs tens of milliseconds by design.
fn hash_all(batch: Vec<Row>) -> Vec<Hashed> {
    let hash = |row: &Row| match &row.password {
        Password::None => Ok(None),
        Password::Plain(plain) => password::hashed(plain).map(Some),
        Password::Hash(hash) => password::checked(hash).map(Some),
    };
    let per_thread = batch.len().div_ceil(crate::store::cores()).max(1);
    let hashes: Vec<Result<Option<String>, Failure>> = std::thread::scope(|threads| {
        let work: Vec<_> = batch
            .chunks(per_thread)
            .map(|rows| threads.spawn(move || rows.iter().map(hash).collect::<Vec<_>>()))
            .collect();
        let lost = || Failure::new(Kind::Failed, "the password could not be hashed");
        let sizes = batch.chunks(per_thread).map(<[Row]>::len);
        let joined = work.into_iter().zip(sizes);
        joined.flat_map(|(thread, size)| thread.join().unwrap_or_else(|_| vec![Err(lost()); size])).collect()
    });
    batch.into_iter().zip(hashes).collect()
}
