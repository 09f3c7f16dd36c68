//! One simulated file: what programs see, what is on the medium, and the changes between. Knows no names.
use super::Random;
use std::io;

/// Writes tear at multiples of this.
pub(super) const SECTOR_BYTES: usize = 512;

#[derive(Clone, Debug)]
enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    SetLen(usize),
}

/// A file's content.
#[derive(Clone, Debug, Default)]
pub(super) struct Inode {
    visible: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Change>,
}

impl Inode {
    /// A file that a restarted machine finds: all of it is on the medium.
    pub(super) fn at_rest(bytes: Vec<u8>) -> Inode {
        Inode { visible: bytes.clone(), durable: bytes, pending: Vec::new() }
    }

    pub(super) fn visible(&self) -> &[u8] {
        &self.visible
    }

    pub(super) fn write(&mut self, bytes: &[u8], offset: usize) {
        put(&mut self.visible, bytes, offset);
        self.pending.push(Change::Write { offset, bytes: bytes.to_vec() });
    }

    /// Programs see the write; the medium never gets it.
    pub(super) fn seem_to_write(&mut self, bytes: &[u8], offset: usize) {
        put(&mut self.visible, bytes, offset);
    }

    /// The medium gets what was meant for another place; programs go on seeing what they saw.
    pub(super) fn be_overwritten(&mut self, bytes: &[u8], offset: usize) {
        put(&mut self.durable, bytes, offset);
    }

    pub(super) fn set_len(&mut self, len: usize) {
        self.visible.resize(len, 0);
        self.pending.push(Change::SetLen(len));
    }

    pub(super) fn sync(&mut self) {
        for change in std::mem::take(&mut self.pending) {
            apply(&mut self.durable, &change);
        }
    }

    /// The changes are lost in part, and no later sync will try them again.
    pub(super) fn lose_sync(&mut self, random: &mut Random) {
        self.durable = self.after_crash(random);
        self.pending.clear();
    }

    pub(super) fn flip(&mut self, offset: u64, bits: u8) -> io::Result<()> {
        let at = usize::try_from(offset).unwrap_or(usize::MAX);
        for bytes in [&mut self.visible, &mut self.durable] {
            *bytes.get_mut(at).ok_or(io::ErrorKind::UnexpectedEof)? ^= bits;
        }
        Ok(())
    }

    /// The bytes that are on the medium when all changes have come down.
    pub(super) fn settled(&self) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        self.pending.iter().for_each(|change| apply(&mut bytes, change));
        bytes
    }

    /// The bytes that may be on the medium if the power fails now.
    pub(super) fn after_crash(&self, random: &mut Random) -> Vec<u8> {
        let mut bytes = self.durable.clone();
        match random.below(5) {
            0 => {}
            1 => self.pending.iter().for_each(|change| apply(&mut bytes, change)),
            2 => self.keep_prefix(&mut bytes, random),
            _ => self.keep_some(&mut bytes, random),
        }
        bytes
    }

    /// Changes in order up to a point; the last one torn.
    fn keep_prefix(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let kept = random.below(self.pending.len() as u64 + 1) as usize;
        self.pending[..kept].iter().for_each(|change| apply(bytes, change));
        if let Some(Change::Write { offset, bytes: written }) = self.pending.get(kept) {
            let sectors = sectors(*offset, written);
            let whole = random.below(sectors.len() as u64 + 1) as usize;
            sectors[..whole].iter().for_each(|(offset, sector)| put(bytes, sector, *offset));
        }
    }

    /// Any sector of any change, and the length with or without what belongs there.
    fn keep_some(&self, bytes: &mut Vec<u8>, random: &mut Random) {
        let percent = [5, 50, 95][random.below(3) as usize];
        for change in &self.pending {
            match change {
                Change::Write { offset, bytes: written } => {
                    for (offset, sector) in sectors(*offset, written) {
                        if random.chance(percent) {
                            put(bytes, sector, offset);
                        }
                    }
                }
                Change::SetLen(len) if random.chance(percent) => bytes.resize(*len, 0),
                Change::SetLen(_) => {}
            }
        }
        if random.chance(50) && bytes.len() < self.visible.len() {
            bytes.resize(self.visible.len(), 0);
        }
    }
}

/// A write cut at the sectors of the medium.
fn sectors(mut offset: usize, mut bytes: &[u8]) -> Vec<(usize, &[u8])> {
    let mut sectors = Vec::new();
    while !bytes.is_empty() {
        let (sector, rest) = bytes.split_at(bytes.len().min(SECTOR_BYTES - offset % SECTOR_BYTES));
        sectors.push((offset, sector));
        (offset, bytes) = (offset + sector.len(), rest);
    }
    sectors
}

fn apply(bytes: &mut Vec<u8>, change: &Change) {
    match change {
        Change::Write { offset, bytes: written } => put(bytes, written, *offset),
        Change::SetLen(len) => bytes.resize(*len, 0),
    }
}

fn put(into: &mut Vec<u8>, bytes: &[u8], offset: usize) {
    if into.len() < offset + bytes.len() {
        into.resize(offset + bytes.len(), 0);
    }
    into[offset..offset + bytes.len()].copy_from_slice(bytes);
}
