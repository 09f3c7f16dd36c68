//! Usage as an open store sees it: what each account is charged against what its entries add up to. Changes nothing.
use super::{Failure, Response, UsageView, View};
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Error};
use posthouse_engine::directory::{Account, Address, Filter};
use posthouse_engine::rescue::Usage;

/// Accounts of one page: each is added up entry by entry.
const PAGE_ACCOUNTS: usize = 100;

/// A page of all accounts, or the one that is asked for.
pub(super) fn page(engine: &Engine, account: Option<&str>, after: Option<&str>) -> Result<Response, Failure> {
    let known = |account: &Account| (account.id, account.address.clone(), account.quota_bytes_max());
    let mut found: Vec<(AccountId, Address, Option<u64>)> = match account {
        Some(text) => {
            let address = Address::parse(text)?;
            let found = engine.directory(|directory| directory.account_at(&address).map(known));
            vec![found.ok_or_else(|| Failure::not_found(format_args!("account {text}")))?]
        }
        None => {
            let after = after.map(Address::parse).transpose()?;
            let filter = Filter { after: after.as_ref(), ..Filter::default() };
            engine.directory(|directory| {
                let members = directory.members(filter).take(PAGE_ACCOUNTS + 1).map(known);
                let business = directory.business(filter).take(PAGE_ACCOUNTS + 1).map(known);
                let mut all: Vec<_> = members.chain(business).collect();
                all.sort_by(|a, b| a.1.cmp(&b.1));
                all
            })
        }
    };
    let more = found.len() > PAGE_ACCOUNTS;
    found.truncate(PAGE_ACCOUNTS);
    let next = found.last().filter(|_| more).map(|(_, address, _)| address.to_string());
    let mut rows = Vec::new();
    for (id, address, quota) in found {
        match engine.account(id) {
            // Never used: nothing is charged and nothing is there.
            Err(Error::NotFound(_)) => {}
            view => {
                let usage = Usage::of(&*view?, Some(address.to_string()), quota)?;
                rows.push(View::Usage(UsageView::from(&usage)));
            }
        }
    }
    Ok(Response::Listed { rows, next })
}
