//! HTTP for operators: what runs where, whether it is healthy, and figures for Prometheus; and, on listeners of their own, the settings that
//! members' mail programs ask for. Never shows mail or addresses, never changes anything, and never knows a mail protocol.
mod autoconfig;
mod facts;
mod health;
mod metrics;
mod page;
mod server;

pub use autoconfig::{Protocol, Service, Services};
pub use facts::{Facts, Host, ListenerFacts};
pub use health::reasons_unhealthy;
pub use server::Admin;
