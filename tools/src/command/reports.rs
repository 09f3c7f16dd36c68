//! reports: what other hosts say of our mail, summed up from the messages in the mailbox that gets their reports. Keeps nothing.
use super::{Context, End};
use crate::cli::ReportsArgs;
use crate::limits::REPORT_SUMS_MAX;
use crate::ops::bulk::{AccountRow, Answer, Ask, MailboxRow, Scope};
use crate::ops::{Failure, Kind};
use posthouse_engine::base::{Clock, SystemClock};
use posthouse_engine::directory::normalise_domain;
use posthouse_protocols::received_reports::{self as received, Received, Row};
use serde::Serialize;
use std::collections::{BTreeMap, HashSet};

const DAY: i64 = 86_400;

/// A line of the answer.
#[derive(Debug, Serialize)]
#[serde(tag = "is", rename_all = "snake_case")]
enum Line {
    Report(OneReport),
    DmarcSource(DmarcSource),
    TlsSource(TlsSource),
}

#[derive(Debug, Serialize)]
struct OneReport {
    /// Seconds since 1970-01-01 UTC: when its time begins.
    when: i64,
    kind: &'static str,
    reporter: String,
    domains: Vec<String>,
    count: u64,
    passed: u64,
    id: String,
}

/// What came from a host in a domain's name.
#[derive(Debug, Default, Serialize)]
struct DmarcSource {
    domain: String,
    source: String,
    messages: u64,
    passed: u64,
    dkim: u64,
    spf: u64,
    quarantined: u64,
    rejected: u64,
}

/// How connections to a domain's host went.
#[derive(Debug, Default, Serialize)]
struct TlsSource {
    domain: String,
    host: String,
    sessions: u64,
    failed: u64,
    why: String,
}

fn kind(of: received::Kind) -> &'static str {
    match of {
        received::Kind::Dmarc => "dmarc",
        received::Kind::Tls => "tls",
    }
}

/// What is asked for, and what was found of it.
struct Search {
    domain: Option<String>,
    since: i64,
    /// Those that have been read: reporters send one again.
    seen: HashSet<(received::Kind, String, String)>,
    reports: Vec<OneReport>,
    sums: BTreeMap<(received::Kind, String, String, String), Row>,
    /// Lines for which there was no room.
    left_out: u64,
    unreadable: u64,
}

pub(super) fn reports(context: &mut Context<'_>, args: ReportsArgs) -> Result<End, Failure> {
    let domain = args.domain.as_deref().map(normalise_domain).transpose()?;
    let since = SystemClock.now() - i64::from(args.days) * DAY;
    let (seen, reports, sums) = Default::default();
    let mut search = Search { domain, since, seen, reports, sums, left_out: 0, unreadable: 0 };
    let (account, mailbox) = place(context, &args)?;
    let mut after = 0;
    loop {
        let ask = Ask::Fetch { account: account.id, mailbox: mailbox.id, after };
        let (Answer::Fetched { messages, next }, bytes) = context.session.bulk(ask, Vec::new())? else {
            return Err(unexpected());
        };
        let mut rest = &bytes[..];
        for message in messages {
            let (own, others) = rest.split_at_checked(message.size as usize).ok_or_else(unexpected)?;
            rest = others;
            // Reports come on the day after the one that they are about, or somewhat later.
            if message.date >= since {
                search.message(message.uid, own);
            }
        }
        match next {
            Some(uid) => after = uid,
            None => break,
        }
    }
    Ok(search.show(context, args.list))
}

fn unexpected() -> Failure {
    Failure::new(Kind::Failed, "the store answered something else than was asked")
}

fn place(context: &mut Context<'_>, args: &ReportsArgs) -> Result<(AccountRow, MailboxRow), Failure> {
    let scope = Scope::Account { address: args.account.clone() };
    let (Answer::Accounts { accounts, .. }, _) =
        context.session.bulk(Ask::Accounts { scope, after: None }, Vec::new())?
    else {
        return Err(unexpected());
    };
    let Some(account) = accounts.into_iter().next() else {
        return Err(Failure::not_found(format_args!("account {}", args.account)));
    };
    let ask = Ask::Mailboxes { account: account.id };
    let (Answer::Mailboxes { mailboxes }, _) = context.session.bulk(ask, Vec::new())? else {
        return Err(unexpected());
    };
    let is_it = |row: &MailboxRow| {
        row.name == args.mailbox || row.name == "INBOX" && args.mailbox.eq_ignore_ascii_case("INBOX")
    };
    let mailbox = mailboxes.into_iter().find(is_it);
    let mailbox = mailbox.ok_or_else(|| Failure::not_found(format_args!("mailbox {}", args.mailbox)))?;
    Ok((account, mailbox))
}

impl Search {
    fn message(&mut self, uid: u32, bytes: &[u8]) {
        let brought = received::read(bytes);
        brought.reports.into_iter().for_each(|report| self.report(report));
        self.unreadable += u64::from(!brought.unreadable.is_empty());
        for why in brought.unreadable {
            eprintln!("posthouse: uid {uid}: {why}");
        }
    }

    fn wants(&self, domain: &str) -> bool {
        let Some(wanted) = &self.domain else { return true };
        let above = domain.len().checked_sub(wanted.len()).map(|at| domain.as_bytes().split_at(at));
        above.is_some_and(|(above, end)| {
            end.eq_ignore_ascii_case(wanted.as_bytes()) && (above.is_empty() || above.ends_with(b"."))
        })
    }

    fn report(&mut self, report: Received) {
        let Received { kind: of, reporter, id, begin, end, rows } = report;
        let rows: Vec<Row> = rows.into_iter().filter(|row| self.wants(&row.domain)).collect();
        let is_new = end >= self.since && !rows.is_empty();
        if !is_new || !self.seen.insert((of, reporter.clone(), id.clone())) {
            return;
        }
        let mut domains: Vec<String> = rows.iter().map(|row| row.domain.clone()).collect();
        domains.sort_unstable();
        domains.dedup();
        let (count, passed) = (rows.iter().map(|row| row.count).sum(), rows.iter().map(|row| row.passed).sum());
        self.reports.push(OneReport { when: begin, kind: kind(of), reporter, domains, count, passed, id });
        rows.into_iter().for_each(|row| self.add(of, row));
    }

    fn add(&mut self, of: received::Kind, row: Row) {
        let key = (of, row.domain.to_ascii_lowercase(), row.source.clone(), row.why.clone());
        if self.sums.len() >= REPORT_SUMS_MAX && !self.sums.contains_key(&key) {
            self.left_out += 1;
            return;
        }
        let sum = self.sums.entry(key).or_default();
        sum.count += row.count;
        sum.passed += row.passed;
        sum.dkim += row.dkim;
        sum.spf += row.spf;
        sum.quarantined += row.quarantined;
        sum.rejected += row.rejected;
    }

    fn show(mut self, context: &Context<'_>, each: bool) -> End {
        let mut list = context.show.list();
        if each {
            self.reports.sort_by(|one, other| (one.when, &one.reporter).cmp(&(other.when, &other.reporter)));
            let rows: Vec<Line> = self.reports.into_iter().map(Line::Report).collect();
            list.rows(&rows);
        } else {
            let rows: Vec<Line> = self.sums.into_iter().map(|(key, row)| summed(key, row)).collect();
            // People read one table after the other: the columns differ.
            let (dmarc, tls): (Vec<Line>, Vec<Line>) =
                rows.into_iter().partition(|row| matches!(row, Line::DmarcSource(_)));
            list.rows(&dmarc);
            list.new_table();
            list.rows(&tls);
        }
        list.end();
        if self.left_out > 0 {
            eprintln!("posthouse: {} lines were left out: too many hosts; ask for fewer days", self.left_out);
        }
        if self.left_out > 0 || self.unreadable > 0 { End::LeftOut } else { End::Done }
    }
}

fn summed((of, domain, source, why): (received::Kind, String, String, String), row: Row) -> Line {
    let Row { count, passed, dkim, spf, quarantined, rejected, .. } = row;
    match of {
        received::Kind::Dmarc => {
            Line::DmarcSource(DmarcSource { domain, source, messages: count, passed, dkim, spf, quarantined, rejected })
        }
        received::Kind::Tls => {
            Line::TlsSource(TlsSource { domain, host: source, sessions: count, failed: count - passed.min(count), why })
        }
    }
}
