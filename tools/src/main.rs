//! The one binary `posthouse`: wiring and nothing else.
fn main() {}
