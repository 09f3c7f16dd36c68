//! The client against scripted servers, and the whole of it with a real store, on the simulated network.
mod circles;
mod dane;
mod hosts;
mod inward;
mod others;
mod plan;
mod require_tls;
mod room;
mod script;
mod shake;
mod stages;
mod sts;
mod terms;
mod tlsrpt;
mod whole;
mod wishes;
mod world;
