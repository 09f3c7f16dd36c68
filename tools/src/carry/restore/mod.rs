//! Restore: a whole store into an empty directory, or the mail of one account of a backup into a folder of a store. Each file is proven by its
//! hash on the way, and a half restored store never stands where a store belongs.
mod layer;
mod part;
mod whole;

pub use part::{Part, part};
pub use whole::{Restored, whole};

use super::backup::list::Backup;
use super::backup::{Backups, backups};
use crate::ops::{Failure, Kind};
use crate::time::{parse_rfc3339, rfc3339};
use std::path::{Path, PathBuf};

/// Which backup, and how much of it.
#[derive(Clone, Debug, Default)]
pub struct Which {
    /// By its name; the newest one if not given.
    pub name: Option<String>,
    /// As the store was at this time, seconds since 1970-01-01 UTC.
    pub at: Option<i64>,
}

/// A backup that was found.
pub struct Found {
    /// The directory of backups.
    pub root: PathBuf,
    /// Its name.
    pub name: String,
    /// What it is made of.
    pub backup: Backup,
    /// Everything later is cut off; `None`: all of it is wanted.
    pub at: Option<i64>,
    /// The newest backup that was made before that: what it holds is early enough, whether it carries a time or not.
    pub before: Option<Backup>,
}

impl Found {
    /// The time that is restored, for people.
    pub fn time(&self) -> String {
        self.at.map_or_else(|| self.backup.made.clone(), rfc3339)
    }
}

/// The backup that is meant. For a point in time it is the first one that was begun in a later second: its logs hold everything up to then.
pub fn find(root: &Path, which: &Which) -> Result<Found, Failure> {
    let Backups { mut whole, broken } = backups(root)?;
    for line in &broken {
        eprintln!("{line}");
    }
    let none = || Failure::not_found(format_args!("a whole backup in {}", root.display()));
    let newest = whole.last().map(|(_, backup)| backup.made.clone()).ok_or_else(none)?;
    let at = match (&which.name, which.at) {
        (Some(name), _) => whole.iter().position(|(known, _)| known == name),
        (None, Some(at)) => {
            whole.iter().position(|(_, backup)| parse_rfc3339(&backup.made).is_some_and(|made| made > at))
        }
        (None, None) => whole.len().checked_sub(1),
    };
    let Some(at) = at else {
        return Err(match &which.name {
            Some(name) => Failure::not_found(format_args!("backup {name} (restore --list names them)")),
            None => Failure::new(Kind::Refused, format!("the newest backup is of {newest}; nothing later is kept")),
        });
    };
    let early = |backup: &Backup| parse_rfc3339(&backup.made).zip(which.at).is_some_and(|(made, at)| made < at);
    let before = whole[..at].iter().rfind(|(_, backup)| early(backup)).map(|(_, backup)| backup.clone());
    let (name, backup) = whole.swap_remove(at);
    Ok(Found { root: root.to_path_buf(), name, backup, at: which.at, before })
}
