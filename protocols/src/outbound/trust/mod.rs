//! What protects a connection to a host, and what the host's certificate must prove: as the configuration has it, or what the domain itself
//! has published for all to see. Opens no connection.
mod dane;
mod guard;

pub(super) use guard::{Guard, Guards};

#[cfg(test)]
pub(super) use dane::usable;
