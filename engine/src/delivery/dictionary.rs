//! A zstd dictionary: made from samples of mail, as a frame's payload, and digested for use. Decides neither when to train nor which is current.
use super::zstd::{grow, shrink_at};
use crate::base::limits::{DICTIONARY_BYTES, DICTIONARY_BYTES_MAX};
use crate::base::{Error, Guid, Result};
use crate::format::dictionary::DICTIONARY_HEAD_BYTES;
use crate::format::{DictionaryHead, FRAME_FLAG_ZSTD};
use std::fmt;
use std::sync::OnceLock;
use zstd::zstd_safe::{CDict, DDict};

/// zstd's level for fresh mail with a dictionary (docs/decisions/0010).
const LEVEL: i32 = 2;
/// Level at which a dictionary itself is stored.
const STORE_LEVEL: i32 = 9;
/// Where the dictionary format keeps the number that zstd would repeat in every frame; ours is in the frame header.
const ZSTD_ID: std::ops::Range<usize> = 4..8;

/// A digested dictionary. Shared by all who compress or read with it.
pub struct Dictionary {
    name: Guid,
    created_ms: i64,
    bytes: Vec<u8>,
    encoder: OnceLock<CDict<'static>>,
    decoder: OnceLock<DDict<'static>>,
}

impl fmt::Debug for Dictionary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Dictionary({}, {} bytes)", self.name, self.bytes.len())
    }
}

/// Pieces of mail to learn from, one after the other.
#[derive(Clone, Debug, Default)]
pub struct Samples {
    bytes: Vec<u8>,
    sizes: Vec<usize>,
}

impl Samples {
    /// Adds one.
    pub fn push(&mut self, sample: &[u8]) {
        self.bytes.extend_from_slice(sample);
        self.sizes.push(sample.len());
    }

    /// Bytes of all.
    pub fn len_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The last part of the samples, about one of `of`, taken away: to judge by what was not learned from.
    pub fn split_last(&mut self, of: usize) -> Samples {
        let sizes = self.sizes.split_off(self.sizes.len() - self.sizes.len() / of.max(1));
        let bytes = self.bytes.split_off(self.bytes.len() - sizes.iter().sum::<usize>());
        Samples { bytes, sizes }
    }

    fn iter(&self) -> impl Iterator<Item = &[u8]> {
        let mut at = 0;
        self.sizes.iter().map(move |size| {
            at += size;
            &self.bytes[at - size..at]
        })
    }

    /// Bytes that the samples take, each compressed for itself.
    pub fn compressed_bytes(&self, dictionary: Option<&Dictionary>) -> u64 {
        let one = |sample: &[u8]| super::zstd::shrink(sample, dictionary).map_or(sample.len(), |small| small.len());
        self.iter().map(|sample| one(sample) as u64).sum()
    }
}

impl Dictionary {
    /// Learns from samples. `None`: there are too few, or they have nothing in common.
    pub fn train(samples: &Samples, name: Guid, created_ms: i64) -> Option<Dictionary> {
        let size = DICTIONARY_BYTES.min(samples.bytes.len() / 4);
        let mut bytes = zstd::dict::from_continuous(&samples.bytes, &samples.sizes, size).ok()?;
        bytes.get_mut(ZSTD_ID)?.fill(0);
        Dictionary::new(name, created_ms, bytes)
    }

    fn new(name: Guid, created_ms: i64, bytes: Vec<u8>) -> Option<Dictionary> {
        let dictionary = Dictionary { name, created_ms, bytes, encoder: OnceLock::new(), decoder: OnceLock::new() };
        dictionary.decoder.set(DDict::try_create(&dictionary.bytes)?).ok()?;
        Some(dictionary)
    }

    /// Its name over all shards.
    pub fn name(&self) -> Guid {
        self.name
    }

    /// When it was trained, milliseconds since 1970 UTC.
    pub fn created_ms(&self) -> i64 {
        self.created_ms
    }

    pub(super) fn encoder(&self) -> &CDict<'static> {
        self.encoder.get_or_init(|| CDict::create(&self.bytes, LEVEL))
    }

    /// As zstd takes it.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn decoder(&self) -> &DDict<'static> {
        self.decoder.get_or_init(|| DDict::create(&self.bytes))
    }

    /// A dictionary frame's payload and flags.
    pub fn encode(&self) -> (Vec<u8>, u8) {
        let (size_bytes, crc) = (self.bytes.len() as u32, crc32fast::hash(&self.bytes));
        let mut out = Vec::with_capacity(DICTIONARY_HEAD_BYTES + self.bytes.len());
        DictionaryHead { size_bytes, crc, created_ms: self.created_ms, name: self.name }.encode(&mut out);
        match shrink_at(&self.bytes, STORE_LEVEL) {
            Some(small) => {
                out.extend_from_slice(&small);
                (out, FRAME_FLAG_ZSTD)
            }
            None => {
                out.extend_from_slice(&self.bytes);
                (out, 0)
            }
        }
    }

    /// Reads a dictionary frame's payload back.
    pub fn decode(payload: &[u8], flags: u8) -> Result<Dictionary, String> {
        let head = DictionaryHead::decode(payload).map_err(|why| why.to_string())?;
        let size = head.size_bytes as usize;
        if size > DICTIONARY_BYTES_MAX {
            return Err(format!("a dictionary of at most {DICTIONARY_BYTES_MAX} bytes expected, {size} found"));
        }
        let body = &payload[DICTIONARY_HEAD_BYTES..];
        let bytes = if flags & FRAME_FLAG_ZSTD != 0 { grow(body, size, None)? } else { body.to_vec() };
        if bytes.len() != size || crc32fast::hash(&bytes) != head.crc {
            return Err("the dictionary differs from its size or crc".into());
        }
        Dictionary::new(head.name, head.created_ms, bytes).ok_or_else(|| "a zstd dictionary expected".into())
    }

    /// `Corrupt` in the words of a reader that has no such dictionary.
    pub(crate) fn missing(id: u16) -> Error {
        Error::NotFound(format!("dictionary {id} of the shard"))
    }
}
