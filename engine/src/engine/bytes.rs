//! Bytes of a message or summary as readers get them.
use std::ops::Deref;

/// Bytes in memory; derefs to the bytes.
#[derive(Clone)]
pub struct Bytes(Vec<u8>);

impl Bytes {
    /// The bytes as a vector of one's own.
    pub fn into_vec(self) -> Vec<u8> {
        self.0
    }
}

impl From<Vec<u8>> for Bytes {
    fn from(bytes: Vec<u8>) -> Bytes {
        Bytes(bytes)
    }
}

impl Deref for Bytes {
    type Target = [u8];
    fn deref(&self) -> &[u8] {
        &self.0
    }
}
