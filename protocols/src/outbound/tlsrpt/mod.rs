//! Reports about TLS (RFC 8460): what came of sessions with the hosts of a domain, counted over a day and sent to who has asked for it in DNS. What
//! is counted outlives a restart (`keeping`).
mod codec;
mod send;
mod tally;
mod write;

pub use send::Reports;
pub(super) use send::run;
pub(super) use tally::{Failed, Kind, Published};

#[cfg(test)]
pub(super) use send::send_before;
