//! Posthouse: tests.
