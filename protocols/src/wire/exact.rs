//! Reads an announced number of bytes (IMAP literals, BDAT chunks). Whether the number is acceptable the session decides before.

use std::io;

use crate::runtime::Stream;

/// Appends the next `n` bytes of `stream` to `into`. To take a large literal in bounded memory, ask for it in pieces.
///
/// # Errors
/// `UnexpectedEof` when the peer closes before; any error of the connection.
pub async fn read_exact_n(stream: &mut Stream, n: usize, into: &mut Vec<u8>) -> io::Result<()> {
    let mut left = n;
    loop {
        let buffered = stream.buffered();
        let taken = buffered.len().min(left);
        into.extend_from_slice(&buffered[..taken]);
        stream.consume(taken);
        left -= taken;
        if left == 0 {
            return Ok(());
        }
        if stream.fill().await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}
