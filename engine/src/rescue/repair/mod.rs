//! Mends a data directory that nobody has open: plans first, changing nothing, and then does what was planned. What is good is never touched,
//! what is cut is kept in lost+found/, and a log position never comes to mean something else. After it the store opens and `verify` is clean.
mod apply;
mod attempt;
pub(super) mod control;
mod fill;
mod image;
mod requeue;
pub(super) mod shard;
mod state;
mod step;
mod write;

pub use step::{Act, Step};

use super::finding::Watch;
use super::inventory::{self, Inventory, Log};
use super::lock::lock;
use super::rebuild::Tools;
use super::survey::Done;
use crate::base::{AccountId, Error, Result, ShardId};
use crate::disk::Lock;
use crate::engine::store_file;
use control::ControlPlan;
use shard::{Planner, ShardPlan};
use state::Words;
use std::path::Path;

/// A plan, with the lock of the directory that it is for.
pub struct Repair {
    _lock: Box<dyn Lock>,
    steps: Vec<Step>,
    /// STORE is written anew with this number of shards.
    store: Option<u16>,
    control: ControlPlan,
    shards: Vec<ShardPlan>,
    /// No account's number is given out below this.
    account_next: AccountId,
}

/// What was done.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Repaired {
    /// The steps of the plan, each done.
    pub steps: Vec<Step>,
    /// Files in lost+found/ with what was cut or moved aside.
    pub kept: Vec<String>,
    /// What recovery said when it opened the mended logs.
    pub notices: Vec<String>,
}

/// Images and files of one log, before anything is known of its state.
#[derive(Default)]
struct Files {
    images: Vec<image::Image>,
    aside: Vec<std::path::PathBuf>,
    misplaced: Vec<std::path::PathBuf>,
    opens: bool,
    steps: Vec<Step>,
}

impl Repair {
    /// Looks at everything and says what there is to do; changes nothing. Holds the directory's lock until it is dropped.
    ///
    /// # Errors
    /// `Busy`: somebody has the store open. `NotFound`: there is none. `Corrupt`: a file was written by a newer program.
    /// `Invalid`: a segment is there and cannot be opened.
    pub fn plan(tools: &mut Tools<'_>, watch: Watch<'_>) -> Result<Repair> {
        let disk = tools.disk.clone();
        let inventory = inventory::take(&*disk)?;
        if inventory.is_empty() {
            return Err(Error::NotFound(format!("a store in {}", disk.full_path(Path::new("")).display())));
        }
        let lock = lock(&*disk)?;
        // Again: until the lock was held, a server may have made more.
        let inventory = inventory::take(&*disk)?;
        if let Some(why) = inventory.unopened {
            let what =
                format!("{why}; a repair would make it anew, empty: let it be read, or move it away if it is lost");
            return Err(Error::Invalid(what));
        }
        if let Some((shard, what)) = inventory.logs.iter().find_map(|(shard, log)| Some((shard, log.newer.as_ref()?))) {
            return Err(Error::corrupt(format!("shard {shard}"), 0, what.clone()));
        }
        let mut done = Done::new(inventory.total_bytes());
        let mut planner = Planner { disk: &*disk, clock: &*tools.clock, done: &mut done };
        let empty = Log { dir: crate::engine::shard_dir(ShardId::CONTROL), ..Log::default() };
        let control_log = inventory.logs.get(&ShardId::CONTROL).unwrap_or(&empty);
        let control = planner.control(control_log, watch)?;
        let mut shards = Vec::new();
        for (shard, log) in inventory.logs.range(..ShardId::CONTROL) {
            shards.push(planner.shard(*shard, log, tools.scratch, watch)?);
        }
        let highest = shards.iter().filter_map(|plan| plan.accounts().last().copied()).max().unwrap_or_default();
        let account_next = AccountId(highest.0 + 1);
        let mut repair = Repair { _lock: lock, steps: Vec::new(), store: None, control, shards, account_next };
        repair.store = repair.store_needed(&inventory)?;
        repair.list(&*disk, &inventory)?;
        Ok(repair)
    }

    /// The steps, in the order in which they are done. None: nothing is damaged.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// The number of shards, if STORE has to be written anew: the least that puts every account where it is.
    fn store_needed(&self, inventory: &Inventory) -> Result<Option<u16>> {
        let fits = |count: u16| {
            self.shards.iter().all(|plan| {
                plan.shard.0 < count
                    && plan.accounts().iter().all(|id| id.0 % u64::from(count) == u64::from(plan.shard.0))
            })
        };
        if inventory.shards.as_ref().is_ok_and(|count| fits(*count)) {
            return Ok(None);
        }
        let least = self.shards.last().map_or(1, |plan| plan.shard.0 + 1);
        match (least..u16::MAX).find(|count| fits(*count)) {
            Some(count) => Ok(Some(count)),
            None => Err(Error::corrupt("shards", 0, "accounts lie in shards that no number of shards puts them in")),
        }
    }

    /// All steps in order.
    fn list(&mut self, disk: &dyn crate::disk::Disk, inventory: &Inventory) -> Result<()> {
        let mut steps = Vec::new();
        for plan in &self.shards {
            plan.images.iter().for_each(|image| steps.extend_from_slice(&image.steps));
            steps.extend_from_slice(&plan.steps);
        }
        self.control.images.iter().for_each(|image| steps.extend_from_slice(&image.steps));
        steps.extend_from_slice(&self.control.steps);
        if let Some(count) = self.store {
            let name = disk.full_path(Path::new(store_file::NAME)).display().to_string();
            let what = format!("written anew with {count} shards, as the directories and the accounts in them say");
            steps.push(Step::new(Act::Store, name, what));
        }
        for plan in &mut self.shards {
            let name = disk.full_path(&crate::engine::shard_dir(plan.shard)).display().to_string();
            let empty = Log::default();
            let log = inventory.logs.get(&plan.shard).unwrap_or(&empty);
            let mut describe = apply::describer(disk, log, plan.contents.clone());
            let (directory, describe) = (&self.control.wanted, &mut describe as state::Describe<'_>);
            let mut words = Words { name: &name, directory, describe, steps: &mut steps };
            let mut changes = false;
            state::changes(plan, &mut words, &mut |_| {
                changes = true;
                Ok(())
            })?;
            plan.changes = changes;
            if plan.derived_bad {
                steps.push(Step::new(
                    Act::Rebuild,
                    &name,
                    "its index parts are made anew from the log; the old ones are kept",
                ));
            }
        }
        let name = disk.full_path(&crate::engine::shard_dir(ShardId::CONTROL)).display().to_string();
        self.control.changes(&name, self.account_next, &mut steps);
        if self.control.derived_bad {
            steps.push(Step::new(
                Act::Rebuild,
                &name,
                "its index parts are made anew from the log; the old ones are kept",
            ));
        }
        self.steps = steps;
        Ok(())
    }
}
