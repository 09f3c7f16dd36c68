//! Floor 8: finds and mends damage of a data directory that nobody has open, or looks at one that somebody has. The log is believed before
//! everything that is derived from it; what is good is never touched; what is cut is kept.
mod audit;
mod contents;
mod crc;
mod describe;
mod finding;
mod fold;
mod groups;
mod heads;
mod hole;
mod identify;
mod inspect;
mod inventory;
mod keep;
mod last;
mod layout;
mod lock;
mod mend;
mod places;
mod quota;
mod rebuild;
mod references;
mod repair;
mod salvage;
mod source;
mod survey;
mod verify;
mod walk;

pub use finding::{Finding, Kind, Severity, Told, Watch, Who};
pub use fold::Scratch;
pub use inspect::{Line, Range, inspect};
pub use quota::{Usage, prove_quota};
pub use rebuild::{Rebuilt, Tools, rebuild};
pub use repair::{Act, Repair, Repaired, Step};
pub use salvage::{Belongs, Give, Salvage, Salvaged, salvage};
pub use verify::{Report, verify};
