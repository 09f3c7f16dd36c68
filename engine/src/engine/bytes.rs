//! Bytes of a message or summary as readers get them: from a map without a copy, or owned.
use crate::log::FrameBytes;
use std::ops::{Deref, Range};

/// Bytes that live in a mapped segment or in memory; derefs to the bytes.
#[derive(Clone)]
pub struct Bytes(Source);

#[derive(Clone)]
enum Source {
    Frame(FrameBytes, Range<usize>),
    Owned(Vec<u8>),
}

impl Bytes {
    /// `range` lies within the frame's bytes.
    pub(super) fn of_frame(bytes: FrameBytes, range: Range<usize>) -> Option<Bytes> {
        bytes.get(range.clone())?;
        Some(Bytes(Source::Frame(bytes, range)))
    }

    pub(super) fn owned(bytes: Vec<u8>) -> Bytes {
        Bytes(Source::Owned(bytes))
    }

    /// The bytes as a vector of one's own; copies only what lies in a map.
    pub fn into_vec(self) -> Vec<u8> {
        match self.0 {
            Source::Owned(bytes) => bytes,
            Source::Frame(bytes, range) => bytes[range].to_vec(),
        }
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes::owned(bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        match &self.0 {
            Source::Frame(bytes, range) => &bytes[range.clone()],
            Source::Owned(bytes) => bytes,
        }
    }
}
