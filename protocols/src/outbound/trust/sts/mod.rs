//! MTA-STS (RFC 8461): a domain says over HTTPS which hosts take its mail and that they have TLS with certificates that prove their names. Holds
//! what was heard for as long as the domain has allowed, over restarts too.
mod fetch;
mod policies;
mod policy;

pub use fetch::PolicyHosts;
#[cfg(test)]
pub(in crate::outbound) use fetch::{Fetch, Fetched};
pub(in crate::outbound) use policies::{Known, Policies};
pub(super) use policy::Mode;
pub(in crate::outbound) use policy::Policy;
