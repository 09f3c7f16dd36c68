//! The accounts by id. Those of a snapshot stay the bytes that they were until somebody asks for one, so that a million of them cost a start
//! little time and memory. Knows ids, not addresses, and checks nothing.
use std::fmt;
use std::sync::{Arc, OnceLock};

use crate::base::AccountId;
use crate::base::bytes::Reader;

use super::codec::{self, Skimmed};
use super::{Account, AccountKind, Address};

/// Where a row's record begins when it lies in no snapshot, or is no longer what it was there.
const NOWHERE: u64 = u64::MAX;

/// An account; without record and bytes it is gone.
#[derive(Clone)]
struct Row {
    id: AccountId,
    /// Where its record begins in the snapshot.
    at: u64,
    account: OnceLock<Box<Account>>,
}

/// Accounts by id.
#[derive(Clone, Default)]
pub(super) struct Roster {
    /// The snapshot, in memory of its own: what a disk does to a file later changes nobody's address.
    snapshot: Arc<[u8]>,
    /// By id. A new account has the greatest id, so it comes last.
    rows: Vec<Row>,
    len: usize,
}

/// What tables and lists need of an account, without its record.
pub(super) struct Names<'a> {
    pub(super) kind: AccountKind,
    pub(super) address: &'a str,
    pub(super) name: &'a str,
}

impl Roster {
    /// Nobody yet; `snapshot` is what records are taken from (`take`).
    pub(super) fn of(snapshot: &[u8], count: usize) -> Roster {
        Roster { snapshot: snapshot.into(), rows: Vec::with_capacity(count), len: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.len
    }

    /// Whether an account of this id would come last.
    pub(super) fn comes_last(&self, id: AccountId) -> bool {
        self.rows.last().is_none_or(|row| row.id < id)
    }

    /// Takes in the account whose record begins at that byte of the snapshot and was proven to be one; it comes last.
    pub(super) fn take(&mut self, id: AccountId, at: usize) {
        self.rows.push(Row { id, at: at as u64, account: OnceLock::new() });
        self.len += 1;
    }

    /// Takes an account in; there is none of that id.
    pub(super) fn insert(&mut self, account: Account) {
        let row = Row { id: account.id, at: NOWHERE, account: OnceLock::from(Box::new(account)) };
        self.len += 1;
        match self.position(row.id) {
            Ok(at) => self.rows[at] = row,
            Err(at) => self.rows.insert(at, row),
        }
    }

    /// Takes an account out.
    pub(super) fn remove(&mut self, id: AccountId) -> Option<Box<Account>> {
        self.get(id)?;
        let at = self.position(id).ok()?;
        let row = self.rows.get_mut(at)?;
        row.at = NOWHERE;
        self.len -= 1;
        row.account.take()
    }

    pub(super) fn get(&self, id: AccountId) -> Option<&Account> {
        self.account(self.rows.get(self.position(id).ok()?)?)
    }

    pub(super) fn get_mut(&mut self, id: AccountId) -> Option<&mut Account> {
        self.get(id)?;
        let at = self.position(id).ok()?;
        let row = self.rows.get_mut(at)?;
        row.at = NOWHERE;
        row.account.get_mut().map(|account| &mut **account)
    }

    /// An account's names, wherever it lies.
    pub(super) fn names(&self, id: AccountId) -> Option<Names<'_>> {
        self.names_of(self.rows.get(self.position(id).ok()?)?)
    }

    /// All of them by id.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Account> {
        self.rows.iter().filter_map(|row| self.account(row))
    }

    /// All of their names, by id.
    pub(super) fn all_names(&self) -> impl Iterator<Item = (AccountId, Names<'_>)> {
        self.rows.iter().filter_map(|row| Some((row.id, self.names_of(row)?)))
    }

    /// Appends the records of all, by id.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        for row in &self.rows {
            match self.record(row) {
                Some((_, record)) => out.extend_from_slice(record),
                None => row.account.get().into_iter().for_each(|account| codec::put_account(out, account)),
            }
        }
    }

    fn position(&self, id: AccountId) -> Result<usize, usize> {
        // As long as no account was ever purged, the one of id 1 is the first.
        let guess = (id.0.saturating_sub(1) as usize).min(self.rows.len().saturating_sub(1));
        match self.rows.get(guess) {
            Some(row) if row.id == id => Ok(guess),
            _ => self.rows.binary_search_by_key(&id, |row| row.id),
        }
    }

    fn account<'a>(&'a self, row: &'a Row) -> Option<&'a Account> {
        if let Some(account) = row.account.get() {
            return Some(account);
        }
        let account = codec::get_account(&mut self.reader(row)?).ok()?;
        Some(row.account.get_or_init(|| Box::new(account)))
    }

    fn names_of<'a>(&'a self, row: &'a Row) -> Option<Names<'a>> {
        match row.account.get() {
            Some(account) => Some(Names { kind: account.kind, address: account.address.as_str(), name: &account.name }),
            None => self.record(row).map(|(Skimmed { kind, address, name, .. }, _)| Names { kind, address, name }),
        }
    }

    fn reader(&self, row: &Row) -> Option<Reader<'_>> {
        self.snapshot.get(usize::try_from(row.at).ok()?..).map(Reader::new)
    }

    fn record(&self, row: &Row) -> Option<(Skimmed<'_>, &[u8])> {
        let mut reader = self.reader(row)?;
        let skimmed = codec::skim_account(&mut reader).ok()?;
        let start = row.at as usize;
        Some((skimmed, self.snapshot.get(start..start + reader.position())?))
    }
}

impl fmt::Debug for Roster {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl Names<'_> {
    /// The address as others hold it.
    pub(super) fn owned_address(&self) -> Option<Address> {
        Address::from_stored(self.address)
    }
}
