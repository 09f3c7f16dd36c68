//! What the end-to-end and house-rule tests share. Never linked into the server.

pub mod tidy;
