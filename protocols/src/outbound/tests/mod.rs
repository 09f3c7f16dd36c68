//! The client against scripted servers, and the whole of it with a real store, on the simulated network.
mod circles;
mod hosts;
mod others;
mod plan;
mod script;
mod stages;
mod terms;
mod whole;
mod wishes;
