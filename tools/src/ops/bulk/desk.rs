//! One conversation with a store: keeps what bulk requests need from one to the next, and carries out all others as they come.
use super::fetch::Reading;
use super::handover::{self, Handing};
use super::ingest::Intake;
use super::{AccountRow, Answer, Ask, MailboxRow, Scope, annotations, fetch};
use crate::limits::PAGE_ROWS_MAX;
use crate::ops::{self, Failure, Request, Response, ServerFacts};
use posthouse_engine::Engine;
use posthouse_engine::base::{AccountId, Error, MailboxId};
use posthouse_engine::directory::{Account, Address, Filter};
use posthouse_engine::index::SpecialUse;
use std::sync::Arc;

/// Carries out the requests of one command.
pub struct Desk {
    pub(super) engine: Arc<Engine>,
    reading: Option<Reading>,
    handing: Option<Handing>,
    intake: Intake,
}

impl Desk {
    /// A conversation that has not begun.
    pub fn new(engine: Arc<Engine>) -> Desk {
        Desk { intake: Intake::new(engine.clone()), engine, reading: None, handing: None }
    }

    /// The store.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Carries a request out; a failure is an answer like any other. The bytes follow the answer.
    pub fn run(&mut self, server: ServerFacts<'_>, request: &Request, payload: Vec<u8>) -> (Response, Vec<u8>) {
        let done = match request {
            Request::Bulk(ask) => self.bulk(ask, payload).map(|(answer, bytes)| (Response::Bulk(answer), bytes)),
            Request::QueueMessage { id } => ops::queue_message(&self.engine, *id),
            request => Ok((ops::run(&self.engine, server, request), Vec::new())),
        };
        done.unwrap_or_else(|failure| (Response::Failed { failure }, Vec::new()))
    }

    fn bulk(&mut self, ask: &Ask, payload: Vec<u8>) -> Result<(Answer, Vec<u8>), Failure> {
        let answer = match ask {
            Ask::Accounts { scope, after } => self.accounts(scope, after.as_deref())?,
            Ask::Mailboxes { account } => self.mailboxes(AccountId(*account))?,
            Ask::Fetch { account, mailbox, after } => {
                return fetch::fetch(&self.engine, &mut self.reading, AccountId(*account), *mailbox, *after);
            }
            Ask::Make { account, name, special_use, subscribed } => {
                let special_use = special_use.as_deref().and_then(special_use_of);
                self.intake.make(AccountId(*account), name, special_use, *subscribed)?;
                Answer::Made
            }
            Ask::Ingest { account, mailbox, messages } => {
                self.intake.take(AccountId(*account), mailbox, messages, payload)?;
                Answer::Ingested { batches: self.intake.done() }
            }
            Ask::HandOver { from, to, folder } => handover::begin(&self.engine, AccountId(*from), to, folder)?,
            Ask::HandOverPiece { from, mailbox, after, to, into } => {
                let (from, to) = ((AccountId(*from), MailboxId(*mailbox)), AccountId(*to));
                self.hand_over(from, *after, to, into)?
            }
            Ask::Annotations { account, mailbox } => {
                let annotations = annotations::of(&self.engine, AccountId(*account), *mailbox)?;
                Answer::Annotations { annotations }
            }
            Ask::Annotate { account, mailbox, annotation } => {
                self.intake.must_be(AccountId(*account))?;
                annotations::put(&self.engine, AccountId(*account), mailbox.as_deref(), annotation)?;
                Answer::Made
            }
            Ask::Settle => {
                self.intake.settle();
                Answer::Ingested { batches: self.intake.done() }
            }
        };
        Ok((answer, Vec::new()))
    }

    fn accounts(&self, scope: &Scope, after: Option<&str>) -> Result<Answer, Failure> {
        let found: Vec<(AccountId, Address, Option<u64>)> = match scope {
            Scope::Account { address } => {
                let address = Address::parse(address)?;
                let found = self.engine.directory(|directory| directory.account_at(&address).map(row));
                vec![found.ok_or_else(|| Failure::not_found(format_args!("account {address}")))?]
            }
            Scope::Tenant { name } => {
                let tenant = self.engine.directory(|directory| directory.tenant_named(name).map(|tenant| tenant.id));
                let tenant = tenant.ok_or_else(|| Failure::not_found(format_args!("tenant {name}")))?;
                self.page(Some(tenant), after)?
            }
            Scope::Removed { number } => vec![self.removed(AccountId(*number))?],
            Scope::All => self.page(None, after)?,
        };
        let more = found.len() > PAGE_ROWS_MAX;
        let mut accounts = Vec::with_capacity(found.len());
        for (id, address, quota_bytes_max) in found.into_iter().take(PAGE_ROWS_MAX) {
            let (messages, bytes) = match self.engine.account(id) {
                Ok(account) => (account.messages, account.used_bytes),
                Err(Error::NotFound(_)) => (0, 0),
                Err(why) => return Err(why.into()),
            };
            accounts.push(AccountRow { id: id.0, address: address.to_string(), messages, bytes, quota_bytes_max });
        }
        let next = accounts.last().filter(|_| more).map(|row| row.address.clone());
        Ok(Answer::Accounts { accounts, next })
    }

    fn removed(&self, id: AccountId) -> Result<(AccountId, Address, Option<u64>), Failure> {
        let found = self.engine.directory(|directory| {
            let removed = directory.removed_account(id).filter(|removed| !removed.purge_begun);
            removed.map(|removed| row(&removed.account))
        });
        found.ok_or_else(|| Failure::not_found(format_args!("account {id} in the recycle bin")))
    }

    fn hand_over(
        &mut self,
        from: (AccountId, MailboxId),
        after: u32,
        to: AccountId,
        into: &str,
    ) -> Result<Answer, Failure> {
        self.removed(from.0)?;
        let goes_on = after > 0 && self.handing.as_ref().is_some_and(|handing| handing.is(from, to));
        let mut handing = match self.handing.take().filter(|_| goes_on) {
            Some(handing) => handing,
            None => Handing::new(&self.engine, from, (to, self.intake.make(to, into, None, true)?))?,
        };
        let answer = handing.piece(&self.engine, after)?;
        self.handing = Some(handing);
        Ok(answer)
    }

    /// Accounts of both kinds by address, one more than a page has.
    fn page(
        &self,
        tenant: Option<posthouse_engine::base::TenantId>,
        after: Option<&str>,
    ) -> Result<Vec<(AccountId, Address, Option<u64>)>, Failure> {
        let after = after.map(Address::parse).transpose()?;
        let filter = Filter { tenant, contains: "", after: after.as_ref() };
        let mut found: Vec<_> = self.engine.directory(|directory| {
            let members = directory.members(filter).take(PAGE_ROWS_MAX + 1).map(row);
            members.chain(directory.business(filter).take(PAGE_ROWS_MAX + 1).map(row)).collect()
        });
        found.sort_unstable_by(|(_, a, _), (_, b, _)| a.cmp(b));
        found.truncate(PAGE_ROWS_MAX + 1);
        Ok(found)
    }

    fn mailboxes(&self, account: AccountId) -> Result<Answer, Failure> {
        let view = match self.engine.account(account) {
            Ok(view) => view,
            // It was never used.
            Err(Error::NotFound(_)) => return Ok(Answer::Mailboxes { mailboxes: Vec::new() }),
            Err(why) => return Err(why.into()),
        };
        let row = |mailbox: &Arc<posthouse_engine::index::Mailbox>| MailboxRow {
            id: mailbox.id.0,
            name: mailbox.name.to_string(),
            special_use: mailbox.special_use.map(|special_use| special_use.attribute().to_owned()),
            subscribed: view.subscriptions.contains(&*mailbox.name),
            messages: mailbox.entries.len() as u64,
            bytes: mailbox.size_bytes,
        };
        Ok(Answer::Mailboxes { mailboxes: view.mailboxes.iter().map(row).collect() })
    }
}

fn row(account: &Account) -> (AccountId, Address, Option<u64>) {
    (account.id, account.address.clone(), account.quota_bytes_max())
}

fn special_use_of(attribute: &str) -> Option<SpecialUse> {
    SpecialUse::ALL.into_iter().find(|special_use| special_use.attribute().eq_ignore_ascii_case(attribute))
}
