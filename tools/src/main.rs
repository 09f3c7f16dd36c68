//! The one binary `posthouse`: wiring and nothing else.
mod config;
fn main() {}
