//! Posthouse: admin.
