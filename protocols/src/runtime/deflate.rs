//! Answers how a compressed stream (RFC 4978, raw DEFLATE of RFC 1951) becomes plain text and back, between a session and TLS or the
//! transport. Holds no compressor while a session waits: it ends what it sends at a byte, and begins anew. It never decides whether to
//! compress.

use std::io;

use miniz_oxide::deflate::core::{CompressorOxide, create_comp_flags_from_zip_params};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::inflate::TINFLStatus;
use miniz_oxide::inflate::core::{DecompressorOxide, decompress, inflate_flags};
use miniz_oxide::{DataFormat, MZError, MZFlush, MZStatus};

use crate::limits;

/// How far back DEFLATE may refer.
const WINDOW_SIZE_BYTES: usize = 32 * 1024;
/// The level of zlib's scale: mail is mostly text, and the sender waits.
const LEVEL: i32 = 4;

/// One connection's state.
pub(crate) struct DeflateLayer {
    inflater: Box<DecompressorOxide>,
    /// Plain text that the peer may refer back to; its end has been handed out.
    history: Vec<u8>,
    /// Received; `[..read_at]` is inflated.
    received: Vec<u8>,
    read_at: usize,
    /// Compressed and not sent yet.
    pub(crate) packed: Vec<u8>,
    /// The peer has ended its stream.
    at_end: bool,
}

impl DeflateLayer {
    /// A layer that has nothing before it; `received` is what came behind the command already.
    pub(crate) fn new(received: Vec<u8>) -> DeflateLayer {
        let inflater = Box::new(DecompressorOxide::new());
        DeflateLayer { inflater, history: Vec::new(), received, read_at: 0, packed: Vec::new(), at_end: false }
    }

    /// Where received bytes go.
    pub(crate) fn received(&mut self) -> &mut Vec<u8> {
        self.received.drain(..std::mem::take(&mut self.read_at));
        &mut self.received
    }

    /// Whether there is something to inflate.
    pub(crate) fn has_received(&self) -> bool {
        self.read_at < self.received.len()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.at_end
    }

    /// Inflates a bounded piece of what was received onto `into`; 0 when more has to come first.
    pub(crate) fn inflate(&mut self, into: &mut Vec<u8>) -> io::Result<usize> {
        let known = self.history.len();
        self.history.resize(known + limits::INFLATE_SIZE_BYTES, 0);
        let flags = inflate_flags::TINFL_FLAG_USING_NON_WRAPPING_OUTPUT_BUF | inflate_flags::TINFL_FLAG_HAS_MORE_INPUT;
        let received = &self.received[self.read_at..];
        let (status, used, written) = decompress(&mut self.inflater, received, &mut self.history, known, flags);
        self.read_at += used;
        if !self.has_received() {
            (self.received, self.read_at) = (Vec::new(), 0);
        }
        self.history.truncate(known + written);
        into.extend_from_slice(&self.history[known..]);
        let excess = self.history.len().saturating_sub(WINDOW_SIZE_BYTES);
        self.history.drain(..excess);
        self.history.shrink_to(self.history.len() * 2);
        match status {
            TINFLStatus::NeedsMoreInput | TINFLStatus::HasMoreOutput => {}
            TINFLStatus::Done => self.at_end = true,
            _ => return Err(io::Error::new(io::ErrorKind::InvalidData, "the client's compressed data is broken")),
        }
        Ok(written)
    }

    /// Compresses all of `output` for sending.
    pub(crate) fn pack(&mut self, output: &mut Vec<u8>) -> io::Result<()> {
        if output.is_empty() {
            return Ok(());
        }
        // Without the window: nothing sent later refers to what was sent before, so that the compressor can be forgotten.
        let flags = create_comp_flags_from_zip_params(LEVEL, DataFormat::Raw.to_window_bits(), 0);
        let mut compressor = Box::new(CompressorOxide::new(flags));
        let mut input = output.as_slice();
        let mut piece = vec![0; output.len() / 2 + 256];
        loop {
            let done = deflate(&mut compressor, input, &mut piece, MZFlush::Sync);
            self.packed.extend_from_slice(&piece[..done.bytes_written]);
            input = &input[done.bytes_consumed..];
            match done.status {
                Ok(MZStatus::Ok) if done.bytes_written == piece.len() || !input.is_empty() => {}
                Ok(_) | Err(MZError::Buf) => break,
                Err(_) => return Err(io::Error::other("a compressor that cannot compress")),
            }
        }
        *output = Vec::new();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inflated(layer: &mut DeflateLayer, bytes: &[u8], step: usize) -> Vec<u8> {
        let mut out = Vec::new();
        for piece in bytes.chunks(step) {
            layer.received().extend_from_slice(piece);
            while layer.inflate(&mut out).expect("good data") > 0 {}
        }
        out
    }

    #[test]
    fn what_is_packed_comes_out_in_pieces_of_any_size() {
        let mut seed = 1u32;
        let random: Vec<u8> = (0..200_000)
            .map(|_| {
                seed = seed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (seed >> 24) as u8
            })
            .collect();
        let texts: [&[u8]; 5] = [b"a", b"* OK ready\r\n", &b"hello world\r\n".repeat(20_000), &random, b"end"];
        for step in [1, 7, 1000, 1 << 20] {
            let (mut sender, mut receiver) = (DeflateLayer::new(Vec::new()), DeflateLayer::new(Vec::new()));
            for text in texts {
                sender.pack(&mut text.to_vec()).expect("packed");
                let packed = std::mem::take(&mut sender.packed);
                assert!(inflated(&mut receiver, &packed, step) == text, "{} bytes in steps of {step}", text.len());
            }
        }
    }

    #[test]
    fn a_bomb_comes_in_bounded_pieces() {
        let mut layer = DeflateLayer::new(Vec::new());
        layer.pack(&mut vec![b'x'; 10 << 20]).expect("packed");
        let bomb = std::mem::take(&mut layer.packed);
        assert!(bomb.len() < 64 << 10);
        layer.received().extend_from_slice(&bomb);
        let mut out = Vec::new();
        assert!(layer.inflate(&mut out).expect("good data") <= limits::INFLATE_SIZE_BYTES);
        assert!(layer.has_received());
        assert!(layer.history.capacity() <= 2 * WINDOW_SIZE_BYTES + limits::INFLATE_SIZE_BYTES);
    }

    #[test]
    fn nonsense_is_an_error() {
        let mut layer = DeflateLayer::new(vec![0xff; 100]);
        assert!(layer.inflate(&mut Vec::new()).is_err());
    }

    #[test]
    fn an_idle_layer_is_small() {
        let mut layer = DeflateLayer::new(Vec::new());
        let mut sender = DeflateLayer::new(Vec::new());
        sender.pack(&mut b"a LOGIN x y\r\nb SELECT INBOX\r\nc IDLE\r\n".to_vec()).expect("packed");
        inflated(&mut layer, &sender.packed.clone(), 9);
        let bytes = std::mem::size_of::<DecompressorOxide>() + layer.history.capacity() + layer.received.capacity();
        assert!(bytes <= 12 << 10, "{bytes} bytes");
    }
}
