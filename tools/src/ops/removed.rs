//! The recycle bin (D4): what lies in it, and its end.
use super::view::{self, RemovedView};
use super::{Failure, Response, View};
use crate::limits::PAGE_ROWS_MAX;
use posthouse_engine::Engine;
use posthouse_engine::base::AccountId;
use posthouse_engine::directory::Change;

/// One page by number.
pub(super) fn list(engine: &Engine, after: Option<u64>) -> Response {
    let mut rows: Vec<RemovedView> = engine.directory(|directory| {
        let rest = directory.removed(None).filter(|one| after.is_none_or(|after| one.account.id.0 > after));
        rest.take(PAGE_ROWS_MAX + 1).map(|one| view::removed(directory, one)).collect()
    });
    let more = rows.len() > PAGE_ROWS_MAX;
    rows.truncate(PAGE_ROWS_MAX);
    for row in &mut rows {
        if let Ok(account) = engine.account(AccountId(row.number)) {
            (row.messages, row.used_bytes) = (account.messages, account.used_bytes);
        }
    }
    let next = rows.last().filter(|_| more).map(|row| row.number.to_string());
    Response::Listed { rows: rows.into_iter().map(View::Removed).collect(), next }
}

/// Removes everything of an account in the bin for good. May be interrupted anywhere and repeated.
pub(super) fn purge(engine: &Engine, id: u64) -> Result<Response, Failure> {
    let id = AccountId(id);
    let change = |change| engine.change_directory(vec![change]).wait().into_iter().next().unwrap_or(Ok(()));
    let address =
        engine.directory(|directory| directory.removed_account(id).map(|one| one.account.address.to_string()));
    // First it can no longer be restored, then the mail goes, then its record: whatever is interrupted, nobody gets an account whose mail
    // is gone.
    change(Change::AccountPurgeBegin { id })?;
    let purged = engine.purge_account(id).wait()?;
    change(Change::AccountPurgeEnd { id })?;
    let (messages, bytes) = (purged.messages, purged.bytes);
    tracing::warn!(account = %id, address = address.as_deref().unwrap_or_default(), messages, bytes, "purged for good");
    Ok(Response::Purged { messages, bytes })
}
