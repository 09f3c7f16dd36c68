//! The list of one backup: which files make it up, with their hashes; proven by a hash of its own. Read from a medium that may have changed.
use super::sha;
use serde::{Deserialize, Serialize};
use std::path::{Component, Path};

/// The version of the list.
pub const VERSION: u32 = 1;
/// Bytes of a list that are read: a million files fit.
pub const BYTES_MAX: u64 = 512 << 20;

/// One backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Backup {
    /// `VERSION`.
    pub version: u32,
    /// Later ones have greater numbers, whatever the clock says.
    pub number: u64,
    /// When it was begun, RFC 3339 in UTC: everything that was acknowledged before is in it.
    pub made: String,
    /// The program that made it.
    pub posthouse: String,
    /// The file STORE.
    pub store: File,
    /// The control shard last.
    pub shards: Vec<Shard>,
}

/// One shard's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Its directory, from the data directory on.
    pub dir: String,
    /// In the order of the log.
    pub files: Vec<File>,
}

/// One file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct File {
    /// The directory it lies in, from the data directory on.
    pub dir: String,
    /// Its name there.
    pub name: String,
    /// Bytes of it.
    pub bytes: u64,
    /// Of those bytes, 64 hexadecimal digits.
    pub sha256: String,
    /// Where it lies, from the backups' directory on.
    pub at: String,
}

impl Backup {
    /// The list as a file: a line of JSON and a line with its hash.
    pub fn encode(&self) -> serde_json::Result<Vec<u8>> {
        let mut bytes = serde_json::to_vec(self)?;
        let line = format!("\nsha256 {}\n", sha::of(&bytes));
        bytes.extend_from_slice(line.as_bytes());
        Ok(bytes)
    }

    /// Reads a list; the error says what is wrong with it.
    pub fn decode(bytes: &[u8]) -> Result<Backup, String> {
        let cut = "the list is cut off or was changed: its last line is not the hash of what stands before";
        let body = bytes.strip_suffix(b"\n").ok_or(cut)?;
        let at = body.iter().rposition(|byte| *byte == b'\n').ok_or(cut)?;
        let (json, hash) = (&body[..at], &body[at + 1..]);
        if hash != format!("sha256 {}", sha::of(json)).as_bytes() {
            return Err(cut.into());
        }
        let backup: Backup = serde_json::from_slice(json).map_err(|error| error.to_string())?;
        if backup.version != VERSION {
            return Err(format!("version {}; this posthouse reads version {VERSION}", backup.version));
        }
        let plain = |path: &str| Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        let leads_out =
            |file: &&File| !plain(&file.dir) || !plain(&file.name) || !plain(&file.at) || file.name.is_empty();
        let bad = backup.files().find(leads_out).map(|file| format!("{:?} leads out of the directory", file.at));
        bad.map_or(Ok(backup), Err)
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = &File> {
        self.shards.iter().flat_map(|shard| &shard.files).chain([&self.store])
    }

    /// Bytes of all of them, as the list says.
    pub fn bytes(&self) -> u64 {
        self.files().fold(0, |sum, file| sum.saturating_add(file.bytes))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn backup(at: &str) -> Backup {
        let file = |name: &str| File {
            dir: String::new(),
            name: name.into(),
            bytes: 3,
            sha256: sha::of(b"abc"),
            at: at.into(),
        };
        let shards = vec![Shard { dir: "shards/00000".into(), files: vec![file("seg")] }];
        let made = "2026-11-24T05:00:00Z".into();
        Backup { version: VERSION, number: 1, made, posthouse: "0".into(), store: file("STORE"), shards }
    }

    #[test]
    fn lists_come_back_and_changed_ones_do_not() {
        let bytes = backup("files/x").encode().expect("encoded");
        assert_eq!(Backup::decode(&bytes), Ok(backup("files/x")));
        for at in 0..bytes.len() {
            assert!(Backup::decode(&bytes[..at]).is_err(), "cut at {at}");
            let mut changed = bytes.clone();
            changed[at] ^= 1;
            assert!(Backup::decode(&changed).is_err(), "changed at {at}");
        }
        for at in ["../x", "/etc/passwd", "a/../../b"] {
            let bytes = backup(at).encode().expect("encoded");
            assert!(Backup::decode(&bytes).is_err_and(|why| why.contains("leads out")), "{at}");
        }
    }

    #[test]
    fn sizes_that_are_no_sizes_have_a_sum() {
        let mut lies = backup("files/x");
        (lies.store.bytes, lies.shards[0].files[0].bytes) = (u64::MAX, u64::MAX);
        assert_eq!(lies.bytes(), u64::MAX);
    }
}
