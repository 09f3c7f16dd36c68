//! Room for a shard's next checkpoint, held in a file of its own: a disk that is full of mail still takes the checkpoint of an orderly stop.
//! A change is committed only while that room is held. Knows not what a checkpoint holds, only how large it can get.
use crate::base::limits::RESERVE_STEP_BYTES;
use crate::base::{AccountId, Error, Result};
use crate::disk::{Disk, File};
use crate::index::Accounts;
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's name in a shard's directory; its bytes mean nothing.
const NAME: &str = "reserve";

/// The file that holds room.
pub(super) struct Reserve {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    file: Option<Arc<dyn File>>,
    held_bytes: u64,
    /// A failure that is not a full disk was told: it comes with every group.
    told: bool,
}

impl Reserve {
    pub(super) fn new(disk: Arc<dyn Disk>, dir: &Path) -> Reserve {
        Reserve { disk, path: dir.join(NAME), file: None, held_bytes: 0, told: false }
    }

    /// Holds `bytes` or more from now on.
    ///
    /// # Errors
    /// `NoSpace`: there is no room for it; what was held before is held on. A failure of another kind is told and changes nothing: the
    /// reserve is for a full disk, and this one is not full.
    pub(super) fn hold(&mut self, bytes: u64) -> Result<()> {
        if bytes <= self.held_bytes {
            return Ok(());
        }
        let wanted = bytes.next_multiple_of(RESERVE_STEP_BYTES);
        let made = match &self.file {
            Some(file) => file.allocate(wanted),
            None => self.make().and_then(|file| self.file.insert(file).allocate(wanted)),
        };
        match made.map_err(|why| Error::io(format!("hold room in {}", self.name()), why)) {
            Ok(()) => {
                self.held_bytes = wanted;
                Ok(())
            }
            Err(Error::NoSpace) => Err(Error::NoSpace),
            Err(why) => {
                if !std::mem::replace(&mut self.told, true) {
                    tracing::warn!(%why, "no room is held for a checkpoint on a full disk");
                }
                Ok(())
            }
        }
    }

    /// The file, made or left by an earlier start.
    fn make(&self) -> std::io::Result<Arc<dyn File>> {
        match self.disk.create(&self.path) {
            Err(why) if why.kind() == ErrorKind::AlreadyExists => self.disk.open(&self.path),
            made => made,
        }
    }

    fn name(&self) -> String {
        self.disk.full_path(&self.path).display().to_string()
    }

    /// Hands the room over under the name `to`, to be written over. None if there is none or it cannot be had.
    pub(super) fn take(&mut self, to: &Path) -> Option<Arc<dyn File>> {
        self.held_bytes = 0;
        let file = self.file.take()?;
        self.disk.rename(&self.path, to).is_ok().then_some(file)
    }
}

/// How large a shard's next checkpoint can get: what differs from the index parts, counted account by account.
#[derive(Default)]
pub(super) struct Need {
    accounts: HashMap<AccountId, u64>,
    accounts_bytes: u64,
    /// The queue and the dictionaries.
    pub(super) state_bytes: u64,
}

impl Need {
    /// Counts an account as it is now.
    pub(super) fn measure(&mut self, accounts: &Accounts, id: AccountId) {
        let bytes = accounts.checkpoint_bytes(id);
        let before = if bytes == 0 { self.accounts.remove(&id) } else { self.accounts.insert(id, bytes) };
        self.accounts_bytes = self.accounts_bytes + bytes - before.unwrap_or(0);
    }

    /// Counts all that differs: after a start, and when index parts came or went.
    pub(super) fn measure_all(&mut self, accounts: &Accounts) {
        self.clear();
        accounts.dirty_ids().for_each(|id| self.measure(accounts, id));
    }

    /// A checkpoint was begun.
    pub(super) fn clear(&mut self) {
        self.accounts.clear();
        self.accounts_bytes = 0;
    }

    /// Bytes of the accounts that differ.
    pub(super) fn bytes(&self) -> u64 {
        self.accounts_bytes + self.state_bytes
    }
}
