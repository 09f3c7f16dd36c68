//! Floor 5: whether a message may come in or go out, and where it goes. Pure: what was found out about it comes in as facts, what shall happen
//! comes out as verdicts. Reads the directory, changes nothing, asks nobody.
//!
//! `stages` is the ordered list on one screen; each policy has a file. docs/mailflow.md shows it as a picture.
mod away;
mod carried;
mod counters;
mod dmarc;
mod elsewhere;
mod facts;
mod filter;
mod forward;
mod hosts;
mod keyword;
mod lists;
#[cfg(test)]
mod member_tests;
mod outbound;
mod rate;
mod scripts;
mod senders;
pub mod sieve;
mod stages;
#[cfg(test)]
mod tests;

pub use away::Answering;
pub use carried::{arrival, known};
pub use counters::{Counters, Spent};
pub use facts::{Case, Copy, Dmarc, Facts, HasMailbox, Letter, Origin, Outcome, Policy, Refusal, Verdict, Wanted};
pub use filter::Advice;
pub use forward::Forward;
pub use hosts::Listed;
pub use rate::{Kept, Onward};
pub use stages::{at_message, at_queue, at_queue_plain, at_recipient};

/// Where mail for unknown addresses goes in the account that takes it (F8).
pub const TRANSFER_FOLDER: &str = "\u{90ae}\u{4ef6}\u{8f6c}\u{79fb}";
