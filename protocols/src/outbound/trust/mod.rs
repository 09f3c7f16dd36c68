//! What protects a connection to a host, and what the host's certificate must prove: as the configuration has it, or what the domain itself
//! has published for all to see. Opens no connection.
mod dane;
mod guard;
mod results;
mod sts;

pub(super) use guard::{Guard, Guards, NO_ENCRYPTION, NO_REQUIRETLS};
pub(super) use results::{NO_STARTTLS, named, result_type, why};
pub(super) use sts::Policies;
pub use sts::PolicyHosts;

#[cfg(test)]
pub(super) use dane::usable;
#[cfg(test)]
pub(super) use sts::{Fetch, Fetched, Policy};
