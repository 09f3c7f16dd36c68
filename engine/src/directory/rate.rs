//! How many recipients in how long, as rules say it: `500/1d`. Counts nothing.
use crate::base::limits;
use std::fmt;

const UNITS: [(&str, u32); 4] = [("d", 86_400), ("h", 3600), ("m", 60), ("s", 1)];

/// Recipients and seconds.
pub(super) fn read(text: &str) -> Option<(u32, u32)> {
    let (recipients, period) = text.split_once('/')?;
    let at = period.len().checked_sub(1).filter(|at| period.is_char_boundary(*at))?;
    let (number, unit) = period.split_at(at);
    let (_, scale) = UNITS.iter().find(|(name, _)| *name == unit)?;
    let number: u32 = if number.is_empty() { 1 } else { number.parse().ok()? };
    let seconds = number.checked_mul(*scale).filter(|seconds| *seconds > 0 && *seconds <= limits::RATE_SECONDS_MAX)?;
    Some((recipients.parse().ok()?, seconds))
}

/// In the largest unit that fits.
pub(super) fn write(f: &mut fmt::Formatter<'_>, recipients: u32, seconds: u32) -> fmt::Result {
    let (unit, scale) = UNITS.iter().find(|(_, scale)| seconds.is_multiple_of(*scale)).unwrap_or(&UNITS[3]);
    write!(f, "{recipients}/{}{unit}", seconds / scale)
}
