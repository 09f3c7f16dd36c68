//! How Posthouse talks to the network: the runtime that moves bytes, the readers that bound them, and the protocols.
//! It never keeps mail itself (the engine does) and never imports the administration or the tools.

pub mod dmarc_reports;
mod dsn;
mod http;
pub mod imap;
pub mod limits;
pub mod lmtp;
mod orcpt;
pub mod outbound;
mod passed;
mod placing;
pub mod pop3;
pub mod received_reports;
pub mod runtime;
pub mod session;
pub mod smtp;
mod spending;
#[cfg(test)]
mod testing;
pub mod verify;
pub mod wire;
