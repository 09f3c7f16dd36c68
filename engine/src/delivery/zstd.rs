//! The one place that calls zstd: one context for each thread, with a digested dictionary or without. Bounds what comes out; proves nothing.
use super::Dictionary;
use crate::base::{Error, Guid, Result};
use std::cell::RefCell;
use zstd::zstd_safe::{self, CCtx, CDict, CParameter, DCtx, Strategy};

/// zstd's level for fresh mail without a dictionary.
const LEVEL: i32 = 1;

/// What the settings for summaries are made from.
const FAST_LEVEL: i32 = -1;

/// What cold mail's settings are made from; those that matter are set by themselves (docs/decisions/0012).
const COLD_LEVEL: i32 = 7;

/// For what is small and stays long: events of compacted segments.
const SQUEEZE_LEVEL: i32 = 9;

thread_local! {
    static ENCODER: RefCell<Option<CCtx<'static>>> = const { RefCell::new(None) };
    static ENCODER_FAST: RefCell<Option<(Guid, CCtx<'static>)>> = const { RefCell::new(None) };
    static DECODER: RefCell<Option<DCtx<'static>>> = const { RefCell::new(None) };
}

fn failed(code: usize) -> String {
    format!("zstd: {}", zstd_safe::get_error_name(code))
}

/// `bytes` as a zstd frame of fewer bytes; `None` when it would not be smaller (or zstd has no memory: the message is stored as it is).
pub(crate) fn shrink(bytes: &[u8], dictionary: Option<&Dictionary>) -> Option<Vec<u8>> {
    shrink_with(bytes, dictionary.map(Dictionary::encoder), LEVEL)
}

/// The same for what is read far more often than written: a little larger, and read in less time. What the encoder is made of it keeps for this
/// thread as long as the dictionary is the same.
pub(crate) fn shrink_fast(bytes: &[u8], dictionary: &Dictionary) -> Option<Vec<u8>> {
    ENCODER_FAST.with_borrow_mut(|slot| {
        if slot.as_ref().is_none_or(|(name, _)| *name != dictionary.name()) {
            *slot = fast_encoder(dictionary).map(|encoder| (dictionary.name(), encoder));
        }
        let (_, encoder) = slot.as_mut()?;
        let mut out = smaller(encoder, bytes)?;
        out.shrink_to_fit();
        Some(out)
    })
}

/// Reading takes as long as there are matches, so that only long ones count, and as long as literals are coded: with this strategy and a target
/// length they stay as they are. zstd's own level would have tables too small for a dictionary, and matches of five bytes.
fn fast_encoder(dictionary: &Dictionary) -> Option<CCtx<'static>> {
    let settings = [
        CParameter::CompressionLevel(FAST_LEVEL),
        CParameter::Strategy(Strategy::ZSTD_fast),
        CParameter::HashLog(13),
        CParameter::MinMatch(7),
        CParameter::TargetLength(1),
    ];
    encoder_with(settings, Some(dictionary))
}

/// An encoder that keeps its settings and its dictionary; `None` only without memory.
fn encoder_with<const N: usize>(settings: [CParameter; N], dictionary: Option<&Dictionary>) -> Option<CCtx<'static>> {
    let mut encoder = CCtx::try_create()?;
    for setting in settings {
        encoder.set_parameter(setting).ok()?;
    }
    if let Some(dictionary) = dictionary {
        encoder.load_dictionary(dictionary.bytes()).ok()?;
    }
    Some(encoder)
}

/// What such an encoder makes of the bytes, if that is less.
fn smaller(encoder: &mut CCtx<'static>, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    let len = encoder.compress2(&mut out, bytes).ok()?;
    (len < bytes.len()).then_some(out)
}

/// `shrink` at a level of its own, without a dictionary.
pub(crate) fn shrink_at(bytes: &[u8], level: i32) -> Option<Vec<u8>> {
    shrink_with(bytes, None, level)
}

/// Compresses blocks of cold mail, one after the other with the same dictionary. Takes about 6 MiB.
pub(crate) struct ColdEncoder {
    encoder: CCtx<'static>,
    has_dictionary: bool,
}

impl ColdEncoder {
    /// `None` only without memory.
    pub(crate) fn new(dictionary: Option<&Dictionary>) -> Option<ColdEncoder> {
        // zstd's own levels look at the dictionary's size and not at the block's, and take tables that are too small for both.
        let settings = [
            CParameter::CompressionLevel(COLD_LEVEL),
            CParameter::Strategy(Strategy::ZSTD_lazy),
            CParameter::WindowLog(20),
            CParameter::HashLog(19),
            CParameter::ChainLog(19),
            CParameter::SearchLog(3),
            CParameter::MinMatch(5),
            CParameter::TargetLength(16),
        ];
        Some(ColdEncoder { encoder: encoder_with(settings, dictionary)?, has_dictionary: dictionary.is_some() })
    }

    /// As `shrink`.
    pub(crate) fn shrink(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        smaller(&mut self.encoder, bytes)
    }

    /// As `shrink`, for what only gets smaller with a dictionary.
    pub(crate) fn shrink_short(&mut self, bytes: &[u8]) -> Option<Vec<u8>> {
        if self.has_dictionary { self.shrink(bytes) } else { None }
    }
}

fn shrink_with(bytes: &[u8], dictionary: Option<&CDict<'_>>, level: i32) -> Option<Vec<u8>> {
    ENCODER.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = CCtx::try_create();
        }
        let encoder = slot.as_mut()?;
        let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
        let done = match dictionary {
            Some(dictionary) => encoder.compress_using_cdict(&mut out, bytes, dictionary),
            None => encoder.compress(&mut out, bytes, level),
        };
        done.ok().filter(|len| *len < bytes.len())?;
        // The bound is for the worst case; what waits for its commit should not hold it.
        out.shrink_to_fit();
        Some(out)
    })
}

/// `bytes` as a zstd frame with much effort, smaller or not; `None` only without memory.
pub(crate) fn squeeze(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(zstd_safe::compress_bound(bytes.len()));
    CCtx::try_create()?.compress(&mut out, bytes, SQUEEZE_LEVEL).ok()?;
    Some(out)
}

/// The bytes of a zstd frame; more than `size_max` are an error.
pub(crate) fn grow(bytes: &[u8], size_max: usize, dictionary: Option<&Dictionary>) -> Result<Vec<u8>, String> {
    let mut out = Vec::new();
    grow_into(&mut out, bytes, size_max, dictionary)?;
    Ok(out)
}

/// The same into a vector that was used before, in the place of what it held.
pub(crate) fn grow_into(
    out: &mut Vec<u8>,
    bytes: &[u8],
    size_max: usize,
    dictionary: Option<&Dictionary>,
) -> Result<(), String> {
    out.clear();
    out.reserve_exact(size_max);
    DECODER.with_borrow_mut(|slot| {
        if slot.is_none() {
            *slot = DCtx::try_create();
        }
        let decoder = slot.as_mut().ok_or("no memory for a zstd context")?;
        match dictionary {
            Some(dictionary) => decoder.decompress_using_ddict(out, bytes, dictionary.decoder()),
            None => decoder.decompress(out, bytes),
        }
        .map_err(failed)
    })?;
    // It may have room for more than that.
    if out.len() <= size_max { Ok(()) } else { Err(format!("at most {size_max} bytes expected")) }
}

/// The bytes that a zstd frame says it holds, if it says so and they are at most `size_max`.
pub(crate) fn content_bytes(bytes: &[u8], size_max: usize) -> Result<usize> {
    let said = zstd_safe::get_frame_content_size(bytes).ok().flatten();
    let said = said.and_then(|size| usize::try_from(size).ok()).filter(|size| *size <= size_max);
    said.ok_or_else(|| Error::Invalid(format!("a zstd frame that says its size, at most {size_max} bytes, expected")))
}
