//! Posthouse: benches.
