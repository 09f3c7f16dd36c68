//! HTTP for operators: what runs where, whether it is healthy, and figures for Prometheus. Never shows mail or addresses, never changes
//! anything, and never knows a mail protocol.
mod facts;
mod health;
mod metrics;
mod page;
mod server;

pub use facts::{Facts, Host, ListenerFacts};
pub use health::reasons_unhealthy;
pub use server::Admin;
