//! Floor 0: what every room may use (errors, ids, clock, limits, checked bytes). Knows nothing of mail or files.
pub mod bytes;
pub mod clock;
pub mod error;
pub mod ids;
pub mod limits;

pub use clock::{Clock, SimClock, SystemClock};
pub use error::{Error, Result};
pub use ids::*;
