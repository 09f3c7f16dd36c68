//! quota --prove: the log's fold, the entries and the running server must say the same of every account.
use super::{Context, End};
use crate::cli::QuotaArgs;
use crate::control::Client;
use crate::ops::{Failure, Kind, Request, Response, UsageView, View};
use crate::rescue::{self, Pace, Scratch};
use posthouse_engine::directory::Address;
use posthouse_engine::rescue::{Told, Usage, prove_quota};
use std::collections::BTreeMap;

/// What is kept of an account as the log says: bytes, messages, modseqs.
type Folded = BTreeMap<u64, (u64, u64, u64)>;

/// What was proven.
#[derive(Default)]
struct Proof {
    accounts: u64,
    used_bytes: u64,
    differing: u64,
    /// Accounts of which the server's view was compared with the log.
    compared: u64,
    /// Accounts that changed between the two looks.
    changed: u64,
}

pub(super) fn prove(context: &mut Context<'_>, args: QuotaArgs) -> Result<End, Failure> {
    let only = args.account.as_deref().map(Address::parse).transpose()?;
    let data = context.session.data().to_path_buf();
    let disk = rescue::look(&data)?;
    let mut scratch = Scratch::new(args.scratch);
    let mut pace = Pace::new("folded", 0);
    let (mut proof, mut folded, mut rows) = (Proof::default(), Folded::new(), Vec::new());
    let show_all = context.show.json || only.is_some();
    let mut watch = |told: Told<'_>| {
        if let Told::Progress { done_bytes, total_bytes } = told {
            pace.at(done_bytes, total_bytes);
        }
    };
    let mut give = |usage: Usage| {
        proof.accounts += 1;
        proof.used_bytes += usage.used_bytes;
        proof.differing += u64::from(!usage.agrees());
        folded.insert(usage.account.0, (usage.used_bytes, usage.messages, usage.modseqs));
        if show_all || !usage.agrees() {
            rows.push(View::Usage(UsageView::from(&usage)));
        }
    };
    prove_quota(&disk, only.as_ref(), &mut || scratch.disk(), &mut watch, &mut give)?;
    pace.end();
    if matches!(Client::connect(&data), Ok(Some(_))) {
        server(context, args.account, &folded, &mut proof, &mut rows)?;
    }
    let mut list = context.show.list();
    list.rows(&rows);
    list.end();
    if !context.show.json {
        proof.words().iter().for_each(|line| context.show.text(line));
    }
    Ok(if proof.differing == 0 { End::Done } else { End::Partly })
}

/// What the server has in memory, account by account, against the log.
fn server(
    context: &mut Context<'_>,
    account: Option<String>,
    folded: &Folded,
    proof: &mut Proof,
    rows: &mut Vec<View>,
) -> Result<(), Failure> {
    let mut after = None;
    loop {
        let request = Request::Usage { account: account.clone(), after };
        let Response::Listed { rows: page, next } = context.session.ask(&request)? else {
            return Err(Failure::new(Kind::Failed, "a list was expected"));
        };
        for row in page {
            let View::Usage(usage) = &row else { continue };
            let same = match folded.get(&usage.account) {
                Some((bytes, messages, modseqs)) if *modseqs == usage.modseqs => {
                    proof.compared += 1;
                    (*bytes, *messages) == (usage.used_bytes, usage.messages)
                }
                _ => {
                    proof.changed += 1;
                    true
                }
            };
            if !same || !usage.agrees {
                proof.differing += 1;
                rows.push(row);
            }
        }
        match next {
            Some(next) => after = Some(next),
            None => return Ok(()),
        }
    }
}

impl Proof {
    fn words(&self) -> Vec<String> {
        let Proof { accounts, used_bytes, differing, compared, changed } = self;
        let mut lines = vec![format!(
            "{accounts} accounts folded from the log: {used_bytes} bytes charged, {}",
            if *differing == 0 { "each the sum of its entries".into() } else { format!("{differing} do not add up") }
        )];
        if compared + changed > 0 {
            lines.push(format!(
                "{compared} accounts compared with what the running server has; {changed} changed meanwhile and were added up by themselves"
            ));
        }
        lines
    }
}
