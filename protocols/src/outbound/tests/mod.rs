//! The client against scripted servers, and the whole of it with a real store, on the simulated network.
mod circles;
mod dane;
mod hosts;
mod plan;
mod require_tls;
mod script;
mod shake;
mod stages;
mod sts;
mod tlsrpt;
mod whole;
mod world;
