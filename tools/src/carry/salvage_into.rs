//! Salvage into a new store: who lived in the damaged one, with passwords, groups and quotas as far as its directory still tells, and every good
//! message with its flags and dates. Reads the source only; what has no owner any more goes to accounts of `recovered.invalid`, which nobody can
//! log in to.
use super::salvage::{Report, json_line};
use crate::cli::SalvageArgs;
use crate::config::Config;
use crate::limits::{BULK_BYTES, BULK_MESSAGES_MAX};
use crate::ops::{Failure, Kind};
use crate::rescue::{self, FindingView, Pace, Scratch};
use crate::store;
use posthouse_engine::base::{AccountId, Error, Flags, MailboxId, Result as EngineResult};
use posthouse_engine::directory::{
    Account, AccountKind, AccountPatch, AclChange, AclMode, Address, Change, Directory, Quota, Rights, Scope,
};
use posthouse_engine::index::Mailbox;
use posthouse_engine::index::mime::sent_date;
use posthouse_engine::rescue::{Belongs, Salvaged, Told};
use posthouse_engine::{Append, Engine, Ingested, Ticket};
use serde_json::json;
use std::collections::HashMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where those live of whom nothing but their mail is known. RFC 2606 section 2 keeps `.invalid` free for ever.
const DOMAIN: &str = "recovered.invalid";
/// Its tenant.
const TENANT: &str = "recovered";
/// Messages in one transaction.
const BATCH_MESSAGES: usize = BULK_MESSAGES_MAX;

/// Salvages into the new store `into`. The lists of what is lost, damaged or was waiting for other hosts are in its `lost+found/`.
///
/// # Errors
/// `into` is not empty or cannot be written; the source holds no store. Damage is no error.
pub fn run(args: &SalvageArgs, into: &Path, config: &Config) -> Result<Report, Failure> {
    let disk = rescue::look(&args.source)?;
    if std::fs::read_dir(into).is_ok_and(|mut entries| entries.next().is_some()) {
        let text = format!("{} is not empty; a new store is made in an empty or a new directory", into.display());
        return Err(Failure::new(Kind::Exists, text));
    }
    let opened = store::open(into, config)?;
    let mut lists = Lists::make(&into.join("lost+found"))?;
    let mut out = Into::new(opened.engine.clone());
    let mut scratch = Scratch::new(args.scratch.clone());
    let mut pace = Pace::new("searched", 0);
    let mut damage = Vec::new();
    let mut watch = |told: Told<'_>| match told {
        Told::Finding(finding) => damage.push(json!(FindingView::from(finding))),
        Told::Progress { done_bytes, total_bytes } => pace.at(done_bytes, total_bytes),
    };
    let mut give = |item: Salvaged<'_>| out.take(item, &mut lists);
    let done = posthouse_engine::rescue::salvage(&disk, &mut || scratch.disk(), &mut watch, &mut give);
    pace.end();
    let mut report: Report = done?.into();
    out.end(&mut lists)?;
    report.lost += out.refused;
    lists.damage = damage;
    lists.write()?;
    opened.engine.close()?;
    Ok(report)
}

/// What a person looks at afterwards, one JSON object a line each.
struct Lists {
    folder: PathBuf,
    damage: Vec<serde_json::Value>,
    lost: Vec<serde_json::Value>,
    queue: Vec<serde_json::Value>,
}

impl Lists {
    fn make(folder: &Path) -> Result<Lists, Failure> {
        std::fs::create_dir_all(folder).map_err(|why| Failure::io(folder.display(), &why))?;
        Ok(Lists { folder: folder.to_path_buf(), damage: Vec::new(), lost: Vec::new(), queue: Vec::new() })
    }

    fn write(&self) -> Result<(), Failure> {
        for (name, lines) in [("DAMAGE.jsonl", &self.damage), ("LOST.jsonl", &self.lost), ("QUEUE.jsonl", &self.queue)]
        {
            let path = self.folder.join(name);
            let written = File::create(&path).and_then(|file| {
                let mut file = BufWriter::new(file);
                lines.iter().try_for_each(|line| json_line(&mut file, line))?;
                file.flush()
            });
            written.map_err(|why| Failure::io(path.display(), &why))?;
        }
        Ok(())
    }
}

type Committing = Ticket<EngineResult<Vec<EngineResult<Ingested>>>>;

/// A grantee's name, whether the rights are taken, and the rights.
type Named = (String, bool, Rights);

/// The new store.
struct Into {
    engine: Arc<Engine>,
    /// Numbers of accounts in the source and here.
    accounts: HashMap<AccountId, AccountId>,
    /// What accounts may hold, in force when all mail is in.
    quotas: Vec<(Address, Quota)>,
    /// Who may use whose mailboxes, by the numbers of the source.
    grants: HashMap<(AccountId, MailboxId), Vec<Named>>,
    place: Option<(AccountId, MailboxId)>,
    batch: Vec<Append>,
    batch_bytes: usize,
    under_way: Option<Committing>,
    refused: u64,
}

impl Into {
    fn new(engine: Arc<Engine>) -> Into {
        let (accounts, quotas, batch) = (HashMap::new(), Vec::new(), Vec::new());
        let grants = HashMap::new();
        Into { engine, accounts, quotas, grants, place: None, batch, batch_bytes: 0, under_way: None, refused: 0 }
    }

    fn take(&mut self, item: Salvaged<'_>, lists: &mut Lists) -> EngineResult<()> {
        match item {
            Salvaged::People(directory) => self.people(directory, lists),
            Salvaged::Mailbox { account, mailbox, subscribed, .. } => {
                self.flush(lists)?;
                let (there, account) = (account, self.account(account)?);
                let id = self.mailbox(account, mailbox, subscribed)?;
                self.share((there, mailbox.id), (account, id), lists);
                self.place = Some((account, id));
                Ok(())
            }
            Salvaged::Message { belongs, bytes } => self.message(belongs, bytes, lists),
            Salvaged::Lost { belongs, why, .. } => {
                lists.lost.push(json!({ "what": format!("{belongs:?}"), "why": why }));
                Ok(())
            }
        }
    }

    /// Makes tenants, domains, accounts, aliases and groups; one that is refused is told, and stops nothing.
    fn people(&mut self, directory: &Directory, lists: &mut Lists) -> EngineResult<()> {
        let mut changes = Vec::new();
        for tenant in directory.tenants() {
            let (name, title) = (tenant.name.to_string(), tenant.title.to_string());
            let accounts_max = Some(tenant.accounts_max.max(tenant.accounts));
            changes.push(Change::TenantAdd { name: name.clone(), title, accounts_max });
            let domains = directory.domains(Some(tenant.id));
            changes.extend(
                domains.map(|domain| Change::DomainAdd { tenant: name.clone(), domain: domain.name.to_string() }),
            );
        }
        let all = || directory.members(Default::default()).chain(directory.business(Default::default()));
        for account in all() {
            changes.extend(account_changes(account, directory));
            self.quotas.push((account.address.clone(), account.quota));
        }
        changes.extend(directory.groups(Default::default()).map(|group| Change::GroupAdd {
            address: group.address.clone(),
            name: group.name.to_string(),
            members: group.members.clone(),
        }));
        let off = |tenant: &&posthouse_engine::directory::Tenant| tenant.disabled;
        changes.extend(directory.tenants().filter(off).map(|tenant| Change::TenantSet {
            name: tenant.name.to_string(),
            title: None,
            accounts_max: None,
            disabled: Some(true),
        }));
        self.change(changes, lists);
        for (scope, _) in directory.scopes() {
            let Scope::Mailbox(account, mailbox) = scope else { continue };
            let grants = directory.grants(*account, *mailbox);
            let named = grants.map(|grant| (directory.grantee_name(&grant.who), grant.negative, grant.rights));
            self.grants.insert((*account, *mailbox), named.collect());
        }
        for account in all() {
            if let Some(here) = self.find(&account.address) {
                self.accounts.insert(account.id, here);
            }
        }
        Ok(())
    }

    fn change(&self, changes: Vec<Change>, lists: &mut Lists) {
        for some in changes.chunks(BATCH_MESSAGES) {
            let answers = self.engine.change_directory(some.to_vec()).wait();
            for (change, answer) in some.iter().zip(answers) {
                if let Err(why) = answer {
                    // A password hash is nobody's business here.
                    let what = format!("{change:?}");
                    let what = what.split('{').next().unwrap_or_default().trim().to_owned();
                    lists.lost.push(json!({ "what": what, "why": why.to_string() }));
                }
            }
        }
    }

    fn find(&self, address: &Address) -> Option<AccountId> {
        self.engine.directory(|directory| directory.account_at(address).map(|account| account.id))
    }

    /// The account here that gets the mail of one there.
    fn account(&mut self, there: AccountId) -> EngineResult<AccountId> {
        if let Some(here) = self.accounts.get(&there) {
            return Ok(*here);
        }
        let here = self.recovered(&format!("account-{there}"))?;
        self.accounts.insert(there, here);
        Ok(here)
    }

    /// An account of `recovered.invalid`, made when it is first needed.
    fn recovered(&self, name: &str) -> EngineResult<AccountId> {
        let address = Address::parse(&format!("{name}@{DOMAIN}"))?;
        if let Some(found) = self.find(&address) {
            return Ok(found);
        }
        if self.engine.directory(|directory| directory.domain(DOMAIN).is_none()) {
            let accounts_max = Some(u32::MAX);
            let tenant = Change::TenantAdd { name: TENANT.into(), title: "Recovered".into(), accounts_max };
            let domain = Change::DomainAdd { tenant: TENANT.into(), domain: DOMAIN.into() };
            self.engine.change_directory(vec![tenant, domain]).wait().into_iter().collect::<EngineResult<Vec<_>>>()?;
        }
        let member = Change::MemberAdd {
            address: address.clone(),
            name: name.to_owned(),
            password_hash: None,
            vip: false,
            quota: Quota::Unlimited,
        };
        self.engine.change_directory(vec![member]).wait().into_iter().collect::<EngineResult<Vec<_>>>()?;
        self.find(&address).ok_or_else(|| Error::NotFound(format!("account {address}")))
    }

    fn mailbox(&self, account: AccountId, mailbox: &Mailbox, subscribed: bool) -> EngineResult<MailboxId> {
        let view = self.engine.open_account(account).wait()?;
        let free = mailbox.special_use.filter(|special_use| view.mailbox_for(*special_use).is_none());
        let id = self.named(account, &mailbox.name, free)?;
        if subscribed && !view.subscriptions.contains(&*mailbox.name) {
            self.engine.subscribe(account, &mailbox.name, true).wait()?;
        }
        // The server's own speak of uids, which are others here.
        let notes: Vec<_> =
            mailbox.metadata.of_clients().iter().map(|(name, value)| (name.to_owned(), Some(value.to_vec()))).collect();
        if !notes.is_empty() {
            self.engine.set_metadata(account, Some(id), notes).wait()?;
        }
        Ok(id)
    }

    /// A mailbox is shared with those with whom it was, as far as they are here.
    fn share(&mut self, there: (AccountId, MailboxId), (owner, mailbox): (AccountId, MailboxId), lists: &mut Lists) {
        let mut changes = Vec::new();
        for (name, negative, rights) in self.grants.remove(&there).unwrap_or_default() {
            match self.engine.directory(|directory| directory.grantee(owner, &name)) {
                Some(who) => {
                    let mode = AclMode::Replace;
                    changes.push(Change::Acl(AclChange::Set { owner, mailbox, who, negative, mode, rights }));
                }
                None => {
                    lists.lost.push(json!({ "what": format!("rights of {name}"), "why": "nobody has that name here" }))
                }
            }
        }
        self.change(changes, lists);
    }

    fn named(
        &self,
        account: AccountId,
        name: &str,
        special_use: Option<posthouse_engine::index::SpecialUse>,
    ) -> EngineResult<MailboxId> {
        let view = self.engine.open_account(account).wait()?;
        match view.mailbox_named(name) {
            Some(found) => Ok(found.id),
            None => self.engine.create_mailbox(account, name, special_use).wait(),
        }
    }

    fn message(&mut self, belongs: Belongs, bytes: &[u8], lists: &mut Lists) -> EngineResult<()> {
        let sent = || sent_date(bytes).map_or(0, |date| date.0);
        let (flags, keywords, date) = match belongs {
            Belongs::Entry { flags, keywords, internal_date, .. } => (flags, keywords, internal_date),
            Belongs::Queue { id, sender, recipients } => {
                self.elsewhere("queue", &format!("shard-{}", id & 0xffff), lists)?;
                lists.queue.push(json!({ "id": id, "sender": sender, "recipients": recipients }));
                (Flags::NONE, Vec::new(), sent())
            }
            Belongs::Unfiled { shard, at } => {
                self.elsewhere("unfiled", &format!("shard-{shard}/segment-{}", at.segment), lists)?;
                (Flags::NONE, Vec::new(), sent())
            }
        };
        let staged = self.engine.stage_here(bytes.to_vec())?;
        self.batch.push(Append { staged, flags, keywords, internal_date: Some(date) });
        self.batch_bytes += bytes.len();
        if self.batch.len() >= BATCH_MESSAGES || self.batch_bytes >= BULK_BYTES {
            self.send(lists)?;
        }
        Ok(())
    }

    /// The next messages go to a mailbox of those without an owner.
    fn elsewhere(&mut self, account: &str, mailbox: &str, lists: &mut Lists) -> EngineResult<()> {
        let account = self.recovered(account)?;
        let mailbox = self.named(account, mailbox, None)?;
        if self.place != Some((account, mailbox)) {
            self.flush(lists)?;
            self.place = Some((account, mailbox));
        }
        Ok(())
    }

    /// Sends the batch on its way, and waits for the one before.
    fn send(&mut self, lists: &mut Lists) -> EngineResult<()> {
        self.settle(lists)?;
        if let (Some((account, mailbox)), false) = (self.place, self.batch.is_empty()) {
            let batch = std::mem::take(&mut self.batch);
            self.under_way = Some(self.engine.ingest(account, mailbox, batch));
        }
        self.batch_bytes = 0;
        Ok(())
    }

    fn settle(&mut self, lists: &mut Lists) -> EngineResult<()> {
        let Some(ticket) = self.under_way.take() else { return Ok(()) };
        for why in ticket.wait()?.into_iter().filter_map(Result::err) {
            self.refused += 1;
            lists.lost.push(json!({ "what": "a message that the new store refused", "why": why.to_string() }));
        }
        Ok(())
    }

    fn flush(&mut self, lists: &mut Lists) -> EngineResult<()> {
        self.send(lists)?;
        self.settle(lists)
    }

    /// All is in: quotas are as they were.
    fn end(&mut self, lists: &mut Lists) -> EngineResult<()> {
        self.flush(lists)?;
        let set = |(address, quota)| Change::AccountSet {
            address,
            set: AccountPatch { quota: Some(quota), ..AccountPatch::default() },
        };
        let quotas = std::mem::take(&mut self.quotas).into_iter().map(set).collect();
        self.change(quotas, lists);
        Ok(())
    }
}

/// What makes an account as it was, but for its quota.
fn account_changes(account: &Account, directory: &Directory) -> Vec<Change> {
    let (address, name) = (account.address.clone(), account.name.to_string());
    let (password_hash, quota) = (account.password_hash.as_deref().map(str::to_owned), Quota::Unlimited);
    let user = |id: &AccountId| directory.account(*id).map(|user| user.address.clone());
    let mut changes = vec![match account.kind {
        AccountKind::Member => Change::MemberAdd { address, name, password_hash, vip: account.vip, quota },
        AccountKind::Business => {
            let users = account.users.iter().filter_map(user).collect();
            Change::BusinessAdd { address, name, password_hash, quota, users }
        }
    }];
    let aliases = account.aliases.iter().cloned();
    changes.extend(aliases.map(|alias| Change::AliasAdd { account: account.address.clone(), alias }));
    if account.disabled {
        let set = AccountPatch { disabled: Some(true), ..AccountPatch::default() };
        changes.push(Change::AccountSet { address: account.address.clone(), set });
    }
    changes
}
