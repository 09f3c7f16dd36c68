//! Proves usage: what the fold of the log charges each account, what its entries add up to, what the checkpoint says, and what the directory
//! allows. Reads only; a running server is no hindrance.
use super::audit::audit;
use super::contents::Contents;
use super::finding::{Told, Watch};
use super::fold::{Fold, Scratch};
use super::inventory::{self, Inventory};
use super::places::Places;
use super::survey::{Done, Item, Survey};
use crate::base::{AccountId, Error, Lsn, Result, ShardId};
use crate::directory::{Address, Directory};
use crate::disk::Disk;
use crate::engine::checkpoint;
use crate::engine::replay::Replay;
use crate::format::{FrameKind, FrameRef};
use crate::index::Account;
use std::path::Path;

/// One account's usage from every side. Two sides that differ are damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The account.
    pub account: AccountId,
    /// Its address; `None` when the directory does not know it (any more).
    pub address: Option<String>,
    /// Bytes charged, as folded from the log.
    pub used_bytes: u64,
    /// Sum of the sizes of the entries.
    pub entries_bytes: u64,
    /// Sum of what the mailboxes say.
    pub mailboxes_bytes: u64,
    /// Messages counted, as folded from the log.
    pub messages: u64,
    /// The entries' number.
    pub entries: u64,
    /// Sum of the mailboxes' highest modseqs: two views with the same sum are of the same moment.
    pub modseqs: u64,
    /// What it may hold; `None` is unlimited or unknown.
    pub quota_bytes_max: Option<u64>,
}

impl Usage {
    /// Whether all sides agree.
    pub fn agrees(&self) -> bool {
        self.used_bytes == self.entries_bytes
            && self.used_bytes == self.mailboxes_bytes
            && self.messages == self.entries
    }

    /// The sides of one account as a view shows them, with what the directory says of it.
    ///
    /// # Errors
    /// `Corrupt`: a chunk of the view's index part is not what was written.
    pub fn of(account: &Account, address: Option<String>, quota_bytes_max: Option<u64>) -> Result<Usage> {
        let sums = audit(account, &Places::default(), &mut |_| {})?;
        Ok(Usage {
            account: account.id,
            address,
            used_bytes: account.used_bytes,
            entries_bytes: sums.bytes,
            mailboxes_bytes: account.mailboxes.iter().map(|mailbox| mailbox.size_bytes).sum(),
            messages: account.messages,
            entries: sums.entries,
            modseqs: account.mailboxes.iter().map(|mailbox| mailbox.highest_modseq.0).sum(),
            quota_bytes_max,
        })
    }
}

/// Folds the logs of all shards, or of the one that holds `only`, and gives the usage of every account in them, or of that one.
///
/// # Errors
/// `NotFound`: no store there, or nobody of that address. `Corrupt`: the log is damaged, so that nothing is proven; `verify` says where.
pub fn prove_quota(
    disk: &dyn Disk,
    only: Option<&Address>,
    scratch: Scratch<'_>,
    watch: Watch<'_>,
    give: &mut dyn FnMut(Usage),
) -> Result<()> {
    let inventory = inventory::take(disk)?;
    if inventory.is_empty() {
        return Err(Error::NotFound(format!("a store in {}", disk.full_path(Path::new("")).display())));
    }
    let shards = inventory.shards.clone().map_err(|why| Error::corrupt("STORE", 0, why))?;
    let mut done = Done::new(inventory.total_bytes());
    let directory = directory(disk, &inventory, &mut done, watch)?;
    let only = match only {
        None => None,
        Some(address) => match directory.account_at(address) {
            Some(account) => Some(account.id),
            None => return Err(Error::NotFound(format!("account {address}"))),
        },
    };
    for (shard, log) in inventory.logs.range(..ShardId::CONTROL) {
        if only.is_some_and(|id| id.0 % u64::from(shards) != u64::from(shard.0)) {
            continue;
        }
        let mut fold = Fold::new(*shard, "quota");
        pass(disk, *shard, &log.dir, &mut done, watch, &mut |lsn, frame| fold.apply(lsn, frame, scratch))?;
        for id in fold.accounts.ids().into_iter().filter(|id| only.is_none_or(|only| only == *id)) {
            if let Some(account) = fold.accounts.load(id)? {
                let known = directory.account(id);
                let address = known.map(|known| known.address.to_string());
                give(Usage::of(&account, address, known.and_then(|known| known.quota_bytes_max()))?);
            }
        }
    }
    Ok(())
}

fn directory(disk: &dyn Disk, inventory: &Inventory, done: &mut Done, watch: Watch<'_>) -> Result<Directory> {
    let (mut directory, mut replay) = (Directory::default(), Replay::default());
    if let Some(log) = inventory.logs.get(&ShardId::CONTROL) {
        pass(disk, ShardId::CONTROL, &log.dir, done, watch, &mut |_, frame| {
            Ok(replay.control(&mut directory, frame.payload).map_err(|why| why.to_string()))
        })?;
    }
    Ok(directory)
}

type Apply<'a> = &'a mut dyn FnMut(Lsn, FrameRef<'_>) -> Result<std::result::Result<(), String>>;

/// Gives every event frame of a log that is whole.
fn pass(
    disk: &dyn Disk,
    shard: ShardId,
    dir: &Path,
    done: &mut Done,
    watch: Watch<'_>,
    apply: Apply<'_>,
) -> Result<()> {
    let (parts, _) = checkpoint::find(disk, shard, dir)?;
    let log = &inventory::again(disk, shard)?;
    let contents = Contents::default();
    let survey =
        Survey { disk, log, contents: &contents, covered: parts.lsn(), live: true, distrusted: &Default::default() };
    let name = disk.full_path(&log.dir).display().to_string();
    let mut quiet = |told: Told<'_>| {
        if let Told::Progress { .. } = told {
            watch(told);
        }
    };
    survey.run(done, &mut quiet, &mut |item, _| match item {
        Item::Frame { lsn, frame, .. } if frame.header.kind == FrameKind::Events => {
            let done = apply(lsn, frame.as_ref())?;
            done.map_err(|why| Error::corrupt(&name, lsn.0, format!("the events at this Lsn: {why}")))
        }
        Item::Hole { lsn, hole, .. } if hole.loses_events() => {
            Err(Error::corrupt(&name, lsn.start, format!("{}: events are lost", hole.why)))
        }
        _ => Ok(()),
    })?;
    Ok(())
}
