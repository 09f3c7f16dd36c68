//! SHA-256 as people compare it: 64 hexadecimal digits.
use ring::digest::{Context, SHA256, digest};
use std::fmt::Write;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// Of bytes in memory.
pub fn of(bytes: &[u8]) -> String {
    hex(digest(&SHA256, bytes).as_ref())
}

/// Of bytes that come in pieces.
pub struct Sha(Context);

impl Default for Sha {
    fn default() -> Sha {
        Sha(Context::new(&SHA256))
    }
}

impl Sha {
    /// The next piece.
    pub fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// Of all pieces.
    pub fn hex(self) -> String {
        hex(self.0.finish().as_ref())
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_known_digest() {
        let known = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
        assert_eq!(super::of(b"abc"), known);
        let mut pieces = super::Sha::default();
        pieces.add(b"a");
        pieces.add(b"bc");
        assert_eq!(pieces.hex(), known);
    }
}
