//! How much an account may still take: exact sums with checked arithmetic. Never knows which messages they are made of.
pub mod model;

use crate::base::{Error, Result};

/// What is used after `size_bytes` more; `Error::OverQuota` when that is more than `quota_bytes_max` (`None`: no
/// bound) or than 64 bits.
pub fn charge(used_bytes: u64, size_bytes: u64, quota_bytes_max: Option<u64>) -> Result<u64> {
    let bound = quota_bytes_max.unwrap_or(u64::MAX);
    match used_bytes.checked_add(size_bytes) {
        Some(after) if after <= bound => Ok(after),
        _ => Err(Error::OverQuota { used_bytes, quota_bytes_max: bound }),
    }
}

/// What is used after `size_bytes` are gone; `Error::Corrupt` when so much was never used.
pub fn release(used_bytes: u64, size_bytes: u64) -> Result<u64> {
    used_bytes.checked_sub(size_bytes).ok_or_else(|| {
        Error::corrupt("quota", 0, format!("{size_bytes} bytes leave an account that holds {used_bytes} bytes"))
    })
}
