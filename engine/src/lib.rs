//! Posthouse engine.
