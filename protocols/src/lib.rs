//! Posthouse: protocols.
