//! Marks by which this store knows again what it has written into mail. Nobody else can make one.
use super::{Directory, ScramHash};

/// Bytes of a mark.
const MARK_BYTES: usize = 16;

impl Directory {
    /// The mark of a text; `None`: the store has no secret yet, for nobody has ever logged in.
    pub fn mark(&self, text: &[u8]) -> Option<[u8; MARK_BYTES]> {
        self.secret.map(|secret| mark(&secret, text))
    }
}

/// The mark of a text by a secret that is not the store's.
pub fn mark(secret: &[u8; 32], text: &[u8]) -> [u8; MARK_BYTES] {
    let mac = ScramHash::Sha256.mac(secret, &[b"posthouse mark\0", text].concat());
    let mut mark = [0; MARK_BYTES];
    mark.copy_from_slice(&mac[..MARK_BYTES]);
    mark
}
