//! Floor 0: what every room may use (errors, ids, clock, limits, checked bytes). Knows nothing of mail or files.
pub mod bound;
pub mod bytes;
pub mod clock;
pub mod error;
pub mod fair;
pub mod flags;
pub mod fold;
pub mod ids;
pub mod limits;
pub mod protocol;
pub mod special_use;
pub mod uids;
pub mod words;

pub use bound::{Bound, Load};
pub use clock::{Clock, SimClock, SystemClock};
pub use error::{Error, Result};
pub use fair::FairQueue;
pub use flags::{FlagMode, Flags, Keywords};
pub use fold::fold;
pub use ids::*;
pub use protocol::Protocol;
pub use special_use::SpecialUse;
pub use uids::{UidSet, in_groups};
pub use words::counted;
